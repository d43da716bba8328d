"""What the read queries return: one frozen struct a listing, with the words of the JSON."""

import msgspec

from tlsrpt_mailer.ports import HeldFor, SaidOfReporter, Trusted
from tlsrpt_mailer.report.times import Time


class MailRow(msgspec.Struct, frozen=True):
    """One mail of the ledger."""

    id: int
    source: str
    taken_at: Time
    stored_at: Time
    size: int
    message_id: str | None
    sender: str | None
    subject: str | None
    outcome: str
    reason: str | None
    reports: int
    seen: int


class ReportRow(msgspec.Struct, frozen=True):
    """One stored report."""

    id: int
    mail: int
    status: str
    superseded_by: int | None
    reporter: str
    organization_name: str | None
    submitter: str | None
    report_id: str | None
    contact_info: str | None
    start: Time | None
    end: Time | None
    taken_at: Time
    successful_sessions: int
    failed_sessions: int
    trust: Trusted
    trust_reason: str | None
    signed_by: str | None
    held_for: HeldFor | None
    domains: tuple[str, ...]
    deviations: tuple[str, ...]
    left_out: tuple[int, ...] = ()
    """Positions of its policies that are not counted: they were not known to be about ours."""


class KeptRow(msgspec.Struct, frozen=True):
    """One mail whose raw bytes are kept: quarantined or ignored."""

    id: int
    kind: str
    source: str
    taken_at: Time
    size: int
    sender: str | None
    subject: str | None
    file_name: str | None
    reason: str | None


class HeldMail(msgspec.Struct, frozen=True):
    """One mail with held reports."""

    mail: int
    source: str
    taken_at: Time
    file_name: str | None
    is_kept: bool
    """Whether its bytes are still there."""
    reports: tuple[int, ...]
    """Those of its reports that are held."""
    held_for: frozenset[str]
    is_vouched: bool = False
    """Whether an operator has vouched for it: then it is held only for its domains."""


class HeldTotals(msgspec.Struct, frozen=True):
    """How much is held."""

    counts: dict[str, int]
    """`ports.HeldFor` to number of reports."""
    since: Time | None
    """When the oldest of them was taken."""
    day_held: int
    """Reports in mails that were stored in the last 24 hours: held ones, and those that count."""
    day_counted: int


class ReporterRow(msgspec.Struct, frozen=True):
    """One reporter, or one name that reports bear without proof."""

    reporter: str
    word: SaidOfReporter | None
    """What somebody here said of it."""
    is_established: bool
    """`ports.Txn.established`."""
    domains: int
    """Of which it has ever reported."""
    held: int
    """Its held reports."""
    counted_lately: int
    """Reports taken in the last 30 days: those that count, and held ones."""
    held_lately: int
    last_report: Time | None


class LetterRow(msgspec.Struct, frozen=True):
    """One mail that went out, or waits to."""

    id: int
    message_id: str
    recipient: str
    subject: str
    event: str
    created_at: Time
    state: str
    attempts: int
    next_try: Time | None
    answer: str | None
    done_at: Time | None
    failures: tuple[int, ...]


class SourceRow(msgspec.Struct, frozen=True):
    """How a source is doing, with its last day of mail."""

    name: str
    state: str
    since: Time
    detail: str | None
    error: str | None
    tries: int
    next_try: Time | None
    warning: str | None
    backlog: int
    last_report: Time | None
    """When the last mail with a report was taken from it."""
    day: dict[str, int]
    """Outcome to number of mails, over the 24 hours before now; test reports of our own, which
    came back, count as ``canary``."""


class LaneRow(msgspec.Struct, frozen=True):
    """How delivery to one channel goes."""

    channel: str
    """Its name."""
    waiting: int
    sent_today: int
    last_sent: Time | None
    tried: int | None = None
    """The letter that was tried and has waited longest, of those that wait."""
    since: Time | None = None
    """When that one was to go out."""
    answer: str | None = None
    failed: int | None = None
    """The letter that was given up last."""
    failed_at: Time | None = None
    failed_answer: str | None = None


class JobRow(msgspec.Struct, frozen=True):
    """When a job ran last."""

    name: str
    last_at: Time
    error: str | None


class Totals(msgspec.Struct, frozen=True):
    """The figures of `status` and of an empty failures list."""

    domains: int
    """Domains that any window speaks of."""
    sessions: int
    """Sessions (most of one policy type a window) over the last 7 days."""
    failed: int
    reporters: int
    last_report: Time | None
    held: int
    quarantined: int
    ignored: int
    waiting_letters: int
    failed_letters: int
    sent_today: int
    last_sent: Time | None
    open_failures: dict[str, int]
    """Severity to number of open failures."""
