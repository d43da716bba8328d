"""How delivery to each channel goes."""

import sqlite3

from tlsrpt_mailer.ports import CHANNEL
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store.bind import text
from tlsrpt_mailer.store.outbox import CHANNELS
from tlsrpt_mailer.store.rows import LaneRow

_TRIED = (
    "SELECT id, coalesce(done_at, created_at) AS since, answer FROM letters"
    " WHERE recipient = ? AND state = 'waiting' AND attempts > 0 ORDER BY since, id LIMIT 1"
)
_FAILED = (
    "SELECT id, done_at, answer FROM letters"
    " WHERE recipient = ? AND state = 'failed' ORDER BY done_at DESC, id DESC LIMIT 1"
)


def lanes(conn: sqlite3.Connection, now: Time) -> list[LaneRow]:
    """Every channel that anything was written for, by name."""
    rows = conn.execute(
        "SELECT recipient, sum(state = 'waiting'), sum(state = 'sent' AND done_at >= ?),"
        f" max(CASE state WHEN 'sent' THEN done_at END) FROM letters WHERE {CHANNELS}"
        " GROUP BY recipient ORDER BY recipient",
        (now - now % DAY,),
    ).fetchall()
    return [_lane(conn, *row) for row in rows]


def _lane(
    conn: sqlite3.Connection, recipient: str, waiting: int, today: int, last: Time | None
) -> LaneRow:
    key = (text(recipient),)
    tried = conn.execute(_TRIED, key).fetchone() or (None, None, None)
    failed = conn.execute(_FAILED, key).fetchone() or (None, None, None)
    return LaneRow(recipient.removeprefix(CHANNEL), waiting, today, last, *tried, *failed)
