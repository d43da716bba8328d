"""The policy of MTA-STS over HTTPS, as a sender fetches it (RFC 8461, 3.3)."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import own_address
from tests.servers.policyhost import POLICY, PolicyHost, Raw, policy_host
from tlsrpt_mailer.domains.seen import Answer, Page, RecordType
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.net import https
from tlsrpt_mailer.net.addresses import Ask
from tlsrpt_mailer.net.https import context, fetch_policy

pytestmark = pytest.mark.servers

DOMAIN = "example.com"
HOST = "mta-sts.example.com"
QUICK = 0.6
"""Seconds, for tests that use them up."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicyHost]:
    with policy_host(tmp_path_factory.mktemp("https")) as server:
        yield server


@pytest.fixture
def host(running: PolicyHost) -> PolicyHost:
    running.serve(DOMAIN)
    running.asked.clear()
    running.silent = False
    return running


def at(*addresses: str) -> Ask:
    """DNS has these addresses, whoever is asked for."""

    def ask(_name: str, kind: RecordType) -> Answer:
        family = tuple(one for one in addresses if (":" in one) == (kind == "AAAA"))
        return Answer("found", family) if family else Answer("absent")

    return ask


def fetched(host: PolicyHost, *, seconds: float = 10.0, domain: str = DOMAIN) -> Page:
    """The policy that *host* serves."""
    return fetch_policy(domain, at(host.address), context(str(host.ca_file)), seconds=seconds)


def test_a_policy_is_found_as_it_stands_there(host: PolicyHost):
    """All of it, with its media type without parameters, and from where it came."""
    host.sites[HOST].media_type = "Text/Plain; charset=utf-8"
    host.sites[HOST].body += b"mx: caf\xe9\r\n"

    assert Page(
        kind="found",
        status=200,
        media_type="text/plain",
        text=POLICY + "mx: caf\ufffd\r\n",
        address=host.address,
    ) == fetched(host)


def test_what_is_asked_is_what_senders_ask(host: PolicyHost, monkeypatch: pytest.MonkeyPatch):
    """
    The path and the host of RFC 8461, in the clear of no compression and without cookies;
    no proxy of the environment comes between.
    """
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    fetched(host)
    head = host.asked[0].lower()

    assert head.startswith("get /.well-known/mta-sts.txt http/1.1\r\n")
    assert f"\r\nhost: {HOST}\r\n" in head
    assert "\r\naccept-encoding: identity\r\n" in head
    assert "cookie" not in head


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_told_and_not_followed(host: PolicyHost, status: str):
    """RFC 8461, 3.3: whoever follows one would take a policy that no sender takes."""
    site = host.sites[HOST]
    site.status = status
    site.headers = {"Location": f"https://{HOST}/other"}
    page = fetched(host)

    assert "redirect" == page.kind
    assert int(status[:3]) == page.status
    assert f"https://{HOST}/other" == page.location
    assert 1 == len(host.asked)


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "503 Later", "204 Nothing"])
def test_any_other_status_is_no_policy(host: PolicyHost, status: str):
    """Even with a policy as its body; the status is told."""
    host.sites[HOST].status = status
    page = fetched(host)

    assert "status" == page.kind
    assert int(status[:3]) == page.status
    assert status == page.error
    assert "" == page.text


@pytest.mark.parametrize(
    ("certificate", "word"),
    [
        ("wrong-name", "mismatch"),
        ("expired", "expired"),
        ("self-signed", "issuer"),
        ("common-name", "mismatch"),
    ],
)
def test_a_certificate_that_senders_refuse_is_refused(
    host: PolicyHost, certificate: str, word: str
):
    """It must be made out to ``mta-sts.DOMAIN``, be valid, and lead to a root that is trusted."""
    host.sites[HOST].certificate = certificate
    page = fetched(host)

    assert "certificate" == page.kind
    assert word in page.error
    assert [] == host.asked


def test_the_roots_of_the_system_are_the_default(host: PolicyHost):
    """Without a file of CAs, a CA of the test is a stranger; a file that is none is said so."""
    page = fetch_policy(DOMAIN, at(host.address), context())

    assert "certificate" == page.kind
    with pytest.raises(ConfigError, match=r"/nonexistent\.pem: No such file"):
        context("/nonexistent.pem")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_no_tls_below_1_2(tmp_path: Path):
    """A server that knows only older versions is out of reach, and TLS is named."""
    with policy_host(tmp_path) as old:
        old.serve(DOMAIN)
        old.versions = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
        page = fetched(old)

    assert "unreachable" == page.kind
    assert page.error.startswith("TLS: ")


def test_no_tls_at_all(tmp_path: Path):
    """Something else on the port is out of reach."""
    address = own_address()
    with socket.create_server((address, 443)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(1)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(4096)

        thread = threading.Thread(target=answer)
        thread.start()
        page = fetch_policy(DOMAIN, at(address), context())
        thread.join(10)

    assert "unreachable" == page.kind
    assert page.error.startswith("TLS: ")


def test_the_next_address_is_tried_where_nobody_is_at_the_first(host: PolicyHost):
    """As senders do; which one was reached is told, and where none is, the last one."""
    nobody = own_address()
    tls = context(str(host.ca_file))

    page = fetch_policy(DOMAIN, at(nobody, "::1", host.address), tls)
    assert ("found", host.address) == (page.kind, page.address)
    page = fetch_policy(DOMAIN, at(nobody), tls)
    assert Page(kind="unreachable", error="Connection refused", address=nobody) == page


def test_no_more_than_four_addresses_are_tried(host: PolicyHost):
    """A name with a hundred addresses costs no more than one with four."""
    several = [own_address() for _ in range(4)]

    assert "unreachable" == fetch_policy(DOMAIN, at(*several, host.address), context()).kind


def test_both_families_are_tried(tmp_path: Path):
    """A policy host that only IPv6 leads to is found."""
    with policy_host(tmp_path, address="::1") as six:
        six.serve(DOMAIN)
        page = fetch_policy(DOMAIN, at(own_address(), "::1"), context(str(six.ca_file)))

    assert ("found", "::1") == (page.kind, page.address)


def test_a_name_without_an_address_is_a_matter_of_dns():
    """No address, no answer, a proof that fails, and no name: each says which it is."""
    tls = context()

    def bogus(_name: str, _kind: RecordType) -> Answer:
        return Answer("trouble", error="SERVFAIL", is_bogus=True)

    pages = [
        fetch_policy(DOMAIN, lambda *_: Answer("absent"), tls),
        fetch_policy(DOMAIN, lambda *_: Answer("trouble", error="no answer in time"), tls),
        fetch_policy(DOMAIN, bogus, tls),
        fetch_policy("a/../b\r\n", at("127.0.0.1"), tls),
    ]

    assert {"dns"} == {page.kind for page in pages}
    assert [
        f"{HOST} has no address",
        f"no address of {HOST}: no answer in time",
        f"no address of {HOST}: DNSSEC validation fails: SERVFAIL",
        "that is no host name",
    ] == [page.error for page in pages]


def test_one_family_in_trouble_hides_not_the_other(host: PolicyHost):
    """A server that fails for AAAA alone still leads to the policy."""

    def half(name: str, kind: RecordType) -> Answer:
        return at(host.address)(name, kind) if kind == "A" else Answer("trouble", error="SERVFAIL")

    assert "found" == fetch_policy(DOMAIN, half, context(str(host.ca_file))).kind


def test_addresses_of_our_own_network_are_left_alone(host: PolicyHost):
    """For domains that strangers made ours: their policy host may not be a server of ours."""
    page = fetch_policy(DOMAIN, at(host.address), context(str(host.ca_file)), only_public=True)

    assert Page(kind="unreachable", error=f"{host.address} is no public address") == page
    assert [] == host.asked


# ------------------------------------------------------------------------ limits


def test_a_policy_of_64_kib_is_read_and_no_more(host: PolicyHost):
    """The limit of RFC 8461, 3.3: at it all is read, past it nothing is told of the text."""
    host.sites[HOST].body = b"x" * 65_536
    at_limit = fetched(host)
    host.sites[HOST].body = b"x" * 65_537
    above = fetched(host)

    assert ("found", 65_536) == (at_limit.kind, len(at_limit.text))
    assert ("too-large", "") == (above.kind, above.text)


def chunks(tls: ssl.SSLSocket, over: threading.Event) -> None:
    """An endless body."""
    tls.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not over.is_set():
        tls.sendall(b"2000\r\n" + b"x" * 8192 + b"\r\n")


def plenty(tls: ssl.SSLSocket, over: threading.Event) -> None:
    """An endless body, to the end of the connection."""
    tls.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not over.is_set():
        tls.sendall(b"x" * 8192)


@pytest.mark.parametrize("raw", [chunks, plenty])
def test_an_endless_body_is_left_soon(host: PolicyHost, raw: Raw):
    """It is too large as soon as the limit is passed, long before the deadline."""
    host.sites[HOST].raw = raw
    began = time.monotonic()
    page = fetched(host, seconds=30)

    assert "too-large" == page.kind
    assert time.monotonic() - began < 10


def mute(_tls: ssl.SSLSocket, over: threading.Event) -> None:
    over.wait(30)


def _drip(tls: ssl.SSLSocket, over: threading.Event, begin: bytes, again: bytes) -> None:
    tls.sendall(begin)
    while not over.wait(0.05):
        tls.sendall(again)


def drip(tls: ssl.SSLSocket, over: threading.Event) -> None:
    _drip(tls, over, b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x")


def drip_status(tls: ssl.SSLSocket, over: threading.Event) -> None:
    _drip(tls, over, b"HTTP/1.1 ", b"2")


def drip_headers(tls: ssl.SSLSocket, over: threading.Event) -> None:
    _drip(tls, over, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")


def drip_chunks(tls: ssl.SSLSocket, over: threading.Event) -> None:
    _drip(tls, over, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0")


def continues(tls: ssl.SSLSocket, over: threading.Event) -> None:
    _drip(tls, over, b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50)


@pytest.mark.parametrize("raw", [mute, drip, drip_status, drip_headers, drip_chunks, continues])
def test_one_deadline_over_all_of_it(host: PolicyHost, raw: Raw):
    """A server that is mute, or says a byte now and then, is left when the time is over."""
    host.sites[HOST].raw = raw
    began = time.monotonic()
    page = fetched(host, seconds=QUICK)

    assert Page(kind="timeout", error="no answer within 0.6 s", address=host.address) == page
    assert QUICK - 0.1 < time.monotonic() - began < QUICK + 1.5


def test_a_handshake_that_never_comes_is_left(host: PolicyHost):
    """The deadline holds for TLS as well."""
    host.silent = True
    began = time.monotonic()
    page = fetched(host, seconds=QUICK)

    assert "timeout" == page.kind
    assert time.monotonic() - began < QUICK + 1.5


def test_a_handshake_that_drips_is_left():
    """A byte of it now and then is no reason to stay."""
    address = own_address()
    over = threading.Event()
    with socket.create_server((address, 443)) as slow:

        def answer() -> None:
            connection, _ = slow.accept()
            with connection:
                try:
                    connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
                    while not over.wait(0.05):
                        connection.sendall(b"x")
                except OSError:
                    over.set()

        thread = threading.Thread(target=answer)
        thread.start()
        began = time.monotonic()
        page = fetch_policy(DOMAIN, at(address), context(), seconds=QUICK)
        took = time.monotonic() - began
        over.set()
        thread.join(10)

    assert "timeout" == page.kind
    assert took < QUICK + 1.5


def test_a_connection_that_nobody_takes_is_left_for_the_next(
    host: PolicyHost, monkeypatch: pytest.MonkeyPatch
):
    """An address that answers nothing at all costs some seconds, not all of them."""
    assert https.ADDRESSES * https.CONNECTING <= https.SECONDS
    monkeypatch.setattr(https, "CONNECTING", 0.3)
    full = own_address()
    with socket.create_server((full, 443), backlog=0) as listening, crowd(full):
        page = fetch_policy(DOMAIN, at(full, host.address), context(str(host.ca_file)))
        alone = fetch_policy(DOMAIN, at(full), context())
        listening.close()

    assert "found" == page.kind
    assert Page(kind="timeout", error="no connection within 0.3 s", address=full) == alone


class crowd:  # noqa: N801  used like a function
    """So many connections that nobody accepts that the kernel takes no more."""

    def __init__(self, address: str) -> None:
        self._sockets = [socket.socket() for _ in range(4)]
        for one in self._sockets:
            one.setblocking(False)
            one.connect_ex((address, 443))

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()


def huge_headers(tls: ssl.SSLSocket, _over: threading.Event) -> None:
    tls.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5_000 + b"\r\n")


def long_header(tls: ssl.SSLSocket, _over: threading.Event) -> None:
    tls.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n")


def garbage(tls: ssl.SSLSocket, _over: threading.Event) -> None:
    tls.sendall(os.urandom(64) + b"\r\n\r\n")


def short(tls: ssl.SSLSocket, _over: threading.Event) -> None:
    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nversion: STSv1\r\n")


def short_chunk(tls: ssl.SSLSocket, _over: threading.Event) -> None:
    tls.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n500\r\nversion: STSv1\r\n")


def bad_chunk(tls: ssl.SSLSocket, _over: threading.Event) -> None:
    tls.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n")


def nothing(_tls: ssl.SSLSocket, _over: threading.Event) -> None:
    """Hang up."""


@pytest.mark.parametrize(
    "raw", [huge_headers, long_header, garbage, short, short_chunk, bad_chunk, nothing]
)
def test_what_is_no_whole_answer_is_no_policy(host: PolicyHost, raw: Raw):
    """Headers without end, noise, and half a policy: nothing of it is taken for one."""
    host.sites[HOST].raw = raw
    page = fetched(host)

    assert ("unreachable", "") == (page.kind, page.text)
    assert page.error.isprintable()


def test_what_a_server_says_comes_in_one_short_line(
    host: PolicyHost, caplog: pytest.LogCaptureFixture
):
    """Reason, media type and location are cut and have no control characters; none is logged."""

    def loud(tls: ssl.SSLSocket, _over: threading.Event) -> None:
        text = b"\x1b[31m" + b"x" * 5_000
        head = b"HTTP/1.1 301 %s\r\nContent-Type: %s\r\nLocation: %s\r\n" % (text, text, text)
        tls.sendall(head + b"\xff\xfebad\x1b[0m header\r\n\r\n")

    host.sites[HOST].raw = loud
    page = fetched(host)

    assert "redirect" == page.kind
    for said in (page.error, page.media_type, page.location):
        assert said
        assert said.isprintable()
        assert len(said) <= 300
    assert "" == caplog.text


def test_many_at_once_share_one_context(host: PolicyHost):
    """Whom to trust is read once; fetches beside one another do not disturb each other."""
    tls = context(str(host.ca_file))
    pages: list[Page] = []

    def fetch() -> None:
        pages.append(fetch_policy(DOMAIN, at(host.address), tls))

    threads = [threading.Thread(target=fetch) for _ in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)

    assert ["found"] * 20 == [page.kind for page in pages]
