"""
The words of the heart: windows, sightings, acts, and the verdict on a failure.

Everything here is data; the functions beside it are pure. Times are seconds
(`report.times.Time`), ranges are half-open.
"""

from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.times import Time

State: TypeAlias = Literal[
    "resolved", "closed", "stale", "muted", "acknowledged", "fixed?", "new", "regressed", "ongoing"
]
"""``closed`` is a stale failure 30 days later: ended, but unconfirmed."""
Severity: TypeAlias = Literal["critical", "warning", "notice", "low"]
Act: TypeAlias = Literal["ack", "fixed", "mute", "assign", "reopen"]

Origin: TypeAlias = Literal["report", "finding"]
"""Who says so: reports of senders, or our own look at what a domain publishes and shows."""

SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "notice", "low")
ENDED: frozenset[State] = frozenset({"resolved", "closed"})

CHECK = "check"
"""What stands in a finding's identity for the policy type."""
FOREVER: Time = 253_402_300_799
"""9999-12-31T23:59:59Z: until somebody says otherwise."""


class Sessions(msgspec.Struct, frozen=True):
    """The session counts of one policy type in one window (all its policies together)."""

    policy_type: str
    successful: int
    failed: int
    mode: str | None = None
    """The MTA-STS mode that the report quotes."""


class Sighting(msgspec.Struct, frozen=True):
    """One kind of failure in one window, its rows added up, hosts normalised but nothing folded."""

    policy_type: str
    result_type: str
    mx: str | None
    sessions: int
    reasons: tuple[str, ...] = ()
    """Reason classes (report.dialects), sorted, without repeats; () where no text came."""


class Window(msgspec.Struct, frozen=True):
    """What one reporter's report says of one domain over one range of time."""

    domain: str
    reporter: str
    start: Time
    end: Time
    report: int
    """The store's number of the report; several windows may share it."""
    received: Time
    """When we took the mail."""
    date: Time
    """The mail's Date header, else the receipt. First to decide between revisions."""
    digest: bytes
    sessions: tuple[Sessions, ...]
    sightings: tuple[Sighting, ...] = ()


class Identity(msgspec.Struct, frozen=True, order=True):
    """What makes a failure the same failure."""

    domain: str
    policy_type: str
    """Of a finding: `CHECK`."""
    result_type: str
    """Of a finding: its code."""
    mx: str | None
    kind: Origin = "report"


class Cause(msgspec.Struct, frozen=True, order=True):
    """What failures of many domains have in common: exactly one of mx and domain is set."""

    result_type: str
    mx: str | None
    domain: str | None


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of time in which every look at a domain found the same thing wrong."""

    code: str
    mx: str | None = None
    severity: Severity
    """As the last look has it."""
    clean_at: Time | None = None
    """The last look before it; None where there was none."""
    first_at: Time
    last_at: Time
    looks: int = 1
    """How many looks have found it."""
    critical_at: Time | None = None
    """When a look first found it critical."""
    ended_at: Time | None = None
    """The first look that did not find it any more."""
    facts: dict[str, str] = msgspec.field(default_factory=dict)
    """What the words about it are filled with; may hold anything that DNS may."""


class HumanAct(msgspec.Struct, frozen=True):
    """What a person said of a failure."""

    kind: Act
    at: Time
    who: str
    until: Time | None = None
    """``ack`` and ``mute``: when it lapses; ``fixed``: the moment it was mended, if not `at`."""
    note: str | None = None
    incident: int = 1
    assignee: str | None = None
    """``assign``: the address that has it from now on."""


class Quiet(msgspec.Struct, frozen=True):
    """Planned maintenance that touches one domain: what fails in it is no news."""

    number: int
    start: Time
    end: Time
    mx: str | None = None
    """Only failures at this MX; None: every failure of the domain."""


class Answer(msgspec.Struct, frozen=True):
    """What a person last said of a failure that still matters to a reader, whether or not it
    still holds."""

    kind: Act
    who: str
    at: Time
    until: Time | None = None
    note: str | None = None
    assignee: str | None = None


class Witness(msgspec.Struct, frozen=True):
    """One reporter that saw the failure in the present incident, and how near acquitting it is."""

    reporter: str
    known: bool
    has_say: bool
    """Whether it is a witness: known (or none is), with a short window (or none has)."""
    failing_windows: int
    failed_sessions: int
    sessions: int
    last_failing_end: Time
    clean_windows: int
    """Clean windows after its last failing one."""
    acquitted_at: Time | None
    still_reports: bool


class Previous(msgspec.Struct, frozen=True):
    """The incident before the present one, as it ended."""

    incident: int
    severity: Severity
    first_seen: Time
    last_seen: Time
    """Of those who count, so strangers that went on do not move it."""
    first_received: Time
    resolved_at: Time | None
    """None: nobody confirmed that it was over, it was closed."""
    failed_sessions: int
    sessions: int
    answer: Answer | None = None
    """The last ack or fixed of that incident."""


class Verdict(msgspec.Struct, frozen=True):
    """All that the judge says of one failure at one moment."""

    identity: Identity
    cause: Cause
    state: State
    severity: Severity
    incident: int
    """1 for the first; counts up with each regression."""
    first_seen: Time
    """Start of the incident's first failing window."""
    clean_before: Time | None
    """End of the last clean window before it: it began between this and first_failing_end."""
    first_failing_end: Time
    last_seen: Time
    """End of the incident's newest failing window."""
    last_start: Time
    """The greatest start of a failing window of the incident."""
    first_received: Time
    last_received: Time
    resolved_at: Time | None
    stale_at: Time | None
    closed_at: Time | None
    failed_sessions: int
    """Over the failing windows of the incident."""
    sessions: int
    peak_share: float
    """The worst share of one reporter in one window."""
    mode: str | None
    reasons: tuple[str, ...]
    witnesses: tuple[Witness, ...]
    """Every reporter that saw it in the incident, by name; see `Witness.has_say`."""
    steps: tuple[str, ...] = ()
    """How bad it has become (failures.steps): a step not told before is *worsened*."""
    acknowledged_by: str | None = None
    acknowledged_until: Time | None = None
    previous: Previous | None = None
    """None in the first incident."""
    taken_back: bool = False
    """Ended because revisions have replaced every report that spoke of it."""
    muted_until: Time | None = None
    """`FOREVER` for a mute without an end; also set while the state is resolved or stale."""
    is_quiet: bool = False
    """Every failing window of the incident that counts overlaps planned maintenance."""
    maintenance: int | None = None
    """The newest maintenance that a failing window of the incident overlaps."""
    answer: Answer | None = None
    """The last ack or fixed of the incident, also where it was lifted or refuted since."""
    assigned: Answer | None = None
    """The last assign of the incident."""
    facts: dict[str, str] = msgspec.field(default_factory=dict)
    """Of a finding: see `Spell.facts`."""
    mended_at: Time | None = None
    """When our own look at its MX host found nothing wrong, after senders last saw it."""

    @property
    def is_finding(self) -> bool:
        """Whether our own looks found it, and no report says so."""
        return self.identity.kind == "finding"

    @property
    def is_open(self) -> bool:
        """Whether the failure goes on, as far as reports tell."""
        return self.state not in ENDED

    @property
    def share(self) -> float:
        """Failed sessions of the sessions in the incident's failing windows, 0 to 1."""
        return min(1.0, self.failed_sessions / self.sessions) if self.sessions else 1.0
