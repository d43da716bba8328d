"""`config check` on whose is what."""

import pytest

from tests.cli.conftest import Place

TEAMS = """
[[owner]]
name = "platform"
addresses = ["platform@example.com", "noc@example.com"]
[[domains]]
match = ["example.com", "*.shop.example", "*.gone.example"]
owners = ["platform"]
group = "retail"
[[domains]]
match = ["shop.example"]
[[domains]]
match = ["example.com"]
owners = ["web@example.com"]
[[mx]]
match = ["*.mx.example"]
owners = ["platform"]
"""


def one_line(text: str) -> str:
    """*text* without its line ends."""
    return " ".join(text.split())


def test_the_owner_that_results_is_printed_for_each_domain(full: Place):
    """What the blocks mean is seen before anybody is told: for stored domains and named ones."""
    full.configure(TEAMS)

    out = full("config", "check").out

    assert (
        "  domain    example.com: platform (platform@example.com, noc@example.com)\n"
        "            (group retail)\n" in out
    )
    assert "  domain    shop.example: nobody's\n" in out
    assert "  domain    fetch.example: nobody's\n" in out
    assert "  mx        *.mx.example: platform (platform@example.com, noc@example.com)\n" in out


def test_what_may_not_be_meant_is_noted(full: Place):
    """Patterns without a domain, domains in two blocks, domains without an owner."""
    full.configure(f'{TEAMS}[[owner]]\nname = "idle"\naddresses = ["i@example.com"]\n')

    out = one_line(full("config", "check").out)

    assert 'note domains[0].match: "*.shop.example" fits no domain in the database' in out
    assert "note in domains[0] and domains[2], of which the first holds: example.com " in out
    assert (
        "note nobody's: 2 domains, so postmaster@example.com is told: fetch.example and"
        " shop.example " in out
    )
    assert "note owner[1]: idle owns nothing" in out


def test_nobodys_domains_without_a_default_owner_go_to_the_log(place: Place):
    """Where alerts.to is empty nobody is mailed about them, and the check says so."""
    place.configure('[[domains]]\nmatch = ["a.example"]\n[alerts]\nto = []\n')

    out = place("config", "check").out

    assert "nobody's: 1 domain, so they go to the log: a.example\n" in out


def test_one_admin_reads_nothing_about_owners(full: Place):
    """Without [[domains]] everything is for alerts.to, and there is nothing to say."""
    out = full("config", "check").out

    assert "  domain" not in out
    assert "  note" not in out


def test_a_reporter_below_a_domain_is_warned_of(place: Place):
    """Reports count under the organisational domain: a name below it in trust.reporters is none."""
    place.configure('[trust]\nreporters = ["tls.bank.example", "partner.example"]\n')

    result = place("config", "check")

    assert (0, 1) == (result.code, result.out.count("warning   trust.reporters"))
    assert (
        "  warning   trust.reporters: reports that tls.bank.example signs count under"
        " bank.example; say that\n" in result.out
    )


def test_many_domains_are_counted_by_owner(full: Place):
    """Ten thousand lines are no check; --json has them all."""
    (full.folder / "domains.txt").write_text("".join(f"d{n}.example\n" for n in range(500)))
    full.configure('[[domains]]\nfile = "domains.txt"\nowners = ["web@example.com"]\n')

    out, listed = full("config", "check").out, full("config", "check", "--json").json["domains"]

    assert (
        " owner web@example.com: 500 domains: d0.example, d1.example, d10.example and 497 more "
        in one_line(out)
    )
    assert 503 == len(listed)
    assert {
        "domain": "d7.example",
        "owners": ["web@example.com"],
        "addresses": ["web@example.com"],
        "is_nobodys": False,
        "group": None,
        "blocks": ["domains[0]"],
    } in listed
    assert 3 == sum(one["is_nobodys"] for one in listed)


def test_a_pattern_that_never_counts_is_noted(place: Place):
    """A block that stands behind one with the same pattern looks as if it meant something."""
    place.configure(
        '[[domains]]\nmatch = ["*.a.example"]\nowners = ["x@example.com"]\n'
        '[[domains]]\nmatch = ["*.b.example", "*.a.example"]\nowners = ["y@example.com"]\n'
    )

    out = place("config", "check").out

    assert 'note      domains[1].match: "*.a.example" is also in domains[0]\n' in out
    assert 1 == out.count("  note  ")


def test_thousands_of_slips_fill_no_screen(full: Place):
    """Ten notes of a kind, and how many more; --json has every pattern."""
    patterns = ", ".join(f'"*.d{n}.example"' for n in range(300))
    full.configure(f'[[domains]]\nmatch = [{patterns}]\nowners = ["web@example.com"]\n')

    out = full("config", "check").out

    assert 10 == out.count("fits no domain in the database") + out.count("fits no domain in the\n")
    assert "  note      ... and 290 more of this kind\n" in out
    assert 300 == len(full("config", "check", "--json").json["idle_patterns"])


def test_before_the_first_report_no_pattern_is_idle(place: Place):
    """A new installation has no domains to fit, and nothing to mend."""
    place.configure(TEAMS)

    assert "fits no domain" not in place("config", "check").out


LMTP = '[[source]]\nkind = "lmtp"\nlisten = "127.0.0.1:8825"\nrecipients = ["{}"]\n'
REPLY = '[alerts]\nreply_to = "tlsrpt@example.com"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "by command only: alerts.reply_to is not set"),
        (REPLY, "by command only: there is no source that could take them"),
        (LMTP.format("TLSRPT@example.com") + REPLY, "by mail to tlsrpt@example.com"),
        (LMTP.format("@example.com") + REPLY, "by mail to tlsrpt@example.com"),
        (
            LMTP.format("other@example.com") + REPLY,
            "by command only: no source takes mail for tlsrpt+ack-TOKEN@example.com",
        ),
        ('[[source]]\nkind = "maildir"\npath = "/m"\n' + REPLY, "by mail to tlsrpt@example.com"),
    ],
)
def test_whether_alerts_can_be_answered_by_mail_is_said(place: Place, text: str, said: str):
    """An operator learns why no address is printed before he waits for one."""
    place.configure(text)

    out = place("config", "check").out

    assert f"  answers   {said}\n" in out


def test_the_next_digest_is_said_in_its_zone(place: Place):
    """A schedule that was misread is seen before Monday."""
    place.configure('[alerts]\nat = "07:30"\ntimezone = "Europe/Berlin"\n')

    weekly = place("config", "check").out
    place.configure('[digest]\nschedule = "off"\n')

    assert "  digest    weekly, next Mon 2026-11-30 07:30 (Europe/Berlin)\n" in weekly
    assert "  digest    off\n" in place("config", "check").out


def test_trust_before_a_day_to_come_is_noted(place: Place):
    """Whoever writes next year by mistake would believe everybody until then."""
    maildir = '[[source]]\nkind = "maildir"\npath = "/tmp"\ntrust_before = "{}"\n'

    warned = []
    for day in ("2027-01-01", "2026-01-01"):
        place.configure(maildir.format(day))
        warned.append("maildir:/tmp: trust_before lies ahead" in place("config", "check").out)

    assert [True, False] == warned


def test_a_database_of_somebody_else_is_no_obstacle(place: Place):
    """The configuration can be checked where the database cannot be read."""
    place.database.parent.mkdir()
    place.database.write_bytes(b"no database")
    place.configure(TEAMS)

    result = place("config", "check")

    assert 0 == result.code
    assert "  domain    example.com: platform" in result.out


def test_a_channel_that_cannot_work_is_a_problem(place: Place, monkeypatch: pytest.MonkeyPatch):
    """A program or a library that is not there is found before the first alert."""
    monkeypatch.setattr("tlsrpt_mailer.channels.apprise.find_spec", lambda _: None)
    (place.folder / "url").write_text("https://hooks.example/secret\n")
    place.configure(
        '[[channel]]\nkind = "command"\ncommand = ["/no/such/program", "x"]\n'
        '[[channel]]\nkind = "apprise"\nurl_file = "url"\n'
        '[[channel]]\nkind = "webhook"\nurl_file = "none"\n'
        '[[channel]]\nkind = "webhook"\nurl_file = "url"\n'
    )

    result = place("config", "check")

    assert 78 == result.code
    assert "channel[0].command: there is no file /no/such/program\n" in result.err
    assert "channel[1]: channel apprise: " in result.err
    assert "channel[2].url_file: " in result.err
    assert "3 problems" in result.err


def test_channels_are_named_with_what_they_get(place: Place):
    """What goes where is read in one line a channel."""
    place.configure(
        '[[domains]]\nmatch = ["a.example"]\ngroup = "retail"\n'
        '[[channel]]\nkind = "command"\ncommand = ["/bin/cat"]\nmin_severity = "critical"\n'
        '[[channel]]\nkind = "command"\nname = "shop"\ncommand = ["/bin/cat"]\n'
        'groups = ["retail"]\nevents = ["new", "resolved"]\n'
    )

    out = place("config", "check").out

    assert "  channel   command: everything, from critical on\n" in out
    assert "  channel   shop: command: new, resolved of group retail, from warning on\n" in out
