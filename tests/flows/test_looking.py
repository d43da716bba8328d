"""What one look asks for, and what it makes of the answers."""

from collections.abc import Sequence

import pytest

from tests.flows.sky import RIGHT, Sky
from tlsrpt_mailer.domains.record import wrong_places
from tlsrpt_mailer.domains.seen import Answer, Shown
from tlsrpt_mailer.flows.looking import (
    MOST_HOSTS,
    MOST_NAMES,
    MOST_RUA,
    PROBING,
    addresses_of,
    at_most,
    look_at,
    look_at_host,
    mx_hosts,
)
from tlsrpt_mailer.report.times import Time

NOW: Time = 1_795_435_200
DOMAIN = "shop.example"


@pytest.fixture
def sky() -> Sky:
    return Sky()


def test_a_look_sees_all_that_senders_look_at(sky: Sky) -> None:
    """TLSRPT, MTA-STS and its policy, MX, their addresses and TLSA, and the name servers."""
    sky.domain(DOMAIN, mx=("mx1", "mx2"), mode="enforce")
    sky.put("_25._tcp.mx1.shop.example", "TLSA", "3 1 1 ab")
    sky.put("_smtp._tls.mx1.shop.example", "TXT", RIGHT)
    sky.put("mx1.shop.example", "AAAA", "2001:db8::1")

    seen = look_at(DOMAIN, sky, NOW)

    assert (DOMAIN, NOW) == (seen.domain, seen.at)
    assert (RIGHT,) == seen.record.values
    assert ("ns1.example.net",) == seen.ns.values
    assert seen.page is not None
    assert "found" == seen.page.kind
    first, second = seen.hosts
    assert ("mx1.shop.example", "mx2.shop.example") == (first.host, second.host)
    assert ("192.0.2.1", "2001:db8::1") == first.addresses.values
    assert ("3 1 1 ab",) == first.tlsa.values
    assert first.record is not None
    assert (RIGHT,) == first.record.values
    assert second.record is None
    assert (("example.com", Answer("found", ("10 mx1.example.com",))),) == seen.rua_hosts


def test_mx_hosts_with_ever_new_names_are_passed_over(sky: Sky) -> None:
    """A zone that makes up names is looked at for fifty of them; those that stay are seen."""
    sky.domain(DOMAIN, mx=("mx1", "mx2", "mx3"))
    had = [f"r{at}.{DOMAIN}" for at in range(MOST_NAMES - 2)] + [f"mx3.{DOMAIN}"]

    few = look_at(DOMAIN, sky, NOW, had=had)
    none = look_at(DOMAIN, sky, NOW, had=[*had, "r99.example"])

    assert [f"mx1.{DOMAIN}", f"mx3.{DOMAIN}"] == [one.host for one in few.hosts]
    assert [f"mx3.{DOMAIN}"] == [one.host for one in none.hosts]


def test_mx_hosts_that_let_wait_do_not_hold_up_other_domains(sky: Sky) -> None:
    """Twenty hosts with four addresses each are forty minutes; those left are of the next look."""
    sky.domain(DOMAIN, mx=tuple(f"mx{at}" for at in range(MOST_HOSTS)))
    clock = [0.0]

    def tarpit(_host: str, addresses: Sequence[str]) -> tuple[Shown, ...]:
        clock[0] += 100
        return tuple(Shown(ip=ip, at=NOW, kind="timeout") for ip in addresses)

    seen = look_at(DOMAIN, sky, NOW, at_most(tarpit, clock=lambda: clock[0]))

    assert [1, 1, 1, 0, 0] == [len(one.shown) for one in seen.hosts[:5]]
    assert PROBING <= clock[0] < PROBING + 100
    assert MOST_HOSTS == len(seen.hosts)


def test_nothing_is_fetched_that_nobody_announces(sky: Sky) -> None:
    """Without an _mta-sts record no sender asks for a policy, and neither do we."""
    sky.domain(DOMAIN)
    sky.put(f"_mta-sts.{DOMAIN}", "TXT", "some other text")

    seen = look_at(DOMAIN, sky, NOW)

    assert seen.page is None
    assert (DOMAIN, "page") not in sky.asked
    assert () == seen.hosts[0].shown


def test_a_record_at_a_wrong_name_is_looked_for_only_where_there_is_none(sky: Sky) -> None:
    """Who put it elsewhere learns where; who has one causes no further questions."""
    sky.domain(DOMAIN)
    look_at(DOMAIN, sky, NOW)
    wrong = wrong_places(DOMAIN)[0]
    assert wrong not in sky.questions()
    sky.put(f"_smtp._tls.{DOMAIN}", "TXT")
    sky.put(wrong, "TXT", RIGHT, "v=spf1 -all")

    assert ((wrong, RIGHT),) == look_at(DOMAIN, sky, NOW).elsewhere

    sky.dark.add(f"_smtp._tls.{DOMAIN}")
    assert () == look_at(DOMAIN, sky, NOW).elsewhere


def test_the_domains_of_a_record_are_asked_whether_they_take_mail(sky: Sky) -> None:
    """By MX, else by address (RFC 5321, 5.1); a few of them, however many there are."""
    uris = ",".join(f"mailto:a@d{at}.example" for at in range(9))
    sky.domain(DOMAIN, record=f"v=TLSRPTv1; rua={uris}")
    sky.put("d0.example", "MX", "10 mx.d0.example")
    sky.put("d1.example", "A", "192.0.2.9")

    found = look_at(DOMAIN, sky, NOW).rua_hosts

    assert MOST_RUA == len(found)
    assert ("10 mx.d0.example",) == found[0][1].values
    assert ("192.0.2.9",) == found[1][1].values
    assert "absent" == found[2][1].kind


def test_an_address_literal_is_nobodys_domain(sky: Sky) -> None:
    """There is no MX to ask for."""
    sky.domain(DOMAIN, record="v=TLSRPTv1; rua=mailto:x@[192.0.2.1]")

    assert () == look_at(DOMAIN, sky, NOW).rua_hosts


def test_of_an_mx_host_only_its_record_matters(sky: Sky) -> None:
    """No policy, no MX: what DANE senders look for there is the TLSRPT record."""
    sky.put("_smtp._tls.mx1.shop.example", "TXT", RIGHT)

    seen = look_at_host("mx1.shop.example", sky, NOW)

    assert (RIGHT,) == seen.record.values
    assert ((), None) == (seen.hosts, seen.page)
    assert {"_smtp._tls.mx1.shop.example", "example.com"} == set(sky.questions())


def test_a_probe_is_told_host_and_addresses(sky: Sky) -> None:
    """And what it saw is part of the look."""
    sky.domain(DOMAIN)
    shown = (Shown(ip="192.0.2.1", at=NOW, kind="tls"),)

    def probe(host: str, addresses: object) -> tuple[Shown, ...]:
        assert ("mx1.shop.example", ("192.0.2.1",)) == (host, addresses)
        return shown

    assert shown == look_at(DOMAIN, sky, NOW, probe).hosts[0].shown


@pytest.mark.parametrize(
    ("mx", "hosts"),
    [
        (
            Answer("found", ("10 b.example", "5 a.example", "20 a.example")),
            ["a.example", "b.example"],
        ),
        (Answer("absent"), [DOMAIN]),
        (Answer("trouble"), []),
        (Answer("found", ("0 .",)), []),
        (Answer("found", ("x no-number.example", "10 bad host")), ["no-number.example"]),
    ],
)
def test_mx_hosts_by_preference(mx: Answer, hosts: list[str]) -> None:
    """A domain without MX is its own host; a null MX (RFC 7505) has none."""
    assert hosts == mx_hosts(DOMAIN, mx)


def test_a_domain_with_very_many_mx_hosts_costs_no_more_than_some() -> None:
    """A stranger's zone decides how many questions are asked: up to a limit."""
    values = tuple(f"10 mx{at}.example" for at in range(500))

    assert MOST_HOSTS == len(mx_hosts(DOMAIN, Answer("found", values)))


def test_addresses_of_both_families_are_one_answer(sky: Sky) -> None:
    """Found if one is, proven if all that was found is, trouble only where nothing was found."""
    sky.put("both.example", "A", "192.0.2.1")
    sky.put("both.example", "AAAA", "2001:db8::1")
    sky.put("alias.example", "A", "192.0.2.2")
    sky.aliases["alias.example"] = "target.example"
    sky.secure = True

    assert Answer("found", ("192.0.2.1", "2001:db8::1"), True) == addresses_of("both.example", sky)
    assert "target.example" == addresses_of("alias.example", sky).alias
    assert "absent" == addresses_of("none.example", sky).kind
    sky.dark.add("dark.example")
    assert "trouble" == addresses_of("dark.example", sky).kind
    sky.secure = None
    assert addresses_of("both.example", sky).secure is None


@pytest.mark.parametrize(
    ("four", "six", "secure"),
    [
        (Answer("found", ("192.0.2.1",), True), Answer("found", ("::1",), True), True),
        (Answer("found", ("192.0.2.1",), True), Answer("found", ("::1",), False), False),
        (Answer("found", ("192.0.2.1",), True), Answer("found", ("::1",), None), None),
        (Answer("found", ("192.0.2.1",), True), Answer("absent", (), False), True),
        (Answer("absent", (), True), Answer("found", ("::1",), False), False),
    ],
)
def test_addresses_are_proven_where_all_that_was_found_is(
    four: Answer, six: Answer, secure: bool | None
) -> None:
    """Senders ask for TLSA records by it (RFC 7672, 2.2.2): one family alone proves nothing."""

    class Two(Sky):
        def ask(self, name: str, kind: str) -> Answer:
            return four if kind == "A" else six

    assert secure is addresses_of("mx1.shop.example", Two()).secure
