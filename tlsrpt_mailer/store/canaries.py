"""Test reports to our own addresses."""

import sqlite3
from collections.abc import Collection
from typing import Any

from tlsrpt_mailer.ports import SentCanary
from tlsrpt_mailer.report.times import DAY, Span, Time
from tlsrpt_mailer.store.bind import select_in, text, text_or_none
from tlsrpt_mailer.store.connection import Writer

KEEP: Span = 400 * DAY
KEY = "canary-key"
"""The fact that holds the key that they are signed with."""

_COLUMNS = "token, address, sent_at, answer, came_at, source, signature"


class SqliteCanaries:
    """`ports.Canaries`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def save(self, one: SentCanary) -> None:
        """See `ports.Canaries.save`."""
        with self._writer.transaction() as conn:
            conn.execute(
                "INSERT INTO canaries (token, address, sent_at, answer) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (token) DO UPDATE SET answer = excluded.answer",
                (one.token, text(one.address), one.sent_at, text_or_none(one.answer)),
            )
            conn.execute("DELETE FROM canaries WHERE sent_at < ?", (one.sent_at - KEEP,))

    def last(self, addresses: Collection[str]) -> dict[str, SentCanary]:
        """See `ports.Canaries.last`."""
        with self._writer.reading() as conn:
            return _by_address(conn, addresses, "true", "DESC")

    def unanswered(self, addresses: Collection[str]) -> dict[str, SentCanary]:
        """See `ports.Canaries.unanswered`."""
        since = (
            "came_at IS NULL AND sent_at > coalesce((SELECT max(sent_at) FROM canaries AS c"
            " WHERE c.address = canaries.address AND c.came_at IS NOT NULL), -1)"
        )
        with self._writer.reading() as conn:
            return _by_address(conn, addresses, since, "ASC")

    def came(self) -> SentCanary | None:
        """See `ports.Canaries.came`."""
        with self._writer.reading() as conn:
            return came(conn)

    def key(self) -> bytes | None:
        """See `ports.Canaries.key`."""
        with self._writer.reading() as conn:
            row = conn.execute("SELECT value FROM facts WHERE name = ?", (KEY,)).fetchone()
        return None if row is None else str(row[0]).encode()

    def save_key(self, key: bytes) -> None:
        """See `ports.Canaries.save_key`."""
        with self._writer.transaction() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (KEY, key.decode())
            )


def arrived(
    conn: sqlite3.Connection, token: str, at: Time, source: str, signature: str
) -> SentCanary | None:
    """See `ports.Txn.canary_came`."""
    conn.execute(
        "UPDATE canaries SET came_at = ?, source = ?, signature = ?"
        " WHERE token = ? AND came_at IS NULL",
        (at, text(source), text(signature), text(token)),
    )
    rows = conn.execute(f"SELECT {_COLUMNS} FROM canaries WHERE token = ?", (text(token),))
    return next(map(_canary, rows), None)


def came(conn: sqlite3.Connection) -> SentCanary | None:
    """The last one to any address that came back."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} FROM canaries WHERE came_at IS NOT NULL ORDER BY came_at DESC LIMIT 1"
    )
    return next(map(_canary, rows), None)


def listed(conn: sqlite3.Connection, limit: int) -> list[SentCanary]:
    """The last ones, newest first."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} FROM canaries ORDER BY sent_at DESC, address LIMIT ?", (limit,)
    )
    return [_canary(row) for row in rows]


def _by_address(
    conn: sqlite3.Connection, addresses: Collection[str], where: str, order: str
) -> dict[str, SentCanary]:
    """Of each address the first row in that order."""
    rows = select_in(
        conn,
        f"SELECT {_COLUMNS} FROM canaries WHERE address IN ({{keys}}) AND {where}"
        f" ORDER BY sent_at {order}",
        [text(address) for address in addresses],
    )
    found: dict[str, SentCanary] = {}
    for one in map(_canary, rows):
        found.setdefault(one.address, one)
    return found


def _canary(row: tuple[Any, ...]) -> SentCanary:
    token, address, sent_at, answer, came_at, source, signature = row
    return SentCanary(
        token=token,
        address=address,
        sent_at=sent_at,
        answer=answer,
        came_at=came_at,
        source=source,
        signature=signature,
    )
