"""
How long things are kept, and copies for safe keeping.

Everything goes in small transactions, so that a mail that arrives meanwhile
waits for one of them and not for all.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from tlsrpt_mailer.errors import CannotWrite, Corrupt
from tlsrpt_mailer.report.times import DAY, Span, Time
from tlsrpt_mailer.store.adoptions import prune_proposed
from tlsrpt_mailer.store.checks import prune_findings, prune_looks
from tlsrpt_mailer.store.connection import Writer, open_reader
from tlsrpt_mailer.store.eviction import drop, evict
from tlsrpt_mailer.store.keys import prune_keys
from tlsrpt_mailer.store.ledger import FORGOTTEN_BYTES
from tlsrpt_mailer.store.lock import as_root
from tlsrpt_mailer.store.trouble import code_of, in_words, translated

INCIDENT_KEEP: Span = 400 * DAY
ROLLUP_KEEP: Span = 5 * 365 * DAY
NOTE_KEEP: Span = 30 * DAY
CHUNK = 500

_LIVELY = """
SELECT 1 FROM failures AS f WHERE f.domain = w.domain AND f.kind = 'report'
AND (f.is_open = 1 OR max(coalesce(f.resolved_at, 0), f.last_seen) >= :before)
"""

# Sessions are never added across policy types: each has its own row.
_ROLL_UP_SESSIONS = f"""
INSERT INTO rollups (day, domain, reporter, policy_type, result_type, mx, successful, failed)
SELECT (w.start_at + w.end_at) / 2 / {DAY} * {DAY}, w.domain, w.reporter,
  json_extract(s.value, '$.policy_type'), '', '',
  json_extract(s.value, '$.successful'), json_extract(s.value, '$.failed')
FROM windows AS w, json_each(w.sessions) AS s WHERE w.report_id = ?
"""
_ROLL_UP_SIGHTINGS = f"""
INSERT INTO rollups (day, domain, reporter, policy_type, result_type, mx, successful, failed)
SELECT (w.start_at + w.end_at) / 2 / {DAY} * {DAY}, w.domain, w.reporter,
  s.policy_type, s.result_type, s.mx, 0, s.sessions
FROM windows AS w JOIN sightings AS s ON s.window_id = w.id WHERE w.report_id = ?
"""
# Past 64 bits SQLite goes on with floating point, which a STRICT column refuses.
_ADD = """
ON CONFLICT DO UPDATE SET
  successful = min(successful, 9223372036854775807 - excluded.successful) + excluded.successful,
  failed = min(failed, 9223372036854775807 - excluded.failed) + excluded.failed
"""


class Keep(msgspec.Struct, frozen=True):
    """How long things are kept."""

    reports: Span = 400 * DAY
    raw: Span = 90 * DAY
    ignored: Span = 14 * DAY
    untrusted_bytes: int = 500 * 1024 * 1024
    """Held, quarantined and ignored mails together."""
    known: Collection[str] = ()
    """Reporters whose mails that wait for DNS go last when these are too much."""


class Pruned(msgspec.Struct, frozen=True):
    """How many rows went."""

    reports: int = 0
    """Rolled up, then deleted with their policies and details."""
    mails: int = 0
    raw: int = 0
    """Quarantined and held mails past `Keep.raw`."""
    ignored: int = 0
    evicted: int = 0
    """Quarantined and held mails that went early, for want of room."""
    letters: int = 0
    windows: int = 0
    failures: int = 0
    rollups: int = 0


def prune(writer: Writer, now: Time, keep: Keep, beat: Callable[[], None] = lambda: None) -> Pruned:
    """
    Drop what is older than it is to be kept; reports leave their sums in the roll-ups.

    *beat* is called between transactions, for the watchdog.

    Raises:
        Temporary: The database is locked, or the disk is full.

    """

    def run(step: Callable[[sqlite3.Connection], int]) -> int:
        """Do *step* in transactions of its own until it finds nothing more."""
        total = 0
        while True:
            beat()
            with writer.transaction() as conn:
                done = step(conn)
            total += done
            if not done:
                return total

    return Pruned(
        reports=run(lambda conn: _prune_reports(conn, now - keep.reports, now)),
        raw=run(lambda conn: _prune_kept(conn, ("quarantine", "held"), now - keep.raw)),
        ignored=run(lambda conn: _prune_kept(conn, ("ignored",), now - keep.ignored)),
        evicted=evict(writer, keep.untrusted_bytes, beat, known=keep.known),
        mails=run(lambda conn: _prune_mails(conn, now - keep.reports)),
        letters=run(lambda conn: _prune_letters(conn, now, keep)),
        windows=run(_Windows(now - INCIDENT_KEEP)),
        failures=run(lambda conn: _prune_failures(conn, now - INCIDENT_KEEP)),
        rollups=run(lambda conn: _prune_rest(conn, now)),
    )


def _prune_reports(conn: sqlite3.Connection, before: Time, now: Time) -> int:
    old = conn.execute(
        "SELECT id FROM reports WHERE taken_at < ? ORDER BY taken_at LIMIT ?", (before, CHUNK)
    ).fetchall()
    conn.executemany(_ROLL_UP_SESSIONS + " AND true" + _ADD, old)
    conn.executemany(_ROLL_UP_SIGHTINGS + " AND true" + _ADD, old)
    conn.executemany(
        f"INSERT OR IGNORE INTO forgotten (digest, at) SELECT substr(digest, 1, {FORGOTTEN_BYTES}),"
        " ? FROM reports WHERE id = ? AND status <> 'held'",
        [(now, number) for (number,) in old],
    )
    conn.executemany("DELETE FROM reports WHERE id = ?", old)
    return len(old)


def _prune_kept(conn: sqlite3.Connection, kinds: tuple[str, ...], before: Time) -> int:
    marks = ",".join("?" * len(kinds))
    old = conn.execute(
        f"SELECT mail_id FROM kept WHERE kind IN ({marks}) AND kept_at < ? LIMIT ?",
        (*kinds, before, CHUNK),
    ).fetchall()
    drop(conn, [mail for (mail,) in old])
    return len(old)


def _prune_mails(conn: sqlite3.Connection, before: Time) -> int:
    # The mail itself is remembered as long as anything of it is here, so that
    # it is recognised when it comes again. Numbers follow the time of storing.
    (last,) = conn.execute(
        "SELECT coalesce((SELECT id FROM mails WHERE stored_at >= ? ORDER BY id LIMIT 1),"
        " (SELECT max(id) + 1 FROM mails), 0)",
        (before,),
    ).fetchone()
    return conn.execute(
        "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE id < ? AND stored_at < ?"
        " AND NOT EXISTS (SELECT 1 FROM reports WHERE mail_id = mails.id)"
        " AND NOT EXISTS (SELECT 1 FROM kept WHERE mail_id = mails.id) ORDER BY id LIMIT ?)",
        (last, before, CHUNK),
    ).rowcount


def _prune_letters(conn: sqlite3.Connection, now: Time, keep: Keep) -> int:
    # Mail that was handed on has another owner now. One that can be answered stays as long as
    # anything is open that it names: its token goes with it.
    return conn.execute(
        "DELETE FROM letters WHERE id IN (SELECT id FROM letters"
        " WHERE state IN ('sent', 'failed') AND (done_at < ?1 AND (token IS NULL"
        " OR NOT EXISTS (SELECT 1 FROM letter_failures AS named JOIN failures AS f"
        " ON f.id = named.failure_id WHERE named.letter_id = letters.id AND f.is_open = 1))"
        " OR event = 'forward' AND state = 'sent' AND done_at < ?2) LIMIT ?3)",
        (now - keep.reports, now - keep.ignored, CHUNK),
    ).rowcount


class _Windows:
    """Windows of domains of which no failure is open or ended lately, once their reports went."""

    def __init__(self, before: Time) -> None:
        self._before = before
        self._domain: str | None = ""

    def __call__(self, conn: sqlite3.Connection) -> int:
        gone = 0
        while self._domain is not None and not gone:
            gone = conn.execute(
                "DELETE FROM windows WHERE id IN (SELECT id FROM windows AS w"
                " WHERE w.domain = :domain AND w.start_at < :before AND w.end_at < :before"
                " AND NOT EXISTS (SELECT 1 FROM reports WHERE reports.id = w.report_id)"
                f" AND NOT EXISTS ({_LIVELY}))",
                {"domain": self._domain, "before": self._before},
            ).rowcount
            self._domain = conn.execute(
                "SELECT min(domain) FROM windows WHERE domain > ?", (self._domain,)
            ).fetchone()[0]
        return gone


def _prune_failures(conn: sqlite3.Connection, before: Time) -> int:
    """Ended ones that no window speaks of any more; should they come again, they are new."""
    old = conn.execute(
        "SELECT id FROM failures WHERE last_seen < ?1 AND is_open = 0 AND kind = 'report'"
        " AND coalesce(resolved_at, 0) < ?1 AND NOT EXISTS (SELECT 1 FROM sightings"
        " WHERE sightings.domain = failures.domain) LIMIT ?2",
        (before, CHUNK),
    ).fetchall()
    old += prune_findings(conn, before, CHUNK)
    conn.executemany("DELETE FROM told WHERE failure_id = ?", old)
    conn.executemany("DELETE FROM acts WHERE failure_id = ?", old)
    conn.executemany("DELETE FROM failures WHERE id = ?", old)
    conn.execute(
        "DELETE FROM causes WHERE NOT EXISTS"
        " (SELECT 1 FROM failures WHERE failures.cause_id = causes.id)"
    )
    return len(old)


def _prune_rest(conn: sqlite3.Connection, now: Time) -> int:
    conn.execute("DELETE FROM taking WHERE begun_at < ?", (now - NOTE_KEEP,))
    conn.execute("DELETE FROM forgotten WHERE at < ?", (now - ROLLUP_KEEP,))
    conn.execute("DELETE FROM remote_refs WHERE at < ?", (now - INCIDENT_KEEP,))
    prune_keys(conn, now, CHUNK)
    prune_proposed(conn, now)
    prune_looks(conn, now - INCIDENT_KEEP)
    # The key begins with the day.
    oldest = conn.execute("SELECT min(day) FROM rollups").fetchone()[0]
    if oldest is None or oldest >= now - ROLLUP_KEEP:
        return 0
    return conn.execute("DELETE FROM rollups WHERE day = ?", (oldest,)).rowcount


def backup(database: Path, target: Path) -> int:
    """
    Copy the database as it is at this moment, while others write to it; returns its size.

    The copy has mode 0600 and is whole: it needs no -wal beside it.

    Raises:
        CannotWrite: *target* exists, or cannot be written.
        Corrupt: The database is damaged.
        NoSuch: There is no database, or it may not be read.
        Temporary: The database is in trouble.

    """
    conn = open_reader(database)
    try:
        # The database was opened as its owner; where root wants the copy, only root may write.
        with as_root():
            return _copy(conn, database, target.absolute())
    finally:
        conn.close()


def _copy(conn: sqlite3.Connection, database: Path, target: Path) -> int:
    """Write a part beside *target*, which gets that name when it is whole and on the disk."""
    part = target.with_name(f"{target.name}.part")
    if os.path.lexists(target):
        with contextlib.suppress(OSError):
            if part.samefile(target):  # of one that was killed when all but this was done
                part.unlink()
        raise CannotWrite(f"{target} exists already; name a new file")
    try:
        part.unlink(missing_ok=True)  # of one that was killed
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        conn.execute("VACUUM INTO ?", (str(part),))
        _sync(part)
        _rename(part, target)
        _sync(target.parent)
    except FileExistsError:
        raise CannotWrite(f"{target} exists already; name a new file") from None
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, sqlite3.Error) and code_of(error) == sqlite3.SQLITE_CORRUPT:
            raise Corrupt(in_words(error, database)) from error
        said = (error.strerror if isinstance(error, OSError) else None) or error
        raise CannotWrite(f"cannot write {target}: {said}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return target.stat().st_size


def _rename(part: Path, target: Path) -> None:
    """Give *part* the name *target*; raises FileExistsError where somebody else took that."""
    try:
        target.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network disks have no second names
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        part.replace(target)


def _sync(path: Path) -> None:
    """On the disk, file and name: a backup that a power cut empties is none."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def check(database: Path, *, thorough: bool = False) -> list[str]:
    """
    What is wrong in the file itself, as SQLite sees it; nothing when it is sound.

    Args:
        thorough: Hold every index against its table as well, which takes some ten times as long.

    Raises:
        NoSuch: There is no database, or it may not be read.
        TlsrptError: It cannot even be opened.

    """
    look = "integrity_check" if thorough else "quick_check"
    conn = open_reader(database)
    with contextlib.closing(conn), translated(database):
        found = [str(row[0]) for row in conn.execute(f"PRAGMA {look}(20)")]
        if found != ["ok"]:
            return found
        return [
            f"{table}: row {number} points to a missing row of {parent}"
            for table, number, parent, _ in conn.execute("PRAGMA foreign_key_check")
        ][:20]
