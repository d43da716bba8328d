"""Planned quiet, as rows."""

import sqlite3

from tlsrpt_mailer.ports import Maintenance
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import text, text_or_none
from tlsrpt_mailer.store.listing import Page, page

_COLUMNS = "id, kind, value, start_at, end_at, who, note, made_at"


def one(conn: sqlite3.Connection, number: int) -> Maintenance | None:
    """The maintenance of that number."""
    row = conn.execute(f"SELECT {_COLUMNS} FROM maintenance WHERE id = ?", (number,)).fetchone()
    return None if row is None else Maintenance(*row)


def add(conn: sqlite3.Connection, new: Maintenance) -> int:
    """Write it down; returns its number, which is never given twice."""
    cursor = conn.execute(
        "INSERT INTO maintenance (kind, value, start_at, end_at, who, note, made_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            new.kind,
            text(new.value),
            new.start,
            new.end,
            text(new.who),
            text_or_none(new.note),
            new.made_at,
        ),
    )
    return int(cursor.lastrowid or 0)


def end(conn: sqlite3.Connection, number: int, at: Time) -> None:
    """End it at *at*; one that begins later is deleted."""
    conn.execute("DELETE FROM maintenance WHERE id = ? AND start_at >= ?", (number, at))
    conn.execute("UPDATE maintenance SET end_at = ? WHERE id = ?", (at, number))


def listed(conn: sqlite3.Connection, limit: int | None, offset: int) -> Page[Maintenance]:
    """All of it, the last to begin first."""
    return page(
        conn,
        (
            f"SELECT {_COLUMNS} FROM maintenance ORDER BY start_at DESC, id DESC",
            "SELECT count(*) FROM maintenance",
        ),
        [],
        (limit, offset),
        lambda rows: [Maintenance(*row) for row in rows],
    )
