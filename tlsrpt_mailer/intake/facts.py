"""What the headers of a mail say. Informational only: RFC 8460, 5.6."""

from tlsrpt_mailer.intake.mime import Headers
from tlsrpt_mailer.intake.model import MailFacts
from tlsrpt_mailer.report.dates import read_mail_date
from tlsrpt_mailer.report.text import storable

_LONGEST = 998
"""A line of a mail (RFC 5322, 2.1.1)."""

_SUBMITTER = "tls-report-submitter"
_DOMAIN = "tls-report-domain"
_SUBJECT_DOMAIN = "report domain:"


def facts_of(headers: Headers) -> MailFacts:
    """The facts of the mail with these *headers*."""
    date = headers.get("date")
    return MailFacts(
        message_id=_text(headers, "message-id"),
        sender=address(_text(headers, "from")),
        subject=_text(headers, "subject"),
        date=None if date is None else read_mail_date(date),
        submitter=_text(headers, _SUBMITTER),
        domain=_text(headers, _DOMAIN),
    )


def submitter_and_domain(headers: Headers) -> tuple[str | None, str | None]:
    """TLS-Report-Submitter, and TLS-Report-Domain or else the domain that the Subject names."""
    return _text(headers, _SUBMITTER), _text(headers, _DOMAIN) or _domain_in_subject(headers)


def claims_report(headers: Headers) -> bool:
    """Whether the headers say that the mail is a TLS report (RFC 8460, 5.3)."""
    if _SUBMITTER in headers or _DOMAIN in headers:
        return True
    content_type = headers.get("content-type", "")
    return "tlsrpt" in content_type and "report-type" in content_type.lower()


def address(text: str | None) -> str | None:
    """The address in a From header, without the display name."""
    if text is None:
        return None
    before, bracket, behind = text.rpartition("<")
    found = behind.partition(">")[0] if bracket else before + behind
    return found.strip() or None


def _text(headers: Headers, name: str) -> str | None:
    value = headers.get(name)
    return None if value is None else storable(value, _LONGEST).strip() or None


def _domain_in_subject(headers: Headers) -> str | None:
    """The domain after "Report Domain:" (RFC 8460, 5.3), a grammar shared with DMARC."""
    subject = headers.get("subject", "")[:_LONGEST]
    at = subject.lower().find(_SUBJECT_DOMAIN)
    if at < 0:
        return None
    words = subject[at + len(_SUBJECT_DOMAIN) :].split(None, 1)
    return words[0] if words else None
