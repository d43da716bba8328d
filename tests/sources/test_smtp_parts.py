"""The parts of the listener that need no connection."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsrpt_mailer.sources.addresses import parse_path
from tlsrpt_mailer.sources.admission import is_loopback
from tlsrpt_mailer.sources.data import Collector, TooBusy, TooMuch
from tlsrpt_mailer.sources.memory import Memory
from tlsrpt_mailer.sources.recipients import Recipients

LINES = st.lists(
    st.sampled_from([b".", b"..", b"...", b"", b"a", b"\n", b"\r", b".\n", b"\r\r", b"x" * 40]),
    max_size=12,
)


def collect(wire: bytes, cuts: list[int], limit: int = 10_000) -> tuple[bytes, bytes]:
    """Feed *wire* in pieces; what the mail was and what was left over."""
    collector = Collector(limit, Memory(10**9))
    bounds = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(bounds):
        rest = collector.feed(wire[start:end])
        if rest is not None:
            return collector.content(), rest + wire[end:]
    raise AssertionError("no end found")


@given(lines=LINES, cuts=st.lists(st.integers(0, 500)), rest=st.binary(max_size=8))
def test_any_mail_arrives_as_it_was_sent_however_it_is_cut(lines, cuts, rest):
    """Wherever the network cuts the stream, the mail and what follows are the same."""
    raw = b"".join(line + b"\r\n" for line in lines)

    assert collect(_stuff(raw) + b".\r\n" + rest, cuts) == (raw, rest)


def _stuff(raw: bytes) -> bytes:
    stuffed = raw.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def test_memory_is_given_back_whatever_happens():
    """After any mail, taken, too large or turned away, nothing stays reserved."""
    memory = Memory(500)
    for wire in (b"x" * 100 + b"\r\n.\r\n", b"x" * 300 + b"\r\n.\r\n", b"x" * 900):
        collector = Collector(200, memory)
        for at in range(0, len(wire), 50):
            collector.feed(wire[at : at + 50])
        collector.close()

        assert memory.free == 500


def test_too_much_and_too_busy_are_told_apart():
    """A mail over the limit is refused for good, one without memory may come again."""
    large = Collector(100, Memory(10**9))
    busy = Collector(100, Memory(0))
    assert large.feed(b"x" * 200 + b"\r\n.\r\n") == b""
    assert busy.feed(b"x\r\n.\r\n") == b""

    with pytest.raises(TooMuch):
        large.content()
    with pytest.raises(TooBusy):
        busy.content()


def test_a_great_mail_that_does_not_end_makes_room_for_a_small_one():
    """Memory that is short goes to the small mail; the great one may come again."""
    memory = Memory(1000)
    great, small = Collector(1000, memory), Collector(1000, memory)
    great.feed(b"x" * 900)
    small.feed(b"y" * 200 + b"\r\n.\r\n")
    great.feed(b"\r\n.\r\n")

    assert b"y" * 200 + b"\r\n" == small.content()
    with pytest.raises(TooBusy):
        great.content()
    assert memory.free == 1000 - small.held


def test_a_mail_that_is_complete_keeps_its_memory():
    """What is being stored is not thrown away for a newcomer, nor is a smaller mail for a great."""
    memory = Memory(1000)
    complete, small, late = (Collector(1000, memory) for _ in range(3))
    complete.feed(b"x" * 800 + b"\r\n.\r\n")
    raw = complete.content()
    small.feed(b"y" * 100)
    late.feed(b"z" * 150)
    small.feed(b"\r\n.\r\n")

    assert b"x" * 800 + b"\r\n" == raw
    assert b"y" * 100 + b"\r\n" == small.content()
    assert late.held == 0


@given(st.text(max_size=60))
def test_no_path_is_too_strange(text):
    """Whatever stands behind MAIL FROM is read or refused, and never raises."""
    address, rest = parse_path(text)

    assert (address is None) == (rest is None)
    assert address != ""


@pytest.mark.parametrize(
    ("arg", "expected"),
    [
        ("<>", ("<>", "")),
        ("<a@b> SIZE=1 BODY=8BITMIME", ("a@b", "SIZE=1 BODY=8BITMIME")),
        ("<@x,@y:a@b>", ("a@b", "")),
        ('<"a>b"@c> SIZE=1', ('"a>b"@c', "SIZE=1")),
        ('<"open@c> SIZE=1', ('"open@c', "SIZE=1")),
        ("a@b SIZE=1", ("a@b", "SIZE=1")),
        ("<a@b", (None, None)),
        ("", (None, None)),
    ],
)
def test_paths_as_they_are_sent(arg, expected):
    """Routes are dropped, quotes are respected, brackets may be missing."""
    assert parse_path(arg) == expected


def test_a_quoted_local_part_is_the_same_address():
    """RFC 5321, 4.1.2 lets a sender quote what needs no quotes."""
    ours = Recipients(["tlsrpt@example.com"])

    assert ours.match('"tlsrpt"@example.com')
    assert ours.match("tlsrpt@example.com.")
    assert not ours.match('"tls rpt"@example.com')
    assert not ours.match("tlsrpt@" + "x" * 64 + ".com")


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("nonsense", False),
    ],
)
def test_which_peers_are_this_machine(address, is_ours):
    """Loopback in all its forms is not limited; everybody else is."""
    assert is_loopback(address) == is_ours


def test_an_address_with_a_detail_of_its_own():
    """Where the address itself has a plus, only that address is meant."""
    ours = Recipients(["reports+tls@example.com"])

    assert ours.match("reports+tls@example.com")
    assert not ours.match("reports@example.com")
    assert not ours.match("reports+dmarc@example.com")
