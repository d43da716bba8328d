"""When reminders and digests are due."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tlsrpt_mailer.alerts import schedule
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time, iso

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


def at(text: str) -> Time:
    return int(datetime.fromisoformat(text).timestamp())


def test_the_slot_of_the_day_is_the_time_in_the_zone():
    """A mail at 08:00 comes at 08:00 on the reader's clock, in summer and in winter."""
    assert iso(schedule.slot(at("2026-07-01T12:00Z"), "08:00", BERLIN)) == "2026-07-01T06:00:00Z"
    assert iso(schedule.slot(at("2026-12-01T12:00Z"), "08:00", BERLIN)) == "2026-12-01T07:00:00Z"


def test_a_slot_that_has_not_come_today_is_yesterdays():
    """A minute before the time of day, the last slot is the one of the day before."""
    assert "2026-11-22T08:00:00Z" == iso(schedule.slot(at("2026-11-23T07:59:59Z"), "08:00", UTC))
    assert "2026-11-23T08:00:00Z" == iso(schedule.slot(at("2026-11-23T08:00:00Z"), "08:00", UTC))
    assert "2026-11-23T08:00:00Z" == iso(
        schedule.next_slot(at("2026-11-23T07:59:59Z"), "08:00", UTC)
    )
    assert "2026-11-24T08:00:00Z" == iso(
        schedule.next_slot(at("2026-11-23T08:00:00Z"), "08:00", UTC)
    )


def test_a_time_that_summer_time_skips_is_due_when_the_gap_is_over():
    """In the night without a 02:30 the mail goes out all the same, once."""
    assert "2026-03-29T01:30:00Z" == iso(schedule.slot(at("2026-03-29T12:00Z"), "02:30", BERLIN))
    assert "2026-03-28T01:30:00Z" == iso(schedule.slot(at("2026-03-29T01:29:59Z"), "02:30", BERLIN))


@pytest.mark.parametrize("choice", ["daily", "30 2 * * *"])
def test_a_time_that_comes_twice_is_due_once(choice: str):
    """In the night with two 02:30 the second one brings no second mail."""
    first = at("2026-10-25T00:30Z")

    assert first == schedule.previous_fire(choice, "02:30", BERLIN, first)
    assert first == schedule.previous_fire(choice, "02:30", BERLIN, at("2026-10-25T01:30Z"))
    assert first == schedule.previous_fire(choice, "02:30", BERLIN, at("2026-10-25T12:00Z"))
    assert at("2026-10-26T01:30Z") == schedule.next_fire(choice, "02:30", BERLIN, first)
    assert first == schedule.next_fire(choice, "02:30", BERLIN, first - 1)


@pytest.mark.parametrize("zone", [UTC, BERLIN, NEW_YORK, LORD_HOWE], ids=str)
@pytest.mark.parametrize("choice", ["daily", "0 8 * * *", "30 2 * * *"])
def test_every_day_of_a_year_has_one_fire(zone: ZoneInfo, choice: str):
    """Whatever clocks do, a daily mail goes out once on each of 365 days."""
    now = at("2026-01-01T00:00Z")
    days = set()
    for _ in range(365):
        fire = schedule.next_fire(choice, "08:00", zone, now)
        assert fire is not None
        assert fire == schedule.previous_fire(choice, "08:00", zone, fire)
        assert fire == schedule.previous_fire(choice, "08:00", zone, fire + HOUR)
        assert 22 * HOUR <= fire - now <= 26 * HOUR or not days
        days.add(datetime.fromtimestamp(fire, zone).date())
        now = fire

    assert 365 == len(days)


def test_a_week_ends_on_monday_morning():
    """The weekly digest comes on Mondays at the chosen time; 2026-11-23 is one."""
    sunday, monday = at("2026-11-22T23:00Z"), at("2026-11-23T08:00Z")

    assert at("2026-11-16T08:00Z") == schedule.previous_fire("weekly", "08:00", UTC, sunday)
    assert monday == schedule.previous_fire("weekly", "08:00", UTC, monday)
    assert monday == schedule.next_fire("weekly", "08:00", UTC, sunday)
    assert (monday - 7 * DAY, monday) == schedule.period("weekly", "08:00", UTC, monday + HOUR)


def test_the_week_in_which_clocks_change_is_an_hour_longer_or_shorter():
    """The period of a digest goes from one Monday morning on the clock to the next."""
    spring = schedule.period("weekly", "07:00", BERLIN, at("2026-03-30T06:00Z"))
    autumn = schedule.period("weekly", "07:00", BERLIN, at("2026-10-26T07:00Z"))

    assert spring is not None
    assert autumn is not None
    assert 7 * DAY - HOUR == spring[1] - spring[0]
    assert 7 * DAY + HOUR == autumn[1] - autumn[0]


def test_cron_expressions_are_read_in_the_zone():
    """Somebody who wants the digest on the first of the month at 06:15 gets it so."""
    now = at("2026-11-23T12:00Z")

    assert at("2026-11-01T05:15Z") == schedule.previous_fire("15 6 1 * *", "08:00", BERLIN, now)
    assert at("2026-12-01T05:15Z") == schedule.next_fire("15 6 1 * *", "08:00", BERLIN, now)
    assert at("2026-11-23T11:59Z") == schedule.previous_fire("59 * * * *", "08:00", UTC, now)
    assert now == schedule.previous_fire("*/5 * * * *", "08:00", UTC, now + MINUTE)


def test_what_falls_together_behind_a_gap_is_one_fire():
    """Two times of a cron expression that summer time moves to one moment bring one mail."""
    fire = schedule.previous_fire("0,30 2 29 3 *", "08:00", BERLIN, at("2026-03-29T12:00Z"))

    assert fire is not None
    assert at("2026-03-29T01:00Z") == fire
    before = schedule.previous_fire("0,30 2 29 3 *", "08:00", BERLIN, fire - 1)
    assert before is not None
    assert iso(before).startswith("2025-03-29")


def test_off_has_no_fire():
    """No digest at all, neither a last nor a next one."""
    now = at("2026-11-23T12:00Z")

    assert schedule.previous_fire("off", "08:00", UTC, now) is None
    assert schedule.next_fire("off", "08:00", UTC, now) is None
    assert schedule.period("off", "08:00", UTC, now) is None


@pytest.mark.parametrize("right", ["weekly", "daily", "off", "0 7 * * MON", "0 0 29 2 *"])
def test_a_right_schedule_has_no_problem(right: str):
    """What is documented is taken."""
    assert schedule.problem(right) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("monthly", "five fields"),
        ("0 0 7 * * MON", "five fields"),
        ("0 25 * * *", "hour"),
        ("0 0 30 2 *", "day"),
        ("0 0 */30 2 MON#5", "never comes"),
    ],
)
def test_a_wrong_schedule_is_named(wrong: str, says: str):
    """A schedule that cannot be read, or that never comes, is refused with a reason."""
    assert says in (schedule.problem(wrong) or "")


def test_schedules_are_said_in_words():
    """The footer of a digest says when the next one comes, and on which clock."""
    assert "Weekly, Mondays at 07:00 (UTC)" == schedule.in_words("weekly", "07:00", "UTC")
    assert "Daily at 07:00 (UTC)" == schedule.in_words("daily", "07:00", "UTC")
    assert 'By the schedule "0 7 1 * *" (UTC)' == schedule.in_words("0 7 1 * *", "07:00", "UTC")
