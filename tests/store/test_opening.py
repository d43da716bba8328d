"""What must hold before a database is used, and what a person reads where it does not."""

import os
import sqlite3
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.store.build import entry_of, report_of
from tlsrpt_mailer.errors import CannotWrite, NoSuch, Temporary, TlsrptError
from tlsrpt_mailer.store.connection import open_reader
from tlsrpt_mailer.store.queries import open_queries
from tlsrpt_mailer.store.schema import migrations
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store
from tlsrpt_mailer.store.trouble import NoDatabase, NotAllowed
from tlsrpt_mailer.store.versions import NAMES

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def with_suffix(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def test_only_the_owner_may_read_any_of_the_files(store: SqliteStore, path: Path) -> None:
    """The database, its -wal and its -shm have mode 0600, whatever the umask says."""
    with store.write() as txn:
        txn.put([entry_of(report_of())])

    assert {0o600} == {mode(with_suffix(path, suffix)) for suffix in ("", "-wal", "-shm")}


def test_a_commit_is_on_the_disk_and_references_hold(store: SqliteStore) -> None:
    """WAL, synchronous=FULL and foreign keys: what was acknowledged survives a power cut."""
    with store.writer.reading() as conn:
        pragmas = [
            conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert pragmas == ["wal", 2, 1, 5000]


def test_every_table_is_strict(store: SqliteStore) -> None:
    """A number in a text column is refused, so that no bug of ours stores nonsense."""
    with store.writer.reading() as conn:
        loose = [
            name
            for name, is_strict in conn.execute(
                "SELECT name, strict FROM pragma_table_list WHERE type = 'table'"
            )
            if not is_strict and not name.startswith(("sqlite_", "_sqlite_"))
        ]

    assert loose == []


def test_the_known_versions_are_the_migrations(store: SqliteStore) -> None:
    """Commands, which do not load the migrations, know the same names as the daemon."""
    with store.writer.reading() as conn:
        applied = [name for (name,) in conn.execute("SELECT name FROM _sqlite_migrations")]

    assert list(NAMES) == applied == [one.name for one in migrations._migrations]


def test_opening_again_keeps_everything(path: Path) -> None:
    """A restart finds what was stored, and migrates nothing twice."""
    first = open_store(path, create=True)
    with first.write() as txn:
        txn.put([entry_of(report_of())])
    first.close()

    with closing(open_store(path, create=True)), open_queries(path) as reader:
        total = reader.mails().total

    assert total == 1


@pytest.mark.parametrize("opener", [open_reader, lambda path: open_store(path, create=False)])
def test_a_command_never_makes_a_database(path: Path, opener) -> None:  # type: ignore[no-untyped-def]
    """A missing database is named with its path and what to do; nothing is left in its place."""
    with pytest.raises(NoDatabase, match=f"no database at {path}\nThe daemon makes the database"):
        opener(path)

    assert list(path.parent.iterdir()) == []


def test_a_path_through_a_file_is_no_database(path: Path) -> None:
    """A folder that is a file is as good as none."""
    path.write_text("")

    with pytest.raises(NoSuch, match="no database at"):
        open_reader(path / "deeper.db")


@pytest.mark.servers
def test_who_may_not_read_is_told_so(store: SqliteStore, path: Path) -> None:
    """Not "no such database" and not an empty table: that it is not allowed, and to try sudo."""
    with as_nobody(), pytest.raises(NotAllowed, match=r"you may not read .*\nTry: sudo"):
        open_reader(path)

    assert store.path == path


@pytest.mark.servers
def test_who_may_enter_the_folder_but_not_read_is_told_so(path: Path) -> None:
    """Likewise where only the file itself is closed."""
    open_store(path, create=True).close()
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        folder.chmod(folder.stat().st_mode | 0o055)

    with as_nobody(), pytest.raises(NotAllowed, match="you may not read"):
        open_reader(path)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder, as on a disk that the kernel has mounted read-only after an error."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.servers
def test_a_disk_that_is_read_only_is_said(path: Path) -> None:
    """Root is not told to try sudo where nobody can write."""
    open_store(path, create=True).close()

    with read_only(path.parent), pytest.raises(CannotWrite, match="is mounted read-only"):
        open_store(path, create=False)


def test_a_database_that_is_locked_while_it_is_opened_is_temporary(path: Path) -> None:
    """A start beside a program that holds the file is to be tried again, not called damage."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(Temporary, match="locked by another program"):
            open_store(path, create=True, busy_seconds=0.01)


def test_a_path_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    """Any other trouble with the path comes in the words of the system."""
    with pytest.raises(Temporary, match=r"cannot look at .*: File name too long"):
        open_reader(tmp_path / ("x" * 300))


def test_a_file_that_is_no_database_keeps_every_byte(path: Path) -> None:
    """A wrong path in the configuration destroys nothing, even for the daemon."""
    path.write_bytes(b"a letter to my mother\n" * 100)

    with pytest.raises(TlsrptError, match="no SQLite database, or it is damaged") as caught:
        open_store(path, create=True)

    assert not isinstance(caught.value, Temporary)
    assert path.read_bytes() == b"a letter to my mother\n" * 100


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    """A path that names a folder is said to be one."""
    with pytest.raises(TlsrptError, match="is no file"):
        open_reader(tmp_path)


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    """Our tables are not put beside those of somebody else."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE recipes (name)")
    before = path.read_bytes()

    with pytest.raises(TlsrptError, match="of another program"):
        open_store(path, create=True)

    assert path.read_bytes() == before


@pytest.mark.parametrize("create", [True, False])
def test_a_newer_database_is_refused(path: Path, create: bool) -> None:
    """After a downgrade neither the daemon nor a command touches tables it does not know."""
    open_store(path, create=True).close()
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('tlsrpt_mailer', '0099_future', '2030-01-01')"
        )

    with pytest.raises(TlsrptError, match=r"newer tlsrpt-mailer \(it has 0099_future\)"):
        open_store(path, create=create)


@pytest.mark.parametrize("opener", [open_reader, lambda path: open_store(path, create=False)])
def test_an_older_database_wants_the_daemon(path: Path, opener) -> None:  # type: ignore[no-untyped-def]
    """Only the daemon migrates; a newer command says so, and the daemon then does it."""
    open_store(path, create=True).close()
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("DELETE FROM _sqlite_migrations")
        conn.executescript("".join(f"DROP TABLE {name};" for name in _tables(conn)))

    with pytest.raises(TlsrptError, match="Restart the daemon"):
        opener(path)
    open_store(path, create=True).close()

    opener(path).close()


def _tables(conn: sqlite3.Connection) -> list[str]:
    conn.execute("PRAGMA foreign_keys = OFF")
    return [
        name
        for (name,) in conn.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%sqlite_%'"
        )
    ]


def test_an_interrupted_first_start_is_finished_by_the_next(path: Path) -> None:
    """An empty file, as a process leaves it that was killed at once, becomes a database."""
    path.touch(0o600)

    with pytest.raises(TlsrptError, match="Restart the daemon"):
        open_reader(path)
    open_store(path, create=True).close()

    open_reader(path).close()


def test_missing_folders_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    """The first start of a user makes the state folder, closed to others."""
    path = tmp_path / "state" / "tlsrpt-mailer" / "tlsrpt.db"

    open_store(path, create=True).close()

    assert mode(path.parent) == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The text names the path, so that a slip in the configuration shows."""
    (tmp_path / "file").touch()

    with pytest.raises(CannotWrite, match=r"cannot make .*/file/tlsrpt\.db"):
        open_store(tmp_path / "file" / "tlsrpt.db", create=True)


def test_readers_cannot_write(store: SqliteStore, path: Path) -> None:
    """A command that only reads cannot change a row, whatever bug it has."""
    conn = open_reader(path)

    with closing(conn), pytest.raises(sqlite3.OperationalError, match="readonly"):
        conn.execute("DELETE FROM mails")

    assert store.data_version() >= 1


def test_a_reader_sees_what_another_process_commits(store: SqliteStore, path: Path) -> None:
    """Caches can be dropped when the data version moves, which it does for others' commits."""
    before = store.data_version()
    with closing(open_store(path, create=False)) as command, command.write() as txn:
        txn.put([entry_of(report_of())])

    assert store.data_version() != before


def test_closing_waits_for_nobody_for_ever(store: SqliteStore) -> None:
    """A stop in the middle of a commit is told so in time, and may then leave."""
    entered, leave = threading.Event(), threading.Event()

    def write() -> None:
        with store.write():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    entered.wait(10)

    closed = store.close(timeout=0.01)
    leave.set()
    thread.join(10)

    assert closed is False
    assert store.close(timeout=5) is True
