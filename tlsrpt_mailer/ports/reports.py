"""Reports on their way into the store."""

from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.failures.model import Window
from tlsrpt_mailer.intake.model import FoundReport, MailFacts
from tlsrpt_mailer.ports.mail import Outcome, RawMail, Receipt
from tlsrpt_mailer.report.times import Time

Trusted: TypeAlias = Literal[
    "unchecked", "operator", "pass", "history", "pending", "unsigned", "third-party", "fail"
]
"""Whose word a report is. ``unchecked``: ``trust.dkim = "off"``; ``operator``: somebody here says
so; the others: `trust.model.Word`. With ``"mark"`` any of them may count."""

HeldFor: TypeAlias = Literal["signature", "pending", "foreign", "proposed"]
"""Why a readable report does not count: no valid signature; DNS did not answer; none of its
policies is ours; none is, as far as is known by now."""


class NewReport(msgspec.Struct, frozen=True):
    """One report about to be stored."""

    found: FoundReport
    reporter: str
    revision_key: bytes
    """Hash of reporter, report-id, range and set of policy domains."""
    status: Literal["counted", "superseded", "held"]
    supersedes: int | None
    """The number of the older revision that this one takes the place of."""
    windows: tuple[Window, ...]
    """What it says of each domain; () when it drives nothing. The store fills in `report`."""
    sessions: int
    """All sessions, for the choice between revisions."""
    reason_classes: tuple[tuple[str | None, ...], ...]
    """For each policy, for each failure detail: its reason class, None where no text came."""
    trust: Trusted = "unchecked"
    trust_reason: str | None = None
    """In words for a person; may hold names out of the mail."""
    signed_by: str | None = None
    """d= of its signature: verified for ``pass``, else claimed."""
    held_for: HeldFor | None = None
    """Of a held one: why."""
    foreign: frozenset[int] = frozenset()
    """Positions of the policies that are not ours: stored, never counted."""
    proposed: frozenset[str] = frozenset()
    """Domains in it of which nobody knows yet whether they are ours."""
    rivals: tuple[bytes, ...] = ()
    """Revision keys of the same report under names that say more, or less, of who wrote it."""
    replaces: tuple[int, ...] = ()
    """Numbers of reports with the same JSON that are believed less: held, or counted under a
    name of lower standing."""
    vouched_by: str | None = None
    """Of one that is not believed: the id of its topmost Authentication-Results, if they say that
    the author's domain signed."""


class Entry(msgspec.Struct, frozen=True):
    """One mail about to be written into the ledger, with what is in it."""

    mail: RawMail
    sha256: bytes
    facts: MailFacts
    outcome: Outcome
    reason: str | None
    reports: tuple[NewReport, ...] = ()
    """Those to be stored; duplicates are not here."""
    found: int = 0
    """How many reports the mail held, duplicates included."""
    keep: Literal["quarantine", "held", "ignored", "no"] = "no"
    """Where the raw bytes go."""
    next_try: Time | None = None
    """Of a held mail whose key could not be asked for: when to ask again."""
    forward_to: str | None = None
    """Hand the raw mail on to this address by way of the outbox, in the same transaction."""


class StoredRevision(msgspec.Struct, frozen=True):
    """A counted report that a new one may be a revision of."""

    report: int
    date: Time
    sessions: int
    digest: bytes
    trust: Trusted = "unchecked"


class HeldCopy(msgspec.Struct, frozen=True):
    """A report that is held."""

    report: int
    held_for: HeldFor
    reporter: str
    trust: Trusted
    vouched_by: str | None = None


class CountedCopy(msgspec.Struct, frozen=True):
    """A report that counts, or did before it was superseded, under a name without a mark."""

    report: int
    reporter: str
    trust: Trusted
    counts: bool


class Known(msgspec.Struct, frozen=True):
    """What the store already has of a batch."""

    mails: dict[bytes, Receipt]
    """By SHA-256 of the raw mail: those stored or quarantined, with the receipt for a repeat."""
    digests: frozenset[bytes]
    """Canonical JSON among counted (or superseded) reports, and those that are rolled up."""
    revisions: dict[bytes, StoredRevision]
    """By revision key."""
    unproven: dict[bytes, tuple[int, ...]] = {}
    """The same for those under a marked name (`report.marks`), with the numbers that count."""
    held: dict[bytes, tuple[HeldCopy, ...]] = {}
    """The same for those that are held."""
    counted: dict[bytes, tuple[CountedCopy, ...]] = {}
    """The reports that `digests` are of; none where they are rolled up."""
