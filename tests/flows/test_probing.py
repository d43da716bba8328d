"""MX hosts are connected to once for all domains, and judged only where port 25 can be reached."""

from threading import Thread

import pytest

from tests.flows.sky import Sky
from tlsrpt_mailer.domains.seen import Shown
from tlsrpt_mailer.flows.checking import SURE, WATCHED
from tlsrpt_mailer.flows.probing import ILL, MOST_ADDRESSES, WELL, Prober
from tlsrpt_mailer.report.times import Time

NOW: Time = 1_795_435_200
MX = "mx1.shop.example"


@pytest.fixture
def sky() -> Sky:
    return Sky()


def shows(sky: Sky, ip: str, kind: str = "tls", host: str = MX, **fields: object) -> None:
    sky.shows[host, ip] = Shown(ip=ip, at=NOW, kind=kind, **fields)  # type: ignore[arg-type]


def prober(sky: Sky) -> Prober:
    made = Prober(sky, ["mx.elsewhere.example"])
    made.begin(NOW)
    return made


def test_an_address_is_connected_to_once_for_all_domains(sky: Sky) -> None:
    """Ten thousand domains at one MX are one connection, also from many threads."""
    shows(sky, "192.0.2.1")
    probe = prober(sky)
    threads = [Thread(target=probe, args=(MX, ("192.0.2.1",))) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [(MX, "192.0.2.1")] == sky.asked
    assert 0 == sky.controls


@pytest.mark.parametrize(
    ("fields", "span"),
    [
        ({}, WELL),
        ({"is_trusted": True, "names_fit": True}, WELL),
        ({"is_trusted": False}, ILL),
        ({"names_fit": False}, ILL),
        ({"kind": "no-starttls"}, ILL),
    ],
)
def test_what_is_wrong_is_seen_anew_sooner(sky: Sky, fields: dict[str, object], span: int) -> None:
    """The second look that confirms a finding is not the first one's memory."""
    shows(sky, "192.0.2.1", **{"kind": "tls", **fields})  # type: ignore[arg-type]
    probe = prober(sky)
    probe(MX, ("192.0.2.1",))

    probe.begin(NOW + span - 1)
    probe(MX, ("192.0.2.1",))
    assert 1 == len(sky.asked)
    probe.begin(NOW + span)
    probe(MX, ("192.0.2.1",))
    assert 2 == len(sky.asked)
    # What is wrong by the next look, which is to confirm it; what is well by the one that ends it.
    assert (ILL < SURE, WELL < WATCHED) == (True, True)


def test_where_port_25_is_blocked_nothing_is_said_of_hosts(sky: Sky) -> None:
    """One thing is said of the way from here, and nothing of domains; what answers is shown."""
    shows(sky, "192.0.2.1")
    sky.blocked = "nobody's port 25 answers"
    probe = prober(sky)

    found = probe(MX, ("192.0.2.1", "192.0.2.2"))
    probe("mx2.shop.example", ("192.0.2.3",))

    assert ["192.0.2.1"] == [one.ip for one in found]
    assert "nobody's port 25 answers" == probe.blocked
    assert 1 == sky.controls


def test_where_others_can_be_reached_a_silent_host_is_its_own_fault(sky: Sky) -> None:
    """The control probe answers, so the host does not."""
    probe = prober(sky)

    found = probe(MX, ("192.0.2.1",))

    assert ["timeout"] == [one.kind for one in found]
    assert probe.blocked is None
    probe(MX, ("192.0.2.9",))
    assert 1 == sky.controls


def test_a_host_without_ipv6_says_nothing_of_addresses_of_ipv6(sky: Sky) -> None:
    """Each address is held against others of its family; IPv4 works, so there is no finding."""
    sky.blocked_v6 = "no route to host"
    probe = prober(sky)

    found = probe(MX, ("192.0.2.1", "2001:db8::1"))

    assert ["192.0.2.1"] == [one.ip for one in found]
    assert probe.blocked is None


def test_an_address_of_ipv6_that_others_can_be_reached_beside_is_judged(sky: Sky) -> None:
    """That IPv4 is blocked is no excuse for it."""
    sky.blocked = "nobody's port 25 answers"
    probe = prober(sky)

    found = probe(MX, ("192.0.2.1", "2001:db8::1"))

    assert ["2001:db8::1"] == [one.ip for one in found]
    assert "nobody's port 25 answers" == probe.blocked


def test_with_ipv6_alone_in_use_a_blocked_port_is_told_all_the_same(sky: Sky) -> None:
    """No address of IPv4 was tried before."""
    sky.blocked, sky.blocked_v6 = "blocked", "no route to host"
    probe = prober(sky)

    assert () == probe(MX, ("2001:db8::1",))
    assert "blocked" == probe.blocked


def test_whether_port_25_is_blocked_is_asked_again(sky: Sky) -> None:
    """A firewall that is opened is noticed within the hour."""
    sky.blocked = "blocked"
    probe = prober(sky)
    assert () == probe(MX, ("192.0.2.1",))
    sky.blocked = None

    probe.begin(NOW + WELL)

    assert 1 == len(probe(MX, ("192.0.2.1",)))
    assert 2 == sky.controls


def test_addresses_of_both_families_are_tried(sky: Sky) -> None:
    """However many IPv4 addresses there are: half of the senders may come over IPv6."""
    four = tuple(f"192.0.2.{at}" for at in range(5))

    found = prober(sky)(MX, (*four, "2001:db8::1"))

    assert ["192.0.2.0", "2001:db8::1", "192.0.2.1", "192.0.2.2"] == [one.ip for one in found]


def test_only_some_addresses_of_a_host_are_tried(sky: Sky) -> None:
    """However many a stranger's zone names."""
    found = prober(sky)(MX, tuple(f"192.0.2.{at}" for at in range(50)))

    assert MOST_ADDRESSES == len(found)
