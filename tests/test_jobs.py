"""Which jobs are due: a pure function of when each ran, and now."""

from tlsrpt_mailer.jobs import Job, due


def test_a_job_is_due_when_its_time_has_come() -> None:
    """Never run, or run long enough ago: due; else not."""
    jobs = [Job("never", 10, print), Job("ago", 10, print), Job("just", 10, print)]

    assert ["never", "ago"] == [job.name for job in due(jobs, {"ago": 90, "just": 91}, 100)]


def test_a_clock_set_back_silences_no_job() -> None:
    """A run that lies in the future counts as none."""
    assert ["job"] == [job.name for job in due([Job("job", 10, print)], {"job": 5000}, 100)]
