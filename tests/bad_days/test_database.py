"""Databases that are damaged, moved away, or on a disk that is read-only."""

import errno
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.bad_days.disk import read_only
from tests.store.build import NOW, entry_of, report_of
from tlsrpt_mailer.errors import CannotWrite, Corrupt, Temporary, TlsrptError
from tlsrpt_mailer.store import retention
from tlsrpt_mailer.store.queries import open_queries
from tlsrpt_mailer.store.retention import backup, check
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store

PAGE = 4096
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with some hundred reports, closed as it should be."""
    path = tmp_path / "state" / "tlsrpt.db"
    with closing(open_store(path, create=True, clock=lambda: NOW)) as store:
        _put(store, 300)
    return path


def _put(store: SqliteStore, count: int, day: int = 0) -> None:
    with store.write() as txn:
        txn.put([entry_of(report_of(f"d{number}.example.com", day)) for number in range(count)])


def _zeroed_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def _wrong_file(path: Path) -> None:
    path.write_bytes(b"a letter to my mother\n" * 1000)


def _noise_in_front(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(16)
        file.write(os.urandom(4 * PAGE))


def _cut_to_a_page(path: Path) -> None:
    os.truncate(path, PAGE)


DAMAGES = [_zeroed_header, _wrong_file, _noise_in_front, _cut_to_a_page]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("create", [True, False])
def test_a_damaged_database_is_said_and_left_alone(path: Path, damage, create: bool) -> None:  # type: ignore[no-untyped-def]
    """
    Whatever happened to the file, a start says that it is damaged and how to restore it, and
    changes no byte: what can be rescued from it stays.
    """
    damage(path)
    before = path.read_bytes()

    with pytest.raises(TlsrptError, match=r"corrupt[\s\S]*restore a backup") as caught:
        open_store(path, create=create)

    assert not isinstance(caught.value, Temporary)
    assert path.read_bytes() == before


def test_an_empty_file_with_a_full_wal_is_left_alone(path: Path) -> None:
    """
    Where the file was emptied but its -wal was not, SQLite itself would delete the -wal; it
    may be all that is left.
    """
    with closing(open_store(path, create=False)) as store:
        _put(store, 100, 1)
        wal = Path(f"{path}-wal").read_bytes()
    Path(f"{path}-wal").write_bytes(wal)
    os.truncate(path, 0)

    with pytest.raises(TlsrptError, match="It is empty, but its -wal is not"):
        open_store(path, create=True)

    assert wal
    assert Path(f"{path}-wal").read_bytes() == wal


def test_damage_that_shows_while_running_is_no_mails_fault(path: Path) -> None:
    """A page that turns out to be noise is told as corrupt; every mail waits, none is blamed."""
    with closing(sqlite3.connect(path)) as conn:
        (page,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'mails'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(os.urandom(PAGE))

    with closing(open_store(path, create=False)) as store, pytest.raises(Corrupt, match="corrupt"):
        _put(store, 1, 2)

    assert issubclass(Corrupt, Temporary)


def test_a_database_cut_under_a_running_program_is_corrupt(path: Path) -> None:
    """A file that loses its end while it is open is told as damage, not as a bug of ours."""
    with closing(open_store(path, create=False)) as store:
        os.truncate(path, 3 * PAGE)

        with pytest.raises(Temporary, match="corrupt"):
            _put(store, 300, 1)


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_database_that_is_deleted_takes_no_mail(path: Path, suffix: str) -> None:
    """
    Whoever restores a backup without stopping the daemon loses nothing: what it would commit
    to a file that nobody finds again, it does not acknowledge.
    """
    with closing(open_store(path, create=False)) as store:
        _put(store, 1, 1)
        Path(f"{path}{suffix}").unlink()

        with pytest.raises(Temporary, match=r"deleted or replaced[\s\S]*restart tlsrpt-mailer"):
            _put(store, 1, 2)


def test_a_database_that_is_replaced_takes_no_mail(path: Path) -> None:
    """Likewise where another file lies in its place, such as a backup."""
    shutil.copy(path, path.with_name("backup.db"))
    with closing(open_store(path, create=False)) as store:
        path.with_name("backup.db").rename(path)

        with pytest.raises(Temporary, match="deleted or replaced"):
            _put(store, 1, 2)


@pytest.mark.servers
def test_a_closed_database_can_be_read_on_a_read_only_disk(path: Path) -> None:
    """
    After a disk was mounted read-only (or a snapshot of it), commands that only read show what
    is there, though SQLite cannot make its -shm.
    """
    with read_only(path.parent), open_queries(path) as reader:
        assert 300 == reader.mails().total


@pytest.mark.servers
def test_a_database_in_use_can_be_read_through_a_read_only_mount(path: Path) -> None:
    """
    A read-only view of a database that a daemon writes shows what it committed last, which is
    in the -wal.
    """
    with closing(open_store(path, create=False)) as store:
        _put(store, 10, 1)
        with read_only(path.parent), open_queries(path) as reader:
            assert 310 == reader.mails().total


_DYING_BACKUP = """
import os, signal, sys
from pathlib import Path
from tlsrpt_mailer.store import retention
retention._sync = lambda path: os.kill(os.getpid(), signal.SIGKILL)
retention.backup(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_backup_that_is_killed_leaves_nothing_of_that_name(path: Path, tmp_path: Path) -> None:
    """Half a copy is never taken for a backup, and does not stand in the way of the next one."""
    target = tmp_path / "night.db"
    words = [sys.executable, "-c", _DYING_BACKUP, path, target]
    done = subprocess.run(words, cwd=ROOT, check=False)
    left = sorted(one.name for one in tmp_path.glob("night*"))

    backup(path, target)

    assert (-signal.SIGKILL, ["night.db.part"]) == (done.returncode, left)
    assert ["night.db"] == [one.name for one in tmp_path.glob("night*")]
    assert [] == check(target, thorough=True)


def test_a_backup_to_a_disk_without_second_names(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On FAT and some network disks, where no file has two names, a backup is whole as well."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)

    backup(path, tmp_path / "night.db")

    assert ["night.db"] == [one.name for one in tmp_path.glob("night*")]
    assert 0o600 == stat.S_IMODE((tmp_path / "night.db").stat().st_mode)
    assert [] == check(tmp_path / "night.db")


def test_two_backups_of_one_name_do_not_overwrite_each_other(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second to be done is refused, and the first stays."""
    first = tmp_path / "night.db"
    whole = retention._sync

    def another(part: Path) -> None:
        first.write_bytes(b"another's")
        whole(part)

    monkeypatch.setattr(retention, "_sync", another)

    with pytest.raises(CannotWrite, match="exists already"):
        backup(path, first)

    assert b"another's" == first.read_bytes()
    assert ["night.db"] == [one.name for one in tmp_path.glob("night*")]
