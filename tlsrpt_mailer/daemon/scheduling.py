"""apscheduler, made to keep going whatever the clock does."""

import logging
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import enumerate as enumerate_threads

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

log = structlog.get_logger()

FAR = timedelta(minutes=1)
"""No job is due so far ahead, unless the clock went back."""
MOST_THREADS = 200
"""Of apscheduler, which makes them as they are needed; one a channel."""


def scheduler() -> BackgroundScheduler:
    """apscheduler, told not to drop a job that starts late and to log what raises."""
    # It warns every time a job is still at work when it would be due again. Posting to
    # a slow relay is; what hangs for good, the watchdog names.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = BackgroundScheduler(
        timezone=UTC,
        job_defaults={"misfire_grace_time": None},
        executors={"default": ThreadPoolExecutor(MOST_THREADS)},
    )
    scheduler.add_listener(_on_job_error, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    return scheduler


def _on_job_error(event: JobExecutionEvent) -> None:
    _log_crash(event.job_id, repr(event.exception), event.traceback)


@cache
def _log_crash(job: str, error: str, traceback: str) -> None:
    """Said once in a process: it is tried every few seconds."""
    log.error("job.failed", job=job, error=error, traceback=traceback)


class Every(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """
    So many seconds after the last run.

    Its own interval counts every run that was missed: 16 million of them in a clock that
    jumps ahead by a year.
    """

    def __init__(self, seconds: int) -> None:
        self._span = timedelta(seconds=seconds)

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """See `BaseTrigger`."""
        return now + self._span


def others(deadline: float) -> list[str]:
    """
    Wait for the scheduler's threads until *deadline* (monotonic); those that are still busy.

    Python joins an executor's threads when it ends, daemonic ones as well, and
    one of these may wait for a relay for minutes.
    """
    busy = [one for one in enumerate_threads() if one.name.startswith("ThreadPoolExecutor")]
    for thread in busy:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread.name for thread in busy if thread.is_alive()]
