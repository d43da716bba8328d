"""What the judge is given, and how its verdicts become failures and causes."""

from typing import Any

import msgspec
import pytest

from tests.store.build import DAY_ONE, MX, NOW, entry_of, report_of, verdict_of
from tlsrpt_mailer.failures.model import Cause, HumanAct, Verdict
from tlsrpt_mailer.ports import History, Letter, Told
from tlsrpt_mailer.report.times import DAY
from tlsrpt_mailer.store.queries import Reader, open_queries
from tlsrpt_mailer.store.sqlite import SqliteStore


def put(store: SqliteStore, *reports: Any) -> None:
    with store.write() as txn:
        txn.put([entry_of(report) for report in reports])


def save(store: SqliteStore, *verdicts: Verdict) -> None:
    with store.write() as txn:
        txn.save_verdicts(verdicts, NOW)


def causes(reader: Reader) -> dict[str, int]:
    return {
        f"{one.verdict.identity.domain} {one.verdict.identity.mx or '-'}": one.cause
        for one in reader.failures().rows
    }


def act(store: SqliteStore, failure: int) -> None:
    with store.writer.transaction() as conn:
        conn.execute(
            "INSERT INTO acts (failure_id, incident, kind, at, who, until, note)"
            " VALUES (?, 1, 'ack', ?, 'ana@example.com', ?, 'renewing now')",
            (failure, NOW, NOW + DAY),
        )


def tell(store: SqliteStore, failure: int, event: str = "new") -> None:
    told = Told(failure, "ana@example.com", 1, event, NOW)
    with store.compose() as txn:
        txn.save_letters(
            [Letter(f"<{event}.{failure}@x>", told.recipient, "s", event, b"", (told,))], NOW
        )


def test_windows_come_back_as_they_went_in(store: SqliteStore) -> None:
    """The judge sees every count, class and time that was stored, with the report's number."""
    failing, clean = report_of(failed=3), report_of(day=1)
    put(store, clean, failing)

    with store.write() as txn:
        (history,) = txn.histories(["example.com"])

    expected = [
        msgspec.structs.replace(failing.windows[0], report=2),
        msgspec.structs.replace(clean.windows[0], report=1),
    ]
    assert expected == list(history.windows)


def test_histories_come_in_the_order_asked(store: SqliteStore) -> None:
    """One a domain, also for a domain of which nothing is known."""
    put(store, report_of("b.example.com", failed=1))

    with store.write() as txn:
        found = txn.histories(["b.example.com", "a.example.com", "b.example.com"])

    assert ["b.example.com", "a.example.com"] == [one.domain for one in found]
    assert History("a.example.com", (), {}, {}) == found[1]


def test_only_domains_with_failures_are_judged(store: SqliteStore) -> None:
    """A thousand healthy domains in a batch cost no judgement."""
    put(store, report_of("bad.example.com", failed=1), report_of("good.example.com"))
    save(store, verdict_of("open.example.com"), verdict_of("done.example.com", state="resolved"))
    names = [f"{name}.example.com" for name in ("bad", "good", "open", "done", "unknown")]

    with store.write() as txn:
        judged, reviewed = txn.domains_to_judge(names), txn.open_domains()

    assert ["bad.example.com", "open.example.com"] == judged
    assert ["open.example.com"] == reviewed


def test_numbers_and_acts_are_part_of_the_history(store: SqliteStore, reader: Reader) -> None:
    """The judge knows what people said, by the failure's number."""
    save(store, verdict_of(), verdict_of(mx=None, result="sts-policy-fetch-error"))
    act(store, 1)

    history = reader.history("example.com")

    said = HumanAct("ack", NOW, "ana@example.com", NOW + DAY, "renewing now")
    assert {1: (said,)} == history.acts
    assert (said,) == reader.acts(1)
    assert {
        ("example.com", "sts", "certificate-expired", MX): 1,
        ("example.com", "sts", "sts-policy-fetch-error", ""): 2,
    } == history.numbers


@pytest.mark.parametrize(
    ("days", "ok", "expected"),
    [
        ((0, 3, 6), 1, True),
        ((0, 3, 5), 1, False),  # not yet seven days from first start to last end
        ((0, 6), 1, False),  # only two windows
        ((0, 3, 6), 0, False),  # no session got in
        ((0, 0, 6), 1, False),  # two of them are of one day
        ((), 1, False),
    ],
)
def test_standing_is_earned_by_a_week_of_windows_with_successes(
    store: SqliteStore, days: tuple[int, ...], ok: int, expected: bool
) -> None:
    """A reporter is known after three counted windows over seven days in which mail got in."""
    put(
        store,
        *(
            report_of(f"d{place}.example.com", day, reporter="small.example", ok=ok, failed=1)
            for place, day in enumerate(days)
        ),
    )

    with store.write() as txn:
        found = txn.established(["small.example", "other.example"])

    assert (frozenset({"small.example"}) if expected else frozenset()) == found
    with open_queries(store.path) as reader:
        assert found == set(reader.established_at(["small.example", "other.example"]))


def test_a_verdict_comes_back_whole(store: SqliteStore, reader: Reader) -> None:
    """Alerts and listings see exactly what the judge said."""
    verdict = verdict_of()
    save(store, verdict)

    record = reader.failure(1)

    assert (1, 1, verdict) == (record.id, record.cause, record.verdict)


def test_a_failure_keeps_its_number_through_its_states(store: SqliteStore, reader: Reader) -> None:
    """Number 17 is number 17 from the first alert to the last, and after it."""
    save(store, verdict_of())
    save(store, verdict_of(state="resolved", resolved_at=NOW))
    ended = reader.failures().total
    save(store, verdict_of(state="regressed", incident=2))

    assert 0 == ended
    assert [(1, "regressed")] == [(one.id, one.verdict.state) for one in reader.failures().rows]


def test_an_unchanged_verdict_writes_nothing(store: SqliteStore) -> None:
    """The review of thousands of open failures every few minutes does not wear out the disk."""
    save(store, verdict_of())
    with store.writer.reading() as conn:
        before = conn.total_changes
    save(store, verdict_of())

    with store.writer.reading() as conn:
        assert before == conn.total_changes


def test_one_cause_for_many_domains_has_the_number_of_the_first(
    store: SqliteStore, reader: Reader
) -> None:
    """Failures at one MX are one cause, in whichever transaction they come."""
    save(store, verdict_of("a.example.com"), verdict_of("b.example.com", mx="mx9.example.com"))
    save(store, verdict_of("c.example.com"))

    assert {
        "a.example.com mx1.example.com": 1,
        "b.example.com mx9.example.com": 2,
        "c.example.com mx1.example.com": 1,
    } == causes(reader)


def test_a_failure_without_an_mx_joins_the_cause_that_names_one(
    store: SqliteStore, reader: Reader
) -> None:
    """Judged together, the failure at the MX gives the cause its number."""
    shared = Cause("certificate-expired", MX, None)
    save(store, verdict_of("a.example.com", mx=None, cause=shared), verdict_of("a.example.com"))

    assert {"a.example.com mx1.example.com": 1, "a.example.com -": 1} == causes(reader)


def test_a_failure_that_changes_its_cause_keeps_its_number(
    store: SqliteStore, reader: Reader
) -> None:
    """When the MX becomes known, the cause is renamed if nobody else is of it."""
    save(store, verdict_of(mx=None))
    save(store, verdict_of(mx=None, cause=Cause("certificate-expired", MX, None)))
    save(store, verdict_of("b.example.com"))

    assert {"example.com -": 1, "b.example.com mx1.example.com": 1} == causes(reader)


def test_a_cause_that_others_remain_in_keeps_its_number(store: SqliteStore, reader: Reader) -> None:
    """A failure that leaves it gets a cause of a number that no failure will ever have."""
    shared = Cause("certificate-expired", MX, None)
    save(store, verdict_of("a.example.com", mx=None, cause=shared), verdict_of("b.example.com"))
    left = Cause("certificate-expired", None, "a.example.com")
    first, second = (one.verdict.identity.domain for one in (reader.failure(1), reader.failure(2)))
    save(store, verdict_of("b.example.com", cause=Cause("x", "mx7.example.com", None)))
    save(store, verdict_of("a.example.com", mx=None, cause=left))
    save(store, verdict_of("new.example.com", mx="mx8.example.com"))

    numbers = causes(reader)

    assert ("b.example.com", "a.example.com") == (first, second)
    assert 3 == len(set(numbers.values()))
    assert 4 == max(one.id for one in reader.failures().rows)


def test_a_failure_that_a_revision_took_back_is_gone(store: SqliteStore, reader: Reader) -> None:
    """Nobody heard of it, and no counted report speaks of it: it never was."""
    save(store, verdict_of(), verdict_of("other.example.com"))
    with store.write() as txn:
        txn.histories(["example.com"])
        txn.save_verdicts([], NOW)

    assert ["other.example.com"] == [
        one.verdict.identity.domain for one in reader.failures(open_only=False).rows
    ]


@pytest.mark.parametrize("hear", [tell, act])
def test_a_told_failure_that_was_taken_back_is_ended(
    store: SqliteStore, reader: Reader, hear: Any
) -> None:
    """Who was told of it is told that it is over; the end is that of its last window."""
    save(store, verdict_of())
    hear(store, 1)
    with store.write() as txn:
        txn.histories(["example.com"])
        txn.save_verdicts([], NOW)

    record = reader.failure(1)

    assert ("resolved", DAY_ONE + DAY) == (record.verdict.state, record.verdict.resolved_at)
    assert 0 == reader.failures().total


def test_ended_failures_without_a_verdict_stay_as_they_are(
    store: SqliteStore, reader: Reader
) -> None:
    """What is over and pruned keeps its history."""
    ended = verdict_of(state="resolved", resolved_at=NOW - DAY)
    save(store, ended)
    with store.write() as txn:
        txn.histories(["example.com"])
        txn.save_verdicts([], NOW)

    assert ended == reader.failure(1).verdict
