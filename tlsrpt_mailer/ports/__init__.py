"""
What the flows need of the world, as protocols and frozen structs.

Sources are handed a `Deliver`; the store hands out a `Txn`; a channel sends
frozen bytes. Adapters live above this module and are built in ``wiring``
alone. Every name here is used by at least two packages.

One module a theme; the names are imported from here.
"""

from tlsrpt_mailer.ports.canaries import (
    Canaries,
    Mover,
    SentCanary,
)
from tlsrpt_mailer.ports.checking import (
    Checks,
    Due,
    Look,
    Past,
    Scout,
)
from tlsrpt_mailer.ports.composing import (
    Backlog,
    Composed,
    ComposeTxn,
    Looked,
)
from tlsrpt_mailer.ports.held import (
    NOBODY,
    Adoption,
    Adoptions,
    HeldReport,
    PendingMail,
    PendingMails,
    Proposer,
    PutAside,
    Unbelieved,
    WaitingPair,
)
from tlsrpt_mailer.ports.letters import (
    Evidence,
    FailureRecord,
    Letter,
    Told,
)
from tlsrpt_mailer.ports.mail import (
    Deliver,
    Outcome,
    RawMail,
    Receipt,
)
from tlsrpt_mailer.ports.people import (
    AnswerKind,
    AskedLetter,
    AuditEntry,
    JsonValue,
    Maintenance,
    People,
    ReporterWord,
    SaidOfReporter,
    Settled,
)
from tlsrpt_mailer.ports.reports import (
    CountedCopy,
    Entry,
    HeldCopy,
    HeldFor,
    Known,
    NewReport,
    StoredRevision,
    Trusted,
)
from tlsrpt_mailer.ports.sending import (
    BY_MAIL,
    CHANNEL,
    Channel,
    Keeper,
    Notice,
    NoticeFailure,
    Notifier,
    Outbox,
    Outgoing,
    RelayNote,
    RelayNotes,
    Sent,
    Waiting,
)
from tlsrpt_mailer.ports.sources import (
    Health,
    Noted,
    Position,
    Positions,
    Source,
)
from tlsrpt_mailer.ports.store import (
    Faults,
    History,
    Store,
    Txn,
)
from tlsrpt_mailer.ports.watching import (
    Announced,
    DigestFigures,
    DigestReads,
    FirstReport,
    SilentPair,
    SourceTrouble,
    Watching,
)

__all__ = [
    "BY_MAIL",
    "CHANNEL",
    "NOBODY",
    "Adoption",
    "Adoptions",
    "Announced",
    "AnswerKind",
    "AskedLetter",
    "AuditEntry",
    "Backlog",
    "Canaries",
    "Channel",
    "Checks",
    "ComposeTxn",
    "Composed",
    "CountedCopy",
    "Deliver",
    "DigestFigures",
    "DigestReads",
    "Due",
    "Entry",
    "Evidence",
    "FailureRecord",
    "Faults",
    "FirstReport",
    "Health",
    "HeldCopy",
    "HeldFor",
    "HeldReport",
    "History",
    "JsonValue",
    "Keeper",
    "Known",
    "Letter",
    "Look",
    "Looked",
    "Maintenance",
    "Mover",
    "NewReport",
    "Noted",
    "Notice",
    "NoticeFailure",
    "Notifier",
    "Outbox",
    "Outcome",
    "Outgoing",
    "Past",
    "PendingMail",
    "PendingMails",
    "People",
    "Position",
    "Positions",
    "Proposer",
    "PutAside",
    "RawMail",
    "Receipt",
    "RelayNote",
    "RelayNotes",
    "ReporterWord",
    "SaidOfReporter",
    "Scout",
    "Sent",
    "SentCanary",
    "Settled",
    "SilentPair",
    "Source",
    "SourceTrouble",
    "Store",
    "StoredRevision",
    "Told",
    "Trusted",
    "Txn",
    "Unbelieved",
    "Waiting",
    "WaitingPair",
    "Watching",
]
