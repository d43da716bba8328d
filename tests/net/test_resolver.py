"""DNS as it is: a real server, a server that says nothing, and none."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

import dns.message
import dns.name
import dns.rrset
import pytest

from tests.servers.nsd import nsd
from tests.trouble.dns import server as answering
from tests.trust.signing import judge, mail, rsa_key, sign
from tlsrpt_mailer.net.nameservers import address_of
from tlsrpt_mailer.net.resolver import Resolver

NAME = "sel._domainkey.sender.example"
RECORD = f"v=DKIM1; k=rsa; s=tlsrpt; p={rsa_key()[1]}".encode()


@pytest.mark.servers
def test_a_key_from_a_real_server_verifies(tmp_path: Path):
    """A record longer than one string, and than UDP carries, comes whole, and verifies a mail."""
    with nsd(tmp_path, {NAME: RECORD, "big.example": b"v=DKIM1; p=" + b"A" * 3000}) as server:
        resolver = Resolver([server])
        answer = resolver.txt(NAME)
        big = resolver.txt("big.example")

    assert (RECORD,) == answer.texts
    assert "pass" == judge(sign(mail()), answer).word
    assert 3011 == len(big.texts[0])


@pytest.mark.servers
def test_what_is_not_there_is_absent(tmp_path: Path):
    """No such name, and a name without TXT, are answers: the key is not there."""
    with nsd(tmp_path, {NAME: RECORD}) as server:
        resolver = Resolver([server])

        assert "absent" == resolver.txt("nx._domainkey.sender.example").kind
        assert "absent" == resolver.txt("ns.example").kind
        assert "absent" == resolver.txt("a" * 64 + ".example").kind


@pytest.mark.servers
def test_a_refusal_is_trouble(tmp_path: Path):
    """A server that refuses says nothing about the key."""
    with nsd(tmp_path, {NAME: RECORD}) as server:
        assert "trouble" == Resolver([server], timeout=0.5).txt("a.other").kind


@pytest.mark.servers
def test_answers_are_remembered(tmp_path: Path):
    """A second mail asks nobody, until the record's time is over."""
    now = 0.0
    with nsd(tmp_path, {NAME: RECORD}) as server:
        resolver = Resolver([server], timeout=0.2, clock=lambda: now)
        first = resolver.txt(NAME)

    assert first == resolver.txt(NAME)
    now = 301.0
    assert "trouble" == resolver.txt(NAME).kind


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_allowed():
    """The time-out is kept, and the same name is not waited for again at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        resolver = Resolver([f"127.0.0.1:{mute.getsockname()[1]}"])
        began = time.monotonic()
        answer = resolver.txt(NAME, within=0.3)
        again = resolver.txt(NAME, within=0.3)

    assert "trouble" == answer.kind == again.kind
    assert time.monotonic() - began < 1.5
    resolver.forget_trouble()
    assert "no time" in resolver.txt("other.example", within=0).error


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
    ],
)
def test_addresses_of_name_servers(text: str, address: tuple[str, int]):
    """Both families, with a port or without."""
    assert address == address_of(text)


def _mute(sock: socket.socket) -> str:
    sock.bind(("127.0.0.1", 0))
    return f"127.0.0.1:{sock.getsockname()[1]}"


def test_a_dead_resolver_is_waited_for_once():
    """
    While no name server answers, two hundred mails of as many senders do not wait one after
    the other; when the rest is over, or a person wants it now, it is asked again.
    """
    now = 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        resolver = Resolver([_mute(mute)], clock=lambda: now)
        resolver.txt(NAME, within=0.4)
        began = time.monotonic()
        answers = {resolver.txt(f"sel.{at}.other", within=0.4).kind for at in range(200)}
        took = time.monotonic() - began
        resolver.forget_trouble()
        began = time.monotonic()
        resolver.txt(NAME, within=0.4)
        asked = time.monotonic() - began

    assert {"trouble"} == answers
    assert took < 0.3 < asked + 0.05


def two_labels(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def mute_below(*names: str) -> Callable[[dns.message.Message, str], dns.message.Message | None]:
    """A name server that has a key for every name, but for these."""

    def answer(question: dns.message.Message, _way: str) -> dns.message.Message | None:
        name = question.question[0].name
        if str(name).rstrip(".").endswith(names):
            return None
        reply = dns.message.make_response(question)
        if name != dns.name.root:
            reply.answer.append(dns.rrset.from_text(name, 300, "IN", "TXT", '"v=DKIM1; p=AA"'))
        return reply

    return answer


def test_a_sender_whose_name_servers_are_mute_delays_nobody_else():
    """
    Names that are never answered for are a trick: their owner's other selectors wait for
    nothing, after some of his domains none of the others does, and everybody else is asked
    for as before.
    """
    with answering(mute_below("evil.example")) as one:
        resolver = Resolver([one.address], zone_of=two_labels)
        first = resolver.txt("s1._domainkey.a.evil.example", within=0.6)
        began = time.monotonic()
        second = resolver.txt("s2._domainkey.a.evil.example", within=0.6)
        took = time.monotonic() - began
        more = [resolver.txt(f"s._domainkey.{at}.evil.example", within=0.6) for at in "bc"]
        began = time.monotonic()
        last = [resolver.txt(f"s._domainkey.x{at}.evil.example", within=0.6) for at in range(50)]
        took_last = time.monotonic() - began
        other = resolver.txt(NAME, within=0.6)

    assert ("trouble", "trouble", "found") == (first.kind, second.kind, other.kind)
    assert "a.evil.example do not answer" in second.error
    assert ["no answer in time"] * 2 == [answer.error for answer in more]
    assert {"the name servers of evil.example do not answer"} == {answer.error for answer in last}
    assert took < 0.3 > took_last


def test_a_forgotten_subdomain_of_a_reporter_keeps_no_key_of_it_away():
    """Whoever signs with names that nobody answers for below a large sender's blocks none of its
    own: neither the domain itself nor those that were answered for before."""
    with answering(mute_below("old.google.com")) as one:
        resolver = Resolver([one.address], zone_of=two_labels)
        before = resolver.txt("s._domainkey.mail.google.com", within=0.6)
        for at in range(3):
            resolver.txt(f"s._domainkey.x{at}.old.google.com", within=0.4)
        names = ("new._domainkey.google.com", "new._domainkey.mail.google.com")
        found = [resolver.txt(name, within=0.6).kind for name in names]
        unsure = resolver.txt("s._domainkey.never.google.com", within=0.6)

    assert "found" == before.kind
    assert ["found", "found"] == found
    assert "the name servers of google.com do not answer" == unsure.error
