"""
Disks that are full, of bytes or of files: mails wait where they are, and nothing is lost.
"""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.bad_days.disk import Disk, small_disk
from tests.bad_days.lmtp import OFF, TAKEN, answer
from tests.e2e.daemon import Site, imap_source, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import clean, failing, many
from tests.e2e.waiting import PATIENCE, until
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.store.build import NOW, entry_of, report_of
from tests.upgrade.old import VERSIONS, Rows, contents, restore
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.report.times import DAY
from tlsrpt_mailer.store.queries import open_queries
from tlsrpt_mailer.store.retention import Keep, check, prune
from tlsrpt_mailer.store.sqlite import open_store

MEASURED = True

pytestmark = pytest.mark.servers

DONE, CANNOT_WRITE, LATER = 0, 73, 75


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Where the database will lie."""
    with small_disk(tmp_path / "state") as it:
        yield it


def fill_up(port: int, disk: Disk, reports: Sequence[bytes]) -> int:
    """Fill the disk and send reports until one is put off; how many were taken."""
    disk.fill()
    for number, raw in enumerate(reports):
        if answer(port, raw) != TAKEN:
            return number
    raise AssertionError("the disk is not full")


class Maildir:
    """A Maildir that an MTA delivers to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("tmp", "new", "cur"):
            (folder / name).mkdir(parents=True)

    def put(self, name: str, raw: bytes) -> None:
        (self.folder / "tmp" / name).write_bytes(raw)
        (self.folder / "tmp" / name).rename(self.folder / "new" / name)

    def there(self, name: str) -> list[str]:
        return sorted(path.name for path in (self.folder / name).iterdir())

    @property
    def source(self) -> str:
        return f'[[source]]\nkind = "maildir"\npath = "{self.folder}"\npoll = "1s"\n'


@pytest.mark.timeout(240)
def test_a_full_disk_loses_nothing_from_any_source(
    tmp_path: Path, disk: Disk, sink: Sink, port: int, dovecot: Dovecot
) -> None:
    """
    While the disk is full LMTP answers 451, a pipe 75, and mails stay in the Maildir and the
    mailbox; with room again all of them are taken without a restart, each once, and the alert
    about a failure among them goes out. The log says once that the disk is full, and once that
    it is over.
    """
    maildir = Maildir(tmp_path / "box")
    dovecot.put("full", [])
    imap = imap_source(dovecot.port, "full", 'after = "move"\n')
    site = Site(tmp_path, OFF + lmtp_source(port) + maildir.source + imap, sink.port)
    reports = many(1000)
    with running(site, PASSWORD=PASSWORD) as daemon:
        assert answer(port, reports[0]) == TAKEN
        taken = 1 + fill_up(port, disk, reports[1:])
        late = [failing(1, f"{name}.example", f"mx.{name}.example") for name in ("maildir", "imap")]
        maildir.put("late", late[0])
        dovecot.put("full", late[1:])
        piped = _pipe(site, failing(1, "pipe.example", "mx.pipe.example"))
        until(lambda: daemon.log.count("source.connected") >= 2, "the mailbox was tried twice")
        stored = site.count("reports")
        left = maildir.there("new"), dovecot.bodies("full")

        disk.empty()
        until(lambda: answer(port, reports[taken]) == TAKEN, "room again")
        again = _pipe(site, failing(1, "pipe.example", "mx.pipe.example"))
        until(lambda: not maildir.there("new"), "the Maildir was read", 2 * PATIENCE)
        until(lambda: dovecot.bodies("full") == [], "the mailbox was read", 2 * PATIENCE)
        domains = {"maildir.example", "imap.example", "pipe.example"}
        until(lambda: domains <= _told(sink), "the alerts", 2 * PATIENCE)
        until(lambda: _trouble(daemon.log) == _recovered(daemon.log), "the end of it is said")
        log = daemon.log

    assert (LATER, DONE) == (piped, again)
    assert stored == taken
    assert left[0] == ["late"]
    assert len(left[1]) == 1
    assert site.count("reports") == taken + 4
    assert site.select("PRAGMA integrity_check") == [("ok",)]
    assert [] == [work for work, times in _trouble(log).items() if times > 1]


def _pipe(site: Site, raw: bytes) -> int:
    done = subprocess.run(
        site.words("import", "-"), env=site.environment(), input=raw, check=False, timeout=PATIENCE
    )
    return done.returncode


def _told(sink: Sink) -> set[str]:
    """The domains that alerts named."""
    lines = [line for mail in sink.mails for line in mail.get_all("X-TLSRPT-Mailer", [])]
    words = [word.strip() for line in lines for word in str(line).split(";")]
    return {word.removeprefix("domain=") for word in words if word.startswith("domain=")}


def _trouble(log: str) -> Counter[str]:
    """How often the log says of each work of the store that it cannot be done."""
    return Counter(re.findall(r"store\.trouble +work=(\S+)", log))


def _recovered(log: str) -> Counter[str]:
    """How often it says that it can be done again."""
    return Counter(re.findall(r"store\.recovered +work=(\S+)", log))


def test_a_start_on_a_full_disk_is_tried_again(tmp_path: Path, disk: Disk) -> None:
    """
    A daemon that finds no room for its database ends with 75 and says what to do; systemd starts
    it again. Nothing half is left that stands in the way when there is room.
    """
    site = Site(tmp_path, OFF)
    disk.fill()

    first = site.command("run")
    disk.empty()
    second = site.command("once")

    assert LATER == first.returncode
    assert "no space left" in first.stderr
    assert "df " in first.stderr
    assert "Traceback" not in first.stderr
    assert DONE == second.returncode, second.stderr


def test_a_restart_on_a_full_disk(tmp_path: Path, disk: Disk, port: int) -> None:
    """
    Where the disk filled up while the daemon was down, commands and the daemon say so in plain
    words, with 75; what was there is there when there is room again.
    """
    site = Site(tmp_path, OFF + lmtp_source(port))
    with running(site):
        assert answer(port, clean(1)) == TAKEN
    disk.fill()

    said = [site.command(*words) for words in (["reports"], ["prune"], ["once"], ["status"])]
    piped = _pipe(site, clean(2))
    disk.empty()

    assert [LATER] * 4 == [one.returncode for one in said], [one.stderr for one in said]
    assert all("no space left" in one.stderr for one in said), [one.stderr for one in said]
    assert LATER == piped
    assert DONE == _pipe(site, clean(2))
    assert 2 == site.count("reports")


def test_an_upgrade_on_a_full_disk_changes_nothing(tmp_path: Path, sink: Sink) -> None:
    """An upgrade that finds no room leaves the old database whole, and is done when it can be."""
    with small_disk(tmp_path / "state", "size=900k") as disk:
        site = Site(tmp_path, OFF, sink.port)
        restore(VERSIONS[0], site.database)
        before = contents(site.database)
        disk.fill()

        first = site.command("once")
        left = contents_on_full_disk(disk, site.database)
        disk.empty()
        second = site.command("once")

        assert (LATER, DONE) == (first.returncode, second.returncode), second.stderr
        assert "no space left" in first.stderr
        assert before == left


def contents_on_full_disk(disk: Disk, database: Path) -> Rows:
    """What a copy elsewhere holds."""
    for name in disk.names:
        shutil.copy(disk.folder / name, database.parent.parent)
    return contents(database.parent.parent / database.name)


def test_a_checkpoint_on_a_full_disk_loses_nothing(disk: Disk) -> None:
    """
    What is committed stands in the -wal; where there is no room to write it into the database,
    it stays there, can be read, and is written when there is room, after a restart too.
    """
    path = disk.folder / "tlsrpt.db"
    with closing(open_store(path, create=True)) as store:
        with store.writer.reading() as conn:
            conn.execute("PRAGMA wal_autocheckpoint = 0")
        for day in range(5):
            with store.write() as txn:
                txn.put([entry_of(report_of(f"d{n}.example.com", day)) for n in range(100)])
        disk.fill()
        with pytest.raises(Temporary, match="no space left"), store.writer.reading() as conn:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open_queries(path) as reader:
            while_full = reader.mails().total
    left = disk.names
    disk.empty()

    with closing(open_store(path, create=True)) as store, open_queries(path) as reader:
        assert (500, 500) == (while_full, reader.mails().total)
    assert "tlsrpt.db-wal" in left
    assert [] == check(path, thorough=True)


def test_a_backup_to_a_full_disk_leaves_no_half_file(tmp_path: Path, disk: Disk, port: int) -> None:
    """`backup` ends with 73 and says why; no file is left that looks like a backup."""
    site = Site(tmp_path, OFF + lmtp_source(port))
    with running(site), small_disk(tmp_path / "backups", "size=100k") as target:
        assert answer(port, clean(1)) == TAKEN

        failed = site.command("backup", str(target.folder / "b.db"))
        left = target.names

    assert CANNOT_WRITE == failed.returncode
    assert "cannot write" in failed.stderr
    assert "full" in failed.stderr
    assert set() == left
    assert {"tlsrpt.db", "tlsrpt.db.lock"} == disk.names


def test_prune_on_a_full_disk_is_tried_again(tmp_path: Path) -> None:
    """Deleting needs room as well; it is said so, nothing is half deleted, and it goes on later."""
    path, later = tmp_path / "state" / "tlsrpt.db", NOW + 500 * DAY
    with (
        small_disk(path.parent, "size=16m") as disk,
        closing(open_store(path, create=True, clock=lambda: NOW)) as store,
    ):
        with store.write() as txn:
            txn.put([entry_of(report_of(f"d{n}.example.com")) for n in range(400)])
        disk.fill()
        with pytest.raises(Temporary, match="no space left"):
            prune(store.writer, later, Keep())
        with open_queries(path) as reader:
            left = reader.reports().total
        sound = check(path, thorough=True)
        disk.empty()

        pruned = prune(store.writer, later, Keep())

        assert (left, 400) == (pruned.reports, left)
        assert [] == sound == check(path, thorough=True)


def test_a_disk_without_room_for_another_file(tmp_path: Path, port: int, sink: Sink) -> None:
    """
    With the inode table full a running daemon goes on, for it has its files; one that starts says
    what to look at (`df -i`) and ends with 75.
    """
    with small_disk(tmp_path / "state", "size=8m,nr_inodes=12") as disk:
        site = Site(tmp_path, OFF + lmtp_source(port), sink.port)
        with running(site):
            disk.fill_inodes()
            answers = [answer(port, raw) for raw in [failing(), *many(20)]]
            sink.wait()
        site.database.with_name("tlsrpt.db.lock").unlink()
        disk.fill_inodes()  # a daemon that ends deletes its -wal and -shm

        said = [site.command(*words) for words in (["run"], ["reports"])]
        piped = _pipe(site, clean(9))
        disk.empty()

        assert {TAKEN} == set(answers)
        assert [LATER, LATER, LATER] == [*(one.returncode for one in said), piped]
        assert all("df -i" in one.stderr for one in said), [one.stderr for one in said]
        assert 21 == site.count("reports")


def test_a_log_that_cannot_be_written_costs_no_mail(tmp_path: Path, sink: Sink, port: int) -> None:
    """Where standard error is a file on a full disk, lines are lost, and nothing else is."""
    site = Site(tmp_path, OFF + lmtp_source(port), sink.port)
    deaf = ["sh", "-c", 'exec "$@" 2>/dev/full', "sh"]
    with running(site, deaf) as daemon:
        answers = [answer(port, raw) for raw in (failing(), clean(2), b"no report")]
        sink.wait()

        assert [TAKEN] * 3 == answers
        assert (0, True) == (daemon.stop()[0], daemon.log == "")
    assert 2 == site.count("reports")
