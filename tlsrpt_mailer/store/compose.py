"""What composing reads and writes."""

import sqlite3
from collections.abc import Sequence

from tlsrpt_mailer.ports import Evidence, FailureRecord, Letter, Told
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import text, text_or_none
from tlsrpt_mailer.store.evidence import EvidenceReader
from tlsrpt_mailer.store.judging import record
from tlsrpt_mailer.store.outbox import add_letters

# Open ones, and those that somebody was last told were open.
_CONCERNED = (
    "SELECT id FROM failures WHERE is_open = 1"
    " UNION SELECT failure_id FROM told WHERE event NOT IN ('resolved', 'closed')"
)
_TOLD = "failure_id, recipient, incident, event, at, resolved_at, mails, message_id"


class SqliteComposeTxn:
    """`ports.ComposeTxn`, on a connection with a transaction begun."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._evidence = EvidenceReader(conn)

    def failures(self) -> list[FailureRecord]:
        """See `ports.ComposeTxn.failures`; by number."""
        rows = self._conn.execute(
            f"SELECT id, cause_id, verdict FROM failures WHERE id IN ({_CONCERNED}) ORDER BY id"
        )
        return [record(*row) for row in rows]

    def told(self) -> list[Told]:
        """See `ports.ComposeTxn.told`; by failure and recipient."""
        rows = self._conn.execute(
            f"SELECT {_TOLD} FROM told WHERE failure_id IN ({_CONCERNED})"
            " ORDER BY failure_id, recipient"
        )
        return [Told(*row) for row in rows]

    def evidence(self, failure: int, limit: int = 12) -> list[Evidence]:
        """See `ports.ComposeTxn.evidence`."""
        row = self._conn.execute(
            "SELECT id, cause_id, verdict FROM failures WHERE id = ?", (failure,)
        ).fetchone()
        return [] if row is None else self._evidence.of(record(*row).verdict, limit)

    def composed_since(self, recipient: str, since: Time) -> tuple[int, bool]:
        """See `ports.ComposeTxn.composed_since`; tests and mail handed on do not count."""
        count, flood = self._conn.execute(
            "SELECT count(*), coalesce(max(event = 'flood'), 0) FROM letters"
            " WHERE recipient = ? AND created_at >= ? AND event NOT IN ('forward', 'test')",
            (text(recipient), since),
        ).fetchone()
        return int(count), bool(flood)

    def last_composed(self, cause: int, recipient: str) -> Time | None:
        """See `ports.ComposeTxn.last_composed`."""
        (at,) = self._conn.execute(
            "SELECT max(told.at) FROM failures JOIN told ON told.failure_id = failures.id"
            " WHERE failures.cause_id = ? AND told.recipient = ?",
            (cause, text(recipient)),
        ).fetchone()
        return None if at is None else int(at)

    def save_letters(self, letters: Sequence[Letter], now: Time) -> None:
        """See `ports.ComposeTxn.save_letters`."""
        add_letters(self._conn, letters, now)
        self._conn.executemany(
            f"INSERT OR REPLACE INTO told ({_TOLD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    one.failure,
                    text(one.recipient),
                    one.incident,
                    one.event,
                    one.at,
                    one.resolved_at,
                    one.mails,
                    text_or_none(one.message_id),
                )
                for letter in letters
                for one in letter.told
            ],
        )


def told_of(conn: sqlite3.Connection, failure: int) -> list[Told]:
    """What each recipient was last told of one failure, by recipient."""
    rows = conn.execute(
        f"SELECT {_TOLD} FROM told WHERE failure_id = ? ORDER BY recipient", (failure,)
    )
    return [Told(*row) for row in rows]
