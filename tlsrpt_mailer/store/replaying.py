"""What a replay reads beside histories: when each reporter gained standing."""

import sqlite3
from collections.abc import Collection

from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import text
from tlsrpt_mailer.store.judging import Edge, spans_enough
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
    first: Edge | None = None
    last: Edge | None = None
    starts: set[Time] = set()
    rows = conn.execute(
        "SELECT start_at, end_at, received_at,"
        " (SELECT trust FROM reports WHERE reports.id = windows.report_id)"
        " FROM windows WHERE reporter = ? AND successful > 0 ORDER BY received_at, id",
        (reporter,),
    )
    for row in rows:
        edge = Edge(*row)
        first = edge if first is None or edge.start < first.start else first
        last = edge if last is None or edge.start > last.start else last
        if len(starts) < 3:
            starts.add(edge.start)
        if len(starts) >= 3 and spans_enough(first, last):
            return edge.received
    return None
