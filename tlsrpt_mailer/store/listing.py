"""Listings by page."""

import sqlite3
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from tlsrpt_mailer.store.bind import text

T = TypeVar("T")


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
