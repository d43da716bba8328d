"""What is found wrong with MX hosts, in DNS and on port 25."""

from typing import Any

import pytest

from tests.domains import sights
from tests.domains.records import RIGHT
from tests.domains.sights import (
    ABSENT,
    BOGUS,
    DEAD,
    DOMAIN,
    IP,
    IP6,
    KEY,
    MX1,
    NOW,
    OTHER_KEY,
    answer,
    certificate,
    codes,
    earlier,
    found,
    host,
    policy,
    seen,
    shown,
    signed,
    silent,
    with_host,
    without_sts,
)
from tlsrpt_mailer.domains.seen import HostSeen, Page, Seen, Shown
from tlsrpt_mailer.report.times import DAY, iso

EXPIRED = shown(chain=(certificate(not_after=NOW - DAY),))
EARLY = shown(chain=(certificate(not_before=NOW + DAY),))
ENDING = shown(chain=(certificate(not_after=NOW + 5 * DAY),))
MISNAMED = shown(names_fit=False, chain=(certificate(names=("www.other.example",)),))
UNTRUSTED = shown(is_trusted=False, distrust="self-signed certificate")
PLAIN = silent("no-starttls")
BROKEN = silent("handshake", error="no shared cipher")

BAD = {
    "mx-certificate-expired": EXPIRED,
    "mx-certificate-not-yet-valid": EARLY,
    "mx-certificate-name": MISNAMED,
    "mx-certificate-untrusted": UNTRUSTED,
    "mx-no-starttls": PLAIN,
    "mx-tls-handshake": BROKEN,
}


def look(mode: Any, *there: Shown, tlsa: str | None = None, **more: Any) -> Seen:
    """A domain with one MX host that showed this, and a policy of that mode (None: none)."""
    dane = {"tlsa": signed(tlsa), "record": answer(RIGHT)} if tlsa else {}
    one = host(shown=there, addresses=signed(IP), **dane)
    sts = {"sts": ABSENT, "page": None} if mode is None else {"page": policy(mode, MX1)}
    return with_host(one, **{**sts, **more})


def of_probe(found_codes: list[str]) -> list[str]:
    return [one for one in found_codes if one.startswith("mx-")]


# ------------------------------------------------------------------------ DNS


@pytest.mark.parametrize(
    ("mx", "hosts", "weight", "form"),
    [
        (answer("0 ."), (), "note", "null"),
        (ABSENT, (host(DOMAIN),), "note", "address"),
        (ABSENT, (host(DOMAIN, addresses=ABSENT),), "note", "nothing"),
        (ABSENT, (), "note", "nothing"),
    ],
)
def test_a_domain_without_an_mx_record_is_told_by_what_it_has(mx, hosts, weight, form):
    """That mail goes to the web server, or nowhere, is often not meant."""
    there = seen(mx=mx, hosts=hosts, sts=ABSENT, page=None)
    finding = found("mx-missing", there)

    assert {"mx-missing", "mta-sts-missing"} == set(codes(there))
    assert (weight, {"form": form}) == (finding.weight, finding.facts)


@pytest.mark.parametrize(
    ("before", "weight"), [(answer(f"10 {MX1}"), "critical"), (answer("0 ."), "note")]
)
def test_mx_records_that_were_there_are_missed(before, weight):
    """Mail went there, and nobody has said that it should not any more."""
    there = seen(mx=ABSENT, hosts=(), sts=ABSENT, page=None)

    finding = found("mx-missing", there, earlier(seen(mx=before)))

    assert weight == finding.weight
    assert (f"10 {MX1}" if weight == "critical" else None) == finding.facts.get("was")


def test_mx_hosts_must_be_found_in_dns():
    """An MX host without an address, or behind an alias, is named."""
    alias = found("mx-alias", with_host(host(addresses=answer(IP, alias="mx.p.example"))))
    dead = found("mx-trouble", with_host(host(addresses=DEAD)))

    assert ("notice", MX1, {"alias": "mx.p.example"}) == (alias.weight, alias.mx, alias.facts)
    assert ("notice", MX1, {"error": "timed out"}) == (dead.weight, dead.mx, dead.facts)
    assert "mx-trouble" not in codes(with_host(host(addresses=BOGUS)))


@pytest.mark.parametrize(
    ("other", "weight", "facts"),
    [
        (answer(IP), "warning", {"others": sights.MX2}),
        (DEAD, "warning", {}),
        (ABSENT, "critical", {"stuck": DOMAIN}),
    ],
)
def test_an_mx_without_an_address_is_critical_where_no_other_has_one(other, weight, facts):
    """All mail waits then; not where another MX takes it, or where nobody knows."""
    both = answer(f"10 {MX1}", f"20 {sights.MX2}")
    there = seen(mx=both, hosts=(host(addresses=ABSENT), host(sights.MX2, addresses=other)))

    bare = found("mx-no-address", there, mx=MX1)

    assert (weight, MX1, facts) == (bare.weight, bare.mx, bare.facts)


def test_an_mx_that_was_not_looked_at_may_take_the_mail():
    """Its name is none that can be looked up here: that all mail waits is not known."""
    there = seen(mx=answer(f"10 {MX1}", "20 a_b.example"), hosts=(host(addresses=ABSENT),))

    assert "warning" == found("mx-no-address", there).weight


def test_at_a_provider_an_mx_without_an_address_is_told_in_its_own_way():
    """The name in the MX record is the domain's own, whoever runs the host."""
    name = "shop-example.mail.protection.outlook.com"
    there = seen(mx=answer(f"10 {name}"), hosts=(host(name, addresses=ABSENT),))

    facts = found("mx-no-address", there).facts

    assert ("hosted", "Microsoft 365") == (facts["form"], facts["hosted"])


@pytest.mark.parametrize(
    ("mx", "hosts", "weight", "facts"),
    [
        (("10 192.0.2.1",), (), "warning", {"form": "address", "names": "192.0.2.1"}),
        (("10 my_mx.shop.example",), (), "warning", {"names": "my_mx.shop.example"}),
        ((f"10 {MX1}", "20 my_mx.p.example"), (host(),), "notice", {"names": "my_mx.p.example"}),
        (("0 .", f"10 {MX1}"), (host(),), "notice", {"form": "null", "names": "."}),
    ],
)
def test_mx_records_must_name_hosts(mx, hosts, weight, facts):
    """What no look can be taken at is not passed over as if all were well."""
    finding = found("mx-no-host", without_sts(mx=answer(*mx), hosts=hosts))

    assert (weight, None, facts) == (finding.weight, finding.mx, finding.facts)


@pytest.mark.parametrize("mx", [("0 .",), ("10 .",), ("0 .", "10 .")])
def test_a_null_mx_is_one_by_any_preference(mx):
    """Senders look at its name alone."""
    there = without_sts(mx=answer(*mx), hosts=(), record=ABSENT)

    assert "null" == found("mx-missing", there).facts["form"]
    assert ("note", "no-mail") == (
        (missing := found("tlsrpt-missing", there)).weight,
        missing.facts["form"],
    )
    assert "mx-no-host" not in codes(there)


def test_mx_records_that_cannot_be_looked_up_are_told_once():
    """Trouble of DNS is no missing MX."""
    there = seen(mx=DEAD, hosts=())
    finding = found("mx-trouble", there)

    assert ["mx-trouble"] == codes(there)
    assert ("notice", None, {"error": "timed out"}) == (finding.weight, finding.mx, finding.facts)


def test_an_address_that_stands_in_for_an_mx_is_no_mx():
    """Its being an alias is nothing to mend in an MX record."""
    there = seen(
        mx=ABSENT,
        page=policy("enforce", DOMAIN),
        hosts=(host(DOMAIN, addresses=answer(IP, alias="web.example")),),
    )

    assert ["mx-missing"] == codes(there)


# ---------------------------------------------------------------------- probe


def test_a_host_that_shows_itself_well_is_left_alone():
    """STARTTLS, chain, name, date, version: all in order."""
    assert [] == codes(look("enforce", shown(), shown(IP6, protocol="TLSv1.2")))


@pytest.mark.parametrize("code", BAD)
@pytest.mark.parametrize(
    ("mode", "weight"),
    [("enforce", "critical"), ("testing", "warning"), ("none", "notice"), (None, "notice")],
)
def test_what_it_weighs_is_what_it_does_to_mail(code: str, mode: Any, weight: str):
    """Refused under enforce, delivered under testing, and hardly looked at without a policy."""
    there = look(mode, BAD[code])
    finding = found(code, there)

    assert [code] == of_probe(codes(there))
    assert (weight, MX1) == (finding.weight, finding.mx)
    assert (mode or "none") == finding.facts["mode"]
    assert IP == finding.facts["addresses"]
    assert iso(NOW) == finding.facts["at"]
    assert "dane" not in finding.facts


def test_a_policy_that_senders_remember_counts():
    """That it cannot be fetched today does not make them deliver."""
    there = look("enforce", EXPIRED, page=Page(kind="timeout"))
    before = sights.earlier(look("enforce", shown()))

    assert "critical" == found("mx-certificate-expired", there, before).weight
    assert "notice" == found("mx-certificate-expired", there).weight


@pytest.mark.parametrize(
    ("code", "key", "none", "enforce"),
    [
        # With 3 x x nobody asks for the date, the name, the chain.
        ("mx-certificate-expired", "3", "note", "critical"),
        ("mx-certificate-not-yet-valid", "3", "note", "critical"),
        ("mx-certificate-name", "3", "note", "critical"),
        ("mx-certificate-untrusted", "3", "note", "critical"),
        # With 2 x x for date and name; the chain need but lead to what is in DNS.
        ("mx-certificate-expired", "2", "critical", "critical"),
        ("mx-certificate-not-yet-valid", "2", "critical", "critical"),
        ("mx-certificate-name", "2", "critical", "critical"),
        ("mx-certificate-untrusted", "2", "note", "critical"),
        # Without TLS there is no mail with DANE, whatever the records.
        ("mx-no-starttls", "3", "critical", "critical"),
        ("mx-tls-handshake", "2", "critical", "critical"),
    ],
)
def test_dane_asks_for_other_things(code: str, key: str, none: str, enforce: str):
    """A self-signed certificate with TLSA 3 1 1 is right, and an expired one with 2 1 1 is not."""
    tlsa = f"{key} 1 1 {KEY}"

    assert none == found(code, look(None, BAD[code], tlsa=tlsa)).weight
    assert enforce == found(code, look("enforce", BAD[code], tlsa=tlsa)).weight
    refused = none == "critical"
    asked = "refused" if refused else ("key" if key == "3" else "chain")
    assert asked == found(code, look(None, BAD[code], tlsa=tlsa)).facts["dane"]


def test_dane_that_is_not_proven_asks_for_nothing():
    """Unsigned records lift no demand and make none."""
    one = host(shown=(EXPIRED,), tlsa=answer(f"3 1 1 {KEY}", secure=False))
    plain = host(shown=(PLAIN,), tlsa=answer(f"3 1 1 {KEY}", secure=None))
    sts = {"sts": ABSENT, "page": None}

    assert "notice" == found("mx-certificate-expired", with_host(one, **sts)).weight
    assert "notice" == found("mx-no-starttls", with_host(plain, **sts)).weight
    # RFC 7672, 2.2.2: where the addresses are not signed, nobody asks for TLSA records.
    there = {"addresses": answer(IP, secure=False), "tlsa": signed(f"3 1 1 {KEY}")}
    assert (
        "notice" == found("mx-no-starttls", with_host(host(shown=(PLAIN,), **there), **sts)).weight
    )


def test_with_usage_2_the_name_of_the_domain_will_do():
    """RFC 7672, 3.2.2 lets a certificate name the domain in place of the host."""
    own = shown(names_fit=False, chain=(certificate(names=(DOMAIN,)),))
    there = look(None, own, tlsa=f"2 1 1 {KEY}")

    assert "notice" == found("mx-certificate-name", there).weight
    assert "chain" == found("mx-certificate-name", there).facts["dane"]


@pytest.mark.parametrize("usage", ["3", "2"])
@pytest.mark.parametrize(
    "code", ["mx-certificate-expired", "mx-certificate-name", "mx-certificate-not-yet-valid"]
)
def test_a_key_that_does_not_fit_is_refused_for_that(code: str, usage: str):
    """The record is what is to be mended: the name and the date are not why senders refuse."""
    there = look(None, BAD[code], tlsa=f"{usage} 1 1 {OTHER_KEY}")

    assert ("notice", "mismatch") == (found(code, there).weight, found(code, there).facts["dane"])
    assert "critical" == found("dane-mismatch", there).weight
    assert "critical" == found(code, look("enforce", BAD[code], tlsa=f"3 1 1 {OTHER_KEY}")).weight


def test_a_name_is_refused_where_the_record_that_fits_asks_for_it():
    """2 x x compares the name; a 3 x x beside it that fits nothing changes nothing in that."""
    tlsa = signed(f"2 1 1 {KEY}", f"3 1 1 {OTHER_KEY}")
    one = host(shown=(MISNAMED,), tlsa=tlsa, addresses=signed(IP), record=answer(RIGHT))
    there = with_host(one, sts=ABSENT, page=None)

    assert "refused" == found("mx-certificate-name", there).facts["dane"]


@pytest.mark.parametrize(
    ("left", "is_told"), [(1, True), (14 * DAY, True), (14 * DAY + 1, False), (0, False)]
)
def test_a_certificate_near_its_end_is_told_a_fortnight_before(left: int, is_told: bool):
    """Time enough to mend a renewal that fails; from its end on it is expired, and not both."""
    there = look("enforce", shown(chain=(certificate(not_after=NOW + left),)))

    assert is_told == ("mx-certificate-expiring" in codes(there))
    assert (left <= 0) == ("mx-certificate-expired" in codes(there))
    if is_told:
        finding = found("mx-certificate-expiring", there)
        assert ("warning", iso(NOW + left)) == (finding.weight, finding.facts["not_after"])


@pytest.mark.parametrize(("ahead", "is_told"), [(-1, False), (0, False), (1, True)])
def test_a_certificate_is_valid_from_its_first_second_on(ahead: int, is_told: bool):
    """One that was issued a moment ago is no mistake."""
    there = look("enforce", shown(chain=(certificate(not_before=NOW + ahead),)))

    assert is_told == ("mx-certificate-not-yet-valid" in codes(there))


def test_how_long_before_can_be_chosen():
    """Who renews by hand wants to know earlier."""
    there = look("enforce", shown())

    assert ["mx-certificate-expiring"] == codes(there, expires_within=31 * DAY)


def test_an_end_that_nobody_looks_at_is_a_note():
    """With TLSA 3 x x and no MTA-STS policy a certificate may run out; with 2 x x it may not."""
    assert (
        "note" == found("mx-certificate-expiring", look(None, ENDING, tlsa=f"3 1 1 {KEY}")).weight
    )
    assert (
        "warning"
        == found("mx-certificate-expiring", look(None, ENDING, tlsa=f"2 1 1 {KEY}")).weight
    )
    assert "warning" == found("mx-certificate-expiring", look(None, ENDING)).weight
    assert (
        "warning"
        == found("mx-certificate-expiring", look("testing", ENDING, tlsa=f"3 1 1 {KEY}")).weight
    )


@pytest.mark.parametrize("protocol", ["SSLv3", "TLSv1", "TLSv1.1"])
def test_versions_that_senders_have_dropped_are_told(protocol: str):
    """To large senders such a host has no TLS."""
    finding = found("mx-old-tls", look("enforce", shown(protocol=protocol)))

    assert ("warning", protocol) == (finding.weight, finding.facts["protocol"])


@pytest.mark.parametrize("kind", ["refused", "unreachable", "timeout"])
def test_a_host_that_does_not_answer_is_told(kind: str):
    """One look from one place is no proof, so it is a notice."""
    finding = found("mx-unreachable", look("enforce", silent(kind, error="timed out")))

    assert ["mx-unreachable"] == codes(look("enforce", silent(kind)))
    assert ("notice", kind, "timed out") == (
        finding.weight,
        finding.facts["form"],
        finding.facts["error"],
    )


def test_the_addresses_that_are_wrong_are_named_and_those_that_are_right():
    """One finding a host, whatever its number of addresses: IPv6 is behind, IPv4 is not."""
    behind = shown(IP6, chain=(certificate(not_after=NOW - 2 * DAY),))
    there = look("enforce", EXPIRED, behind, shown("192.0.2.3"), silent("timeout", "192.0.2.4"))
    finding = found("mx-certificate-expired", there)

    assert f"{IP}, {IP6}" == finding.facts["addresses"]
    assert "192.0.2.3" == finding.facts["others"]
    assert iso(NOW - 2 * DAY) == finding.facts["not_after"]
    unreachable = found("mx-unreachable", there)
    assert ("192.0.2.4", f"{IP}, {IP6}, 192.0.2.3") == (
        unreachable.facts["addresses"],
        unreachable.facts["others"],
    )
    ending = found("mx-certificate-expiring", look("enforce", ENDING, behind, shown("192.0.2.3")))
    assert (IP, "192.0.2.3") == (ending.facts["addresses"], ending.facts["others"])


def test_what_a_certificate_says_is_passed_on():
    """Names, issuer and OpenSSL's reason are what an admin needs to see his mistake."""
    many = tuple(f"n{n}.example" for n in range(9))
    own = certificate(names=many, issuer="CN=Somebody", is_self_signed=True)
    there = look("enforce", shown(chain=(own,), names_fit=False, is_trusted=False, distrust="why"))
    facts = found("mx-certificate-untrusted", there).facts

    assert ", ".join(many[:5]) == facts["names"]
    assert ("CN=Somebody", "why", "self-signed") == (
        facts["issuer"],
        facts["distrust"],
        facts["form"],
    )
    nameless = shown(chain=(certificate(names=()),), names_fit=False)
    assert f"CN={MX1}" == found("mx-certificate-name", look("enforce", nameless)).facts["names"]


def test_whoever_runs_the_host_is_named():
    """At Microsoft 365 nobody but Microsoft renews; who runs the host himself is not sent there."""
    name = "shop.mail.protection.outlook.com"
    one = HostSeen(host=name, addresses=answer(IP), tlsa=ABSENT, shown=(EXPIRED,))
    facts = found("mx-certificate-expired", with_host(one)).facts

    assert "Microsoft 365" == facts["hosted"]
    assert facts["tell"].startswith("Microsoft")
    ours = found("mx-certificate-expired", with_host(one), is_our_mx=name.__eq__).facts
    assert not {"hosted", "tell"} & set(ours)
