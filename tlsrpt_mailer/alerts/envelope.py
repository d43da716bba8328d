"""From a document to the bytes of a mail (RFC 5322): headers, parts, nothing drawn by lot."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Literal, TypeAlias

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.document import Document
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.alerts.page import as_html, as_text

Auto: TypeAlias = Literal["auto-generated", "auto-replied"]
"""RFC 3834, section 5."""

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")


def mail(
    document: Document,
    context: Context,
    *,
    message_id: str,
    subject: str,
    facts: Sequence[str],
    references: Sequence[str] = (),
    attachment: bytes | None = None,
    auto: Auto = "auto-generated",
    in_reply_to: str | None = None,
    reply_to: str | None = None,
) -> Rendered:
    """
    The whole mail; the same arguments give the same bytes.

    Args:
        message_id: With angle brackets; see `message_name`.
        facts: Values of ``X-TLSRPT-Mailer``, already made of tokens.
        references: Message-IDs of the thread; those of others only as `reference` lets them pass.
        attachment: A CSV, attached as ``domains.csv``.
        auto: ``auto-replied`` stays even where `Context.auto_submitted` is off: without it two
            robots would answer each other for ever.
        in_reply_to: The Message-ID that this mail answers, likewise.
        reply_to: Takes the place of `Context.reply_to`.
    """
    text, html = as_text(document), as_html(document, subject)
    message = EmailMessage(policy=_POLICY)
    _address(message, context, reply_to or context.reply_to)
    message["Subject"] = subject
    message["Message-ID"] = message_id
    if in_reply_to:
        message["In-Reply-To"] = in_reply_to
    if references:
        message["References"] = " ".join(references)
    if context.auto_submitted or auto == "auto-replied":
        message["Auto-Submitted"] = auto
    for one in facts:
        message["X-TLSRPT-Mailer"] = one
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    if attachment is not None:
        message.add_attachment(attachment, "text", "csv", filename="domains.csv")
    return Rendered(message_id, subject, text, html, _bytes(message, message_id))


def _address(message: EmailMessage, context: Context, reply_to: str | None) -> None:
    """From whom to whom, when, and how it may travel."""
    sender = context.sender
    message["From"] = sender if "<" in sender else f"TLS reports <{sender}>"
    message["To"] = context.recipient
    if reply_to:
        message["Reply-To"] = f"TLS reports <{reply_to}>"
    message["Date"] = format_datetime(datetime.fromtimestamp(context.now, UTC))
    message["List-Id"] = f"TLS reports <{context.list_id or f'tlsrpt-mailer.{host(context)}'}>"
    if context.tls_required_no:
        # RFC 8689, section 5: the news that TLS is broken must not wait for TLS.
        message["TLS-Required"] = "No"


def message_name(about: str, parts: Iterable[str], context: Context) -> str:
    """``<tlsrpt.ABOUT.HASH@host>``: the hash is over *parts*, so a repeat is recognised."""
    return f"<tlsrpt.{about}.{digest(parts)}@{host(context)}>"


def digest(parts: Iterable[str]) -> str:
    """Sixteen hexadecimal digits that stand for *parts*."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def host(context: Context) -> str:
    """The right side of our Message-IDs: the sender's domain; a host may have no full name."""
    domain = parseaddr(context.sender)[1].partition("@")[2]
    return words.token(domain) or words.token(context.host) or "localhost"


def fact(pairs: Mapping[str, str]) -> str:
    """One ``X-TLSRPT-Mailer``: ``event=new; failure=17``; the values are made tokens."""
    return "; ".join(f"{key}={words.token(value)}" for key, value in pairs.items())


def reference(message_id: str) -> str | None:
    """A stranger's Message-ID as it may stand in our header; None for what is none."""
    return message_id if _MESSAGE_ID.fullmatch(message_id) else None


class _Folding(EmailPolicy):
    """SMTP's policy, but a Subject is folded between its words from the first line on."""

    def fold_binary(self, name: str, value: str) -> bytes:
        """As `EmailPolicy.fold_binary`, which leaves the first line of a long Subject empty."""
        if name.lower() != "subject":
            folded: bytes = super().fold_binary(name, value)
            return folded
        lines = words.wrap(f"{name}: {value}", " ", "", break_long_words=False)
        if lines[0] == f"{name}:":
            # One word fills the line: readers would take the blank before it for a part of it.
            lines[:2] = [f"{lines[0]} {lines[1].strip()}"]
        return "".join(line + self.linesep for line in lines).encode("ascii")


_POLICY = _Folding(linesep="\r\n")


def _bytes(message: EmailMessage, message_id: str) -> bytes:
    """The mail with boundaries that follow from its name, where the library would draw lots."""
    name = digest([message_id])
    for at, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{name}_{at}")
    return message.as_bytes()
