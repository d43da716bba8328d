"""
Rows with large values, written without copies of them.

Bound as usual, a value of 16 MiB is copied by the driver and again by SQLite, and then fills the
page cache: a single mail could take 80 MiB beside its own bytes.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

LARGE_BYTES = 256 * 1024
_STEP = 256 * 1024
_CACHE_KIB = 4_096

Row = tuple[Any, ...]


def insert(
    conn: sqlite3.Connection, table: str, columns: str, rows: Sequence[Row], at: int
) -> None:
    """
    Insert *rows*, whose value number *at* may be large; the first one is the table's key.

    Args:
        table: With its verb and INTO, such as ``INSERT OR REPLACE INTO kept``.
        columns: Their names, with commas.

    """
    marks = ["?"] * len(columns.split(","))
    conn.executemany(
        f"{table} ({columns}) VALUES ({','.join(marks)})",
        [row for row in rows if len(row[at]) <= LARGE_BYTES],
    )
    large = [row for row in rows if len(row[at]) > LARGE_BYTES]
    if not large:
        return
    marks[at] = "zeroblob(?)"
    column = columns.split(",")[at].strip()
    with _small_cache(conn):
        for row in large:
            conn.execute(
                f"{table} ({columns}) VALUES ({','.join(marks)})",
                (*row[:at], len(row[at]), *row[at + 1 :]),
            )
            _fill(conn, table.rpartition(" ")[2], column, row[0], row[at])


def _fill(conn: sqlite3.Connection, table: str, column: str, row: int, value: bytes) -> None:
    view = memoryview(value)
    with conn.blobopen(table, column, row) as blob:
        for at in range(0, len(value), _STEP):
            blob.write(view[at : at + _STEP])


@contextmanager
def _small_cache(conn: sqlite3.Connection) -> Iterator[None]:
    """Let SQLite write pages to its log rather than keep them."""
    (before,) = conn.execute("PRAGMA cache_size").fetchone()
    conn.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    try:
        yield
    finally:
        conn.execute(f"PRAGMA cache_size = {before}")
