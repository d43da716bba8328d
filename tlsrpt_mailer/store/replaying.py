"""What a replay reads beside histories: when each reporter gained standing."""

import sqlite3
from collections.abc import Collection

from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import text
from tlsrpt_mailer.store.judging import ESTABLISHED_SPAN
from tlsrpt_mailer.store.words import said


def established_at(conn: sqlite3.Connection, reporters: Collection[str]) -> dict[str, Time]:
    """
    When `ports.Txn.established` would have begun to name each of *reporters*.

    By the receipt of its reports; whoever has not got there is left out. Who is trusted by
    a word was so from the beginning, as the word holds for what came before it.
    """
    words = {name: one.word for name, one in said(conn).items()}
    found = {
        name: 0 if words.get(text(name)) == "trust" else _established_at(conn, text(name))
        for name in reporters
    }
    return {name: at for name, at in found.items() if at is not None}


def _established_at(conn: sqlite3.Connection, reporter: str) -> Time | None:
    first: Time | None = None
    last: tuple[Time, Time] = (0, 0)
    starts: set[Time] = set()
    rows = conn.execute(
        "SELECT received_at, start_at, end_at FROM windows WHERE reporter = ? AND successful > 0"
        " ORDER BY received_at",
        (reporter,),
    )
    for received, start, end in rows:
        first = start if first is None else min(first, start)
        last = max(last, (start, end))
        if len(starts) < 3:
            starts.add(start)
        if len(starts) >= 3 and last[1] - first >= ESTABLISHED_SPAN:
            return int(received)
    return None
