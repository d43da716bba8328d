"""Servers on port 25 that refuse, break off, say nothing or say nonsense: each is told apart."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tests.ports import own_address
from tests.servers.oddsmtp import Odd, Peer, Talk, odd
from tlsrpt_mailer.domains.seen import Shown
from tlsrpt_mailer.net import dialogue, handshake
from tlsrpt_mailer.net.dialogue import Reply
from tlsrpt_mailer.net.probe import Probe, control

pytestmark = pytest.mark.servers

MX = "mx1.example.com"
NOW = 1_800_000_000
QUICK = 0.6
"""Seconds, for tests that use them up."""
LEAF = trustme.CA().issue_cert(MX)


def show(server: Odd | str, seconds: float = 10.0) -> Shown:
    """What it shows, in the time that it may take."""
    began = time.monotonic()
    address = server if isinstance(server, str) else server.address
    found = Probe("probe.example.org", seconds=seconds).show(MX, address, NOW)
    assert time.monotonic() - began < seconds + 1.5
    return found


def lines(*said: str) -> Talk:
    """Says one of these, in turn, before each line that it hears; then it hangs up."""

    def talk(peer: Peer) -> None:
        for one in said:
            peer.say(one)
            if peer.hear() == "QUIT":
                peer.say("221 bye")
                return

    return talk


def after_starttls(then: Callable[[Peer], None]) -> Talk:
    def talk(peer: Peer) -> None:
        peer.until_starttls()
        then(peer)

    return talk


HELLO = ("220 mx.example.com ESMTP", "250-mx.example.com\r\n250-SIZE\r\n250 STARTTLS")


@pytest.mark.parametrize(
    ("said", "kind", "error"),
    [
        (("421 4.7.0 try again later",), "refused", "421 4.7.0 try again later"),
        (("554 no SMTP service here",), "refused", "554 no SMTP service here"),
        (("554-go\r\n554 away",), "refused", "554 go away"),
        (("220 mx", "421 too busy"), "refused", "421 too busy"),
        (("220 mx", "550 not from there"), "refused", "550 not from there"),
        (("220 mx", "502 what?"), "no-starttls", "502 what?"),
        (("220 mx", "250 mx"), "no-starttls", "EHLO is answered without STARTTLS"),
        (
            ("220 mx", "250-STARTTLS\r\n250 SIZE"),
            "no-starttls",
            "EHLO is answered without STARTTLS",
        ),
        ((*HELLO, "454 4.7.0 TLS not available"), "no-starttls", "454 4.7.0 TLS not available"),
        ((*HELLO, "502 5.5.1 no"), "no-starttls", "502 5.5.1 no"),
    ],
)
def test_a_refusal_is_told_by_where_it_stands(said: tuple[str, ...], kind: str, error: str):
    """With the server's words; it is left with a goodbye, and no mail was begun."""
    with odd(lines(*said)) as server:
        shown = show(server)

    assert (kind, error) == (shown.kind, shown.error)
    assert "QUIT" == server.heard[-1]
    assert {"EHLO probe.example.org", "STARTTLS", "QUIT"} >= set(server.heard)


def hang_up(_peer: Peer) -> None:
    """Say nothing, and go."""


def half_a_line(peer: Peer) -> None:
    peer.connection.sendall(b"220 mx")


def reset(peer: Peer) -> None:
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def http(peer: Peer) -> None:
    peer.say("HTTP/1.1 400 Bad Request", "")
    peer.hear()


def noise(peer: Peer) -> None:
    peer.connection.sendall(os.urandom(200).replace(b"\n", b"") + b"\r\n")
    peer.hear()


def long_line(peer: Peer) -> None:
    peer.connection.sendall(b"220 " + b"x" * 1_100)
    peer.over.wait(30)


def long_whole_line(peer: Peer) -> None:
    peer.connection.sendall(b"220 " + b"x" * 1_100 + b"\r\n")
    peer.hear()


def many_lines(peer: Peer) -> None:
    while not peer.over.is_set():
        peer.say(*["220-x"] * 50)


@pytest.mark.parametrize(
    ("talk", "error"),
    [
        (hang_up, "it hung up without a word"),
        (half_a_line, "it hung up"),
        (reset, "Connection reset by peer"),
        (http, "that is no SMTP: HTTP/1.1 400 Bad Request"),
        (noise, "that is no SMTP: "),
        (long_line, "a line of more than 1000 bytes"),
        (long_whole_line, "a line of more than 1000 bytes"),
        (many_lines, "a reply of more than 100 lines"),
    ],
)
def test_what_is_no_greeting_takes_no_mail(talk: Talk, error: str):
    """It is left at once, whatever it goes on with."""
    with odd(talk) as server:
        shown = show(server)

    assert "refused" == shown.kind
    assert shown.error.startswith(error)
    assert shown.error.isprintable()


def heard_and_gone(peer: Peer) -> None:
    """Go once the ClientHello is read: what is left unread would reset the connection."""
    peer.connection.recv(65_536)


def alert(peer: Peer) -> None:
    peer.connection.recv(5)
    peer.connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
    peer.connection.recv(4096)


def plain(peer: Peer) -> None:
    peer.connection.recv(5)
    peer.say("500 what was that?")
    peer.connection.recv(4096)


def flood(peer: Peer) -> None:
    """Handshake records with a certificate message that never ends, in small steps."""
    peer.connection.recv(5)
    while not peer.over.is_set():
        peer.connection.sendall(b"\x14\x03\x03\x00\x01\x01" * 500)


def huge_message(peer: Peer) -> None:
    peer.connection.recv(5)
    peer.connection.sendall(b"\x16\x03\x03\x40\x00\x02\xff\xff\xff" + b"x" * 16_380)
    peer.connection.recv(4096)


@pytest.mark.parametrize(
    ("then", "error"),
    [
        (alert, "handshake failure"),
        (plain, "wrong version number"),
        (flood, ""),
        (huge_message, ""),
        (heard_and_gone, "it hung up in the handshake"),
    ],
)
def test_tls_that_fails_says_why(then: Callable[[Peer], None], error: str):
    """By OpenSSL's reasons: an alert, something that is no TLS, a hang-up."""
    with odd(after_starttls(then)) as server:
        shown = show(server)

    assert "handshake" == shown.kind
    assert error in shown.error
    assert shown.error


def test_a_handshake_has_a_limit(monkeypatch: pytest.MonkeyPatch):
    """However much of it OpenSSL would take."""
    monkeypatch.setattr(handshake, "MOST_BYTES", 500)
    with odd(after_starttls(tls(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))) as server:
        shown = show(server)

    assert ("handshake", "a handshake of more than 500 bytes") == (shown.kind, shown.error)


def test_a_hang_up_at_starttls_is_a_failed_handshake():
    """It was offered, and cannot be had."""
    with odd(lines(*HELLO)) as server:
        shown = show(server)

    assert ("handshake", "it hung up without a word") == (shown.kind, shown.error)


def tls(oldest: ssl.TLSVersion, newest: ssl.TLSVersion) -> Callable[[Peer], None]:
    """TLS of these versions, then SMTP within it."""

    def then(peer: Peer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        LEAF.configure_cert(context)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = oldest, newest
        peer.wrap(context)
        peer.hear()
        peer.say("221 bye")

    return then


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "protocol"),
    [
        (ssl.TLSVersion.TLSv1, "TLSv1"),
        (ssl.TLSVersion.TLSv1_1, "TLSv1.1"),
        (ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        (ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
    ],
)
def test_versions_that_nobody_should_speak_are_seen(version: ssl.TLSVersion, protocol: str):
    """A host that knows only old versions is not called mute: this is why senders refuse."""
    with odd(after_starttls(tls(version, version))) as server:
        shown = show(server)

    assert ("tls", protocol, (MX,)) == (shown.kind, shown.protocol, shown.chain[0].names)
    assert "QUIT" == server.heard[-1]


def test_what_was_said_in_the_clear_behind_starttls_is_forgotten():
    """
    Somebody on the way may have said it (CVE-2011-0411): it is no part of what comes in TLS,
    and no reason to miss what the host shows.
    """

    def then(peer: Peer) -> None:
        tls(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)(peer)

    def talk(peer: Peer) -> None:
        peer.say(HELLO[0])
        peer.hear()
        peer.say(HELLO[1])
        peer.hear()
        peer.say("220 go ahead", "250 injected")
        then(peer)

    with odd(talk) as server:
        assert "tls" == show(server).kind


def test_a_certificate_is_asked_for_by_the_name_of_the_host():
    """A server of many names shows the one that belongs to the MX host (SNI)."""
    asked: list[str | None] = []

    def then(peer: Peer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        LEAF.configure_cert(context)
        context.sni_callback = lambda _tls, name, _context: asked.append(name)
        peer.wrap(context)
        peer.hear()

    with odd(after_starttls(then)) as server:
        show(server)

    assert [MX] == asked


def test_only_so_much_of_a_chain_is_kept(tmp_path: Path):
    """A host may send as many certificates, with as many names, as fit into a handshake."""
    ca = trustme.CA()
    leaf = ca.issue_cert(MX, *(f"mx{at}.example.com" for at in range(300)), "last.example.com")
    pem = tmp_path / "chain.pem"
    pem.write_bytes(leaf.private_key_and_cert_chain_pem.bytes() + ca.cert_pem.bytes() * 60)

    def then(peer: Peer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        peer.wrap(context)
        peer.hear()

    with odd(after_starttls(then)) as server:
        found = Probe("probe.example.org").show("last.example.com", server.address, NOW)

    assert 20 == len(found.chain)
    assert 100 == len(found.chain[0].names)
    assert found.names_fit


def silence(peer: Peer) -> None:
    peer.over.wait(30)


def drip_greeting(peer: Peer) -> None:
    while not peer.over.wait(0.05):
        peer.connection.sendall(b"2")


def drip_lines(peer: Peer) -> None:
    while not peer.over.wait(0.05):
        peer.say("220-x")


def silence_after_greeting(peer: Peer) -> None:
    peer.say("220 mx")
    peer.over.wait(30)


def drip_handshake(peer: Peer) -> None:
    peer.connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
    while not peer.over.wait(0.05):
        peer.connection.sendall(b"x")


@pytest.mark.parametrize(
    "talk",
    [
        silence,
        drip_greeting,
        drip_lines,
        silence_after_greeting,
        after_starttls(silence),
        after_starttls(drip_handshake),
    ],
)
def test_one_deadline_over_all_of_it(talk: Talk):
    """A host that says nothing, or a byte now and then, is left when the time is over."""
    with odd(talk) as server:
        shown = show(server, QUICK)

    assert ("timeout", "no answer within 0.6 s") == (shown.kind, shown.error)


def test_a_goodbye_that_is_not_answered_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    """What was seen is told all the same, soon."""
    assert dialogue.PARTING <= 5
    monkeypatch.setattr(dialogue, "PARTING", 0.2)

    def talk(peer: Peer) -> None:
        peer.say("554 go away")
        while not peer.over.wait(0.05):
            peer.connection.sendall(b"x")

    with odd(talk) as server:
        began = time.monotonic()
        shown = show(server)

    assert "refused" == shown.kind
    assert time.monotonic() - began < 3


def test_a_goodbye_that_is_answered_at_length_is_not_heard_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
):
    """A flood ends after some KiB, long before its time is over."""
    monkeypatch.setattr(dialogue, "PARTING", 20.0)

    def talk(peer: Peer) -> None:
        peer.say("554 go away")
        while not peer.over.is_set():
            peer.connection.sendall(b"x" * 4096)

    with odd(talk) as server:
        began = time.monotonic()
        show(server)

    assert time.monotonic() - began < dialogue.PARTING


def test_nobody_there_and_no_address():
    """Neither is a matter of TLS."""
    here = own_address()

    assert ("unreachable", "Connection refused") == (show(here).kind, show(here).error)
    assert "that is no address" == show("mx1.example.com").error
    assert "that is no address" == show("fe80::1%lo").error


def test_addresses_of_our_own_network_are_left_alone():
    """For domains that strangers made ours: no server of ours is greeted for them."""
    with odd(lines("220 mx")) as server:
        found = Probe("probe.example.org", only_public=True).show(MX, server.address, NOW)

    assert ("unreachable", f"{server.address} is no public address") == (found.kind, found.error)
    assert [] == server.peers


def test_ipv6():
    """Hosts that IPv6 alone leads to are seen as well."""
    with odd(after_starttls(tls(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)), address="::1"):
        assert "tls" == show("::1").kind


@pytest.mark.parametrize("host", ["", "x" * 300, "caf\u00e9.example", "a\x00b", "*.example.com"])
def test_a_host_of_any_name(host: str):
    """What an MX record may name harms nothing."""
    with odd(after_starttls(tls(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))) as server:
        shown = Probe("probe.example.org").show(host, server.address, NOW)

    assert ("tls", False) == (shown.kind, shown.names_fit)


def test_a_connection_that_nobody_takes():
    """The control probe and the others wait for no more than their time."""
    address = own_address()
    with socket.create_server((address, 25), backlog=0):
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((address, 25))
        began = time.monotonic()
        shown = show(address, QUICK)
        said = control([("a.example", address)], seconds=QUICK)
        took = time.monotonic() - began
        for one in waiting:
            one.close()

    assert ("timeout", "no connection within 0.6 s") == (shown.kind, shown.error)
    assert f"a.example ({address}): no connection within 0.6 s" == said
    assert took < 2 * QUICK + 3


def test_what_a_server_says_is_cut_to_one_line():
    """Control characters and length are the server's; what is shown is not."""
    assert "250 [31mx y" == Reply(250, ("\x1b[31mx", "\ty\r")).shown
    assert 300 == len(Reply(250, ("x" * 900,)).shown)


def test_probes_beside_one_another():
    """Many threads share one probe."""
    probe = Probe("probe.example.org")
    found: list[str] = []
    with odd(after_starttls(tls(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))) as server:
        threads = [
            threading.Thread(target=lambda: found.append(probe.show(MX, server.address, NOW).kind))
            for _ in range(16)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join(30)

    assert ["tls"] * 16 == found
