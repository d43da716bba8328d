"""`reports --held` and `reports release`: what is held, why, and the ways out."""

from collections.abc import Sequence

import pytest

from tests import mails
from tests.cli.conftest import Place
from tests.cli.test_json import keys
from tlsrpt_mailer.store.sqlite import open_store

REQUIRE = '[trust]\ndkim = "require"\n[dns]\nnameservers = ["127.0.0.1:1"]\n'
OURS = '[[domains]]\nmatch = ["example.com"]\n'
MARK = '[trust]\ndkim = "mark"\n[[domains]]\nmatch = ["example.com", "*.example"]\n'


def take(place: Place, *raws: bytes) -> dict[str, int]:
    """These mails come in as a stranger's do: nobody vouches for them."""
    for number, raw in enumerate(raws):
        place.mail(f"{number}.eml", raw)
    result = place("import", "--verify", "--json", str(place.mails))
    assert 0 == result.code, result.err
    found: dict[str, int] = result.json
    return found


def unsigned(domain: str = "example.com", day: str = "2026-11-21", **more: object) -> bytes:
    return mails.mail(mails.report(domain, day, **more))  # type: ignore[arg-type]


@pytest.fixture
def held(place: Place) -> Place:
    """Two mails without a signature, the second with two reports."""
    place.configure(REQUIRE)
    two = [mails.report("a.example", "2026-11-20"), mails.report("b.example", "2026-11-20")]
    counts = take(place, unsigned(), mails.mail(two))
    assert 3 == counts["held"]
    return place


def ids(place: Place) -> Sequence[int]:
    return [one["id"] for one in place("reports", "--held", "--json").json]


def test_what_is_held_is_listed_with_the_reason(held: Place):
    """A person sees what lies there, and what to type; a script gets the same as data."""
    result = held("reports", "--held")
    rows = held("reports", "--held", "--json").json

    assert 0 == result.code
    lines = result.out.splitlines()
    assert ["#", "taken", "reporter", "domain", "why"] == lines[0].split()
    assert "23 Nov 12:00Z  google.com  example.com" in result.out
    assert all("it is not signed" in line for line in lines[1:4])
    assert "3 held reports" in lines
    assert "Check them again: tlsrpt-mailer reports release ID, or --all" == lines[-1]
    assert keys("reports") == list(rows[0])
    assert [("held", "unsigned", "signature")] * 3 == [
        (row["status"], row["trust"], row["held_for"]) for row in rows
    ]


def test_what_is_held_raises_no_failure(held: Place):
    """It is stored in full, and counts for nothing."""
    assert [] == held("failures", "--json").json
    assert 3 == len(held("reports", "--json").json)
    shown = held("reports", "show", str(ids(held)[0])).out
    assert "status held" in shown
    assert "held: it is not signed" in shown


def test_where_nothing_counts_the_listings_say_what_is_held(held: Place):
    """Nobody takes it for well that nothing fails: nothing was counted."""
    said = "3 reports held"

    assert f"{said}, not counted: tlsrpt-mailer reports --held" in held("failures").out
    assert f"No report counts for any domain; {said}" in held("domains").out


def test_nothing_changes_while_nothing_has_changed(held: Place):
    """Checked again under the same configuration they are held again, and it is said why."""
    result = held("reports", "release", "--all")

    assert 0 == result.code
    assert ("2 mails checked again: 2 are still held.\n  3  it is not signed\n") == result.out
    assert 3 == len(ids(held))


def test_after_a_change_of_the_configuration_they_count(held: Place):
    """That is the way out for whoever takes reports as they are."""
    held.configure(MARK)

    result = held("reports", "release", "--all", "--json")

    assert keys("reports release") == list(result.json)
    assert (2, 2, 0, []) == (
        result.json["mails"],
        result.json["counted"],
        result.json["held"],
        result.json["reasons"],
    )
    assert [] == ids(held)
    assert {"google.com (unverified)"} == {
        one["reporter"] for one in held("reports", "--json").json
    }


def test_an_operators_word_lets_one_in(held: Place):
    """With --as-is the reports of that mail count as if they were imported; the others wait."""
    of_two = [one["id"] for one in held("reports", "--held", "--json").json if one["mail"] == 2]

    result = held("reports", "release", str(of_two[0]), "--as-is", "--note", "by courier")

    assert "1 mail checked again: 1 counts now.\n" == result.out
    assert 1 == len(ids(held))
    shown = [one for one in held("reports", "--json").json if one["status"] == "counted"]
    assert [("operator", "google.com")] * 2 == [(one["trust"], one["reporter"]) for one in shown]
    assert {"a.example", "b.example"} == {
        one["policy_domain"] for one in held("failures", "--json").json
    }
    (row,) = held("audit", "--json").json
    assert ("release-as-is", {"reports": [of_two[0]]}, "by courier") == (
        row["action"],
        row["target"],
        row["note"],
    )
    assert f"release-as-is {of_two[0]}" in held("audit").out


def test_no_word_makes_a_stranger_s_domain_ours(held: Place):
    """--as-is is about who wrote a report, not about whom: that is for [[domains]]."""
    held.configure(REQUIRE + OURS)

    result = held("reports", "release", "--all", "--as-is")

    assert (
        "2 mails checked again: 1 counts now, 1 is still held.\n"
        "  2  about domains that are not yours\n"
        "Whose the domains are: tlsrpt-mailer domains\n"
    ) == result.out


def test_a_word_once_given_holds_when_the_domain_becomes_ours(held: Place):
    """Whoever names his domains only after he has vouched for the reports need not say it again."""
    held.configure(REQUIRE + OURS)
    held("reports", "release", "--all", "--as-is")
    held.configure(REQUIRE + '[[domains]]\nmatch = ["example.com", "*.example"]\n')

    result = held("reports", "release", "--all")

    assert "1 mail checked again: 1 counts now.\n" == result.out


def test_a_mail_that_is_not_kept_cannot_be_checked(held: Place):
    """That is said, and a script hears of it when nothing at all could be done."""
    forget(held, "WHERE mail_id = 2")

    some = held("reports", "release", "--all")
    forget(held)
    none = held("reports", "release", "--all")

    assert 0 == some.code
    assert "1 mail checked again: 1 is still held.\n" in some.out
    assert "1 mail is not kept any more, and cannot be checked.\n" in some.out
    assert 1 == none.code
    assert "2 mails are not kept any more, and cannot be checked.\n" == none.out
    assert "no mail is left that could be checked" in none.err
    assert "its mail is not kept any more" in held("reports", "show", str(ids(held)[0])).out


def forget(place: Place, where: str = "") -> None:
    store = open_store(place.database, create=False)
    with store.writer.transaction() as conn:
        conn.execute(f"DELETE FROM kept {where}")
    store.close()


@pytest.mark.parametrize("words", [(), ("1", "--all")])
def test_it_must_be_clear_what_is_meant(held: Place, words: tuple[str, ...]):
    """Neither nothing nor both."""
    result = held("reports", "release", *words)

    assert 64 == result.code
    assert "name reports by their ID, or say --all" in result.err


@pytest.mark.parametrize(
    ("number", "said"), [("99", "no report 99"), ("1", "report 1 is not held; it is counted")]
)
def test_only_what_is_held_can_be_released(place: Place, number: str, said: str):
    """A slip of the pen changes nothing, not even the audit."""
    place.configure(MARK)
    take(place, unsigned())

    result = place("reports", "release", number)

    assert 1 == result.code
    assert said in result.err
    assert [] == place("audit", "--json").json


def test_where_nothing_is_held_that_is_no_error(place: Place):
    """A script may always say --all."""
    place.configure(MARK)
    take(place, unsigned())

    result = place("reports", "release", "--all")

    assert (0, "No report is held.\n") == (result.code, result.out)
    assert "No report is held.\n" == place("reports", "--held").out
    assert "No report is held of that kind.\n" == place("reports", "--held", "--domain", "x.y").out


def test_a_released_report_that_is_there_already_counts_once(held: Place):
    """The same report came another way meanwhile."""
    held("import", str(held.mails / "0.eml"))
    held.mail("other.eml", unsigned())

    before = len([1 for one in held("reports", "--json").json if one["status"] == "counted"])
    result = held("reports", "release", "--all", "--as-is")

    assert 0 == result.code
    found = held("reports", "--json").json
    counted = [one for one in found if one["status"] == "counted"]
    assert before <= 1
    assert 3 == len(counted)
    assert 3 == len({tuple(one["policy_domains"]) for one in counted})


def test_many_are_released_in_portions(place: Place, monkeypatch: pytest.MonkeyPatch):
    """However many there are, each is read once."""
    monkeypatch.setattr("tlsrpt_mailer.cli.releasing.BATCH_MAILS", 2)
    place.configure(REQUIRE)
    take(place, *(unsigned(day=f"2026-11-{day:02}") for day in range(1, 6)))

    result = place("reports", "release", "--all", "--as-is", "--json")

    assert (5, 5) == (result.json["mails"], result.json["counted"])
    assert [] == ids(place)


def test_status_says_that_all_of_the_day_is_held(held: Place):
    """Nothing counts: that is a warning, and how many it is stands in the figures."""
    result = held("status")
    (part,) = [one for one in held("status", "--json").json["parts"] if one["part"] == "trust"]

    assert "warn" == part["level"]
    assert "3 reports of the last 24 h are all held" == part["what"]
    assert "tlsrpt-mailer reports --held" in result.out
    assert 3 == held("status", "--json").json["held"]


def test_what_cannot_be_written_now_is_tried_again_later(held: Place):
    """The exit code says so, nothing is lost, and the next try does it."""
    store = open_store(held.database, create=False)
    with store.writer.transaction() as conn:
        conn.execute(
            "CREATE TRIGGER full BEFORE DELETE ON kept BEGIN SELECT RAISE(ABORT, 'full'); END"
        )

    failed = held("reports", "release", "--all", "--as-is")
    with store.writer.transaction() as conn:
        conn.execute("DROP TRIGGER full")
    store.close()
    done = held("reports", "release", "--all", "--as-is")

    assert 75 == failed.code
    assert "2 could not be stored" in failed.out
    assert "not everything was checked; try again" in failed.err
    assert (0, "2 mails checked again: 2 count now.\n") == (done.code, done.out)


def test_the_audit_stays_readable(held: Place, monkeypatch: pytest.MonkeyPatch):
    """Of thousands of reports it names some, and how many more there were."""
    monkeypatch.setattr("tlsrpt_mailer.cli.releasing.NAMED", 2)

    held("reports", "release", "--all")

    (row,) = held("audit", "--json").json
    assert {"reports": [1, 2], "more": 1} == row["target"]
