"""
One mail handed to the MX of its recipient, as any sender on the internet does it.

TLS is begun where it is offered, and whose certificate it is does not matter: reports
arrive despite failures of TLS (RFC 8460, 3), and so must what stands in for one.
"""

import random
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from tlsrpt_mailer.errors import Refused, Temporary
from tlsrpt_mailer.net.addresses import Ask, NoAddress, addresses_of, is_public
from tlsrpt_mailer.net.deadline import Deadline
from tlsrpt_mailer.net.dialogue import shown
from tlsrpt_mailer.report.hosts import normalise_host

PORT = 25
SECONDS = 120.0
"""For all hosts together."""
CONNECTING = 20.0
"""Seconds after which the next address is tried."""
HOSTS = 5
"""MX hosts that are tried (RFC 5321, 5.1 allows for such a limit)."""
ADDRESSES = 4
"""Addresses of each."""
SAID_BYTES = 64 * 1024
"""All that a server says in one session."""

# A dot-string: quoted ones have no use but to trip somebody up (RFC 5321, 4.1.2).
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}", re.ASCII | re.IGNORECASE)


class Way(msgspec.Struct, frozen=True):
    """How mail is handed over."""

    helo: str
    """How we name ourselves."""
    seconds: float = SECONDS
    only_public: bool = False
    """Go to no address of a network of ours, nor to this host."""
    port: int = PORT


def deliver(raw: bytes, sender: str, recipient: str, ask: Ask, way: Way) -> str:
    """
    Hand *raw* to a host that takes mail for *recipient*; returns which one, and what it said.

    Args:
        raw: The mail.
        sender: Where bounces go; may be empty.
        recipient: One address.
        ask: Who knows MX hosts and their addresses.
        way: How.

    Raises:
        Temporary: No host could be reached, or none took it now; by the last one that was
            tried.
        Refused: A host refuses it for good, or there is none.
    """
    domain = _domain(recipient)
    if sender:
        _domain(sender)
    last = Temporary(f"{domain} has no host that takes mail")
    with Deadline(way.seconds) as deadline:
        for host, address in _places(domain, ask):
            try:
                return _Handing(host, address, deadline, way).give(raw, sender, recipient)
            except Temporary as error:
                last = error
            if deadline.is_over:
                break
    raise last


def hosts_of(domain: str, ask: Ask) -> list[str]:
    """
    The hosts that take mail for *domain*, the best first (RFC 5321, 5.1).

    Raises:
        Temporary: DNS does not answer.
        Refused: The domain says that it takes none (RFC 7505).
    """
    answer = ask(domain, "MX")
    if answer.kind == "trouble":
        raise Temporary(f"MX of {domain}: {answer.error}", is_cut_off=True)
    records = [value.partition(" ") for value in answer.values]
    hosts = [(int(preference), host) for preference, _, host in records if host != "."]
    if records and not hosts:
        raise Refused(f"{domain} takes no mail: its MX is the null MX")
    # Hosts of one preference in any order: the sort after it keeps that (RFC 5321, 5.1).
    random.shuffle(hosts)
    hosts.sort(key=lambda one: one[0])
    return [host for _, host in hosts] or [domain]


def _domain(address: str) -> str:
    """
    Where *address* gets mail.

    Raises:
        Refused: It can be no address of RFC 5321.
    """
    local, _, domain = address.rpartition("@")
    name = normalise_host(domain)
    if not (name and domain.isascii() and _LOCAL.fullmatch(local)):
        raise Refused(f"{address!r} cannot be an address")
    return name


def _places(domain: str, ask: Ask) -> Iterator[tuple[str, str]]:
    """
    Host and address, one after the other.

    Raises:
        Temporary: Not one host has an address; or as `hosts_of` has it.
        Refused: As `hosts_of` has it.
    """
    last: NoAddress | None = None
    found = False
    for host in hosts_of(domain, ask)[:HOSTS]:
        try:
            addresses = addresses_of(host, ask, ADDRESSES)
        except NoAddress as error:
            last = error
            continue
        for address in addresses:
            found = True
            yield host, address
    if last is not None and not found:
        raise last


class _NoTls(Exception):
    """TLS was offered, and cannot be had."""


class _Handing:
    """One mail and one address of a host."""

    def __init__(self, host: str, address: str, deadline: Deadline, way: Way) -> None:
        self._host = host
        self._address = address
        self._deadline = deadline
        self._way = way
        self._where = f"{host} ({address})"

    def give(self, raw: bytes, sender: str, recipient: str) -> str:
        """
        Hand it over, in TLS if that can be had.

        Raises:
            Temporary: It could not be handed over now.
            Refused: It is refused for good.
        """
        if self._way.only_public and not is_public(self._address):
            raise Temporary(f"{self._where} has no public address", is_cut_off=True)
        try:
            return self._give(raw, sender, recipient, tls=True)
        except _NoTls:
            return self._give(raw, sender, recipient, tls=False)

    def _give(self, raw: bytes, sender: str, recipient: str, *, tls: bool) -> str:
        with self._trouble(), self._session(tls=tls) as smtp:
            eight = not raw.isascii() and smtp.has_extn("8bitmime")
            self._accepted(smtp.mail(sender, ["BODY=8BITMIME"] if eight else []))
            self._accepted(smtp.rcpt(recipient))
            # RFC 5321, 2.3.8: a bare CR or LF is no end of a line.
            return self._accepted(smtp.data(re.sub(rb"\r\n|\r|\n", b"\r\n", raw)))

    @contextmanager
    def _session(self, *, tls: bool) -> Iterator[smtplib.SMTP]:
        connection = self._deadline.connect(self._address, self._way.port, CONNECTING)
        smtp = _Client(connection, self._host, self._way.helo)
        try:
            smtp.ehlo_or_helo_if_needed()
            if tls and smtp.has_extn("starttls"):
                _start_tls(smtp)
            smtp.ehlo_or_helo_if_needed()
            yield smtp
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
        finally:
            smtp.close()

    def _accepted(self, answer: tuple[int, bytes], fine: range = range(200, 300)) -> str:
        code, said = answer
        text = f"{self._where} says {_shown(code, said)}"
        if self._deadline.is_over:  # what was cut off may look like an answer
            raise Temporary(f"{self._where}: {self._late}", is_cut_off=True)
        if code in fine:
            return text
        if 500 <= code < 600:
            raise Refused(text)
        raise Temporary(text)

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """Every failure that is not about the mail, as Temporary."""
        try:
            yield
        except smtplib.SMTPDataError as error:
            self._accepted((error.smtp_code, _bytes(error.smtp_error)), fine=range(0))
        except smtplib.SMTPResponseException as error:  # the greeting, EHLO
            said = f" says {_shown(error.smtp_code, _bytes(error.smtp_error))}"
            late = f": {self._late}" if self._deadline.is_over else said
            raise Temporary(f"{self._where}{late}") from error
        except (OSError, smtplib.SMTPException) as error:
            raise Temporary(f"{self._where}: {self._said(error)}", is_cut_off=True) from error

    @property
    def _late(self) -> str:
        return f"no answer within {self._deadline.seconds:g} s"

    def _said(self, error: OSError) -> str:
        if self._deadline.is_over:
            return self._late
        if isinstance(error, TimeoutError):
            return f"no connection within {CONNECTING:g} s"
        return shown(error.strerror or str(error))


class _Client(smtplib.SMTP):
    """SMTP over a connection that is there already, to an address that DNS gave us."""

    def __init__(self, connection: socket.socket, host: str, helo: str) -> None:
        self._connection = connection
        self._left = SAID_BYTES
        super().__init__(host, PORT, helo, timeout=connection.gettimeout() or CONNECTING)

    def _get_socket(self, *_: object) -> socket.socket:
        return self._connection

    def getreply(self) -> tuple[int, bytes]:
        """As in the base class, which would collect lines without an end."""
        if self.file is None and self.sock is not None:
            self.file = _Limited(self.sock, self._take)
        return super().getreply()

    def _take(self, line: bytes) -> bytes:
        """*line*; empty, as at the end, after more than anybody has to say."""
        self._left -= len(line)
        return line if self._left >= 0 else b""


class _Limited:
    """What `smtplib` reads lines from."""

    def __init__(self, connection: socket.socket, take: Callable[[bytes], bytes]) -> None:
        self._file = connection.makefile("rb")
        self._take = take
        self.close = self._file.close

    def readline(self, size: int) -> bytes:
        return self._take(self._file.readline(size))


def _start_tls(smtp: smtplib.SMTP) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        smtp.starttls(context=context)
    except (OSError, smtplib.SMTPException, ValueError) as error:  # ValueError: a name for SNI
        raise _NoTls from error


def _bytes(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode()


def _shown(code: int, said: bytes) -> str:
    return shown(f"{code} {said.decode('utf-8', 'replace')}")
