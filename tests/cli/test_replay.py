"""`replay`: other rules on the stored history."""

import sqlite3

import pytest

from tests.cli.conftest import Place

OTHER = """
[alerts]
to = ["postmaster@example.com"]
[[domains]]
match = ["example.com"]
owners = ["ana@example.com"]
[[domains]]
match = ["shop.example"]
owners = ["kim@example.com"]
"""


@pytest.fixture
def played(full: Place) -> Place:
    """A place with other rules beside the present ones; reports came on the day of NOW."""
    (full.folder / "other.toml").write_text(OTHER)
    return full


LATER = "2026-11-24T12:00:00Z"


def test_other_rules_are_shown_beside_the_present_ones(played: Place) -> None:
    """What each recipient would have got is read before the rules are switched."""
    rules = str(played.folder / "other.toml")

    result = played("replay", "--since", "3d", "--rules", rules, now=LATER)

    assert 0 == result.code, result.err
    out = result.out
    assert out.startswith("21-24 Nov: 3 domains in which something ever failed\n\n23 Nov\n")
    assert (
        "  12:05Z  new          ana@example.com\n"
        "         CRITICAL example.com: certificate expired on mx1.example.com\n" in out
    )
    assert "kim@example.com" in out
    table = [line.split() for line in out.splitlines() if "@" in line and line[0] != " "]
    assert ["ana@example.com", "2", "0"] in table
    assert out.endswith("\nNothing was sent, and nothing was written.\n")


def test_without_rules_the_present_ones_are_replayed(played: Place) -> None:
    """What the daemon would have told of the last days, in totals alone if so wished."""
    out = played("replay", "--since", "2026-11-21", "--totals", now=LATER).out

    assert "present rules" not in out
    assert "postmaster@example.com" in out
    assert "CRITICAL" not in out


def test_a_replay_as_json(played: Place) -> None:
    """Every alert with its moment and its failures, and the totals of both."""
    rules = str(played.folder / "other.toml")

    found = played("replay", "--since", "3d", "--rules", rules, "--json", now=LATER).json

    assert ["2026-11-21T12:00:00Z", LATER, rules] == [
        found[key] for key in ("since", "until", "rules")
    ]
    assert {"at", "recipient", "event", "subject", "failures"} == set(found["alerts"][0])
    assert {"ana@example.com", "kim@example.com", "postmaster@example.com"} == set(found["totals"])
    assert {"postmaster@example.com"} == set(found["present_totals"])
    alone = played("replay", "--since", "3d", "--json", now=LATER).json
    assert (None, None) == (alone["rules"], alone["present_totals"])


def test_an_imported_mailbox_is_replayed_as_it_was_sent(played: Place) -> None:
    """The days before the import have alerts with --as-sent, and none without."""
    days = {
        one["at"][:10]
        for one in played("replay", "--since", "5d", "--as-sent", "--json", now=LATER).json[
            "alerts"
        ]
    }

    assert "2026-11-22" in days


def test_a_replay_writes_nothing(played: Place) -> None:
    """Neither an alert nor what was told changes."""

    def dump() -> list[str]:
        with sqlite3.connect(played.database) as conn:
            return list(conn.iterdump())

    before = dump()
    played("replay", "--rules", str(played.folder / "other.toml"), now=LATER)

    assert before == dump()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--since", "tomorrow"], 64, "is not a length"),
        (["--since", "2027-01-01"], 64, "it lies in the future"),
        (["--rules", "none.toml"], 78, "there is no such configuration file"),
    ],
)
def test_what_cannot_be_replayed_is_named(
    played: Place, words: list[str], code: int, said: str
) -> None:
    """A slip is told from an empty result."""
    result = played("replay", *words, now=LATER)

    assert code == result.code
    assert said in result.err


def test_rules_that_trust_others_are_judged_anew(played: Place) -> None:
    """trust.reporters and groups change what is judged; the present rules keep their own."""
    (played.folder / "other.toml").write_text('[trust]\nreporters = ["example.org"]\n' + OTHER)

    found = played("replay", "--rules", str(played.folder / "other.toml"), "--json", now=LATER).json

    assert found["totals"]
    assert found["present_totals"]


def test_a_database_without_failures_has_nothing_to_replay(place: Place) -> None:
    """An empty history is said to be one."""
    place("import", str(place.mails))

    result = place("replay")

    assert 0 == result.code
    assert "0 domains in which something ever failed" in result.out
    assert "in all" in result.out
