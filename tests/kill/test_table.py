"""The table of docs/explanation/delivery-guarantees.md is what the harness has shown."""

import re
from itertools import takewhile
from pathlib import Path

from tests.kill.harness import COLUMNS
from tests.kill.ways import NAMES

KILLS = 200
"""As many as `tests/run --long` does on each."""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "delivery-guarantees.md"


def _rows() -> list[dict[str, str]]:
    """The rows of the table, by the names of their columns."""
    lines = PAGE.read_text().splitlines()
    head = f"| {' | '.join(COLUMNS)} |"
    assert head in lines, f"no table with the columns {head}"
    rows = takewhile(lambda line: line.startswith("|"), lines[lines.index(head) + 2 :])
    return [
        dict(zip(COLUMNS, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
        for row in rows
    ]


def test_each_kind_of_source_has_been_killed() -> None:
    """Whoever reads the page sees for every kind of source how often it was killed, and how."""
    rows = _rows()

    assert sorted(NAMES) == sorted(row["source"] for row in rows)
    assert all(re.fullmatch(r"[\d,]+", row[name]) for row in rows for name in COLUMNS[1:])


def test_each_was_killed_often_enough() -> None:
    """Two hundred times at least."""
    few = {row["source"] for row in _rows() if int(row["kills"].replace(",", "")) < KILLS}

    assert set() == few


def test_nothing_was_lost_and_nothing_was_there_twice() -> None:
    """The page shows no run in which something went wrong: that is mended first."""
    assert {("0", "0")} == {(row["lost"], row["twice"]) for row in _rows()}
