"""Listings by page: which columns, in which order, and how rows are made of them."""

import sqlite3
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from tlsrpt_mailer.store.bind import select_in, text
from tlsrpt_mailer.store.rows import LetterRow, ReportRow

T = TypeVar("T")

MAIL = (
    "id, source, taken_at, stored_at, size, message_id, sender, subject, outcome, reason,"
    " reports, seen"
)
REPORT = (
    "id, mail_id, status, superseded_by, reporter, organization_name, submitter, report_id,"
    " contact_info, start_at, end_at, taken_at, successful_sessions, failed_sessions, trust,"
    " trust_reason, signed_by, held_for, deviations"
)
KEPT = (
    "k.mail_id, k.kind, m.source, m.taken_at, m.size, m.sender, m.subject, k.file_name, m.reason"
    " FROM kept AS k JOIN mails AS m ON m.id = k.mail_id"
)
LAST_KEPT_FIRST = "ORDER BY k.kept_at DESC, k.size DESC, k.mail_id DESC"
HELD = "status = 'held' AND held_for > ''"
"""Held reports, by the index that has them alone; each is held for something."""
LETTER = (
    "id, message_id, recipient, subject, event, created_at, state, attempts,"
    " CASE state WHEN 'waiting' THEN next_try END, answer, done_at"
)
WORST_FIRST = (
    "is_open DESC,"
    " CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 WHEN 'notice' THEN 2 ELSE 3 END,"
    " last_seen DESC, id"
)

_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a listing."""

    rows: list[T]
    total: int
    """How many there are on all pages."""


def where(*conditions: tuple[str, Any]) -> tuple[str, list[Any]]:
    """A WHERE clause of those conditions that have a value."""
    used = [(sql, value) for sql, value in conditions if value is not None]
    if not used:
        return "", []
    clause = " AND ".join(sql for sql, _ in used)
    return f"WHERE {clause}", [text(v) if isinstance(v, str) else v for _, v in used]


def page(
    conn: sqlite3.Connection,
    sql: tuple[str, str],
    values: list[Any],
    limits: tuple[int | None, int],
    make: Callable[[list[tuple[Any, ...]]], list[T]],
) -> Page[T]:
    """The rows of one page, and how many there are; *sql* selects the one, then the other."""
    limit, offset = limits
    rows = conn.execute(
        f"{sql[0]} LIMIT ? OFFSET ?", (*values, -1 if limit is None else limit, offset)
    ).fetchall()
    (total,) = conn.execute(sql[1], values).fetchone()
    return Page(make(rows), int(total))


def report_rows(conn: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> list[ReportRow]:
    """Columns of `REPORT` as rows, with the policy domains of each, and which are not counted."""
    domains: dict[int, dict[str, None]] = {row[0]: {} for row in rows}
    left_out: dict[int, list[int]] = {row[0]: [] for row in rows}
    named = select_in(
        conn,
        "SELECT report_id, policy_domain, position, is_foreign FROM policies"
        " WHERE report_id IN ({keys}) ORDER BY report_id, position",
        domains,
    )
    for report, domain, position, is_foreign in named:
        domains[report][domain] = None
        if is_foreign:
            left_out[report].append(position)
    return [
        ReportRow(
            *(
                *row[:-1],
                tuple(domains[row[0]]),
                _decode_texts(row[-1]),
                tuple(left_out[row[0]]),
            )
        )
        for row in rows
    ]


def letter_rows(conn: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> list[LetterRow]:
    """Columns of `LETTER` as rows, with the failures that each tells of."""
    failures: dict[int, list[int]] = {row[0]: [] for row in rows}
    named = select_in(
        conn,
        "SELECT letter_id, failure_id FROM letter_failures WHERE letter_id IN ({keys})"
        " ORDER BY letter_id, failure_id",
        failures,
    )
    for letter, failure in named:
        failures[letter].append(failure)
    return [LetterRow(*(*row, tuple(failures[row[0]]))) for row in rows]
