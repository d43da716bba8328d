"""TLSRPT records as domains publish them (RFC 8460, 3)."""

import pytest

from tlsrpt_mailer.domains.record import MOST_URIS, Record, parse_record


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        (b"v=TLSRPTv1; rua=mailto:tlsrpt@example.com", ["tlsrpt@example.com"]),
        (b"v=TLSRPTv1;rua=mailto:tlsrpt@example.com;", ["tlsrpt@example.com"]),
        (b"v=TLSRPTv1 ; rua=mailto:a@example.com , MAILTO:b@Example.COM. ", None),
        (b"v=TLSRPTv1; ext=x; rua=https://a.example/v1,mailto:a@b.example", ["a@b.example"]),
        (b"v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example", None),
        (b"v=TLSRPTv1; rua=mailto:a%2Bb@b.example?subject=x@y.example", ["a+b@b.example"]),
        (b"v=TLSRPTv1; rua=mailto:a%21x@b.example", ["a!x@b.example"]),
        ("v=TLSRPTv1; rua=mailto:a@b\u00fccher.example".encode(), ["a@xn--bcher-kva.example"]),
    ],
)
def test_a_record_says_where_reports_go(text: bytes, addresses: list[str] | None):
    """Addresses are found as the RFC writes them, whatever else stands beside them."""
    record = parse_record([text])

    assert () == record.problems
    assert text.decode() == record.text
    if addresses is not None:
        assert addresses == list(record.addresses)


def test_all_addresses_of_a_list_and_of_all_fields_count():
    """Blanks, a dot at the end and capitals change nothing; each address stands there once."""
    spaced = parse_record([b"v=TLSRPTv1 ; rua=mailto:a@example.com , MAILTO:b@Example.COM. "])
    twice = parse_record([b"v=TLSRPTv1; rua=mailto:a@b.x; rua=mailto:c@d.x,mailto:a@b.x"])

    assert ("a@example.com", "b@example.com") == spaced.addresses
    assert ("a@b.x", "c@d.x") == twice.addresses


@pytest.mark.parametrize(
    ("text", "addresses", "problem"),
    [
        (b"v=TLSRPTv1", (), "it names no address in rua="),
        (b"v=TLSRPTv1; rua=", (), "it names no address in rua="),
        (b"v=TLSRPTv1; rua=mailto:a@b.example,", ("a@b.example",), "a comma too many in rua="),
        (b"v=TLSRPTv1;; rua=mailto:a@b.example", ("a@b.example",), "an empty field"),
        (b"v=TLSRPTv1; word; rua=mailto:a@b.example", ("a@b.example",), '"word" is no field'),
        (b"v=TLSRPTv1; RUA=mailto:a@b.example", (), '"RUA=" is written "rua="'),
        (b"v=TLSRPTv1; rua=a@b.example", (), '"a@b.example" has no mailto: in front'),
        (b"v=TLSRPTv1; rua=ftp://x", (), '"ftp://x" is neither mailto: nor https:'),
        (b"v=TLSRPTv1; rua=mailto:a@b.example!10m", ("a@b.example",), "ends in a size"),
        (b"v=TLSRPTv1; rua=mailto:@b.example,mailto:x", (), None),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_is_read(
    text: bytes, addresses: tuple[str, ...], problem: str | None
):
    """A slip hides no address that can be read beside it."""
    record = parse_record([text])

    assert addresses == record.addresses
    assert problem is None or any(problem in one for one in record.problems)


def test_there_must_be_exactly_one():
    """Other TXT records do not matter; of two TLSRPT records neither holds."""
    good, spf = b"v=TLSRPTv1; rua=mailto:a@b.example", b"v=spf1 -all"

    assert ("a@b.example",) == parse_record([spf, good]).addresses
    assert Record(None) == parse_record([spf]) == parse_record([])
    both = parse_record([good, spf, good])
    assert (None, ()) == (both.text, both.addresses)
    assert "2 records begin with v=TLSRPTv1" in both.problems[0]


@pytest.mark.parametrize(
    "text",
    [
        rb"v=TLSRPTv1\; rua=mailto:a@b.example",
        b"V=TLSRPTV1; rua=mailto:a@b.example",
        b"v=TLSRPTv10; rua=mailto:a@b.example",
        b" v=TLSRPTv1; rua=mailto:a@b.example",
    ],
)
def test_what_nearly_is_a_record_is_named(text: bytes):
    """Senders pass over it, so it is none; its admin is told why."""
    record = parse_record([text])

    assert (None, ()) == (record.text, record.addresses)
    assert 'does not begin with "v=TLSRPTv1;"' in record.problems[0]


def test_a_list_without_end_is_cut():
    """Nobody makes us compare thousands of addresses."""
    many = ",".join(f"mailto:a{n}@b.example" for n in range(2_000))
    record = parse_record([f"v=TLSRPTv1; rua={many}".encode()])

    assert MOST_URIS == len(record.rua)
    assert record.problems


def test_bytes_that_are_no_text_do_no_harm():
    """DNS carries any byte."""
    assert None is parse_record([bytes(range(256))]).text
    assert parse_record([b"v=TLSRPTv1; rua=mailto:\xff@\xfe.example"]).addresses
