"""How long DNS is waited for, how often it is asked, and how much of it is kept."""

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

import dns.message
import pytest

from tests.servers.knot import Knot
from tests.trouble.dns import Server, server, texts, truncated
from tlsrpt_mailer.domains.seen import Answer
from tlsrpt_mailer.net import exchange
from tlsrpt_mailer.net.lookups import Lookups
from tlsrpt_mailer.net.pace import Pace
from tlsrpt_mailer.net.remembered import Remembered

QUICK = 0.6
"""Seconds, for tests that use them up."""
SLACK = 2.0
"""Seconds that a busy machine may take beside them: less than half of what `patient` makes of who
does not keep to them."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single try may take longer than a question: only the time of the question ends it."""
    monkeypatch.setattr(exchange, "EACH", 5.0)


class Clock:
    """Time that passes only when somebody rests."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rested: list[float] = []

    def __call__(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.rested.append(seconds)
        self.now += seconds


def asking(*servers: Server, clock: Callable[[], float] = time.monotonic) -> Lookups:
    return Lookups([one.address for one in servers], QUICK, rate=math.inf, clock=clock)


def mute(_question: dns.message.Message, _way: str) -> None:
    """Say nothing."""


def always(
    text: bytes, ttl: int = 300
) -> Callable[[dns.message.Message, str], dns.message.Message]:
    return lambda question, _way: texts(question, text, ttl=ttl)


# ------------------------------------------------------------------------ time


def test_a_mute_server_is_waited_for_no_longer_than_allowed():
    """The time-out is kept over all tries."""
    with server(mute) as one:
        began = time.monotonic()
        answer = asking(one).ask("a.example", "TXT")
        took = time.monotonic() - began

    assert Answer("trouble", error="no answer in time", is_ours=True) == answer
    assert 0.3 < took < QUICK + SLACK


def test_a_server_is_asked_again_within_the_time(monkeypatch: pytest.MonkeyPatch):
    """A packet may get lost; the second one is answered."""
    monkeypatch.setattr(exchange, "EACH", 0.1)
    asked = 0

    def second(question: dns.message.Message, _way: str) -> dns.message.Message | None:
        nonlocal asked
        asked += 1
        return texts(question, b"x") if asked > 1 else None

    with server(second) as one:
        it = asking(one)

        assert ("x",) == it.ask("a.example", "TXT").values
        assert 2 == it.sent - 1  # and once for the root


def test_an_answer_that_drips_by_tcp_is_left():
    """A byte now and then is no reason to stay."""
    with server(lambda question, way: truncated(question, way, b"x" * 3000)) as one:
        one.drip = 0.05
        began = time.monotonic()
        answer = asking(one).ask("a.example", "TXT")
        took = time.monotonic() - began

    assert "trouble" == answer.kind
    assert took < QUICK + SLACK


def test_other_peoples_packets_are_not_waited_for_for_ever():
    """Answers to other questions, one after another, do not make the wait longer."""

    def other(question: dns.message.Message, _way: str) -> dns.message.Message:
        return texts(dns.message.make_query("other.example.", "TXT", id=question.id), b"x")

    with server(other) as one:
        began = time.monotonic()
        answer = asking(one).ask("a.example", "TXT")

    assert "trouble" == answer.kind
    assert time.monotonic() - began < QUICK + SLACK


def test_a_dead_resolver_is_waited_for_once():
    """While no name server says anything, the other names are not waited for; then they are."""
    clock = Clock()
    with server(mute) as one:
        it = asking(one, clock=clock)
        it.ask("a.example", "TXT")
        sent, began = it.sent, time.monotonic()
        answers = {it.ask(f"n{at}.example", "TXT") for at in range(300)}
        took = time.monotonic() - began
        clock.now = 16
        later = it.ask("b.example", "TXT")

    assert {Answer("trouble", error="no name server answers", is_ours=True)} == answers
    assert took < SLACK  # 300 that were waited for would take three minutes
    assert "no answer in time" == later.error
    assert sent < it.sent


def test_one_mute_name_does_not_stop_the_others():
    """Where the resolver answers for the root, only that name has no answer."""

    def answer(question: dns.message.Message, _way: str) -> dns.message.Message | None:
        is_evil = "evil" in str(question.question[0].name)
        return None if is_evil else texts(question, b"x")

    with server(answer) as one:
        it = asking(one)

        assert "no answer in time" == it.ask("evil.example", "TXT").error
        assert ("x",) == it.ask("good.example", "TXT").values


def test_the_systems_servers_are_read_again_when_none_answers(tmp_path: Path):
    """A host that moves to another network gets its new name servers without a restart."""
    system = tmp_path / "resolv.conf"
    system.write_text("nameserver 127.0.0.99\n")
    clock = Clock()
    it = Lookups((), QUICK, rate=math.inf, clock=clock, system=str(system))
    system.write_text("nameserver 127.0.0.98\n")
    before = it.servers
    it.ask("a.example", "TXT")

    assert (("127.0.0.99", 53),) == before
    assert (("127.0.0.98", 53),) == it.servers


def test_without_a_word_of_the_system_this_host_is_asked(tmp_path: Path):
    """As the C library does, where there is no resolv.conf."""
    assert (("127.0.0.1", 53),) == Lookups((), system=str(tmp_path / "none")).servers


# ------------------------------------------------------------------------ pace


def test_so_many_questions_a_second_and_no_more():
    """Ten thousand domains are asked for evenly, by however many threads."""
    clock = Clock()
    pace = Pace(200.0, clock, clock.rest)
    for _ in range(1001):
        assert pace.turn(60)

    assert pytest.approx(5.0) == clock.now
    assert max(clock.rested) == pytest.approx(1 / 200)


def test_a_rest_earns_no_burst():
    """After a quiet hour the questions come no faster than ever."""
    clock = Clock()
    pace = Pace(10.0, clock, clock.rest)
    clock.now = 3600.0
    for _ in range(11):
        pace.turn(60)

    assert pytest.approx(3601.0) == clock.now


def test_a_turn_that_is_too_far_away_is_not_waited_for():
    """Who cannot be served in time is told so at once, and takes no turn from others."""
    now = 0.0
    pace = Pace(1.0, lambda: now, lambda _: None)
    taken = [pace.turn(2.5) for _ in range(5)]
    now = 3.0

    assert [True, True, True, False, False] == taken
    assert pace.turn(0)


def test_each_try_takes_a_turn(monkeypatch: pytest.MonkeyPatch):
    """Tries and TCP count as well: no name server of anybody's is hammered by a dead one."""
    clock = Clock()
    with server(lambda question, way: truncated(question, way, b"x")) as one:
        it = Lookups([one.address], 5.0, rate=10.0, clock=clock, rest=clock.rest)
        it.ask("a.example", "TXT")

    assert it.sent == len(one.asked) == 4  # by UDP and TCP, and so for the root
    assert pytest.approx(0.3) == sum(clock.rested)


def test_tcp_waits_for_no_turn_that_comes_too_late():
    """The time of a question holds, however slow the pace is."""
    with server(lambda question, way: truncated(question, way, b"x")) as one:
        it = Lookups([one.address], QUICK, rate=0.1)
        began = time.monotonic()
        answer = it.ask("a.example", "TXT")

    assert "no answer in time" == answer.error
    assert time.monotonic() - began < QUICK + SLACK
    assert {"udp"} == {way for _, way in one.asked}


def test_questions_that_cannot_have_a_turn_are_answered(monkeypatch: pytest.MonkeyPatch):
    """Nobody waits for more than a minute; it says what is the matter."""
    monkeypatch.setattr(exchange, "QUEUE", 0.5)
    with server(always(b"x")) as one:
        it = Lookups([one.address], rate=1.0, clock=lambda: 0.0, rest=lambda _: None)
        it.ask("a.example", "TXT")

        assert "too many questions wait" == it.ask("b.example", "TXT").error


# ------------------------------------------------------------------------ memory


@pytest.mark.servers
def test_answers_are_kept_for_their_time(root: Knot):
    """Found and absent, as long as their zones say; neither for less than some seconds."""
    clock = Clock()
    it = Lookups([root.address], rate=math.inf, clock=clock)
    names = ("mx1.example", "nx.example", "short.example")  # there; nothing is for a minute

    def sent_at(now: float) -> list[int]:
        clock.now = now
        found = []
        for name in names:
            before = it.sent
            it.ask(name, "A")
            found.append(it.sent - before)
        return found

    assert [2, 1, 1] == sent_at(0.0)  # one for the root
    assert [0, 0, 0] == sent_at(4.0)
    assert [0, 0, 0] == sent_at(59.0)
    assert [0, 1, 1] == sent_at(61.0)
    assert [0, 0, 0] == sent_at(99.0)
    assert [2, 1, 1] == sent_at(301.0)


@pytest.mark.parametrize(("ttl", "seconds"), [(0, 5), (1, 5), (300, 300), (864_000, 300)])
def test_no_answer_is_kept_too_short_or_too_long(ttl: int, seconds: int):
    """Five seconds at least, an hour at most, whatever a stranger's zone says."""
    clock = Clock()
    with server(always(b"x", ttl)) as one:
        it = asking(one, clock=clock)
        it.ask("a.example", "TXT")
        clock.now = seconds - 0.1
        it.ask("a.example", "TXT")
        kept = [name for name, _ in one.asked].count("a.example.")
        clock.now = seconds + 0.1
        it.ask("a.example", "TXT")
        again = [name for name, _ in one.asked].count("a.example.")

    assert (1, 2) == (kept, again)


def test_trouble_is_kept_shortly():
    """Long enough for one check, and short enough for the next one to find it mended."""
    clock = Clock()

    def mended(question: dns.message.Message, _way: str) -> dns.message.Message:
        reply = texts(question, b"x")
        if clock.now < 1:
            reply.answer.clear()
            reply.set_rcode(2)
        return reply

    with server(mended) as one:
        it = asking(one, clock=clock)
        it.ask("a.example", "TXT")
        clock.now = 29
        kept = it.ask("a.example", "TXT")
        clock.now = 31

        assert "trouble" == kept.kind
        assert ("x",) == it.ask("a.example", "TXT").values


def test_forgetting_asks_anew():
    """Whoever mended a record and checks again is shown what stands there now."""
    texts_now = [b"old"]
    with server(lambda question, _way: texts(question, *texts_now)) as one:
        it = asking(one)
        it.ask("a.example", "TXT")
        texts_now[0] = b"new"
        kept = it.ask("a.example", "TXT").values
        it.forget()

        assert ("old",) == kept
        assert ("new",) == it.ask("a.example", "TXT").values


def test_only_so_many_answers_are_kept():
    """Those that were not asked for the longest go first, so shared MX hosts stay."""
    with server(always(b"x")) as one:
        it = Lookups([one.address], QUICK, rate=math.inf, most=10)
        for at in range(50):
            it.ask(f"n{at}.example", "TXT")
            it.ask("shared.example", "TXT")
            assert it.remembered <= 10
    names = [name for name, _ in one.asked]

    assert 1 == names.count("shared.example.")
    assert 10 == it.remembered


def test_large_answers_are_not_kept():
    """A stranger's 60 KiB at a thousand names would be 60 MiB."""
    with server(lambda question, way: truncated(question, way, b"x" * 9_000)) as one:
        it = asking(one)
        first = it.ask("a.example", "TXT")
        sent = it.sent
        it.ask("a.example", "TXT")

    assert 9_000 == len(first.values[0])
    assert sent < it.sent


# ------------------------------------------------------------------------ what waits for another


def test_who_waits_for_another_thread_waits_not_for_ever():
    """Where the one that asks never comes back, the others get no answer, in time."""
    known: Remembered[str, int] = Remembered(time.monotonic, 10)
    stuck, go = threading.Event(), threading.Event()

    def find() -> tuple[int, float]:
        stuck.set()
        go.wait(30)
        return 1, 9.0

    thread = threading.Thread(target=known.get, args=("a", find, 9))
    thread.start()
    assert stuck.wait(10)
    began = time.monotonic()
    found = known.get("a", lambda: (2, 9.0), 0.2)
    took = time.monotonic() - began
    go.set()
    thread.join(10)

    assert found is None
    assert 0.1 < took < 5
    assert 1 == known.get("a", lambda: (3, 9.0), 9)


def test_one_that_fails_does_not_stop_those_behind_it():
    """After an error the next one looks for itself."""
    known: Remembered[str, int] = Remembered(time.monotonic, 10)

    def fail() -> tuple[int, float]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        known.get("a", fail, 9)

    assert 2 == known.get("a", lambda: (2, 9.0), 0.1)
