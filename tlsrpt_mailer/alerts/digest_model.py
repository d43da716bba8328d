"""
What a digest is made of: sums that the store has read, and pages that were drawn from them.

`Material` knows every domain; only a `Page` goes to somebody, and it holds nothing but what is
theirs (`alerts.digest_pages`). Times are seconds, days are UTC and named by their start.
"""

from collections.abc import Mapping

import msgspec

from tlsrpt_mailer.alerts.model import Item
from tlsrpt_mailer.report.times import DAY, Span, Time

WEEK = 7
MOST_DAYS = 35
HABIT_DAYS = 28


class Period(msgspec.Struct, frozen=True):
    """What a digest speaks of: news between two moments, figures of whole UTC days."""

    begin: Time
    """What became known after this moment is news."""
    end: Time
    """The moment that the digest is due."""

    @property
    def until(self) -> Time:
        """The end of the last whole day before `end`."""
        return self.end - self.end % DAY

    @property
    def days(self) -> int:
        """How many days the sums are over: as long as the period is, a week at least."""
        length = round((self.end - self.begin) / DAY)
        return min(MOST_DAYS, max(WEEK, length))

    @property
    def since(self) -> Time:
        """The first of these days."""
        return self.until - self.days * DAY

    @property
    def before(self) -> Time:
        """The first of as many days before."""
        return self.since - self.days * DAY

    @property
    def week(self) -> tuple[Time, ...]:
        """The last seven days, oldest first."""
        return tuple(self.until - (WEEK - at) * DAY for at in range(WEEK))


class Sum(msgspec.Struct, frozen=True):
    """Sessions of all reporters; of each window the most of one policy type."""

    sessions: int = 0
    failed: int = 0
    reports: int = 0
    """How many windows; 0 is a time of which nobody speaks."""

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(
            self.sessions + other.sessions,
            self.failed + other.failed,
            self.reports + other.reports,
        )


class Pair(msgspec.Struct, frozen=True):
    """One reporter's last four weeks about one domain."""

    domain: str
    reporter: str
    days: int
    """On how many of them it has a window."""
    first: Time
    """Start of its first window in the four weeks."""
    last: Time
    """End of its last one."""
    delay: Span
    """From the end of a window to its report, on average."""
    sessions: int
    failed: int
    policies: tuple[tuple[str, str | None], ...] = ()
    """(policy type, MTA-STS mode) as its last report quotes them."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What our own looks at a domain know (`domains.inventory`); None where they do not."""

    record: str | None = None
    """none, unneeded, broken, elsewhere or right."""
    sts: str | None = None
    """none, broken, off, testing or enforce."""
    dane: str | None = None
    """none, unknown, unsigned, partial, broken or full."""
    mx: tuple[str, ...] = ()


class Domain(msgspec.Struct, frozen=True):
    """What reports say of one domain, and our own looks."""

    name: str
    days: Mapping[Time, Sum] = msgspec.field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    looked: Looked | None = None
    """None where nobody has looked."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One failure that is open, or ended in the period."""

    item: Item
    reporters: tuple[str, ...]
    """Who saw it in the incident, in the names that people know."""
    stale_at: Time | None = None
    closes_at: Time | None = None
    """When a stale one is closed unconfirmed."""
    ended_at: Time | None = None
    """When it became known that it ended."""
    told_at: Time | None = None
    """When somebody was first told of the incident; None: nobody was."""
    told_to: tuple[str, ...] = ()
    """Who was told of the incident."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A reporter that stopped, or began again, on some domains."""

    reporter: str
    domains: tuple[str, ...]
    last: Time
    """End of its last window."""
    resumed_at: Time | None = None


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """What came in during the period."""

    mails: Mapping[str, int] = msgspec.field(default_factory=dict)
    """By outcome."""
    waiting: int = 0
    """What the sources have not read yet."""
    trouble: tuple[str, ...] = ()
    """Names of sources that do not work now."""
    last_report: Time | None = None


class AnswerTime(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took from the first mail of a failure to somebody's first answer."""

    severity: str
    after: Span


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the digests of one moment are drawn from."""

    now: Time
    period: Period
    domains: Mapping[str, Domain]
    """All that reports speak of, that was looked at or the configuration names."""
    certificates: Mapping[str, Time] = msgspec.field(default_factory=dict)
    """When the first certificate ends that an MX host shows, by host."""
    failures: tuple[Failure, ...] = ()
    silences: tuple[Silence, ...] = ()
    intake: Intake = Intake()
    answered: tuple[AnswerTime, ...] = ()
    mails: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Alerts composed in the period, by recipient."""
    refused: frozenset[str] = frozenset()
    """Addresses whose last mail the relay refused."""
