"""Answers as people's mail programs, and other programs, write them."""

from email.message import EmailMessage
from email.utils import parseaddr

OWNER = "postmaster@example.com"


def reply_to(alert: EmailMessage) -> str:
    """Where an answer to *alert* goes."""
    return parseaddr(str(alert["Reply-To"]))[1]


def answer(
    alert: EmailMessage,
    text: str,
    *headers: str,
    sender: str = OWNER,
    name: str = "one",
    kind: str = "plain",
) -> bytes:
    """A reply to *alert*, with the alert quoted below."""
    quoted = (
        "".join(f"> {line}\n" for line in str(alert.get_body(("plain",))).splitlines())
        if kind == "plain"
        else "<blockquote type='cite'>ack I have it.<br>fixed It is mended.</blockquote>"
    )
    lines = [
        *headers,
        f"From: Owner <{sender}>",
        f"To: {alert['Reply-To']}",
        f"Subject: Re: {alert['Subject']}",
        f"Message-ID: <{name}@client.example>",
        f"In-Reply-To: {alert['Message-ID']}",
        f"References: {alert['Message-ID']}",
        "MIME-Version: 1.0",
        f"Content-Type: text/{kind}; charset=utf-8",
        "",
        text,
        "",
        "On a day, TLS reports wrote:" if kind == "plain" else "",
        quoted,
    ]
    return "\r\n".join("\n".join(lines).splitlines()).encode() + b"\r\n"
