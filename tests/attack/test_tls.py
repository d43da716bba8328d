"""STARTTLS: what was said in the clear is forgotten, and nobody is held by a handshake."""

import os
import socket
import ssl
from contextlib import ExitStack, suppress

import pytest

from tests.attack.victim import CONNECTIONS, Victim, crowd
from tests.sources.listeners import MAIL, Client

EVIL = b"MAIL FROM:<evil@evil.example>\r\nRCPT TO:<tlsrpt@example.com>\r\nDATA\r\n"


def _wrapped(client: Client) -> Client:
    """Do the handshake; whose certificate it is, is no matter here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client.sock = context.wrap_socket(client.sock)
    return client


@pytest.mark.parametrize("times", [1, 2000])
def test_commands_behind_starttls_are_never_obeyed(target: Victim, times: int) -> None:
    """
    What somebody on the way puts behind STARTTLS in the same packet, little or more than a
    buffer, is neither obeyed nor answered within TLS (CVE-2011-0411).
    """
    before = target.site.count("mails")
    with target.bounded(), target.greeted() as client:
        client.send(b"STARTTLS\r\n" + target.hello.encode() + b"\r\n" + EVIL * times)
        assert client.answer().startswith("220")
        try:
            _wrapped(client)
        except OSError:
            # More came than the listener had read: that is no handshake, and ends it.
            assert times > 1
        else:
            assert client.ask("DATA").startswith("503")
            assert client.ask("NOOP").startswith("250")
        target.honest()
        assert target.site.count("mails") == before + 1


def test_a_mail_that_was_begun_in_the_clear_does_not_go_on_in_tls(target: Victim) -> None:
    """Greeting, sender and recipients are asked for anew (RFC 3207, 4.2)."""
    with target.bounded(), target.greeted() as client:
        assert client.begin("tlsrpt@example.com")[0].startswith("250")
        assert client.ask("STARTTLS").startswith("220")
        _wrapped(client)

        assert client.ask("DATA").startswith("503")
        assert client.ask("MAIL FROM:<>").startswith("503")
        assert "STARTTLS" not in client.ask(target.hello)
        assert client.deliver(MAIL)[0].startswith("250")


def test_commands_sent_in_the_clear_before_the_handshake(target: Victim) -> None:
    """Plain text in place of a handshake ends the connection; nothing of it is a command."""
    before = target.site.count("mails")
    with target.bounded(), target.in_tls() as client:
        client.send(target.hello.encode() + b"\r\n" + EVIL + b"Subject: x\r\n.\r\n")

        assert client.rest() == []
        assert target.site.count("mails") == before


def test_half_open_handshakes_in_every_place(target: Victim) -> None:
    """Peers that begin TLS and go silent, in all places, are gone after the time-out."""
    with target.bounded(), crowd(CONNECTIONS, target.in_tls):
        target.honest()


def test_garbage_and_broken_records(target: Victim) -> None:
    """Noise, a huge record, an early alert and a hang-up in the handshake: each ends it alone."""
    noise = [
        os.urandom(4096),
        b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x80\x2e\x01\x00\x02",
        b"",
    ]
    with target.bounded(), ExitStack() as stack:
        for data in noise:
            client = stack.enter_context(target.in_tls())
            # It may have hung up already, in the middle of what it need not read.
            with suppress(OSError):
                client.send(data)
                client.sock.shutdown(socket.SHUT_WR)
        target.honest()


def test_a_peer_that_reads_nothing_within_tls(target: Victim) -> None:
    """Answers over TLS that nobody takes are bounded, and the connection goes."""
    with target.bounded(), target.in_tls() as client:
        _wrapped(client).sock.settimeout(1)
        client.ask(target.hello)
        try:
            client.flood(b"VRFY x\r\n" * 1000, 1000)
        except OSError:
            client.sock.close()
        target.honest()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_no_old_protocol(target: Victim) -> None:
    """TLS 1.2 and 1.3 alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with target.in_tls() as client, pytest.raises(OSError, match=r"alert|EOF|reset"):
        context.wrap_socket(client.sock)
