"""What DNS says, and what DNSSEC proves of it: real servers and a root of our own."""

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from tests.net.conftest import BIG
from tests.servers.knot import Knot, knot
from tests.servers.unbound import Unbound, unbound
from tests.trouble.dns import Answer as Says
from tests.trouble.dns import refused, server, texts, truncated
from tlsrpt_mailer.domains.seen import Answer, RecordType
from tlsrpt_mailer.net.lookups import Lookups

pytestmark = pytest.mark.servers


def lookups(*nameservers: str, timeout: float = 5.0, trust_ad: bool = False) -> Lookups:
    return Lookups(nameservers, timeout, trust_ad=trust_ad, rate=math.inf)


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("example", "TXT", ("caf\ufffd", "one string; two")),
        ("example", "MX", ("10 mx1.example", "5 mx2.example.com")),
        ("null.example", "MX", ("0 .",)),
        ("example", "NS", ("ns.root", "ns2.example")),
        ("mx1.example", "A", ("127.0.0.1", "127.0.0.2")),
        ("mx1.example", "AAAA", ("2001:db8::1",)),
        (
            "_25._tcp.mx1.example",
            "TLSA",
            ("2 0 0 3082", "3 1 1 " + "00aabbccddeeff112233445566778899" * 2),
        ),
        # What is wrong with a record is for the check to say, not for the reader of answers.
        ("_25._tcp.odd.example", "TLSA", ("3 1 1 abcd", "3 1 2 00aabbcc", "9 9 9 00")),
        ("big.example", "TXT", (BIG.replace('" "', "").strip('"'),)),
    ],
)
def test_each_kind_of_record(
    resolver: Unbound, name: str, kind: RecordType, values: tuple[str, ...]
):
    """
    Records come as the checks read them: strings put together, names in lower case without a
    dot, the null MX; proven by DNSSEC; and too large for UDP they come by TCP.
    """
    assert Answer("found", values, True) == lookups(resolver.address).ask(name, kind)


def test_names_are_the_same_in_any_case(resolver: Unbound):
    """Upper case and a dot at the end make no other name, so it is asked for once."""
    asking = lookups(resolver.address)
    answers = {asking.ask(name, "A").values for name in ("MX1.Example.", "mx1.example")}

    assert 1 == len(answers)
    assert 2 == asking.sent  # and once for the root


def test_absence_is_proven_too(resolver: Unbound):
    """No such name, and a name without such records, with a proof."""
    asking = lookups(resolver.address)

    assert Answer("absent", secure=True) == asking.ask("gone.example", "TXT")
    assert Answer("absent", secure=True) == asking.ask("mx1.example", "MX")
    assert Answer("absent", secure=True) == asking.ask("nx", "NS")


def test_a_zone_without_signatures_is_insecure(resolver: Unbound):
    """Its parent proves that it has no key: what it says may be true, and nobody can tell."""
    asking = lookups(resolver.address)

    assert Answer("found", ("plain",), False) == asking.ask("plain.example", "TXT")
    assert Answer("absent", secure=False) == asking.ask("nx.plain.example", "TXT")


def test_a_zone_whose_proof_fails_is_bogus(resolver: Unbound):
    """Senders that validate get no answer; with validation left aside there is one."""
    asking = lookups(resolver.address)

    bogus = Answer("trouble", error="SERVFAIL", is_bogus=True)
    assert bogus == asking.ask("bogus.example", "MX")
    assert bogus == asking.ask("nx.bogus.example", "MX")


def test_a_mended_zone_is_secure(tmp_path: Path):
    """When its parent names the right key, the same question is answered and proven."""
    zones = {"example": "@ TXT old"}
    with knot(tmp_path, zones, bogus=["example"]) as root, unbound(tmp_path, root) as one:
        asking = lookups(one.address)
        before = asking.ask("example", "TXT")
        root.sign("example", rightly=True)
        root.change("example", "@ TXT new")
        one.forget()
        asking.forget()

        assert before.is_bogus
        assert Answer("found", ("new",), True) == asking.ask("example", "TXT")


def test_aliases_are_followed_and_named(resolver: Unbound):
    """Where the last one of a chain led to, whether there is something or not."""
    asking = lookups(resolver.address)

    assert "mx1.example" == asking.ask("chain.example", "A").alias
    assert Answer("found", ("2001:db8::1",), True, alias="mx1.example") == asking.ask(
        "www.example", "AAAA"
    )
    assert Answer("absent", secure=True, alias="mx1.example") == asking.ask("www.example", "TLSA")
    assert Answer("absent", secure=True, alias="gone.example") == asking.ask("nowhere.example", "A")
    assert "trouble" == asking.ask("circle.example", "A").kind


# ------------------------------------------------------------------------ whom to believe


def test_a_resolver_that_does_not_validate_proves_nothing(root: Knot, tmp_path: Path):
    """Neither that a zone is signed, nor that it is not; and nothing is bogus to it."""
    with unbound(tmp_path, root, validates=False) as one:
        asking = lookups(one.address)

        assert asking.validates() is False
        assert Answer("found", ("plain",), None) == asking.ask("plain.example", "TXT")
        assert asking.ask("mx1.example", "A").secure is None
        assert Answer("found", ("bogus",), None) == asking.ask("bogus.example", "TXT")


def test_a_name_server_elsewhere_is_believed_only_when_told_to(resolver: Unbound):
    """Anybody on the way could set the AD bit, unless the way is trusted."""
    both = (resolver.address, "192.0.2.53")  # the second is never asked: the first answers

    assert not lookups(*both).is_near
    assert lookups(*both).ask("mx1.example", "A").secure is None
    assert lookups(*both).ask("plain.example", "TXT").secure is None
    assert lookups(*both, trust_ad=True).ask("mx1.example", "A").secure is True
    assert lookups(resolver.address).is_near


def saying(*records: str, ad: bool = True, rcode: int = 0) -> Says:
    """Says this to every question; of the root it says nothing but the AD bit."""

    def answer(question: dns.message.Message, _way: str) -> dns.message.Message:
        reply = texts(question, *(one.encode() for one in records))
        if question.question[0].rdtype == dns.rdatatype.SOA:
            reply = texts(question)
        elif ad:
            reply.flags |= dns.flags.AD
        reply.set_rcode(rcode)
        return reply

    return answer


def test_a_server_that_sets_the_bit_and_does_not_validate_is_not_believed():
    """It passes on what anybody told it: of the root it proves nothing."""
    with server(saying("x")) as one:
        assert lookups(one.address).ask("a.example", "TXT").secure is None


def test_whether_it_validates_is_asked_once():
    """And remembered for ten minutes; then it is asked again, for it may be set up anew."""
    now = 0.0

    def validating(question: dns.message.Message, _way: str) -> dns.message.Message:
        reply = texts(question)
        name, kind = question.question[0].name, question.question[0].rdtype
        data = ". . 1 1 1 1 1" if kind == dns.rdatatype.SOA else "127.0.0.1"
        reply.answer.append(dns.rrset.from_text(name, 86_400, "IN", kind, data))
        reply.flags |= dns.flags.AD
        return reply

    with server(validating) as one:
        asking = Lookups([one.address], rate=math.inf, clock=lambda: now)
        secure = {asking.ask(f"n{at}.example", "A").secure for at in range(5)}
        now = 599.0
        asking.ask("other.example", "A")
        before = [name for name, _ in one.asked].count(".")
        now = 601.0
        asking.ask("another.example", "A")
        after = [name for name, _ in one.asked].count(".")

    assert {True} == secure
    assert (1, 2) == (before, after)


def test_whether_it_validates_may_be_unknown():
    """A server that refuses to speak of the root leaves it open."""
    with server(refused("REFUSED")) as one:
        assert lookups(one.address).validates() is None


# ------------------------------------------------------------------------ trouble


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (refused("SERVFAIL"), "SERVFAIL"),
        (refused("REFUSED"), "REFUSED"),
        (refused("NOTIMP"), "NOTIMP"),
        (refused("FORMERR"), "FORMERR"),
    ],
)
def test_a_refusal_is_trouble(says: Says, error: str):
    """The server's word for it is told, and nothing of the name; it is not asked again."""
    with server(says) as one:
        assert Answer("trouble", error=error) == lookups(one.address).ask("a.example", "TXT")
        assert 1 == [name for name, _ in one.asked].count("a.example.")


def test_a_lame_server_is_trouble():
    """One that only names others does not say that there is nothing (RFC 2308, 2.2)."""

    def lame(question: dns.message.Message, _way: str) -> dns.message.Message:
        reply = dns.message.make_response(question)
        reply.authority.append(dns.rrset.from_text("example.", 300, "IN", "NS", "ns.example."))
        return reply

    with server(lame) as one:
        answer = lookups(one.address).ask("a.example", "TXT")

    assert Answer("trouble", error="the name server does not answer for it") == answer


def test_trouble_with_the_servers_of_a_name_is_not_bogus(root: Knot, tmp_path: Path):
    """A server that refuses fails with and without validation."""
    with server(refused("REFUSED")) as bad:
        more = f'stub-zone:\n  name: "dead.example"\n  stub-addr: 127.0.0.1@{bad.port}'
        with unbound(tmp_path, root, more=more) as one:
            answer = lookups(one.address).ask("dead.example", "TXT")

    assert Answer("trouble", error="SERVFAIL") == answer


def test_truncation_is_followed_by_tcp():
    """And where TCP does not work, the answer is unknown, within the time."""
    with server(lambda q, way: truncated(q, way, b"x" * 3000)) as one:
        assert ("x" * 3000,) == lookups(one.address).ask("a.example", "TXT").values
        assert [("a.example.", "udp"), ("a.example.", "tcp")] == one.asked[:2]
    with server(lambda q, way: truncated(q, way, b"x"), tcp=False) as one:
        answer = lookups(one.address).ask("a.example", "TXT")
    assert Answer("trouble", error="Connection refused") == answer


def contradiction(question: dns.message.Message, _way: str) -> dns.message.Message:
    reply = texts(question, b"x")
    reply.set_rcode(3)
    return reply


def cut(question: dns.message.Message, way: str) -> dns.message.Message | bytes:
    return texts(question, b"x" * 99).to_wire()[:-9] if way == "tcp" else truncated(question, way)


def closed(question: dns.message.Message, way: str) -> dns.message.Message | bytes:
    return b"" if way == "tcp" else truncated(question, way)


def noise(question: dns.message.Message, way: str) -> dns.message.Message | bytes:
    return b"\xc0\x0c" * 99 if way == "tcp" else truncated(question, way)


@pytest.mark.parametrize("says", [contradiction, cut, closed, noise])
def test_nonsense_is_trouble(says: Says):
    """An answer that contradicts itself, or is none, never raises and says nothing."""
    with server(says) as one:
        answer = lookups(one.address, timeout=1.0).ask("a.example", "TXT")

    assert "trouble" == answer.kind
    assert 3 < len(answer.error) < 60


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a" * 64 + ".example", "absent"),
        (".".join(["a" * 60] * 5), "absent"),
        ("a..example", "absent"),
        ("a\\999.example", "absent"),
        ("\u00fc" * 70 + ".example", "absent"),
        ("\udc80.example", "trouble"),
        ("xn--\u00fc.example", "trouble"),
    ],
)
def test_what_is_no_name_is_not_asked_for(name: str, kind: str):
    """Whatever an MX record may name: nobody is bothered with it, and nothing raises."""
    asking = lookups("127.0.0.1:1")

    assert kind == asking.ask(name, "A").kind
    assert 0 == asking.sent


def test_the_second_server_is_asked_where_the_first_is_in_trouble():
    """And one that is in working order is asked first from then on."""
    with server(refused("SERVFAIL")) as bad, server(saying("x")) as good:
        asking = lookups(bad.address, good.address)
        first = asking.ask("a.example", "TXT")
        second = asking.ask("b.example", "TXT")

    assert ("x",) == first.values == second.values
    assert ["a.example."] == [name for name, _ in bad.asked]


def test_a_dead_first_server_costs_a_second_once():
    """Ten thousand domains do not wait for it ten thousand times."""
    with server(lambda *_: None) as dead, server(saying("x")) as good:
        asking = lookups(dead.address, good.address)
        answers = [asking.ask(f"n{at}.example", "TXT").kind for at in range(5)]

    assert ["found"] * 5 == answers
    assert 1 == len(dead.asked)


# ------------------------------------------------------------------------ many at once


def at_once(count: int, run: Callable[[int], Answer]) -> Sequence[Answer]:
    """What as many threads get that begin together."""
    begin = threading.Barrier(count)
    found: list[Answer] = []

    def one(number: int) -> None:
        begin.wait(10)
        found.append(run(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_many_threads_that_ask_the_same_send_one_question():
    """The others wait for its answer: an MX host of a thousand domains is looked up once."""
    release = threading.Event()

    def late(question: dns.message.Message, _way: str) -> dns.message.Message:
        release.wait(10)
        return saying("x", ad=False)(question, _way)  # type: ignore[return-value]

    with server(late) as one:
        asking = lookups(one.address)
        timer = threading.Timer(0.2, release.set)
        timer.start()
        answers = at_once(20, lambda _: asking.ask("a.example", "TXT"))
        timer.join()

    assert [("x",)] * 20 == [answer.values for answer in answers]
    assert 1 == [name for name, _ in one.asked].count("a.example.")


def test_many_threads_get_their_own_answers(resolver: Unbound):
    """Questions beside one another are never answered with another's answer."""
    asking = lookups(resolver.address)
    names = ["mx1.example", "www.example", "plain.example", "bogus.example", "nx.example"]
    alone = {name: lookups(resolver.address).ask(name, "A") for name in names}
    answers = at_once(40, lambda number: asking.ask(names[number % 5], "A"))

    assert sorted(map(repr, list(alone.values()) * 8)) == sorted(map(repr, answers))
