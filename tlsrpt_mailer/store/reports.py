"""
Reports as rows: policies, failure details, and what they say of each domain.

Numbers are given out here, so that the rows of many mails go in with one
statement a table, inside the write transaction that the caller began.
"""

import itertools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tlsrpt_mailer.failures.model import Window
from tlsrpt_mailer.ports import Entry, NewReport
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store import bind, large
from tlsrpt_mailer.store.bind import next_id, number, text, text_or_none
from tlsrpt_mailer.store.pairs import note_pairs

Row = tuple[Any, ...]

_REPORT = (
    "id, mail_id, status, digest, revision_key, reporter, organization_name, submitter, report_id,"
    " contact_info, file_name, start_at, end_at, taken_at, date, successful_sessions,"
    " failed_sessions, deviations, json, trust, trust_reason, signed_by, held_for,"
    " vouched_by"
)
_JSON = 18
"""Where in it the JSON is."""


class _Rows(msgspec.Struct):
    """What one batch writes, by table."""

    reports: list[Row] = []
    policies: list[Row] = []
    details: list[Row] = []
    windows: list[Row] = []
    sightings: list[Row] = []
    pairs: dict[tuple[str, str], Time] = {}
    """(domain, reporter) to the latest end of a window."""
    superseded: list[tuple[int, int]] = []
    """(number of the newer report, number of the older one)."""
    late: list[tuple[bytes, int]] = []
    """(revision key, number) of reports that were superseded before they came."""


class _Ids(msgspec.Struct, frozen=True):
    """The next free numbers."""

    report: Iterator[int]
    policy: Iterator[int]
    window: Iterator[int]


def put_reports(
    conn: sqlite3.Connection,
    entries: Sequence[Entry],
    mails: Sequence[int],
    again: Mapping[bytes, Mapping[bytes, int]],
) -> None:
    """
    Write the reports of these mails, whose numbers are *mails*, and mark what they supersede.

    *again*: by mail and digest, the numbers of reports that are put in anew.
    """
    taken = max((number for old in again.values() for number in old.values()), default=0)
    ids = _Ids(
        # Windows outlive their reports, so a number of theirs is taken as well.
        report=itertools.count(max(_next_report(conn), taken + 1)),
        policy=itertools.count(next_id(conn, "policies")),
        window=itertools.count(next_id(conn, "windows")),
    )
    rows = _Rows()
    for entry, mail in zip(entries, mails, strict=True):
        old = dict(again.get(entry.sha256, {}))
        for new in entry.reports:
            number = old.pop(new.found.digest, 0) or next(ids.report)
            _add_report(rows, ids, number, entry, mail, new)
    if rows.reports:
        _write(conn, rows)


def _next_report(conn: sqlite3.Connection) -> int:
    (last,) = conn.execute("SELECT max(report_id) FROM windows").fetchone()
    return max(next_id(conn, "reports"), (last or 0) + 1)


def _add_report(
    rows: _Rows, ids: _Ids, report: int, entry: Entry, mail: int, new: NewReport
) -> None:
    rows.reports.append(_report_row(report, mail, entry, new))
    for position, policy in enumerate(new.found.report.policies):
        policy_id = next(ids.policy)
        is_foreign = position in new.foreign
        rows.policies.append((*_policy_row(policy_id, report, position, policy), is_foreign))
        if policy.failure_details:
            _add_details(rows, policy_id, new, position)
    older = new.replaces if new.supersedes is None else (new.supersedes, *new.replaces)
    rows.superseded += [(report, number) for number in older]
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
        new.trust,
        text_or_none(new.trust_reason),
        text_or_none(new.signed_by),
        new.held_for,
        text_or_none(new.vouched_by),
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
    pair = text(window.domain), text(window.reporter)
    rows.pairs[pair] = max(window.end, rows.pairs.get(pair, window.end))
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
    large.insert(conn, "INSERT INTO reports", _REPORT, rows.reports, _JSON)
    conn.executemany(
        "INSERT INTO policies (id, report_id, position, policy_type, policy_domain, mode,"
        " policy_string, mx_host, successful_sessions, failed_sessions, is_foreign)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    note_pairs(conn, rows.pairs)
    conn.executemany(
        "INSERT OR IGNORE INTO sightings (window_id, domain, policy_type, result_type, mx,"
        " sessions, reasons) VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows.sightings,
    )
    conn.executemany(
        "UPDATE reports SET status = 'superseded', superseded_by = ?, held_for = NULL WHERE id = ?",
        rows.superseded,
    )
    conn.executemany(
        "DELETE FROM windows WHERE report_id = ?", [(old,) for _, old in rows.superseded]
    )
    conn.executemany(
        "UPDATE reports SET superseded_by = (SELECT max(id) FROM reports"
        " WHERE revision_key = ? AND status = 'counted') WHERE id = ?",
        rows.late,
    )
