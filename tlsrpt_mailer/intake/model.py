"""What intake hands on: a mail's facts, its kind, and every report found in it."""

from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.model import Report
from tlsrpt_mailer.report.times import Time

Kind: TypeAlias = Literal["tls-report", "bad-report", "not-a-report"]
Flavour: TypeAlias = Literal["report", "reply", "dsn", "canary", "dmarc", "other"]


class Limits(msgspec.Struct, frozen=True):
    """How much of one mail is read; past a limit, reports already found are taken."""

    mail_bytes: int = 16 * 1024 * 1024
    unpacked_bytes: int = 32 * 1024 * 1024
    """All that one mail may unpack to, together."""
    nested_bytes: int = 16 * 1024 * 1024
    """All mails within one mail, at whatever depth, together."""
    json_bytes: int = 16 * 1024 * 1024
    structural_bytes: int = 400_000
    """How many of ``{}[]:,`` the reports of one mail may hold, counted before they are decoded."""
    compression_levels: int = 2
    parts: int = 50
    depth: int = 20
    policies: int = 1_000
    """Of all reports in one mail. By RFC 8460, 3 a report has those of one domain: a few."""
    failure_details: int = 10_000
    """Of all reports in one mail."""
    string_chars: int = 4096


class MailFacts(msgspec.Struct, frozen=True):
    """What the headers of a mail say; informational only (RFC 8460, 5.6)."""

    message_id: str | None = None
    sender: str | None = None
    """The address in From, without a display name."""
    subject: str | None = None
    date: Time | None = None
    submitter: str | None = None
    """TLS-Report-Submitter."""
    domain: str | None = None
    """TLS-Report-Domain."""


class FoundReport(msgspec.Struct, frozen=True):
    """One report as it was found in a mail."""

    report: Report
    json: bytes
    """The JSON as it came, unpacked but otherwise untouched."""
    digest: bytes
    """SHA-256 of the canonical JSON: sorted keys, no blanks. 32 bytes."""
    file_name: str | None = None
    message: bytes | None = None
    """Of a report in a mail that was forwarded within the one at hand: that inner mail, which
    may be signed itself. None: it lay in the mail, or in the file, as such."""
    media_type: str | None = None
    """Of the part that it lay in; None for a bare file."""
    depth: int = 0
    """How many parts it lay within, in `message` if there is one."""


class MailContent(msgspec.Struct, frozen=True):
    """What one mail (or bare report file) holds."""

    kind: Kind
    flavour: Flavour
    reason: str | None
    """Why it is not a readable report, in words for a person; None for a tls-report."""
    reports: tuple[FoundReport, ...] = ()
    facts: MailFacts = MailFacts()
    is_file: bool = False
    """Whether it is a bare file and no mail: nobody can have signed it."""
