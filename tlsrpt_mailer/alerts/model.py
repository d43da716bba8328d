"""
The words of an alert: what the flows hand in, what comes out.

Strings that began in a report (domains, MX names, reasons, reporters' names)
may hold anything; `alerts.words` makes them safe where they are printed. Times
are seconds (`report.times.Time`), ranges are half-open.
"""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from hashlib import sha256
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

Severity: TypeAlias = Literal["critical", "warning", "notice", "low"]
Origin: TypeAlias = Literal["report", "finding"]
"""Who says so: senders, or our own look at what the domain publishes and shows."""
Event: TypeAlias = Literal["new", "worsened", "not-fixed", "regressed", "resolved", "left"]
"""What one failure's `Told` row says. ``left`` is told open, then named once more in a mail
that said that others of its cause are over."""
Kind: TypeAlias = Literal[
    "new",
    "joined",
    "worsened",
    "not-fixed",
    "regressed",
    "resolved",
    "maintenance",
    "reminder",
    "summary",
    "flood",
]
"""``maintenance``: what is still open after planned quiet, whatever its causes; ``reminder``:
all that is open and unanswered (its transitions have the event that was told last)."""
Role: TypeAlias = Literal[
    "domain", "mx", "policy-host", "default", "escalation", "assigned", "channel", "told"
]
"""Why somebody is told; ``told`` is who was told that it broke and is not responsible any more:
they hear the end, and nothing else."""

SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "notice", "low")


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One window of one reporter about the failure's domain."""

    reporter: str
    """The name that people know: ``Google``."""
    start: Time
    end: Time
    received: Time
    sessions: int
    failed: int
    """Of this failure; 0 is a clean window."""
    ips: tuple[tuple[str, int], ...] = ()
    """(receiving IP, failed sessions), most first."""
    sending_ips: tuple[tuple[str, int], ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    """(failure-reason-code as it came, its class)."""
    mode: str | None = None
    policy_string: tuple[str, ...] = ()
    mx_host: tuple[str, ...] = ()
    trust: str | None = None
    """Whose word it is: ``pass``, ``operator``, ``history``, ``unchecked``; else nobody knows."""
    is_strangers: bool = False
    """Whether nobody knows the reporter, where others see the failure that are known."""


class Previous(msgspec.Struct, frozen=True, kw_only=True):
    """The incident of a failure before the present one, as it ended."""

    incident: int
    severity: Severity
    first_seen: Time
    last_seen: Time
    first_received: Time
    resolved_at: Time | None = None
    """None: nobody confirmed that it was over."""
    failed_sessions: int = 0
    sessions: int = 0
    answer: "Answer | None" = None
    """The last ack or fixed of that incident."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of a failure."""

    kind: str
    """ack, fixed or assign."""
    who: str
    at: Time
    until: Time | None = None
    note: str | None = None
    assignee: str | None = None


class ShownAddress(msgspec.Struct, frozen=True, kw_only=True):
    """What one address of an MX host showed when we looked at it ourselves."""

    host: str
    ip: str
    at: Time
    trouble: str = ""
    """What is wrong with it, in few words; "" where nothing is."""
    is_same: bool = False
    """Whether that is what the senders report."""
    not_after: Time | None = None
    """The end of its certificate."""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a domain published or showed, and that was replaced."""

    kind: str
    """mx, ns, tlsrpt, sts, policy, tlsa, certificate."""
    about: str
    """The MX host, and of a certificate its address."""
    old: str
    new: str
    after: Time
    """The last look that found the old one."""
    before: Time
    """The first look that found the new one."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """An MTA-STS policy."""

    lines: tuple[str, ...]
    mode: str | None = None
    max_age: Span | None = None
    mx: tuple[str, ...] = ()
    id: str | None = None
    """As the record announces it."""
    since: Time | None = None
    """Since when the record does."""


Unseen: TypeAlias = Literal["dark", "off", "no-address", "blocked", "unknown"]
"""Why a look connected to no MX host. dark: DNS gave no answer; off: it was not to; no-address:
there is nowhere to connect to; blocked: port 25 cannot be reached from here."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What our own looks at the failure's domain have found."""

    at: Time
    """The last look."""
    unseen: Unseen | None = None
    """Why the last look connected to no MX host; None where it did."""
    shown: tuple[ShownAddress, ...] = ()
    """What they showed the last time; by an earlier look where `unseen` says why."""
    mx: tuple[str, ...] = ()
    """The MX hosts of today, by preference."""
    dark: frozenset[Literal["mx", "policy"]] = frozenset()
    """What DNS gave the last look no answer for; then `mx` and `policy` are what the last look
    saw that got one."""
    mx_at: Time | None = None
    """When that was, of the MX; None where no look ever got an answer."""
    policy: Served | None = None
    """The policy that is served today."""
    policy_at: Time | None = None
    """As `mx_at`, of the policy."""
    policy_error: str = ""
    """Why there is none."""
    old_until: Time | None = None
    """The last look that found the policy which the newest report quotes."""
    drift: tuple[Drift, ...] = ()
    """What changed shortly before the failure began, the oldest first."""
    still_since: Time | None = None
    """Where nothing did: since when nothing had, up to then."""
    looked_since: Time | None = None
    """The first look that got an answer: of what was before it nobody knows."""
    drift_after: tuple[Drift, ...] = ()
    """What changed after that, the oldest first."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One failure, as its verdict has it now."""

    failure: int
    cause: int
    cause_mx: str | None = None
    """The MX of its cause, also where the failure itself names none."""
    domain: str
    policy_type: str
    result_type: str
    mx: str | None = None
    mode: str | None = None
    severity: Severity
    state: str
    """The state that was judged: resolved and closed have ended, all others are open."""
    incident: int = 1
    first_seen: Time
    """Start of the incident's first failing window."""
    clean_before: Time | None = None
    """End of the last clean window before it."""
    first_failing_end: Time
    last_seen: Time
    """End of the newest failing window."""
    last_start: Time
    first_received: Time
    last_received: Time | None = None
    resolved_at: Time | None = None
    noticed_at: Time | None = None
    """When the report came that ended it; None: as `resolved_at`."""
    failed: int = 0
    """Failed sessions in the failing windows of the incident, all reporters."""
    sessions: int = 0
    reasons: tuple[str, ...] = ()
    """Reason classes of the incident."""
    evidence: tuple[Evidence, ...] = ()
    """Newest first; only needed to render."""
    previous: Previous | None = None
    """None in the first incident."""
    taken_back: bool = False
    """Over because the report that spoke of it was replaced by one that does not."""
    steps: tuple[str, ...] = ()
    """How bad it has become (`failures.steps`); one that was not told is *worsened*, and one
    that begins with ``not-fixed-`` is *not-fixed*."""
    muted_until: Time | None = None
    is_quiet: bool = False
    """All that failed in the incident failed in planned maintenance."""
    maintenance: int | None = None
    """The newest maintenance that a failing window of the incident overlaps."""
    answer: Answer | None = None
    """The last ack or fixed of the incident, whether or not it still holds (see `state`)."""
    assigned: Answer | None = None
    role: Role = "default"
    """Why this recipient is told of it."""
    role_of: str = ""
    """The owner's name, or who assigned it; for the footer."""
    asked_at: Time | None = None
    """Role escalation: when the owner was told, who has not answered since."""
    also_told: tuple[str, ...] = ()
    """The other addresses that are told of this very failure at once."""
    kind: Origin = "report"
    facts: Mapping[str, str] = {}
    """Of a finding: what its words are filled with."""
    mended_at: Time | None = None
    """When our own look at its MX found nothing wrong, after senders last saw it."""
    view: View | None = None
    run_by: str = ""
    """Who runs its MX host, where that is a provider; "" where it may be ours."""
    tell: str = ""
    """Whom to tell there, as it goes on after "tell"."""
    """Only needed to render; None where the domain was never looked at."""

    @property
    def is_finding(self) -> bool:
        """Whether our own look found it, not a sender."""
        return self.kind == "finding"

    @property
    def is_superseded(self) -> bool:
        """Whether it shows an incident that is over while a later one goes on (`plan`)."""
        return self.previous is not None and self.previous.incident == self.incident

    @property
    def is_open(self) -> bool:
        """Whether it goes on, as far as reports tell."""
        return self.state not in {"resolved", "closed"}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the recipient was last told of a failure."""

    failure: int
    incident: int
    event: str
    at: Time
    resolved_at: Time | None = None
    mails: int = 1
    message_id: str | None = None
    """Of the first mail of the thread."""
    steps: tuple[str, ...] = ()
    """All steps of the incident that the recipient knows of."""
    opened_at: Time | None = None
    """The last mail that said that it fails (new, worsened, not-fixed, regressed): reminders
    count from here. None in rows of before: as `at`."""
    reminded_at: Time | None = None
    first_at: Time | None = None
    """The first mail of this incident: escalation counts from here."""

    @property
    def is_open(self) -> bool:
        """Whether the recipient believes that it goes on."""
        return self.event != "resolved"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What decides when mails are due: ``[alerts]`` and the moment."""

    now: Time
    group_wait: Span = 5 * MINUTE
    group_interval: Span = 12 * HOUR
    resolve_wait: Span = 24 * HOUR
    max_per_hour: int = 20
    max_age: Span = 7 * DAY
    min_severity: Severity = "warning"
    escalate_after: Span = 2 * DAY
    slot: Time | None = None
    """The last `alerts.at` that is over: reminders go out once after it. None: no reminders."""
    close_groups: bool = False
    """For a run that ends (`once`): nothing waits for `group_wait`. The two limits on how
    often people hear of one cause hold all the same."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What was composed for this recipient before."""

    mails: int = 0
    """In this clock hour."""
    flooded: bool = False
    """Whether one of those was a flood summary."""
    last_mail: Mapping[int, Time] = msgspec.field(default_factory=dict)
    """Cause to its last mail; what is missing here is taken from the `Told` rows."""
    last_reminder: Time | None = None
    last_digest: Time | None = None


class Transition(msgspec.Struct, frozen=True):
    """One thing to tell: what happened to one failure, in the recipient's eyes."""

    item: Item
    event: Event
    n: int
    """The how-manieth mail to this recipient about this failure; 1 for the first."""
    before: Told | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One mail that is due to one recipient."""

    recipient: str
    kind: Kind
    transitions: tuple[Transition, ...]
    """What it tells, worst first; never empty."""
    others: tuple[Transition, ...] = ()
    """Failures of the same cause that the recipient was told of and that are still open (event
    ``left``): named when domains join, and left over in a partly resolved mail."""
    elsewhere: tuple[Item, ...] = ()
    """Open failures of other causes on the same domains."""
    references: tuple[str, ...] = ()
    """Message-IDs of the thread."""

    @property
    def items(self) -> tuple[Item, ...]:
        """The failures that the mail tells, worst first."""
        return tuple(transition.item for transition in self.transitions)

    @property
    def other_items(self) -> tuple[Item, ...]:
        """The failures of `others`."""
        return tuple(transition.item for transition in self.others)

    @property
    def key(self) -> str:
        """See `cause_key`, of the cause of the worst failure."""
        worst = self.items[0]
        return cause_key(worst.result_type, worst.cause_mx or worst.mx, worst.domain)

    @property
    def is_partial(self) -> bool:
        """Whether it tells that a part of a cause is over."""
        return self.kind == "resolved" and bool(self.others)


def cause_key(result_type: str, mx: str | None, domain: str | None) -> str:
    """What a channel calls a cause: the same for ever, whatever number the store gives it."""
    about = [result_type, mx or "", "" if mx else domain or ""]
    said = "\n".join(about).encode("utf-8", "surrogatepass")
    return f"tlsrpt-{sha256(said).hexdigest()[:20]}"


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One planned maintenance, for its name."""

    number: int
    kind: str
    """mx, domain or group."""
    value: str
    start: Time
    end: Time
    note: str | None = None


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What was read before the first mail: of the recipient's domains alone."""

    reports: int
    reporters: int
    domains: int
    first: Time
    """Start of the oldest counted window."""
    last: Time
    """End of the newest."""
    ended: int = 0
    """Failures that began and ended in it, and are not told one by one; 0: not counted."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Where and for whom a mail is written: all from the configuration."""

    now: Time
    host: str
    """Our own host name: for Message-IDs and the footer."""
    version: str
    recipient: str
    sender: str
    """An address, or ``Name <address>``."""
    also_told: tuple[str, ...] = ()
    """The other recipients of the same news."""
    list_id: str | None = None
    """None: ``tlsrpt-mailer.HOST``."""
    subject: Literal["state", "thread"] = "state"
    tls_required_no: bool = False
    """The caller decides: always, never, or because the recipient's own domain is in trouble."""
    auto_submitted: bool = True
    max_per_hour: int = 20
    group_interval: Span = 12 * HOUR
    reply_to: str | None = None
    """The address with its token that takes answers to this mail; None: no answers by mail."""
    zone: tzinfo = UTC
    """For the few times that are said in the reader's own zone (when the next digest comes)."""
    planned: tuple[Planned, ...] = ()
    """The maintenances that a group of kind maintenance may speak of."""
    backlog: Backlog | None = None
    """For a summary; None: it says nothing of what was read."""


class Rendered(msgspec.Struct, frozen=True):
    """One mail, ready to be frozen."""

    message_id: str
    """With angle brackets."""
    subject: str
    text: str
    html: str
    raw: bytes
    """The whole mail with CRLF."""
