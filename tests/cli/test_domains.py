"""`domains`: whose they are, and what to add to the configuration."""

import tomllib

import msgspec
import pytest

from tests import mails
from tests.cli.conftest import Place
from tests.cli.test_json import keys
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store

REQUIRE = '[trust]\ndkim = "require"\n'
NAMED = f'{REQUIRE}[[domains]]\nmatch = ["example.com", "*.shop.example"]\n'
MOMENT: Time = 1_795_435_200
ADDRESS = '[checks]\nrua = ["mailto:tlsrpt@example.com"]\n'


def store(place: Place) -> SqliteStore:
    return open_store(place.database, create=True, clock=lambda: MOMENT)


@pytest.fixture
def waiting(place: Place) -> Place:
    """Reports on a domain that is ours and on two that are not; of one we know why."""
    place.configure(NAMED)
    for domain, days in (("example.com", 1), ("net.example", 2), ("z.example", 1)):
        for day in range(days):
            report = mails.report(domain, f"2026-11-{20 + day}")
            place.mail(f"{domain}-{day}.eml", mails.mail(report))
    assert 0 == place("import", str(place.mails)).code
    return place


def test_domains_are_listed_with_why_they_count_or_not(waiting: Place):
    """An operator sees at once whose reports are held, and what helps."""
    out = waiting("domains").out.splitlines()

    assert ["net.example", "foreign"] == out[1].split()[:2]
    assert "    2 reports held: no [[domains]] names it" == out[2]
    assert ["z.example", "foreign"] == out[3].split()[:2]
    assert "    1 report held: no [[domains]] names it" == out[4]
    assert ["example.com", "first"] == out[5].split()[:2]
    assert "Are some of them yours? tlsrpt-mailer domains adopt" == out[-1]


def test_the_list_can_be_narrowed_and_read_by_programs(waiting: Place):
    """--foreign and its like, --json and --limit, as every listing has them."""
    listed = waiting("domains", "--json").json

    assert keys("domains") == list(listed[0])
    assert ["net.example", "z.example", "example.com"] == [one["domain"] for one in listed]
    assert ["z.example"] == [
        one["domain"] for one in waiting("domains", "--foreign", "--json").json
    ][1:]
    assert 1 == len(waiting("domains", "--limit", "1", "--json").json)
    assert "No domain of that kind." in waiting("domains", "--adopted").out
    assert "1 of 3 domains; all of them: --all" in waiting("domains", "--limit", "1").out


def test_a_mixed_report_says_which_part_is_not_counted(place: Place):
    """Who looks for a failure that a report names, and no list has, reads there why."""
    place.configure(NAMED)
    failing = mails.detail("certificate-expired", "mx.z.example", 7)
    policies = [
        mails.policy("z.example", details=[failing]),
        mails.policy("example.com"),
        mails.policy("z.example", policy_type="tlsa", successful=3),
    ]
    place.mail("mixed.eml", mails.mail(mails.report(policies=policies)))
    place.mail("pure.eml", mails.mail(mails.report("example.com", "2026-10-14")))
    place.mail("foreign.eml", mails.mail(mails.report("z.example", "2026-10-15")))
    assert 0 == place("import", str(place.mails)).code
    numbers = {
        one["start"][8:10]: (one["id"], one["left_out"]) for one in place("reports", "--json").json
    }

    mixed, pure, foreign = (
        place("reports", "show", str(numbers[day][0])).out for day in ("13", "14", "15")
    )

    said = "    not counted: its domain was not known to be yours when the report was read\n"
    assert f"z.example, policy sts (enforce): 3,440 sessions, 7 failed (0.2 %)\n{said}" in mixed
    assert f"z.example, policy tlsa: 3 sessions, 0 failed\n{said}" in mixed
    assert 2 == mixed.count("not counted: ")
    assert "  2 of 3 policies are not counted; whose they are: tlsrpt-mailer domains\n" in mixed
    assert "not counted" not in pure
    assert "held: about domains that are not yours\n" in foreign
    assert "not counted" not in foreign
    assert ([0, 2], [], [0]) == tuple(numbers[day][1] for day in ("13", "14", "15"))


def test_before_the_first_block_it_is_said_what_it_ends(place: Place):
    """Who names one domain has all the others held from then on: not without a word."""
    place.configure(REQUIRE + ADDRESS)
    with store(place).write() as txn:
        txn.propose(["new.example"], MOMENT)

    first = place("domains", "adopt").out
    place.configure(NAMED + ADDRESS)
    second = place("domains", "adopt").out

    assert "It is the first [[domains]]: with it, adopting by itself ends." in first
    assert "[[domains]]" in second
    assert "It is the first" not in second


def test_each_state_says_why(place: Place):
    """Adopted, proposed with what its record says or before it was asked, foreign, unchecked."""
    place.configure(REQUIRE + ADDRESS)
    with store(place).write() as txn:
        txn.propose(["new.example", "other.example", "mine.example", "bad.example"], MOMENT)
    opened = store(place)
    rows = {one.domain: one for one in opened.adoptions.due(MOMENT, 10)}
    opened.adoptions.save(
        [
            msgspec.structs.replace(
                rows["mine.example"], state="adopted", said="its record sends reports to us"
            ),
            msgspec.structs.replace(
                rows["other.example"],
                next_try=MOMENT + DAY,
                said="its record sends reports to x@y.example, which is not here\x1b[2J",
            ),
        ]
    )
    opened.adoptions.say(["bad.example"], "foreign", MOMENT, "ana said that it is not ours")
    opened.close()

    listed = {one["domain"]: one for one in place("domains", "--json").json}
    out = place("domains").out

    assert {
        "new.example": ("proposed", "its record is looked up within minutes"),
        "other.example": (
            "proposed",
            "its record sends reports to x@y.example, which is not here\x1b[2J",
        ),
        "bad.example": ("foreign", "ana said that it is not ours"),
        "mine.example": ("adopted", "its record sends reports to us"),
    } == {name: (one["whose"], one["why"]) for name, one in listed.items()}
    assert "\x1b" not in out
    assert ["proposed", "proposed", "foreign", "unknown"] == [
        line.split()[1] for line in out.splitlines()[1:9] if not line.startswith(" ")
    ]
    place.configure(REQUIRE)
    assert "no address of ours is known: say checks.rua or [[domains]]" in place("domains").out


def test_what_counted_before_is_unchecked(full: Place):
    """Domains of imported files, or of the time without checks, are nobody's question."""
    listed = full("domains", "--json").json

    assert {"unchecked"} == {one["whose"] for one in listed}
    assert "Are some of them yours?" not in full("domains").out


def test_without_any_report_there_is_nothing_to_list(place: Place):
    """An empty database is told from one that is not there."""
    assert 1 == place("domains").code
    store(place).close()
    place.configure(REQUIRE)

    assert "No report speaks of any domain yet." in place("domains").out
    assert "Nothing is held for its domain." in place("domains", "adopt").out
    assert {"file": str(place.config), "domains": [], "stanza": None} == place(
        "domains", "adopt", "--json"
    ).json


# ------------------------------------------------------------------------- adopt


def test_adopt_prints_what_to_add_and_changes_nothing(waiting: Place):
    """The stanza is TOML that makes the held reports count; the file stays as it is."""
    before = waiting.config.read_text()

    result = waiting("domains", "adopt")

    assert before == waiting.config.read_text()
    assert "3 reports held:" in result.out
    assert f"Add this to {waiting.config}, without what is not yours:" in result.out
    stanza = result.out[result.out.index("\n[[domains]]\n") : result.out.index("Then:")]
    assert {"domains": [{"match": ["net.example", "z.example"]}]} == tomllib.loads(stanza)
    assert "systemctl reload tlsrpt-mailer" in result.out
    assert "tlsrpt-mailer reports release --all" in result.out


def test_what_adopt_prints_makes_held_reports_count(waiting: Place):
    """Pasted and released, the reports are counted, and nothing is left to add."""
    stanza = waiting("domains", "adopt", "--json").json["stanza"]
    waiting.configure(f"{NAMED}{stanza}")

    # What was imported was the operator's word; a release without --as-is asks for a signature.
    assert 0 == waiting("reports", "release", "--all", "--as-is").code
    assert "Nothing is held for its domain." in waiting("domains", "adopt").out
    assert {"ours"} == {one["whose"] for one in waiting("domains", "--json").json}


def test_adopt_takes_names_and_patterns(waiting: Place):
    """Only those that are named, in normal form; what is ours already is left out."""
    names = ("Net.Example.", "*.b\u00fccher.example", "example.com", "a.shop.example")

    found = waiting("domains", "adopt", *names, "--json").json

    assert keys("domains adopt") == list(found)
    assert ["net.example", "*.xn--bcher-kva.example"] == [one["domain"] for one in found["domains"]]
    assert {"match": ["net.example", "*.xn--bcher-kva.example"]} == tomllib.loads(found["stanza"])[
        "domains"
    ][0]
    assert "All of them are yours already." in waiting("domains", "adopt", "example.com").out
    wrong = waiting("domains", "adopt", "no name")
    assert 64 == wrong.code
    assert '"no name" is no domain name' in wrong.err


def test_a_name_that_is_none_gets_into_no_configuration(place: Place):
    """What a report calls a domain is a stranger's text."""
    place.configure(NAMED)
    evil = 'x"]\nowners = ["evil@example.net'
    place.mail("evil.eml", mails.mail(mails.report(evil)))
    place.mail("net.eml", mails.mail(mails.report("net.example")))
    place("import", str(place.mails))

    listed = place("domains")
    stanza = place("domains", "adopt", "--json").json["stanza"]

    assert "it is no domain name" in listed.out
    assert {"domains": [{"match": ["net.example"]}]} == tomllib.loads(stanza)


# ------------------------------------------------------------------------ reject


def test_a_rejected_domain_is_foreign_until_the_configuration_names_it(place: Place):
    """The operator has the last word, and the audit says who it was."""
    place.configure(REQUIRE + ADDRESS)
    opened = store(place)
    opened.adoptions.say(["stranger.example"], "adopted", MOMENT, "its record names us")
    opened.close()

    done = place("domains", "reject", "Stranger.example", "--note", "never heard of")

    assert 0 == done.code
    assert "Not ours: stranger.example." in done.out
    (row,) = place("domains", "--foreign", "--json").json
    assert row["why"].endswith("said that it is not ours")
    (entry,) = place("audit", "--json").json
    assert ("domains-reject", {"domain": "stranger.example"}, "never heard of") == (
        entry["action"],
        entry["target"],
        entry["note"],
    )
    place.configure(f'{REQUIRE}[[domains]]\nmatch = ["stranger.example"]\n')
    assert ["ours"] == [one["whose"] for one in place("domains", "--json").json]
    refused = place("domains", "reject", "stranger.example")
    assert 64 == refused.code
    assert "a [[domains]] names stranger.example" in refused.err
    assert 64 == place("domains", "reject", "*.example").code


def test_status_warns_where_nothing_could_ever_count(place: Place):
    """A Maildir has no address: whoever set it up learns why reports stay held."""
    source = '[[source]]\nkind = "maildir"\npath = "/"\n'
    store(place).close()
    warning = "no domain can be known as ours; say checks.rua or [[domains]]"

    told = []
    for text in (REQUIRE + source, REQUIRE + source + ADDRESS, NAMED + source, REQUIRE):
        place.configure(text)
        told.append(warning in " ".join(place("status").out.split()))

    assert [True, False, False, False] == told


def test_what_a_rejected_domain_left_open_is_named(full: Place):
    """What counted before stays, so its failure would go on reminding: the way out is printed."""
    out = full("domains", "reject", "shop.example", "fetch.example").out

    assert "Not ours: shop.example and fetch.example." in out
    assert "2 failures of before still open" in out
    line = out.splitlines()[-1]
    assert 0 == full(*line.split()[1:]).code
    assert "still open" not in full("domains", "reject", "none.example").out


# ------------------------------------------------------------------ config check


def checked(place: Place) -> str:
    return " ".join(place("config", "check").out.split())


def test_config_check_says_which_domains_count(waiting: Place):
    """By record, by [[domains]] with the strangers that are held for it, or without a question."""
    by_name = checked(waiting)
    json_ = waiting("config", "check", "--json").json
    waiting.configure(f"{REQUIRE}{ADDRESS}")
    by_record = checked(waiting)
    waiting.configure('[trust]\ndkim = "off"\n')
    off = checked(waiting)

    assert (
        "note in no [[domains]]: 2 domains, so new reports on them are held: net.example and"
        " z.example. What to add: tlsrpt-mailer domains adopt" in by_name
    )
    assert ["net.example", "z.example"] == json_["strangers"]
    assert "ours domains whose TLSRPT record sends reports to tlsrpt@example.com" in by_record
    assert "sends reports to" not in off
    assert "are held" not in off


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("", []),
        (ADDRESS, ["tlsrpt@example.com"]),
        ('[checks]\nrua = ["https://x.example"]\n', []),
        (
            (
                '[[source]]\nkind = "lmtp"\nlisten = "127.0.0.1:8825"\n'
                'recipients = ["a@example.com", "@r.example"]\n'
            ),
            ["a@example.com", "@r.example"],
        ),
        (
            (
                '[[source]]\nkind = "imap"\nhost = "h.example"\nusername = "u@example.com"\n'
                'password_command = ["/bin/true"]\n'
            ),
            ["u@example.com"],
        ),
        (
            (
                '[[source]]\nkind = "imap"\nhost = "h.example"\nusername = "user"\n'
                'password_command = ["/bin/true"]\n'
            ),
            [],
        ),
        ('[[source]]\nkind = "maildir"\npath = "/"\n', []),
        ('[alerts]\nreply_to = "answers@example.com"\n', []),
    ],
)
def test_config_check_warns_where_nothing_could_ever_count(
    place: Place, text: str, addresses: list[str]
):
    """Without [[domains]] and without an address of ours every report would be held for ever."""
    place.configure(f"{REQUIRE}{text}")
    warning = "trust: no domain can be known as ours; say checks.rua or [[domains]]"

    json_ = place("config", "check", "--json").json

    assert addresses == json_["our_addresses"]
    assert bool(addresses) != (warning in json_["warnings"])
    place.configure(f'{text}[trust]\ndkim = "off"\n')
    assert warning not in place("config", "check", "--json").json["warnings"]
