"""
One holder: an exclusive lock beside the database, and whose hands open it.

`run` and `once` hold it for as long as they live; the kernel lets go of it when
the process ends, however it ends.
"""

import contextlib
import fcntl
import importlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.store.trouble import denied

_TRIES = 50
_WAIT_SECONDS = 0.02
"""A second in all: the first mail of a pipe makes the database in less."""


LOADED_LATE = (
    "tlsrpt_mailer.store.schema",
    "tlsrpt_mailer.store.schema.checks",
    "tlsrpt_mailer.store.schema.first",
    "tlsrpt_mailer.store.schema.people",
    "tlsrpt_mailer.store.schema.trust",
    # Threads of a pool, names of domains in U-labels, what /proc says, files of the package.
    "concurrent.futures.thread",
    "encodings.ascii",
    "encodings.idna",
    "encodings.punycode",
    "encodings.unicode_escape",
    "importlib.readers",
    "importlib.resources",
)


class HolderLock:
    """The lock, held; `release` lets go of it."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self.path = path

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes hold two files."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def lock_path(database: Path) -> Path:
    """Where the lock of *database* lies."""
    return database.with_name(database.name + ".lock")


def hold(database: Path) -> HolderLock:
    """
    Become the one process that owns *database*.

    Raises:
        Temporary: Another process is; its pid is in the text.
        CannotWrite: The lock's file cannot be made.
        NoSuch: The lock's file belongs to another user.

    """
    path = lock_path(database)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise denied(path, error) from error
    if not _lock(fd):
        pid = os.read(fd, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise Temporary(
            f"another tlsrpt-mailer (pid {pid}) is at work on {database}.\n"
            "Stop it first (systemctl stop tlsrpt-mailer), or let it do the work."
        )
    os.ftruncate(fd, 0)
    # The number is for people; on a full disk the lock is as good without it.
    with contextlib.suppress(OSError):
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return HolderLock(fd, path)


def _lock(fd: int) -> bool:
    """Take the lock; commands have it for a moment, to ask or to make the database: try again."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_WAIT_SECONDS)
        else:
            return True
    return False


def holder(database: Path) -> int | None:
    """The pid of the process that holds *database*, None where there is none."""
    try:
        fd = os.open(lock_path(database), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        digits = os.read(fd, 20).strip()
        return int(digits) if digits.isdigit() else None
    finally:
        os.close(fd)
    return None


def leaves_root(database: Path) -> bool:
    """Whether `become_owner` would change the user."""
    return os.geteuid() == 0 and _owner(database).st_uid != 0


def become_owner(database: Path) -> None:
    """
    As root, work as the user whose database this is; as anybody else, do nothing.

    Files that SQLite makes beside it then belong to the daemon's user, who could
    not open the database any more if they were root's. Only the effective user
    changes: `as_root` goes back for what only root may read. The owner is that of
    the file, or of the first folder above it that exists.
    """
    if not leaves_root(database):
        return
    owner = _owner(database)
    # Python may lie where only root may read, as in root's home: what is loaded
    # late must be loaded before.
    for module in LOADED_LATE:
        importlib.import_module(module)
    os.setgroups([owner.st_gid])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)


@contextmanager
def as_root() -> Iterator[None]:
    """Undo `become_owner` for a moment; does nothing for a process that was never root."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0 or os.getuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.seteuid(0)
    os.setegid(0)
    os.setgroups([0])
    try:
        yield
    finally:
        os.setgroups(groups)
        os.setegid(gid)
        os.seteuid(uid)


def _owner(database: Path) -> os.stat_result:
    with contextlib.suppress(OSError):
        return database.stat()
    return next(folder for folder in database.absolute().parents if folder.is_dir()).stat()
