"""The policy of MTA-STS, fetched as a sender of mail would (RFC 8461, 3.3)."""

import http.client
import logging
import re
import socket
import ssl
from http import HTTPStatus

import urllib3
from msgspec.structs import replace
from urllib3.connection import HTTPSConnection
from urllib3.response import BaseHTTPResponse

from tlsrpt_mailer import __version__
from tlsrpt_mailer.domains.seen import Page
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.net.addresses import Ask, NoAddress, addresses_of, is_public
from tlsrpt_mailer.net.deadline import Deadline
from tlsrpt_mailer.report.hosts import is_strict_host

HOST = "mta-sts."
"""In front of the domain: who has its policy."""
PATH = "/.well-known/mta-sts.txt"
PORT = 443
SECONDS = 20.0
CONNECTING = 5.0
"""Seconds after which the next address is tried."""
ADDRESSES = 4
MOST_BYTES = 64 * 1024
"""RFC 8461, 3.3 proposes this limit."""
SHOWN_CHARS = 300

# It warns of headers that it cannot read, and quotes them: what strangers say is not logged.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

_TROUBLE = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError, ValueError)


def context(ca_file: str | None = None) -> ssl.SSLContext:
    """
    Whom to trust, and how; made once, for many fetches.

    Args:
        ca_file: Trust the certificates in this PEM file; None: those that the system trusts.

    Raises:
        ConfigError: The file cannot be used.
    """
    try:
        made = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"{ca_file}: {error.strerror or error}") from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8461, 3.3 and RFC 8996
    made.hostname_checks_common_name = False  # RFC 8461, 3.3: a DNS-ID
    return made


def fetch_policy(
    domain: str,
    ask: Ask,
    tls: ssl.SSLContext,
    *,
    seconds: float = SECONDS,
    only_public: bool = False,
    port: int = PORT,
) -> Page:
    """
    Fetch the policy of *domain*; never raises.

    Args:
        domain: In lower case, as A-labels.
        ask: Who knows addresses.
        tls: By `context`.
        seconds: For all of it, beside the questions to DNS.
        only_public: Go to no address of a network of ours, nor to this host.
        port: Where the server listens.
    """
    host = HOST + domain
    if not is_strict_host(host):
        return Page(kind="dns", error="that is no host name")
    try:
        addresses = addresses_of(host, ask, ADDRESSES)
    except NoAddress as error:
        return Page(kind="dns", error=str(error))
    page = Page(kind="unreachable", error="no address was tried")
    with Deadline(seconds) as deadline:
        for address in addresses:
            if only_public and not is_public(address):
                page = Page(kind="unreachable", error=f"{address} is no public address")
                continue
            try:
                connected = deadline.connect(address, port, CONNECTING)
            except OSError as error:
                page = _failed(error, deadline, address)
                continue
            return _fetched(_Connection(host, connected, tls), deadline, address)
    return page


class _Connection(HTTPSConnection):
    """Over a connection that is there already: to an address that DNS gave us."""

    def __init__(self, host: str, connected: socket.socket, tls: ssl.SSLContext) -> None:
        super().__init__(
            host, ssl_context=tls, server_hostname=host, timeout=connected.gettimeout()
        )
        self._connected = connected

    def _new_conn(self) -> socket.socket:
        return self._connected


def _fetched(connection: _Connection, deadline: Deadline, address: str) -> Page:
    headers = {
        "User-Agent": f"tlsrpt-mailer/{__version__}",
        "Accept": "text/plain",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    try:
        connection.request("GET", PATH, headers=headers, preload_content=False)
        page = _read(connection.getresponse(), address)
    except _TROUBLE as error:
        return _failed(error, deadline, address)
    finally:
        connection.close()
    # A connection that was cut looks like the end of an answer.
    return _failed(TimeoutError(), deadline, address) if deadline.is_over else page


def _read(response: BaseHTTPResponse, address: str) -> Page:
    status, headers = response.status, response.headers
    media_type = _shown((headers.get("Content-Type") or "").partition(";")[0]).lower()
    page = Page(kind="status", status=status, media_type=media_type or None, address=address)
    if status != HTTPStatus.OK:
        said = _shown(f"{status} {response.reason or ''}")
        if not 300 <= status < 400:
            return replace(page, error=said)
        location = _shown(headers.get("Location") or "") or None
        return replace(page, kind="redirect", error=said, location=location)
    body = b""
    # To the end: only there it shows whether all of it came.
    while len(body) <= MOST_BYTES and (more := response.read(MOST_BYTES + 1 - len(body))):
        body += more
    if len(body) > MOST_BYTES:
        return replace(page, kind="too-large", error=f"more than {MOST_BYTES} bytes")
    return replace(page, kind="found", text=body.decode("utf-8", "replace"))


def _failed(error: Exception, deadline: Deadline, address: str) -> Page:
    """What an exception says of the server."""
    if deadline.is_over:
        said = f"no answer within {deadline.seconds:g} s"
        return Page(kind="timeout", error=said, address=address)
    if isinstance(error, TimeoutError):
        said = f"no connection within {CONNECTING:g} s"
        return Page(kind="timeout", error=said, address=address)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Page(kind="certificate", error=_shown(error.verify_message), address=address)
    if isinstance(error, ssl.SSLError):
        said = f"TLS: {(error.reason or 'it failed').lower().replace('_', ' ')}"
    elif isinstance(error, OSError):
        said = error.strerror or str(error) or type(error).__name__
    else:
        said = f"no whole answer in HTTP ({type(error).__name__})"
    return Page(kind="unreachable", error=_shown(said), address=address)


def _shown(text: str) -> str:
    """What a server says, in one line, cut."""
    return " ".join(re.sub(r"[^\x20-\x7e]+", " ", text).split())[:SHOWN_CHARS]
