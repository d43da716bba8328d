"""What composing reads and writes."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from tlsrpt_mailer.ports import (
    Backlog,
    Composed,
    Evidence,
    FailureRecord,
    Letter,
    Looked,
    Maintenance,
    Told,
)
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store import backlog, checks, maintenance
from tlsrpt_mailer.store.bind import json_texts, text, text_or_none
from tlsrpt_mailer.store.evidence import EvidenceReader
from tlsrpt_mailer.store.judging import record
from tlsrpt_mailer.store.outbox import add_letters

# Open ones, and those that somebody was last told were open.
_CONCERNED = (
    "SELECT id FROM failures WHERE is_open = 1"
    " UNION SELECT failure_id FROM told WHERE event NOT IN ('resolved', 'closed')"
)
_TOLD = (
    "failure_id, recipient, incident, event, at, resolved_at, mails, message_id,"
    " steps, opened_at, reminded_at, first_at"
)
# These do not count against max_per_hour.
_NO_ALERTS = "'forward', 'test', 'answer', 'digest', 'first', 'operator'"

_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode


class SqliteComposeTxn:
    """`ports.ComposeTxn`, on a connection with a transaction begun."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._evidence = EvidenceReader(conn)

    def failures(self) -> list[FailureRecord]:
        """See `ports.ComposeTxn.failures`; by number."""
        rows = self._conn.execute(
            "SELECT id, cause_id, verdict, ended_at FROM failures"
            f" WHERE id IN ({_CONCERNED}) ORDER BY id"
        )
        return [record(*row) for row in rows]

    def told(self) -> list[Told]:
        """See `ports.ComposeTxn.told`; by failure and recipient."""
        rows = self._conn.execute(
            f"SELECT {_TOLD} FROM told WHERE failure_id IN ({_CONCERNED})"
            " ORDER BY failure_id, recipient"
        )
        return [_told(row) for row in rows]

    def evidence(self, failure: int, limit: int = 12) -> list[Evidence]:
        """See `ports.ComposeTxn.evidence`."""
        row = self._conn.execute(
            "SELECT id, cause_id, verdict FROM failures WHERE id = ?", (failure,)
        ).fetchone()
        return [] if row is None else self._evidence.of(record(*row).verdict, limit)

    def looked(self, domain: str) -> Looked | None:
        """See `ports.ComposeTxn.looked`."""
        last = checks.last_look(self._conn, domain)
        if last is None:
            return None
        known = tuple(checks.known(self._conn, domain))
        return Looked(last[0], known, tuple(checks.last_shown(self._conn, domain)))

    def composed(self, hour: Time, days: Time) -> dict[str, Composed]:
        """See `ports.ComposeTxn.composed`; only what is an alert counts."""
        rows = self._conn.execute(
            f"SELECT recipient, sum(created_at >= ?1 AND event NOT IN ({_NO_ALERTS})),"
            " max(created_at >= ?1 AND event = 'flood'),"
            " max(created_at) FILTER (WHERE event = 'reminder'),"
            " max(created_at) FILTER (WHERE event = 'digest')"
            " FROM letters WHERE created_at >= ?2 GROUP BY recipient",
            (hour, min(hour, days)),
        )
        return {
            recipient: Composed(mails, bool(flooded), reminder, digest)
            for recipient, mails, flooded, reminder, digest in rows
        }

    def last_composed(self) -> dict[tuple[str, int], Time]:
        """See `ports.ComposeTxn.last_composed`."""
        rows = self._conn.execute(
            "SELECT told.recipient, failures.cause_id, max(told.at) FROM failures"
            " JOIN told ON told.failure_id = failures.id WHERE failures.cause_id IN"
            f" (SELECT cause_id FROM failures WHERE id IN ({_CONCERNED})) GROUP BY 1, 2"
        )
        return {(recipient, cause): at for recipient, cause, at in rows}

    def maintenances(self, numbers: Collection[int]) -> list[Maintenance]:
        """See `ports.ComposeTxn.maintenances`."""
        found = (maintenance.one(self._conn, number) for number in sorted(numbers))
        return [one for one in found if one is not None]

    def domains(self) -> list[str]:
        """See `ports.ComposeTxn.domains`; sorted."""
        return backlog.domains(self._conn)

    def backlog(self, names: Collection[str]) -> Backlog | None:
        """See `ports.ComposeTxn.backlog`."""
        return backlog.backlog(self._conn, names)

    def save_letters(self, letters: Sequence[Letter], now: Time) -> None:
        """See `ports.ComposeTxn.save_letters`."""
        add_letters(self._conn, letters, now)
        self.save_told([one for letter in letters for one in letter.told])

    def save_told(self, rows: Sequence[Told]) -> None:
        """See `ports.ComposeTxn.save_told`."""
        self._conn.executemany(
            f"INSERT OR REPLACE INTO told ({_TOLD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                    json_texts(one.steps),
                    one.opened_at,
                    one.reminded_at,
                    one.first_at,
                )
                for one in rows
            ],
        )


def told_of(conn: sqlite3.Connection, failure: int) -> list[Told]:
    """What each recipient was last told of one failure, by recipient."""
    rows = conn.execute(
        f"SELECT {_TOLD} FROM told WHERE failure_id = ? ORDER BY recipient", (failure,)
    )
    return [_told(row) for row in rows]


def _told(row: tuple[Any, ...]) -> Told:
    return Told(*(*row[:8], _decode_texts(row[8]), *row[9:]))
