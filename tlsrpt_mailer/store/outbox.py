"""The frozen mails that wait for delivery."""

import sqlite3
from collections.abc import Sequence

from tlsrpt_mailer.ports import Letter, Outgoing
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import pack, text, unpack
from tlsrpt_mailer.store.connection import Writer

_ANSWER_CHARS = 2000


class SqliteOutbox:
    """`ports.Outbox`; each call is its own transaction."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def due(self, now: Time, limit: int = 50) -> list[Outgoing]:
        """See `ports.Outbox.due`; `Letter.told` is left empty."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT id, message_id, recipient, subject, event, raw, attempts,"
                " coalesce(done_at, created_at) FROM letters"
                " WHERE state = 'waiting' AND next_try <= ? ORDER BY next_try, id LIMIT ?",
                (now, limit),
            ).fetchall()
        return [
            Outgoing(
                id=row[0],
                letter=Letter(row[1], row[2], row[3], row[4], unpack(row[5])),
                attempts=row[6],
                created=row[7],
            )
            for row in rows
        ]

    def sent(self, id: int, now: Time, answer: str) -> None:
        """See `ports.Outbox.sent`."""
        self._tried(id, "sent", answer, now, now)

    def retry(self, id: int, now: Time, error: str, next_try: Time) -> None:
        """See `ports.Outbox.retry`."""
        self._tried(id, "waiting", error, None, max(next_try, now))

    def give_up(self, id: int, now: Time, error: str) -> None:
        """See `ports.Outbox.give_up`."""
        self._tried(id, "failed", error, now, now)

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

    def _tried(
        self, id: int, state: str, answer: str, done_at: Time | None, next_try: Time
    ) -> None:
        with self._writer.transaction() as conn:
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
            "INSERT INTO letters (message_id, recipient, subject, event, created_at, raw, next_try)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id, recipient) DO NOTHING",
            (
                text(letter.message_id),
                text(letter.recipient),
                text(letter.subject),
                letter.event,
                now,
                pack(letter.raw),
                now,
            ),
        )
        if cursor.rowcount == 1 and letter.told:
            conn.executemany(
                "INSERT OR IGNORE INTO letter_failures (letter_id, failure_id, event, incident)"
                " VALUES (?, ?, ?, ?)",
                [(cursor.lastrowid, one.failure, one.event, one.incident) for one in letter.told],
            )
