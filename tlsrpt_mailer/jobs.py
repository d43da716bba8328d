"""
The table of jobs. What is due is a pure function of when each ran last and now.

apscheduler only wakes `tick` every few seconds (``daemon``); a job that raises
is logged, noted in ``job_runs`` and tried again when it is due the next time.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Event

import msgspec
import structlog

from tlsrpt_mailer.errors import Temporary, TlsrptError
from tlsrpt_mailer.flows.health import Beats
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time
from tlsrpt_mailer.wiring import App

log = structlog.get_logger()

REVIEW: Span = 5 * MINUTE
PRUNE: Span = DAY
SOURCES: Span = 5 * MINUTE
FIRST: Span = 15 * MINUTE
HELD: Span = 15 * MINUTE
CANARY: Span = 5 * MINUTE
CHECKING: Span = 30 * MINUTE
"""How long one portion of looks at domains may take."""
LATE: Mapping[str, Span] = {
    **dict.fromkeys(("prune", "integrity"), 2 * DAY),
    **dict.fromkeys(("review", "pending", "adopt", "relay", "room", "sources"), 3 * HOUR),
    **dict.fromkeys(("program", "first", "held", "watch", "digest"), 3 * HOUR),
    **dict.fromkeys(("inventory", "volumes", "checks", "canary"), 3 * HOUR),
}
"""Every job of the tables, and how long after a run there is something wrong without another."""


class Job(msgspec.Struct, frozen=True):
    """Something that is done again and again."""

    name: str
    every: Span
    """From one run to the next."""
    do: Callable[[Time], object]
    within: Span = 60
    """How long it may take before the watchdog counts it as hung."""
    idle: bool = False
    """Only while no source starts or works through a backlog: what is there may be read yet."""


def due(jobs: Sequence[Job], ran: Mapping[str, Time], now: Time) -> list[Job]:
    """
    Those whose time has come, in the order of the table.

    A clock that was set back does not silence a job: a run in the future counts
    as none at all.
    """
    return [
        job
        for job in jobs
        if job.name not in ran or ran[job.name] > now or now - ran[job.name] >= job.every
    ]


def table(app: App) -> list[Job]:
    """Every job of the program."""
    return [
        Job("review", REVIEW, app.review),
        Job("pending", MINUTE, app.verify_pending, within=5 * MINUTE),
        Job("adopt", app.find_out_every, app.find_out_whose, within=5 * MINUTE),
        Job("relay", MINUTE, app.watch_relay),
        Job("room", MINUTE, app.make_room, within=5 * MINUTE),
        Job("prune", PRUNE, app.prune, within=HOUR),
        Job("sources", SOURCES, app.watch_sources),
        Job("program", SOURCES, app.watch_program),
        Job("first", FIRST, app.watch_beginnings, idle=True),
        Job("held", HELD, app.watch_held, idle=True),
        Job("watch", HOUR, app.watch, within=HOUR, idle=True),
        Job("digest", MINUTE, app.digest, within=10 * MINUTE, idle=True),
    ]


def long_table(app: App) -> list[Job]:
    """Jobs that may take minutes in a large database: the daemon gives them a thread."""
    return [Job("integrity", DAY, app.look_for_damage, within=3 * HOUR)]


def outside_table(app: App, stop: Event | None = None, beats: Beats | None = None) -> list[Job]:
    """Jobs that wait for others: DNS, policy hosts, MX hosts; the daemon gives them a thread."""

    def beat() -> None:
        if beats is not None:
            beats.beat("job checks", CHECKING)

    return [
        # First, so that the first looks of a start find what there is to look at.
        Job("inventory", app.outside.enrol_every, app.outside.enrol),
        # Before the looks, which may take half an hour.
        Job("volumes", app.outside.count_every, app.outside.count_volumes, within=15 * MINUTE),
        Job(
            "checks",
            app.outside.check_every,
            lambda _now: app.outside.check_domains(stop, beat),
            within=CHECKING,
        ),
        Job("canary", CANARY, app.outside.send_canaries, within=15 * MINUTE),
    ]


def run_due(
    jobs: Sequence[Job], app: App, beats: Beats | None = None, *, idle: bool = True
) -> None:
    """
    Run what is due now, and note that it ran, with its error if it had one.

    Args:
        idle: Whether all that waits at the sources has been read; see `Job.idle`.

    Raises:
        Temporary: The database cannot be used now; the job stays due.
    """
    now = app.clock()
    failing = app.job_errors()
    for job in due([job for job in jobs if idle or not job.idle], app.job_runs(), now):
        if beats is not None:
            beats.beat(f"job {job.name}", job.within)
        error: str | None = None
        try:
            job.do(now)
        except Temporary:
            # The store's trouble: the caller says so once, and the job stays due.
            raise
        except TlsrptError as trouble:
            error = str(trouble)
            if failing.get(job.name) != error:
                log.error("job.failed", job=job.name, error=error)
        except Exception as trouble:
            # The edge: one job's error stops no other job.
            error = f"{type(trouble).__name__}: {trouble}"
            if failing.get(job.name) != error:
                log.exception("job.failed", job=job.name)
        finally:
            if beats is not None:
                beats.forget(f"job {job.name}")
        app.save_job_run(job.name, now, error)
        if error is None and job.name in failing:
            log.info("job.recovered", job=job.name)
