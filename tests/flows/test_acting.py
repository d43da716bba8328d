"""What people say of failures and plan for them, and what follows at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.office import ANA, NOW, RETAIL, Office
from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.failures.model import FOREVER
from tlsrpt_mailer.flows.acting import (
    Acted,
    Planned,
    Saying,
    act,
    end_maintenance,
    plan_maintenance,
)
from tlsrpt_mailer.ports import Maintenance
from tlsrpt_mailer.report.times import DAY, HOUR


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Two domains fail at one MX, a third at another."""
    made = Office(tmp_path)
    made.report("example.com")
    made.report("shop.example")
    made.report("other.example", mx="mx9.example.net")
    yield made
    made.store.close()


def say(office: Office, kind: Any, *numbers: int, only: str | None = None, **more: Any) -> Acted:
    """Ana says it, at a command line."""
    saying = Saying(kind=kind, who="ana", way="command", **more)
    with office.store.write() as txn:
        return act(txn, saying, numbers, office.standing, office.now, only=only)


def plan(office: Office, kind: Any, value: str, start: int, end: int) -> Planned:
    """Ana plans quiet."""
    new = Maintenance(0, kind, value, start, end, "ana", "CHG1", office.now)
    with office.store.write() as txn:
        return plan_maintenance(txn, new, "command", office.standing)


def ids(acted: Acted) -> list[int]:
    return [one.id for one in acted.done]


def test_a_number_stands_for_its_cause(office: Office):
    """One certificate, two domains: one word is enough for both."""
    acted = say(office, "ack", 1, note="renewing")

    assert [1, 2] == ids(acted)
    assert NOW + 30 * DAY == acted.until
    assert ["acknowledged"] * 2 == [one.verdict.state for one in acted.done]
    assert [("ack", "ana", "command", '{"failures":[1,2],"until":1794571200}', "renewing")] == (
        office.rows("SELECT action, who, way, target, note FROM audit")
    )


def test_only_narrows_it_to_a_domain(office: Office):
    """The other domain of the cause stays as it was."""
    assert [2] == ids(say(office, "ack", 1, only="shop.example"))
    assert "new" == office.state("example.com")


def test_what_is_over_or_unknown_is_told_apart(office: Office):
    """A number that never was is another mistake than one that is history."""
    office.end("other.example")

    acted = say(office, "ack", 3, 99)

    assert ((), (3,), (99,)) == (acted.done, acted.over, acted.unknown)
    assert [] == office.acts()
    assert 0 == office.count("audit")


def test_a_cause_is_open_while_one_of_its_failures_is(office: Office):
    """Its first number serves on, though that failure is over."""
    office.end("example.com")

    acted = say(office, "ack", 1)

    assert ([2], ()) == (ids(acted), acted.over)


def test_a_mute_without_an_end_lasts_until_reopen(office: Office):
    """Even past the end of what it was said of, and it can be lifted then."""
    muted = say(office, "mute", 3)
    for _ in range(4):
        office.now += DAY
        office.report("other.example", clean=True)
    reopened = say(office, "reopen", 3)

    assert FOREVER == muted.until
    assert '{"failures":[3]}' == office.rows("SELECT target FROM audit LIMIT 1")[0][0]
    assert [3] == ids(reopened)
    assert reopened.done[0].verdict.muted_until is None


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        (("reopen", "ack"), "acknowledged"),
        (("ack", "reopen"), "new"),
        (("mute", "reopen", "ack"), "acknowledged"),
        (("fixed", "ack"), "acknowledged"),
        (("ack", "fixed"), "fixed?"),
    ],
)
def test_of_two_words_in_one_second_the_later_holds(
    office: Office, kinds: tuple[str, ...], state: str
):
    """As from a script, or from two lines of one mail."""
    for kind in kinds:
        say(office, kind, 3)

    assert state == office.state("other.example")
    assert state == say(office, "assign", 3, assignee=ANA).done[0].verdict.state


def test_a_clock_that_went_back_holds_up_nothing(office: Office):
    """What was said in a future that did not come does not push later words into it."""
    office.now += DAY
    say(office, "mute", 3, until=NOW + 2 * DAY)
    office.now -= DAY
    say(office, "ack", 3)

    assert [(NOW + DAY,), (NOW,)] == office.rows("SELECT at FROM acts ORDER BY id")


def test_fixed_names_its_moment(office: Office):
    """Reports about the time before it change nothing."""
    say(office, "fixed", 3, until=NOW - HOUR)

    assert "fixed?" == office.state("other.example")
    assert [(3, "fixed", "ana", NOW - HOUR, None, None)] == office.acts()
    assert '{"failures":[3],"at":1791975600}' == office.rows("SELECT target FROM audit")[0][0]


def test_an_assignment_is_put_on_record(office: Office):
    """Who has it from now on."""
    say(office, "assign", 3, assignee=ANA)

    assert [(3, "assign", "ana", None, None, ANA)] == office.acts()
    assert ('{"failures":[3],"assignee":"ana@example.com"}',) == (
        office.rows("SELECT target FROM audit")[0]
    )


@pytest.mark.parametrize(
    ("kind", "value", "quiet", "judged"),
    [
        ("mx", "mx1.example.com", 2, 2),
        ("mx", "*.example.net", 1, 1),
        ("domain", "shop.example", 1, 1),
        ("domain", "*.example", 2, 2),
        ("group", RETAIL, 1, 1),
        ("mx", "mx7.example.com", 0, 0),
        ("group", "none", 0, 0),
    ],
)
def test_maintenance_is_judged_at_once(
    office: Office, kind: str, value: str, quiet: int, judged: int
):
    """Also over reports that are here already: their windows count, not when it is entered."""
    planned = plan(office, kind, value, NOW - 2 * DAY, NOW)

    assert (quiet, judged) == (planned.quiet, planned.domains)
    assert [("maintenance-add", "ana", "CHG1")] == office.rows(
        "SELECT action, who, note FROM audit"
    )


def test_maintenance_is_ended_early(office: Office):
    """From then on failures are news again."""
    planned = plan(office, "mx", "mx1.example.com", NOW - 2 * DAY, NOW + DAY)

    with office.store.write() as txn:
        ended = end_maintenance(txn, 1, "kim", "command", office.standing, NOW - DAY)

    assert 1 == planned.maintenance.number
    assert NOW - DAY == ended.maintenance.end
    assert [(NOW - 2 * DAY, NOW - DAY)] == office.rows("SELECT start_at, end_at FROM maintenance")
    assert ("maintenance-end", "kim") == office.rows("SELECT action, who FROM audit")[-1]


def test_maintenance_that_has_not_begun_is_called_off(office: Office):
    """No trace of it is left but in the audit, and its number is not given again."""
    plan(office, "mx", "mx1.example.com", NOW + DAY, NOW + 2 * DAY)

    with office.store.write() as txn:
        end_maintenance(txn, 1, "ana", "command", office.standing, NOW)

    assert 0 == office.count("maintenance")
    assert 2 == plan(office, "domain", "x.example", NOW, NOW + DAY).maintenance.number


@pytest.mark.parametrize(("number", "text"), [(7, "no maintenance 7"), (1, "over already")])
def test_what_cannot_be_ended_is_said(office: Office, number: int, text: str):
    """There is none, or it is over."""
    plan(office, "mx", "mx1.example.com", NOW - 2 * DAY, NOW - DAY)

    with pytest.raises(NoSuch, match=text), office.store.write() as txn:
        end_maintenance(txn, number, "ana", "command", office.standing, NOW)
