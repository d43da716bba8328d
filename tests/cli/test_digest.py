"""`digest`: what would go out now, printed and mailed."""

import pytest

from tests.cli.conftest import Place
from tests.cli.test_json import keys
from tlsrpt_mailer.ports import Announced, SilentPair
from tlsrpt_mailer.store.sqlite import open_store

ALERTS = '[alerts]\nto = ["postmaster@example.com"]\nfrom = "tls@mail.example.com"\n'
TEAMS = """
[[domains]]
match = ["shop.example", "parked.example"]
owners = ["ana@shop.example"]
group = "retail"
"""
OPERATOR = ALERTS + 'operator = ["root@mail.example.com"]\n'


def test_the_digest_of_the_default_recipient_is_printed(full: Place):
    """Without options: the mail that alerts.to would get, with its subject."""
    result = full("digest")

    assert 0 == result.code
    assert "" == result.err
    lines = result.out.splitlines()
    assert "To: postmaster@example.com" == lines[0]
    assert "Subject: TLS week 16-22 Nov: 3 open, 3 domains [tlsrpt]" == lines[1]
    assert "YOUR DOMAINS" in result.out
    assert "Weekly, Mondays at 08:00 (UTC)." in result.out
    assert max(map(len, lines)) <= 78


def test_an_owner_is_asked_for_by_address(full: Place):
    """Whatever the capitals; and nobody else's domains."""
    full.configure(ALERTS + TEAMS)

    ana = full("digest", "--for", "ANA@shop.example")
    post = full("digest")

    assert "To: ana@shop.example" in ana.out
    assert "shop.example" in ana.out
    assert "fetch.example" not in ana.out
    assert "shop.example" not in post.out


def test_who_owns_nothing_is_told_so(full: Place):
    """A slip in the address is no empty digest."""
    result = full("digest", "--for", "nobody@example.com")

    assert 1 == result.code
    assert "" == result.out
    assert "nobody@example.com owns no domain, and nothing of theirs fails" in result.err


def test_the_operators_page_alone(full: Place):
    """Over all domains, whoever owns them."""
    full.configure(OPERATOR + TEAMS)

    result = full("digest", "--operator")
    other = full("digest", "--operator", "--for", "me@example.com")

    assert "To: root@mail.example.com" in result.out
    assert "operator: 4 domains" in result.out
    assert "retail" in result.out
    assert "YOUR DOMAINS" not in result.out
    assert "To: me@example.com" in other.out


def test_where_alerts_name_nobody_the_terminal_has_it(full: Place):
    """Somebody who tries the program out sees his week without a mail set up."""
    full.configure("[alerts]\nto = []\n")

    result = full("digest")
    sent = full("digest", "--send")

    assert "To: (alerts.to names nobody)" in result.out
    assert "example.com" in result.out
    assert 1 == sent.code
    assert "alerts.to names nobody to send it to" in sent.err


def test_no_digest_is_planned_where_it_is_off(full: Place):
    """The footer promises no mail that will not come."""
    full.configure(ALERTS + '[digest]\nschedule = "off"\n')

    assert "This mail also tells you" not in full("digest").out


def test_it_is_mailed_when_asked(full: Place):
    """--send writes the printed mail into the outbox, for its reader."""
    result = full("digest", "--send")
    listed = full("alerts", "--json")

    assert 0 == result.code
    assert "Written into the outbox for postmaster@example.com" in result.err
    (letter,) = [one for one in listed.json if one["event"] == "digest"]
    assert ("postmaster@example.com", [1, 2, 3]) == (
        letter["recipient"],
        sorted(letter["failures"]),
    )


def test_printing_changes_nothing(full: Place):
    """A look at the digest does not take the place of the real one."""
    full("digest")

    assert [] == [one for one in full("alerts", "--json").json if one["event"] == "digest"]


def test_the_json_is_as_the_page_says(full: Place):
    """Other programs read it."""
    full.configure(ALERTS + 'operator = ["postmaster@example.com"]\n')

    found = full("digest", "--json").json

    assert keys("digest") == list(found)
    assert keys("digest owner") == list(found["owner"])
    assert keys("digest operator") == list(found["operator"])
    assert keys("digest domain") == list(found["owner"]["domains"][0])
    assert keys("digest failure") == list(found["owner"]["open"][0])
    assert ("2026-11-16", 7, False) == (found["first_day"], found["days"], found["empty"])
    assert ["Google"] == [one["reporter"] for one in found["owner"]["reporters"]]
    assert 7 == len(found["owner"]["domains"][0]["week"])


def test_silence_is_in_the_json(full: Place):
    """Who stopped reporting on what, and since when."""
    last = 1_795_219_200  # 2026-11-21T00:00:00Z
    pairs = (SilentPair("example.com", "google.com", last),)
    row = Announced(kind="silent-reporter", key="google.com", recipient="", since=1, pairs=pairs)
    store = open_store(full.database, create=False)
    store.watching.announce([row], [], last)
    store.close()

    (found,) = full("digest", "--json").json["owner"]["silent"]

    assert {
        "reporter": "Google",
        "policy_domains": ["example.com"],
        "last_seen": "2026-11-21T00:00:00Z",
        "resumed_at": None,
    } == found


def test_the_operators_json_has_no_owner(full: Place):
    """The operator's page alone names nobody's week."""
    assert full("digest", "--operator", "--json").json["owner"] is None
    assert full("digest", "--json").json["operator"] is None


@pytest.mark.parametrize("options", [(), ("--operator",), ("--json",)])
def test_no_database_is_said(place: Place, options: tuple[str, ...]):
    """Where the wrong place is looked at, the place is named."""
    result = place("digest", *options)

    assert 1 == result.code
    assert "no database at" in result.err
