"""
The ledger: mails, the reports in them, and what those say of each domain.

Everything here works inside a write transaction that the caller began. Numbers
are given out here, so that rows of many mails go in with one statement a table.
"""

import itertools
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

import msgspec

from tlsrpt_mailer.failures.model import Window
from tlsrpt_mailer.ports import (
    Entry,
    Known,
    Letter,
    NewReport,
    Outcome,
    Receipt,
    StoredRevision,
)
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store import bind
from tlsrpt_mailer.store.bind import next_id, number, select_in, text, text_or_none
from tlsrpt_mailer.store.outbox import add_letters

FORGOTTEN_BYTES = 12
"""How much of a digest is kept of a report that is in the roll-ups only."""

_READ: frozenset[str] = frozenset({"stored", "superseded", "duplicate"})

Row = tuple[Any, ...]


class _Rows(msgspec.Struct):
    """What one batch writes, by table."""

    reports: list[Row] = []
    policies: list[Row] = []
    details: list[Row] = []
    windows: list[Row] = []
    sightings: list[Row] = []
    superseded: list[tuple[int, int]] = []
    """(number of the newer report, number of the older one)."""
    late: list[tuple[bytes, int]] = []
    """(revision key, number) of reports that were superseded before they came."""


class _Ids(msgspec.Struct, frozen=True):
    """The next free numbers."""

    report: Iterator[int]
    policy: Iterator[int]
    window: Iterator[int]


def known(
    conn: sqlite3.Connection,
    mails: Collection[bytes],
    digests: Collection[bytes],
    keys: Collection[bytes],
) -> Known:
    """See `ports.Txn.known`."""
    return Known(
        mails=_known_mails(conn, mails),
        digests=_known_digests(conn, digests),
        revisions=_known_revisions(conn, keys),
    )


def _known_mails(conn: sqlite3.Connection, mails: Collection[bytes]) -> dict[bytes, Receipt]:
    rows = select_in(
        conn,
        "SELECT sha256, outcome, reason, reports FROM mails"
        " WHERE outcome <> 'ignored' AND sha256 IN ({keys})",
        mails,
    )
    return {sha: _repeat(outcome, reason, reports) for sha, outcome, reason, reports in rows}


def _repeat(outcome: str, reason: str | None, reports: int) -> Receipt:
    """The receipt for a mail that was taken before."""
    again: Outcome = "duplicate" if outcome in _READ else cast("Outcome", outcome)
    if again == "quarantined":
        return Receipt(again, reason)
    return Receipt(again, None if again == "duplicate" else reason, (again,) * reports)


def _known_digests(conn: sqlite3.Connection, digests: Collection[bytes]) -> frozenset[bytes]:
    found = {
        digest
        for (digest,) in select_in(
            conn,
            "SELECT digest FROM reports"
            " WHERE status IN ('counted', 'superseded') AND digest IN ({keys})",
            digests,
        )
    }
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
        "SELECT revision_key, id, date, successful_sessions, failed_sessions, digest FROM reports"
        " WHERE status = 'counted' AND revision_key IN ({keys}) ORDER BY id",
        keys,
    )
    return {
        key: StoredRevision(report=report, date=date, sessions=successful + failed, digest=digest)
        for key, report, date, successful, failed, digest in rows
    }


def ignored_bytes(conn: sqlite3.Connection) -> int:
    """See `ports.Txn.ignored_bytes`."""
    (total,) = conn.execute(
        "SELECT coalesce(sum(size), 0) FROM kept WHERE kind = 'ignored'"
    ).fetchone()
    return int(total)


def put(conn: sqlite3.Connection, entries: Sequence[Entry], now: Time) -> None:
    """See `ports.Txn.put`."""
    if not entries:
        return
    mails = _put_mails(conn, entries, now)
    _put_reports(conn, entries, mails)
    _keep_raw(conn, entries, mails, now)
    add_letters(
        conn, [_forward(entry, entry.forward_to) for entry in entries if entry.forward_to], now
    )
    hashes = [entry.sha256 for entry in entries]
    _delete_notes(conn, hashes)


def _delete_notes(conn: sqlite3.Connection, hashes: Sequence[bytes]) -> None:
    keys = [(sha,) for sha in hashes]
    conn.executemany("DELETE FROM taking WHERE sha256 = ?", keys)
    conn.executemany("DELETE FROM faults WHERE sha256 = ?", keys)


def _put_mails(conn: sqlite3.Connection, entries: Sequence[Entry], now: Time) -> list[int]:
    """Write the mails themselves; returns their numbers, in order."""
    there = {
        sha: (mail, outcome)
        for sha, mail, outcome in select_in(
            conn,
            "SELECT sha256, id, outcome FROM mails WHERE sha256 IN ({keys})",
            [entry.sha256 for entry in entries],
        )
    }
    ids = itertools.count(next_id(conn, "mails"))
    new: list[Row] = []
    changed: list[Row] = []
    seen: list[tuple[int]] = []
    numbers: list[int] = []
    for entry in entries:
        mail, outcome = there.get(entry.sha256, (0, ""))
        if not mail:
            mail = next(ids)
            new.append(_mail_row(mail, entry, now))
            there[entry.sha256] = (mail, entry.outcome)
        else:
            seen.append((mail,))
            if _replaces(outcome, entry):
                changed.append((entry.outcome, text_or_none(entry.reason), entry.found, mail))
                there[entry.sha256] = (mail, entry.outcome)
        numbers.append(mail)
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


def _replaces(old: str, entry: Entry) -> bool:
    """
    Whether a mail that was seen before is now understood in another way.

    Only what was not read may become something else; a repeat of a quarantined
    mail, of which nothing was found, leaves it as it is.
    """
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


def _put_reports(conn: sqlite3.Connection, entries: Sequence[Entry], mails: Sequence[int]) -> None:
    ids = _Ids(
        # Windows outlive their reports, so a number of theirs is taken as well.
        report=itertools.count(_next_report(conn)),
        policy=itertools.count(next_id(conn, "policies")),
        window=itertools.count(next_id(conn, "windows")),
    )
    rows = _Rows()
    for entry, mail in zip(entries, mails, strict=True):
        for new in entry.reports:
            _add_report(rows, ids, entry, mail, new)
    if rows.reports:
        _write(conn, rows)


def _next_report(conn: sqlite3.Connection) -> int:
    (last,) = conn.execute("SELECT max(report_id) FROM windows").fetchone()
    return max(next_id(conn, "reports"), (last or 0) + 1)


def _add_report(rows: _Rows, ids: _Ids, entry: Entry, mail: int, new: NewReport) -> None:
    report = next(ids.report)
    rows.reports.append(_report_row(report, mail, entry, new))
    for position, policy in enumerate(new.found.report.policies):
        policy_id = next(ids.policy)
        rows.policies.append(_policy_row(policy_id, report, position, policy))
        if policy.failure_details:
            _add_details(rows, policy_id, new, position)
    if new.supersedes is not None:
        rows.superseded.append((report, new.supersedes))
    if new.status == "superseded":
        rows.late.append((new.revision_key, report))
        return
    for window in new.windows:
        _add_window(rows, next(ids.window), report, window)


def _policy_row(id: int, report: int, position: int, policy: Policy) -> Row:
    return (
        id,
        report,
        position,
        text(policy.policy_type),
        text(policy.policy_domain),
        policy.mode,
        bind.json_texts(policy.policy_string),
        bind.json_texts(policy.mx_host),
        number(policy.successful_sessions),
        number(policy.failed_sessions),
    )


def _report_row(id: int, mail: int, entry: Entry, new: NewReport) -> Row:
    report, taken_at = new.found.report, entry.mail.taken_at
    return (
        id,
        mail,
        new.status,
        new.found.digest,
        new.revision_key,
        text(new.reporter),
        text_or_none(report.organization_name),
        text_or_none(report.submitter),
        text_or_none(report.report_id),
        text_or_none(report.contact_info),
        text_or_none(new.found.file_name),
        report.start,
        report.end,
        taken_at,
        taken_at if entry.facts.date is None else entry.facts.date,
        number(sum(policy.successful_sessions for policy in report.policies)),
        number(sum(policy.failed_sessions for policy in report.policies)),
        bind.json_texts(report.deviations),
        bind.pack(new.found.json),
    )


def _add_details(rows: _Rows, policy_id: int, new: NewReport, position: int) -> None:
    details = new.found.report.policies[position].failure_details
    classes = new.reason_classes[position] if position < len(new.reason_classes) else ()
    for detail, reason in itertools.zip_longest(details, classes[: len(details)]):
        rows.details.append(
            (
                policy_id,
                text(detail.result_type),
                number(detail.failed_sessions),
                text_or_none(detail.sending_mta_ip),
                text_or_none(detail.receiving_mx_hostname),
                text_or_none(detail.receiving_mx_helo),
                text_or_none(detail.receiving_ip),
                text_or_none(detail.additional_information),
                text_or_none(detail.failure_reason_code),
                reason,
            )
        )


def _add_window(rows: _Rows, id: int, report: int, window: Window) -> None:
    sessions = window.sessions
    rows.windows.append(
        (
            id,
            text(window.domain),
            text(window.reporter),
            window.start,
            window.end,
            report,
            window.received,
            window.date,
            window.digest,
            number(max((one.successful for one in sessions), default=0)),
            number(max((one.failed for one in sessions), default=0)),
            number(max((one.successful + one.failed for one in sessions), default=0)),
            bind.json(sessions),
        )
    )
    for seen in window.sightings:
        rows.sightings.append(
            (
                id,
                text(window.domain),
                text(seen.policy_type),
                text(seen.result_type),
                text(seen.mx or ""),
                number(seen.sessions),
                bind.json_texts(seen.reasons),
            )
        )


def _write(conn: sqlite3.Connection, rows: _Rows) -> None:
    conn.executemany(
        "INSERT INTO reports (id, mail_id, status, digest, revision_key, reporter,"
        " organization_name, submitter, report_id, contact_info, file_name, start_at, end_at,"
        " taken_at, date, successful_sessions, failed_sessions, deviations, json)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows.reports,
    )
    conn.executemany(
        "INSERT INTO policies (id, report_id, position, policy_type, policy_domain, mode,"
        " policy_string, mx_host, successful_sessions, failed_sessions)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows.policies,
    )
    conn.executemany(
        "INSERT INTO details (policy_id, result_type, failed_sessions, sending_mta_ip,"
        " receiving_mx_hostname, receiving_mx_helo, receiving_ip, additional_information,"
        " failure_reason_code, reason_class) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows.details,
    )
    conn.executemany(
        "INSERT INTO windows (id, domain, reporter, start_at, end_at, report_id, received_at,"
        " date, digest, successful, failed, total, sessions)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows.windows,
    )
    conn.executemany(
        "INSERT OR IGNORE INTO sightings (window_id, domain, policy_type, result_type, mx,"
        " sessions, reasons) VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows.sightings,
    )
    conn.executemany(
        "UPDATE reports SET status = 'superseded', superseded_by = ? WHERE id = ?", rows.superseded
    )
    conn.executemany(
        "DELETE FROM windows WHERE report_id = ?", [(old,) for _, old in rows.superseded]
    )
    conn.executemany(
        "UPDATE reports SET superseded_by = (SELECT max(id) FROM reports"
        " WHERE revision_key = ? AND status = 'counted') WHERE id = ?",
        rows.late,
    )


def _keep_raw(
    conn: sqlite3.Connection, entries: Sequence[Entry], mails: Sequence[int], now: Time
) -> None:
    rows: list[Row] = []
    for entry, mail in zip(entries, mails, strict=True):
        if entry.keep != "no":
            packed = bind.pack(entry.mail.raw)
            name = text_or_none(entry.mail.file_name)
            rows.append((mail, entry.keep, now, len(packed), name, packed))
    conn.executemany(
        "INSERT OR REPLACE INTO kept (mail_id, kind, kept_at, size, file_name, raw)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        rows,
    )


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
