"""A real daemon whose clock is set while it runs, by libfaketime; real time goes on beside it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apscheduler.job import Job

from tests.e2e.conftest import port, sink
from tests.e2e.daemon import Site, deliver, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import failing
from tests.trouble.host import failing as failing_at
from tlsrpt_mailer.daemon.scheduling import Every

__all__ = ["port", "sink"]

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


def job_runs(site: Site) -> int:
    return max((row[0] for row in site.select("SELECT last_at FROM job_runs")), default=0)


@pytest.mark.servers
@pytest.mark.timeout(120)
def test_a_daemon_whose_clock_is_set_lives_on(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    Ahead by 400 days, back, and back by 400 more: each time the daemon ticks on within
    seconds, takes mail and alerts, drops nothing, and ends within two seconds.
    """
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    site = Site(tmp_path, lmtp_source(port), sink.port)
    fake = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with running(site, **fake) as one:
        deliver(port, [failing()])
        sink.wait()
        for number, (offset, event) in enumerate(
            [("+400d", "clock.jumped"), ("+0", "clock.settled"), ("-400d", "clock.jumped")]
        ):
            clock.write_text(f"{offset}\n")
            one.wait_for_log(event, times=1 + number // 2)
            deliver(port, [failing_at(f"n{number}.example", 1_791_979_200)])
        memory = int(Path(f"/proc/{one.pid}/status").read_text().split("VmHWM:")[1].split()[0])
        code, seconds = one.stop()

    with closing(sqlite3.connect(site.database)) as conn:
        (count,) = conn.execute("SELECT count(*) FROM reports").fetchone()
    assert (0, 4) == (code, count)
    assert seconds < 2
    assert memory < 150_000


def test_a_jump_ahead_is_one_run(tmp_path: Path) -> None:
    """Not one for every two seconds of the year that was jumped over."""
    trigger = Every(2)
    now = datetime(2027, 11, 24, tzinfo=UTC)
    job = Job.__new__(Job)
    object.__setattr__(job, "trigger", trigger)
    object.__setattr__(job, "next_run_time", now - timedelta(days=365))

    assert 1 == len(job._get_run_times(now))
    assert now + timedelta(seconds=2) == trigger.get_next_fire_time(None, now)
