"""What is found wrong with TLSA records, and with the DNSSEC below them."""

import msgspec
import pytest

from tests.domains import sights
from tests.domains.records import RIGHT
from tests.domains.sights import (
    BOGUS,
    DEAD,
    IP,
    IP6,
    KEY,
    MX1,
    MX2,
    NOW,
    OTHER_KEY,
    answer,
    certificate,
    codes,
    earlier,
    found,
    host,
    shown,
    signed,
    with_host,
)
from tlsrpt_mailer.domains.seen import HostSeen, Seen
from tlsrpt_mailer.report.times import DAY, iso

EE, OTHER = f"3 1 1 {KEY}", f"3 1 1 {OTHER_KEY}"
TA = f"2 1 1 {KEY}"


def dane(*values: str, secure: bool | None = True, **more: object) -> HostSeen:
    tlsa = answer(*values, secure=secure)
    return host(tlsa=tlsa, record=answer(RIGHT), **{"addresses": signed(IP), **more})


def look(*hosts: HostSeen, **more: object) -> Seen:
    mx = signed(*(f"10 {one.host}" for one in hosts))
    return msgspec.structs.replace(with_host(*hosts), **{"mx": mx, **more})


def test_dane_that_is_right_is_left_alone():
    """Signed, usable, fitting: nothing to tell."""
    assert [] == codes(look(dane(EE)))
    assert [] == codes(look(dane(EE, shown=(shown(), shown(IP6)))))
    assert [] == codes(look(dane(EE, OTHER, shown=(shown(),))))
    assert [] == codes(look(dane(TA, shown=(shown(),))))


# ------------------------------------------------------------------------ DNS


def test_where_nobody_validates_that_is_said_once():
    """The admin learns that his resolver cannot tell, not that his domain is wrong."""
    one = dane(EE, secure=None)
    both = look(one, msgspec.structs.replace(one, host=MX2))

    assert ["dane-unknown"] == codes(both)
    finding = found("dane-unknown", both)
    assert ("note", None, f"{MX1}, {MX2}") == (finding.weight, finding.mx, finding.facts["hosts"])


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (dane(EE, secure=False), "TLSA"),
        (dane(EE, addresses=answer(IP, secure=False)), "address"),
    ],
)
def test_records_without_signatures_are_told(one: HostSeen, what: str):
    """They look like protection and are none; what they name does not matter then."""
    finding = found("dane-insecure", look(one))

    assert ["dane-insecure"] == codes(look(one))
    assert ("notice", MX1, {"what": what}) == (finding.weight, finding.mx, finding.facts)
    wrong = msgspec.structs.replace(one, shown=(shown(chain=(certificate(key_sha256="x"),)),))
    assert ["dane-insecure"] == codes(look(wrong))


def test_mx_records_without_signatures_are_told_where_the_hosts_have_them():
    """Half of DANE is missing then."""
    finding = found("dane-mx-insecure", look(dane(EE), mx=answer(f"10 {MX1}", secure=False)))

    assert ("notice", None, MX1) == (finding.weight, finding.mx, finding.facts["hosts"])
    assert [] == codes(look(dane(EE), mx=answer(f"10 {MX1}", secure=None)))
    assert [] == codes(look(host(), mx=answer(f"10 {MX1}", secure=False)))


def test_records_on_some_hosts_only_are_told():
    """Whoever can disturb the way to the one gets the mail by the other."""
    finding = found("dane-partial", look(dane(EE), host(MX2)))

    assert ["dane-partial"] == codes(look(dane(EE), host(MX2)))
    assert ("notice", {"hosts": MX1, "others": MX2}) == (finding.weight, finding.facts)
    assert "dane-partial" not in codes(look(dane(EE), host(MX2, tlsa=DEAD)))


@pytest.mark.parametrize("value", [f"1 1 1 {KEY}", "3 1 1 abcd", "nonsense"])
def test_records_that_nobody_can_use_are_told(value: str):
    """Senders encrypt and check nothing; the record to publish is named where the key is known."""
    finding = found("dane-unusable", look(dane(value, shown=(shown(), shown(IP6)))))

    assert ["dane-unusable"] == codes(look(dane(value)))
    assert ("warning", MX1) == (finding.weight, finding.mx)
    assert finding.facts["wrong"]
    assert f"_25._tcp.{MX1}. IN TLSA {EE}" == finding.facts["line"]
    assert "line" not in found("dane-unusable", look(dane(value))).facts
    assert [] == codes(look(dane(value, EE)))
    assert ["dane-unknown"] == codes(look(dane(value, secure=None)))


def test_broken_dnssec_is_critical():
    """Mail waits at senders that do DANE, and at all that validate where the MX is broken."""
    mx = found("dane-bogus", look(dane(EE), mx=BOGUS))
    tlsa = found("dane-bogus", look(host(tlsa=BOGUS)))
    both = found("dane-bogus", look(host(tlsa=BOGUS, addresses=BOGUS)))

    assert ("critical", None, "MX") == (mx.weight, mx.mx, mx.facts["what"])
    assert ("critical", MX1, "TLSA") == (tlsa.weight, tlsa.mx, tlsa.facts["what"])
    assert "RRSIG has expired" == tlsa.facts["error"]
    assert "address and TLSA" == both.facts["what"]
    assert ["dane-bogus"] == codes(look(host(tlsa=BOGUS, addresses=BOGUS)))
    assert ["dane-bogus"] == codes(look(host(), mx=BOGUS))


@pytest.mark.parametrize(("secure", "weight"), [(True, "warning"), (None, "notice"), (False, None)])
def test_name_servers_that_do_not_answer_for_tlsa_are_told(secure: bool | None, weight: str | None):
    """Senders that do DANE must wait then; where addresses are not signed nobody asks."""
    there = look(host(tlsa=DEAD, addresses=answer(IP, secure=secure)))

    assert ([] if weight is None else ["dane-trouble"]) == codes(there)
    if weight is not None:
        assert weight == found("dane-trouble", there).weight


def test_records_that_are_gone_are_told_until_they_are_back():
    """Right, gone, back; with what stood there."""
    right, gone = look(dane(EE, OTHER)), look(host(addresses=signed(IP)))
    finding = found("dane-gone", earlier(gone), earlier(right, 2))

    assert ("warning", MX1) == (finding.weight, finding.mx)
    assert iso(NOW - 2 * DAY) == finding.facts["seen_right_until"]
    assert f"_25._tcp.{MX1}. IN TLSA {EE}\n_25._tcp.{MX1}. IN TLSA {OTHER}" == finding.facts["line"]
    assert ["dane-gone"] == codes(gone, earlier(right, 3), earlier(gone, 2))
    assert [] == codes(right, earlier(right, 2), earlier(gone))
    assert [] == codes(gone, earlier(gone))
    assert "dane-gone" not in codes(look(host(MX2)), earlier(right))


# ---------------------------------------------------------------------- probe


def test_a_key_that_no_record_names_is_critical():
    """The renewal changed the key: senders refuse the host, and the line that mends it is there."""
    renewed = shown(IP6, chain=(certificate(key_sha256=OTHER_KEY),))
    there = look(dane(EE, shown=(shown(), renewed)))
    finding = found("dane-mismatch", there)

    assert ["dane-mismatch"] == codes(there)
    assert ("critical", MX1) == (finding.weight, finding.mx)
    assert (IP6, EE) == (finding.facts["addresses"], finding.facts["tlsa"])
    assert f"_25._tcp.{MX1}. IN TLSA {OTHER}" == finding.facts["line"]
    assert [] == codes(look(dane(EE, OTHER, shown=(shown(), renewed))))


def test_where_nobody_validates_a_mismatch_is_a_warning():
    """Nobody knows whether senders refuse it, but the records are wrong for certain."""
    there = look(dane(OTHER, secure=None, shown=(shown(),)))
    finding = found("dane-mismatch", there)

    assert ["dane-mismatch", "dane-unknown"] == codes(there)
    assert ("warning", "unknown") == (finding.weight, finding.facts["form"])


def test_without_a_certificate_there_is_no_mismatch():
    """An address that did not answer is told as that."""
    there = look(dane(OTHER, shown=(sights.silent("timeout"),)))

    assert ["mx-unreachable"] == codes(there)


def test_a_ca_that_need_not_be_sent_is_no_mismatch():
    """With 2 x 0 the CA's certificate is in DNS, and the chain may end before it."""
    assert [] == codes(look(dane("2 0 0 3082", shown=(shown(),))))
    assert ["dane-mismatch"] == codes(look(dane("2 1 1 " + OTHER_KEY, shown=(shown(),))))


def test_a_provider_is_named():
    """A mismatch at somebody else's host is somebody else's to mend."""
    there = with_host(
        host("shop.x-v1.mx.microsoft", tlsa=signed(OTHER), addresses=signed(IP), shown=(shown(),))
    )

    facts = found("dane-mismatch", there).facts
    assert "Microsoft 365" == facts["hosted"]
    assert facts["tell"].startswith("Microsoft")
