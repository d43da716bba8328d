"""One daemon a database, and commands beside it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.daemon import Site, deliver, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import clean, failing, many

MEASURED = True

TRY_AGAIN = 75


@pytest.mark.parametrize("command", ["run", "once"])
def test_a_second_one_gives_way(tmp_path: Path, sink: Sink, port: int, command: str) -> None:
    """
    A second `run` or `once` on the same database ends at once with 75 and names the process
    that has it; the first one is not disturbed.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        second = site.command(command)

        assert second.returncode == TRY_AGAIN
        assert str(daemon.pid) in second.stderr
        assert "Traceback" not in second.stderr
        deliver(port, [clean(1)])
        assert site.count("reports") == 1


def test_the_lock_of_a_killed_daemon_is_free(tmp_path: Path, sink: Sink, port: int) -> None:
    """After `kill -9` the next start needs no hand: no stale lock stands in its way."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        daemon.kill()

    with running(site) as daemon:
        assert daemon.process.poll() is None


def test_commands_answer_beside_the_daemon(tmp_path: Path, sink: Sink, port: int) -> None:
    """Every command that reads shows what the running daemon has stored by now."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site):
        deliver(port, [clean(2), failing()])
        sink.wait()

        (failure,) = site.json("failures")
        assert failure["policy_domain"] == "example.com"
        assert failure["result_type"] == "certificate-expired"
        assert len(site.json("reports")) == 2
        assert site.json("alerts", "list")[0]["recipient"] == "postmaster@example.com"
        status = site.command("status")
        assert status.returncode == 0, status.stdout + status.stderr


def test_imports_beside_a_busy_daemon(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    Files imported while mail comes in over LMTP: both get through, the database is never
    "locked", and a report that comes both ways counts once.
    """
    reports = many(300)
    folder = tmp_path / "files"
    folder.mkdir()
    for number, raw in enumerate(reports[:200]):
        (folder / f"{number}.eml").write_bytes(raw)
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        imported = site.start("import", "--json", str(folder))
        deliver(port, reports[100:])
        out, errors = imported.communicate(timeout=60)

        assert imported.returncode == 0, errors
        counts = json.loads(out)
        assert counts["failed"] == 0
        assert site.count("reports WHERE status = 'counted'") == 300
        assert "locked" not in daemon.log


def test_a_backup_beside_the_daemon(tmp_path: Path, sink: Sink, port: int) -> None:
    """`backup` writes a whole database while the daemon runs, and refuses to overwrite one."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    copy = tmp_path / "backup.db"
    with running(site):
        deliver(port, many(50))

        first = site.command("backup", str(copy))
        second = site.command("backup", str(copy))

    assert first.returncode == 0, first.stderr
    assert second.returncode != 0
    with closing(sqlite3.connect(copy)) as link:
        assert link.execute("SELECT count(*) FROM reports").fetchone() == (50,)
        assert link.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.stat().st_mode & 0o077 == 0


def test_commands_without_a_database(tmp_path: Path) -> None:
    """
    Where no daemon has ever run, a command says where it looked and makes no database; it
    never shows an empty table.
    """
    site = Site(tmp_path)

    answers = [site.command(word) for word in ("failures", "reports", "status")]

    assert [answer.returncode for answer in answers] == [1, 1, 1]
    assert all(str(site.database) in answer.stderr for answer in answers)
    assert not site.database.exists()
