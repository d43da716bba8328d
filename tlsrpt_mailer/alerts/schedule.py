"""
When reminders and digests are due: a time of day in a zone, and schedules over it.

A wall clock has no 02:30 in the night in which summer time begins, and two of them
in the one in which it ends. What falls into the gap is due when the gap is over, what
happens twice is due the first time: so there is one slot a day, all year round.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from tlsrpt_mailer.report.times import DAY, Time

WEEKLY, DAILY, OFF = "weekly", "daily", "off"
MONDAY = 0


def slot(now: Time, at: str, zone: tzinfo) -> Time:
    """The last *at* (``HH:MM``) in *zone* that is over at *now*; *now* itself counts."""
    return next(moment for moment in _back(now, at, zone) if moment <= now)


def next_slot(now: Time, at: str, zone: tzinfo) -> Time:
    """The first *at* in *zone* after *now*."""
    return next(moment for moment in _on(now, at, zone) if moment > now)


def previous_fire(schedule: str, at: str, zone: tzinfo, now: Time) -> Time | None:
    """
    The last moment of *schedule* that is over at *now*; *now* itself counts.

    Args:
        schedule: ``weekly`` (Mondays at *at*), ``daily``, ``off``, or a cron expression of
            five fields, which *at* says nothing to.

    Returns:
        None where the schedule is ``off``, or holds no moment in the last fifty years.
    """
    moments = _moments(schedule, at, zone, now, back=True)
    return next((moment for moment in moments if moment <= now), None)


def next_fire(schedule: str, at: str, zone: tzinfo, now: Time) -> Time | None:
    """The first moment of *schedule* after *now*; None as `previous_fire`."""
    moments = _moments(schedule, at, zone, now, back=False)
    return next((moment for moment in moments if moment > now), None)


def period(schedule: str, at: str, zone: tzinfo, now: Time) -> tuple[Time, Time] | None:
    """From the last but one moment of *schedule* to the last; None where there are no two."""
    end = previous_fire(schedule, at, zone, now)
    begin = None if end is None else previous_fire(schedule, at, zone, end - 1)
    return None if end is None or begin is None else (begin, end)


def problem(schedule: str) -> str | None:
    """What is wrong with *schedule*, for whoever wrote it; None where nothing is."""
    if schedule in {WEEKLY, DAILY, OFF}:
        return None
    # cronsim takes six fields as well, the first of them seconds: no digest is that quick.
    if len(schedule.split()) != 5:
        return 'must be "weekly", "daily", "off" or a cron expression of five fields'
    from cronsim import CronSimError  # noqa: PLC0415 - only for those who write cron

    epoch = 1_800_000_000
    try:
        found = previous_fire(schedule, "00:00", UTC, epoch)
    except CronSimError as error:
        return f"is not a cron expression: {error}"
    return "never comes" if found is None else None


def in_words(schedule: str, at: str, zone: str) -> str:
    """*schedule* for a footer: ``Weekly, Mondays at 07:00 (Europe/Berlin)``."""
    if schedule == WEEKLY:
        return f"Weekly, Mondays at {at} ({zone})"
    if schedule == DAILY:
        return f"Daily at {at} ({zone})"
    return f'By the schedule "{schedule}" ({zone})'


def _moments(schedule: str, at: str, zone: tzinfo, now: Time, *, back: bool) -> Iterator[Time]:
    """Moments of *schedule* in one direction, beginning a day on the other side of *now*."""
    if schedule == OFF:
        return iter(())
    if schedule in {WEEKLY, DAILY}:
        weekday = MONDAY if schedule == WEEKLY else None
        return (_back if back else _on)(now, at, zone, weekday)
    return _cron(schedule, zone, now, back=back)


def _cron(expression: str, zone: tzinfo, now: Time, *, back: bool) -> Iterator[Time]:
    from cronsim import CronSim  # noqa: PLC0415 - only for those who write cron

    # A day early: where clocks are set back, cronsim takes the second 02:30 for the first.
    begin = datetime.fromtimestamp(now + (DAY if back else -DAY), zone)
    for moment in CronSim(expression, begin, reverse=back):
        yield int(moment.timestamp())


def _back(now: Time, at: str, zone: tzinfo, weekday: int | None = None) -> Iterator[Time]:
    return _days(now, at, zone, weekday, -1)


def _on(now: Time, at: str, zone: tzinfo, weekday: int | None = None) -> Iterator[Time]:
    return _days(now, at, zone, weekday, 1)


def _days(now: Time, at: str, zone: tzinfo, weekday: int | None, step: int) -> Iterator[Time]:
    """*at* on one day after the other, beginning on the day before (or after) today."""
    clock = time.fromisoformat(at)
    day = datetime.fromtimestamp(now, zone).date() - timedelta(days=step)
    while True:
        if weekday is None or day.weekday() == weekday:
            yield _moment(day, clock, zone)
        day += timedelta(days=step)


def _moment(day: date, clock: time, zone: tzinfo) -> Time:
    """*clock* on *day*: the first of two, and as much later as clocks were set on in a gap."""
    return int(datetime.combine(day, clock, tzinfo=zone).timestamp())
