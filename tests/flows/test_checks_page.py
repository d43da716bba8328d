"""docs/explanation/checks.md: its limits, times and counts of questions are the program's."""

import importlib
import re
from pathlib import Path

import pytest

from tests.flows.sky import Sky
from tests.flows.watching import NOW
from tlsrpt_mailer.config.model import Checks, Dns
from tlsrpt_mailer.domains.canary import DOMAIN
from tlsrpt_mailer.domains.record import wrong_places
from tlsrpt_mailer.flows import acting, canary, checking, ingest, looking, probing, views
from tlsrpt_mailer.flows.looking import look_at
from tlsrpt_mailer.net import delivery
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE
from tlsrpt_mailer.store import retention
from tlsrpt_mailer.wiring.outside import MOST_UNNAMED

PAGE = (Path(__file__).parents[2] / "docs/explanation/checks.md").read_text()
TEXT = " ".join(PAGE.split())
LIMITS = re.findall(r"^\| `([a-z.]+)\.([A-Z_]+)` \| ([\d,]+) ?(\w*) \|", PAGE, re.M)
UNITS = {"": 1, "second": 1, "seconds": 1, "minutes": MINUTE, "hour": HOUR}
NAMES = {1: "one", 4: "four", 5: "five", 8: "eight", 20: "20"}


@pytest.mark.parametrize(("module", "name", "number", "unit"), LIMITS)
def test_each_limit_has_its_value(module: str, name: str, number: str, unit: str) -> None:
    """Who plans by the page plans by what the program does."""
    value = getattr(importlib.import_module(f"tlsrpt_mailer.{module}"), name)

    assert int(number.replace(",", "")) * UNITS[unit] == value


def test_the_table_of_limits_is_whole() -> None:
    """All that waits for the network in looks and test reports stands in it."""
    assert len(LIMITS) == 19


@pytest.mark.parametrize(
    "words",
    [
        f"its MX hosts, {looking.MOST_HOSTS} at most",
        f"in its `mailto:` addresses, {NAMES[looking.MOST_RUA]} at most",
        f"`TXT` at {NAMES[len(wrong_places('example.com'))]} other names",
        f"port 25 of each MX host, {NAMES[probing.MOST_ADDRESSES]} addresses each",
        f"{MOST_UNNAMED:,} of the latter at most",
        f"`checks.queries_per_second` ({Checks().queries_per_second:g})",
        f"`dns.timeout` ({Dns().timeout} seconds)",
        f"made {checking.BATCH} at a time, {checking.WORKERS} side by side",
        f"| after {checking.SURE // MINUTE} minutes |",
        f"| after {acting.LOOK_SOON // MINUTE} minutes |",
        f"less than {ingest.LOOK_REST // MINUTE} minutes ago",
        f"`checks.expires_within`, {Checks().expires_within // DAY} days",
        f"asked once in {probing.WELL // MINUTE} minutes at most",
        f"`{DOMAIN}`",
        f"{NAMES[delivery.HOSTS]} hosts and {NAMES[delivery.ADDRESSES]} addresses",
        f"{canary.MOST} addresses at most",
    ],
)
def test_what_is_said_in_passing_is_so(words: str) -> None:
    """Figures within the text."""
    assert words in TEXT


def test_spans_are_as_the_page_says_in_words() -> None:
    """An hour, an eighth, seven days, and how long what was is remembered."""
    assert (HOUR, 8, 7 * DAY) == (checking.WATCHED, checking.SPREAD, views.BEFORE)
    assert f"forgotten after {retention.INCIDENT_KEEP // DAY} days" in TEXT


def _asked(sky: Sky, domain: str) -> int:
    """How many questions a look asks; the same one twice is one."""
    sky.asked.clear()
    look_at(domain, sky, NOW)
    return len({one for one in sky.asked if one[1] != "page"})


def test_a_domain_costs_as_many_questions_as_the_page_says() -> None:
    """With its own MX host, and with one that other domains have asked about already."""
    sky = Sky()
    sky.domain("right.example")
    sky.domain("bare.example", record=None)
    sky.put("parked.example", "MX", "0 .")
    shared = {"mx1.right.example", "_25._tcp.mx1.right.example", "example.com"}
    shared |= {name.replace("right", "bare") for name in shared}

    rows = {}
    for domain in ("right.example", "bare.example", "parked.example"):
        rows[domain] = _asked(sky, domain), len({one for one in sky.asked if one[0] not in shared})

    assert {
        "right.example": (8, 4),
        "bare.example": (15, 12),
        "parked.example": (12, 12),
    } == rows
    assert "| with a right TLSRPT record | 8 | 4 |" in PAGE
    assert "| without one | 15 | 12 |" in PAGE
    assert "| with a null MX, and without one | 12 | 12 |" in PAGE
