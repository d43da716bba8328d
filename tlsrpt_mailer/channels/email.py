"""
Alerts by mail, handed to a relay by SMTP: one connection and one recipient a mail.

What the relay's answer means (RFC 5321, 4.2.1): 4yz to anything, and every kind
of trouble with the connection, the certificate or the login, may be over later;
5yz to MAIL, RCPT, DATA or the mail itself is about this mail and stays so. When
the connection is lost after the mail was sent but before the answer, it is sent
again: twice is better than never, and the Message-ID tells.
"""

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Literal, NoReturn, TypeAlias

import msgspec

from tlsrpt_mailer.config.secret import without
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.ports import Letter
from tlsrpt_mailer.report.times import HOUR, MINUTE, Span

LONGEST: Span = 10 * MINUTE
"""How long one mail may take while the relay still says something now and then."""
OURS = frozenset({421, 500, 502, 503, 504, 530, 534, 535, 538})
"""Codes that are about the session or the login (RFC 5321, 4954), not about the mail."""

NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
"""OpenSSL's reasons for an answer that is no TLS at all; which one depends on its version."""

Answer: TypeAlias = tuple[int, bytes]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    ``[alerts.smtp]``: the relay that alerts are handed to.

    Raises:
        ValueError: Keys contradict each other; the text names every contradiction.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 25
    security: Literal["none", "starttls", "tls"] = "none"
    allow_plaintext: bool = False
    """Permits a password without TLS to a host that is not loopback."""
    ca_file: str | None = None
    """Trust the certificates in this PEM file, and no others."""
    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    password_command: tuple[str, ...] = ()
    helo: str | None = None
    """How we name ourselves to the relay; None: this host's name."""
    timeout: Annotated[Span, msgspec.Meta(ge=1, le=HOUR)] = MINUTE
    """How long the relay may stay silent."""

    def __post_init__(self) -> None:
        """Refuse what would not work, or would send a password in the clear."""
        found = []
        if not self.host:
            found.append("host must not be empty")
        password = self.password_file or self.password_env or self.password_command
        if self.username and not password:
            found.append("username needs password_file, password_env or password_command")
        if password and not self.username:
            found.append("a password needs a username")
        loopback = self.host in ("localhost", "::1") or self.host.startswith("127.")
        if password and self.security == "none" and not (loopback or self.allow_plaintext):
            found.append(
                'security = "none" would send the password readable over the network; '
                "it is for loopback (or say allow_plaintext = true)"
            )
        if found:
            raise ValueError("; ".join(found))


class EmailChannel:
    """The way out by a relay; implements `ports.Channel`."""

    def __init__(
        self,
        settings: Settings,
        password: Callable[[], str] | None,
        sender: str,
        table: str = "alerts.smtp",
    ) -> None:
        """*sender* is the envelope's: bounces of alerts go there; *table* has the settings."""
        self._table = table
        self._settings = settings
        self._password = password
        self._sender = sender
        self._where = f"{settings.host}:{settings.port}"
        self._silent = f"{self._where} did not answer within {settings.timeout} s"

    @property
    def where(self) -> str:
        """Host and port."""
        return self._where

    def send(self, letter: Letter) -> str:
        """
        Hand *letter* to the relay; returns what it answered.

        Raises:
            Temporary: No connection, no trust, no login, or a 4yz answer.
            Refused: A 5yz answer about this mail.
        """
        with self._trouble(), self._session() as smtp:
            self._envelope(smtp, letter)
            return self._accepted(self._data(smtp, letter.raw))

    def _envelope(self, smtp: smtplib.SMTP, letter: Letter) -> None:
        options = self._options(smtp, letter)
        if letter.event == "answer":
            # RFC 3834, 3.3: no sender, so that no bounce of it can be answered. Relays
            # that let each login write in its own name alone refuse that, some at RCPT.
            answer = smtp.mail("", options)
            if answer[0] < 500:
                self._accepted(answer)
                answer = self._rcpt(smtp, letter.recipient)
            if answer[0] < 500:
                self._accepted(answer)
                return
            self._accepted(smtp.rset())
        self._accepted(smtp.mail(self._sender, options))
        self._accepted(self._rcpt(smtp, letter.recipient))

    def _options(self, smtp: smtplib.SMTP, letter: Letter) -> list[str]:
        options = []
        if not letter.raw.isascii() and smtp.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        if not (letter.recipient.isascii() and self._sender.isascii()):
            if not smtp.has_extn("smtputf8"):
                raise Refused(f"{self._where} takes no addresses beyond ASCII (SMTPUTF8)")
            options.append("SMTPUTF8")
        return options

    def _rcpt(self, smtp: smtplib.SMTP, recipient: str) -> Answer:
        # smtplib would cut off what it takes for a comment, and mail to the rest.
        if not recipient.isprintable() or {"<", ">", " "} & set(recipient):
            raise Refused(f"{recipient!r} cannot be an address")
        return smtp.rcpt(recipient)

    def _data(self, smtp: smtplib.SMTP, raw: bytes) -> Answer:
        # A bare CR or LF could end the mail for some server behind the relay
        # (smuggling, CVE-2023-51764), and RFC 5321, 2.3.8 forbids both.
        lines = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
        try:
            return smtp.data(lines)
        except smtplib.SMTPDataError as refusal:  # no 354
            return _answer(refusal)

    def _accepted(self, answer: Answer) -> str:
        code, said = answer
        text = _shown(code, said)
        if 200 <= code < 300:
            return text
        if code >= 500 and code not in OURS:
            raise Refused(f"{self._where} says {text}")
        raise Temporary(f"{self._where} says {text}")

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        settings = self._settings
        # Read before connecting: a command may take longer than the relay waits.
        password = self._password() if settings.username and self._password else None
        smtp = self._connected()
        # Each read has a time-out; this ends a relay that sends a byte a minute.
        limit = threading.Timer(LONGEST, _shut, [smtp])
        limit.daemon = True
        limit.start()
        try:
            if settings.security == "starttls":
                self._start_tls(smtp)
            if settings.username and password is not None:
                _log_in(smtp, settings.username, password)
            smtp.ehlo_or_helo_if_needed()
            yield smtp
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
        finally:
            limit.cancel()
            smtp.close()

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        ours = settings.helo or socket.gethostname()
        if settings.security == "tls":
            return smtplib.SMTP_SSL(
                settings.host,
                settings.port,
                local_hostname=ours,
                timeout=settings.timeout,
                context=self._tls_context(),
            )
        return smtplib.SMTP(
            settings.host, settings.port, local_hostname=ours, timeout=settings.timeout
        )

    def _start_tls(self, smtp: smtplib.SMTP) -> None:
        smtp.ehlo_or_helo_if_needed()
        if not smtp.has_extn("starttls"):
            raise Temporary(
                f'{self._where} offers no STARTTLS; set {self._table}.security to "tls" or "none"'
            )
        code, said = smtp.starttls(context=self._tls_context())
        if code != 220:
            raise Temporary(f"{self._where} says {_shown(code, said)} to STARTTLS")

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """Every failure that is not about the mail, as Temporary."""
        try:
            yield
        except smtplib.SMTPAuthenticationError as error:
            said = _shown(*_answer(error))
            user = self._settings.username
            self._fail(f"{self._where} refuses the login of {user}: {said}", error)
        except smtplib.SMTPResponseException as error:  # the greeting, EHLO
            self._fail(f"{self._where} says {_shown(*_answer(error))}", error)
        except smtplib.SMTPException as error:
            if isinstance(error.__context__, TimeoutError):
                self._fail(self._silent, error)
            self._fail(f"{self._where}: {error}", error)
        except ssl.SSLCertVerificationError as error:
            why = error.verify_message or error
            self._fail(
                f"the certificate of {self._where} is not trusted: {why} "
                f"({self._table}.ca_file names a CA of your own)",
                error,
            )
        except TimeoutError as error:
            self._fail(self._silent, error)
        except OSError as error:
            self._fail(f"{self._where}{self._said(error)}", error)
        except ConfigError as error:  # the password or the CA file cannot be read
            self._fail(str(error), error)

    def _said(self, error: OSError) -> str:
        if getattr(error, "reason", None) in NOT_TLS and self._settings.security == "tls":
            return f' does not speak TLS; {self._table}.security = "starttls"?'
        return f": {error.strerror or error}"

    def _fail(self, text: str, error: Exception) -> NoReturn:
        # What is no answer of the relay: nobody is there, or nobody to be trusted.
        cut_off = not isinstance(error, smtplib.SMTPResponseException | ConfigError)
        raise Temporary(text, is_cut_off=cut_off) from error

    def _tls_context(self) -> ssl.SSLContext:
        ca_file = self._settings.ca_file
        try:
            return ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            why = f"{self._table}.ca_file: {ca_file}: {error.strerror or error}"
            raise ConfigError(why) from error


def _log_in(smtp: smtplib.SMTP, username: str, password: str) -> None:
    try:
        smtp.login(username, password)
    except smtplib.SMTPAuthenticationError as error:
        code, said = _answer(error)
        text = without(said.decode("utf-8", "replace"), password)
        raise smtplib.SMTPAuthenticationError(code, text) from None


def _answer(error: smtplib.SMTPResponseException) -> Answer:
    said = error.smtp_error
    return error.smtp_code, said if isinstance(said, bytes) else str(said).encode()


def _shown(code: int, said: bytes) -> str:
    text = said.decode("utf-8", "replace")
    return f"{code} " + "".join(c if c.isprintable() else " " for c in text)[:400].strip()


def _shut(smtp: smtplib.SMTP) -> None:
    with suppress(OSError, AttributeError):  # AttributeError: closed meanwhile, sock is None
        smtp.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # see above
