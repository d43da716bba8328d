"""What composing reads and writes."""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from tlsrpt_mailer.domains.drift import Known
from tlsrpt_mailer.domains.seen import Seen, Shown
from tlsrpt_mailer.failures.model import Identity
from tlsrpt_mailer.ports.letters import Evidence, FailureRecord, Letter, Told
from tlsrpt_mailer.ports.people import Maintenance
from tlsrpt_mailer.report.times import Time


class Composed(msgspec.Struct, frozen=True):
    """What one recipient was mailed of late."""

    mails: int = 0
    """Alerts in the present hour."""
    flooded: bool = False
    last_reminder: Time | None = None
    last_digest: Time | None = None


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What was read about some domains."""

    reports: int
    reporters: int
    domains: int
    first: Time
    last: Time
    ended: tuple[Identity, ...]
    """Failures that are over and that nobody was told of."""


class Looked(msgspec.Struct, frozen=True):
    """The last look at a domain, and what earlier ones found."""

    seen: Seen
    known: tuple[Known, ...]
    shown: tuple[tuple[str, tuple[Shown, ...]], ...] = ()
    """Of each MX host that was ever connected to what it showed the last time; of the hosts of
    the last look that got an answer."""


class ComposeTxn(Protocol):
    """What composing reads and writes, in one transaction."""

    def failures(self) -> list[FailureRecord]:
        """All failures that are open, or that were told open to somebody and have ended since."""

    def told(self) -> list[Told]:
        """For those failures and every recipient: the last that was told."""

    def evidence(self, failure: int, limit: int = 12) -> list[Evidence]:
        """The newest windows about its domain, failing and clean, newest first: those of
        reporters that saw it in the present incident."""

    def looked(self, domain: str) -> Looked | None:
        """What looks at a domain found; None where it was never looked at."""

    def composed(self, hour: Time, days: Time) -> dict[str, Composed]:
        """What was composed, by recipient: mails count from *hour*, reminders and digests are
        looked for from *days* on. Whoever got nothing is missing."""

    def last_composed(self) -> dict[tuple[str, int], Time]:
        """When each recipient was last mailed on each cause that `failures` names."""

    def save_letters(self, letters: Sequence[Letter], now: Time) -> None:
        """Freeze the mails and write their `told` rows."""

    def maintenances(self, numbers: Collection[int]) -> list[Maintenance]:
        """Those of these numbers."""

    def domains(self) -> list[str]:
        """Every domain that a counted window speaks of."""

    def backlog(self, names: Collection[str]) -> Backlog | None:
        """What was read about these domains; None where nothing was."""

    def save_told(self, rows: Sequence[Told]) -> None:
        """Write rows that no mail stands for: a reminder, or what a channel lets pass."""
