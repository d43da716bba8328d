"""What people do: answers, maintenance, words on reporters."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from tlsrpt_mailer.failures.model import HumanAct
from tlsrpt_mailer.ports.letters import FailureRecord, Letter
from tlsrpt_mailer.report.times import Time

JsonValue: TypeAlias = str | int | Sequence[int] | None


class Maintenance(msgspec.Struct, frozen=True):
    """Planned quiet, as somebody entered it."""

    number: int
    kind: Literal["mx", "domain", "group"]
    value: str
    """A name, or a pattern such as ``*.mail.example.net`` (lower case, A-labels)."""
    start: Time
    end: Time
    who: str
    note: str | None
    made_at: Time


class AskedLetter(msgspec.Struct, frozen=True):
    """The mail that an answer brought the token of."""

    recipient: str
    subject: str
    message_id: str
    created: Time
    failures: tuple[int, ...]
    """All that it names."""


AnswerKind: TypeAlias = Literal["done", "not-understood", "refused", "expired", "passed-over"]


class Settled(msgspec.Struct, frozen=True):
    """One answer by mail that is dealt with."""

    sha256: bytes
    at: Time
    token: str
    sender: str | None
    outcome: AnswerKind
    message_id: str | None = None


class AuditEntry(msgspec.Struct, frozen=True):
    """One thing that a person did."""

    at: Time
    who: str
    way: str
    """``command``, or ``mail`` with how the sender was recognised."""
    action: str
    target: Mapping[str, JsonValue]
    """What it was done to."""
    note: str | None = None


ReporterWord: TypeAlias = Literal["trust", "distrust"]
"""trust: known, whatever it has reported so far; distrust: what it reports is left out."""


class SaidOfReporter(msgspec.Struct, frozen=True):
    """What an operator said of a reporter."""

    word: ReporterWord
    at: Time
    who: str
    note: str | None = None


class People(Protocol):
    """What people do, in the transaction that it is read from."""

    def failures(self, numbers: Collection[int]) -> list[FailureRecord]:
        """Those of these numbers that exist, by number."""

    def of_causes(self, causes: Collection[int]) -> list[FailureRecord]:
        """All failures of these causes, by number."""

    def told(self, recipient: str, numbers: Collection[int]) -> frozenset[int]:
        """Those of these failures that *recipient* was ever told of."""

    def ended(self, numbers: Collection[int]) -> Time | None:
        """When the last of these failures ended; None while one of them is open."""

    def last_acts(self, numbers: Collection[int]) -> dict[int, Time]:
        """When something was last said of these failures; those without a word are missing."""

    def save_acts(self, acts: Sequence[tuple[int, HumanAct]]) -> None:
        """Write what was said of each failure."""

    def save_audit(self, entry: AuditEntry) -> None:
        """Write down who did what."""

    def letter(self, token: str) -> AskedLetter | None:
        """The mail that this token was printed in."""

    def answered(self, sha256: bytes, token: str, message_id: str | None) -> AnswerKind | None:
        """What became of this very answer before: the same bytes, or the same Message-ID."""

    def answers(self, token: str, since: Time) -> dict[AnswerKind, int]:
        """How many answers with this token came since then, by what became of them."""

    def save_answer(self, answered: Settled) -> None:
        """Remember that this mail is dealt with."""

    def save_letters(self, letters: Sequence[Letter], now: Time) -> None:
        """Freeze these mails, to go out at once."""

    def maintenance(self, number: int) -> Maintenance | None:
        """One planned quiet."""

    def add_maintenance(self, new: Maintenance) -> int:
        """Write it down, and return the number that it gets; *new* has none."""

    def end_maintenance(self, number: int, end: Time) -> None:
        """It is over at *end*; one that had not begun by then is no more."""

    def said_of_reporters(self) -> Mapping[str, SaidOfReporter]:
        """By reporter: what is said of it."""

    def save_reporter_word(
        self, reporter: str, word: ReporterWord | None, at: Time, who: str, note: str | None
    ) -> None:
        """Write down what somebody says of a reporter; None takes back what was said."""

    def domains_of_reporters(self, reporters: Collection[str]) -> list[str]:
        """The domains of which any of these has reported, signed or not."""

    def open_failures(self, domains: Collection[str]) -> int:
        """How many failures of these domains are open."""

    def open_at_mx(self, matches: Callable[[str], bool]) -> list[str]:
        """The domains with an open failure at an MX that *matches*."""
