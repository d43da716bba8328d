"""The frozen mails and notices that wait for delivery, and what channels call a cause."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from tlsrpt_mailer.ports import BY_MAIL, CHANNEL, FailureRecord, Letter, Outgoing
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import pack, text, text_or_none, unpack
from tlsrpt_mailer.store.connection import Writer
from tlsrpt_mailer.store.judging import record

_ANSWER_CHARS = 2000
_REF_CHARS = 500
# Everything that begins with "channel:": a colon is followed by a semicolon.
OUTGOING = (
    "id, message_id, recipient, subject, event, raw, one.key, attempts,"
    " coalesce(done_at, created_at)"
)
_NAME = f"substr(one.recipient, {len(CHANNEL) + 1})"
CHANNELS = f"recipient >= '{CHANNEL}' AND recipient < '{CHANNEL[:-1]};'"


class SqliteOutbox:
    """`ports.Outbox`; each call is its own transaction."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def due(self, now: Time, limit: int = 50, lane: str | None = None) -> list[Outgoing]:
        """See `ports.Outbox.due`; `Letter.told` is left empty."""
        mine = ""
        values: list[object] = [now]
        if lane == BY_MAIL:
            mine = f"AND NOT ({CHANNELS})"
        elif lane is not None:
            # The plus sign: by the index of what waits, as most that it ever got is over.
            mine, values = "AND +recipient = ?", [now, text(lane)]
        with self._writer.reading() as conn:
            rows = conn.execute(
                f"SELECT {OUTGOING}, ref FROM letters AS one"
                f" LEFT JOIN remote_refs AS ref ON ref.channel = {_NAME} AND ref.key = one.key"
                f" WHERE state = 'waiting' AND next_try <= ? {mine}"
                " AND NOT EXISTS (SELECT 1 FROM letters AS before WHERE before.state = 'waiting'"
                " AND before.recipient = one.recipient AND before.key = one.key"
                " AND before.id < one.id) ORDER BY next_try, id LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [outgoing(row) for row in rows]

    def lanes(self) -> list[str]:
        """See `ports.Outbox.lanes`."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                f"SELECT DISTINCT recipient FROM letters WHERE state = 'waiting' AND {CHANNELS}"
                " ORDER BY recipient"
            ).fetchall()
        return [row[0] for row in rows]

    def told_open(self, lane: str) -> list[FailureRecord]:
        """See `ports.Outbox.told_open`; by number."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT id, cause_id, verdict FROM failures WHERE is_open = 1 AND id IN"
                " (SELECT failure_id FROM told WHERE recipient = ?"
                " AND event NOT IN ('resolved', 'closed')) ORDER BY id",
                (text(lane),),
            ).fetchall()
        return [record(*row) for row in rows]

    def sent(self, id: int, now: Time, answer: str, remote_ref: str | None = None) -> None:
        """See `ports.Outbox.sent`."""
        with self._writer.transaction() as conn:
            _tried(conn, id, "sent", answer, now, now)
            # Where the channel gave no name this time, the one it gave before is used on.
            ref = text(remote_ref[:_REF_CHARS]) if remote_ref else None
            conn.execute(
                "INSERT OR REPLACE INTO remote_refs (channel, key, ref, at)"
                f" SELECT {_NAME}, one.key, coalesce(?, ref.ref), ? FROM letters AS one"
                f" LEFT JOIN remote_refs AS ref ON ref.channel = {_NAME} AND ref.key = one.key"
                " WHERE id = ? AND one.key IS NOT NULL AND coalesce(?, ref.ref) IS NOT NULL",
                (ref, now, id, ref),
            )

    def retry(self, id: int, now: Time, error: str, next_try: Time) -> None:
        """See `ports.Outbox.retry`."""
        with self._writer.transaction() as conn:
            _tried(conn, id, "waiting", error, None, max(next_try, now))

    def give_up(self, id: int, now: Time, error: str) -> None:
        """See `ports.Outbox.give_up`."""
        with self._writer.transaction() as conn:
            _tried(conn, id, "failed", error, now, now)

    def resend(self, id: int, now: Time) -> bool:
        """
        Let the same bytes go out once more; False where there is no such letter.

        What the relay said last stays until it says something new. *done_at* is the
        moment of this call meanwhile: it gives the letter its five days anew.
        """
        with self._writer.transaction() as conn:
            cursor = conn.execute(
                "UPDATE letters SET state = 'waiting', attempts = 0, next_try = ?, done_at = ?"
                " WHERE id = ?",
                (now, now, id),
            )
            return cursor.rowcount == 1


def outgoing(row: tuple[Any, ...]) -> Outgoing:
    """The columns of `OUTGOING`, then the channel's name for the cause."""
    return Outgoing(
        id=row[0],
        letter=Letter(row[1], row[2], row[3], row[4], unpack(row[5]), key=row[6]),
        attempts=row[7],
        created=row[8],
        remote_ref=row[9],
    )


def _tried(
    conn: sqlite3.Connection,
    id: int,
    state: str,
    answer: str,
    done_at: Time | None,
    next_try: Time,
) -> None:
    conn.execute(
        "UPDATE letters SET state = ?, attempts = attempts + 1, answer = ?,"
        " done_at = coalesce(?, done_at), next_try = ? WHERE id = ?",
        (state, text(answer[:_ANSWER_CHARS]), done_at, next_try, id),
    )


def add_letters(conn: sqlite3.Connection, letters: Sequence[Letter], now: Time) -> None:
    """
    Freeze these mails in the present transaction, to go out at once.

    A mail of the same Message-ID to the same recipient is there already, so it is
    not written again: its bytes may be on their way.
    """
    for letter in letters:
        cursor = conn.execute(
            "INSERT INTO letters (message_id, recipient, subject, event, created_at, raw, next_try,"
            " token, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (message_id, recipient) DO NOTHING",
            (
                text(letter.message_id),
                text(letter.recipient),
                text(letter.subject),
                letter.event,
                now,
                pack(letter.raw),
                now,
                letter.token,
                text_or_none(letter.key),
            ),
        )
        if cursor.rowcount == 1:
            # What it tells comes first: a failure that is named besides is no second row.
            named = [(one.failure, one.event, one.incident) for one in letter.told]
            named += [(failure, letter.event, 0) for failure in letter.failures]
            conn.executemany(
                "INSERT OR IGNORE INTO letter_failures (letter_id, failure_id, event, incident)"
                " VALUES (?, ?, ?, ?)",
                [(cursor.lastrowid, *one) for one in named],
            )
