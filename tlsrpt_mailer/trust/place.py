"""
Where in a signed mail a report stands, and whether the signature says anything of that.

A signature that leaves out Content-Type covers the bytes of the body, but not how
they are taken apart: whoever passes the mail on can make a part of what was quoted.
"""

import re

import msgspec

from tlsrpt_mailer.report.dialects import QUOTING
from tlsrpt_mailer.trust.message import Message

NOT_COVERED = "its signature does not cover where in the mail the report stands"
QUOTED = "the report stands in the text of a mail that was sent back"
MOST_DEPTH = 1

_REPORT = re.compile(rb"\s*multipart/report\s*;(?:.*;)?\s*report-type\s*=\s*\"?tlsrpt\b", re.DOTALL)


class Place(msgspec.Struct, frozen=True):
    """Where a report was found."""

    media_type: str | None = None
    """Of its part, in lower case; None for a bare file."""
    depth: int = 0
    """How many parts it lies within, in the mail that is judged."""

    @property
    def is_text(self) -> bool:
        """Whether it stands in what somebody may have written or quoted."""
        return self.media_type is None or self.media_type.startswith(("text/", "message/"))

    @property
    def is_report_part(self) -> bool:
        """Whether its part says that it is a TLS report."""
        return (self.media_type or "").startswith("application/tlsrpt")


def is_report_mail(mail: Message) -> bool:
    """Whether Content-Type says that the mail is a TLS report (RFC 8460, 5.3)."""
    values = mail.values(b"content-type")
    return bool(values) and _REPORT.match(values[0].lower()) is not None


def no_proof(mail: Message, author: str | None, place: Place, *, covers_type: bool) -> str | None:
    """
    Why a valid signature does not make the report at *place* its author's; None if it does.

    Args:
        mail: The mail that was signed.
        author: The local part in From, in lower case.
        place: Where in it the report stands.
        covers_type: Whether Content-Type is among the fields that were signed.

    """
    is_quoting = author in QUOTING
    if covers_type:
        return QUOTED if is_quoting and place.is_text else None
    is_meant = is_report_mail(mail) or place.is_report_part
    is_deep = place.depth > MOST_DEPTH
    return NOT_COVERED if place.is_text or is_deep or is_quoting or not is_meant else None
