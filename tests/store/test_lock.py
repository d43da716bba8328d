"""One holder, and whose hands open the database."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tlsrpt_mailer.errors import CannotWrite, NoSuch, Temporary
from tlsrpt_mailer.store.lock import hold, holder, lock_path

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


_AS_OWNER = """
import os, sys
from pathlib import Path
from tlsrpt_mailer.store.lock import as_root, become_owner, hold
from tlsrpt_mailer.store.sqlite import open_store
path = Path(sys.argv[1])
become_owner(path)
lock = hold(path)
store = open_store(path, create=True)
store.state.save_fact("x", "y")
inside = os.geteuid(), os.getegid(), os.getgroups()
with as_root():
    again = os.geteuid(), len(Path("/etc/shadow").read_bytes()) > 0
become_owner(path)
print([inside, again, (os.geteuid(), os.getegid(), os.getgroups())])
sys.stdout.flush()
os.kill(os.getpid(), 9)
"""


@pytest.mark.servers
def test_roots_commands_leave_no_file_of_root(open_folder: Path) -> None:
    """What `sudo tlsrpt-mailer` makes belongs to the daemon's user, who could not open it else."""
    path = open_folder / "tlsrpt.db"
    done = subprocess.run(
        [sys.executable, "-c", _AS_OWNER, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    expected = (NOBODY, NOBODY, [NOBODY])
    assert str([expected, (0, True), expected]) == done.stdout.strip()
    assert {"tlsrpt.db", "tlsrpt.db-wal", "tlsrpt.db-shm", "tlsrpt.db.lock"} == {
        file.name for file in open_folder.iterdir()
    }
    assert {NOBODY} == {file.stat().st_uid for file in open_folder.iterdir()}


@pytest.mark.servers
def test_root_stays_root_over_its_own_database(path: Path) -> None:
    """A database of root's is opened by root; and whoever is not root changes nothing."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from tlsrpt_mailer.store.lock import as_root, become_owner\n"
        "become_owner(Path(sys.argv[1])); a = os.geteuid()\n"
        "with as_root(): pass\n"
        "os.setresuid(65534, 65534, 65534); become_owner(Path(sys.argv[1]))\n"
        "with as_root(): print(a, os.geteuid())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"0 {NOBODY}" == done.stdout.strip()


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
