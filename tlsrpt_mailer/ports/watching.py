"""What watching for silence and the digest read."""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from tlsrpt_mailer.alerts.digest_model import AnswerTime, Domain, Intake, Period
from tlsrpt_mailer.failures.silence import Seen
from tlsrpt_mailer.ports.canaries import SentCanary
from tlsrpt_mailer.ports.letters import FailureRecord, Letter, Told
from tlsrpt_mailer.report.times import Time


class SilentPair(msgspec.Struct, frozen=True):
    """A reporter that stopped reporting on a domain."""

    domain: str
    reporter: str
    since: Time
    """End of the last window before it stopped."""
    back: Time | None = None
    """When it was seen that it reports again."""


class DigestFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a digest is drawn from, over all domains."""

    domains: dict[str, Domain]
    """Those that a window of the period, or of four weeks, speaks of, and those looked at."""
    certificates: dict[str, Time]
    """When the first certificate ends that an MX host showed in the last days, by host."""
    failures: list[FailureRecord]
    """Open, or known to have ended in the period."""
    told: list[Told]
    """Who was told of those failures."""
    intake: Intake
    answered: tuple[AnswerTime, ...]
    mails: dict[str, int]
    """Alerts composed in the period, by recipient."""
    refused: frozenset[str]
    """Addresses whose last mail was given up."""
    silent: list[SilentPair]
    """Who is silent about what, or was until the period began."""


class DigestReads(Protocol):
    """What a digest asks of the database; reads only, beside whoever writes."""

    def first_report(self) -> Time | None:
        """When the first report was stored."""

    def figures(self, period: Period) -> DigestFigures:
        """All figures of the period, as one state of the database has them."""


class FirstReport(msgspec.Struct, frozen=True):
    """One window, as the mail about the first reports shows it."""

    reporter: str
    start: Time
    end: Time
    received: Time
    sessions: int
    failed: int


class SourceTrouble(msgspec.Struct, frozen=True):
    """How a source is doing, for the operator."""

    name: str
    state: str
    """starting, ok or trouble."""
    since: Time
    error: str | None
    tries: int
    next_try: Time | None
    last_report: Time | None = None
    """When the last mail with a report was taken from it."""


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """Something other than a failure that one recipient is told of, or finds in the digest."""

    kind: str
    """silent-reporter, silent-domain, intake, source, first, held or waiting."""
    key: str
    """What it is about: a reporter, a domain, a source; "" for the intake and for first."""
    recipient: str
    since: Time
    told_at: Time | None = None
    """When a mail said it; None: it is in the digest only."""
    ended_at: Time | None = None
    end_told_at: Time | None = None
    pairs: tuple[SilentPair, ...] = ()
    """Of silence: who stopped about what."""
    domains: tuple[str, ...] = ()
    """Of ``waiting``: those that were named."""


class LookedUp(msgspec.Struct, frozen=True):
    """What our own looks know of a domain's TLSRPT record."""

    at: Time
    """The last look in which DNS answered."""
    state: str
    """none, unneeded, broken, elsewhere or right."""
    is_told: bool
    """Whether what is wrong with it is open, and grave enough to be mailed."""


class Watching(Protocol):
    """What watching for silence reads and writes; each call is its own transaction."""

    def pairs(self, since: Time) -> list[tuple[str, str, Time]]:
        """(domain, reporter, end of the last window) of those with a window after *since*."""

    def seen(self, domain: str, since: Time) -> list[Seen]:
        """All windows about a domain that ended after *since*."""

    def receipts(self, since: Time) -> list[Time]:
        """When reports were taken, ascending, at most one an hour."""

    def last_receipt(self, now: Time) -> Time | None:
        """When the last report was taken."""

    def began(self) -> Time | None:
        """When this database stored its first mail."""

    def first(self, domain: str) -> Sequence[FirstReport]:
        """The oldest windows about a domain, three at most, the oldest first."""

    def was_alerted(self, recipient: str) -> bool:
        """Whether a mail has told this recipient of a failure."""

    def looked_up(self, domains: Collection[str]) -> dict[str, LookedUp]:
        """The records of these, as far as anybody has looked."""

    def canary(self) -> SentCanary | None:
        """The last test report to ourselves that came back."""

    def sources(self) -> list[SourceTrouble]:
        """How each source is doing."""

    def announced(self, kinds: Collection[str]) -> list[Announced]:
        """What was announced to whom, over or not."""

    def announce(self, rows: Sequence[Announced], letters: Sequence[Letter], now: Time) -> None:
        """Write these rows, and freeze the mails that say so."""
