"""Databases as older versions left them, from the dumps that `fill` made."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
VERSIONS = tuple(sorted(path.name.removesuffix(".sql.gz") for path in FOLDER.glob("*.sql.gz")))
"""By the name of their last migration."""

Rows = dict[str, list[dict[str, Any]]]


def restore(version: str, database: Path) -> Path:
    """Make *database* as *version* left it."""
    with closing(sqlite3.connect(database)) as conn:
        conn.executescript(gzip.decompress((FOLDER / f"{version}.sql.gz").read_bytes()).decode())
    return database


def contents(database: Path) -> Rows:
    """Every row of every table of ours, in an order that does not depend on the file."""
    with closing(sqlite3.connect(database)) as conn:
        conn.row_factory = sqlite3.Row
        tables = [
            str(name)
            for (name,) in conn.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%'"
                " ESCAPE '\\' AND name <> 'sqlite_sequence' ORDER BY name"
            )
        ]
        return {
            table: sorted((dict(row) for row in conn.execute(f"SELECT * FROM {table}")), key=repr)
            for table in tables
        }


def shape(database: Path) -> set[tuple[str, str]]:
    """Every table with its columns, and every index, whatever the order they were made in."""
    with closing(sqlite3.connect(database)) as conn:
        found = {
            (str(table), repr(tuple(column)[1:]))
            for (table,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            for column in conn.execute(f"PRAGMA table_xinfo({table})")
        }
        return found | {
            (str(name), str(sql))
            for name, sql in conn.execute("SELECT name, sql FROM sqlite_schema")
            if name.count("_") and sql and sql.startswith("CREATE INDEX")
        }
