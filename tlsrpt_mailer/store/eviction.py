"""
Room for mail that nobody vouches for: what goes when there is too much of it.

Anybody may fill it, so it is looked at every minute, not once a day, and what an
evicted mail left behind goes with it.
"""

import sqlite3
from collections.abc import Callable

from tlsrpt_mailer.store.connection import Writer

CHUNK = 500


def evict(writer: Writer, limit: int, beat: Callable[[], None] = lambda: None) -> int:
    """
    Drop mails in quarantine and held ones until *limit* bytes are kept; returns how many.

    The oldest go first, and before all that wait for DNS those that were judged: what a
    key may prove tomorrow is not pushed out by what is known to be unsigned. Ignored mail
    counts, but stays its time: it was acknowledged. *beat* is called between transactions.

    Raises:
        Temporary: The database is locked, or the disk is full.

    """
    total = 0
    while True:
        beat()
        with writer.reading() as conn:
            over = _kept(conn) - limit
        if over <= 0:
            return total
        with writer.transaction() as conn:
            gone = _drop(conn, over)
        total += gone
        if not gone:
            return total


def _kept(conn: sqlite3.Connection) -> int:
    (total,) = conn.execute("SELECT coalesce(sum(size), 0) FROM kept").fetchone()
    return int(total)


def _drop(conn: sqlite3.Connection, over: int) -> int:
    going: list[tuple[int]] = []
    oldest = conn.execute(
        "SELECT mail_id, size FROM kept WHERE kind IN ('quarantine', 'held')"
        " ORDER BY next_try IS NOT NULL, kept_at, mail_id LIMIT ?",
        (CHUNK,),
    )
    for mail, size in oldest:
        if over <= 0:
            break
        over -= size
        going.append((mail,))
    conn.executemany("DELETE FROM kept WHERE mail_id = ?", going)
    # They could never be released without their mail, and a flood would fill the disk with them.
    conn.executemany("DELETE FROM reports WHERE mail_id = ? AND status = 'held'", going)
    return len(going)
