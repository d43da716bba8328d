"""
The table of jobs. What is due is a pure function of when each ran last and now.

apscheduler only wakes `tick` every few seconds (``daemon``); a job that raises
is logged, noted in ``job_runs`` and tried again when it is due the next time.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tlsrpt_mailer.report.times import DAY, MINUTE, Span, Time


class Job(msgspec.Struct, frozen=True):
    """Something that is done again and again."""

    name: str
    every: Span
    """From one run to the next; 0 for at each tick."""
    do: Callable[[Time], object]
    within: Span = 60
    """How long it may take before the watchdog counts it as hung."""


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


REVIEW: Span = 5 * MINUTE
PRUNE: Span = DAY
