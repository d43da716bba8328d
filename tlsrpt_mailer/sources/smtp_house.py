"""What SMTP and LMTP connections ask of their listener, and how answers are written."""

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog
from aiosmtpd.smtp import Envelope, Session

from tlsrpt_mailer.ports import Receipt
from tlsrpt_mailer.report.times import Span
from tlsrpt_mailer.sources.memory import Memory

if TYPE_CHECKING:
    from tlsrpt_mailer.sources.smtp_protocol import Connection

log = structlog.get_logger()

MAX_RECIPIENTS = 100
"""RFC 5321, 4.5.3.1.8."""

LINGER = 1.0
"""Seconds that a closed connection has to take its last answer."""

ENHANCED = {
    "221": "2.0.0",
    "250": "2.0.0",
    "252": "2.1.5",
    "421": "4.3.2",
    "450": "4.2.0",
    "451": "4.3.0",
    "452": "4.3.1",
    "454": "4.7.0",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "552": "5.3.4",
    "554": "5.5.0",
    "555": "5.5.4",
}
"""For answers of aiosmtpd that have none (RFC 2034; RFC 2033, 5 demands it of LMTP)."""


class Rules(msgspec.Struct, frozen=True):
    """What one connection may do."""

    hostname: str
    max_size: int
    timeout: Span
    max_commands: int
    max_errors: int
    """Both since the start, or since the last mail that was taken."""


class House(Protocol):
    """The listener, as its connections see it; all calls in the loop's thread."""

    rules: Rules
    memory: Memory

    def leave(self, connection: "Connection") -> None:
        """It is over; called once for each."""

    def tls(self) -> ssl.SSLContext | None:
        """What STARTTLS offers; None where it is not offered."""

    def recipient(self, address: str) -> str | None:
        """The answer that refuses *address*, or None where its mail is taken."""

    async def take(
        self, raw: bytes, sender: str | None, recipients: list[str], done: Callable[[], None]
    ) -> Receipt:
        """Deliver; returns after the commit. *done* is called then, whoever still waits."""

    def answer(self, receipt: Receipt) -> str:
        """The receipt as an SMTP answer."""


class Hooks:
    """What aiosmtpd asks of its handler."""

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self,
        server: "Connection",
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Greet, with our own list: aiosmtpd's offers AUTH once TLS is on."""
        del envelope, responses
        session.host_name = hostname
        offers = [
            server.hostname,
            "PIPELINING",
            f"SIZE {server.data_size_limit}",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
        ]
        if server.tls_context is not None and not server.is_secured:
            offers.append("STARTTLS")
        return ["\r\n".join(["250-" + offer for offer in offers[:-1]] + ["250 " + offers[-1]])]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: "Connection",
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Take or refuse one recipient."""
        del session, options
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 Too many recipients, send the mail again for the rest"
        refusal = server.house.recipient(address)
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient ok"

    async def handle_exception(self, error: Exception) -> str:
        """Ours, not the sender's: it keeps the mail and tries again."""
        log.error("connection.failed", exc_info=error)
        return "451 4.3.0 Internal error, try again later"


def on_the_wire(text: str, *, is_extended: bool) -> bytes:
    """
    One answer as it is sent: with an enhanced code, in plain ASCII, on one line.

    Answers of several lines, to EHLO and LHLO, are taken as they are. HELO's has
    no enhanced code: a client that knows no extensions asked (*is_extended*).
    """
    code, is_last = text[:3], text[3:4] == " "
    is_bare = not text[4:].startswith(code[0] + ".")
    if is_last and is_extended and is_bare and code in ENHANCED:
        text = f"{code} {ENHANCED[code]} {text[4:]}"
    if is_last:
        text = "".join(char if char.isprintable() else "?" for char in text)
    return text.encode("ascii", "replace") + b"\r\n"
