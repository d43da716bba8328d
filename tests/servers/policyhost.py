"""
A real HTTPS server for policies of MTA-STS, on port 443 of an address of its own.

One server has the policies of many domains, each with a certificate of its own
from a CA of the test; what it answers, and how slowly, is told at run time.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import trustme

from tests.ports import own_address
from tests.servers.certificates import issued

PAST = datetime(2020, 1, 1, tzinfo=UTC)
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 604800\r\n"

Certificate = Literal["good", "wrong-name", "expired", "self-signed", "common-name"]
Raw = Callable[[ssl.SSLSocket, threading.Event], None]
"""Answers a request in its own way, until the server is over."""


class Site(msgspec.Struct):
    """What ``mta-sts.DOMAIN`` answers."""

    body: bytes = POLICY.encode()
    status: str = "200 OK"
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    media_type: str | None = "text/plain"
    certificate: Certificate = "good"
    raw: Raw | None = None
    """In place of all the above but the certificate."""

    def answer(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status}", f"Content-Length: {len(self.body)}"]
        if self.media_type is not None:
            lines.append(f"Content-Type: {self.media_type}")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join((*lines, "", "")).encode() + self.body


class PolicyHost:
    """One server; *silent* while it takes connections and says nothing on them, not even TLS."""

    def __init__(self, folder: Path, *, address: str | None = None) -> None:
        self.address = address or own_address()
        self.folder = folder
        self.ca = trustme.CA()
        self.ca_file = folder / f"policy-ca-{self.address.replace(':', '-')}.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))
        self.sites: dict[str, Site] = {}
        """By the name of the host."""
        self.asked: list[str] = []
        """The heads of the requests."""
        self.silent = False
        self.versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED)
        """The oldest and the newest that it speaks."""
        self._stranger = trustme.CA()
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}
        self._over = threading.Event()
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._listening = socket.create_server((self.address, 443), family=family, backlog=100)
        self._threads: list[threading.Thread] = []

    def serve(self, domain: str, text: str = POLICY) -> Site:
        """Publish *text* as the policy of *domain*; what is returned can be changed."""
        site = self.sites[f"mta-sts.{domain}"] = Site(body=text.encode())
        return site

    def start(self) -> None:
        self._run(self._serve)

    def stop(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._run(self._talk, connection)

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            if self.silent:
                self._over.wait(30)
                return
            connection.settimeout(30)
            with suppress(OSError, EOFError):
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        first = self._versions()
        name = ""

        def choose(tls: ssl.SSLObject, asked: str | None, _first: ssl.SSLContext) -> None:
            nonlocal name
            name = asked or ""
            tls.context = self._context(name)

        first.sni_callback = choose
        with first.wrap_socket(connection, server_side=True) as tls:
            self._answer(tls, self.sites.get(name) or Site(status="404 Not Found"))
            with suppress(OSError):
                tls.unwrap()

    def _answer(self, tls: ssl.SSLSocket, site: Site) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = tls.recv(4096)
            if not more:
                return
            head += more
        self.asked.append(head.decode())
        if site.raw is not None:
            site.raw(tls, self._over)
        else:
            tls.sendall(site.answer())

    def _context(self, name: str) -> ssl.SSLContext:
        site = self.sites.get(name) or Site()
        key = (name, site.certificate)
        if key not in self._contexts:
            made = self._versions()
            if site.certificate == "common-name":
                pem = self.folder / f"{name}.pem"
                pem.write_bytes(issued(self.ca, name))
                made.load_cert_chain(pem)
            else:
                self._certificate(name, site.certificate).configure_cert(made)
            self._contexts[key] = made
        return self._contexts[key]

    def _versions(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version, made.maximum_version = self.versions
        if made.maximum_version == ssl.TLSVersion.TLSv1_1:
            made.set_ciphers("ALL:@SECLEVEL=0")
        return made

    def _certificate(self, name: str, kind: Certificate) -> trustme.LeafCert:
        if kind == "wrong-name":
            return self.ca.issue_cert("www.example.com")
        if kind == "expired":
            return self.ca.issue_cert(name, not_before=PAST, not_after=PAST.replace(month=4))
        return (self._stranger if kind == "self-signed" else self.ca).issue_cert(name)


@contextmanager
def policy_host(folder: Path, *, address: str | None = None) -> Iterator[PolicyHost]:
    """A server that runs; *address*: one of loopback, else its own."""
    server = PolicyHost(folder, address=address)
    server.start()
    try:
        yield server
    finally:
        server.stop()
