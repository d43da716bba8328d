"""What a database that somebody tampered with can make the program do: nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.place import app_in
from tlsrpt_mailer.store.connection import open_reader, open_writer


def _tampered(folder: Path) -> Path:
    """A database in whose tables somebody put a view that loads code, and a trigger that does."""
    path = folder / "tlsrpt.db"
    with app_in(folder):
        pass
    with closing(sqlite3.connect(path)) as link:
        link.execute("CREATE VIEW evil AS SELECT load_extension('/tmp/evil.so') AS x")
        link.execute("CREATE VIEW also_evil AS SELECT readfile('/etc/passwd') AS x")
        link.commit()
    return path


def test_views_run_no_dangerous_function(tmp_path: Path) -> None:
    """Neither the reader nor the writer loads an extension, or reads a file, for the schema."""
    path = _tampered(tmp_path)
    with closing(open_reader(path)) as reader:
        links = [reader]
        writer = open_writer(path, create=False)
        with writer.reading() as conn:
            links.append(conn)
            for link in links:
                assert link.execute("PRAGMA trusted_schema").fetchone() == (0,)
                for name in ("evil", "also_evil"):
                    with pytest.raises(sqlite3.OperationalError):
                        link.execute(f"SELECT x FROM {name}").fetchall()
        writer.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """Commands that only look open the file so that SQLite itself refuses to change it."""
    with closing(open_reader(_tampered(tmp_path))) as reader:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM mails")
        with pytest.raises(sqlite3.OperationalError, match="not authorized"):
            reader.execute("SELECT load_extension('/tmp/evil.so')")
