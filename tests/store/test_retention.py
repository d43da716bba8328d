"""What goes when, what stays behind, and copies for safe keeping."""

import random
import sqlite3
import stat
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.build import DAY_ONE, NOW, entry_of, report_of, verdict_of
from tlsrpt_mailer.errors import CannotWrite, NoSuch
from tlsrpt_mailer.ports import Entry, Letter, Told
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store.queries import Reader, open_queries
from tlsrpt_mailer.store.retention import Keep, Pruned, backup, check, prune
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store

ALL = Keep(reports=0, raw=0, ignored=0)


def put(store: SqliteStore, *entries: Entry) -> None:
    with store.write() as txn:
        txn.put(entries)


def rows(store: SqliteStore, sql: str) -> list[tuple[Any, ...]]:
    with store.writer.reading() as conn:
        return conn.execute(sql).fetchall()


def raw_of(store: SqliteStore, kind: str) -> list[int]:
    return [row[0] for row in rows(store, f"SELECT mail_id FROM kept WHERE kind = '{kind}'")]


def quarantined(name: str, size: int = 10) -> Entry:
    # Bytes that do not compress, so that sizes are what they seem.
    raw = random.Random(name).randbytes(size)
    return entry_of(raw=raw, outcome="quarantined", keep="quarantine")


def test_nothing_goes_before_its_time(store: SqliteStore) -> None:
    """A day's job on a young database deletes nothing."""
    put(store, entry_of(report_of(failed=1)), quarantined("a"), entry_of(raw=b"b", keep="ignored"))

    assert Pruned() == prune(store.writer, NOW, Keep())


def test_old_reports_leave_their_sums(store: SqliteStore, reader: Reader) -> None:
    """The roll-ups of pruned reports equal the sums over the reports, kind by kind."""
    reports = [
        report_of(f"d{n % 3}.example.com", n % 5, reporter=f"r{n % 2}.example", ok=n, failed=n % 4)
        for n in range(60)
    ]
    put(store, *(entry_of(one) for one in reports))
    expected: Counter[tuple[Any, ...]] = Counter()
    for one in reports:
        for window in one.windows:
            day = window.start
            for sessions in window.sessions:
                key = (day, window.domain, one.reporter, sessions.policy_type)
                expected[(*key, "", "", "ok")] += sessions.successful
                expected[(*key, "", "", "failed")] += sessions.failed
            for seen in window.sightings:
                key = (day, window.domain, one.reporter, seen.policy_type)
                expected[(*key, seen.result_type, seen.mx, "failed")] += seen.sessions

    # In two runs, so that sums are added to sums.
    first = prune(store.writer, DAY_ONE + 4 * DAY, ALL)
    second = prune(store.writer, NOW, ALL)

    found: Counter[tuple[Any, ...]] = Counter()
    for *key, successful, failed in rows(store, "SELECT * FROM rollups"):
        found[(*key, "ok")] += successful
        found[(*key, "failed")] += failed
    assert 60 == first.reports + second.reports
    assert 0 < first.reports < 60
    assert +expected == +found
    assert 0 == reader.reports().total


def test_the_day_is_that_of_the_windows_middle(store: SqliteStore) -> None:
    """A report from 18:00 to 18:00 counts for the day in which most of it lies."""
    new = report_of(failed=1)
    (window,) = new.windows
    late = replace(window, start=window.start + 18 * 3600, end=window.end + 18 * 3600)
    put(store, entry_of(replace(new, windows=(late,))))
    prune(store.writer, NOW, ALL)

    assert {(DAY_ONE + DAY,)} == set(rows(store, "SELECT day FROM rollups"))


def test_a_superseded_report_is_in_no_sum(store: SqliteStore) -> None:
    """Of two revisions only the one that counted is rolled up."""
    put(store, entry_of(report_of(ok=10)))
    put(store, entry_of(report_of(ok=20, version=2, supersedes=1)))
    prune(store.writer, NOW, ALL)

    assert [(20, 0)] == rows(store, "SELECT successful, failed FROM rollups")


def test_a_pruned_report_is_recognised_when_it_comes_again(store: SqliteStore) -> None:
    """A mailbox that is read anew years later adds nothing to the sums twice."""
    new = report_of()
    put(store, entry_of(new))
    prune(store.writer, NOW + DAY, ALL)

    with store.write() as txn:
        known = txn.known([entry_of(new).sha256], [new.found.digest, b"x" * 32], [])

    assert {} == known.mails
    assert frozenset({new.found.digest}) == known.digests


def test_a_mail_is_remembered_as_long_as_anything_of_it(store: SqliteStore, reader: Reader) -> None:
    """The ledger row goes last: after the report, the raw copy, and its own time."""
    put(store, entry_of(report_of()), quarantined("a"), entry_of(raw=b"left in the mailbox"))
    keep_raw = Keep(reports=0, raw=30 * DAY, ignored=0)

    same_day = prune(store.writer, NOW, keep_raw)
    later = prune(store.writer, NOW + DAY, keep_raw)

    assert (1, 0) == (same_day.reports, same_day.mails)
    assert 2 == later.mails
    assert ["quarantined"] == [row.outcome for row in reader.mails().rows]


def test_raw_copies_go_by_their_kind(store: SqliteStore) -> None:
    """Quarantine is kept 90 days, other mail 14, counted from when it was put there."""
    put(store, quarantined("a"), entry_of(raw=b"letter", keep="ignored"))

    first = prune(store.writer, NOW + 15 * DAY, Keep())
    second = prune(store.writer, NOW + 91 * DAY, Keep())

    assert (0, 1) == (first.raw, first.ignored)
    assert (1, 0) == (second.raw, second.ignored)


def test_too_much_untrusted_mail_goes_oldest_first(path: Path) -> None:
    """A flood fills the room that is set, no more; letters count but are never thrown away."""
    clock = [NOW]
    with closing(open_store(path, create=True, clock=lambda: clock[0])) as store:
        for place, name in enumerate("abcdef"):
            clock[0] = NOW + place
            put(store, quarantined(name, 3000))
        put(store, entry_of(raw=quarantined("z", 3000).mail.raw, keep="ignored"))
        (total,) = rows(store, "SELECT sum(size) FROM kept")[0]

        pruned = prune(store.writer, NOW, Keep(untrusted_bytes=total // 2))
        again = prune(store.writer, NOW, Keep(untrusted_bytes=total // 2))
        none = prune(store.writer, NOW, Keep(untrusted_bytes=0))

        assert (4, 0, 2) == (pruned.evicted, again.evicted, none.evicted)
        assert ([], [7]) == (raw_of(store, "quarantine"), raw_of(store, "ignored"))


def save(store: SqliteStore, *verdicts: Any) -> None:
    with store.write() as txn:
        txn.save_verdicts(verdicts, NOW)


def windows(store: SqliteStore) -> list[str]:
    return [row[0] for row in rows(store, "SELECT DISTINCT domain FROM windows ORDER BY 1")]


def test_windows_stay_until_their_domains_incidents_are_old(store: SqliteStore) -> None:
    """What is open, or ended less than 400 days ago, can still be judged and explained."""
    names = ("clean", "ended", "lately", "open")
    put(store, *(entry_of(report_of(f"{name}.example.com", failed=1)) for name in names))
    later = DAY_ONE + 500 * DAY
    save(
        store,
        verdict_of("ended.example.com", state="resolved", resolved_at=DAY_ONE + 2 * DAY),
        verdict_of("lately.example.com", state="resolved", resolved_at=later - 399 * DAY),
        verdict_of("open.example.com"),
    )

    young = prune(store.writer, DAY_ONE + 400 * DAY, ALL)
    old = prune(store.writer, later, ALL)

    assert (0, 2) == (young.windows, old.windows)
    assert ["lately.example.com", "open.example.com"] == windows(store)


def test_windows_stay_while_their_report_is_kept(store: SqliteStore) -> None:
    """Whoever keeps reports longer than 400 days loses no sum: roll-ups are made from windows."""
    put(store, entry_of(report_of(ok=7)))
    long = Keep(reports=800 * DAY)

    kept = prune(store.writer, DAY_ONE + 700 * DAY, long)
    gone = prune(store.writer, DAY_ONE + 900 * DAY, long)

    assert (0, 0) == (kept.reports, kept.windows)
    assert (1, 1) == (gone.reports, gone.windows)
    assert [(7,)] == rows(store, "SELECT successful FROM rollups")


def test_a_forgotten_failure_that_comes_again_is_new(store: SqliteStore, reader: Reader) -> None:
    """With its windows the failure itself goes, with what was told of it; its number is used up."""
    put(store, entry_of(report_of(failed=1)))
    save(store, verdict_of(state="resolved", resolved_at=DAY_ONE + 2 * DAY))
    with store.compose() as txn:
        told = Told(1, "ana@example.com", 1, "resolved", NOW)
        txn.save_letters([Letter("<1>", told.recipient, "s", "resolved", b"", (told,))], NOW)
    with store.writer.transaction() as conn:
        conn.execute(
            "INSERT INTO acts (failure_id, incident, kind, at, who) VALUES (1, 1, 'ack', 1, 'ana')"
        )

    pruned = prune(store.writer, DAY_ONE + 500 * DAY, ALL)
    save(store, verdict_of("b.example.com"))

    assert 1 == pruned.failures
    assert [2] == [one.id for one in reader.failures(open_only=False).rows]
    assert [(2,)] == rows(store, "SELECT id FROM causes")


def letter(store: SqliteStore, name: str, event: str, done: Time | None) -> None:
    with store.compose() as txn:
        txn.save_letters([Letter(f"<{name}>", "ana@example.com", name, event, b"")], NOW)
    if done is not None:
        (number,) = rows(store, f"SELECT id FROM letters WHERE subject = '{name}'")[0]
        store.outbox.sent(number, done, "250 ok")


def test_letters_go_after_they_were_sent(store: SqliteStore, reader: Reader) -> None:
    """Alerts stay as long as reports; mail that was handed on has another owner; waiting waits."""
    letter(store, "waiting", "new", None)
    letter(store, "old", "new", NOW - 401 * DAY)
    letter(store, "young", "new", NOW - 399 * DAY)
    letter(store, "forwarded", "forward", NOW - 15 * DAY)
    letter(store, "just forwarded", "forward", NOW - 13 * DAY)

    pruned = prune(store.writer, NOW, Keep())

    assert 2 == pruned.letters
    assert {"waiting", "young", "just forwarded"} == {row.subject for row in reader.letters().rows}


def test_an_alert_can_be_answered_as_long_as_it_is_open(store: SqliteStore, reader: Reader) -> None:
    """What somebody was mailed long ago and has not mended: an answer to that mail still acts."""
    save(store, verdict_of("open.example.com"))
    save(store, verdict_of("over.example.com", state="resolved", resolved_at=DAY_ONE))
    with store.compose() as txn:
        for number, name in ((1, "open"), (2, "over")):
            told = Told(number, "ana@example.com", 1, "new", NOW)
            mail = Letter(f"<{name}>", told.recipient, name, "new", b"", (told,), token=name)
            txn.save_letters([mail], NOW)
    for number in (1, 2):
        store.outbox.sent(number, NOW - 401 * DAY, "250 ok")

    prune(store.writer, NOW, Keep())

    assert {"open"} == {row.subject for row in reader.letters().rows}


def test_rollups_and_notes_go_at_last(store: SqliteStore) -> None:
    """Sums stay five years; notes of mails that never came again stay a month."""
    put(store, *(entry_of(report_of(day=day)) for day in range(3)))
    store.faults.begin([b"never again"], NOW)
    prune(store.writer, NOW + DAY, ALL)
    five_years = 5 * 365 * DAY

    early = prune(store.writer, DAY_ONE + five_years, Keep())
    late = prune(store.writer, DAY_ONE + five_years + 2 * DAY, Keep())
    prune(store.writer, NOW + 2 * DAY + five_years, Keep())

    assert (0, 2) == (early.rollups, late.rollups)
    assert [] == rows(store, "SELECT * FROM taking")
    assert [] == rows(store, "SELECT * FROM forgotten")


def test_much_goes_in_small_steps(store: SqliteStore) -> None:
    """A thousand old reports go in several transactions, and the watchdog hears of each."""
    put(store, *(entry_of(report_of(f"d{n}.example.com")) for n in range(1001)))
    beats: list[int] = []

    pruned = prune(store.writer, NOW, ALL, lambda: beats.append(1))

    assert 1001 == pruned.reports
    assert len(beats) >= 4 + 8


def test_a_backup_is_whole_and_closed_to_others(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """Taken while the daemon writes, it can be opened as it is, by its owner alone."""
    target = tmp_path / "backup.db"
    put(store, entry_of(report_of()))
    with store.write() as txn:
        txn.put([entry_of(report_of(day=1))])
        size = backup(path, target)

    with open_queries(target) as reader:
        assert 1 == reader.mails().total
    assert size == target.stat().st_size
    assert 0o600 == stat.S_IMODE(target.stat().st_mode)
    assert [] == check(target)


def test_a_backup_overwrites_nothing(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    """An older backup, or the database itself, is safe from a slip of the hand."""
    older = tmp_path / "backup.db"
    older.write_bytes(b"older")

    for target in (older, path):
        with pytest.raises(CannotWrite, match="exists already"):
            backup(path, target)

    assert b"older" == older.read_bytes()


def test_a_backup_that_cannot_be_written_says_where(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    """A missing folder is named; a missing database is not made."""
    with pytest.raises(CannotWrite, match=r"cannot write .*/nowhere/b\.db: No such file"):
        backup(path, tmp_path / "nowhere" / "b.db")
    with pytest.raises(NoSuch):
        backup(tmp_path / "other.db", tmp_path / "b.db")

    assert not (tmp_path / "b.db").exists()


@pytest.mark.servers
def test_half_a_backup_is_not_left(store: SqliteStore, path: Path, small_disk: Path) -> None:
    """Where the disk is full, the text says so, and no file is left that looks like a backup."""
    raw = random.Random(1).randbytes(2_000_000)
    put(store, entry_of(raw=raw, keep="ignored"))

    with pytest.raises(CannotWrite, match=r"cannot write .*full"):
        backup(path, small_disk / "b.db")

    assert [] == list(small_disk.iterdir())


def test_a_check_finds_broken_references(store: SqliteStore, path: Path) -> None:
    """A file that somebody edited by hand is told so, row by row."""
    put(store, entry_of(report_of(failed=1)))
    store.close()
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("DELETE FROM mails")

    assert ["reports: row 1 points to a missing row of mails"] == check(path)
