"""When a reporter counts as silent, and whose fault it looks like."""

import random

import pytest

from tests.failures.builders import GOOGLE, MAILRU, MICROSOFT, SMALL, on
from tlsrpt_mailer.failures.silence import (
    Gap,
    Seen,
    Silence,
    days_until_silent,
    gaps_in,
    habits,
    merged,
    silences,
    silent_at,
    usual_delay,
)
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

DELAY: Span = 12 * HOUR


def daily(
    days: range | list[int],
    reporter: str = GOOGLE,
    domain: str = "example.com",
    *,
    sessions: int = 100,
    delay: Span = DELAY,
) -> list[Seen]:
    """A window on each of these days; each ends with its day."""
    return [Seen(domain, reporter, on(day + 1), on(day + 1) + delay, sessions) for day in days]


def found(windows: list[Seen], now: Time, **more: object) -> list[tuple[str, str, int]]:
    """Which, key and how many pairs."""
    judged: list[Silence] = silences(habits(windows), now, **more)  # type: ignore[arg-type]
    return [(one.which, one.key, len(one.pairs)) for one in judged]


@pytest.mark.parametrize(
    ("days", "silent"),
    [(28, 5), (26, 7), (22, 10), (14, 20), (8, 39), (7, None), (4, None), (0, None), (31, 5)],
)
def test_how_long_until_silence_speaks(days, silent):
    """A daily reporter counts as silent after 5 days, one at 80 % after 10, a weekly one never."""
    assert silent == days_until_silent(days)


def test_whole_days_count_from_the_usual_delay():
    """Five whole days after the next report was due, and not a second sooner."""
    (pair,) = habits(daily(range(28)))
    due = on(28) + DELAY

    assert (28, on(28), DELAY) == (pair.days, pair.end, pair.delay)
    assert due + 5 * DAY == silent_at(pair)
    assert [] == found(daily(range(28)), due + 5 * DAY - 1)
    assert [("intake", "", 1)] == found(daily(range(28)), due + 5 * DAY)


def test_two_windows_of_a_day_are_one_day():
    """Who cuts a day into hours reports no more often for that; a weekly range is one report."""
    hours = [
        Seen("example.com", GOOGLE, on(day, hour), on(day, hour), 1)
        for day in range(7)
        for hour in range(1, 25)
    ]

    assert 7 == habits(hours)[0].days
    assert 4 == habits(daily([0, 7, 14, 21]))[0].days


def test_only_the_last_28_days_show_a_habit():
    """Who reported daily in summer and once a week since is a weekly reporter."""
    (pair,) = habits(daily([*range(30), 37, 44, 51, 58]))

    assert (4, None) == (pair.days, silent_at(pair))


def test_the_delay_is_that_of_most_reports():
    """One late report makes no late reporter; what was imported long after does not count."""
    delays = [12 * HOUR, 11 * HOUR, 10 * HOUR, 3 * DAY, 13 * HOUR, 300 * DAY]

    assert 12 * HOUR == usual_delay(delays)
    assert 0 == usual_delay([-2 * HOUR])
    assert DAY == usual_delay([300 * DAY])


def test_a_reporter_that_stops_is_told_from_our_intake():
    """While anybody else goes on, it is the reporter, once over all its silent domains."""
    windows = [
        *daily(range(28), GOOGLE, "a.example"),
        *daily(range(27), GOOGLE, "b.example"),
        *daily(range(60), MICROSOFT, "a.example"),
        *daily(range(60), MICROSOFT, "b.example"),
    ]

    assert [("reporter", GOOGLE, 2)] == found(windows, on(40))
    assert [] == found(windows, on(32))


def test_nothing_at_all_is_our_intake():
    """With all regular reporters silent at once it is we who are deaf."""
    windows = [
        *daily(range(28), GOOGLE, "a.example"),
        *daily(range(28), MICROSOFT, "b.example"),
        *daily([3, 10, 17, 24], SMALL, "b.example"),
    ]
    (intake,) = silences(habits(windows), on(34))

    assert ("intake", 2, on(28) + DELAY + 5 * DAY) == (
        intake.which,
        len(intake.pairs),
        intake.at,
    )


def test_a_report_that_comes_shows_that_the_way_is_open():
    """Where a weekly reporter is heard after the others stopped, it is not our intake."""
    windows = [*daily(range(28)), *daily([3, 10, 17, 24, 31], SMALL)]

    assert [("reporter", GOOGLE, 1)] == found(windows, on(40), last_receipt=on(38))
    assert [("intake", "", 1)] == found(windows[:-1], on(40), last_receipt=on(28, 12))


def test_regular_reports_on_other_domains_clear_our_intake():
    """All pairs that were looked at are silent, but elsewhere reports come in daily."""
    windows = daily(range(28))

    assert [("domain", "example.com", 1)] == found(windows, on(40), others_report=True)


def test_a_domain_of_which_nobody_speaks():
    """All its reporters stopped while they report on others: the record, not the reporters."""
    windows = [
        *daily(range(28), GOOGLE, "gone.example"),
        *daily(range(28), MICROSOFT, "gone.example"),
        *daily(range(60), GOOGLE, "here.example"),
        *daily(range(60), MICROSOFT, "here.example"),
    ]

    assert [("domain", "gone.example", 2)] == found(windows, on(40))


def test_an_occasional_reporter_keeps_a_domain_from_being_silent():
    """Reports do come on the domain, so it is Google that stopped."""
    windows = [
        *daily(range(28)),
        *daily([10, 31], SMALL),
        *daily(range(60), MICROSOFT, "here.example"),
    ]
    before = [*daily(range(28)), *daily([10], SMALL), *windows[30:]]

    assert [("reporter", GOOGLE, 1)] == found(windows, on(40))
    assert [("domain", "example.com", 1)] == found(before, on(40))


def test_a_domain_that_one_reporter_knew_goes_with_its_reporter():
    """Three domains that Google alone knew, silent together: one reporter, not three domains."""
    windows = [
        *daily(range(28), GOOGLE, "a.example"),
        *daily(range(28), GOOGLE, "b.example"),
        *daily(range(28), GOOGLE, "c.example"),
        *daily(range(60), MAILRU, "here.example"),
    ]

    assert [("reporter", GOOGLE, 3)] == found(windows, on(40))
    assert [("domain", "a.example", 1), ("reporter", GOOGLE, 2)] == found(
        windows, on(40), apart=frozenset({"a.example"})
    )


def test_a_week_without_intake_is_blamed_on_nobody():
    """
    For a week nothing came in and the reports are lost. Afterwards one reporter is a day
    late, as ever: without the gap it would count as silent since it was last heard.
    """
    heard = [*range(28), *range(35, 60)]
    windows = [*daily(range(28)), *daily(heard, MICROSOFT), *daily(heard, MAILRU)]
    receipts = [on(day + 1, 12) for day in heard]
    now = on(36, 13)

    gaps = gaps_in([at for at in receipts if at <= now], now)

    so_far = [one for one in windows if one.received <= now]
    assert [(on(28, 12), on(36, 12))] == gaps
    assert [] == found(so_far, now, gaps=gaps, last_receipt=now)
    assert [("reporter", GOOGLE, 1)] == found(so_far, now, last_receipt=now)
    assert [("reporter", GOOGLE, 1)] == found(windows, on(42), gaps=gaps, last_receipt=on(42))


def test_gaps_are_only_where_reports_come_nearly_daily():
    """Where a report comes now and then, two days without are as ever, and no gap of ours."""
    steady = [on(day) for day in range(28)]
    rare = [on(day) for day in range(0, 28, 3)]
    young = [on(day) for day in range(3)]

    assert [(on(27), on(29))] == gaps_in(steady, on(29))
    assert [] == gaps_in(steady, on(29) - 1)
    assert [] == gaps_in(rare, on(40))
    assert [] == gaps_in(young, on(9))
    assert [] == gaps_in([], on(9))


def test_gaps_that_touch_are_one():
    """A source in trouble while nothing came in is one stretch."""
    assert [(1, 6), (8, 9)] == merged([(4, 6), (1, 4), (8, 9), (2, 3), (7, 7)])


@pytest.mark.parametrize(
    ("gaps", "later"),
    [
        ([], 0),
        ([(0, 1)], 0),
        ([(1, 3)], 2),
        ([(-5, 1)], 1),
        ([(4, 7), (7.5, 8)], 3.5),
        ([(5, 9)], 0),
        ([(1, 40)], 39),
    ],
)
def test_gaps_put_silence_off(gaps, later):
    """Days in gaps do not count, whole or in part; gaps before or after change nothing."""
    (pair,) = habits(daily(range(28)))
    due = on(28) + DELAY
    if gaps == [(0, 1)]:
        gaps = [(-1, 0)]
    spans: list[Gap] = [(due + int(a * DAY), due + int(b * DAY)) for a, b in gaps]

    assert due + 5 * DAY + int(later * DAY) == silent_at(pair, spans)


def test_half_of_what_is_known_is_by_sessions():
    """A reporter through which half of a domain's sessions were known matters to its owner."""
    windows = [
        *daily(range(28), GOOGLE, sessions=50),
        *daily(range(28), MICROSOFT, sessions=40),
        *daily(range(28), MAILRU, sessions=10),
    ]

    assert [True, False, False] == [pair.is_half for pair in habits(windows)]


def test_silence_is_the_same_in_any_order():
    """Which window was read first plays no part."""
    windows = [
        *daily(range(28), GOOGLE, "a.example"),
        *daily(range(20), GOOGLE, "b.example"),
        *daily(range(60), MICROSOFT, "a.example"),
    ]
    chance = random.Random(7)

    for _ in range(20):
        mixed = chance.sample(windows, len(windows))
        assert silences(habits(windows), on(70)) == silences(habits(mixed), on(70))
