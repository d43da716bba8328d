"""An upgrade that is killed, or meets a full disk, is taken up by the next start."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.upgrade.old import VERSIONS, contents, restore, shape
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.store import connection
from tlsrpt_mailer.store.connection import open_writer
from tlsrpt_mailer.store.sqlite import open_store

ROOT = Path(__file__).resolve().parents[2]
FIRST = "nothing"
"""In place of a version: the first start, which makes the database."""


# Dies by SIGKILL as it begins the statement of that number, in a child a statement.
_DYING = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from tlsrpt_mailer.store import connection, schema
from sqlite_utils import Database

old, folder, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
class Dying(sqlite3.Connection):
    left = 0
    def begun(self, _sql):
        Dying.left -= 1
        if Dying.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
def connect(*args, **options):
    conn = real(*args, factory=Dying, **options)
    conn.set_trace_callback(conn.begun)
    return conn
real, sqlite3.connect = sqlite3.connect, connect

number, died = 0, True
while died:
    path = folder / f"{number}.db"
    if old.exists():
        shutil.copy(old, path)
    child = os.fork()
    if not child:
        Dying.left = number
        connection.open_writer(path, create=True).close()
        os._exit(0)
    died = os.waitpid(child, 0)[1] == signal.SIGKILL
    number += step
sqlite3.connect = real  # whoever measures coverage writes it into such a database at the end
"""


@pytest.mark.parametrize("version", [FIRST, *VERSIONS])
def test_an_upgrade_killed_at_any_statement_is_taken_up(tmp_path: Path, version: str) -> None:
    """
    Whichever statement the daemon is killed at, the database is as the old version left it or
    as the new one wants it, never half; the next start completes it with all that was in it.
    """
    old = tmp_path / "old.db"
    if version != FIRST:
        restore(version, old)
    done, expected = _upgraded(tmp_path, version)
    killed = tmp_path / "killed"
    killed.mkdir()
    # The first start has more statements, and nothing to lose yet.
    step = "1" if version != FIRST else "5"
    words = [sys.executable, "-c", _DYING, old, killed, step]
    subprocess.run(words, cwd=ROOT, check=True)

    left = sorted(killed.glob("*.db"), key=lambda path: int(path.stem))
    shapes = [shape(path) for path in left]
    for path in left:
        open_store(path, create=True).close()

    assert len(left) > 15
    before = shape(old) if version != FIRST else set()
    assert [one for one in shapes if one not in (before, done)] == []
    assert [path.name for path in left if contents(path) != expected] == []
    assert {frozenset(done)} == {frozenset(shape(path)) for path in left}


def _upgraded(folder: Path, version: str) -> tuple[set[tuple[str, str]], Any]:
    """The form and the contents after an upgrade that nothing disturbs."""
    path = folder / "whole.db"
    if version != FIRST:
        restore(version, path)
    open_store(path, create=True).close()
    return shape(path), contents(path)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_upgrade_that_fails_changes_nothing(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of an upgrade leaves the old tables; with room it is done."""
    path = restore(version, tmp_path / "tlsrpt.db")
    before, rows = shape(path), contents(path)
    whole = connection._migrate

    def on_a_full_disk(conn: sqlite3.Connection) -> None:
        (pages,) = conn.execute("PRAGMA page_count").fetchone()
        conn.execute(f"PRAGMA max_page_count = {pages + 2}")
        whole(conn)

    monkeypatch.setattr(connection, "_migrate", on_a_full_disk)
    with pytest.raises(Temporary, match="no space left"):
        open_writer(path, create=True)
    left = shape(path), contents(path)
    monkeypatch.undo()
    open_writer(path, create=True).close()

    assert left == (before, rows)
    assert shape(path) == _upgraded(tmp_path, version)[0]


def test_two_first_starts_at_once_make_one_database(tmp_path: Path) -> None:
    """Were the lock ever lost, two that migrate take turns and the second finds it done."""
    path = tmp_path / "tlsrpt.db"
    code = (
        "import sys; from pathlib import Path; from tlsrpt_mailer.store.sqlite import open_store;"
        "sys.stdin.readline(); open_store(Path(sys.argv[1]), create=True).close()"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT, stdin=subprocess.PIPE)
        for _ in range(2)
    ]
    for one in both:
        one.communicate(b"go\n", timeout=60)

    assert [0, 0] == [one.returncode for one in both]
    assert contents(path)["mails"] == []
