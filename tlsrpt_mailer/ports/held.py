"""Reports that are put aside: until their key is known, or whose domain it is."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec

from tlsrpt_mailer.domains.ours import State
from tlsrpt_mailer.ports.mail import RawMail
from tlsrpt_mailer.ports.reports import Trusted
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import Time


class Adoption(msgspec.Struct, frozen=True, kw_only=True):
    """A domain that believed reports speak of and that no ``[[domains]]`` names."""

    domain: str
    state: State
    first_at: Time
    """The first report about it."""
    last_at: Time
    changed_at: Time
    """Since when it is in that state."""
    next_try: Time | None = None
    """When its record is looked up next; None: never again."""
    tries: int = 0
    """How often that was done, or in a row without an answer."""
    record: str | None = None
    said: str | None = None
    """Why it is in that state, for a person; may hold anything that DNS may."""


class Proposer(msgspec.Struct, frozen=True):
    """Who speaks of domains of which nobody knows whose they are."""

    name: str
    is_known: bool = False
    """From the start, not by what it has reported: its word has no limit of its own."""


NOBODY = Proposer("")
"""All those together that nobody can tell apart: their names are not proven."""


class HeldReport(msgspec.Struct, frozen=True):
    """A report that is held for whose it is."""

    id: int
    mail: int
    policies: tuple[Policy, ...]
    """Type, domain and MX hosts alone."""


class Adoptions(Protocol):
    """What finding out whose domains are reads and writes; each call is its own transaction."""

    def found_out(self) -> dict[str, State]:
        """The domains of which it was found out."""

    def due(
        self, now: Time, limit: int, organisational: Callable[[str], str | None] = str
    ) -> list[Adoption]:
        """
        The proposed ones whose record is to be looked up.

        The reporters that speak of them take turns, and of one reporter the organisations; in
        each turn known reporters go first, then what was never looked up, what had no
        answer yet last, and of those alike who has waited longest.
        """

    def room(self) -> int:
        """How many more domains may be adopted."""

    def save(self, rows: Sequence[Adoption]) -> None:
        """Write what was found out; names that are not there any more stay away."""

    def look_again(self, now: Time) -> None:
        """Look up every proposed one at *now*."""

    def held(self, after: int, limit: int) -> list[HeldReport]:
        """Reports held as foreign or proposed, by number, past the number *after*."""

    def held_about(self, domain: str, after: int, limit: int) -> list[HeldReport]:
        """Those of them that speak of *domain*."""

    def mails(self, numbers: Collection[int]) -> list[RawMail]:
        """These held mails, to be read again; those whose bytes are gone are missing."""


class PendingMail(msgspec.Struct, frozen=True):
    """A mail that waits for the key that its signature names."""

    number: int
    tries: int
    """How often it was verified again."""
    mail: RawMail
    """To be read again (`RawMail.again`)."""


class PendingMails(Protocol):
    """The mails that wait for DNS; each call is its own transaction."""

    def due(
        self,
        now: Time,
        limit: int,
        organisational: Callable[[str], str | None] = str,
        known: Collection[str] = (),
    ) -> list[int]:
        """
        Those to be verified again.

        The domains that they say signed them take turns, those of one organisation among
        themselves; in each turn the *known* ones go first, then who has waited longest.
        """

    def mail(self, number: int) -> PendingMail | None:
        """One of them; None once it waits no more."""

    def postpone(self, number: int, next_try: Time) -> None:
        """Verify it again then, if it waits still."""


class Unbelieved(msgspec.Struct, frozen=True):
    """A report that is held for want of a valid signature; all of it a stranger may have made."""

    mail: int
    reporter: str
    """Who it says it is by."""
    trust: Trusted
    reason: str | None
    signed_by: str | None
    taken_at: Time
    stored_at: Time


class WaitingPair(msgspec.Struct, frozen=True):
    """Reports that wait until somebody says whose domain it is."""

    domain: str
    reporter: str
    reports: int


class PutAside(Protocol):
    """What watching held reports reads."""

    def unbelieved(self, since: Time) -> list[Unbelieved]:
        """Reports held for their signature in mails that were stored after *since*, of nobody
        who is distrusted; the newest first, a few thousand at most."""

    def believed(self, since: Time) -> dict[str, int]:
        """Reporter to how many of its reports verified, in mails stored after *since*."""

    def raw(self, mail: int) -> bytes | None:
        """The bytes of a mail; None where they are not kept."""

    def established(self, reporters: Collection[str]) -> frozenset[str]:
        """See `Txn.established`."""

    def waiting(self) -> list[WaitingPair]:
        """Domains whose record was looked up and does not say that they are ours."""
