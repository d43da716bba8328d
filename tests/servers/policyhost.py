"""
A real HTTPS server for policies of MTA-STS, on port 443 of an address of its own.

One server has the policies of many domains, each with a certificate of its own
from a CA of the test; what it answers, and how slowly, is told at run time.
"""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import trustme

from tests.servers.certificates import issued
from tests.servers.listening import PATIENCE, Listening

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


class PolicyHost(Listening):
    """One server; *silent* while it takes connections and says nothing on them, not even TLS."""

    def __init__(self, folder: Path, *, address: str | None = None) -> None:
        super().__init__(443, address)
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

    def serve(self, domain: str, text: str = POLICY) -> Site:
        """Publish *text* as the policy of *domain*; what is returned can be changed."""
        site = self.sites[f"mta-sts.{domain}"] = Site(body=text.encode())
        return site

    def _talk(self, connection: socket.socket) -> None:
        if self.silent:
            self._over.wait(PATIENCE)
        else:
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


def policy_host(folder: Path, *, address: str | None = None) -> PolicyHost:
    """For a ``with``: a server; *address*: one of loopback, else its own."""
    return PolicyHost(folder, address=address)
