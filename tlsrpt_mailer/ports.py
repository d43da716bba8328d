"""
What the flows need of the world, as protocols and frozen structs.

Sources are handed a `Deliver`; the store hands out a `Txn`; a channel sends
frozen bytes. Adapters live above this module and are built in ``wiring``
alone. Every name here is used by at least two packages.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol, TypeAlias

import msgspec

from tlsrpt_mailer.alerts.digest_model import AnswerTime, Domain, Intake, Period
from tlsrpt_mailer.domains.ours import State
from tlsrpt_mailer.failures.model import HumanAct, Identity, Verdict, Window
from tlsrpt_mailer.failures.silence import Seen
from tlsrpt_mailer.intake.model import FoundReport, MailFacts
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import Span, Time

JsonValue: TypeAlias = str | int | Sequence[int] | None

Outcome: TypeAlias = Literal[
    "stored", "superseded", "duplicate", "held", "quarantined", "ignored", "failed"
]
"""``failed`` is temporary trouble of ours: the source keeps the mail and offers it again."""


class RawMail(msgspec.Struct, frozen=True):
    """One mail (or bare report file) as a source took it."""

    raw: bytes
    source: str
    """The source's name, such as ``imap:tlsrpt@imap.example.com``."""
    taken_at: Time
    """IMAP's INTERNALDATE, the moment of arrival, or a file's import."""
    file_name: str | None = None
    """Only for bare report files: content alone decides what it is."""
    keep_ignored: bool = False
    """True where the source cannot leave a mail that is no report (SMTP, LMTP, pipe):
    its raw bytes then go to ``ignored`` (or are forwarded) before it is acknowledged."""
    forward_to: str | None = None
    """Hand this mail on to this address, whatever it is (mail for the postmaster)."""
    forward_ignored_to: str | None = None
    """Hand it on to this address if it is no report, in place of keeping it."""
    again: bool = False
    """Read it anew though it lies in quarantine or is held: an operator asked for that, or its
    key may be in reach by now."""
    trusted: bool = False
    """By whom it is stands on the operator's word: a file that was imported, a held report that
    was released as it is."""
    sender: str | None = None
    """The envelope's sender, where the source knows it: ``<>`` for none."""
    recipients: tuple[str, ...] = ()
    """The envelope's recipients, likewise."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of one mail. Final once returned: it is committed (or `failed`)."""

    outcome: Outcome
    reason: str | None = None
    reports: tuple[Outcome, ...] = ()
    """One outcome a report found, in order; empty for a mail without one."""


Deliver: TypeAlias = Callable[[Sequence[RawMail]], list[Receipt]]
"""Take mails into the store; one receipt a mail, in order, after the commit. Never raises
for trouble with a mail or with the store: such mails get a `failed` receipt."""


class Health(Protocol):
    """Where a source says how it is doing; thread-safe; feeds status and the watchdog."""

    def beat(self, within: Span = 60) -> None:
        """The thread makes progress, and will say so again within *within* seconds."""

    def fine(self, detail: str = "") -> None:
        """The source works now (logged in, bound). *detail* is for `status`."""

    def trouble(self, error: str, next_try: Span | None = None) -> None:
        """The source does not work: what the other side said, and when it tries again."""

    def warn(self, warning: str | None) -> None:
        """Something to mend that stops nothing (None: it is mended), shown by `status`."""

    def backlog(self, mails: int) -> None:
        """How many mails wait in the present drain; 0 when it is done."""


class Source(Protocol):
    """Where mails come from. One thread each, made by the daemon."""

    @property
    def name(self) -> str:
        """Stable and unique, such as ``lmtp:127.0.0.1:8825``."""

    def open(self) -> None:
        """Bind listeners; nothing that needs another server. Raises ConfigError or CannotWrite."""

    def run(self, deliver: Deliver, health: Health, stop: threading.Event) -> None:
        """Work until *stop* is set, whatever the other side does; return within 1.5 s of it."""

    def drain(self, deliver: Deliver, health: Health) -> None:
        """For `once`: take all there is now, then return. Raises Unreachable."""

    def close(self) -> None:
        """Shut sockets, at once, from any thread."""


class Position(msgspec.Struct, frozen=True):
    """How far an IMAP folder has been read."""

    uidvalidity: int
    uid: int
    """Every UID up to this one is over, or noted."""


class Noted(msgspec.Struct, frozen=True):
    """One IMAP message that is not over yet: waits for its deletion, or was left."""

    uid: int
    outcome: str
    at: Time


class Positions(Protocol):
    """What an IMAP source remembers; each call is its own small transaction."""

    def position(self, source: str, folder: str) -> Position | None:
        """How far *folder* has been read, or None."""

    def save_position(self, source: str, folder: str, position: Position) -> None:
        """Remember; notes of another UIDVALIDITY are dropped."""

    def note(self, source: str, folder: str, uidvalidity: int, noted: Sequence[Noted]) -> None:
        """Remember these messages (an insert or replace by UID)."""

    def noted(self, source: str, folder: str, uidvalidity: int) -> list[Noted]:
        """All that were noted and not forgotten."""

    def forget(self, source: str, folder: str, uidvalidity: int, uids: Collection[int]) -> None:
        """These messages are gone."""


# ---------------------------------------------------------------- store: ingest


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
    """Numbers of reports with the same JSON that are believed less: held, or counted without
    proof of who wrote them."""


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


class Known(msgspec.Struct, frozen=True):
    """What the store already has of a batch."""

    mails: dict[bytes, Receipt]
    """By SHA-256 of the raw mail: those stored or quarantined, with the receipt for a repeat."""
    digests: frozenset[bytes]
    """Canonical JSON among counted (or superseded) reports."""
    revisions: dict[bytes, StoredRevision]
    """By revision key."""
    unproven: dict[bytes, tuple[int, ...]] = {}
    """The same for those under a marked name (`report.marks`), with the numbers that count."""
    held: dict[bytes, tuple[HeldCopy, ...]] = {}
    """The same for those that are held."""


class Told(msgspec.Struct, frozen=True):
    """What a recipient was last told of a failure."""

    failure: int
    recipient: str
    incident: int
    event: str
    at: Time
    resolved_at: Time | None = None
    mails: int = 1
    """How many mails so far: the n of the next Message-ID is one more."""
    message_id: str | None = None
    """Of the first mail of the thread, for References."""
    steps: tuple[str, ...] = ()
    """All steps of the incident that the recipient knows of."""
    opened_at: Time | None = None
    """The last mail that said that it fails: reminders count from here."""
    reminded_at: Time | None = None
    first_at: Time | None = None
    """The first mail of this incident: escalation counts from here."""


class History(msgspec.Struct, frozen=True):
    """All that the judge needs of one domain."""

    domain: str
    windows: tuple[Window, ...]
    acts: dict[int, tuple[HumanAct, ...]]
    """By failure number."""
    numbers: dict[tuple[str, str, str, str], int]
    """(domain, policy type, result type, mx or "") to failure number, for those known before."""


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

    def failures(self, numbers: Collection[int]) -> "list[FailureRecord]":
        """Those of these numbers that exist, by number."""

    def of_causes(self, causes: Collection[int]) -> "list[FailureRecord]":
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

    def save_letters(self, letters: "Sequence[Letter]", now: Time) -> None:
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


class Txn(Protocol):
    """One write transaction (BEGIN IMMEDIATE); what is read in it may be written after."""

    @property
    def people(self) -> People:
        """What people do."""

    def known(
        self, mails: Collection[bytes], digests: Collection[bytes], keys: Collection[bytes]
    ) -> Known:
        """What is already there, of these hashes, digests and revision keys."""

    def reopen(self, mails: Collection[bytes]) -> dict[bytes, dict[bytes, Trusted]]:
        """Those of these mails of which reports are held, with whose word each was taken for, by
        digest: these reports go, for the mail is put in anew in this transaction. They keep
        their numbers where they are held again."""

    def ignored_bytes(self) -> int:
        """How much raw mail that is no report is kept."""

    def put(self, entries: Sequence[Entry]) -> None:
        """Write mails, reports, policies, details, windows and sightings; mark the superseded;
        keep raw bytes; queue forwards; drop the `taking` and fault notes of these mails."""

    def propose(self, domains: Collection[str], now: Time) -> None:
        """A believed report speaks of these, and nobody knows yet whether they are ours
        (`domains.ours`): their records are looked up by a job."""

    def domains_to_judge(self, domains: Collection[str]) -> list[str]:
        """Of these: the ones with a sighting or an open failure. Others need no judging."""

    def open_domains(self) -> list[str]:
        """All domains with a failure that has not ended, for the review by time alone."""

    def histories(self, domains: Collection[str]) -> list[History]:
        """Every counted window about these domains, in one go; those of a reporter that
        somebody distrusts are left out."""

    def established(self, reporters: Collection[str]) -> frozenset[str]:
        """Those that somebody here trusts, or with at least three counted windows over seven days
        with successes; nobody who is distrusted."""

    def maintenance(self) -> list[Maintenance]:
        """All planned quiet, past and future, by number."""

    def save_verdicts(self, verdicts: Iterable[Verdict], now: Time) -> None:
        """Write each failure's state; give new failures and causes a number."""


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

    def due(self, now: Time, limit: int) -> list[Adoption]:
        """The proposed ones whose record is to be looked up: those that never were first, of them
        those that waited longest."""

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

    def due(self, now: Time, limit: int) -> list[int]:
        """Those to be verified again, those that were tried least first."""

    def mail(self, number: int) -> PendingMail | None:
        """One of them; None once it waits no more."""

    def postpone(self, number: int, next_try: Time) -> None:
        """Verify it again then, if it waits still."""


class Faults(Protocol):
    """Notes that outlive a crash; each call commits at once."""

    def begin(self, mails: Sequence[bytes], now: Time) -> None:
        """These mails (SHA-256) are about to be read."""

    def survived(self, mails: Sequence[bytes]) -> None:
        """Of these, begun by this process, nothing but the writing is left to do."""

    def suspects(self) -> dict[bytes, int]:
        """Mails that were being read (or written) when the process died, with how often."""

    def failed(self, mail: bytes, error: str) -> int:
        """The core raised on these bytes once more; returns how often so far."""

    def done(self, mails: Sequence[bytes]) -> None:
        """These mails are over (a batch that was rolled back for trouble of ours)."""


# --------------------------------------------------------- store: compose, deliver


class Evidence(msgspec.Struct, frozen=True):
    """One window of one reporter, as an alert shows it."""

    reporter: str
    organization: str | None
    start: Time
    end: Time
    received: Time
    sessions: int
    failed: int
    report: int
    ips: tuple[tuple[str, int], ...] = ()
    """(receiving IP, failed sessions), most first, at most 8."""
    sending_ips: tuple[tuple[str, int], ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    """(failure-reason-code as it came, its class), at most 4."""
    mode: str | None = None
    policy_string: tuple[str, ...] = ()
    mx_host: tuple[str, ...] = ()
    trust: Trusted | None = None
    """Whose word the report is; None where it is not kept any more."""


class FailureRecord(msgspec.Struct, frozen=True):
    """A failure as the store keeps it."""

    id: int
    cause: int
    """The number of the cause: that of its first failure."""
    verdict: Verdict
    ended_at: Time | None = None
    """When it became known that it ended; only filled in for composing."""


class Letter(msgspec.Struct, frozen=True):
    """One mail, frozen: its bytes never change again, however often it is tried."""

    message_id: str
    recipient: str
    subject: str
    event: str
    """new, joined, worsened, not-fixed, regressed, resolved, maintenance, reminder, summary,
    flood, first, silent, digest, operator, answer, test, forward."""
    raw: bytes
    """For a channel that is no mail (recipient ``channel:NAME``): the JSON of a `Notice`."""
    told: tuple[Told, ...] = ()
    """What this mail tells; written with it."""
    token: str | None = None
    """What an answer to this mail must bring along."""
    failures: tuple[int, ...] = ()
    """Failures that the mail names without telling anything new (reminder, digest): an answer
    without numbers is about these and those in `told`."""
    key: str | None = None
    """For channels: the cause that the notice is about; the same for all its events."""


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


class ComposeTxn(Protocol):
    """What composing reads and writes, in one transaction."""

    def failures(self) -> list[FailureRecord]:
        """All failures that are open, or that were told open to somebody and have ended since."""

    def told(self) -> list[Told]:
        """For those failures and every recipient: the last that was told."""

    def evidence(self, failure: int, limit: int = 12) -> list[Evidence]:
        """The newest windows about its domain, failing and clean, newest first: those of
        reporters that saw it in the present incident."""

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


class Store(Protocol):
    """The database, as the flows see it."""

    def write(self) -> AbstractContextManager[Txn]:
        """BEGIN IMMEDIATE … COMMIT; rolled back on any exception.
        Raises Temporary where the database is locked or the disk is full."""

    def compose(self) -> AbstractContextManager[ComposeTxn]:
        """The same, for composing."""

    @property
    def faults(self) -> Faults:
        """Notes about mails that trouble the process."""


BY_MAIL = "mail"
"""The lane of everything that goes out by `[alerts.smtp]`."""
CHANNEL = "channel:"
"""Recipients that begin so are channels, each with a lane of its own."""


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
    """Those that a window of the period, or of four weeks, speaks of."""
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

    def sources(self) -> list[SourceTrouble]:
        """How each source is doing."""

    def announced(self, kinds: Collection[str]) -> list[Announced]:
        """What was announced to whom, over or not."""

    def announce(self, rows: Sequence[Announced], letters: Sequence[Letter], now: Time) -> None:
        """Write these rows, and freeze the mails that say so."""


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
