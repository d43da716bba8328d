"""What to tell people about a server that does not let us in. Pure."""

import ssl
from collections.abc import Collection
from typing import Any

from tlsrpt_mailer.sources.imap_settings import Settings

NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
"""OpenSSL's reasons for an answer that is no TLS at all; which one depends on its version."""


def told(*said: Any) -> str:  # exceptions and bytes, as imaplib hands them on
    """What the server said, on one line, without imaplib's wrapping."""
    texts = []
    for one in said:
        text = one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)
        if text[:2] in ("b'", 'b"') and text[-1:] == text[1]:
            text = text[2:-1]
        texts.append("".join(c if c.isprintable() else " " for c in text).strip())
    return " ".join(texts)[:400]


def untrusted(host: str, error: ssl.SSLCertVerificationError) -> str:
    """Say why a certificate is not trusted, and what to do."""
    why = error.verify_message or str(error)
    return (
        f"The certificate of {host} is not trusted: {why.rstrip('.')}.\n"
        "If it comes from a CA of your own, name that CA's file in ca_file."
    )


def tls_trouble(error: ssl.SSLError) -> str:
    """What OpenSSL says, and where it is sure to be that the server began without TLS."""
    if getattr(error, "reason", None) in NOT_TLS:
        return 'the server does not speak TLS on that port; security = "starttls"?'
    return error.strerror or str(error)


def login_refused(settings: Settings, said: str, offers: Collection[str]) -> str:
    """Say who was refused and what may help."""
    first = f"{settings.host} refuses the login of {settings.username}: {said}"
    if settings.auth == "xoauth2":
        if "AUTH=XOAUTH2" not in offers:
            return f'{first}\nIt does not offer AUTH=XOAUTH2: leave auth = "xoauth2" out.'
        return f"{first}\nLook at what token_command prints: is the token for this mailbox?"
    if "LOGINDISABLED" in offers:
        return f'{first}\nIt takes no passwords without TLS: set security = "tls" or "starttls".'
    if "AUTH=XOAUTH2" not in offers:
        return first
    if "AUTH=PLAIN" in offers or "AUTH=LOGIN" in offers:
        offer = (
            "It offers AUTH=XOAUTH2, as Google (where an app password works too) and\n"
            "Microsoft 365 (where no password works) do. Either"
        )
    else:
        offer = "It offers AUTH=XOAUTH2 and no passwords, as Microsoft 365 does. Either"
    return (
        f"{first}\n{offer}\n"
        '  set auth = "xoauth2" and token_command = ["/path/to/helper"] in this source\n'
        "  (docs/how-to/imap.md says what the helper must print), or\n"
        "  let a mail flow rule send the reports on to an smtp source."
    )
