"""What a look could not tell neither goes on nor ends by it."""

import pytest

from tests.domains.looks import answer, host, seen
from tlsrpt_mailer.domains.blind import is_blind, last_sight
from tlsrpt_mailer.domains.drift import Known
from tlsrpt_mailer.domains.seen import Answer, Page, Seen, Shown

DARK = Answer("trouble", error="no answer in time")
OURS = Answer("trouble", error="no name server answers", is_ours=True)
BOGUS = Answer("trouble", error="SERVFAIL", is_bogus=True)
MX1, GONE = "mx1.example.com", "mx9.example.com"
TLSA = answer("3 1 1 " + "ab" * 32, secure=True)
STS = answer("v=STSv1; id=1;")
SHOWN = (Shown(ip="192.0.2.1", at=1, kind="tls"),)
UNREACHED = (Shown(ip="192.0.2.1", at=1, kind="timeout"),)
PAGE = Page(kind="found", text="x")
NO_PAGE = Page(kind="timeout", error="no answer")


@pytest.mark.parametrize(
    ("look", "code", "mx", "blind"),
    [
        # The record of the domain.
        (seen(), "tlsrpt-gone", None, False),
        (seen(record=DARK), "tlsrpt-gone", None, True),
        (seen(record=DARK), "tlsrpt-trouble", None, False),
        (seen(record=OURS), "tlsrpt-trouble", None, True),
        (seen(hosts=(host(tlsa=OURS),)), "mx-trouble", MX1, True),
        (seen(rua_hosts=(("a.example", DARK),)), "tlsrpt-rua-unreachable", None, True),
        (seen(rua_hosts=(("a.example", DARK),)), "tlsrpt-elsewhere", None, False),
        # The record of an MX host.
        (seen(hosts=(host(tlsa=TLSA, record=DARK),)), "tlsrpt-missing", MX1, True),
        (seen(hosts=(host(tlsa=TLSA, record=answer("x")),)), "tlsrpt-missing", MX1, False),
        (seen(hosts=(host(tlsa=DARK),)), "tlsrpt-missing", MX1, True),
        (seen(hosts=(host(),)), "tlsrpt-missing", MX1, False),
        (seen(), "tlsrpt-missing", GONE, False),
        (seen(mx=DARK, hosts=()), "tlsrpt-missing", MX1, True),
        # MTA-STS.
        (seen(), "mta-sts-gone", None, False),
        (seen(sts=DARK), "mta-sts-gone", None, True),
        (seen(sts=DARK), "mta-sts-uncovered-mx", MX1, True),
        (seen(sts=STS, page=NO_PAGE), "mta-sts-policy-unreachable", None, False),
        (seen(sts=STS, page=NO_PAGE), "mta-sts-record-invalid", None, False),
        (seen(sts=STS, page=NO_PAGE), "mta-sts-policy-invalid", None, True),
        (seen(sts=STS, page=NO_PAGE), "mta-sts-uncovered-mx", MX1, True),
        (seen(sts=STS, page=PAGE), "mta-sts-uncovered-mx", MX1, False),
        (seen(sts=STS, page=PAGE, mx=DARK), "mta-sts-uncovered-mx", MX1, True),
        (seen(sts=STS, page=PAGE, mx=DARK), "mta-sts-id-unchanged", None, False),
        (seen(), "mta-sts-policy-invalid", None, False),
        # DANE.
        (seen(), "dane-unusable", MX1, False),
        (seen(hosts=(host(tlsa=DARK),)), "dane-unusable", MX1, True),
        (seen(hosts=(host(tlsa=BOGUS),)), "dane-bogus", MX1, False),
        (seen(hosts=(host(tlsa=DARK),)), "dane-partial", None, True),
        (seen(hosts=(host(tlsa=BOGUS),)), "dane-partial", None, False),
        (seen(mx=DARK, hosts=()), "dane-partial", None, True),
        (seen(hosts=(host(tlsa=TLSA, shown=SHOWN),)), "dane-mismatch", MX1, False),
        (seen(hosts=(host(tlsa=TLSA, shown=UNREACHED),)), "dane-mismatch", MX1, True),
        (seen(hosts=(host(tlsa=DARK, shown=SHOWN),)), "dane-mismatch", MX1, True),
        # MX hosts.
        (seen(), "mx-missing", None, False),
        (seen(mx=DARK), "mx-missing", None, True),
        (seen(), "mx-no-address", MX1, False),
        (seen(hosts=(host(addresses=DARK),)), "mx-no-address", MX1, True),
        (seen(hosts=(host(shown=SHOWN),)), "mx-certificate-expired", MX1, False),
        (seen(hosts=(host(),)), "mx-certificate-expired", MX1, True),
        (seen(), "mx-certificate-expired", GONE, False),
        (seen(mx=DARK, hosts=()), "mx-certificate-expired", MX1, True),
    ],
)
def test_who_cannot_see_says_nothing(look: Seen, code: str, mx: str | None, blind: bool) -> None:
    """A finding ends when a look saw that it is gone, not when a look could not see."""
    assert blind == is_blind(look, code, mx)


# ------------------------------------------------------------------ looks before

LAST = 900


def known(kind: str, at: int, about: str = "", value: str = "x") -> Known:
    return Known(kind, about, value, 1, at)


PAST = (
    known("mx", 800),
    known("tlsrpt", 700),
    known("sts", 600),
    known("policy", 500),
    known("tlsa", 400, MX1),
    known("certificate", 300, f"{MX1} 192.0.2.1"),
    known("certificate", 350, f"{MX1} 2001:db8::1"),
    known("certificate", 850, f"{MX1}.other 192.0.2.1"),
)


@pytest.mark.parametrize(
    ("code", "mx", "at"),
    [
        ("tlsrpt-trouble", None, LAST),
        ("mx-trouble", MX1, LAST),
        ("tlsrpt-gone", None, 700),
        ("tlsrpt-missing", MX1, 400),
        ("mta-sts-gone", None, 600),
        ("mta-sts-record-invalid", None, 600),
        ("mta-sts-policy-status", None, 500),
        ("mta-sts-uncovered-mx", MX1, 500),
        ("dane-partial", None, 800),
        ("mx-missing", None, 800),
        ("dane-gone", MX1, 400),
        ("mx-no-address", MX1, 400),
        ("mx-certificate-expired", MX1, 350),
        ("mx-no-starttls", MX1, 350),
        ("dane-mismatch", MX1, 350),
        ("mx-certificate-expired", GONE, None),
        ("dane-mismatch", GONE, None),
        ("mx-no-address", GONE, None),
    ],
)
def test_a_sight_is_a_look_that_saw_the_thing(code: str, mx: str | None, at: int | None) -> None:
    """Nobody is told that it was well at a look that did not look there."""
    assert at == last_sight(PAST, code, mx, LAST)


def test_without_a_record_nothing_is_wrong_with_the_policy() -> None:
    """The look that found none announced is the one before it was wrong."""
    none = (known("sts", 600, value=""), known("policy", 500))

    assert 600 == last_sight(none, "mta-sts-policy-status", None, LAST)
    assert last_sight((), "mta-sts-policy-status", None, LAST) is None
    assert last_sight((known("sts", 600),), "mta-sts-uncovered-mx", MX1, LAST) is None
