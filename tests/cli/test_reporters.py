"""`reporters`: who sends reports, and what an operator says of them."""

import pytest

from tests import mails
from tests.cli.conftest import Place
from tests.cli.test_json import keys
from tlsrpt_mailer.store.sqlite import open_store


@pytest.fixture
def seen(place: Place) -> Place:
    """Google and a stranger have each reported a failure of one domain."""
    place.configure('[trust]\ndkim = "off"\n')
    for name in ("google.com", "stranger.example"):
        body = mails.report(day="2026-11-21", organization=name, report_id=name)
        place.mail(f"{name}.eml", mails.mail(body, submitter=name, sender=f"tls@{name}"))
    assert 0 == place("import", str(place.mails)).code
    return place


def test_the_listing_says_whose_word_counts(seen: Place):
    """Who ships with the program is known; a stranger is not, until somebody says so."""
    seen("reporters", "trust", "stranger.example", "--note", "our partner")

    result = seen("reporters")

    assert 0 == result.code
    assert (
        "reporter          standing  domains  last report    30 days  held  note\n"
        "google.com        known           1  23 Nov 12:00Z        1     -  -\n"
        "stranger.example  trusted         1  23 Nov 12:00Z        1     -  our partner\n"
        "\n"
        "2 reporters\n"
    ) == result.out


def test_a_word_can_be_said_before_the_first_report(seen: Place):
    """A reporter that has not reported yet is listed with what was said of it."""
    result = seen("reporters", "distrust", "spam.example", "Spam.Example.", "--json")

    assert 0 == result.code
    assert keys("reporters changed") == list(result.json)
    assert {
        "reporters": ["spam.example"],
        "word": "distrust",
        "domains": 0,
        "open_before": 0,
        "open_now": 0,
    } == result.json
    listed = {one["reporter"]: one for one in seen("reporters", "--json").json}
    assert keys("reporters") == list(listed["spam.example"])
    assert ("distrusted", 0, None) == (
        listed["spam.example"]["standing"],
        listed["spam.example"]["domains"],
        listed["spam.example"]["last_report"],
    )


def test_distrust_ends_what_only_that_reporter_saw(seen: Place):
    """The failures are judged at once, and the answer says how many are left."""
    first = seen("reporters", "distrust", "google.com", "stranger.example")
    second = seen("reporters", "forget", "google.com")

    assert (
        "google.com and stranger.example are left out from now on: their reports are\n"
        "stored and count for nothing.\n"
        "1 domain judged again: 1 open failure before, none now.\n"
    ) == first.out
    assert "What was said of google.com is taken back." in second.out
    assert 1 == len(seen("failures", "--json").json)


@pytest.mark.parametrize("name", ["google", "a b", "google.com (unverified)", "*.example"])
def test_only_a_domain_can_be_named(seen: Place, name: str):
    """What could never be the name of a reporter is refused in place of being stored."""
    result = seen("reporters", "trust", name)

    assert 64 == result.code
    assert name in result.err
    assert all(one["by"] is None for one in seen("reporters", "--json").json)


@pytest.mark.parametrize("word", ["trust", "distrust"])
def test_a_word_on_a_part_of_a_reporter_is_refused(seen: Place, word: str):
    """
    Reports of mail.google.com count under google.com, so a word on it would hold for all of it.

    Nobody trusts, or leaves out, a whole organisation unawares, and what is said of that stays.
    """
    seen("reporters", "trust", "google.com", "--note", "all of it")

    result = seen("reporters", word, "stranger.example", "mail.google.com")

    assert 64 == result.code
    assert 'reports of "mail.google.com" count under google.com; say it of google.com' in result.err
    listed = {one["reporter"]: one for one in seen("reporters", "--json").json}
    assert ("trusted", "all of it") == (
        listed["google.com"]["standing"],
        listed["google.com"]["note"],
    )
    assert None is listed["stranger.example"]["by"]


def test_the_same_word_once_more_keeps_its_note(seen: Place):
    """The reason stays until another one is given, or the word becomes the other one."""

    def noted(*words: str) -> str | None:
        seen("reporters", *words)
        (one,) = [
            one for one in seen("reporters", "--json").json if one["reporter"] == "google.com"
        ]
        assert isinstance(one["note"], str | None)
        return one["note"]

    assert "why not" == noted("trust", "google.com", "--note", "why not")
    assert "why not" == noted("trust", "google.com")
    assert "audited" == noted("trust", "google.com", "--note", "audited")
    assert None is noted("distrust", "google.com")


def test_what_was_never_said_cannot_be_taken_back(seen: Place):
    """A slip of the pen is told, and nothing is changed."""
    result = seen("reporters", "forget", "google.com")

    assert 1 == result.code
    assert "nothing was said of google.com" in result.err
    assert [] == seen("audit", "--json").json


def test_nobody_has_reported_yet(place: Place):
    """An empty database is told apart from a missing one."""
    assert 1 == place("reporters").code
    place.configure('[trust]\ndkim = "off"\n')
    place("import", str(place.mail("a.eml", mails.dmarc_mail())))

    assert "Nobody has sent a report yet.\n" == place("reporters").out


def test_the_audit_names_the_reporters(seen: Place):
    """Who said what of whom is found later."""
    seen("reporters", "distrust", "google.com", "--note", "broken")

    (row,) = seen("audit", "--json").json
    assert ("reporters-distrust", {"reporters": "google.com"}, "broken") == (
        row["action"],
        row["target"],
        row["note"],
    )
    assert "reporters-distrust google.com" in seen("audit").out


def test_the_share_that_is_held_is_shown(seen: Place):
    """A reporter of whom most is held is seen at a glance."""
    store = open_store(seen.database, create=False)
    with store.writer.transaction() as conn:
        conn.execute(
            "UPDATE reports SET status = 'held', held_for = 'signature'"
            " WHERE reporter = 'google.com'"
        )
        conn.execute(
            "UPDATE pairs SET reporter = 'google.com (unverified)' WHERE reporter LIKE 'g%'"
        )
    store.close()

    lines = seen("reporters").out.splitlines()

    (google,) = [line for line in lines if line.startswith("google.com  ")]
    assert "100 %" in google
    (marked,) = [line for line in lines if line.startswith("google.com (unverified)")]
    assert "unknown" in marked
