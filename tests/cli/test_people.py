"""Commands by which people act: failures ack and its kin, maintenance, audit."""

import os
import pwd
import sqlite3

import pytest

from tests.cli.conftest import Place

GROUPS = '[[domains]]\nmatch = ["shop.example"]\ngroup = "retail"\n'
"""Added to the configuration where a group is needed."""


@pytest.fixture(autouse=True)
def ana(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ana has called sudo."""
    monkeypatch.setenv("SUDO_USER", "ana")


def states(place: Place) -> dict[str, str]:
    """Each domain's state."""
    return {one["policy_domain"]: one["state"] for one in place("failures", "--json").json}


def number(place: Place, domain: str) -> str:
    """The number of the domain's failure."""
    listed = place("failures", "--json").json
    return next(str(one["id"]) for one in listed if one["policy_domain"] == domain)


def test_ack_says_for_what_and_how_long_it_holds(full: Place):
    """The whole cause is quiet, and the listing and the audit name who said so."""
    one = number(full, "example.com")

    result = full("failures", "ack", one, "--note", "renewing now")

    assert 0 == result.code
    assert f"Acknowledged {one} (example.com) and 1 more of its cause.\n" in result.out
    assert "Quiet until it is over, gets worse, or 23 Dec 12:00Z.\n" in result.out
    assert {"acknowledged"} == {states(full)[name] for name in ("example.com", "shop.example")}
    (entry,) = full("audit", "--json").json
    assert ("ana", "command", "ack", "renewing now") == (
        *(entry["who"], entry["way"], entry["action"]),
        entry["note"],
    )
    assert "2026-12-23T12:00:00Z" == entry["target"]["until"]


def test_only_narrows_an_act_to_a_domain(full: Place):
    """The other domains of the cause stay open; the name may be written in capitals."""
    full("failures", "ack", number(full, "example.com"), "--only", "Shop.Example.")

    assert "acknowledged" == states(full)["shop.example"]
    assert "new" == states(full)["example.com"]


@pytest.mark.parametrize(
    ("words", "until"),
    [
        (["ack", "1", "--for", "3d"], "2026-11-26T12:00:00Z"),
        (["ack", "1", "--until", "2026-11-30"], "2026-11-30T00:00:00Z"),
        (["mute", "1", "--for", "12h"], "2026-11-24T00:00:00Z"),
        (["mute", "1"], None),
        (["fixed", "1"], "2026-11-23T12:00:00Z"),
        (["fixed", "1", "--at", "2026-11-22T09:30:00Z"], "2026-11-22T09:30:00Z"),
        (["reopen", "1"], None),
    ],
)
def test_acts_as_json(full: Place, words: list[str], until: str | None):
    """What a script reads: the numbers, and until when."""
    result = full("failures", *words, "--json")

    assert (words[0], until, "ana") == (
        *(result.json["act"], result.json["until"]),
        result.json["who"],
    )
    assert 1 in result.json["failures"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["fixed", "1"], "Quiet unless a report about a time after 23 Nov 12:00Z has it still."),
        (["mute", "1", "--for", "7d"], "Nothing is mailed of it until 30 Nov 12:00Z."),
        (["mute", "1"], "Nothing is mailed of it until: tlsrpt-mailer failures reopen."),
        (["assign", "kim@example.com", "1"], "more of its cause to kim@example.com."),
        (["reopen", "1"], "It counts as unanswered."),
    ],
)
def test_each_act_says_what_it_means(full: Place, words: list[str], text: str):
    """Nobody has to look up what follows."""
    result = full("failures", *words)

    assert 0 == result.code
    assert text in result.out


def test_acts_on_several_causes_are_said_one_by_one(full: Place):
    """A line a cause; one of a single failure has no others."""
    fetch, expired = number(full, "fetch.example"), number(full, "example.com")

    result = full("failures", "ack", expired, fetch)

    assert f"Acknowledged {expired} (example.com) and 1 more of its cause." in result.out
    assert f"Acknowledged {fetch} (fetch.example).\n" in result.out


def test_a_wrong_number_changes_nothing(full: Place):
    """A call that is partly wrong is wholly undone, and says which number it was."""
    result = full("failures", "mute", number(full, "example.com"), "99")

    assert 1 == result.code
    assert "no failure 99" in result.err
    assert "Nothing was changed, for the others neither." in result.err
    assert "muted" not in states(full).values()
    assert [] == full("audit", "--json").json


def test_what_is_not_open_there_is_said(full: Place):
    """A domain that the cause does not touch."""
    result = full("failures", "ack", "1", "--only", "elsewhere.example")

    assert 1 == result.code
    assert (
        "the cause of failure 1 has none at elsewhere.example, but at example.com and shop.example"
        in result.err
    )
    assert "Nothing was changed.\n" in result.err


def test_what_is_over_is_said_to_be_over(full: Place):
    """A domain that the cause had is told from one that it never had."""
    later = "2027-06-01T12:00:00Z"
    full("once", now=later)

    whole = full("failures", "ack", "1", now=later)
    there = full("failures", "ack", "1", "--only", "example.com", now=later)

    assert (1, 1) == (whole.code, there.code)
    assert "failure 1 is over: nothing is open" in whole.err
    assert "failure 1 is over at example.com: nothing is open" in there.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["ack", "1", "--for", "1d", "--until", "2026-12-01"], "not both"),
        (["ack", "1", "--until", "2026-11-01"], "it would end before it begins"),
        (["ack", "1", "--for", "soon"], "is not a length such as 12h"),
        (["mute", "1", "--for", "0d"], "is not a length such as 12h"),
        (["fixed", "1", "--at", "2026-12-01"], "--at lies in the future"),
        (["assign", "kim", "1"], '"kim" is not an address'),
        (["ack"], "Missing argument"),
        (["ack", "one"], "is not a valid integer"),
    ],
)
def test_wrong_usage_is_explained(full: Place, words: list[str], text: str):
    """Code 64, and what to write in its place."""
    result = full("failures", *words)

    assert 64 == result.code
    assert text in result.err


def test_the_terminals_user_is_named_without_sudo(full: Place, monkeypatch: pytest.MonkeyPatch):
    """The login's own name, or its number where it has none."""
    monkeypatch.delenv("SUDO_USER")
    full("failures", "ack", "1")
    monkeypatch.setenv("DOAS_USER", "kim")
    full("failures", "ack", "1")
    monkeypatch.delenv("DOAS_USER")
    monkeypatch.setattr(os, "getuid", lambda: 4_711_000)
    full("failures", "ack", "1")

    who = [entry["who"] for entry in full("audit", "--json").json]
    assert ["uid 4711000", "kim", pwd.getpwuid(os.geteuid()).pw_name] == who


def test_a_locked_database_is_tried_again_later(full: Place):
    """Code 75, and nothing is half done."""
    with sqlite3.connect(full.database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        result = full("failures", "ack", "1")
        other.execute("ROLLBACK")

    assert 75 == result.code
    assert "acknowledged" not in states(full).values()


def test_without_a_database_there_is_nothing_to_act_on(place: Place):
    """As all commands: where was looked, and what makes one."""
    for words in (
        ["failures", "ack", "1"],
        ["maintenance"],
        ["maintenance", "end", "1"],
        ["audit"],
    ):
        result = place(*words)

        assert 1 == result.code
        assert "no database at" in result.err


# ------------------------------------------------------------------ maintenance


def test_maintenance_is_planned_listed_and_ended(full: Place):
    """From now on where nothing else is said; the list has its state."""
    added = full("maintenance", "add", "--mx", "MX1.example.com.", "--for", "4h", "--note", "CHG1")
    listed = full("maintenance")
    ended = full("maintenance", "end", "1", now="2026-11-23T13:00:00Z")
    after = full("maintenance", "--json", now="2026-11-23T13:00:00Z").json

    assert "Maintenance 1: mx mx1.example.com, 23 Nov 12:00Z - 23 Nov 16:00Z.\n" == added.out
    assert "1  now    mx mx1.example.com  23 Nov 12:00Z  23 Nov 16:00Z  ana  CHG1" in listed.out
    assert "1 maintenance window\n" in listed.out
    assert "Maintenance 1 (mx mx1.example.com) is over.\n" == ended.out
    assert ("over", "2026-11-23T13:00:00Z") == (after[0]["state"], after[0]["until"])


def test_maintenance_in_the_past_says_what_it_touches(full: Place):
    """Entered a day late it still takes the news out of the reports of that time."""
    result = full(
        *("maintenance", "add", "--domain", "*.example", "--from", "2026-11-21"),
        *("--until", "2026-11-22", "--json"),
    )
    again = full(
        *("maintenance", "add", "--domain", "example.com", "--from", "2026-11-21"),
        *("--until", "2026-11-22"),
    )

    assert ("domain", "*.example", "over") == tuple(
        result.json[key] for key in ("kind", "value", "state")
    )
    assert "It touches 1 failure that is open now." in again.out
    assert {"2026-11-21T00:00:00Z"} == {
        entry["target"]["from"] for entry in full("audit", "--json").json
    }


def test_maintenance_ahead_is_called_off(full: Place):
    """Planned for another day, it is gone without a trace in the list."""
    full("maintenance", "add", "--mx", "mx1.example.com", "--from", "2026-12-01", "--for", "2h")
    planned = full("maintenance").out
    result = full("maintenance", "end", "1")

    assert "planned" in planned
    assert "Maintenance 1 (mx mx1.example.com) is called off.\n" == result.out
    assert "No maintenance is planned, and none was.\n" == full("maintenance").out
    assert "maintenance-end 1 mx mx1.example.com" in full("audit").out


def test_maintenance_of_a_group(full: Place):
    """By the group of a [[domains]] block; one that is none is named with those there are."""
    none = full("maintenance", "add", "--group", "retail", "--for", "4h")
    full.configure(GROUPS)
    unknown = full("maintenance", "add", "--group", "retial", "--for", "4h")
    known = full("maintenance", "add", "--group", "retail", "--for", "4h")

    assert (64, 64, 0) == (none.code, unknown.code, known.code)
    assert "there are none" in none.err
    assert "there are: retail" in unknown.err
    assert "Maintenance 1: group retail" in known.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--for", "4h"], "say one of --mx, --domain and --group"),
        (["--mx", "a.example", "--domain", "b.example", "--for", "4h"], "say one of"),
        (["--mx", "a.example"], "say when it ends"),
        (["--mx", "a.*.example", "--for", "4h"], "neither a name nor a pattern"),
        (["--mx", "192.0.2.1", "--for", "4h"], "neither a name nor a pattern"),
        (["--mx", "a.example", "--for", "400d"], "longer than a year"),
        (["--mx", "a.example", "--until", "2026-11-01"], "it would end before it begins"),
    ],
)
def test_maintenance_that_is_unclear_is_refused(full: Place, words: list[str], text: str):
    """Code 64: too much quiet by mistake would be dangerous."""
    result = full("maintenance", "add", *words)

    assert 64 == result.code
    assert text in result.err


@pytest.mark.parametrize("number", ["1", "7"])
def test_what_cannot_be_ended_is_said(full: Place, number: str):
    """It is over, or there is none of that number."""
    full(*("maintenance", "add", "--mx", "a.example", "--from", "2026-11-01", "--for", "2h"))

    result = full("maintenance", "end", number)

    assert 1 == result.code
    assert f"maintenance {number}" in result.err


# ------------------------------------------------------------------------ audit


def test_the_audit_lists_who_did_what(full: Place, monkeypatch: pytest.MonkeyPatch):
    """The last first; by one person if asked."""
    full("failures", "ack", "1", "2", "3")
    monkeypatch.setenv("SUDO_USER", "kim")
    full("failures", "assign", "lee@example.com", "1")

    lines = full("audit").out.splitlines()
    anas = full("audit", "--who", "ana").out

    assert lines[1].split()[3:6] == ["kim", "command", "assign"]
    assert "to lee@example.com" in lines[1]
    assert "ack 1, 2 and 3" in lines[2]
    assert "2 acts" == lines[-1]
    assert "kim" not in anas
    assert "Nothing by that name.\n" == full("audit", "--who", "lee").out


def test_the_audit_of_a_quiet_place(full: Place):
    """Says so in words, and as JSON is an empty list."""
    assert "Nobody has done anything yet.\n" == full("audit").out
    assert [] == full("audit", "--json").json
