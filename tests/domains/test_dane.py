"""TLSA records and the certificates that they name (RFC 6698, RFC 7672)."""

import hashlib

import dns.zone
import pytest
from trustme import CA

from tests.domains import sights
from tests.domains.certificates import der, described, issued, key_of, self_signed
from tlsrpt_mailer.domains.dane import Tlsa, fits, flaw_of, matching, parse_tlsa, tlsa_line, usable

LEAF, ISSUER = issued(CA(), "mx1.shop.example")
STRANGER = self_signed("mx1.shop.example")
CHAIN = (described(LEAF), described(ISSUER))
NOW = CHAIN[0].not_before + 1


def tlsa(usage: int, selector: int, matching_: int, of=LEAF) -> Tlsa:
    data = key_of(of) if selector else der(of)
    hashed = {
        0: data.hex,
        1: hashlib.sha256(data).hexdigest,
        2: hashlib.sha512(data).hexdigest,
    }[matching_]()
    return Tlsa(usage, selector, matching_, hashed)


@pytest.mark.parametrize(
    ("value", "flaw"),
    [
        (f"3 1 1 {'ab' * 32}", None),
        (f"3 0 2 {'ab' * 64}", None),
        (f"2 0 1 {'ab' * 32}", None),
        ("2 1 0 3059", None),
        (f"1 1 1 {'ab' * 32}", "tlsa-usage"),
        (f"0 0 1 {'ab' * 32}", "tlsa-usage"),
        (f"4 1 1 {'ab' * 32}", "tlsa-usage"),
        (f"255 1 1 {'ab' * 32}", "tlsa-usage"),
        (f"3 2 1 {'ab' * 32}", "tlsa-selector"),
        (f"3 1 3 {'ab' * 32}", "tlsa-matching"),
        (f"3 1 1 {'ab' * 31}", "tlsa-length"),
        (f"3 1 2 {'ab' * 32}", "tlsa-length"),
        (f"3 1 1 {'ab' * 64}", "tlsa-length"),
        ("3 1 1 abc", "tlsa-broken"),
        ("3 1 1 zz", "tlsa-broken"),
        ("3 1 1", "tlsa-broken"),
        ("3 1 0 ", "tlsa-broken"),
        ("\u0663 1 1 ab", "tlsa-broken"),
        ("", "tlsa-broken"),
    ],
)
def test_which_records_senders_can_use(value: str, flaw: str | None):
    """Usages 2 and 3 alone are for SMTP, and a hash must have its length (RFC 7672, 3.1)."""
    found = flaw_of(value)

    assert flaw == (None if found is None else found.code)
    assert found is None or found.words
    assert (found is None) == (usable([value]) == (parse_tlsa(value),))


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching_", [0, 1, 2])
def test_each_way_to_name_a_certificate_finds_it(selector: int, matching_: int):
    """Whole, or by a hash; the certificate, or its key; of the server, or of the CA."""
    for usage, of, place in ((3, LEAF, 0), (2, LEAF, 0), (2, ISSUER, 1)):
        record = tlsa(usage, selector, matching_, of)

        assert record == parse_tlsa(record.text)
        assert place == matching(record, CHAIN)
    assert None is matching(tlsa(3, selector, matching_, STRANGER), CHAIN)
    assert None is matching(tlsa(2, selector, matching_, STRANGER), CHAIN)
    # Usage 3 names the server's own certificate and no other.
    assert None is matching(tlsa(3, selector, matching_, ISSUER), CHAIN)
    assert None is matching(tlsa(3, selector, matching_), ())


def test_the_key_is_enough_for_usage_3():
    """Names, dates and chains do not matter there: an admin is not told to renew for DANE."""
    shown = sights.shown(chain=CHAIN)

    assert fits([tlsa(3, 1, 1)], shown, names_fit=False, now=CHAIN[0].not_after + 1)
    assert fits([tlsa(3, 1, 1, STRANGER), tlsa(3, 1, 1)], shown, names_fit=True, now=NOW)
    assert False is fits([tlsa(3, 1, 1, STRANGER)], shown, names_fit=True, now=NOW)
    assert False is fits([], shown, names_fit=True, now=NOW)


def test_usage_2_asks_for_names_and_dates():
    """A certificate of the right CA is refused when it is over, or made out to another name."""
    shown, record = sights.shown(chain=CHAIN), tlsa(2, 0, 1, ISSUER)

    assert fits([record], shown, names_fit=True, now=NOW)
    assert False is fits([record], shown, names_fit=False, now=NOW)
    assert False is fits([record], shown, names_fit=True, now=CHAIN[0].not_after)
    assert False is fits([record], shown, names_fit=True, now=CHAIN[0].not_before - 1)
    assert fits([record, tlsa(3, 1, 1)], shown, names_fit=False, now=NOW)


def test_a_ca_that_stands_in_dns_as_a_whole_need_not_be_sent():
    """With 2 0 0 a chain may end before the CA, so nobody is told that it does not fit."""
    alone = sights.shown(chain=CHAIN[:1])

    assert None is fits([tlsa(2, 0, 0, ISSUER)], alone, names_fit=True, now=NOW)
    assert False is fits([tlsa(2, 0, 0, ISSUER)], alone, names_fit=False, now=NOW)
    assert fits([tlsa(2, 0, 0, ISSUER), tlsa(3, 1, 1)], alone, names_fit=True, now=NOW)


def test_the_line_that_is_proposed_names_the_key():
    """A name server that reads it gives out a record that fits what the host shows."""
    line = tlsa_line("mx1.shop.example", CHAIN[0].key_sha256)
    zone = dns.zone.from_text(
        f"@ 60 IN SOA a. b. 1 1 1 1 1\n@ 60 IN NS a.\n{line.replace('IN', '60 IN')}",
        "shop.example.",
        relativize=False,
    )

    (record,) = zone.get_rdataset("_25._tcp.mx1.shop.example.", "TLSA")
    made = Tlsa(record.usage, record.selector, record.mtype, record.cert.hex())
    assert tlsa(3, 1, 1) == made
    assert 0 == matching(made, CHAIN)
