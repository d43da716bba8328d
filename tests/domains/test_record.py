"""TLSRPT records as domains publish them (RFC 8460, 3)."""

import dns.rdata
import dns.zone
import pytest

from tests.domains.records import CASES, INVALID, OURS, RIGHT, Case
from tests.domains.sights import ABSENT, answer, codes, found, seen
from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.record import (
    MOST_KEPT,
    MOST_URIS,
    Record,
    is_meant,
    led_to,
    mended,
    parse_record,
    txt_line,
    wrong_places,
    zone_line,
)

every_record = pytest.mark.parametrize("case", CASES, ids=lambda one: " | ".join(one.texts)[:60])


@every_record
def test_each_record_is_judged_by_the_letter(case: Case):
    """What the grammar forbids, what senders may trip over, and nothing else, is named."""
    record = parse_record(case.texts)

    assert case.flaws == tuple("!" * one.is_fatal + one.code for one in record.flaws)
    assert case.codes == tuple(one for one in codes(_look(case)) if one.startswith("tlsrpt-"))


@every_record
def test_each_mistake_can_be_mended_by_pasting(case: Case):
    """What is to be published is right, keeps what could be used, leads to us and mends all."""
    text = mended(case.texts, [OURS])

    assert case.mend == text == mended(case.texts[::-1], [OURS])
    assert () == parse_record([text]).flaws
    assert [] == [one for one in codes(seen(record=answer(text))) if one.startswith("tlsrpt-")]
    for code in case.codes:
        facts = found(code, _look(case)).facts
        assert (text, zone_line("shop.example", text)) == (facts["record"], facts["line"])


def _look(case: Case):
    return seen(record=answer(*case.texts) if case.texts else ABSENT)


def test_the_table_is_large_enough_to_mean_something():
    """Right and wrong, each once."""
    assert len(CASES) >= 60
    assert len(CASES) == len({case.texts for case in CASES})
    assert 40 < sum(case.codes == INVALID for case in CASES)


# ------------------------------------------------------------------------ read


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        (b"v=TLSRPTv1; rua=mailto:tlsrpt@example.com", ["tlsrpt@example.com"]),
        (b"v=TLSRPTv1; ext=x; rua=https://a.example/v1,mailto:a@b.example", ["a@b.example"]),
        (b"v=TLSRPTv1; rua=mailto:a%2Bb@b.example?subject=x@y.example", ["a+b@b.example"]),
        (b"v=TLSRPTv1; rua=mailto:a%21x@b.example", ["a!x@b.example"]),
    ],
)
def test_a_record_says_where_reports_go(text: bytes, addresses: list[str]):
    """Addresses are found as the RFC writes them, whatever else stands beside them."""
    record = parse_record([text])

    assert record.is_valid
    assert () == record.problems
    assert text.decode() == record.text
    assert addresses == list(record.addresses)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        (b"v=TLSRPTv1 ; rua=mailto:a@example.com , MAILTO:b@Example.COM. ", 2),
        (b"v=TLSRPTv1; rua=mailto:a@example.com; rua=mailto:b@example.com,mailto:a@example.com", 2),
        (b"v=TLSRPTv1;; word; rua=mailto:a@example.com!10m,b@example.com", 1),
        ("v=TLSRPTv1; rua=mailto:a@b\u00fccher.example".encode(), 1),
        (b"v=TLSRPTv1; rua=mailto:@b.example,mailto:x", 0),
    ],
)
def test_what_is_wrong_hides_no_address_that_can_be_read(text: bytes, addresses: int):
    """Whose a domain is can be told from a record with slips in it; each address counts once."""
    record = parse_record([text])

    assert addresses == len(record.addresses)
    assert all(one.islower() for one in record.addresses)
    assert record.problems


def test_there_must_be_exactly_one():
    """Other TXT records do not matter; of two TLSRPT records neither holds."""
    good, spf = b"v=TLSRPTv1; rua=mailto:a@b.example", b"v=spf1 -all"

    assert ("a@b.example",) == parse_record([spf, good]).addresses
    assert Record(None) == parse_record([spf]) == parse_record([])
    both = parse_record([good, spf, good])
    assert (None, (), False) == (both.text, both.addresses, both.is_valid)
    assert ("2 records begin with v=TLSRPTv1; only one may",) == both.problems


def test_problems_are_said_in_words():
    """Whoever reads them sees the text in question, whatever it is, cut to a line."""
    long = parse_record([f"v=TLSRPTv1; rua={'a' * 500}@b.example"])
    braces = parse_record(["v=TLSRPTv1; {text}; rua={count}"])

    assert (f'"{"a" * 60}" has no mailto: in front',) == long.problems
    assert ('"{text}" is no field', '"{count}" has no mailto: in front') == braces.problems


def test_a_list_without_end_is_cut():
    """Nobody makes us compare thousands of addresses, or read thousands of problems."""
    many = ",".join(f"mailto:a{n}@b.example" for n in range(2_000))
    record = parse_record([f"v=TLSRPTv1; rua={many}".encode()])
    broken = parse_record([";".join(["v=TLSRPTv1", *(f"x{n}" for n in range(2_000))])])

    assert MOST_URIS == len(record.rua)
    assert ("many",) == tuple(flaw.code for flaw in record.flaws)
    assert 20 == len(broken.flaws)


def test_bytes_that_are_no_text_do_no_harm():
    """DNS carries any byte."""
    assert None is parse_record([bytes(range(256))]).text
    assert parse_record([b"v=TLSRPTv1; rua=mailto:\xff@\xfe.example"]).addresses
    assert RIGHT == mended([b"v=TLSRPTv1; rua=mailto:\xff@x.example"], [OURS])


# --------------------------------------------------------------------- publish


def test_our_address_counts_with_detail_and_in_any_case():
    """Nobody is told to add an address that is there already."""
    record = parse_record(["v=TLSRPTv1; rua=mailto:a@b.example,mailto:TLSRPT+shop@Example.com"])

    assert "TLSRPT+shop@example.com" == led_to(record, Addresses(["tlsrpt@example.com"]))
    assert None is led_to(record, Addresses(["other@example.com"]))
    assert record.text.replace("Example", "example") == mended(record, [OURS])


def test_a_destination_on_the_web_can_be_ours():
    """Reports by HTTPS need no mail address of ours beside."""
    text = "v=TLSRPTv1; rua=https://r.example.com/v1"

    assert text == mended([text], ["https://r.example.com/v1"])
    assert f"{text},{OURS}" == mended([text], [OURS])


def test_where_all_of_a_domain_is_ours_any_address_of_it_will_do():
    """What the sources take in counts, not only what checks.rua names."""
    text = "v=TLSRPTv1; rua=mailto:shop@example.com"

    assert f"{text},{OURS}" == mended([text], [OURS])
    assert text == mended([text], [OURS], Addresses(["@example.com"]))


def test_without_an_address_of_ours_and_of_theirs_there_is_nothing_to_publish():
    """An empty record is worse than none."""
    assert "" == mended([], [])
    assert "" == mended(["v=TLSRPTv1; rua=ftp://x"], ["not an address"])
    assert "v=TLSRPTv1; rua=mailto:a@b.example" == mended(["rua=a@b.example"], [])


def test_a_mended_record_has_room_for_us():
    """However many addresses there are, ours is among those that are looked at."""
    many = ",".join(f"mailto:a{n}@b.example" for n in range(80))
    fields = "".join(f"; x{n}=1" for n in range(20))
    record = parse_record([mended([f"v=TLSRPTv1; rua={many}{fields}"], [OURS])])

    assert () == record.flaws
    assert MOST_URIS == len(record.rua)
    assert OURS == record.rua[-1]
    assert MOST_KEPT == record.text.count("; x")


@pytest.mark.parametrize(
    "rua",
    [
        "mailto:a@one.example:25:x",
        "mailto:" + "a" * 65 + "@one.example",
        "mailto:a b@one",
        "mailto:a%20b@one.example",
        "mailto:a@" + "b." * 130 + "example",
        "https://user@host.example/",
        "https://r.example/" + "a" * 500,
        "https://-.example/",
        "localhost:a@one.example",
        "mailto:" + "%41" * 40 + "%2c" * 64 + "@one.example",
    ],
)
def test_what_nobody_can_tell_is_not_kept(rua: str):
    """A destination that may be wrong is left out, and not guessed at."""
    assert RIGHT == mended([f"v=TLSRPTv1; rua={rua}"], [OURS])


def test_a_web_address_is_written_so_that_nothing_can_be_read_into_it():
    """Quotes, dollars and backticks are encoded, also where the RFC would let them stand."""
    text = mended(["v=TLSRPTv1; rua=https://r.example/$(id)'`%zz#x"], [])

    assert "v=TLSRPTv1; rua=https://r.example/%24%28id%29%27%60%25zz" == text


@pytest.mark.parametrize("domain", ["shop.example", "a" * 60 + ".example"])
def test_the_names_of_mistakes_are_few_and_can_be_asked_for(domain: str):
    """A check asks for no more than eight, and for none that DNS cannot have."""
    names = wrong_places(domain)

    assert f"_tls.{domain}" in names
    assert domain in names
    assert f"_smtp._tls.{domain}" not in names
    assert len(names) <= 8
    assert len(names) == len(set(names))
    assert 7 == len(wrong_places("a." * 70 + "example"))


def test_what_was_meant_as_a_record_is_known_as_such():
    """At a wrong name there may be any TXT record; only these are told."""
    assert is_meant(RIGHT)
    assert is_meant("v=TLSRPTv1 ; rua=")
    assert is_meant("v=TSLRPTv1; rua=mailto:a@b.example")
    assert not is_meant("v=spf1 -all")
    assert not is_meant("v=DMARC1; rua=mailto:a@b.example")


@pytest.mark.parametrize("text", [RIGHT, "x" * 255, "x" * 256, "\u00fc" * 300, 'a"b\\c; (d)\t', ""])
def test_a_zone_line_says_what_was_to_be_published(text: str):
    """A name server that reads it gives out that very text, whatever is in it."""
    line = zone_line("shop.example", text, ttl=300)
    zone = dns.zone.from_text(
        f"@ 60 IN SOA a. b. 1 1 1 1 1\n@ 60 IN NS a.\n{line}", "shop.example.", relativize=False
    )

    found_ = zone.get_rdataset("_smtp._tls.shop.example.", "TXT")
    assert line.isascii()
    assert 300 == found_.ttl
    assert text.encode() == b"".join(found_[0].strings)
    assert all(len(string) <= 255 for string in found_[0].strings)


def test_a_zone_line_is_plain_where_it_can_be():
    """It looks as a person would write it."""
    assert f'_smtp._tls.shop.example. IN TXT "{RIGHT}"' == zone_line("shop.example", RIGHT)
    assert 'x.example. IN TXT "a"' == txt_line("x.example", "a")
