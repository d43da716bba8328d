"""What checking domains asks of the network, and of the database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from tlsrpt_mailer.domains.drift import Known
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.inventory import Summary
from tlsrpt_mailer.domains.seen import Answer, Page, RecordType, Seen, Shown
from tlsrpt_mailer.failures.model import Spell
from tlsrpt_mailer.report.times import Time


class Scout(Protocol):
    """
    Who looks at what domains publish and show. Thread-safe; no call ever raises.

    Texts may be anything that UTF-8 can encode.
    """

    def ask(self, name: str, kind: RecordType) -> Answer:
        """One question to DNS."""

    def page(self, domain: str) -> Page:
        """The MTA-STS policy of *domain*, fetched as a sender would (RFC 8461, 3.3)."""

    def show(self, host: str, ip: str) -> Shown:
        """STARTTLS on port 25 of one address of an MX host, and what it shows."""

    def silence(self, hosts: Sequence[str]) -> str | None:
        """
        Why DNS answers nothing here; None where it does.

        Args:
            hosts: Of others: names that are there.
        """

    def control(self, hosts: Sequence[str], kind: RecordType) -> str | None:
        """
        Why port 25 of none of these can be reached from here; None where it can.

        Args:
            hosts: Some that take mail from everybody.
            kind: ``A``: over IPv4; ``AAAA``: over IPv6.
        """


class Due(msgspec.Struct, frozen=True):
    """A domain that is to be looked at."""

    domain: str
    is_host: bool
    """Only an MX host of ours: nothing but its TLSRPT record matters."""


class Past(msgspec.Struct, frozen=True):
    """What earlier looks at a domain found."""

    at: Time | None = None
    """The last look."""
    known: tuple[Known, ...] = ()
    """Oldest first."""
    spells: tuple[Spell, ...] = ()
    """The last one of each finding."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at one domain, as it is written down."""

    seen: Seen
    is_host: bool
    findings: tuple[Finding, ...]
    """All of them, whatever their weight."""
    known: tuple[Known, ...]
    """What is new or changed of `Past.known`."""
    spells: tuple[Spell, ...]
    """What is new or changed of `Past.spells`."""
    summary: Summary
    next_at: Time
    hosts: tuple[str, ...] = ()
    """MX hosts with TLSA records, which are to have a TLSRPT record of their own (RFC 8460, 3);
    not those of providers."""


class Checks(Protocol):
    """The looks at domains; each call is its own transaction. Looks are saved by a `Txn`."""

    def enrol(self, domains: Collection[str], now: Time) -> int:
        """Look at these from now on, and at no others but their MX hosts; how many are new."""

    def due(self, now: Time, limit: int) -> list[Due]:
        """Those whose time has come, the longest overdue first."""

    def past(self, domains: Collection[str]) -> Mapping[str, Past]:
        """What is known of each of these."""

    def postpone(self, domains: Collection[str], at: Time) -> None:
        """Look at these no sooner than *at*."""

    def soon(self, domains: Collection[str], at: Time) -> None:
        """Look at these at *at*, those that are due before it excepted."""
