"""What commands are shown, and that it is quick with many years of reports."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.store.build import DAY_ONE, NOW, entry_of, report_of, verdict_of
from tlsrpt_mailer.errors import NoSuch, Temporary
from tlsrpt_mailer.ports import Letter
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.sqlite import SqliteStore


def put(store: SqliteStore, *entries: Any) -> None:
    with store.write() as txn:
        txn.put(entries)


def test_a_page_and_the_total(store: SqliteStore, reader: Reader) -> None:
    """A listing shows a page and says how many there are; all of them on request."""
    put(store, *(entry_of(report_of(day=day)) for day in range(60)))

    page, second = reader.reports(), reader.reports(limit=50, offset=50)

    assert (50, 60) == (len(page.rows), page.total)
    assert (10, 60) == (len(second.rows), second.total)
    assert 60 == len(reader.reports(limit=None).rows)
    assert 60 == page.rows[0].id
    assert [60, 59] == [row.id for row in reader.mails(limit=2).rows]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [4, 3, 2, 1]),
        ({"domain": "a.example.com"}, [4, 2, 1]),
        ({"reporter": "other.example"}, [4]),
        ({"domain": "a.example.com", "reporter": "google.com"}, [2, 1]),
        ({"status": "counted"}, [4, 3, 2]),
        ({"status": "superseded"}, [1]),
        ({"status": "held"}, []),
        ({"status": "counted", "domain": "a.example.com"}, [4, 2]),
        ({"domain": "nobody.example"}, []),
    ],
)
def test_reports_are_found_by_domain_reporter_and_status(
    store: SqliteStore, reader: Reader, filters: dict[str, str], expected: list[int]
) -> None:
    """Each filter alone and with others finds what it names; totals agree with the rows."""
    put(store, entry_of(report_of("a.example.com", version=1)))
    put(
        store,
        entry_of(report_of("a.example.com", version=2, supersedes=1), taken_at=NOW),
        entry_of(report_of("b.example.com"), taken_at=NOW + 1),
        entry_of(report_of("a.example.com", reporter="other.example"), taken_at=NOW + 2),
    )

    page = reader.reports(**filters)

    assert expected == [row.id for row in page.rows]
    assert len(expected) == page.total


def test_mails_are_found_by_outcome(store: SqliteStore, reader: Reader) -> None:
    """The ledger can be asked for what was ignored."""
    put(store, entry_of(report_of()), entry_of(raw=b"a letter"))

    assert ["ignored"] == [row.outcome for row in reader.mails(outcome="ignored").rows]
    assert 1 == reader.mails(outcome="stored").total


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda reader: reader.report(9), "no report 9"),
        (lambda reader: reader.failure(9), "no failure 9"),
        (lambda reader: reader.evidence(9), "no failure 9"),
        (lambda reader: reader.kept_one(9), "no mail 9 is kept"),
        (lambda reader: reader.kept_raw(9), "no mail 9 is kept"),
    ],
)
def test_a_wrong_number_is_said_so(
    reader: Reader, ask: Callable[[Reader], object], text: str
) -> None:
    """What is not there is an error with the number, never an empty answer."""
    with pytest.raises(NoSuch, match=text):
        ask(reader)


def test_kept_mails_are_listed_by_kind(store: SqliteStore, reader: Reader) -> None:
    """Quarantine shows who sent what, and why it was not read."""
    put(
        store,
        entry_of(raw=b"broken", outcome="quarantined", reason="no JSON", keep="quarantine"),
        entry_of(raw=b"letter", keep="ignored"),
    )

    (row,) = reader.kept("quarantine").rows

    assert ("quarantine", "tls@example.net", "no JSON", 6) == (
        row.kind,
        row.sender,
        row.reason,
        row.size,
    )
    assert row == reader.kept_one(row.id)
    assert [b"letter"] == [reader.kept_raw(one.id) for one in reader.kept("ignored").rows]


def test_failures_come_worst_first(store: SqliteStore, reader: Reader) -> None:
    """Open ones before ended ones, critical before low, the newest of a kind first."""
    with store.write() as txn:
        txn.save_verdicts(
            [
                verdict_of("a.example.com", severity="low"),
                verdict_of("b.example.com", severity="critical"),
                verdict_of("c.example.com", severity="notice"),
                verdict_of("d.example.com", severity="warning"),
                verdict_of("e.example.com", severity="critical", last_seen=NOW),
                verdict_of("f.example.com", severity="critical", state="resolved", mx="mx2.e"),
            ],
            NOW,
        )

    found = [one.verdict.identity.domain[0] for one in reader.failures(open_only=False).rows]

    assert list("ebdcaf") == found
    assert (5, 2) == (reader.failures().total, len(reader.failures(limit=2).rows))
    assert ["d"] == [
        one.verdict.identity.domain[0] for one in reader.failures(domain="d.example.com").rows
    ]
    assert 1 == reader.failures(open_only=False, cause=6).total


def test_sources_show_their_last_day(store: SqliteStore, reader: Reader) -> None:
    """`status` says when the last report came, and what came in 24 hours."""
    store.state.save_source("imap:test", state="ok", since=DAY_ONE)
    store.state.save_source("lmtp:x", state="ok", since=DAY_ONE)
    put(
        store,
        entry_of(report_of(), taken_at=NOW - 5 * HOUR),
        entry_of(report_of(day=1), taken_at=NOW - 6 * HOUR),
        entry_of(raw=b"letter", taken_at=NOW),
    )

    imap, lmtp = reader.sources(NOW)
    later, _ = reader.sources(NOW + DAY)

    assert ({"ignored": 1, "stored": 2}, NOW - 5 * HOUR) == (imap.day, imap.last_report)
    assert ({}, None) == (lmtp.day, lmtp.last_report)
    assert ({}, NOW - 5 * HOUR) == (later.day, later.last_report)


def test_totals_of_an_empty_database(reader: Reader) -> None:
    """A first start shows noughts, no error."""
    totals = reader.totals(NOW)

    assert (0, 0, 0, 0, None, {}) == (
        totals.domains,
        totals.sessions,
        totals.reporters,
        totals.sent_today,
        totals.last_report,
        totals.open_failures,
    )


def test_totals_count_the_last_seven_days(store: SqliteStore, reader: Reader) -> None:
    """Sessions of a week, never added across policy types; letters and copies as they are."""
    put(
        store,
        entry_of(report_of("a.example.com", 28, failed=3), taken_at=NOW - DAY),
        entry_of(report_of("b.example.com", 27, reporter="r.example"), taken_at=NOW - 2 * DAY),
        # Taken yesterday from an old mailbox: it says nothing of this week.
        entry_of(report_of("c.example.com", 10, ok=999), taken_at=NOW - DAY),
        entry_of(raw=b"broken", outcome="quarantined", keep="quarantine"),
        entry_of(raw=b"letter", keep="ignored"),
    )
    with store.write() as txn:
        txn.save_verdicts([verdict_of(), verdict_of("b.example.com", severity="low")], NOW)
    with store.compose() as txn:
        txn.save_letters(
            [Letter(f"<{n}>", "ana@example.com", "s", "new", b"") for n in range(4)], NOW
        )
    store.outbox.sent(1, NOW, "250 ok")
    store.outbox.sent(2, NOW - 2 * DAY, "250 ok")
    store.outbox.give_up(3, NOW, "550 no")

    totals = reader.totals(NOW)

    assert (3, 203, 3, 2, NOW - DAY) == (
        totals.domains,
        totals.sessions,
        totals.failed,
        totals.reporters,
        totals.last_report,
    )
    assert (0, 1, 1) == (totals.held, totals.quarantined, totals.ignored)
    assert (1, 1, 1, NOW) == (
        totals.waiting_letters,
        totals.failed_letters,
        totals.sent_today,
        totals.last_sent,
    )
    assert {"critical": 1, "low": 1} == totals.open_failures


def test_domains_are_listed(store: SqliteStore, reader: Reader) -> None:
    """Every domain that somebody reports on, or those with failures alone."""
    put(store, *(entry_of(report_of(f"{n}.example.com", failed=n == "b")) for n in "cab"))

    assert ["a.example.com", "b.example.com", "c.example.com"] == reader.domains()
    assert ["b.example.com"] == reader.domains(with_failures=True)


def test_standing_can_be_asked_by_a_command(store: SqliteStore, reader: Reader) -> None:
    """`replay` and `--why` judge with the same standing as the daemon."""
    put(store, *(entry_of(report_of(day=day, reporter="small.example")) for day in (0, 4, 8)))

    assert {"small.example"} == set(reader.established(frozenset({"small.example", "x"})))


def test_standing_is_dated_by_the_report_that_earned_it(store: SqliteStore, reader: Reader) -> None:
    """A replay believes a reporter from the receipt on that gave it standing."""
    days = (0, 9, 4, 12)
    put(store, *(entry_of(report_of(day=day, reporter="small.example")) for day in days))
    third = max(reader.history("example.com").windows[at].received for at in (0, 1, 2))

    assert {"small.example": third} == reader.established_at({"small.example", "x"})


_BIG = re.compile(r"\bSCAN (mails|reports|policies|details|windows|sightings|failures|kept)\b(.*)")
_QUERIES: list[Callable[[Reader], object]] = [
    lambda reader: reader.mails(),
    lambda reader: reader.mails(outcome="ignored"),
    lambda reader: reader.reports(),
    lambda reader: reader.reports(domain="a.example.com"),
    lambda reader: reader.reports(reporter="google.com"),
    lambda reader: reader.reports(domain="a.example.com", reporter="google.com"),
    lambda reader: reader.reports(status="held"),
    lambda reader: reader.reports(status="counted"),
    lambda reader: reader.report(1),
    lambda reader: reader.kept("ignored"),
    lambda reader: reader.is_kept(1),
    lambda reader: reader.held_mails(),
    lambda reader: reader.still_held([1]),
    lambda reader: reader.held_totals(NOW),
    lambda reader: reader.reporters(NOW),
    lambda reader: reader.letters(),
    lambda reader: reader.failures(),
    lambda reader: reader.failures(domain="a.example.com"),
    lambda reader: reader.failures(cause=1),
    lambda reader: reader.failure(1),
    lambda reader: reader.evidence(1),
    lambda reader: reader.told(1),
    lambda reader: reader.history("a.example.com"),
    lambda reader: reader.domains(),
    lambda reader: reader.domains(with_failures=True),
    lambda reader: reader.established(frozenset({"google.com"})),
    lambda reader: reader.established_at({"google.com"}),
    lambda reader: reader.sources(NOW),
    lambda reader: reader.totals(NOW),
]


@pytest.mark.parametrize("ask", _QUERIES)
def test_no_answer_reads_a_whole_table(
    store: SqliteStore, reader: Reader, ask: Callable[[Reader], object]
) -> None:
    """With 10,000 domains over 400 days every listing still comes at once: an index answers it,
    or a page is cut off the end of a table that lies in order."""
    put(store, entry_of(report_of("a.example.com", failed=1)))
    with store.write() as txn:
        txn.save_verdicts([verdict_of("a.example.com")], NOW)
    asked: list[str] = []
    reader._conn.set_trace_callback(asked.append)
    ask(reader)
    reader._conn.set_trace_callback(None)

    whole: list[str] = []
    for sql in asked:
        if sql.startswith(("SELECT", "WITH")):
            for *_, step in reader._conn.execute("EXPLAIN QUERY PLAN " + sql):
                scan = _BIG.search(step)
                # The end of a table by number, or of an index in the order of the
                # listing, is a page; a count reads an index alone.
                page = sql.endswith("LIMIT 50 OFFSET 0") and " USE TEMP B-TREE" not in step
                if scan and "COVERING INDEX" not in scan[2] and not page:
                    whole.append(f"{step}: {sql}")

    assert len(asked) >= 3
    assert [] == whole


def test_trouble_while_reading_is_in_words(store: SqliteStore, reader: Reader) -> None:
    """A command that meets a broken database says what to do, and shows no traceback."""
    with store.writer.transaction() as conn:
        conn.execute("DROP TABLE facts")

    with pytest.raises(Temporary, match="refused to go on") as caught:
        reader.fact("x")

    assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_reading_leaves_the_path_known(reader: Reader, path: Path) -> None:
    """`status` can say which database it speaks of."""
    assert path == reader.path
