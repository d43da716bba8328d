"""
Connections to the database: how they are opened, what must hold before one is used.

One write connection a process, guarded by a lock, so that threads take turns;
read connections cannot write at all. Only the holder of the lock
(`store.lock`) makes the file and brings the tables up to date.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tlsrpt_mailer.errors import CannotWrite, Temporary
from tlsrpt_mailer.store.trouble import (
    Damaged,
    NoDatabase,
    NotAllowed,
    OtherVersion,
    damaged_text,
    denied,
    opening,
    replaced_text,
    translated,
)
from tlsrpt_mailer.store.versions import NAMES

BUSY_SECONDS = 5.0
"""How long a writer waits for another one before it gives up."""

_CACHE_KIB = 32_768
_WAL_BYTES = 64 * 1024 * 1024
_CHECKPOINT_PAGES = 8_000
"""32 MiB. In a large store each mail touches other pages of the indexes on hashes; with SQLite's
1,000 a batch of mails would pass them, and every commit wait for a checkpoint."""


class Writer:
    """The write connection of this process; threads take turns, transactions do not nest."""

    def __init__(self, conn: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._conn = conn
        self._files = _identities(path)
        self._guard = threading.RLock()
        self._busy = False

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """
        BEGIN IMMEDIATE … COMMIT; rolled back on any exception.

        Args:
            durable: Wait for the disk. What need not outlive the machine, only this process,
                need not wait; the next durable commit brings it to the disk as well.

        Raises:
            Temporary: The database is locked, the disk is full, SQLite refuses to go on, or
                another file lies where the one that was opened lay.

        """
        with self._guard:
            if self._busy:
                raise RuntimeError("a transaction within a transaction of the same thread")
            if _identities(self.path) != self._files:
                raise Temporary(replaced_text(self.path))
            self._busy = True
            try:
                with translated(self.path):
                    yield from self._transaction("FULL" if durable else "NORMAL")
            finally:
                self._busy = False

    def _transaction(self, synchronous: str) -> Iterator[sqlite3.Connection]:
        self._conn.execute(f"PRAGMA synchronous = {synchronous}")
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            yield self._conn
            self._conn.execute("COMMIT")
        except BaseException:
            _roll_back(self._conn)
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read outside a transaction; raises Temporary as `transaction` does."""
        with self._guard, translated(self.path):
            yield self._conn

    def close(self, timeout: float = -1) -> bool:
        """Close, once no transaction is under way; False if that takes over *timeout* seconds."""
        if not self._guard.acquire(timeout=timeout):
            return False
        try:
            self._conn.close()
        finally:
            self._guard.release()
        return True


def open_writer(path: Path, *, create: bool, busy_seconds: float = BUSY_SECONDS) -> Writer:
    """
    Open the database for writing.

    Args:
        create: True only for the holder of the lock: make the file (mode 0600) where it is
            missing, and bring the tables up to date.

    Raises:
        NoSuch: It is missing (and not to be made), or this user may not read it.
        CannotWrite: It cannot be made, or its disk is read-only.
        TlsrptError: It is damaged, of another program, or of another version of this one.
        Temporary: It is locked, or the disk is full.

    """
    if create:
        _make_file(path)
    _must_be_readable(path, write=True)
    with opening(path), contextlib.ExitStack() as undo:
        conn = sqlite3.connect(
            path,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        undo.callback(conn.close)
        _prepare(conn, path, create=create)
        undo.pop_all()
    return Writer(conn, path)


def open_reader(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """
    Open the database for reading only; it is neither made nor changed.

    Raises:
        NoSuch: It is missing, or this user may not read it.
        TlsrptError: It is damaged, of another program, or of another version of this one.
        Temporary: It is locked, or the disk is in trouble.

    """
    _must_be_readable(path, write=False)
    with opening(path), contextlib.ExitStack() as undo:
        conn = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=ro{_immutable(path)}",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        undo.callback(conn.close)
        conn.execute("PRAGMA trusted_schema = OFF")
        _must_fit(conn, path, fresh_allowed=False)
        undo.pop_all()
    return conn


def _identities(path: Path) -> list[tuple[int, int] | None]:
    """
    Which files lie at *path* and beside it, as `-wal`: numbers that the kernel knows them by.

    SQLite goes on with the files it has opened when somebody moves them away or puts
    others in their place, and what it then commits is gone with them.
    """
    found: list[tuple[int, int] | None] = []
    for name in (f"{path}", f"{path}-wal"):
        try:
            status = os.stat(name)  # noqa: PTH116  at every commit, and twice as fast
        except OSError:
            found.append(None)
        else:
            found.append((status.st_dev, status.st_ino))
    return found


def _make_file(path: Path) -> None:
    """Make an empty file of mode 0600: SQLite gives -wal and -shm the mode of the database."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.path.lexists(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise denied(path, error) from error


def _must_be_readable(path: Path, *, write: bool) -> None:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NoDatabase(path) from None
    except PermissionError:
        raise NotAllowed(path) from None
    except OSError as error:
        raise Temporary(f"cannot look at {path}: {error.strerror}") from error
    if not path.is_file():
        raise Damaged(f"{path} is no file, so it cannot be the database")
    wanted = os.R_OK | (os.W_OK if write else 0)
    if os.access(path, wanted, effective_ids=True):
        return
    if write and os.statvfs(path).f_flag & os.ST_RDONLY:
        raise CannotWrite(f"{path} may not be written: its disk is mounted read-only")
    raise NotAllowed(path)


def _immutable(path: Path) -> str:
    """
    Let SQLite do without its -shm where none can be made: on a disk that is read-only.

    Only where no -wal holds anything: then nobody has it open, and the file is all there is.
    """
    is_read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return "&immutable=1" if is_read_only and not _size(f"{path}-wal") else ""


def _size(name: str) -> int:
    """How many bytes a file has, 0 where there is none."""
    try:
        return os.stat(name).st_size  # noqa: PTH116  the name is no Path
    except OSError:
        return 0


def _prepare(conn: sqlite3.Connection, path: Path, *, create: bool) -> None:
    # Ask first, change later: a file that is not ours keeps every byte.
    if not _size(str(path)) and _size(f"{path}-wal"):
        # SQLite would delete the -wal, in which everything may be.
        raise Damaged(f"{damaged_text(path)} It is empty, but its -wal is not.")
    _must_fit(conn, path, fresh_allowed=create)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute("PRAGMA trusted_schema = OFF")
    conn.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    conn.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    conn.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    if create:
        _migrate(conn)


def _must_fit(conn: sqlite3.Connection, path: Path, *, fresh_allowed: bool) -> None:
    """Raise unless the tables are those of this version (or older ones, for the lock's holder)."""
    tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema")}
    applied: set[str] = set()
    if "_sqlite_migrations" in tables:
        applied = {
            name
            for (name,) in conn.execute(
                "SELECT name FROM _sqlite_migrations WHERE migration_set = 'tlsrpt_mailer'"
            )
        }
    elif tables:
        raise Damaged(f"{path} is a database of another program. Nothing was changed in it.")
    unknown = sorted(applied - set(NAMES))
    if unknown:
        raise OtherVersion(
            f"{path} was made by a newer tlsrpt-mailer (it has {unknown[-1]}).\n"
            "Install that version again, or restore a backup from before the upgrade"
            " (docs/how-to/backup-and-upgrade.md)."
        )
    if not fresh_allowed and applied != set(NAMES):
        raise OtherVersion(
            f"{path} has the tables of an older tlsrpt-mailer.\n"
            "Restart the daemon, which brings them up to date: systemctl restart tlsrpt-mailer"
        )


def _migrate(conn: sqlite3.Connection) -> None:
    # sqlite-utils takes longer to import than most commands take to run.
    from sqlite_utils import Database  # noqa: PLC0415

    from tlsrpt_mailer.store.schema import migrations  # noqa: PLC0415

    # All of them or none, and IMMEDIATE: what is read of the old tables stays as it is.
    conn.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(Database(conn, execute_plugins=False))
        conn.execute("COMMIT")
    except BaseException:
        _roll_back(conn)
        raise


def _roll_back(conn: sqlite3.Connection) -> None:
    """Roll back, if SQLite has not done so by itself, as it does when the disk is full."""
    if conn.in_transaction:
        # A second error must not hide the first.
        with contextlib.suppress(sqlite3.Error):
            conn.execute("ROLLBACK")
