"""Planned maintenance: what fails in it is no news, and what fails after it is."""

import pytest

from tests.failures.builders import (
    EXPIRED,
    GOOGLE,
    MICROSOFT,
    SMALL,
    failing,
    judged,
    on,
    row,
    story,
    verdicts,
    window,
)
from tlsrpt_mailer.failures.model import HumanAct, Identity, Quiet
from tlsrpt_mailer.failures.timeline import Timeline

MX1 = "mx1.example.com"


def planned(start: float, end: float, mx: str | None = None, number: int = 3) -> Quiet:
    return Quiet(number, on(start), on(end), mx)


@pytest.mark.parametrize(
    ("quiet", "expected"),
    [
        (planned(0.5, 0.6), (True, 3)),
        (planned(-1, 0.01), (True, 3)),
        (planned(0.99, 9), (True, 3)),
        (planned(-1, 0), (False, None)),
        (planned(1, 2), (False, None)),
        (planned(0, 1, MX1), (True, 3)),
        (planned(0, 1, "mx2.example.com"), (False, None)),
    ],
)
def test_a_window_that_meets_maintenance_is_quiet(quiet, expected):
    """A minute of the report's time is enough, at that MX; when the report came plays no part."""
    verdict = judged([failing(0, received=on(9))], on(9), quiet=[quiet])

    assert expected == (verdict.is_quiet, verdict.maintenance)


def test_a_failure_is_quiet_while_all_of_it_is():
    """What fails before or after the maintenance as well is not."""
    quiet = [planned(1, 3, number=1), planned(2, 4, number=7)]

    assert judged(story(" ##"), on(3), quiet=quiet).is_quiet
    assert 7 == judged(story(" ###"), on(4), quiet=quiet).maintenance
    assert not judged(story(" ####"), on(5), quiet=quiet).is_quiet
    assert not judged(story("##"), on(5), quiet=quiet).is_quiet
    assert 1 == judged(story("##"), on(5), quiet=quiet).maintenance


def test_strangers_do_not_break_the_quiet():
    """Only windows that count can make it loud: those of known reporters, where one saw it."""
    windows = [*story("#"), *story(" #", SMALL)]

    assert judged(windows, on(3), quiet=[planned(0, 1)]).is_quiet


def test_maintenance_of_the_domain_covers_what_has_no_mx():
    """Planned quiet of an MX covers a failure without one only where that MX is its cause."""
    policy = Identity("example.com", "sts", "sts-policy-fetch-error", None)
    fetch = window(0, GOOGLE, row(5, "sts-policy-fetch-error", None))

    assert judged([fetch], on(2), identity=policy, quiet=[planned(0, 1)]).is_quiet
    assert not judged([fetch], on(2), identity=policy, quiet=[planned(0, 1, MX1)]).is_quiet


def test_a_failure_without_an_mx_goes_with_the_mx_of_its_cause():
    """One reporter names the MX, another does not: both speak of the MX that is worked on."""
    nameless = Identity("example.com", "sts", "certificate-expired", None)
    windows = [failing(0), window(0, MICROSOFT, row(9, mx=None))]
    at_mx1 = verdicts(windows, on(2), quiet=[planned(0, 1, MX1)])
    at_mx2 = verdicts(windows, on(2), quiet=[planned(0, 1, "mx2.example.com")])

    assert (True, True) == (at_mx1[EXPIRED].is_quiet, at_mx1[nameless].is_quiet)
    assert MX1 == at_mx1[nameless].cause.mx
    assert (False, False) == (at_mx2[EXPIRED].is_quiet, at_mx2[nameless].is_quiet)


def test_what_fails_in_maintenance_takes_no_step():
    """
    Everything fails while the server is worked on: that is no reason to mail that it got
    worse, nor to lift an ack, once it fails as little as before.
    """
    windows = [
        failing(0, failed=5, good=95),
        window(1, GOOGLE, row(90, reasons=["weak"]), good=10),
        failing(2, failed=5, good=95),
    ]
    ack = HumanAct("ack", on(1, 13), "ana@example.com")
    quiet = [planned(1.2, 1.3)]

    verdict = judged(windows, on(3), acts=[ack], quiet=quiet)

    assert ("share-1",) == verdict.steps
    assert "acknowledged" == verdict.state
    assert ("reason-weak", "share-1", "share-10", "share-50") == judged(windows, on(3)).steps
    assert "share-50" in judged(windows[1:2], on(3), quiet=quiet).steps


def test_an_ack_in_maintenance_is_lifted_by_what_is_worse_than_that():
    """What was acknowledged was the quiet failure; the same afterwards is nothing new."""
    windows = [failing(0, failed=5, good=95), failing(1, failed=5, good=95)]
    worse = [windows[0], failing(1, failed=60, good=40)]
    ack = HumanAct("ack", on(1, 13), "ana@example.com")
    quiet = [planned(0, 1)]

    assert "acknowledged" == judged(windows, on(3), acts=[ack], quiet=quiet).state
    assert "new" == judged(worse, on(3), acts=[ack], quiet=quiet).state


def test_maintenance_refutes_no_fix():
    """It was mended, and then worked on: only what fails outside says that it is not mended."""
    fixed = HumanAct("fixed", on(1), "ana@example.com")
    quiet = [planned(2, 3)]

    assert "fixed?" == judged(story("# #"), on(4), acts=[fixed], quiet=quiet).state
    assert "ongoing" == judged(story("# ##"), on(5), acts=[fixed], quiet=quiet).state


def test_severity_is_that_of_the_time_outside():
    """A notice stays one, though everything failed in the maintenance after it."""
    windows = [
        window(0, GOOGLE, row(5), good=95, mode="none"),
        window(1, GOOGLE, row(90), good=10, mode="none"),
    ]

    assert "notice" == judged(windows, on(3), quiet=[planned(1, 2)]).severity
    assert "warning" == judged(windows, on(3)).severity
    assert "warning" == judged(windows[1:], on(3), quiet=[planned(1, 2)]).severity


def test_the_last_loud_window_of_each_witness_decides():
    """Of several outside, the newest; of a reporter that saw it in maintenance alone, none."""
    windows = [
        window(0, GOOGLE, row(90), good=10, mode="none"),
        window(1, GOOGLE, row(5), good=95, mode="none"),
        window(2, GOOGLE, row(90), good=10, mode="none"),
        window(2, MICROSOFT, row(90), good=10, mode="none"),
    ]

    assert "notice" == judged(windows, on(4), quiet=[planned(2, 3)]).severity


def test_severity_where_only_a_long_window_is_loud():
    """A weekly report that counts for no witness says how bad it is, where no other does."""
    week = window(-9, MICROSOFT, row(5), good=95, mode="none", days=7)
    day = window(0, GOOGLE, row(90), good=10, mode="none")

    assert "notice" == judged([week, day], on(2), quiet=[planned(0, 1)]).severity


def test_what_comes_back_in_maintenance_alone_is_no_regression():
    """It was over, and fails while the server is worked on: that is planned."""
    quiet = [planned(9, 10)]

    again = judged(story("#.......... #"), on(13), quiet=[planned(12, 13)])

    assert (2, "ongoing", True) == (again.incident, again.state, again.is_quiet)
    assert "regressed" == judged(story("#.......... #"), on(13), quiet=quiet).state


def test_one_loud_window_after_quiet_ones_is_new():
    """What stays broken after the maintenance is a failure of one day so far."""
    assert "new" == judged(story("##"), on(2), quiet=[planned(0, 1)]).state
    assert "ongoing" == judged(story("###"), on(3), quiet=[planned(0, 1)]).state


def test_the_last_start_is_that_of_a_loud_window():
    """Whether a failure came back after its end is asked of what failed outside."""
    windows = story("##")

    assert on(0) == judged(windows, on(3), quiet=[planned(1, 2)]).last_start
    assert on(1) == judged(windows, on(3)).last_start
    assert on(1) == judged(windows, on(3), quiet=[planned(0, 2)]).last_start


def test_strangers_do_not_make_it_ongoing():
    """One day of a reporter that counts is new, whatever others say they saw."""
    strange = story(" # #", SMALL)

    assert "new" == judged([*story("#"), *strange], on(4)).state
    assert on(0) == judged([*story("#"), *strange], on(4)).last_start
    assert "ongoing" == judged(strange, on(4)).state


def test_maintenance_of_another_domain_is_none_of_ours():
    """Domains have nothing to do with each other."""
    other = failing(0, domain="example.net")

    found = verdicts([other, failing(0)], on(2), quiet=[planned(0, 1)])

    assert {"example.com": True, "example.net": False} == {
        identity.domain: verdict.is_quiet for identity, verdict in found.items()
    }


def test_a_timeline_without_maintenance_marks_nothing():
    """The common case costs nothing."""
    timeline = Timeline(story("#"), frozenset())

    assert [None] == [hit.quiet for track in timeline.tracks.values() for hit in track.hits]
