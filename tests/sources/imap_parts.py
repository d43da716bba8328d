"""What the tests of the IMAP source share: memory, recorders, a source for a server."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.servers.dovecot import PASSWORD
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.ports import Noted, Position, RawMail, Receipt
from tlsrpt_mailer.report.times import Span
from tlsrpt_mailer.sources.imap import ImapSource, Pace, Settings

QUICK = Pace(first_retry=0.02, longest_retry=0.1, first_idle=0.3, idle=540, steady=0)
PATIENCE = 20.0


class MemoryPositions:
    """`ports.Positions` that forgets when the process ends, and notes of older folders."""

    def __init__(self) -> None:
        self.at: dict[tuple[str, str], Position] = {}
        self.notes: dict[tuple[str, str, int, int], Noted] = {}

    def position(self, source: str, folder: str) -> Position | None:
        return self.at.get((source, folder))

    def save_position(self, source: str, folder: str, position: Position) -> None:
        self.at[source, folder] = position
        self.notes = {
            key: note
            for key, note in self.notes.items()
            if key[:2] != (source, folder) or key[2] == position.uidvalidity
        }

    def note(self, source: str, folder: str, uidvalidity: int, noted: Sequence[Noted]) -> None:
        for one in noted:
            self.notes[source, folder, uidvalidity, one.uid] = one

    def noted(self, source: str, folder: str, uidvalidity: int) -> list[Noted]:
        return [n for k, n in self.notes.items() if k[:3] == (source, folder, uidvalidity)]

    def forget(self, source: str, folder: str, uidvalidity: int, uids: Collection[int]) -> None:
        for uid in uids:
            self.notes.pop((source, folder, uidvalidity, uid), None)

    def outcomes(self) -> dict[int, str]:
        return {note.uid: note.outcome for note in self.notes.values()}


class Taking:
    """A `Deliver` that records, and answers by what is in the mail unless told otherwise."""

    def __init__(self) -> None:
        self.mails: list[RawMail] = []
        self.batches: list[int] = []
        self.outcome: Callable[[RawMail], str] = self.by_content
        self.before: Callable[[], None] = lambda: None

    @staticmethod
    def by_content(mail: RawMail) -> str:
        for outcome in ("quarantined", "ignored", "held", "duplicate", "superseded", "failed"):
            if outcome.encode() in mail.raw:
                return outcome
        return "stored"

    def __call__(self, mails: Sequence[RawMail]) -> list[Receipt]:
        self.before()
        self.mails += mails
        self.batches.append(len(mails))
        return [Receipt(self.outcome(mail), "disk full") for mail in mails]  # type: ignore[arg-type]

    @property
    def subjects(self) -> list[str]:
        return [subject_of(mail.raw) for mail in self.mails]


class Said:
    """A `Health` that records."""

    def __init__(self) -> None:
        self.details: list[str] = []
        self.troubles: list[str] = []
        self.waits: list[Span | None] = []
        self.warnings: list[str | None] = []
        self.backlogs: list[int] = []
        self.beats: list[Span] = []

    def beat(self, within: Span = 60) -> None:
        self.beats.append(within)

    def fine(self, detail: str = "") -> None:
        self.details.append(detail)

    def trouble(self, error: str, next_try: Span | None = None) -> None:
        self.troubles.append(error)
        self.waits.append(next_try)

    def warn(self, warning: str | None) -> None:
        self.warnings.append(warning)

    def backlog(self, mails: int) -> None:
        self.backlogs.append(mails)

    @property
    def warning(self) -> str:
        return (self.warnings[-1] if self.warnings else None) or ""


class Rig:
    """A source with everything around it recorded."""

    def __init__(self, port: int, user: str, **settings: Any) -> None:
        self.now = 1_800_000_000
        self.positions = MemoryPositions()
        self.taking = Taking()
        self.said = Said()
        self.limits = Limits()
        self.password = PASSWORD
        self.options: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": port,
            "username": user,
            "security": "none",
            "password_env": "X",
            "timeout": 10,
            **settings,
        }

    def source(self, pace: Pace = QUICK, **changes: Any) -> ImapSource:
        source = ImapSource(
            Settings(**{**self.options, **changes}),
            lambda: self.password,
            self.positions,
            lambda: self.now,
            self.limits,
            pace,
        )
        source.open()
        return source

    def drain(self, **changes: Any) -> None:
        self.source(**changes).drain(self.taking, self.said)

    @contextmanager
    def running(self, pace: Pace = QUICK, **changes: Any) -> Iterator[threading.Event]:
        """Runs in a thread; yields the stop. The stop must end it within 1.5 s."""
        stop = threading.Event()
        source = self.source(pace, **changes)
        thread = threading.Thread(
            target=source.run, args=(self.taking, self.said, stop), daemon=True
        )
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            began = time.monotonic()
            thread.join(10)
            took = time.monotonic() - began
        assert not thread.is_alive()
        assert took < 1.5 + 0.3, f"the stop took {took:.2f} s"


def mail(subject: str, size: int = 0) -> bytes:
    return f"Subject: {subject}\r\n\r\n".encode() + b"x" * size + b"\r\n"


def subject_of(raw: bytes) -> str:
    return raw.split(b"\r\n", 1)[0].decode().removeprefix("Subject: ")


def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait for *condition*, with a deadline."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        pause.wait(0.01)
