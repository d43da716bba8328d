"""How often a reporter reports, and from when on it counts as having stopped."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from tlsrpt_mailer.report.times import DAY, Span, Time

LAST = 10
"""How many of the newest windows say how often a reporter reports."""
SHORTEST: Span = 4 * DAY
"""A daily reporter may be this late: Microsoft sends up to three days after the window's end."""
LONGEST: Span = 35 * DAY
"""The most patience, for a monthly reporter."""
MONTHLY: Span = 28 * DAY


def gap_of(ends: Sequence[Time], length: Span = 0) -> Span:
    """
    The usual time from one window's end to the next one's.

    Args:
        ends: The ends of the reporter's windows about one domain, ascending, not empty.
        length: How long its first window is: the best guess while there is only one.
    """
    last = ends[-LAST:]
    if len(last) == 1:
        return length
    return int(median(later - earlier for earlier, later in pairwise(last)))


def still_reports_until(ends: Sequence[Time], length: Span = 0) -> Time:
    """The moment from which on a reporter with these windows counts as not reporting any more."""
    return ends[-1] + patience(gap_of(ends, length))


def patience(gap: Span) -> Span:
    """How long after its newest window a reporter with this usual gap still reports."""
    return min(LONGEST, max(SHORTEST, 3 * gap))


def stops(ends: Sequence[Time], length: Span = 0) -> list[Time]:
    """`still_reports_until` for each beginning of *ends*, in one pass."""
    moments: list[Time] = []
    gaps = [0, *(later - earlier for earlier, later in pairwise(ends))]
    wait = 0
    for place, end in enumerate(ends):
        # A regular reporter's gaps stay the same as the last ten move on.
        if place < LAST or gaps[place] != gaps[place - LAST + 1]:
            wait = patience(gap_of(ends[max(0, place - LAST + 1) : place + 1], length))
        moments.append(end + wait)
    return moments
