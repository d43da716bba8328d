"""Who has reported when: what silence is judged from."""

import sqlite3
from collections.abc import Mapping

from tlsrpt_mailer.failures.silence import Seen
from tlsrpt_mailer.ports import FirstReport
from tlsrpt_mailer.report.marks import bare
from tlsrpt_mailer.report.times import HOUR, Time
from tlsrpt_mailer.store.bind import text
from tlsrpt_mailer.store.words import BELIEVED

FIRST_AT_MOST = 3


def note_pairs(conn: sqlite3.Connection, last: Mapping[tuple[str, str], Time]) -> None:
    """Remember the end of the last window of each (domain, reporter)."""
    conn.executemany(
        "INSERT INTO pairs (domain, reporter, last_end) VALUES (?, ?, ?)"
        " ON CONFLICT (domain, reporter) DO UPDATE SET last_end = excluded.last_end"
        " WHERE excluded.last_end > last_end",
        [(*pair, end) for pair, end in last.items()],
    )


def pairs(conn: sqlite3.Connection, since: Time) -> list[tuple[str, str, Time]]:
    """
    See `ports.Watching.pairs`.

    A reporter's history, and what counts without a signature, are its reports all the same: it
    does not fall silent because its name bears a mark no more.
    """
    found: dict[tuple[str, str], Time] = {}
    rows = conn.execute(
        f"SELECT domain, reporter, last_end FROM pairs WHERE last_end > ? AND {BELIEVED}", (since,)
    )
    for domain, reporter, end in rows:
        pair = domain, bare(reporter)[0]
        found[pair] = max(end, found.get(pair, end))
    return [(*pair, end) for pair, end in found.items()]


def seen(conn: sqlite3.Connection, domain: str, since: Time) -> list[Seen]:
    """See `ports.Watching.seen`; by the index on where windows start."""
    rows = conn.execute(
        "SELECT domain, reporter, end_at, received_at, total FROM windows"
        f" WHERE domain = ? AND start_at > ? AND {BELIEVED}",
        (text(domain), since),
    )
    return [Seen(domain, bare(reporter)[0], *row) for domain, reporter, *row in rows]


def receipts(conn: sqlite3.Connection, since: Time) -> list[Time]:
    """See `ports.Watching.receipts`: a look-up an hour, however many reports there are."""
    rows = conn.execute(
        "WITH RECURSIVE times (at) AS ("
        " SELECT min(taken_at) FROM reports WHERE taken_at > ?1"
        " UNION ALL"
        " SELECT (SELECT min(taken_at) FROM reports WHERE taken_at >= times.at + ?2)"
        " FROM times WHERE times.at IS NOT NULL"
        ") SELECT at FROM times WHERE at IS NOT NULL",
        (since, HOUR),
    )
    return [at for (at,) in rows]


def last_receipt(conn: sqlite3.Connection, now: Time) -> Time | None:
    """See `ports.Watching.last_receipt`."""
    (at,) = conn.execute("SELECT max(taken_at) FROM reports WHERE taken_at <= ?", (now,)).fetchone()
    return None if at is None else int(at)


def began(conn: sqlite3.Connection) -> Time | None:
    """See `ports.Watching.began`."""
    row = conn.execute("SELECT stored_at FROM mails ORDER BY id LIMIT 1").fetchone()
    return None if row is None else int(row[0])


def first(conn: sqlite3.Connection, domain: str) -> list[FirstReport]:
    """See `ports.Watching.first`."""
    rows = conn.execute(
        "SELECT reporter, start_at, end_at, received_at, total, failed FROM windows"
        f" WHERE domain = ? AND {BELIEVED} ORDER BY start_at, id LIMIT ?",
        (text(domain), FIRST_AT_MOST),
    )
    return [FirstReport(*row) for row in rows]
