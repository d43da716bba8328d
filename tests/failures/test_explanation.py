"""The examples in docs/explanation/what-counts-as-new.md are true."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.failures.builders import DAY, ZERO, judged, on, story
from tlsrpt_mailer.failures.model import Verdict
from tlsrpt_mailer.report.times import Time

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "what-counts-as-new.md"
EXAMPLES = re.findall(r"```story\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def day_of(text: str) -> int:
    """Days since 1 October 2026."""
    moment = datetime.strptime(f"{text} 2026", "%d %b %Y").replace(tzinfo=UTC)
    return (int(moment.timestamp()) - ZERO) // DAY


def in_words(verdict: Verdict) -> str:
    def day(moment: Time) -> str:
        return f"{datetime.fromtimestamp(moment, UTC):%-d %b}"

    if verdict.resolved_at is not None:
        return f"resolved at the end of {day(verdict.resolved_at - 1)}"
    return f"{verdict.state} since {day(verdict.first_seen)}"


def test_the_page_has_two_examples():
    """The page explains with examples, and these are the ones that are checked."""
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_what_the_judge_says(example):
    """What the page says of a day is what the program says at noon of it."""
    lines = example.splitlines()
    windows = [
        each for line in lines if ":" not in line for each in story(line[15:], line[:15].strip())
    ]
    for line in lines:
        if ":" in line:
            date, expected = line.split(":")
            day = day_of(date.strip())
            known_by_then = [each for each in windows if each.end <= on(day)]

            assert (date, expected.strip()) == (date, in_words(judged(known_by_then, on(day, 12))))
