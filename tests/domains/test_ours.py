"""Whose policy is it?"""

import pytest

from tlsrpt_mailer.domains.ours import Addresses, Ours, State, judge_record
from tlsrpt_mailer.domains.record import parse_record
from tlsrpt_mailer.report.model import Policy


def about(domain: str, kind: str = "sts", *mx: str) -> Policy:
    return Policy(kind, domain, mx_host=mx)


FOUND: dict[str, State] = {
    "adopted.example": "adopted",
    "waiting.example": "proposed",
    "other.example": "foreign",
}


@pytest.mark.parametrize(
    ("domain", "configured", "not_configured"),
    [
        ("example.com", "ours", "proposed"),
        ("a.b.shop.example", "ours", "proposed"),
        ("shop.example", "foreign", "proposed"),
        ("adopted.example", "ours", "ours"),
        ("waiting.example", "foreign", "proposed"),
        ("other.example", "foreign", "foreign"),
        ("", "foreign", "proposed"),
        ("no name", "foreign", "proposed"),
    ],
)
def test_ours_is_what_the_configuration_names_and_what_was_adopted(
    domain: str, configured: str, not_configured: str
):
    """With [[domains]] all else is foreign; without, what nobody knows waits for its record."""
    named = Ours(("example.com", "*.shop.example"), found_out=FOUND.get)
    unnamed = Ours(found_out=FOUND.get)

    assert configured == named.ownership(about(domain))
    assert not_configured == unnamed.ownership(about(domain))


def test_without_anything_known_a_domain_is_proposed():
    """The first report of a new installation waits for its look-up."""
    assert "proposed" == Ours().ownership(about("example.com"))
    assert not Ours().is_configured
    assert not Ours().names("example.com")


def test_every_domain_may_be_ours():
    """A star takes all, what is no name included."""
    everything = Ours(("*",))

    assert everything.names("x.example")
    assert "ours" == everything.ownership(about("")) == everything.ownership(about("no name"))


def test_a_dane_report_on_our_mx_is_ours():
    """DANE reports name the MX host, as the policy's domain or among its hosts."""
    ours = Ours(("example.com",), ("mx1.example.com", "*.mail.example.net"))

    assert "ours" == ours.ownership(about("mx1.example.com", "tlsa"))
    assert "ours" == ours.ownership(about("customer.example", "tlsa", "A.Mail.Example.net."))
    assert "foreign" == ours.ownership(about("mx1.example.com", "sts"))
    assert "foreign" == ours.ownership(about("customer.example", "sts", "mx1.example.com"))
    assert "foreign" == ours.ownership(about("customer.example", "tlsa", "mx.other.example", "?"))


def test_an_mx_host_is_ours_where_it_or_a_domain_above_it_is_named():
    """Of no other is the record ours to publish; while nothing is named, nothing says so."""
    ours = Ours(("example.com",), ("*.mail.example.net",))

    assert ours.owns_host("mx1.example.com")
    assert ours.owns_host("mx1.mail.example.net")
    assert not ours.owns_host("mx.hoster.example")
    assert Ours().owns_host("mx.hoster.example")


def test_ten_thousand_names_are_looked_up_as_ten_are():
    """No look-up walks the list: it asks for a name and the names above it, whatever there is."""
    asked: list[str] = []

    class Counting(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            asked.append(str(self))
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    ours = Ours(Counting(f"d{n}.example") for n in range(10_000))

    assert "ours" == ours.ownership(about("d9999.example"))
    assert "foreign" == ours.ownership(about("x.d9999.example"))
    assert len(asked) < 20


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("tlsrpt@example.com", True),
        ("TLSRPT+google@EXAMPLE.com", True),
        ("tlsrpt@example.com.", True),
        ("other@example.com", False),
        ("tlsrpt@sub.example.com", False),
        ("anybody@reports.example", True),
        ("x@xn--bcher-kva.example", True),
        ("tlsrpt", False),
        ("", False),
    ],
)
def test_addresses_are_compared_as_servers_do(address: str, is_ours: bool):
    """Case and +detail do not count, and "@" stands for all of a domain."""
    ours = Addresses(["Tlsrpt+x@Example.com", "@reports.example", "*@b\u00fccher.example"])

    assert is_ours == ours.match(address)
    assert ours
    assert not Addresses([])


@pytest.mark.parametrize(
    ("texts", "is_ours", "said"),
    [
        (
            [b"v=TLSRPTv1; rua=mailto:x@y.example,mailto:TLSRPT@example.com"],
            True,
            "its record sends reports to TLSRPT@example.com",
        ),
        (
            [b"v=TLSRPTv1; rua=mailto:x@y.example,https://z.example"],
            False,
            "its record sends reports to x@y.example and 1 more, which is not here",
        ),
        (
            [b"v=TLSRPTv1; rua=https://z.example/v1"],
            False,
            "its record sends reports to https://z.example/v1, which is not here",
        ),
        ([b"v=spf1 -all"], False, "no TLSRPT record: it publishes none"),
        (
            [b"v=TLSRPTv1; rua=mailto:tlsrpt@example.com"] * 2,
            False,
            "no TLSRPT record: 2 records begin with v=TLSRPTv1; only one may",
        ),
        (
            [b"v=TLSRPTv1; rua=tlsrpt@example.com"],
            False,
            'its record is wrong: "tlsrpt@example.com" has no mailto: in front',
        ),
    ],
)
def test_a_record_decides_and_says_why(texts: list[bytes], is_ours: bool, said: str):
    """Who looks at `domains` reads what keeps a domain from being taken for ours."""
    assert (is_ours, said) == judge_record(parse_record(texts), Addresses(["tlsrpt@example.com"]))
