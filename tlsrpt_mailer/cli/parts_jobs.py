"""The part of `status` that is about jobs: what failed, and what is late."""

from collections.abc import Sequence

from tlsrpt_mailer import log
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli.parts import Part
from tlsrpt_mailer.jobs import LATE
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.rows import JobRow


def jobs(ran: Sequence[JobRow], now: Time, *, runs: bool = True) -> Part:
    """
    Which jobs failed; else when each ran last, of which a person reads what is late.

    Args:
        runs: Whether a daemon does them: without one nothing has a time.
    """
    failed = [job for job in ran if job.error]
    if failed:
        what = "; ".join(f"{job.name}: {log.safe(job.error or '', 200)}" for job in failed)
        return Part("FAIL", "jobs", what)
    said = ", ".join(f"{job.name} ran {words.when(job.last_at, now)}" for job in ran)
    return Part("ok", "jobs", said or "none has run yet", brief=_on_time(ran, now, runs=runs))


def _on_time(ran: Sequence[JobRow], now: Time, *, runs: bool) -> str | None:
    known = [job for job in ran if job.name in LATE]
    if not known:
        return None
    count, last = words.plural(len(known), "job"), max(job.last_at for job in known)
    if not runs:
        return f"{count}, the last ran {words.when(last, now)}"
    late = [job for job in known if now - job.last_at > LATE[job.name]]
    said = ", ".join(f"{job.name} ran {words.when(job.last_at, now)}" for job in late)
    return f"{count}, late: {said}" if late else f"{count}, all on time"
