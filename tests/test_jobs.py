"""Which jobs are due, and what becomes of one that fails."""

from pathlib import Path

import pytest

from tests.place import app_in
from tlsrpt_mailer.daemon import tick
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.flows.health import Beats, SourceState
from tlsrpt_mailer.jobs import LATE, Job, due, long_table, outside_table, run_due, table
from tlsrpt_mailer.report.times import Time

NOW: Time = 1_791_979_200


def test_a_job_is_due_when_its_time_has_come() -> None:
    """Never run, or run long enough ago: due; else not."""
    jobs = [Job("never", 10, print), Job("ago", 10, print), Job("just", 10, print)]

    assert ["never", "ago"] == [job.name for job in due(jobs, {"ago": 90, "just": 91}, 100)]


def test_a_clock_set_back_silences_no_job() -> None:
    """A run that lies in the future counts as none."""
    assert ["job"] == [job.name for job in due([Job("job", 10, print)], {"job": 5000}, 100)]


def test_one_jobs_error_stops_no_other_and_is_kept(tmp_path: Path) -> None:
    """`status` can name the error; the job is tried again when it is due the next time."""
    done: list[Time] = []

    def fail(_now: Time) -> None:
        raise ValueError("a bug")

    with app_in(tmp_path, now=NOW) as app:
        run_due([Job("bad", 10, fail), Job("good", 10, done.append)], app, Beats(lambda: 0.0))
        run_due([Job("bad", 10, fail)], app)

        assert [NOW] == done
        assert {"bad": NOW, "good": NOW} == dict(app.job_runs())


def test_a_job_that_the_database_hinders_stays_due(tmp_path: Path) -> None:
    """A full disk at the hour of a job delays it; it is not skipped for a day."""

    def hindered(_now: Time) -> None:
        raise Temporary("no space left")

    with app_in(tmp_path, now=NOW) as app:
        with pytest.raises(Temporary):
            run_due([Job("prune", 10, hindered)], app, Beats(lambda: 0.0))

        assert {} == dict(app.job_runs())


def test_what_needs_all_reports_waits_for_them(tmp_path: Path) -> None:
    """While a source starts or works through a backlog, nobody is called silent."""
    ready = SourceState("imap:box", state="ok")
    starting = SourceState("imap:box")
    busy = SourceState("imap:box", state="ok", backlog=9, backlog_since=NOW)
    waiting = {"watch", "first", "held", "digest"}

    with app_in(tmp_path, now=NOW) as app:
        tick(app, [starting])
        first = set(app.job_runs())
        tick(app, [ready, busy])
        second = set(app.job_runs())
        tick(app, [ready])

        assert set() == waiting & first == waiting & second
        assert waiting <= set(app.job_runs())
        assert "sources" in first


def test_of_every_job_it_is_known_when_it_is_late(tmp_path: Path) -> None:
    """`status` names no job that is on time, and forgets none."""
    with app_in(tmp_path, now=NOW) as app:
        tables = [*table(app), *outside_table(app), *long_table(app)]

    assert {job.name for job in tables} == set(LATE)
    assert all(job.every < LATE[job.name] for job in tables)


def test_every_job_of_the_table_runs_on_an_empty_store(tmp_path: Path) -> None:
    """The first tick of a new installation does all there is to do."""
    with app_in(tmp_path, now=NOW) as app:
        run_due(table(app), app)

        assert {job.name for job in table(app)} == set(app.job_runs())
