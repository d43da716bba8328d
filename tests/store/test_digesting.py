"""What a digest is told of the last weeks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.store.build import DAY_ONE, entry_of, report_of, verdict_of
from tlsrpt_mailer.alerts.digest_model import AnswerTime, Period, Sum
from tlsrpt_mailer.failures.model import Sessions, Verdict
from tlsrpt_mailer.ports import Announced, Letter, SilentPair, Told
from tlsrpt_mailer.report.times import DAY, HOUR, Time
from tlsrpt_mailer.store.digesting import DigestReader, open_digest_reader
from tlsrpt_mailer.store.sqlite import SqliteStore

FIRE: Time = DAY_ONE + 28 * DAY + 7 * HOUR
"""2026-10-29: the days 21 to 27 are the week, 14 to 20 the one before."""
WEEK = Period(FIRE - 7 * DAY, FIRE)
FIRST = DAY_ONE + 21 * DAY
ANA = "ana@example.com"


@pytest.fixture
def reads(store: SqliteStore, path: Path) -> Iterator[DigestReader]:
    """The same database, as the digest reads it."""
    with open_digest_reader(path) as opened:
        yield opened


def put(store: SqliteStore, *reports: Any, **fields: Any) -> None:
    with store.write() as txn:
        txn.put([entry_of(report, **fields) for report in reports])


def save(store: SqliteStore, now: Time, *verdicts: Verdict) -> None:
    with store.write() as txn:
        txn.save_verdicts(verdicts, now)


def letter(recipient: str, event: str, *told: Told) -> Letter:
    return Letter(f"<{event}.{recipient}@x>", recipient, "s", event, b"", told)


def tell(store: SqliteStore, at: Time, *letters: Letter) -> None:
    with store.compose() as txn:
        txn.save_letters(letters, at)


def long_report(start_day: int, days: int, ok: int, failed: int) -> Any:
    """A report about several days at once."""
    made = report_of(day=start_day, ok=ok, failed=failed)
    (window,) = made.windows
    end = window.start + days * DAY
    return msgspec.structs.replace(made, windows=(msgspec.structs.replace(window, end=end),))


def test_sessions_are_summed_by_domain_and_day(store: SqliteStore, reads: DigestReader) -> None:
    """All reporters of a day together; nothing from before two lengths of the period."""
    put(
        store,
        report_of(day=21, ok=90, failed=10),
        report_of(day=21, reporter="microsoft.com", ok=50),
        report_of(day=14),
        report_of(day=13),
        report_of("shop.example", day=27, ok=7),
    )

    found = reads.figures(WEEK).domains

    assert {FIRST: Sum(150, 10, 2), FIRST - 7 * DAY: Sum(100, 0, 1)} == found["example.com"].days
    assert {FIRST + 6 * DAY: Sum(7, 0, 1)} == found["shop.example"].days


def test_sessions_are_never_added_across_policy_types(
    store: SqliteStore, reads: DigestReader
) -> None:
    """One session may stand under DANE and under MTA-STS: the greater count is the truth."""
    made = report_of(day=21)
    (window,) = made.windows
    both = (Sessions("sts", 100, 1, "enforce"), Sessions("tlsa", 80, 20))
    put(
        store,
        msgspec.structs.replace(made, windows=(msgspec.structs.replace(window, sessions=both),)),
    )

    (found,) = reads.figures(WEEK).domains.values()

    assert {FIRST: Sum(101, 20, 1)} == found.days
    assert (("sts", "enforce"), ("tlsa", None)) == found.pairs[0].policies


def test_a_report_about_a_week_counts_on_each_of_its_days(
    store: SqliteStore, reads: DigestReader
) -> None:
    """A weekly reporter makes no six blank days, and no session is counted twice."""
    put(store, long_report(21, 7, 100, 3))

    (found,) = reads.figures(WEEK).domains.values()

    assert [FIRST + at * DAY for at in range(7)] == list(found.days)
    assert Sum(103, 3, 7) == sum(found.days.values(), Sum())
    assert Sum(15, 1, 1) == found.days[FIRST]


def test_habits_are_of_four_weeks(store: SqliteStore, reads: DigestReader) -> None:
    """On how many days, how late, and which policy the last report quotes."""
    put(store, *(report_of(day=day, ok=10) for day in (2, 20, 27)), report_of(day=20, version=2))
    late = report_of(day=26, ok=10)
    (window,) = late.windows
    after = msgspec.structs.replace(window, received=window.end + 8 * DAY)
    put(store, msgspec.structs.replace(late, windows=(after,)))

    (pair,) = reads.figures(WEEK).domains["example.com"].pairs

    assert ("example.com", "google.com", 4) == (pair.domain, pair.reporter, pair.days)
    assert (DAY_ONE + 2 * DAY, DAY_ONE + 28 * DAY) == (pair.first, pair.last)
    assert 10 * HOUR == pair.delay
    assert (("sts", "enforce"),) == pair.policies


def test_a_reporter_that_is_always_late_has_the_longest_delay(
    store: SqliteStore, reads: DigestReader
) -> None:
    """Reports out of an old archive say nothing of when the next one comes."""
    made = report_of(day=20)
    (window,) = made.windows
    after = msgspec.structs.replace(window, received=window.end + 30 * DAY)
    put(store, msgspec.structs.replace(made, windows=(after,)))

    (pair,) = reads.figures(WEEK).domains["example.com"].pairs

    assert 7 * DAY == pair.delay


def test_failures_are_the_open_ones_and_those_that_ended_in_the_period(
    store: SqliteStore, reads: DigestReader
) -> None:
    """What ended is news once, by when it became known, not by when it was over."""
    save(store, FIRE - 8 * DAY, verdict_of("old.example", state="resolved"))
    save(store, FIRE - 8 * DAY, verdict_of("open.example"), verdict_of("over.example"))
    save(store, FIRE - DAY, verdict_of("over.example", state="resolved", resolved_at=DAY_ONE))
    save(store, FIRE + 1, verdict_of("later.example", state="resolved"))
    tell(store, FIRE - 2 * DAY, letter(ANA, "new", Told(3, ANA, 1, "new", FIRE - 2 * DAY)))

    found = reads.figures(WEEK)

    ended = {one.verdict.identity.domain: one.ended_at for one in found.failures}
    assert {"open.example": None, "over.example": FIRE - DAY} == ended
    assert [(3, ANA, FIRE - 2 * DAY)] == [
        (one.failure, one.recipient, one.first_at) for one in found.told
    ]


def test_what_comes_back_and_ends_again_is_news_again(
    store: SqliteStore, reads: DigestReader
) -> None:
    """A second incident that came and went unseen between two digests is not missed."""
    save(store, FIRE - 20 * DAY, verdict_of(state="resolved"))
    again = verdict_of(state="resolved", incident=2)
    save(store, FIRE - DAY, again)
    save(store, FIRE + DAY, msgspec.structs.replace(again, sessions=9))

    (found,) = reads.figures(WEEK).failures

    assert FIRE - DAY == found.ended_at


def test_the_intake_is_counted_by_outcome(store: SqliteStore, reads: DigestReader) -> None:
    """Mails by what became of them, in the period alone; and what the sources say."""
    put(store, report_of(day=1))
    put(store, report_of(day=2))
    with store.writer.transaction() as conn:
        conn.execute("UPDATE mails SET stored_at = ? WHERE id = 1", (FIRE - DAY,))
        conn.execute("UPDATE mails SET stored_at = ? WHERE id = 2", (FIRE - 8 * DAY,))
    store.state.save_source("imap:x", state="trouble", since=1, backlog=3)
    store.state.save_source("lmtp:y", state="ok", since=1, backlog=2)

    found = reads.figures(WEEK).intake

    assert {"stored": 1} == found.mails
    assert (5, ("imap:x",)) == (found.waiting, found.trouble)
    assert DAY_ONE + 3 * DAY - 1 + 10 * HOUR == found.last_report


def test_answers_count_from_the_first_mail(store: SqliteStore, reads: DigestReader) -> None:
    """The first answer of an incident, from when its first reader was told; others do not."""
    save(store, FIRE, verdict_of("a.example"), verdict_of("b.example"), verdict_of("c.example"))
    told = FIRE - 3 * DAY
    tell(
        store,
        told,
        *(letter(f"{at}@x", "new", Told(at, f"{at}@x", 1, "new", told)) for at in (1, 2)),
    )
    with store.writer.transaction() as conn:
        conn.executemany(
            "INSERT INTO acts (failure_id, incident, kind, at, who) VALUES (?, 1, ?, ?, 'ana')",
            [
                (1, "reopen", told + 5),
                (1, "ack", told + HOUR),
                (1, "fixed", told + DAY),
                (2, "ack", FIRE + 1),
                (3, "ack", told),
            ],
        )

    assert (AnswerTime(severity="critical", after=HOUR),) == reads.figures(WEEK).answered


def test_alerts_are_counted_by_recipient(store: SqliteStore, reads: DigestReader) -> None:
    """Alerts of the period; no tests, no digests, nothing to channels."""
    tell(store, FIRE - DAY, letter(ANA, "new"), letter(ANA, "resolved"), letter("ben@x", "new"))
    tell(store, FIRE - DAY, letter(ANA, "test"), letter(ANA, "digest"), letter("channel:c", "new"))
    tell(store, FIRE - 9 * DAY, letter("old@x", "new"))

    assert {ANA: 2, "ben@x": 1} == reads.figures(WEEK).mails


def test_an_address_is_refused_until_a_mail_gets_through(
    store: SqliteStore, reads: DigestReader
) -> None:
    """Whose last mail bounced is listed; who was full for a day is not."""
    tell(store, FIRE - 3 * DAY, letter(ANA, "new"), letter("gone@x", "new"), letter(ANA, "test"))
    first, gone, second = (one.id for one in store.outbox.due(FIRE))
    store.outbox.give_up(first, FIRE - 2 * DAY, "452")
    store.outbox.give_up(gone, FIRE - 2 * DAY, "550")
    store.outbox.sent(second, FIRE - DAY, "250")

    assert frozenset({"gone@x"}) == reads.figures(WEEK).refused


def test_silence_is_read_as_it_was_noticed(store: SqliteStore, reads: DigestReader) -> None:
    """Who is silent, and who was until the period began."""
    pairs = (
        SilentPair("a.example", "google.com", FIRST),
        SilentPair("b.example", "google.com", FIRST, back=FIRE - 9 * DAY),
    )
    row = Announced(
        kind="silent-reporter", key="google.com", recipient=ANA, since=FIRST, pairs=pairs
    )
    store.watching.announce([row], [], FIRE)

    assert [pairs[0]] == reads.figures(WEEK).silent


def test_the_first_report_is_when_it_was_stored(store: SqliteStore, reads: DigestReader) -> None:
    """Nothing that is no report makes a digest."""
    with store.write() as txn:
        txn.put([entry_of()])
    before = reads.first_report()
    put(store, report_of())

    assert before is None
    assert reads.first_report() is not None


def test_weeks_are_found_by_an_index(store: SqliteStore, path: Path) -> None:
    """Four hundred days of ten thousand domains are not read for the sake of five weeks."""
    with store.writer.reading() as conn:
        plans = conn.execute(
            "EXPLAIN QUERY PLAN SELECT domain, count(*) FROM windows WHERE end_at > 1"
            " AND end_at <= 2 GROUP BY domain"
        ).fetchall()

    assert any("windows_end" in plan[3] for plan in plans)
