"""Where mails come from, and what a source remembers."""

import threading
from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from tlsrpt_mailer.ports.mail import Deliver
from tlsrpt_mailer.report.times import Span, Time


class Health(Protocol):
    """Where a source says how it is doing; thread-safe; feeds status and the watchdog."""

    def beat(self, within: Span = 60) -> None:
        """The thread makes progress, and will say so again within *within* seconds."""

    def fine(self, detail: str = "") -> None:
        """The source works now (logged in, bound). *detail* is for `status`."""

    def trouble(self, error: str, next_try: Span | None = None) -> None:
        """The source does not work: what the other side said, and when it tries again."""

    def warn(self, warning: str | None) -> None:
        """Something to mend that stops nothing (None: it is mended), shown by `status`."""

    def backlog(self, mails: int) -> None:
        """How many mails wait in the present drain; 0 when it is done."""


class Source(Protocol):
    """Where mails come from. One thread each, made by the daemon."""

    @property
    def name(self) -> str:
        """Stable and unique, such as ``lmtp:127.0.0.1:8825``."""

    def open(self) -> None:
        """Bind listeners; nothing that needs another server. Raises ConfigError or CannotWrite."""

    def run(self, deliver: Deliver, health: Health, stop: threading.Event) -> None:
        """Work until *stop* is set, whatever the other side does; return within 1.5 s of it."""

    def drain(self, deliver: Deliver, health: Health) -> None:
        """For `once`: take all there is now, then return. Raises Unreachable."""

    def close(self) -> None:
        """Shut sockets, at once, from any thread."""


class Position(msgspec.Struct, frozen=True):
    """How far an IMAP folder has been read."""

    uidvalidity: int
    uid: int
    """Every UID up to this one is over, or noted."""


class Noted(msgspec.Struct, frozen=True):
    """One IMAP message that is not over yet: waits for its deletion, or was left."""

    uid: int
    outcome: str
    at: Time


class Positions(Protocol):
    """What an IMAP source remembers; each call is its own small transaction."""

    def position(self, source: str, folder: str) -> Position | None:
        """How far *folder* has been read, or None."""

    def save_position(self, source: str, folder: str, position: Position) -> None:
        """Remember; notes of another UIDVALIDITY are dropped."""

    def note(self, source: str, folder: str, uidvalidity: int, noted: Sequence[Noted]) -> None:
        """Remember these messages (an insert or replace by UID)."""

    def noted(self, source: str, folder: str, uidvalidity: int) -> list[Noted]:
        """All that were noted and not forgotten."""

    def forget(self, source: str, folder: str, uidvalidity: int, uids: Collection[int]) -> None:
        """These messages are gone."""
