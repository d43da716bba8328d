"""Get into an IMAP server: STARTTLS, then a password or a token."""

import ssl
from collections.abc import Callable

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, LoginError

from tlsrpt_mailer.config.secret import without
from tlsrpt_mailer.errors import Unreachable
from tlsrpt_mailer.sources.imap_settings import Settings
from tlsrpt_mailer.sources.imap_texts import login_refused, told


def log_in(client: IMAPClient, settings: Settings, word: str, context: ssl.SSLContext) -> None:
    """
    Turn on TLS where STARTTLS is configured, then log in with *word*, a password or a token.

    Raises:
        Unreachable: No STARTTLS, or the login is refused; the text says what may help.
        IMAPClientAbortError: The connection was lost.
    """
    if settings.security == "starttls":
        if not client.has_capability("STARTTLS"):
            raise Unreachable(
                f"{settings.host} offers no STARTTLS on port {settings.at_port}. "
                'Try security = "tls".'
            )
        client.starttls(context)
    said: list[bytes] = []
    try:
        if settings.auth == "xoauth2":
            client.sasl_login("XOAUTH2", _xoauth2(settings.username, word, said))
        elif client.has_capability("AUTH=PLAIN"):
            client.plain_login(settings.username, word)
        else:
            client.login(settings.username, word)
    except LoginError as error:
        if isinstance(error.__context__, IMAPClientAbortError):
            raise error.__context__ from None
        offers = {c.decode("ascii", "replace").upper() for c in client.capabilities()}
        raise Unreachable(
            login_refused(settings, without(told(error, *said), word), offers)
        ) from None


def _xoauth2(username: str, token: str, said: list[bytes]) -> Callable[[bytes], bytes]:
    """Answers for AUTHENTICATE XOAUTH2; what the server objects to is added to *said*."""

    def answer(challenge: bytes) -> bytes:
        if challenge:
            said.append(challenge)  # JSON that says why; an empty answer ends the exchange
            return b""
        return f"user={username}\1auth=Bearer {token}\1\1".encode()

    return answer
