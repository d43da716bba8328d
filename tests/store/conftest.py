"""Databases as the daemon opens them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.build import NOW
from tlsrpt_mailer.store.queries import Reader, open_queries
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of a test lies."""
    return tmp_path / "tlsrpt.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """The database, open for writing."""
    with_tables = open_store(path, create=True, clock=lambda: NOW)
    yield with_tables
    with_tables.close()


@pytest.fixture
def reader(store: SqliteStore, path: Path) -> Iterator[Reader]:
    """The same database, as a command reads it."""
    with open_queries(path) as opened:
        yield opened


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for little."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)
