"""Disks that fail under a running daemon, or are read-only when it starts."""

import os
import resource
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.bad_days.disk import read_only, reading_fails, reads_that_fail
from tests.bad_days.lmtp import OFF, TAKEN, TEMPORARY, answer
from tests.e2e.daemon import Site, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import clean, failing, many
from tests.e2e.waiting import until

MEASURED = True

NO, CANNOT_WRITE, LATER = 1, 73, 75
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.mark.timeout(180)
def test_writes_that_fail_delay_mail(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    Where the disk refuses to be written (as with EIO; here by a limit on the size of files), mail
    is put off with 451, the text says to look at the disk, and it goes on when that is over.
    """
    site = Site(tmp_path, OFF + lmtp_source(port), sink.port)
    with running(site) as daemon:
        assert answer(port, clean(5)) == TAKEN
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        during = answer(port, failing())
        command = site.command("reports")
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, UNLIMITED)
        until(lambda: answer(port, failing()) == TAKEN, "taken again")
        sink.wait()

        assert TEMPORARY == during
        assert 0 == command.returncode
    assert 2 == site.count("reports")
    assert [("ok",)] == site.select("PRAGMA integrity_check")


@pytest.mark.servers
@pytest.mark.timeout(180)
def test_reads_that_fail_delay_mail(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    Where the disk gives no block back (EIO, put in place of each read), mail is put off with 451
    and log and commands say to look at the disk; when that reads again the mail is taken, once,
    and told.
    """
    site = Site(tmp_path, OFF + lmtp_source(port), sink.port)
    (tmp_path / "more.eml").write_bytes(clean(2, "more.example"))
    with running(site) as daemon:
        assert {TAKEN} == {answer(port, raw) for raw in many(5)}
        sink.wait()
        with reads_that_fail(daemon.pid, site.database):
            # What another process has written is not in the daemon's memory.
            imported = site.command("import", str(tmp_path / "more.eml"))
            during = answer(port, failing(domain="late.example", mx="mx.late.example"))
            daemon.wait_for_log("store.trouble")
        command = subprocess.run(
            [*reading_fails(site.database), *site.words("reports")],
            env=site.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        until(lambda: answer(port, failing(domain="late.example")) == TAKEN, "taken again")
        sink.wait(2)
        daemon.wait_for_log("store.recovered")

        assert 0 == imported.returncode
        assert TEMPORARY == during
        assert (LATER, "") == (command.returncode, command.stdout)
        assert "cannot be read or written: look at the disk" in command.stderr
        troubles = [line for line in daemon.log.splitlines() if "store.trouble" in line]
        assert [] == [line for line in troubles if "dmesg" not in line]
    assert 7 == site.count("reports WHERE status = 'counted'")
    assert [("ok",)] == site.select("PRAGMA integrity_check")


@pytest.mark.timeout(180)
def test_a_database_damaged_under_the_daemon(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    Damage that comes while the daemon runs: mails are put off, the daemon lives on and says once
    what is wrong, `status` says FAIL and corrupt; a start on such a file ends with 1 at once.
    """
    site = Site(tmp_path, OFF + lmtp_source(port), sink.port)
    with running(site) as daemon:
        assert {TAKEN} == {answer(port, raw) for raw in many(30)}
        site.command("backup", str(tmp_path / "b.db"))
        with closing(sqlite3.connect(site.database)) as conn:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with site.database.open("r+b") as file:
            size = site.database.stat().st_size
            file.write(os.urandom(size))
        said = {answer(port, clean(2, f"late{number}.example")) for number in range(3)}
        until(lambda: "store.trouble" in daemon.log, "the tick noticed")
        status = site.command("status")
        check = site.command("status", "--check")

        assert {TEMPORARY} == said
        assert daemon.process.poll() is None
        assert 1 == daemon.log.count("store.trouble work=tick"), daemon.log
        assert (NO, 2) == (status.returncode, check.returncode)
        assert "FAIL" in status.stdout
        assert "corrupt" in status.stdout
        assert "CRITICAL" in check.stdout
    before = site.database.read_bytes()
    again = site.command("run")

    assert NO == again.returncode
    assert "restore a backup" in again.stderr
    assert before == site.database.read_bytes()


@pytest.mark.timeout(180)
def test_a_restore_under_a_running_daemon_loses_no_mail(
    tmp_path: Path, sink: Sink, port: int
) -> None:
    """
    Who forgets to stop the daemon before a restore: mails are put off with 451 and the daemon
    says to restart it; it does, and finds what was restored.
    """
    site = Site(tmp_path, OFF + lmtp_source(port), sink.port)
    with running(site) as daemon:
        assert answer(port, clean(5)) == TAKEN
        site.command("backup", str(tmp_path / "b.db"))
        for suffix in ("", "-wal", "-shm"):
            Path(f"{site.database}{suffix}").unlink()
        shutil.copy(tmp_path / "b.db", site.database)

        late = answer(port, clean(4))

        assert TEMPORARY == late
        daemon.wait_for_log("systemctl restart tlsrpt-mailer")
    with running(site):
        assert answer(port, clean(4)) == TAKEN
    assert 2 == site.count("reports")
    assert [("ok",)] == site.select("PRAGMA integrity_check")


@pytest.mark.servers
def test_a_disk_that_is_read_only(tmp_path: Path, port: int) -> None:
    """
    After the kernel mounted the disk read-only: commands that read show everything, those that
    write end with 73 and say why, a pipe keeps its mail waiting; nobody is told to try sudo.
    """
    site = Site(tmp_path, OFF + lmtp_source(port))
    with running(site):
        assert answer(port, clean(5)) == TAKEN
    with read_only(site.state):
        reports = site.json("reports")
        status = site.command("status")
        backup = site.command("backup", str(tmp_path / "b.db"))
        commands = (["run"], ["once"], ["prune"], ["quarantine", "retry", "--all"])
        writing = [site.command(*words) for words in commands]
        piped = site.command("import", "-", input=clean(2).decode())

    assert 1 == len(reports)
    assert "does not run" in status.stdout
    assert "on a disk that is read-only" in " ".join(status.stdout.split())
    assert 0 == backup.returncode, backup.stderr
    assert {CANNOT_WRITE} == {one.returncode for one in writing}, [one.stderr for one in writing]
    assert all("ead-only" in one.stderr for one in writing), [one.stderr for one in writing]
    assert all("sudo" not in one.stderr for one in writing)
    assert LATER == piped.returncode
