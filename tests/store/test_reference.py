"""docs/reference/database.md says the truth about every table."""

import re
from pathlib import Path

from tlsrpt_mailer.store.sqlite import SqliteStore

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "database.md"


def test_the_reference_names_every_table_and_column(store: SqliteStore) -> None:
    """Who looks up a column finds it, and finds none that is not there."""
    documented: dict[str, list[str]] = {}
    for section in re.split(r"^### ", PAGE.read_text(), flags=re.M)[1:]:
        name, body = section.split("\n", 1)
        cells = re.findall(r"^\| ([a-z_0-9, ]+) \|", body.split("\n## ")[0], flags=re.M)
        columns = [column.strip() for cell in cells for column in cell.split(",")]
        documented[name.strip()] = sorted(set(columns) - {"column"})

    with store.writer.reading() as conn:
        tables = [
            name
            for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]
        there = {
            name: sorted(row[1] for row in conn.execute(f"PRAGMA table_info({name})"))
            for name in tables
        }

    assert there == documented
