"""
STARTTLS on port 25, as a sender begins it: what a host shows, and whether port 25 can be reached.

A probe greets, begins TLS and says goodbye. It never begins a mail.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec.structs import replace

from tlsrpt_mailer.domains.seen import Shown
from tlsrpt_mailer.errors import ConfigError, installs
from tlsrpt_mailer.net.addresses import is_public
from tlsrpt_mailer.net.deadline import Deadline
from tlsrpt_mailer.net.dialogue import Broken, Dialogue, shown
from tlsrpt_mailer.report.hosts import is_ip
from tlsrpt_mailer.report.times import Time

if TYPE_CHECKING:
    import socket

    from OpenSSL import crypto

PORT = 25
SECONDS = 30.0
"""For one probe. Servers that make strangers wait for their greeting do so for less."""
CONTROL_SECONDS = 5.0

NO_EHLO = range(500, 505)
"""What a server says that has no EHLO (RFC 5321, 4.2.2), so no extensions either."""

Failure: TypeAlias = Literal["no-starttls", "handshake", "refused"]


class _Stopped(Exception):
    """The probe ends here; the text says why."""

    def __init__(self, kind: Failure, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Probe:
    """
    Looks at one address after the other; thread-safe.

    Args:
        helo: How we name ourselves.
        ca_file: Trust the certificates in this PEM file; None: those that the system trusts.
        seconds: How long one look may take.
        only_public: Go to no address of a network of ours, nor to this host.
        port: Where mail is taken.

    Raises:
        ConfigError: The extra "probe" is not installed, or *ca_file* cannot be used.
    """

    def __init__(
        self,
        helo: str,
        *,
        ca_file: str | None = None,
        seconds: float = SECONDS,
        only_public: bool = False,
        port: int = PORT,
    ) -> None:
        try:
            from tlsrpt_mailer.net import certificates, handshake  # noqa: PLC0415  an extra
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"looking at certificates needs {error.name}: {installs('probe')}"
            ) from error
        self._certificates = certificates
        self._handshake = handshake.Handshake
        self._roots = certificates.Roots(ca_file)
        self._anything = handshake.anything()
        self._helo = helo
        self._seconds = seconds
        self._only_public = only_public
        self._port = port

    def show(self, host: str, ip: str, at: Time) -> Shown:
        """
        What *host* shows at one of its addresses; never raises.

        Args:
            host: As the MX record names it: for SNI, and what the certificate is made out to.
            ip: The address.
            at: The time it is.
        """
        found = Shown(ip=ip, at=at, kind="unreachable")
        if not is_ip(ip):
            return replace(found, error="that is no address")
        if self._only_public and not is_public(ip):
            return replace(found, error=f"{ip} is no public address")
        with Deadline(self._seconds) as deadline:
            try:
                connection = deadline.connect(ip, self._port)
            except TimeoutError:
                return self._late(found, "connection")
            except ConnectionResetError as error:  # so quickly that it is not seen as connected
                return replace(found, kind="refused", error=_said(error))
            except OSError as error:
                return replace(found, error=_said(error))
            with connection:
                return self._look(connection, host, deadline, found)

    def _look(
        self, connection: "socket.socket", host: str, deadline: Deadline, found: Shown
    ) -> Shown:
        smtp = Dialogue(connection)
        tls = self._handshake(connection, host, self._anything)
        try:
            self._start_tls(smtp)
            with _what_breaks("handshake"):
                tls.shake()
        except _Stopped as stop:
            if deadline.is_over:
                return self._late(found, "answer")
            if stop.kind != "handshake":
                smtp.quit()
            return replace(found, kind=stop.kind, error=str(stop))
        found = self._judged(tls.chain, host, replace(found, kind="tls", protocol=tls.protocol))
        tls.quit()
        return found

    def _late(self, found: Shown, what: str) -> Shown:
        return replace(found, kind="timeout", error=f"no {what} within {self._seconds:g} s")

    def _start_tls(self, smtp: Dialogue) -> None:
        """Come to where TLS begins."""
        with _what_breaks("refused"):
            greeting = smtp.reply()
            if greeting.code != 220:
                raise _Stopped("refused", greeting.shown)
            hello = smtp.ask(f"EHLO {self._helo}")
        if hello.code != 250:
            raise _Stopped("no-starttls" if hello.code in NO_EHLO else "refused", hello.shown)
        if not hello.offers("STARTTLS"):
            raise _Stopped("no-starttls", "EHLO is answered without STARTTLS")
        with _what_breaks("handshake"):
            answer = smtp.ask("STARTTLS")
        if answer.code != 220:
            raise _Stopped("no-starttls", answer.shown)
        smtp.forget()

    def _judged(self, chain: "list[crypto.X509]", host: str, found: Shown) -> Shown:
        """With what the certificates say."""
        read = self._certificates.read_chain(chain)
        if not read:
            return replace(found, error="its certificate cannot be read" if chain else "")
        distrust = self._roots.distrust(chain)
        return replace(
            found,
            chain=read,
            is_trusted=not distrust,
            distrust=distrust,
            names_fit=self._certificates.fits(chain[0], host),
        )


def control(
    places: Iterable[tuple[str, str]], *, seconds: float = CONTROL_SECONDS, port: int = PORT
) -> str | None:
    """
    Why port 25 of nobody can be reached from here; None where it can.

    Args:
        places: Names and addresses of hosts that take mail, of some that are not ours; one
            that lets us connect is enough.
        seconds: For each.
        port: Where mail is taken.
    """
    said = []
    for host, ip in places:
        try:
            with Deadline(seconds) as deadline, deadline.connect(ip, port):
                return None
        except TimeoutError:
            said.append(f"{host} ({ip}): no connection within {seconds:g} s")
        except (OSError, ValueError) as error:
            said.append(f"{host} ({ip}): {_said(error)}")
    return "; ".join(said) or "no host to try it with"


@contextmanager
def _what_breaks(kind: Failure) -> Iterator[None]:
    """Whatever breaks the conversation here means *kind*."""
    try:
        yield
    except Broken as error:
        raise _Stopped(kind, str(error)) from error
    except OSError as error:
        raise _Stopped(kind, _said(error)) from error


def _said(error: Exception) -> str:
    return shown((error.strerror if isinstance(error, OSError) else None) or str(error))
