"""What a peer may say, and what nobody can make of it: smuggling, pipelining, odd commands."""

import itertools
import random

import pytest

from tests.attack.victim import Victim
from tests.e2e.daemon import RECIPIENT
from tests.e2e.stories import clean
from tests.sources.listeners import MAIL, Client, listening

SECOND = b"MAIL FROM:<evil@evil.example>\r\nRCPT TO:<tlsrpt@example.com>\r\nDATA\r\nsmuggled"
BREAKS = [b"\n", b"\r", b"\r\n", b"\n\r", b"\r\0\n", b"\r\n\0", b"\x85", b"\x0b", b"\r\r\n", b""]
ENDS = [
    before + b"." + after
    for before, after in itertools.product(BREAKS, BREAKS)
    if b"\r\n.\r\n" not in before + b"." + after
]
SEED = 8460


@pytest.mark.parametrize("kind", ["smtp", "lmtp"])
def test_nothing_but_cr_lf_dot_cr_lf_ends_a_mail(kind: str) -> None:
    """
    Every other ending that a relay before us may let pass, in one piece or byte by byte, is
    content: what follows it is never a second mail with an envelope of the attacker's.
    """
    with listening(kind) as listener, Client(listener.port) as client:
        client.greet("LHLO x" if kind == "lmtp" else "EHLO x")
        for end, is_whole in itertools.product(ENDS, [True, False]):
            assert client.begin(RECIPIENT)[0].startswith("250")
            assert client.ask("DATA").startswith("354")
            raw = b"Subject: x\r\n\r\nfirst" + end + SECOND + b"\r\n"
            pieces = [raw + b".\r\n"] if is_whole else [raw[at : at + 1] for at in range(len(raw))]
            for piece in pieces:
                client.send(piece)
            if not is_whole:
                client.send(b".\r\n")

            assert client.answer().startswith("250"), end
            assert raw.replace(b"\r\n.", b"\r\n") == listener.store.mails[-1].raw
        assert client.ask("NOOP") == "250 2.0.0 OK"
        assert len(listener.store.mails) == 2 * len(ENDS)


def test_a_smuggled_report_is_part_of_the_mail_that_carries_it(target: Victim) -> None:
    """The daemon stores one mail for each answer it gave, whatever stands in the first."""
    before = target.site.count("mails")
    with target.bounded(), target.greeted() as client:
        for end in (b"\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r", b"\n.\r"):
            client.begin(RECIPIENT)
            client.ask("DATA")
            client.send(clean(1, "first.example") + end + SECOND + clean(1, "evil.example"))
            client.send(b"\r\n.\r\n")
            assert client.answer().startswith("250")

        assert client.ask("NOOP").startswith("250")
        assert target.site.count("windows WHERE domain = 'evil.example'") == 0
        assert target.site.count("mails") == before + 7


def test_the_legal_order_in_one_packet(target: Victim) -> None:
    """Two mails and the goodbye in one packet (RFC 2920, 3.1), RSET between them."""
    one = b"MAIL FROM:<>\r\nRCPT TO:<tlsrpt@example.com>\r\n"
    with target.bounded(), target.greeted() as client:
        client.send(one + b"RSET\r\n" + one + b"DATA\r\n" + MAIL + b".\r\n" + one + b"DATA\r\n")
        assert [client.answer()[:3] for _ in range(9)] == [*["250"] * 5, "354", *["250"] * 3]
        assert client.answer().startswith("354")
        client.send(MAIL + b".\r\nQUIT\r\n")
        assert [client.answer()[:3] for _ in range(2)] == ["250", "221"]
        target.honest()


def test_a_mail_before_the_354_is_a_mail_only_where_the_354_comes(target: Victim) -> None:
    """
    Data sent behind a DATA that is refused is taken for commands, as it must be: it ends
    the connection by the number of its errors, and no mail comes of it.
    """
    before = target.site.count("mails")
    with target.bounded(), target.greeted() as client:
        client.send(b"MAIL FROM:<>\r\nRCPT TO:<other@else.example>\r\nDATA\r\n")
        client.send(clean(1, "early.example").replace(b"\n", b"\r\n") + b"\r\n.\r\n")
        answers = client.rest()

        assert answers[2].startswith("503 5.5.1")
        assert answers[-1].startswith(("421", "502"))
        assert target.site.count("mails") == before


def test_rset_in_the_middle_of_data_is_content(target: Victim) -> None:
    """Between DATA and the lone dot there are no commands."""
    with target.bounded(), target.in_data() as client:
        client.send(b"RSET\r\nQUIT\r\nSTARTTLS\r\n.\r\n")

        assert client.answer().startswith("250")
        assert client.ask("NOOP") == "250 2.0.0 OK"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("BDAT 5 LAST", "500 5.5.2"),
        ("AUTH PLAIN AGEAYg==", "500 5.5.2"),
        ("AUTH LOGIN", "500 5.5.2"),
        ("EXPN tlsrpt", "500 5.5.2"),
        ("ETRN example.com", "500 5.5.2"),
        ("TURN", "500 5.5.2"),
        ("SEND FROM:<a@b.example>", "500 5.5.2"),
        ("XCLIENT ADDR=127.0.0.1", "500 5.5.2"),
        ("XFORWARD ADDR=127.0.0.1", "500 5.5.2"),
        ("PROXY TCP4 127.0.0.1 127.0.0.1 1 25", "500 5.5.2"),
        ("HELP", "500 5.5.2"),
        ("VRFY tlsrpt@example.com", "252 2.1.5"),
        ("VRFY nobody@example.com", "252 2.1.5"),
        ("MAIL FROM:<a@b.example> AUTH=<>", "555 5.5.4"),
        ("MAIL FROM:<a@b.example> BODY=BINARYMIME", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SIZE=-1", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SIZE=99999999999999999999", "552 5.3.4"),
        ("MAIL FROM:<a@b.example> SIZE=\N{SUPERSCRIPT TWO}", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> SIZE=\N{ARABIC-INDIC DIGIT TWO}", "501 5.5.4"),
        ("MAIL FROM:<a@b.example> \x00=1", "501 5.5.4"),
        ("MAIL FROM:", "553 5.1.3"),
        ("MAIL <a@b.example>", "501 5.5.4"),
        ("RCPT TO:<tlsrpt@example.com>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("MAIL FROM:<>", "250 2.0.0"),
        ("MAIL FROM:<@relay.example,@other.example:a@b.example>", "250 2.0.0"),
        ("MAIL FROM:<" + "x" * 3000 + "@b.example>", "250 2.0.0"),
        ("MAIL FROM:<" + "x" * 5000 + "@b.example>", "500 5.5.2"),
        ("NOOP \x1b[2J\x00\x07", "250 2.0.0"),
    ],
)
def test_what_each_command_is_answered(target: Victim, command: str, code: str) -> None:
    """There is nothing to log in to, to list, to fetch, or to pretend; the null sender is taken."""
    with target.greeted() as client:
        assert client.ask(command)[:9] == code


def test_an_unknown_recipient_is_refused_by_smtp_and_deferred_by_lmtp(target: Victim) -> None:
    """No open relay, whatever the form of the address."""
    routes = [
        "nobody@example.com",
        "@example.com:nobody@else.example",
        "nobody%else.example@example.com",
        "else.example!nobody@example.com",
        '"nobody@else.example"@example.com',
        "tlsrpt@example.com@else.example",
        "tlsrpt@example.com.else.example",
        "tlsrpt\0@example.com",
        "tlsrpt@example.com\0.else.example",
    ]
    with target.greeted() as client:
        client.ask("MAIL FROM:<>")
        answers = [client.ask(f"RCPT TO:<{route}>")[:9] for route in routes]

        assert {"smtp": "550 5.1.1", "lmtp": "450 4.1.1"}[target.kind] == answers[0]
        assert len(set(answers)) == 1
        assert client.ask("DATA").startswith("503")


@pytest.mark.parametrize("word", ["GET", "POST", "PUT", "CONNECT", "OPTIONS", "HEAD"])
def test_a_browser_is_hung_up_on(target: Victim, word: str) -> None:
    """
    A web page that makes a browser post commands to the listener is not obeyed: the first
    line of HTTP ends the connection, before its body.
    """
    before = target.site.count("mails")
    body = target.hello.encode() + b"\r\nMAIL FROM:<>\r\nRCPT TO:<tlsrpt@example.com>\r\nDATA\r\n"
    with target.bounded(), target.connect() as client:
        client.send(f"{word} / HTTP/1.1\r\n\r\n".encode() + body + MAIL + b".\r\n")

        assert client.rest()[1:] in ([], ["421 4.7.0 This is no web server, goodbye"])
        assert target.site.count("mails") == before


def test_answers_carry_nothing_that_a_terminal_obeys(target: Victim) -> None:
    """What a peer said comes back in an answer as one line of printable ASCII."""
    with target.greeted() as client:
        client.send(b"\x1b[2J\x07\x00\x0d\x0bEVIL x\r\nVRFY <\x1b]0;x\x07\xff\xc2\x9b\r\n")
        answers = [client.line(), client.line()]

        assert [answer[:3] for answer in answers] == ["500", "502"]
        assert all(answer.isascii() and answer.isprintable() for answer in answers)


def test_no_conversation_is_too_strange(target: Victim) -> None:
    """
    Two thousand lines of words, numbers, control characters and broken UTF-8 in every
    order: each is answered, none is an internal error, and the next peer is served.
    """
    choose = random.Random(SEED)
    words = [
        *(b"MAIL", b"FROM:", b"RCPT", b"TO:", b"<", b">", b"@", b"example.com", b"tlsrpt", b"+"),
        *(b"SIZE=", b"BODY=8BITMIME", b"SMTPUTF8", b" ", b"\t", b'"', b"\\", b"\xff", b"\xc3\xa9"),
        *(b"\0", b"\r", b"[::1]", b"xn--", b"..", b"%s", b"{0}", b"9" * 50, b"RSET", b"NOOP"),
        *(b"VRFY", b"HELO", b"EHLO", b"LHLO", b"\xed\xb3\xbf", b"\xe2\x80\xae", b",", b":", b"="),
    ]
    with target.bounded():
        for _ in range(200):
            with target.greeted() as client:
                client.ask("MAIL FROM:<>")
                for _ in range(10):
                    line = b"".join(choose.choices(words, k=choose.randrange(1, 12)))
                    client.send(line + b"\r\n")
                    answer = client.answer()
                    assert answer[:1] in {"2", "4", "5"}, line
                    assert not answer.startswith("451"), line
                    if answer.startswith(("221", "421", "502 5.5.1 Too")):
                        break
        target.honest()
