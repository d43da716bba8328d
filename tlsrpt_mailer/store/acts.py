"""What people do, and the answers by mail that they do it with."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import cast

from tlsrpt_mailer.failures.model import HumanAct
from tlsrpt_mailer.ports import (
    AnswerKind,
    AskedLetter,
    AuditEntry,
    FailureRecord,
    Letter,
    Maintenance,
    ReporterWord,
    SaidOfReporter,
    Settled,
)
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store import audit, maintenance, words
from tlsrpt_mailer.store.bind import select_in, text, text_or_none
from tlsrpt_mailer.store.judging import record
from tlsrpt_mailer.store.outbox import add_letters


class SqlitePeople:
    """`ports.People`, on a connection with a transaction begun."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    def failures(self, numbers: Collection[int]) -> list[FailureRecord]:
        """See `ports.People.failures`."""
        return self._records("id", numbers)

    def of_causes(self, causes: Collection[int]) -> list[FailureRecord]:
        """See `ports.People.of_causes`."""
        return self._records("cause_id", causes)

    def _records(self, column: str, keys: Collection[int]) -> list[FailureRecord]:
        rows = select_in(
            self._conn,
            f"SELECT id, cause_id, verdict FROM failures WHERE {column} IN ({{keys}})",
            keys,
        )
        return sorted((record(*row) for row in rows), key=lambda one: one.id)

    def told(self, recipient: str, numbers: Collection[int]) -> frozenset[int]:
        """See `ports.People.told`; addresses are compared without case."""
        rows = select_in(
            self._conn,
            "SELECT failure_id, recipient FROM told WHERE failure_id IN ({keys})",
            numbers,
        )
        wanted = text(recipient).lower()
        return frozenset(number for number, told in rows if told.lower() == wanted)

    def ended(self, numbers: Collection[int]) -> Time | None:
        """See `ports.People.ended`."""
        rows = list(
            select_in(
                self._conn,
                "SELECT is_open, coalesce(ended_at, resolved_at, judged_at) FROM failures"
                " WHERE id IN ({keys})",
                numbers,
            )
        )
        if any(is_open for is_open, _ in rows):
            return None
        return max((at for _, at in rows), default=0)

    def last_acts(self, numbers: Collection[int]) -> dict[int, Time]:
        """See `ports.People.last_acts`."""
        rows = select_in(
            self._conn,
            "SELECT failure_id, max(at) FROM acts WHERE failure_id IN ({keys}) GROUP BY failure_id",
            numbers,
        )
        return {failure: int(at) for failure, at in rows}

    def save_acts(self, acts: Sequence[tuple[int, HumanAct]]) -> None:
        """See `ports.People.save_acts`."""
        self._conn.executemany(
            "INSERT INTO acts (failure_id, incident, kind, at, who, until, note, assignee)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    failure,
                    act.incident,
                    act.kind,
                    act.at,
                    text(act.who),
                    act.until,
                    text_or_none(act.note),
                    text_or_none(act.assignee),
                )
                for failure, act in acts
            ],
        )

    def save_audit(self, entry: AuditEntry) -> None:
        """See `ports.People.save_audit`."""
        audit.add(self._conn, entry)

    def letter(self, token: str) -> AskedLetter | None:
        """See `ports.People.letter`."""
        row = self._conn.execute(
            "SELECT id, recipient, subject, message_id, created_at FROM letters WHERE token = ?",
            (token,),
        ).fetchone()
        if row is None:
            return None
        number, recipient, subject, message_id, created = row
        named = self._conn.execute(
            "SELECT failure_id FROM letter_failures WHERE letter_id = ? ORDER BY failure_id",
            (number,),
        )
        failures = tuple(failure for (failure,) in named)
        return AskedLetter(recipient, subject, message_id, created, failures)

    def answered(self, sha256: bytes, token: str, message_id: str | None) -> AnswerKind | None:
        """See `ports.People.answered`."""
        row = self._conn.execute(
            "SELECT outcome FROM answers WHERE sha256 = ?", (sha256,)
        ).fetchone()
        if row is None and message_id is not None:
            row = self._conn.execute(
                "SELECT outcome FROM answers WHERE token = ? AND message_id = ?",
                (token, text(message_id)),
            ).fetchone()
        return None if row is None else cast("AnswerKind", row[0])

    def answers(self, token: str, since: Time) -> dict[AnswerKind, int]:
        """See `ports.People.answers`."""
        rows = self._conn.execute(
            "SELECT outcome, count(*) FROM answers WHERE token = ? AND at > ? GROUP BY outcome",
            (token, since),
        )
        return {cast("AnswerKind", outcome): int(count) for outcome, count in rows}

    def save_answer(self, answered: Settled) -> None:
        """See `ports.People.save_answer`."""
        self._conn.execute(
            "INSERT INTO answers (sha256, at, token, sender, outcome, message_id)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                answered.sha256,
                answered.at,
                answered.token,
                text_or_none(answered.sender),
                answered.outcome,
                text_or_none(answered.message_id),
            ),
        )

    def save_letters(self, letters: Sequence[Letter], now: Time) -> None:
        """See `ports.People.save_letters`."""
        add_letters(self._conn, letters, now)

    def maintenance(self, number: int) -> Maintenance | None:
        """See `ports.People.maintenance`."""
        return maintenance.one(self._conn, number)

    def add_maintenance(self, new: Maintenance) -> int:
        """See `ports.People.add_maintenance`."""
        return maintenance.add(self._conn, new)

    def end_maintenance(self, number: int, end: Time) -> None:
        """See `ports.People.end_maintenance`."""
        maintenance.end(self._conn, number, end)

    def said_of_reporters(self) -> dict[str, SaidOfReporter]:
        """See `ports.People.said_of_reporters`."""
        return words.said(self._conn)

    def save_reporter_word(
        self, reporter: str, word: ReporterWord | None, at: Time, who: str, note: str | None
    ) -> None:
        """See `ports.People.save_reporter_word`."""
        words.save(self._conn, reporter, word, at, who, note)

    def domains_of_reporters(self, reporters: Collection[str]) -> list[str]:
        """See `ports.People.domains_of_reporters`; sorted."""
        return words.domains_of(self._conn, reporters)

    def open_failures(self, domains: Collection[str]) -> int:
        """See `ports.People.open_failures`."""
        sql = "SELECT count(*) FROM failures WHERE is_open = 1 AND domain IN ({keys})"
        return sum(count for (count,) in select_in(self._conn, sql, [text(d) for d in domains]))

    def open_at_mx(self, matches: Callable[[str], bool]) -> list[str]:
        """See `ports.People.open_at_mx`; sorted."""
        rows = self._conn.execute("SELECT DISTINCT domain, mx FROM failures WHERE is_open = 1")
        return sorted({domain for domain, mx in rows if mx and matches(mx)})
