"""
The ledger: every mail that was taken, and what became of it.

Everything here works inside a write transaction that the caller began.
"""

import itertools
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from tlsrpt_mailer.ports import (
    Entry,
    Known,
    Letter,
    Outcome,
    Receipt,
    StoredRevision,
)
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store import bind, large
from tlsrpt_mailer.store.bind import next_id, select_in, text, text_or_none
from tlsrpt_mailer.store.holding import known_copies, let_go
from tlsrpt_mailer.store.outbox import add_letters
from tlsrpt_mailer.store.reports import put_reports

FORGOTTEN_BYTES = 12
"""How much of a digest is kept of a report that is in the roll-ups only."""

_READ: frozenset[str] = frozenset({"stored", "superseded", "duplicate"})

# Held once, and evicted or past its time: should it come again, it is taken like a new one.
_LOST = "(outcome = 'held' AND NOT EXISTS (SELECT 1 FROM kept WHERE kept.mail_id = mails.id))"

Row = tuple[Any, ...]


def known(
    conn: sqlite3.Connection,
    mails: Collection[bytes],
    digests: Collection[bytes],
    keys: Collection[bytes],
) -> Known:
    """See `ports.Txn.known`."""
    copies = known_copies(conn, digests)
    return Known(
        mails=_known_mails(conn, mails),
        digests=_with_forgotten(conn, digests, set(copies.counted)),
        revisions=_known_revisions(conn, keys),
        unproven={digest: tuple(numbers) for digest, numbers in copies.unproven.items()},
        held={digest: tuple(found) for digest, found in copies.held.items()},
        counted={digest: tuple(found) for digest, found in copies.counted.items()},
    )


def _known_mails(conn: sqlite3.Connection, mails: Collection[bytes]) -> dict[bytes, Receipt]:
    rows = select_in(
        conn,
        "SELECT sha256, outcome, reason, reports FROM mails"
        f" WHERE outcome <> 'ignored' AND NOT {_LOST} AND sha256 IN ({{keys}})",
        mails,
    )
    return {sha: _repeat(outcome, reason, reports) for sha, outcome, reason, reports in rows}


def _repeat(outcome: str, reason: str | None, reports: int) -> Receipt:
    """The receipt for a mail that was taken before."""
    again: Outcome = "duplicate" if outcome in _READ else cast("Outcome", outcome)
    if again == "quarantined":
        return Receipt(again, reason)
    return Receipt(again, None if again == "duplicate" else reason, (again,) * reports)


def _with_forgotten(
    conn: sqlite3.Connection, digests: Collection[bytes], found: set[bytes]
) -> frozenset[bytes]:
    # A report that was rolled up and pruned must not be counted once more when
    # its mail turns up again, as it does after a mailbox was restored.
    stems = {digest[:FORGOTTEN_BYTES]: digest for digest in digests if digest not in found}
    rows = select_in(conn, "SELECT digest FROM forgotten WHERE digest IN ({keys})", stems)
    return frozenset(found | {stems[stem] for (stem,) in rows})


def _known_revisions(
    conn: sqlite3.Connection, keys: Collection[bytes]
) -> dict[bytes, StoredRevision]:
    rows = select_in(
        conn,
        "SELECT revision_key, id, date, successful_sessions + failed_sessions, digest, trust"
        " FROM reports WHERE status = 'counted' AND revision_key IN ({keys}) ORDER BY id",
        keys,
    )
    return {key: StoredRevision(*row) for key, *row in rows}


def ignored_bytes(conn: sqlite3.Connection) -> int:
    """See `ports.Txn.ignored_bytes`."""
    (total,) = conn.execute(
        "SELECT coalesce(sum(size), 0) FROM kept WHERE kind = 'ignored'"
    ).fetchone()
    return int(total)


def put(
    conn: sqlite3.Connection,
    entries: Sequence[Entry],
    now: Time,
    reopened: Mapping[bytes, Mapping[bytes, int]] | None = None,
) -> None:
    """See `ports.Txn.put`; *reopened* is what `holding.reopen` took out."""
    if not entries:
        return
    again = reopened or {}
    mails = _put_mails(conn, entries, now, again)
    put_reports(conn, entries, mails, again)
    _keep_raw(conn, entries, mails, now, again)
    let_go(conn, [number for entry in entries for new in entry.reports for number in new.replaces])
    add_letters(
        conn, [_forward(entry, entry.forward_to) for entry in entries if entry.forward_to], now
    )
    _note_sources(conn, entries)
    _delete_notes(conn, [entry.sha256 for entry in entries])


def _note_sources(conn: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    last: dict[str, Time] = {}
    for entry in entries:
        if entry.found:
            source = text(entry.mail.source)
            last[source] = max(entry.mail.taken_at, last.get(source, entry.mail.taken_at))
    conn.executemany(
        "INSERT INTO last_reports (source, at) VALUES (?, ?)"
        " ON CONFLICT (source) DO UPDATE SET at = max(at, excluded.at)",
        list(last.items()),
    )


def _delete_notes(conn: sqlite3.Connection, hashes: Sequence[bytes]) -> None:
    keys = [(sha,) for sha in hashes]
    conn.executemany("DELETE FROM taking WHERE sha256 = ?", keys)
    conn.executemany("DELETE FROM faults WHERE sha256 = ?", keys)


def _put_mails(
    conn: sqlite3.Connection, entries: Sequence[Entry], now: Time, again: Iterable[bytes]
) -> list[int]:
    """Write the mails themselves; returns their numbers, in order."""
    there = {
        sha: (mail, "ignored" if is_lost else outcome)
        for sha, mail, outcome, is_lost in select_in(
            conn,
            f"SELECT sha256, id, outcome, {_LOST} FROM mails WHERE sha256 IN ({{keys}})",
            [entry.sha256 for entry in entries],
        )
    }
    ids = itertools.count(next_id(conn, "mails"))
    new: list[Row] = []
    changed: list[Row] = []
    seen: list[tuple[int]] = []
    numbers: list[int] = []
    reopened = set(again)
    for entry in entries:
        mail, outcome = there.get(entry.sha256, (0, ""))
        if not mail:
            mail = next(ids)
            new.append(_mail_row(mail, entry, now))
            there[entry.sha256] = (mail, entry.outcome)
        else:
            seen.append((mail,))
            if _replaces(outcome, entry, is_reopened=entry.sha256 in reopened):
                changed.append((entry.outcome, text_or_none(entry.reason), entry.found, mail))
                there[entry.sha256] = (mail, entry.outcome)
        numbers.append(mail)
        # The same bytes once more in this batch are a repeat.
        reopened.discard(entry.sha256)
    conn.executemany(
        "INSERT INTO mails (id, sha256, source, taken_at, size, message_id, sender, subject, date,"
        " outcome, reason, reports, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        new,
    )
    conn.executemany("UPDATE mails SET seen = seen + 1 WHERE id = ?", seen)
    conn.executemany("UPDATE mails SET outcome = ?, reason = ?, reports = ? WHERE id = ?", changed)
    # A mail that could be read after all needs no copy here.
    conn.executemany(
        "DELETE FROM kept WHERE mail_id = ?", [(row[-1],) for row in changed if row[0] in _READ]
    )
    return numbers


def _replaces(old: str, entry: Entry, *, is_reopened: bool) -> bool:
    """
    Whether a mail that was seen before is now understood in another way.

    Only what was not read may become something else, and what was held, when it is judged
    anew; a repeat of a quarantined mail, of which nothing was found, leaves it as it is.
    """
    if old == "held":
        return is_reopened
    return (
        old not in _READ
        and old != entry.outcome
        and (entry.found > 0 or entry.outcome not in _READ)
    )


def _mail_row(id: int, entry: Entry, now: Time) -> Row:
    facts = entry.facts
    return (
        id,
        entry.sha256,
        text(entry.mail.source),
        entry.mail.taken_at,
        len(entry.mail.raw),
        text_or_none(facts.message_id),
        text_or_none(facts.sender),
        text_or_none(facts.subject),
        facts.date,
        entry.outcome,
        text_or_none(entry.reason),
        entry.found,
        now,
    )


def _keep_raw(
    conn: sqlite3.Connection,
    entries: Sequence[Entry],
    mails: Sequence[int],
    now: Time,
    again: Iterable[bytes],
) -> None:
    rows: list[Row] = []
    waiting: list[Row] = []
    over: list[Row] = []
    reopened = set(again)
    for entry, mail in zip(entries, mails, strict=True):
        is_reopened = entry.sha256 in reopened
        reopened.discard(entry.sha256)
        if is_reopened and entry.keep == "held":
            waiting.append((entry.next_try, mail))
        elif entry.keep != "no":
            packed = bind.pack(entry.mail.raw)
            name = text_or_none(entry.mail.file_name)
            rows.append((mail, entry.keep, now, len(packed), name, packed, entry.next_try))
        elif is_reopened and entry.outcome in _READ:
            over.append((mail,))
    columns = "mail_id, kind, kept_at, size, file_name, raw, next_try"
    large.insert(conn, "INSERT OR REPLACE INTO kept", columns, rows, 5)
    # It was kept when it came, and its time goes on.
    conn.executemany("UPDATE kept SET next_try = ?, tries = tries + 1 WHERE mail_id = ?", waiting)
    conn.executemany("DELETE FROM kept WHERE mail_id = ? AND kind = 'held'", over)


def _forward(entry: Entry, recipient: str) -> Letter:
    """
    The mail itself as a letter.

    It keeps its own Message-ID on the wire; here it goes by its hash, since two
    different mails may carry the same one.
    """
    return Letter(
        message_id=f"forward:{entry.sha256.hex()}",
        recipient=recipient,
        subject=entry.facts.subject or "",
        event="forward",
        raw=entry.mail.raw,
    )
