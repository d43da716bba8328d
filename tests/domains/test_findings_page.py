"""docs/explanation/findings.md says of every finding what it weighs, and nothing that is not so."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import msgspec
import pytest
from hypothesis import given

from tests.domains import hostile
from tests.domains.records import RIGHT
from tests.domains.sights import (
    ABSENT,
    BOGUS,
    DEAD,
    IP6,
    KEY,
    MX1,
    MX2,
    NOW,
    OTHER_KEY,
    STS,
    answer,
    certificate,
    earlier,
    findings,
    host,
    page,
    policy,
    seen,
    shown,
    signed,
    silent,
    with_host,
)
from tlsrpt_mailer.alerts import found as texts
from tlsrpt_mailer.domains.examine import Expected, examine
from tlsrpt_mailer.domains.finding import WEIGHTS
from tlsrpt_mailer.domains.seen import Page, Seen
from tlsrpt_mailer.failures.findings import CLOSE_AFTER, GRACE, UNSEEN
from tlsrpt_mailer.failures.probed import _SAME, BLOCKED
from tlsrpt_mailer.flows.acting import LOOK_SOON
from tlsrpt_mailer.flows.checking import SURE, WATCHED
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE

PAGE = (Path(__file__).parents[2] / "docs/explanation/findings.md").read_text()
ROW = re.compile(r"^\| `([a-z-]+)` \| ([a-z, ]+) \| ", re.M)
WEIGHED = {
    code: set(named.split(", ")) for code, named in ROW.findall(PAGE[PAGE.index("### All codes") :])
}
"""By code: the severities that the page names."""
FOREIGN = "v=TLSRPTv1; rua=mailto:x@vendor.example"
LOST = "v=TLSRPTv1; rua=mailto:x@nowhere.example,mailto:tlsrpt@example.com"
OURS_LOST = "v=TLSRPTv1; rua=mailto:tlsrpt@example.com"


def test_the_table_has_every_finding_that_there_are_words_for():
    """Whoever sees a code in a mail finds it on the page, and nothing that was taken out."""
    assert [*texts.known_codes()] == [*WEIGHED]
    assert {*WEIGHTS} == set.union(*WEIGHED.values())


# --------------------------------------------------------------- every severity


def records() -> Iterator[Seen]:
    """TLSRPT records of the domain and of an MX host, right, wrong and in trouble."""
    there = (
        answer(RIGHT),
        ABSENT,
        DEAD,
        BOGUS,
        answer("v=TSLRPTv1; rua=mailto:tlsrpt@example.com"),
        answer(RIGHT, FOREIGN),
        answer(FOREIGN),
        answer("v=TLSRPTv1 ; rua=mailto:tlsrpt@example.com"),
    )
    for one in there:
        yield seen(record=one)
        yield with_host(host(tlsa=signed(f"3 1 1 {KEY}"), record=one))
        yield with_host(host("mx.others.example", tlsa=signed(f"3 1 1 {KEY}"), record=one))
    yield seen(record=ABSENT, elsewhere=(("_tls.shop.example", RIGHT),))
    yield seen(record=ABSENT, mx=answer("0 ."), hosts=())
    yield seen(record=answer(LOST), rua_hosts=(("nowhere.example", ABSENT),))
    yield seen(record=answer(OURS_LOST), rua_hosts=(("example.com", ABSENT),))


def policies() -> Iterator[Seen]:
    """MTA-STS records and policies."""
    for one in (ABSENT, DEAD, answer("v=STSv1; id=;"), answer(STS, STS.upper()), answer(STS, STS)):
        yield seen(sts=one, page=policy() if one.kind == "found" else None)
    yield seen(sts=msgspec.structs.replace(answer(STS), values=(STS, "v=STSv1; id=2;")))
    yield seen(sts=answer("v=STSv1 ; id=20260101T000000;"))
    kinds = ("dns", "unreachable", "timeout", "certificate", "status", "redirect", "too-large")
    for kind in kinds:
        yield seen(page=Page(kind=kind))
    yield seen(page=page(policy().text, "text/html"))
    yield seen(page=page("version: STSv1\n"))
    yield seen(page=page(policy().text.replace("mode:", "\nmode:")))
    for mode, age in product(("enforce", "testing", "none"), (60, 2 * DAY, 9 * DAY)):
        yield seen(page=policy(mode, MX1, max_age=age))


def dane() -> Iterator[Seen]:
    """TLSA records, and what DNSSEC says of them."""
    fits, other, unfit = f"3 1 1 {KEY}", f"3 1 1 {OTHER_KEY}", "1 1 1 ab"
    for make, record in product((answer, signed), (fits, other, unfit)):
        for addresses in (answer("192.0.2.1"), answer("192.0.2.1", secure=False)):
            yield with_host(host(tlsa=make(record), addresses=addresses, shown=(shown(),)))
    yield with_host(host(tlsa=answer(fits, secure=False)))
    yield seen(hosts=(host(tlsa=signed(fits)), host(MX2)))
    yield seen(hosts=(host(tlsa=signed(fits)),), mx=answer(f"10 {MX1}", secure=False))
    for secure in (True, None, False):
        yield with_host(host(tlsa=DEAD, addresses=answer("192.0.2.1", secure=secure)))
    yield with_host(host(tlsa=BOGUS))
    yield seen(mx=BOGUS, hosts=())


def hosts() -> Iterator[Seen]:
    """MX hosts in DNS, and as the probe sees them, under each policy, with DANE and without."""
    yield seen(mx=DEAD, hosts=())
    yield seen(mx=ABSENT, hosts=(host("shop.example", addresses=ABSENT),))
    yield seen(mx=answer("10 192.0.2.1"), hosts=())
    yield seen(mx=answer("0 .", f"10 {MX1}"), hosts=(host(),))
    yield with_host(host(addresses=ABSENT))
    yield seen(
        mx=answer("10 mx1.shop.example", "20 mx2.shop.example"),
        hosts=(host(addresses=ABSENT), host("mx2.shop.example")),
    )
    yield with_host(host(addresses=DEAD))
    yield with_host(host(addresses=answer("192.0.2.1", alias="a.example")))
    old, soon = certificate(not_after=NOW - DAY), certificate(not_after=NOW + DAY)
    shows = (
        silent("no-starttls"),
        silent("handshake"),
        silent("timeout"),
        silent("refused", IP6),
        shown(chain=(old,)),
        shown(chain=(soon,)),
        shown(chain=(certificate(not_before=NOW + DAY),)),
        shown(names_fit=False, chain=(certificate(names=("www.example.net",)),)),
        shown(is_trusted=False),
        shown(protocol="TLSv1.1"),
    )
    tlsas = (ABSENT, signed(f"3 1 1 {KEY}"), signed(f"2 1 1 {KEY}"))
    for one, tlsa, mode in product(shows, tlsas, ("enforce", "testing", "none")):
        yield with_host(host(shown=(one,), tlsa=tlsa), page=policy(mode))


def met() -> dict[str, set[str]]:
    """By code: the severities that findings of these looks have."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    right = earlier(
        seen(hosts=(host(tlsa=signed(f"3 1 1 {KEY}"), record=answer(RIGHT)), host(MX2)))
    )
    for look in (*records(), *policies(), *dane(), *hosts()):
        for past in ((), (right,)):
            for one in findings(look, *past):
                found[one.code].add(one.weight)
    for look in records():
        for one in findings(look, is_mx_only=True, is_others=True):
            found[one.code].add(one.weight)
    return found


def test_each_finding_weighs_what_the_table_says_of_it():
    """No severity that is told is missing in the table, and none stands there that never comes."""
    found = met() | {BLOCKED: {"notice"}}

    assert WEIGHED == {code: found[code] for code in WEIGHED}


@given(hostile.seen, hostile.rua)
def test_whatever_domains_publish_the_table_has_it(look: Seen, rua: tuple[str, ...]):
    """Nor is anything found, whatever strangers write, that the table does not have."""
    for one in examine(look, Expected(now=NOW, rua=rua), []):
        assert one.weight in WEIGHED[one.code]


# ---------------------------------------------------------------------- figures


@pytest.mark.parametrize(
    ("span", "says"),
    [
        (SURE, "the second look comes {minutes} minutes after the first"),
        (WATCHED, "the domain is looked at every hour"),
        (LOOK_SOON, "After `fixed` the domain is looked at within five minutes"),
        (GRACE, "The first look an hour after `fixed`"),
        (UNSEEN, "for {days} days"),
        (CLOSE_AFTER, "{days} days later it is closed"),
    ],
)
def test_the_times_are_those_of_the_program(span: int, says: str):
    """What somebody waits for comes when the page says."""
    named = {"an hour": HOUR, "every hour": HOUR, "five minutes": 5 * MINUTE}
    in_words = [value for words, value in named.items() if words in says]

    assert in_words in ([], [span])
    assert says.format(minutes=span // MINUTE, days=span // DAY) in " ".join(PAGE.split())


def test_the_same_trouble_is_what_the_page_calls_so():
    """What confirms a sender's word, result by result."""
    table = PAGE[PAGE.index("| what the sender says |") :]
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", table, re.M))
    single = {key: {value.strip("`")} for key, value in rows.items() if key != "validation-failure"}
    any_of = set.union(*single.values()) | {*re.findall("`(.*?)`", rows["validation-failure"])}

    assert _SAME == {**single, "validation-failure": any_of}
