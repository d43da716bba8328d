"""Keys that were in DNS once, and when they were seen there last."""

import base64
import sqlite3
import threading
from collections import OrderedDict
from contextlib import suppress

import msgspec

from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time
from tlsrpt_mailer.store.bind import json, text
from tlsrpt_mailer.store.connection import Writer
from tlsrpt_mailer.store.turns import in_turns
from tlsrpt_mailer.trust.model import KeyAnswer

KEEP: Span = 60 * DAY
MOST = 10_000
"""Keys that are kept: whoever makes one up for each mail he signs fills no disk with them."""
WRITE_AFTER: Span = HOUR
"""That a key is still there is written down no more often."""
CACHED = 1_000

_decode = msgspec.json.Decoder(list[str]).decode


class SqliteKeys:
    """`flows.verify.KeptKeys`; thread-safe, each write is a small transaction of its own."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._cache: OrderedDict[str, KeyAnswer] = OrderedDict()
        self._guard = threading.Lock()

    def kept(self, name: str) -> KeyAnswer | None:
        """
        The key as it was seen last, with `last_seen`; None if it never was.

        Raises:
            Temporary: The database cannot be read.

        """
        with self._guard:
            known = self._cache.get(name)
        return self._read(name) if known is None else known

    def seen(self, name: str, texts: tuple[bytes, ...], now: Time) -> None:
        """It is in DNS at *now*; where the database is in trouble that is not written down."""
        known = self.kept(name)
        is_same = known is not None and known.texts == texts
        last = known.last_seen if known is not None and is_same else None
        if last is not None and last <= now < last + WRITE_AFTER:
            return
        with suppress(Temporary):
            self._write(name, texts, now)
            self._remember(name, KeyAnswer("found", texts, last_seen=now))

    def _read(self, name: str) -> KeyAnswer | None:
        with self._writer.reading() as conn:
            row = conn.execute(
                "SELECT texts, last_seen FROM keys WHERE name = ?", (text(name),)
            ).fetchone()
        if row is None:
            return None
        texts = tuple(base64.b64decode(one) for one in _decode(row[0]))
        answer = KeyAnswer("found", texts, last_seen=row[1])
        self._remember(name, answer)
        return answer

    def _write(self, name: str, texts: tuple[bytes, ...], now: Time) -> None:
        with self._writer.transaction() as conn:
            _make_room(conn, text(name))
            conn.execute(
                "INSERT OR REPLACE INTO keys (name, texts, last_seen) VALUES (?, ?, ?)",
                (text(name), _packed(texts), now),
            )

    def _remember(self, name: str, answer: KeyAnswer) -> None:
        with self._guard:
            self._cache[name] = answer
            self._cache.move_to_end(name)
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)


def prune_keys(conn: sqlite3.Connection, now: Time, limit: int) -> int:
    """Forget keys that nobody has seen for `KEEP`; returns how many, *limit* at most."""
    return conn.execute(
        "DELETE FROM keys WHERE name IN"
        " (SELECT name FROM keys WHERE last_seen < ? ORDER BY last_seen LIMIT ?)",
        (now - KEEP, limit),
    ).rowcount


def _make_room(conn: sqlite3.Connection, name: str) -> None:
    """
    Where there are too many, those go whose domain has most, seen least recently.

    Who signs each mail with another selector has his own keys leave, not a reporter's.
    """
    (others,) = conn.execute("SELECT count(*) FROM keys WHERE name <> ?", (name,)).fetchone()
    if others < MOST:
        return
    newest = conn.execute("SELECT name FROM keys ORDER BY last_seen DESC, name").fetchall()
    # Some more leave at once: to find out which costs a look at all of them.
    going = in_turns(newest, lambda row: _owner(row[0]))[MOST - 1 - MOST // 100 :]
    conn.executemany("DELETE FROM keys WHERE name = ?", going)


def _owner(name: str) -> str:
    """Whose key it is, nearly: the last labels, which are a public suffix at worst."""
    return ".".join(name.rsplit(".", 2)[-2:])


def _packed(texts: tuple[bytes, ...]) -> bytes:
    return json([base64.b64encode(one).decode("ascii") for one in texts]).encode("ascii")
