"""One holder, and whose hands open the database."""

import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tlsrpt_mailer.errors import CannotWrite, NoSuch, Temporary
from tlsrpt_mailer.store.lock import as_root, become_owner, hold, holder, lock_path
from tlsrpt_mailer.store.retention import backup
from tlsrpt_mailer.store.sqlite import open_store

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


def test_a_second_holder_is_told_the_pid_of_the_first(path: Path) -> None:
    """Two daemons never work on one database; the text says which process to stop."""
    lock = hold(path)

    with pytest.raises(Temporary, match=rf"\(pid {os.getpid()}\) is at work on {path}"):
        hold(path)
    found = holder(path)
    lock.release()

    assert (os.getpid(), None) == (found, holder(path))


def test_who_starts_waits_for_a_command_that_makes_the_database(path: Path) -> None:
    """The first mail of a pipe holds the lock for a moment: a daemon that starts waits for it."""
    making = hold(path)
    order: list[str] = []
    timer = threading.Timer(0.3, lambda: (order.append("made"), making.release()))
    timer.start()

    mine = hold(path)

    assert ["made"] == order, "both held it at once"
    mine.release()
    timer.join()


def test_a_released_lock_can_be_had_again(path: Path) -> None:
    """A restart finds the lock free, and releasing twice harms nobody."""
    hold(path).release()
    lock = hold(path)
    lock.release()
    lock.release()

    assert 0o600 == stat.S_IMODE(lock_path(path).stat().st_mode)


def test_the_kernel_lets_go_when_a_process_dies(path: Path) -> None:
    """After kill -9 no lock is left behind that a person must remove."""
    code = (
        "import sys; from pathlib import Path; from tlsrpt_mailer.store.lock import hold;"
        "lock = hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(Temporary, match=rf"pid {process.pid}\)"):
        hold(path)
    held_by = holder(path)
    process.kill()
    process.communicate(timeout=30)

    lock = hold(path)
    lock.release()

    assert process.pid == held_by


def test_nobody_holds_what_is_not_there(path: Path) -> None:
    """Asking makes no file."""
    assert holder(path) is None
    assert not lock_path(path).exists()


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A wrong folder is told with its path; a link in place of the lock is not followed."""
    (tmp_path / "file").touch()
    (tmp_path / "linked.db.lock").symlink_to(tmp_path / "victim")

    with pytest.raises(CannotWrite, match="cannot make"):
        hold(tmp_path / "file" / "tlsrpt.db")
    with pytest.raises(CannotWrite, match="cannot make"):
        hold(tmp_path / "linked.db")

    assert not (tmp_path / "victim").exists()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach, owned by nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        os.chown(folder, NOBODY, NOBODY)
        yield folder


@pytest.fixture
def root_again() -> Iterator[None]:
    """Whatever user a test becomes, the next one is root."""
    groups = os.getgroups()
    yield
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(groups)


def who() -> tuple[int, int, list[int]]:
    return os.geteuid(), os.getegid(), os.getgroups()


@pytest.mark.servers
@pytest.mark.usefixtures("root_again")
def test_roots_commands_leave_no_file_of_root(open_folder: Path) -> None:
    """What `sudo tlsrpt-mailer` makes belongs to the daemon's user, who could not open it else."""
    path = open_folder / "deeper" / "tlsrpt.db"
    become_owner(path)
    first = who()
    lock = hold(path)
    store = open_store(path, create=True)
    store.state.save_fact("x", "y")
    made = {file.name: file.stat().st_uid for file in path.parent.iterdir()}
    store.close()
    lock.release()
    become_owner(path)

    expected = (NOBODY, NOBODY, [NOBODY])
    names = ("tlsrpt.db", "tlsrpt.db-wal", "tlsrpt.db-shm", "tlsrpt.db.lock")
    assert (expected, expected) == (first, who())
    assert dict.fromkeys(names, NOBODY) == made


@pytest.mark.servers
@pytest.mark.usefixtures("root_again")
def test_root_can_still_read_what_it_was_given(open_folder: Path) -> None:
    """`sudo tlsrpt-mailer import /root/mails` reads the files as root, and stores as the owner."""
    secret = open_folder / "roots.eml"
    secret.touch(0o600)
    become_owner(open_folder / "tlsrpt.db")

    with pytest.raises(PermissionError):
        secret.read_bytes()
    with as_root():
        read = secret.read_bytes()

    assert b"" == read
    assert (NOBODY, NOBODY, [NOBODY]) == who()


@pytest.mark.servers
@pytest.mark.usefixtures("root_again")
def test_root_stays_root_over_its_own_database(path: Path) -> None:
    """A database of root's is opened by root."""
    before = who()
    become_owner(path)

    with as_root():
        inside = who()

    assert [before, before] == [inside, who()]


@pytest.mark.servers
@pytest.mark.usefixtures("root_again")
def test_who_is_not_root_stays_who_they_are(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For everybody else nothing changes, whoever the database belongs to."""
    os.seteuid(NOBODY)
    monkeypatch.setattr(os, "getuid", lambda: NOBODY)
    before = who()
    become_owner(path)

    with as_root():
        inside = who()

    assert [before, before] == [inside, who()]


@pytest.mark.servers
def test_a_lock_of_another_user_is_not_allowed(open_folder: Path) -> None:
    """Who may not open the lock, or enter its folder, is told to try sudo; else what cannot be."""
    path = open_folder / "tlsrpt.db"
    hold(path).release()
    os.seteuid(NOBODY)
    try:
        with pytest.raises(NoSuch, match="you may not read"):
            hold(path)
        with pytest.raises(NoSuch, match="you may not read"):
            hold(Path("/root/tlsrpt.db"))
        with pytest.raises(CannotWrite, match="cannot make"):
            hold(Path("/etc/tlsrpt.db"))
    finally:
        os.seteuid(0)


@pytest.mark.servers
@pytest.mark.usefixtures("root_again")
def test_root_gets_its_backup_where_only_root_may_write(open_folder: Path, tmp_path: Path) -> None:
    """`sudo tlsrpt-mailer backup /var/backups/…` works, and leaves no file of root behind."""
    tmp_path.chmod(0o700)
    path, copy = open_folder / "tlsrpt.db", tmp_path / "copy.db"
    become_owner(path)
    open_store(path, create=True).close()

    size = backup(path, copy)
    beside = {file.stat().st_uid for file in open_folder.iterdir()}

    with as_root():
        kept = copy.stat()
    assert (size, 0, 0o600) == (kept.st_size, kept.st_uid, stat.S_IMODE(kept.st_mode))
    assert {NOBODY} == beside
    assert (NOBODY, NOBODY, [NOBODY]) == who()
