"""
DNS in trouble: a report is believed only by a key that DNS gave; what is not certain is pending.

| DNS | the word of the mail |
| --- | --- |
| no answer, from one server or any; too late, too slow (UDP, TCP) | pending, within 3 s |
| SERVFAIL, REFUSED, NOTIMP, FORMERR; garbage; a lame delegation | pending |
| another id, another question, another sender | not heard; pending |
| truncated: TCP works | pass |
| truncated: TCP is refused, hangs, drips | pending |
| CNAME to the key | pass |
| CNAMEs in a circle | pending |
| NXDOMAIN, no TXT there, CNAME to nothing | fail: certain |
| 64 KiB of TXT, a hundred records, binary | fail, without harm |
| the first of two servers is dead | pass, and it is asked last from then on |
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest

from tests.trouble.dns import Answer, Reply, Server, refused, server, texts, truncated
from tests.trust.signing import mail, organisational, rsa_key, sign
from tlsrpt_mailer.flows.verify import SECONDS, Settings, verify
from tlsrpt_mailer.net.resolver import Resolver
from tlsrpt_mailer.trust.model import KeyAnswer, Verdict

NAME = "sel._domainkey.sender.example"
KEY = f"v=DKIM1; k=rsa; p={rsa_key()[1]}".encode()
QUICK = 0.6
"""Of the three seconds that a mail may take, for tests that use them up."""
LATE = 2.0
"""Seconds by which a busy machine may miss an end."""
NOW = int(time.time())


class NoKeys:
    """Nothing is kept: what DNS says decides."""

    def kept(self, _name: str) -> KeyAnswer | None:
        return None

    def seen(self, name: str, texts: tuple[bytes, ...], now: int) -> None:
        """Noted nowhere."""


def word(resolver: Resolver, raw: bytes | None = None, seconds: float = SECONDS) -> Verdict:
    """What is said of a mail that is rightly signed, in time."""
    began = time.monotonic()
    said = verify(
        sign(mail()) if raw is None else raw,
        NOW,
        NOW,
        Settings(resolver, NoKeys(), organisational, seconds=seconds),
    )
    assert time.monotonic() - began < seconds + LATE
    return said


@contextmanager
def asking(answer: Answer, **options: bool) -> Iterator[tuple[Resolver, Server]]:
    """A resolver with the program's limits, and the only server that it has."""
    with server(answer, **options) as one:
        yield Resolver([one.address], timeout=5.0), one


def lame(question: dns.message.Message, _way: str) -> dns.message.Message:
    """A referral to the parent: this server does not have the zone and does not look further."""
    reply = dns.message.make_response(question)
    reply.authority.append(dns.rrset.from_text("example.", 300, "IN", "NS", "ns.example."))
    return reply


def another_id(question: dns.message.Message, _way: str) -> dns.message.Message:
    reply = texts(question, KEY)
    reply.id = (question.id + 1) % 65_536
    return reply


def another_question(question: dns.message.Message, _way: str) -> dns.message.Message:
    other = dns.message.make_query("other.example.", "TXT", id=question.id)
    return texts(other, KEY)


def circle(question: dns.message.Message, _way: str) -> dns.message.Message:
    reply = texts(question)
    first = question.question[0].name
    reply.answer.append(dns.rrset.from_text(first, 60, "IN", "CNAME", "b.example."))
    reply.answer.append(dns.rrset.from_text("b.example.", 60, "IN", "CNAME", str(first)))
    return reply


def half(question: dns.message.Message, _way: str) -> bytes:
    return texts(question, KEY).to_wire()[:-40]


TROUBLE: dict[str, Answer] = {
    "silence": lambda _q, _w: None,
    "SERVFAIL": refused("SERVFAIL"),
    "REFUSED": refused("REFUSED"),
    "NOTIMP": refused("NOTIMP"),
    "FORMERR": refused("FORMERR"),
    "lame": lame,
    "noise": lambda _q, _w: b"\xff" * 40,
    "random": lambda q, _w: q.to_wire()[:2] + os.urandom(200),
    "nothing": lambda _q, _w: b"",
    "half": half,
    "another id": another_id,
    "another question": another_question,
    "circle": circle,
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_what_dns_did_not_say_is_pending(trouble: str) -> None:
    """Within three seconds, without an exception, and never believed meanwhile."""
    with asking(TROUBLE[trouble]) as (resolver, _):
        said = word(resolver, seconds=QUICK)

    assert "pending" == said.word
    assert said.reason


def test_no_mail_waits_for_dns_for_longer_than_three_seconds() -> None:
    """Whatever `[dns] timeout` allows a single question."""
    with asking(lambda _q, _w: None) as (resolver, _):
        assert "pending" == word(resolver, seconds=SECONDS).word

    assert 3.0 == SECONDS


def test_what_was_pending_passes_once_dns_answers() -> None:
    """The trouble is remembered for half a minute, no longer: then the same mail passes."""
    answers: list[Answer] = [refused("SERVFAIL"), lambda q, _w: texts(q, KEY)]
    now = 0.0

    def answer(question: dns.message.Message, way: str) -> Reply:
        return answers[0](question, way)

    with server(answer) as one:
        resolver = Resolver([one.address], timeout=5.0, clock=lambda: now)
        words = [word(resolver).word]
        answers.pop(0)
        words.append(word(resolver).word)
        now = 31.0
        words.append(word(resolver).word)

    assert ["pending", "pending", "pass"] == words


# ------------------------------------------------------------------- what is certain


def nowhere(question: dns.message.Message, _way: str) -> dns.message.Message:
    reply = texts(question)
    reply.answer.append(
        dns.rrset.from_text(question.question[0].name, 60, "IN", "CNAME", "gone.example.")
    )
    reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply


ABSENT: dict[str, Answer] = {
    "NXDOMAIN": refused("NXDOMAIN"),
    "no TXT": lambda q, _w: texts(q),
    "CNAME to nothing": nowhere,
    "another record": lambda q, _w: texts(q, b"v=spf1 -all"),
    "revoked": lambda q, _w: texts(q, b"v=DKIM1; p="),
    "binary": lambda q, _w: binary(q),
    "64 KiB": lambda q, w: truncated(q, w, b"v=DKIM1; p=" + b"A" * 65_000),
    "a hundred": lambda q, w: truncated(q, w, *(b"v=DKIM1; n=%d; p=AAAA" % n for n in range(100))),
    "thousands of tags": lambda q, w: truncated(q, w, b"v=DKIM1;" + b"a=b;" * 15_000),
}


def binary(question: dns.message.Message) -> dns.message.Message:
    reply = texts(question)
    line = '"\\000\\255\\128\\027[31m"'
    reply.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "TXT", line))
    return reply


@pytest.mark.parametrize("what", ABSENT)
def test_a_key_that_is_not_there_or_no_key_is_no_trouble(what: str) -> None:
    """DNS has answered: such a report is held as unsigned, and nobody waits for more."""
    with asking(ABSENT[what]) as (resolver, one):
        said = word(resolver)
        again = word(resolver)

    assert "fail" == said.word == again.word
    assert 1 == len({way for _, way in one.asked if way == "udp"})


# ------------------------------------------------------------------- TCP


def test_an_answer_too_large_for_udp_comes_by_tcp() -> None:
    """TC=1: asked again by TCP, and the key verifies."""
    with asking(lambda q, w: truncated(q, w, KEY)) as (resolver, one):
        assert "pass" == word(resolver).word

    assert ["udp", "tcp"] == [way for _, way in one.asked]


def test_truncated_and_no_tcp_is_pending() -> None:
    """A firewall that lets only UDP through: the key may be there."""
    with asking(lambda q, w: truncated(q, w, KEY), tcp=False) as (resolver, _):
        assert "pending" == word(resolver, seconds=QUICK).word


@pytest.mark.parametrize("drip", [0.0, 0.3])
def test_tcp_that_hangs_or_drips_is_waited_for_no_longer(drip: float) -> None:
    """A byte now and then is no reason to hold up mail."""
    hangs = not drip

    def answer(question: dns.message.Message, way: str) -> dns.message.Message | None:
        return None if hangs and way == "tcp" else truncated(question, way, KEY)

    with asking(answer) as (resolver, one):
        one.drip = drip

        assert "pending" == word(resolver, seconds=QUICK).word


# ------------------------------------------------------------------- servers


def test_the_living_one_of_two_servers_is_used() -> None:
    """
    The first name server is dead: the second is asked within the three seconds, and first
    from then on, so that the next mails do not wait.
    """
    with server(lambda _q, _w: None) as dead, server(lambda q, _w: texts(q, KEY)) as living:
        resolver = Resolver([dead.address, living.address], timeout=5.0)
        first = word(resolver, seconds=SECONDS).word
        began = time.monotonic()
        others = [resolver.txt(f"s{n}.sender.example").kind for n in range(5)]
        took = time.monotonic() - began

    assert "pass" == first
    assert ["found"] * 5 == others
    assert took < 1.0


def test_a_mail_with_many_signatures_gets_past_a_dead_server() -> None:
    """What the first key cost is learned: the others are still asked for in time."""
    raw = mail(sender="a@x.sender.example")
    for domain in ("sender.example", "x.sender.example"):
        raw = sign(raw, domain=domain)

    def answer(question: dns.message.Message, _way: str) -> dns.message.Message:
        there = str(question.question[0].name) == f"{NAME}."
        return texts(question, *([KEY] if there else []))

    with server(lambda _q, _w: None) as dead, server(answer) as living:
        resolver = Resolver([dead.address, living.address], timeout=5.0)

        assert "pass" == word(resolver, raw, SECONDS).word


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED"])
def test_a_server_that_refuses_is_passed_over_for_another(rcode: str) -> None:
    """One of two resolvers without access to the world: the other one's answer counts."""
    with server(refused(rcode)) as bad, server(lambda q, _w: texts(q, KEY)) as good:
        assert "pass" == word(Resolver([bad.address, good.address])).word


def test_a_name_server_by_ipv6() -> None:
    """``[::1]:PORT`` is asked as any other."""
    with server(lambda q, _w: texts(q, KEY), family=socket.AF_INET6) as one:
        assert "pass" == word(Resolver([one.address])).word
        assert one.address.startswith("[::1]:")


def test_nobody_listens() -> None:
    """A port that is closed says so at once; that is trouble, not an answer."""
    with server(lambda _q, _w: None) as one:
        gone = one.address
    assert "pending" == word(Resolver([gone])).word


@pytest.mark.servers
def test_the_systems_name_servers_are_read_again(tmp_path: Path) -> None:
    """A host that moved to another network needs no restart: its resolv.conf is read anew."""
    system = tmp_path / "resolv.conf"
    system.write_text("nameserver 127.83.7.8\n")
    with (
        server(refused("REFUSED"), at=("127.83.7.8", 53)),
        server(lambda q, _w: texts(q, KEY), at=("127.83.7.9", 53)),
    ):
        resolver = Resolver(system=str(system))
        kinds = [resolver.txt("a.example").kind]
        system.write_text("nameserver 127.83.7.9\n")
        kinds += [resolver.txt(f"{name}.example").kind for name in "bcd"]

    assert ["trouble", "trouble", "trouble", "found"] == kinds


@pytest.mark.parametrize("text", [None, "", "nameserver\n", "\x00\xff"])
def test_a_system_that_names_no_server_is_trouble_and_no_error(
    tmp_path: Path, text: str | None
) -> None:
    """Without resolv.conf this host is asked, as the C library does."""
    system = tmp_path / "resolv.conf"
    if text is not None:
        system.write_text(text)
    resolver = Resolver(system=str(system), timeout=0.3)

    assert ["127.0.0.1"] == [getattr(one, "address", one) for one in resolver._resolver.nameservers]
    assert "pending" == word(resolver).word


# ------------------------------------------------------------------- the cache


@pytest.mark.parametrize(
    ("ttl", "asks_at"), [(0, 60), (1, 60), (300, 300), (3_600, 3_600), (2**31 - 1, 3_600)]
)
def test_a_record_is_remembered_within_bounds(ttl: int, asks_at: float) -> None:
    """No owner of a zone makes us ask for every mail, or keep a revoked key for years."""
    now = 0.0
    with server(lambda q, _w: texts(q, KEY, ttl=ttl)) as one:
        resolver = Resolver([one.address], clock=lambda: now)
        asked = []
        for moment in (0.0, asks_at - 1, asks_at + 1):
            now = moment
            resolver.txt(NAME)
            asked.append(len(one.asked))

    assert [1, 1, 2] == asked


def test_the_cache_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails that name a thousand thousand selectors cost no more memory than a thousand."""
    monkeypatch.setattr("tlsrpt_mailer.net.resolver.MOST", 20)
    with server(lambda q, _w: texts(q, KEY)) as one:
        resolver = Resolver([one.address])
        for number in range(30):
            resolver.txt(f"s{number}.example")

        assert 20 == len(resolver._known)


# ------------------------------------------------------------------- names out of mails


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a..b",
        "a" * 64 + ".example",
        ".".join(["abcdefghi"] * 30),
        "\\",
        "\\999.example",
        "b\xfccher.example",
        "\u2603._domainkey.example",
        "xn--\xff.example",
        "*.example",
        "a b.example",
        "a\x00b.example",
        "\ud800.example",
        "@",
        "sel._domainkey." + "\U0001f600" * 40 + ".example",
        "xn--a" * 12 + ".example",
        "\u200d.example",
        "\u0627\u0041.example",
    ],
)
def test_no_name_out_of_a_mail_makes_it_raise(name: str) -> None:
    """s= and d= hold what a stranger wrote."""
    with server(refused("NXDOMAIN")) as one:
        answer = Resolver([one.address], timeout=1.0).txt(name)

    assert answer.kind in {"absent", "trouble"}


def test_a_record_of_many_strings_comes_as_one() -> None:
    """A key that is longer than a string of DNS is put together without blanks."""
    with asking(lambda q, w: truncated(q, w, KEY * 3)) as (resolver, _):
        assert (KEY * 3,) == resolver.txt(NAME).texts


# ------------------------------------------------------------------- what is said


def test_trouble_is_said_in_the_same_few_words_each_time() -> None:
    """`reports release` counts what is held by its reason, so that holds no time and no port."""
    servfail, silence = refused("SERVFAIL"), lambda _q, _w: None
    said = []
    for answer in (servfail, servfail, silence, silence):
        with server(answer) as one:
            said.append(Resolver([one.address], timeout=0.5).txt("a.example").error)

    assert said[0] == said[1]
    assert "SERVFAIL" in said[0]
    assert len(said[0]) < 40
    assert ["no answer in time"] * 2 == said[2:]
