"""How long a reporter is waited for, and whose word counts."""

from itertools import accumulate

import pytest

from tests.failures.builders import on
from tlsrpt_mailer.failures.cadence import gap_of, still_reports_until, stops
from tlsrpt_mailer.failures.standing import known
from tlsrpt_mailer.report.times import DAY


@pytest.mark.parametrize(
    ("ends", "length", "days"),
    [
        ([0, 1, 2, 3], 1, 4),
        ([0, 2, 4], 1, 6),
        ([0, 7, 14, 21], 7, 21),
        ([0, 30, 60], 30, 35),
        ([0], 1, 4),
        ([0], 7, 21),
        ([0], 0, 4),
        ([0, 20, 40, 60, 80, *range(81, 90)], 1, 4),
        ([0, 1, 2, 3, 10], 1, 4),
        ([0, 1, 3], 1, 4.5),
    ],
)
def test_patience_is_three_times_the_usual_gap(ends, length, days):
    """At least four days, at most 35, by the median gap of the last ten windows."""
    moments = [on(end) for end in ends]

    assert still_reports_until(moments, length * DAY) == moments[-1] + days * DAY


@pytest.mark.parametrize(
    "gaps",
    [[1] * 30, [1] * 15 + [7] * 15 + [1] * 15, [1, 1, 1, 1, 1, 9, 9, 9, 9, 9] * 4, [1, 9] * 15],
)
def test_one_pass_finds_the_same_moments(gaps):
    """The quick way through a long history agrees with the plain one."""
    ends = [on(day) for day in accumulate(gaps)]

    expected = [still_reports_until(ends[: n + 1], DAY) for n in range(len(ends))]

    assert expected == stops(ends, DAY)


def test_the_length_of_the_only_window_is_the_guess():
    """A weekly reporter is known by its first report."""
    assert gap_of([on(7)], 7 * DAY) == 7 * DAY


@pytest.mark.parametrize(
    ("reporter", "expected"),
    [("google.com", True), ("ours.example", True), ("old.example", True), ("new.example", False)],
)
def test_standing(reporter, expected):
    """Known are large senders, those the operator trusts, and those that have reported a while."""
    assert known(reporter, {"google.com"}, ["ours.example"], {"old.example"}) is expected
