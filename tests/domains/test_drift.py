"""What stood where, and since when."""

import random

import pytest

from tests.domains import sights
from tests.domains.records import RIGHT
from tests.domains.sights import ABSENT, DEAD, MX1, NOW, STS, answer, earlier, remembered
from tlsrpt_mailer.domains.drift import (
    POLICY_BYTES,
    Change,
    Known,
    changes,
    changes_after,
    history,
    merge,
    notes,
    values,
)
from tlsrpt_mailer.domains.seen import Page
from tlsrpt_mailer.report.times import DAY

KEY_LINE = f"{sights.KEY} until 2026-11-13T11:43:00Z"


def test_a_look_is_remembered_as_it_reads():
    """Who asks what changed sees records and dates, as they stood there."""
    seen = sights.with_host(
        sights.host(
            tlsa=answer("3 1 1 ab", "3 1 1 cd"),
            record=answer(RIGHT),
            shown=(sights.shown(), sights.silent("timeout", sights.IP6)),
        ),
        record=answer("v=spf1 -all", RIGHT),
    )

    assert {
        ("mx", ""): f"10 {MX1}",
        ("ns", ""): "ns1.example.net\nns2.example.net",
        ("tlsrpt", ""): RIGHT,
        ("sts", ""): STS,
        ("policy", ""): seen.page.text,
        ("tlsa", MX1): "3 1 1 ab\n3 1 1 cd",
        ("tlsrpt", MX1): RIGHT,
        ("certificate", f"{MX1} {sights.IP}"): KEY_LINE,
    } == notes(seen)


def test_nothing_is_remembered_of_what_nobody_could_find_out():
    """A name server that is down for a night is no change of all records."""
    seen = sights.seen(
        mx=DEAD, ns=DEAD, record=DEAD, sts=DEAD, page=None, hosts=(sights.host(tlsa=DEAD),)
    )
    unfetched = sights.seen(page=Page(kind="timeout", error="timed out"))

    assert {} == notes(seen)
    assert ("policy", "") not in notes(unfetched)


def test_that_nothing_is_there_is_remembered():
    """A record that is gone is known to be gone from then on."""
    seen = sights.seen(mx=ABSENT, ns=ABSENT, record=ABSENT, sts=ABSENT, page=None)

    found = notes(seen)
    assert {("mx", ""), ("ns", ""), ("tlsrpt", ""), ("sts", "")} < set(found)
    assert {""} == set(found.values())
    assert "" == notes(sights.seen(record=answer("v=spf1 -all")))["tlsrpt", ""]


def test_a_value_that_looks_like_two_stays_one():
    """Nobody makes two records of one, in what is shown of the past."""
    note = notes(sights.seen(record=answer("v=TLSRPTv1; rua=a\nb", RIGHT)))["tlsrpt", ""]

    assert 2 == len(values(Known("tlsrpt", "", note, 0, 0)))
    assert () == values(Known("tlsrpt", "", "", 0, 0))


def test_of_a_policy_the_beginning_is_remembered():
    """A file at its greatest does not fill the store; a character is never cut in two."""
    seen = sights.seen(page=sights.page("\u00fc" * POLICY_BYTES))

    note = notes(seen)["policy", ""]
    assert "\u00fc" * (POLICY_BYTES // 2) == note


def test_the_same_value_goes_on_and_another_one_begins():
    """Each value has the time of the first look that found it, and of the last."""
    one, other = sights.seen(), sights.without_sts()
    known = remembered(earlier(one, 4), earlier(one, 3), earlier(other, 2), earlier(one, 1))

    assert [
        (STS, NOW - DAY, NOW - DAY),
        ("", NOW - 2 * DAY, NOW - 2 * DAY),
        (STS, NOW - 4 * DAY, NOW - 3 * DAY),
    ] == [(row.value, row.first_at, row.last_at) for row in history(known, "sts")]
    assert [(NOW - 4 * DAY, NOW - DAY)] == [
        (row.first_at, row.last_at) for row in history(known, "mx")
    ]


def test_a_look_never_goes_back_in_time():
    """A look that was under way when a later one came in changes nothing."""
    known = remembered(sights.seen())

    assert [] == merge(known, earlier(sights.without_sts()))
    assert [] == merge(known, sights.seen())
    assert [] == merge(known, sights.without_sts())


def test_only_rows_that_must_be_written_are():
    """Ten thousand domains a night cost a row each that holds, and no more."""
    look = sights.seen()
    rows = merge(remembered(earlier(look)), look)

    assert {("mx", ""), ("ns", ""), ("tlsrpt", ""), ("sts", ""), ("policy", "")} <= {
        (row.kind, row.about) for row in rows
    }
    assert {NOW} == {row.last_at for row in rows}
    assert {NOW - DAY} == {row.first_at for row in rows}


@pytest.mark.parametrize(
    ("since", "until", "kinds"),
    [
        (NOW - 10 * DAY, NOW, ["ns", "mx"]),
        (NOW - 2 * DAY, NOW, ["mx"]),
        (NOW - DAY // 2, NOW, ["mx"]),
        (NOW - 4 * DAY, NOW - 3 * DAY, ["ns"]),
        (NOW - 4 * DAY, NOW - 2 * DAY, ["ns"]),
        (NOW + 1, NOW + DAY, []),
        (NOW - 20 * DAY, NOW - 10 * DAY, []),
    ],
)
def test_what_changed_shortly_before_is_told(since: int, until: int, kinds: list[str]):
    """An alert names what changed about then: between the last look before and the first after."""
    old = sights.seen(ns=answer("old.example.net"))
    new = sights.seen(mx=answer(f"10 {MX1}"))
    known = remembered(earlier(old, 5), earlier(sights.seen(), 3), earlier(sights.seen(), 1), new)
    random.Random(1).shuffle(known)

    found = changes(known, since, until)
    assert kinds == [one.kind for one in found]
    if "mx" in kinds:
        assert (
            Change("mx", "", f"10 {MX1}\n20 {sights.MX2}", f"10 {MX1}", NOW - DAY, NOW) == found[-1]
        )


def test_what_changed_after_a_moment_is_what_stood_till_after_it():
    """A change that may have been before it is no change after it."""
    known = remembered(earlier(sights.seen(), 1), sights.seen(mx=answer(f"10 {MX1}")))

    assert ["mx"] == [one.kind for one in changes_after(known, NOW - DAY - 1)]
    assert [] == changes_after(known, NOW - DAY)


def test_what_was_found_for_the_first_time_is_no_change():
    """The first look at a domain does not fill the alert with all that it found."""
    assert [] == changes(remembered(sights.seen()), 0, NOW)
    assert [] == changes([], 0, NOW)


def test_a_value_that_comes_back_is_a_change_again():
    """Right, gone, back: two changes."""
    gone = sights.seen(record=ABSENT)
    known = remembered(earlier(sights.seen(), 2), earlier(gone, 1), sights.seen())

    assert [(RIGHT, ""), ("", RIGHT)] == [(one.old, one.new) for one in changes(known, 0, NOW)]


def test_rows_with_the_same_value_are_no_change():
    """A gap in what a store kept is not told as a change."""
    rows = [Known("mx", "", "10 a.example", at, at) for at in (1, 5)]

    assert [] == changes(rows, 0, 9)
