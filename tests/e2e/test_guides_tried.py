"""What the guides tell people to do, done."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.daemon import Site, deliver, imap_source, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import clean, failing
from tests.e2e.waiting import until
from tests.servers.dovecot import PASSWORD, Dovecot


def _restore(site: Site, copy: Path) -> None:
    """docs/how-to/backup-and-upgrade.md: the old files away, the copy in their place."""
    for ending in ("", "-wal", "-shm"):
        site.database.with_name(site.database.name + ending).unlink(missing_ok=True)
    shutil.copy(copy, site.database)
    site.database.chmod(0o600)


def test_a_restored_backup_goes_on(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    A copy made while the daemon ran, put back after the disk was lost: the daemon starts on
    it, knows what it knew, does not tell it again, and takes new reports.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    copy = tmp_path / "copy.db"
    with running(site) as daemon:
        deliver(port, [failing()])
        sink.wait()
        daemon.wait_for_log("alert.sent")
        assert site.command("backup", str(copy)).returncode == 0
        deliver(port, [clean(2)])

    _restore(site, copy)
    with running(site) as daemon:
        assert site.count("reports") == 1
        deliver(port, [clean(2), failing()])
        daemon.stop()

    assert site.count("reports") == 2
    assert len(sink.taken) == 1


@pytest.mark.servers
def test_what_the_backup_lacks_is_read_again(tmp_path: Path, sink: Sink, dovecot: Dovecot) -> None:
    """
    Mails that were moved to the done folder after the backup come back with a second source
    that reads that folder; those that the backup has count once.
    """
    inbox = imap_source(dovecot.port, "restored", 'after = "move"\n')
    done = imap_source(dovecot.port, "restored", 'folder = "TLSRPT/Done"\n')
    site = Site(tmp_path, inbox, sink.port)
    copy = tmp_path / "copy.db"
    dovecot.put("restored", [clean(2), clean(3)])
    with running(site, PASSWORD=PASSWORD):
        site.wait_for("reports", 2)
        assert site.command("backup", str(copy)).returncode == 0
        dovecot.put("restored", [clean(4)])
        until(lambda: len(dovecot.bodies("restored", "TLSRPT/Done")) == 3, "three done mails")

    _restore(site, copy)
    site.configure(inbox + done, sink.port)
    with running(site, PASSWORD=PASSWORD):
        site.wait_for("reports", 3)

    assert site.count("reports WHERE status = 'counted'") == 3


@pytest.mark.servers
def test_beside_another_reader_of_the_mailbox(tmp_path: Path, sink: Sink, dovecot: Dovecot) -> None:
    """
    Another program moves mails from the inbox to an archive while this one reads both: each
    report counts once, wherever it was seen, and this program changes neither folder.
    """
    inbox = imap_source(dovecot.port, "shared")
    archive = imap_source(dovecot.port, "shared", 'folder = "Archive/SMTP-TLS"\n')
    dovecot.put("shared", [clean(2), clean(3)])
    with dovecot.client("shared") as other:
        other.create_folder("Archive/SMTP-TLS")
        other.select_folder("INBOX")
        other.move([1], "Archive/SMTP-TLS")
        site = Site(tmp_path, inbox + archive, sink.port)
        with running(site, PASSWORD=PASSWORD) as daemon:
            site.wait_for("reports", 2)
            other.append("INBOX", failing())
            sink.wait()
            other.move([2, 3], "Archive/SMTP-TLS")
            daemon.wait_for_log("outcome=duplicate", 2)

    assert site.count("reports") == 3
    assert len(sink.taken) == 1
    assert dovecot.flags("shared", "Archive/SMTP-TLS") == [(), (), ()]
