"""Failures as the store keeps them, and the mails about them."""

import msgspec

from tlsrpt_mailer.failures.model import Verdict
from tlsrpt_mailer.ports.reports import Trusted
from tlsrpt_mailer.report.times import Time


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
