"""The mails that the relay does not take, and what was told of that."""

from collections.abc import Sequence

import msgspec

from tlsrpt_mailer.ports import Letter, Outgoing, RelayNote, Waiting
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import json
from tlsrpt_mailer.store.connection import Writer
from tlsrpt_mailer.store.outbox import CHANNELS, OUTGOING, add_letters, outgoing

_WAITS = f"state = 'waiting' AND NOT ({CHANNELS})"
_TRIED = f"{_WAITS} AND attempts > 0"
_ROW = "kind = 'relay' AND key = '' AND recipient = ''"


class _Detail(msgspec.Struct):
    answer: str = ""


class SqliteRelayNotes:
    """`ports.RelayNotes`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def waiting(self) -> Waiting:
        """See `ports.RelayNotes.waiting`."""
        with self._writer.reading() as conn:
            count, since, attempts = conn.execute(
                "SELECT count(*), min(coalesce(done_at, created_at)), max(attempts)"
                f" FROM letters WHERE {_TRIED}"
            ).fetchone()
            # The last that the relay took: by the index on state and done_at.
            sent = conn.execute(
                f"SELECT done_at FROM letters WHERE state = 'sent' AND NOT ({CHANNELS})"
                " ORDER BY done_at DESC LIMIT 1"
            ).fetchone()
            last = sent[0] if sent else None
            if not count:
                return Waiting(count=0, last_sent=last)
            # The shortest wait for the next try is that of the last one tried.
            (answer,) = conn.execute(
                f"SELECT answer FROM letters WHERE {_TRIED} ORDER BY next_try DESC LIMIT 1"
            ).fetchone()
        return Waiting(
            count=count, since=since, attempts=attempts, answer=answer or "", last_sent=last
        )

    def of_operator(self) -> list[Outgoing]:
        """See `ports.RelayNotes.of_operator`."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                f"SELECT {OUTGOING}, NULL FROM letters AS one"
                f" WHERE {_WAITS} AND event IN ('operator', 'silent') ORDER BY id"
            ).fetchall()
        return [outgoing(row) for row in rows]

    def note(self) -> RelayNote | None:
        """See `ports.RelayNotes.note`."""
        with self._writer.reading() as conn:
            row = conn.execute(
                f"SELECT since, told_at, ended_at, detail FROM notices WHERE {_ROW}"
            ).fetchone()
        if row is None:
            return None
        answer = msgspec.json.decode(row[3], type=_Detail).answer
        return RelayNote(since=row[0], told_at=row[1], ended_at=row[2], answer=answer)

    def save(self, note: RelayNote, letters: Sequence[Letter], now: Time) -> None:
        """See `ports.RelayNotes.save`."""
        with self._writer.transaction() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO notices"
                " (kind, key, recipient, since, told_at, ended_at, end_told_at, detail)"
                " VALUES ('relay', '', '', ?, ?, ?, ?, ?)",
                (
                    note.since,
                    note.told_at,
                    note.ended_at,
                    note.ended_at,
                    json({"answer": note.answer}),
                ),
            )
            add_letters(conn, letters, now)
