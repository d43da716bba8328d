"""A store in a folder, an `Ingest` over it, and a clock that a test sets."""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from tlsrpt_mailer.flows.ingest import IGNORED_BYTES, Ingest, Settings
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.flows.trusting import Trust
from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.ports import RawMail, Receipt
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store

NOW: Time = 1_791_979_200  # 2026-10-14T12:00:00Z
STANDING = Standing(frozenset({"google.com", "microsoft.com"}))


def organisational(name: str) -> str | None:
    """Enough of a public suffix list for these tests."""
    labels = name.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


class World:
    """One program's flows over a database in *folder*."""

    def __init__(
        self,
        folder: Path,
        *,
        reader: Callable[[bytes, str | None], MailContent] | None = None,
        ignored_bytes: int = IGNORED_BYTES,
        now: Time = NOW,
        busy_seconds: float = 0.05,
        trust: Trust | None = None,
    ) -> None:
        self.now = now
        self.path = folder / "tlsrpt.db"
        self.store: SqliteStore = open_store(
            self.path, create=True, clock=self.clock, busy_seconds=busy_seconds
        )
        settings = Settings(
            read=reader or (lambda raw, name: read(raw, file_name=name)),
            organisational=organisational,
            standing=STANDING,
            ignored_bytes=ignored_bytes,
            trust=trust or Trust(),
        )
        self.ingest = Ingest(self.store, settings, self.clock)

    def clock(self) -> Time:
        return self.now

    def take(self, *raws: bytes, **fields: object) -> list[Receipt]:
        """Deliver these raw mails as one batch."""
        return self.ingest.deliver(self.mails(raws, **fields))

    def mails(self, raws: Sequence[bytes], **fields: object) -> list[RawMail]:
        return [RawMail(raw, "test:box", self.now, **fields) for raw in raws]  # type: ignore[arg-type]

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Ask the database by another connection, as an operator would."""
        with sqlite3.connect(self.path) as conn:
            return conn.execute(sql, values).fetchall()

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])  # type: ignore[call-overload]
