"""What our own looks found, in the commands that were made for failures of reports."""

import re

from tests.cli.conftest import Place


def test_causes_name_a_finding_and_make_up_no_share(looked: Place) -> None:
    """Its title stands there, and a dash for the sessions that looks do not count."""
    row = next(line for line in looked("causes").out.splitlines() if "gone.example" in line)

    assert "  TLSRPT record gone  " in row
    assert row.endswith("  -")


def number(looked: Place) -> str:
    """Of the finding."""
    listed = looked("failures", "--json").json
    return str(next(one["id"] for one in listed if one["result_type"] == "tlsrpt-gone"))


def test_what_refutes_a_mend_is_a_look(looked: Place) -> None:
    """No report speaks of a record; of both kinds at once both are named."""
    finding = number(looked)
    other = next(
        str(one["id"]) for one in looked("failures", "--json").json if str(one["id"]) != finding
    )

    alone = looked("failures", "fixed", finding, now=None).out
    both = looked("failures", "fixed", finding, other, now=None).out
    failure = looked("failures", "fixed", other, now=None).out

    assert re.search(r"Quiet unless a look after \d+ \w+ .* has it still\.", alone)
    assert re.search(r"unless a report about a time after .*, or a look after .*, has it", both)
    assert re.search(r"Quiet unless a report about a time after .* has it still\.", failure)
    assert "look" not in failure


def test_its_story_is_told_in_dates_that_people_write(looked: Place) -> None:
    """Between human dates stands no 2026-11-22T02:58:23Z; JSON has nothing else."""
    finding = number(looked)

    out = looked("failures", "show", finding, "--why").out

    assert re.search(r"the look of \d+ Nov \d\d:\d\dZ did not find it", " ".join(out.split()))
    assert not re.search(r"\d{4}-\d\d-\d\dT", out)
    assert re.search(
        r"\d{4}-\d\d-\d\dT",
        looked("failures", "show", finding, "--why", "--json").json["why"][0]["why"],
    )
