"""DNS in trouble, seen from the mailbox: nothing is lost, and nothing believed meanwhile."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dns.message import Message

from tests.flows.post import KEY, signed
from tests.mails import detail, mail, report
from tests.trouble.dns import Reply, Server, refused, server, texts
from tests.trouble.host import DAY, HOUR, MINUTE, Host

TRUST = """
[trust]
dkim = "require"
[dns]
nameservers = ["{}"]
timeout = "1s"
[[domains]]
match = ["*.example", "example.com"]
"""


class World:
    """The program, and a DNS that can be down."""

    def __init__(self, folder: Path, dns: Server) -> None:
        self.dns = dns
        self.host = Host(folder, alerts="", trust=TRUST.format(dns.address))
        self.host.wall = self.host.true = int(time.time())
        self.host.restarts()

    def take(self, count: int = 1, first: int = 0) -> list[str]:
        """That many signed reports come in, one by one; what became of them."""
        return [
            self.host.take(
                signed(mail(report(f"d{number}.example", details=(detail(),)), newline="\r\n"))
            ).outcome
            for number in range(first, first + count)
        ]

    def works(self, span: int, step: int = 10 * MINUTE) -> None:
        """The resolver has clocks of its own: it forgets, as it would in that time."""
        for _ in range(max(1, span // step)):
            self.host.app.resolver.forget_trouble()
            self.host.works(step, step)

    def trust(self) -> list[tuple[object, ...]]:
        return list(self.host.rows("SELECT status, trust FROM reports ORDER BY id"))


def up(question: Message, _way: str) -> Reply:
    return texts(question, KEY)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with server(up) as dns:
        made = World(tmp_path, dns)
        yield made
        made.host.app.close()


DOWN: dict[str, Callable[[Message, str], Reply]] = {
    "silence": lambda _q, _w: None,
    "SERVFAIL": refused("SERVFAIL"),
    "garbage": lambda _q, _w: b"\xff" * 40,
}


@pytest.mark.parametrize("how", DOWN)
def test_reports_wait_for_dns_and_count_by_themselves(world: World, how: str) -> None:
    """
    While DNS is down reports are taken, held as pending and counted nowhere; once it answers
    they count, each once, without anybody's doing.
    """
    world.dns.answer = DOWN[how]
    taken = world.take(3)
    world.works(30 * MINUTE)
    meanwhile = (world.trust(), world.host.count("windows"), world.host.count("failures"))
    world.dns.answer = up
    world.works(8 * HOUR, HOUR)

    assert ["held"] * 3 == taken
    assert ([("held", "pending")] * 3, 0, 0) == meanwhile
    assert [("counted", "pass")] * 3 == world.trust()
    assert 3 == world.host.count("windows")


def test_taking_mails_goes_on_at_its_pace(world: World) -> None:
    """Forty mails of one reporter while DNS says nothing: they do not wait three seconds each."""
    world.dns.answer = DOWN["silence"]
    began = time.monotonic()
    taken = world.take(40)

    assert ["held"] * 40 == taken
    assert time.monotonic() - began < 15


def test_a_restart_forgets_nothing_that_waits(world: World) -> None:
    """What is pending is in the database: the next process asks again."""
    world.dns.answer = DOWN["SERVFAIL"]
    world.take(2)
    world.host.restarts()
    world.dns.answer = up
    world.works(2 * HOUR)

    assert [("counted", "pass")] * 2 == world.trust()


def test_a_key_that_is_gone_when_dns_answers_is_certain(world: World) -> None:
    """NXDOMAIN at last: held as failed, not asked for for ever."""
    world.dns.answer = DOWN["SERVFAIL"]
    world.take()
    world.dns.answer = refused("NXDOMAIN")
    world.works(DAY, HOUR)
    asked = len(world.dns.asked)
    world.works(DAY, HOUR)

    ((status, trust),) = world.trust()
    assert ("held", "fail") == (status, trust)
    assert asked == len(world.dns.asked)


def test_a_key_that_was_seen_lately_stands_in_for_dns(world: World) -> None:
    """DNS dies after the first report of a reporter: the next ones verify by the kept key."""
    first = world.take(1)
    world.dns.answer = DOWN["SERVFAIL"]
    world.host.restarts()
    second = world.take(1, first=1)

    assert ["stored"] == first == second
    assert [("counted", "pass")] * 2 == world.trust()
