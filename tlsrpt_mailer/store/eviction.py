"""
Room for mail that nobody vouches for: what goes when there is too much of it.

Anybody may fill it, so it is looked at every minute, not once a day, and what an
evicted mail left behind goes with it. Should the same mail be offered again, it is
taken like a new one (`store.ledger`).
"""

import heapq
import json
import sqlite3
from array import array
from collections.abc import Callable, Collection, Iterable, Sequence

from tlsrpt_mailer.store.connection import Writer

CHUNK = 500

# What waits for the key of a known reporter comes last; the others by who claims to have sent
# them: the signature, else From, which anybody may write, and so is another name.
_ASIDE = """
SELECT k.mail_id, k.size,
  k.next_try IS NOT NULL AND coalesce(r.reporter IN (SELECT value FROM json_each(?)), 0) AS is_last,
  lower(coalesce(r.signed_by, '@' || substr(m.sender, instr(m.sender, '@') + 1), '')) AS who
FROM kept AS k JOIN mails AS m ON m.id = k.mail_id
LEFT JOIN reports AS r ON r.id
  = (SELECT min(id) FROM reports WHERE mail_id = k.mail_id AND status = 'held')
WHERE k.kind IN ('quarantine', 'held') ORDER BY is_last, who, k.kept_at, k.mail_id
"""


def evict(
    writer: Writer,
    limit: int,
    beat: Callable[[], None] = lambda: None,
    *,
    known: Collection[str] = (),
) -> int:
    """
    Drop mails in quarantine and held ones until *limit* bytes are kept; returns how many.

    Of the sender who has most the oldest goes first, so that whoever floods pushes out his own.
    What waits for the key of a *known* reporter goes last of all. Ignored mail counts, but
    stays its time: it was acknowledged. *beat* is called between transactions.

    Raises:
        Temporary: The database is locked, or the disk is full.

    """
    beat()
    with writer.reading() as conn:
        over = _kept(conn) - limit
        going = _chosen(conn.execute(_ASIDE, (json.dumps(sorted(known)),)), over)
    for at in range(0, len(going), CHUNK):
        beat()
        with writer.transaction() as conn:
            drop(conn, going[at : at + CHUNK])
    return len(going)


def _kept(conn: sqlite3.Connection) -> int:
    (total,) = conn.execute("SELECT coalesce(sum(size), 0) FROM kept").fetchone()
    return int(total)


def _chosen(rows: Iterable[tuple[int, int, int, str]], over: int) -> Sequence[int]:
    """Which mails of *rows* are to go so that *over* bytes are free."""
    going = array("q")
    if over <= 0:
        return going
    ids, sizes = array("q"), array("q")
    groups: list[tuple[int, int, int]] = []
    last: tuple[int, str] | None = None
    for place, (mail, size, is_last, who) in enumerate(rows):
        ids.append(mail)
        sizes.append(size)
        if last != (is_last, who):
            groups.append((is_last, 0, place))
            last = is_last, who
        groups[-1] = (is_last, groups[-1][1] - size, groups[-1][2])
    heapq.heapify(groups)
    while over > 0 and groups:
        is_last, less, place = groups[0]
        going.append(ids[place])
        over -= sizes[place]
        less += sizes[place]
        if less < 0:
            heapq.heapreplace(groups, (is_last, less, place + 1))
        else:
            heapq.heappop(groups)
    return going


def drop(conn: sqlite3.Connection, mails: Collection[int]) -> None:
    """Forget the raw bytes of these mails, and what of them is held: it cannot be released."""
    numbers = [(mail,) for mail in mails]
    # A mail of which a part counts is not over either.
    conn.executemany(
        "UPDATE mails SET outcome = 'held' WHERE id = ?1"
        " AND EXISTS (SELECT 1 FROM kept WHERE mail_id = ?1 AND kind = 'held')",
        numbers,
    )
    conn.executemany("DELETE FROM kept WHERE mail_id = ?", numbers)
    conn.executemany("DELETE FROM reports WHERE mail_id = ? AND status = 'held'", numbers)
