"""What a piece of data or a mail without a report is, by its content."""

from typing import Literal, TypeAlias

from tlsrpt_mailer.intake.inflate import GZIP, ZIP
from tlsrpt_mailer.intake.mime import MESSAGE_TYPES, Headers
from tlsrpt_mailer.intake.model import Flavour

Sort: TypeAlias = Literal["gzip", "zip", "json", "dmarc", "other"]

CANARY = "x-tlsrpt-mailer-canary"
"""The header field of test mails that this program sends to itself."""

REASONS: dict[Flavour, str] = {
    "dmarc": "a DMARC report, not a TLS report",
    "dsn": "a delivery status notification (bounce), not a TLS report",
    "reply": "an answer to an alert, not a TLS report",
    "canary": "a test mail of this program, not a TLS report",
    "other": "no TLS report in it",
}

_BOM = b"\xef\xbb\xbf"
_SNIFF = 64
_HEAD = 4_096
_LINE = 1_000

# submitter!domain!start!end(!id).json(.gz) (RFC 8460, 5.1). DMARC has the same
# form with .xml, and both have been seen with .zip and .gz alone.
_REPORT_ENDINGS = (".json", ".json.gz")
_FILE_ENDINGS = (".json", ".gz", ".zip")

_ANYTHING = "application/octet-stream"

_OURS = "<tlsrpt."
_ACK = "+ack-"


def sort_of(data: bytes) -> Sort:
    """What *data* is, whatever its media type and name say."""
    if data.startswith((GZIP, ZIP)):
        return "gzip" if data.startswith(GZIP) else "zip"
    head = data[:_SNIFF].removeprefix(_BOM).lstrip() or data.lstrip()[:_SNIFF]
    if head.startswith(b"{"):
        return "json"
    if head.startswith(b"<") and b"<feedback" in data[:_HEAD]:
        return "dmarc"
    return "other"


def is_report_name(name: str | None) -> bool:
    """Whether a file of this name says that it is a TLS report."""
    return name is not None and 3 <= name.count("!") <= 4 and _ends(name, _REPORT_ENDINGS)


def is_file_name(name: str | None) -> bool:
    """Whether a file of this name is no mail, but a report or an archive with reports."""
    return name is not None and _ends(name, _FILE_ENDINGS)


def is_report_part(content_type: str, name: str | None) -> bool:
    """Whether a part says that it is a TLS report: by its media type (RFC 8460, 6.4) or name."""
    return content_type.startswith("application/tlsrpt") or is_report_name(name)


def is_mail_name(name: str | None) -> bool:
    """Whether a file of this name says that it is a mail."""
    return name is not None and _ends(name, (".eml",))


def is_mail_part(content_type: str, name: str | None, content: bytes) -> bool:
    """Whether a part is a mail: by its media type or name, or by content that has neither."""
    if content_type in MESSAGE_TYPES or is_mail_name(name):
        return True
    return content_type == _ANYTHING and is_mail(content)


def is_mail(data: bytes) -> bool:
    """Whether *data* begins like a mail: a header field, or the envelope line of an mbox."""
    line = data[:_LINE].lstrip().partition(b"\n")[0]
    name, colon, _ = line.partition(b":")
    return line.startswith(b"From ") or (
        bool(colon) and name.isascii() and name.replace(b"-", b"").isalnum()
    )


def flavour_of(headers: Headers, content_types: frozenset[str]) -> Flavour:
    """What a mail without a report is."""
    if CANARY in headers:
        return "canary"
    content_type = headers.get("content-type", "").lower()
    if "message/delivery-status" in content_types or "delivery-status" in content_type:
        return "dsn"
    if headers.get("return-path", "").strip() == "<>" or "mailer-daemon@" in _lower(
        headers, "from"
    ):
        return "dsn"
    if _ACK in _lower(headers, "to") or _ACK in _lower(headers, "delivered-to"):
        return "reply"
    if _OURS in _lower(headers, "in-reply-to") or _OURS in _lower(headers, "references"):
        return "reply"
    return "other"


def is_bounce(headers: Headers) -> bool:
    """Whether the mail returns another one, so that what that one claims is not its own claim."""
    return "delivery-status" in headers.get("content-type", "").lower()


def _ends(name: str, endings: tuple[str, ...]) -> bool:
    return name.lower().endswith(endings)


def _lower(headers: Headers, name: str) -> str:
    return headers.get(name, "").lower()
