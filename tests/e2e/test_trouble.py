"""Trouble of ours: a locked database, a full disk, servers that are away."""

import smtplib
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.daemon import (
    RECIPIENT,
    SENDER,
    Site,
    deliver,
    free_port,
    imap_source,
    lmtp_source,
    running,
)
from tests.e2e.sink import Sink
from tests.e2e.stories import clean, failing, many
from tests.e2e.waiting import PATIENCE, until

MEASURED = True

TEMPORARY = 451


def _answer(port: int, raw: bytes) -> int:
    """What LMTP says to a mail: 250, or the code of its refusal."""
    with smtplib.LMTP("127.0.0.1", port, timeout=2 * PATIENCE) as client:
        try:
            client.sendmail(SENDER, RECIPIENT, raw)
        except smtplib.SMTPDataError as refusal:
            return refusal.smtp_code
        except smtplib.SMTPRecipientsRefused as refusal:
            return next(iter(refusal.recipients.values()))[0]
    return 250


@pytest.mark.timeout(180)
def test_a_locked_database_delays_mail(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    While another program holds the database locked, mail is put off with 451 and the daemon
    lives on; as soon as the lock is gone, it is taken.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        with closing(sqlite3.connect(site.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            assert _answer(port, failing()) == TEMPORARY
            other.execute("ROLLBACK")
        assert _answer(port, failing()) == 250
        sink.wait()
        assert daemon.process.poll() is None
    assert site.count("reports") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for two MiB."""
    folder = tmp_path / "state"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.servers
def test_a_full_disk_delays_mail(tmp_path: Path, sink: Sink, port: int, small_disk: Path) -> None:
    """
    When the disk is full, mail is put off with 451, reading commands work, and `status` says
    what is wrong; when there is room again, everything is taken, and nothing is broken.
    """
    (small_disk / "ballast").write_bytes(b"x" * 900_000)
    site = Site(tmp_path, lmtp_source(port), sink.port)
    reports = many(2000)
    with running(site) as daemon:
        answers = [_answer(port, reports[0])]
        while answers[-1] == 250 and len(answers) < len(reports):
            answers.append(_answer(port, reports[len(answers)]))

        assert answers[-1] == TEMPORARY
        assert site.command("reports").returncode == 0
        (small_disk / "ballast").unlink()
        until(lambda: _answer(port, reports[len(answers) - 1]) == 250, "room again")
        assert daemon.process.poll() is None
    assert site.count("reports") == len(answers)
    assert site.select("PRAGMA integrity_check") == [("ok",)]


def test_status_names_a_source_that_does_not_work(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    `status` exits with 1 and puts the mailbox that cannot be reached first; it exits with 0
    when every part works.
    """
    site = Site(tmp_path, lmtp_source(port) + imap_source(free_port(), "ana"), sink.port)
    with running(site, PASSWORD="secret") as daemon:
        daemon.wait_for_status("imap:ana")
        until(lambda: site.count("sources WHERE state = 'trouble'") == 1, "the trouble noted")
        bad = site.command("status")
        site.configure(lmtp_source(port), sink.port)
        daemon.reload()
        until(lambda: site.command("status").returncode == 0, "a good status")

    assert bad.returncode == 1
    assert "FAIL" in bad.stdout
    assert bad.stdout.index("ana@127.0.0.1") < bad.stdout.index("lmtp")


@pytest.mark.servers
def test_a_mailbox_in_trouble_holds_up_nobody_else(tmp_path: Path, sink: Sink, port: int) -> None:
    """With one source out of reach the others are read and alerted as ever."""
    site = Site(tmp_path, imap_source(free_port(), "ana") + lmtp_source(port), sink.port)
    with running(site, PASSWORD="secret"):
        deliver(port, [clean(2), failing()])

        sink.wait()
