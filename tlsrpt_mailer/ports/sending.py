"""Ways out: frozen mails, notices to channels, and the outbox between."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tlsrpt_mailer.ports.letters import FailureRecord, Letter
from tlsrpt_mailer.report.times import Time

BY_MAIL = "mail"
"""The lane of everything that goes out by `[alerts.smtp]`."""

CHANNEL = "channel:"
"""Recipients that begin so are channels, each with a lane of its own."""


class Outgoing(msgspec.Struct, frozen=True):
    """One delivery that is due."""

    id: int
    letter: Letter
    attempts: int
    created: Time
    remote_ref: str | None = None
    """What the channel called the cause when it took an earlier notice of the same key."""


class Outbox(Protocol):
    """The frozen mails that wait for delivery; each call is its own transaction."""

    def due(self, now: Time, limit: int = 50, lane: str | None = None) -> list[Outgoing]:
        """Those whose next try has come, oldest first. A notice of a channel is not due while
        an earlier one of the same key waits. *lane*: `BY_MAIL`, or the recipient of a channel."""

    def lanes(self) -> list[str]:
        """The channels that anything waits for, by recipient."""

    def told_open(self, lane: str) -> list[FailureRecord]:
        """What that channel was told of and that is open now."""

    def sent(self, id: int, now: Time, answer: str, remote_ref: str | None = None) -> None:
        """The other side took it, and calls its cause *remote_ref*."""

    def retry(self, id: int, now: Time, error: str, next_try: Time) -> None:
        """It did not work; try again at *next_try*."""

    def give_up(self, id: int, now: Time, error: str) -> None:
        """It was refused for good, or the five days are over."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The mails that were tried and wait."""

    count: int
    since: Time = 0
    """When the first of them was to go out."""
    attempts: int = 0
    """The most of any of them."""
    answer: str = ""
    """What was said to the one that was tried last."""
    last_sent: Time | None = None
    """When the relay took a mail last, whichever."""


class RelayNote(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator was told of the relay."""

    since: Time
    told_at: Time
    ended_at: Time | None = None
    answer: str = ""


class RelayNotes(Protocol):
    """What watching the relay reads and writes; each call is its own transaction."""

    def waiting(self) -> Waiting:
        """The mails (no channel's notices) that were tried and wait."""

    def of_operator(self) -> list[Outgoing]:
        """Mails that wait, tried or not, whose event is operator or silent."""

    def note(self) -> RelayNote | None:
        """What was told last; None if the relay never was in trouble."""

    def save(self, note: RelayNote, letters: Sequence[Letter], now: Time) -> None:
        """Remember it, and freeze *letters*."""


class NoticeFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One failure as a channel hears of it; names may hold anything a report may."""

    failure: int
    event: str
    policy_domain: str
    policy_type: str
    result_type: str
    mx: str | None
    severity: str
    state: str
    first_seen: Time
    last_seen: Time
    resolved_at: Time | None
    failed_sessions: int
    sessions: int


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel that is no mail hands on; frozen as JSON in `Letter.raw`."""

    id: str
    """The same at each repeat of this notice, so that the other side can drop one."""
    key: str
    """Names the cause: the same for every event of it, on every channel, for ever."""
    event: str
    """As `Letter.event`."""
    severity: str
    is_open: bool
    """Whether anything of the cause is still open once this is read."""
    title: str
    text: str
    """The words of the mail."""
    at: Time
    host: str
    failures: tuple[NoticeFailure, ...] = ()
    """What it tells."""
    open_failures: tuple[NoticeFailure, ...] = ()
    """Everything of the cause that is open now, for a channel that keeps a state."""


class Sent(msgspec.Struct, frozen=True):
    """What the other side of a channel said."""

    answer: str
    remote_ref: str | None = None
    """Its name for the cause (a thread, a ticket): kept, and handed to what follows."""


class Notifier(Protocol):
    """A way out for notices: a webhook, a command, a chat. One file a kind (docs/how-to)."""

    def notify(self, notice: Notice, remote_ref: str | None) -> Sent:
        """
        Hand over one notice.

        Args:
            remote_ref: What an earlier notice of the same key brought back; None for the first.

        Raises:
            Temporary: It may work later; it is tried again for five days.
            ConfigError: The same, once the operator has mended it: a secret cannot be read.
            Refused: It never will.
        """


class Keeper(Protocol):
    """A notifier whose other side forgets a failure that is not said again now and then."""

    def refresh(self, failures: Sequence[NoticeFailure]) -> None:
        """
        All that the channel was told of and that is open now; called every few minutes.

        Raises:
            Temporary, Refused: As `Notifier.notify`; the next turn tries again.
        """


class Channel(Protocol):
    """A way out for frozen mails."""

    def send(self, letter: Letter) -> str:
        """
        Hand over one mail; returns what the other side answered.

        Raises:
            Temporary: It may work later.
            Refused: It never will.
        """
