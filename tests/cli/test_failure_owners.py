"""`failures` by owner, group and mute."""

import pytest

from tests.cli.conftest import Place

TEAMS = """
[[owner]]
name = "platform"
addresses = ["platform@example.com"]
[[domains]]
match = ["example.com", "shop.example"]
owners = ["shop@example.com"]
group = "retail"
[[domains]]
match = ["other.example"]
owners = ["other@example.com"]
group = "parked"
[[mx]]
match = ["mx1.example.com"]
owners = ["platform"]
"""


def test_the_owners_of_a_failure_are_those_who_can_mend_it(full: Place):
    """Whoever runs the MX owns what fails there; what is nobody's is for alerts.to."""
    full.configure(TEAMS)

    owners = {
        one["policy_domain"]: one["owners"]
        for one in full("failures", "--json").json
        if one["result_type"] in {"certificate-expired", "sts-policy-fetch-error"}
    }

    assert {
        "example.com": ["platform@example.com"],
        "shop.example": ["platform@example.com"],
        "fetch.example": ["postmaster@example.com"],
    } == owners
    assert "owner platform@example.com" in full("failures", "show", "1").out


def test_failures_are_listed_by_group(full: Place):
    """A team looks at its own domains; a group that is none is said to be none."""
    full.configure(TEAMS)

    mine, none = full("failures", "--group", "retail"), full("failures", "--group", "parked")
    wrong = full("failures", "--group", "retial")

    assert "shop.example" in mine.out
    assert "fetch.example" not in mine.out
    assert "Nothing is open in group parked.\n" == none.out
    assert (1, "tlsrpt-mailer: no group retial; there are: parked, retail\n") == (
        wrong.code,
        wrong.err,
    )


def test_what_fails_at_nobodys_domains_is_said(full: Place):
    """A domain without an owner does not fall between two chairs."""
    before = full("failures").out
    full.configure(TEAMS)

    assert "Nobody's" not in before
    assert full("failures").out.endswith("Nobody's: fetch.example.\n")


def test_a_group_without_groups_is_none(full: Place):
    """Where nothing is grouped, the answer says where groups come from."""
    result = full("failures", "--group", "retail")

    assert "no group retail in the configuration" in result.err


def test_muted_failures_have_a_list_of_their_own(full: Place):
    """What a page leaves out can be listed, and an empty list says that it is one."""
    none = full("failures", "--muted").out
    assert 0 == full("failures", "mute", "3", "--for", "7d").code

    page, muted = full("failures").out, full("failures", "--muted").out

    assert "No failure is muted.\n" == none
    assert "fetch.example" not in page
    assert "Muted: 1." in page
    assert "fetch.example" in muted
    assert "example.com" not in muted
    assert ["fetch.example"] == [
        one["policy_domain"] for one in full("failures", "--muted", "--json").json
    ]


def test_who_has_it_and_for_how_long_is_in_json(full: Place, monkeypatch: pytest.MonkeyPatch):
    """A dashboard shows who answered, and until when that holds; the page says it in a word."""
    monkeypatch.setenv("SUDO_USER", "ana")
    assert 0 == full("failures", "ack", "3", "--for", "7d").code

    (mine,) = [one for one in full("failures", "--json").json if one["id"] == 3]

    assert ("acknowledged", "ana", "2026-11-30T12:00:00Z") == (
        mine["state"],
        mine["acknowledged_by"],
        mine["acknowledged_until"],
    )
    assert "  3  warning   ack ana    MTA-STS policy" in full("failures").out
