"""`--group` and `--owner` of `domains`: a slip must not pass for "none"."""

import pytest

from tests.cli.conftest import Place
from tests.cli.looked import CONFIG


@pytest.mark.parametrize("command", [["domains"], ["domains", "list"], ["domains", "gaps"]])
def test_a_group_or_owner_that_there_is_not_is_an_error(looked: Place, command: list[str]) -> None:
    """A job that goes by the exit code must not be green for a slip; it says what there is."""
    group = looked(*command, "--group", "brnds")
    owner = looked(*command, "--owner", "nobody@x.example")
    second = looked(*command, "--group", "retail", "--group", "brnds", "--json")

    assert (1, "", "tlsrpt-mailer: no group brnds; there are: brands, retail\n") == (
        group.code,
        group.out,
        group.err,
    )
    assert (
        1,
        "",
        (
            "tlsrpt-mailer: no owner nobody@x.example; there are:"
            " kim@shop.example, postmaster@example.com\n"
        ),
    ) == (owner.code, owner.out, owner.err)
    assert (1, "") == (second.code, second.out)


def test_an_owner_is_named_by_name_or_by_address(looked: Place) -> None:
    """The name of an [[owner]] and each address of theirs, in any capitals, find the same."""
    looked.configure(
        CONFIG.replace('owners = ["kim@shop.example"]', 'owners = ["shops"]')
        + '[[owner]]\nname = "shops"\naddresses = ["kim@shop.example", "lee@shop.example"]\n'
    )

    found = [
        [one["domain"] for one in looked("domains", "--owner", owner, "--json").json]
        for owner in ("shops", "Kim@Shop.example", "lee@shop.example", "postmaster@example.com")
    ]

    assert found[0] == found[1] == found[2]
    assert "shop.example" in found[0]
    assert "example.com" not in found[0]
    assert ["example.com"] == found[3]


def test_what_there_is_is_cut_short(place: Place) -> None:
    """Forty groups do not bury the answer; without any it says so; terminals are safe."""
    place.configure(
        "".join(f'[[domains]]\nmatch = ["d{at}.example"]\ngroup = "g{at:02}"\n' for at in range(40))
    )
    place.fill()
    many = place("failures", "--group", "x\x1b[2J").err
    place.configure()
    none = place("domains", "--group", "x").err

    assert "g00, g01" in many
    assert "g39" not in many
    assert "and 30 more\n" in many
    assert "\x1b" not in many
    assert "tlsrpt-mailer: no group x in the configuration\n" == none
