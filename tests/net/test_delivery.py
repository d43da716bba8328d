"""A mail handed to the MX of its recipient: a real Postfix, and hosts that do not take it."""

import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme

from tests.e2e.waiting import until
from tests.ports import own_address
from tests.servers.knot import knot
from tests.servers.oddsmtp import Peer, Talk, odd
from tests.servers.postfix import listener, postfix
from tlsrpt_mailer.domains.seen import Answer, RecordType
from tlsrpt_mailer.errors import Refused, Temporary
from tlsrpt_mailer.net import delivery
from tlsrpt_mailer.net.addresses import Ask
from tlsrpt_mailer.net.delivery import Way, deliver, hosts_of
from tlsrpt_mailer.net.lookups import Lookups

pytestmark = pytest.mark.servers

RAW = b"From: canary@here.example\nSubject: round trip\n\n.a line\nand another\n"
SENDER, RECIPIENT = "canary@here.example", "tlsrpt+canary@example.com"
WAY = Way("probe.example.org", seconds=10)
QUICK = 0.6
"""Seconds, for tests that use them up."""
HOLDS = """
local_recipient_maps =
smtpd_recipient_restrictions = check_recipient_access static:HOLD
smtpd_tls_loglevel = 1
"""


def dns(**records: tuple[str, ...]) -> Ask:
    """``MX`` of the recipient's domain, and addresses of ``mx1``, ``mx2``; else nothing."""

    def ask(name: str, kind: RecordType) -> Answer:
        values = records.get(kind if kind == "MX" else name.partition(".")[0], ())
        if kind == "AAAA" or (kind == "MX" and name != "example.com"):
            values = ()
        return Answer("found", values) if values else Answer("absent")

    return ask


def at(*addresses: str) -> Ask:
    """One host for each of these, in this order."""
    hosts = {f"mx{number}": (one,) for number, one in enumerate(addresses)}
    return dns(MX=tuple(f"{n}0 mx{n}.example.com" for n in range(len(addresses))), **hosts)


def handed(ask: Ask, way: Way = WAY, *, raw: bytes = RAW, recipient: str = RECIPIENT) -> str:
    return deliver(raw, SENDER, recipient, ask, way)


def takes(peer: Peer) -> None:
    """As a good server without TLS; what it hears is the mail."""
    peer.say("220 mx ESMTP")
    session(peer)


def session(peer: Peer) -> None:
    """From EHLO to the end."""
    peer.hear()
    peer.say("250-mx", "250 8BITMIME")
    peer.hear()
    peer.say("250 ok")
    peer.hear()
    peer.say("250 ok")
    peer.hear()
    peer.say("354 go on")
    while peer.hear() != ".":
        pass
    peer.say("250 2.0.0 queued")
    peer.hear()
    peer.say("221 bye")


def says(*said: str) -> Talk:
    """Says one of these before each line that it hears, but for a goodbye; then it hangs up."""

    def talk(peer: Peer) -> None:
        for one in said:
            peer.say(one)
            if peer.hear().upper() == "QUIT":
                peer.say("221 bye")
                return

    return talk


def test_a_real_host_takes_it_in_tls(tmp_path: Path):
    """
    Found by real DNS and its MX record, in TLS whose certificate nobody vouches for; what the
    host said comes back, with its queue id.
    """
    pem = tmp_path / "pem"
    stranger = trustme.CA().issue_cert("www.example.net").private_key_and_cert_chain_pem
    stranger.write_to_path(str(pem))
    address = own_address()
    zone = f"@ MX 10 mx1\nmx1 A {address}\n"
    with (
        knot(tmp_path, {"example.com": zone}) as root,
        postfix(HOLDS, listener(address, pem, smtpd_tls_loglevel="1")) as server,
    ):
        said = handed(Lookups([root.address]).ask)
        (queued,) = server.queued()
        until(lambda: "disconnect from" in server.log.rpartition("client=")[2], "it is logged")
        log = server.log

    assert said.startswith(f"mx1.example.com ({address}) says 250 2.0.0 Ok: queued as ")
    assert (SENDER, RECIPIENT) == (queued["sender"], queued["recipients"][0]["address"])
    assert "TLS connection established" in log
    assert "quit=1 commands=7" in log  # EHLO, STARTTLS, EHLO, MAIL, RCPT, DATA, QUIT


def test_the_bytes_arrive_as_they_are():
    """With line ends of SMTP, and lines that begin with a dot."""
    with odd(takes) as server:
        said = handed(at(server.address))

    assert f"mx0.example.com ({server.address}) says 250 2.0.0 queued" == said
    assert [
        "ehlo probe.example.org",
        "mail FROM:<canary@here.example>",
        "rcpt TO:<tlsrpt+canary@example.com>",
        "data",
        "From: canary@here.example",
        "Subject: round trip",
        "..a line",
        "and another",
        ".",
        "quit",
    ] == server.heard


def test_a_mail_may_have_no_sender():
    """So that nothing comes back to nobody (RFC 5321, 4.5.5)."""
    with odd(takes) as server:
        deliver(RAW, "", RECIPIENT, at(server.address), WAY)

    assert "mail FROM:<>" in server.heard


def test_bytes_beyond_ascii_are_announced():
    """RFC 6152, where the host knows it."""
    with odd(takes) as server:
        handed(at(server.address), raw=b"Subject: x\n\ncaf\xc3\xa9\n")

    assert "mail FROM:<canary@here.example> BODY=8BITMIME" in server.heard


# ------------------------------------------------------------------------ which host


def test_hosts_by_preference():
    """The lowest number first, those of one number in any order (RFC 5321, 5.1)."""
    ask = dns(MX=("10 b.example", "5 c.example", "10 a.example", "20 d.example"))
    orders = {tuple(hosts_of("example.com", ask)) for _ in range(200)}

    assert {
        ("c.example", "a.example", "b.example", "d.example"),
        ("c.example", "b.example", "a.example", "d.example"),
    } == orders


def test_without_an_mx_it_goes_to_the_domain_itself():
    """Its addresses count then (RFC 5321, 5.1)."""
    with odd(takes) as server:
        assert "says 250" in handed(dns(example=(server.address,)))


def test_the_null_mx_takes_no_mail():
    """RFC 7505: nobody is asked, whatever else has an address."""
    with pytest.raises(Refused, match=r"example\.com takes no mail: its MX is the null MX"):
        handed(dns(MX=("0 .",), example=("127.0.0.1",)))


def test_dns_in_trouble_is_temporary():
    """Nobody knows where the mail goes; the text says what was asked for."""

    def mute(_name: str, _kind: RecordType) -> Answer:
        return Answer("trouble", error="no answer in time")

    def half(name: str, kind: RecordType) -> Answer:
        return Answer("found", ("10 mx1.example.com",)) if kind == "MX" else mute(name, kind)

    with pytest.raises(Temporary, match=r"MX of example\.com: no answer in time"):
        handed(mute)
    with pytest.raises(Temporary, match=r"no address of mx1\.example\.com: no answer in time"):
        handed(half)
    with pytest.raises(Temporary, match=r"mx1\.example\.com has no address"):
        handed(dns(MX=("10 mx1.example.com",)))


@pytest.mark.parametrize(
    "talk",
    [
        says("421 busy"),
        says("554 not you"),
        says("220 mx", "421 busy"),
        says("220 mx", "250 mx", "451 later"),
        says("220 mx", "250 mx", "250 ok", "450 greylisted"),
        says("220 mx", "250 mx", "250 ok", "250 ok", "451 no disk"),
        says("220 mx", "250 mx", "250 ok", "250 ok", "250 what mail?"),
        lambda _peer: None,
        says("gibberish"),
    ],
)
def test_the_next_host_is_tried_where_one_does_not_take_it(talk: Talk):
    """One that is busy, refuses to speak, or hangs up, is what other hosts are for."""
    with odd(talk) as bad, odd(takes) as good:
        assert good.address in handed(at(own_address(), bad.address, good.address))

    assert 1 == len(good.peers)


@pytest.mark.parametrize(
    ("talk", "error"),
    [
        (says("220 mx", "250 mx", "550 no such sender"), "550 no such sender"),
        (says("220 mx", "250 mx", "250 ok", "550 5.1.1 unknown"), "550 5.1.1 unknown"),
        (says("220 mx", "250 mx", "250 ok", "250 ok", "554 no"), "554 no"),
    ],
)
def test_a_refusal_for_good_ends_it(talk: Talk, error: str):
    """No other host is bothered; the text says who said what."""
    with odd(talk) as bad, odd(takes) as good, pytest.raises(Refused) as refused:
        handed(at(bad.address, good.address))

    assert f"mx0.example.com ({bad.address}) says {error}" == str(refused.value)
    assert [] == good.peers


def test_when_no_host_takes_it_the_last_one_is_told():
    """With its words; where there was no other side at all, that is marked."""
    here = own_address()
    with odd(says("421 busy")) as busy:
        with pytest.raises(Temporary, match=r"says 421 busy") as later:
            handed(at(here, busy.address))
        assert not later.value.is_cut_off
    with pytest.raises(
        Temporary, match=rf"mx0\.example\.com \({here}\): Connection refused"
    ) as off:
        handed(at(here))
    assert off.value.is_cut_off


@pytest.mark.parametrize(
    "recipient",
    ["", "a", "@example.com", "a@", "a@[127.0.0.1]", "a b@example.com", "a>@example.com",
     "a\r\nRCPT TO:<b>@example.com", "caf\u00e9@example.com", "a(b)@example.com"],
)  # fmt: skip
def test_what_cannot_be_an_address_is_refused(recipient: str):
    """Before anybody is asked; nothing of it becomes a command."""
    with pytest.raises(Refused, match="cannot be an address"):
        handed(at("127.0.0.1"), recipient=recipient)
    with pytest.raises(Refused, match="cannot be an address"):
        deliver(RAW, recipient or "x", RECIPIENT, at("127.0.0.1"), WAY)


# ------------------------------------------------------------------------ TLS


def broken(peer: Peer) -> None:
    """TLS that fails the first time; without TLS all is well."""
    peer.until_starttls()
    peer.say("this is no TLS")


def refusing(peer: Peer) -> None:
    peer.say("220 mx")
    peer.hear()
    peer.say("250-mx", "250 STARTTLS")
    peer.hear()
    peer.say("454 not now")


@pytest.mark.parametrize("first", [broken, refusing])
def test_where_tls_fails_it_goes_without(first: Talk):
    """A report is delivered despite failures of TLS (RFC 8460, 3), to the same host."""

    def talk(peer: Peer) -> None:
        (takes if len(server.peers) > 1 else first)(peer)

    with odd(talk) as server:
        assert "says 250" in handed(at(server.address))

    assert 2 == len(server.peers)


def test_in_tls_the_host_is_greeted_anew():
    """By the name that the MX record has (SNI), and the mail comes within (RFC 3207, 4.2)."""
    asked: list[str | None] = []

    def talk(peer: Peer) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("x.example").configure_cert(context)
        context.sni_callback = lambda _tls, name, _context: asked.append(name)
        peer.until_starttls()
        peer.wrap(context)
        session(peer)

    with odd(talk) as server:
        assert "says 250" in handed(at(server.address))

    assert ["mx0.example.com"] == asked
    assert ["ehlo", "STARTTLS", "ehlo"] == [line.split()[0] for line in server.heard[:3]]


# ------------------------------------------------------------------------ limits


def silence(peer: Peer) -> None:
    peer.over.wait(30)


def drip(peer: Peer) -> None:
    while not peer.over.wait(0.05):
        peer.connection.sendall(b"2")


def drip_lines(peer: Peer) -> None:
    while not peer.over.wait(0.05):
        peer.say("220-x")


def silent_tls(peer: Peer) -> None:
    peer.until_starttls()
    peer.over.wait(30)


def drip_the_end(peer: Peer) -> None:
    says("220 mx", "250 mx", "250 ok", "250 ok", "354 go on")(peer)
    while peer.hear() != ".":
        pass
    peer.connection.sendall(b"250 ")
    while not peer.over.wait(0.05):
        peer.connection.sendall(b"o")


@pytest.mark.parametrize("talk", [silence, drip, drip_lines, silent_tls, drip_the_end])
def test_one_deadline_over_all_hosts(talk: Talk):
    """
    A host that says nothing, or a byte now and then, is left when the time is over, and named;
    half an answer is none.
    """
    way = Way("probe.example.org", seconds=QUICK)
    with odd(talk) as one, odd(talk) as other:
        began = time.monotonic()
        with pytest.raises(Temporary, match=r"^mx0\.example.* no answer within 0\.6 s"):
            handed(at(one.address, other.address), way)

    assert time.monotonic() - began < QUICK + 1.5


def test_a_connection_that_nobody_takes_is_left_for_the_next(monkeypatch: pytest.MonkeyPatch):
    """An address that answers nothing at all costs some seconds, not all of them."""
    assert delivery.CONNECTING < delivery.SECONDS / 2
    monkeypatch.setattr(delivery, "CONNECTING", 0.3)
    full = own_address()
    with socket.create_server((full, 25), backlog=0), odd(takes) as good:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((full, 25))
        said = handed(at(full, good.address))
        with pytest.raises(Temporary, match=r"no connection within 0\.3 s"):
            handed(at(full))
        for one in waiting:
            one.close()

    assert good.address in said


def many_lines(peer: Peer) -> None:
    while not peer.over.is_set():
        peer.say(*["220-x"] * 50)


def test_an_endless_greeting_is_left_soon():
    """Long before the deadline: what is said is kept by the library until its end."""
    with odd(many_lines) as one:
        began = time.monotonic()
        with pytest.raises(Temporary, match="closed"):
            handed(at(one.address), Way("probe.example.org", seconds=60))

    assert time.monotonic() - began < 10


def test_only_so_many_hosts_and_addresses_are_tried():
    """Of a domain with a hundred MX hosts, and of a host with a hundred addresses."""
    with odd(takes) as good:
        with pytest.raises(Temporary, match="Connection refused"):
            handed(at(*(own_address() for _ in range(5)), good.address))
        hosts = dns(
            MX=("1 mx1.example.com",), mx1=(*(own_address() for _ in range(4)), good.address)
        )
        with pytest.raises(Temporary, match="Connection refused"):
            handed(hosts)

    assert [] == good.peers


def test_addresses_of_our_own_network_are_left_alone():
    """Where a stranger's record says where mail goes."""
    with odd(takes) as server, pytest.raises(Temporary, match="has no public address"):
        handed(at(server.address), Way("probe.example.org", only_public=True))

    assert [] == server.peers


def test_what_a_host_says_comes_in_one_short_line():
    """Without control characters, and cut."""
    said = "550-\x1b[31m\r\n550 " + "x" * 5_000
    with odd(says("220 mx", "250 mx", said)) as server, pytest.raises(Refused) as refused:
        handed(at(server.address))

    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400
