"""docs/explanation/readiness.md: its table and its example are what the program computes."""

import re
from pathlib import Path

import pytest

from tlsrpt_mailer.domains.readiness import (
    ENOUGH,
    OVER,
    TOLERATED,
    Counted,
    Published,
    Readiness,
    Row,
    dane,
    mta_sts,
)
from tlsrpt_mailer.report.result_types import RESULT_TYPES
from tlsrpt_mailer.report.times import DAY

PAGE = (Path(__file__).parents[2] / "docs/explanation/readiness.md").read_text()
TEXT = " ".join(PAGE.split())
EXAMPLE = PAGE[PAGE.index("## An example by hand") : PAGE.index("## What it cannot know")]
LINE = re.compile(r"^(\S+\.com) +(\S+) +([\d,]+) +([\d,]+)  (.*)$", re.M)
PART = re.compile(r"([\d,]+) ([a-z-]+)(?: at (mx\d))?")
TESTING = Published(sts="testing", dane="none")


def number(text: str) -> int:
    return int(text.replace(",", ""))


def counted() -> list[Counted]:
    """The reports of the example."""
    return [
        Counted(
            reporter,
            kind,
            number(good),
            number(failed),
            tuple(
                Row(result, f"{mx}.example.com" if mx else None, number(count))
                for count, result, mx in PART.findall(rows)
            ),
        )
        for reporter, kind, good, failed, rows in LINE.findall(EXAMPLE)
    ]


def told(found: Readiness) -> set[str]:
    """What the page must say of it."""
    return {
        f"**{found.sessions:,}**",
        f"**{found.refused:,}**",
        f"{found.share * 100:.2f} %",
        f"**{found.verdict.replace('-', ' ')}**",
        f"*{found.step}*",
        *(f"**{sessions}**" for _, sessions in found.hosts),
    }


def test_the_example_is_computed_as_it_is_by_hand() -> None:
    """Sessions, refused ones, by MX, share, verdict and next step, for both."""
    reports = counted()
    words = " ".join(EXAMPLE.split())

    assert [1_012, 2_040, 505, 9_000] == [one.sessions for one in reports]
    for found in (mta_sts(reports, TESTING), dane(reports, TESTING)):
        assert [] == [part for part in told(found) if part not in words]


def rows() -> list[tuple[str, str, str]]:
    """Result type, and what the table says of it under enforce and under DANE."""
    table = PAGE[
        PAGE.index("| what failed | under enforce |") : PAGE.index("Where TLSA records are")
    ]
    found = []
    for line in table.strip().splitlines()[2:]:
        what, enforce, under = (cell.strip() for cell in line.strip("|").split("|")[:3])
        names = re.findall("`([a-z-]+)`", what) or [what]
        found += [(one, enforce, under) for one in names]
    return found


def test_the_table_has_every_result_type() -> None:
    """And what is none: an unknown one, and what no row explains."""
    assert {*RESULT_TYPES} < {one for one, *_ in rows()}
    assert len(RESULT_TYPES) + 2 == len(rows())


@pytest.mark.parametrize(("what", "enforce", "under"), rows())
def test_what_is_refused_is_what_the_table_calls_so(what: str, enforce: str, under: str) -> None:
    """For each result type, a hundred sessions that failed by it."""
    result = {"a result type that nobody registered": "new-result"}.get(what, what)
    details = () if "no row explains" in what else (Row(result, "mx1.example.com", 100),)
    report = [Counted("google.com", "sts", 900, 100, details)]

    found = [mta_sts(report, TESTING).refused, dane(report, TESTING).refused]

    assert [100 if said.startswith("refused") else 0 for said in (enforce, under)] == found


def test_the_limits_are_those_of_the_program() -> None:
    """Thirty days, fifty sessions, one in a thousand."""
    assert f"the last {OVER // DAY} days" in TEXT
    assert f"under {ENOUGH} sessions" in TEXT
    assert f"one session in {TOLERATED:,}" in TEXT
