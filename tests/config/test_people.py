"""Owners, domains, MX hosts and channels: what they say, and every way to get them wrong."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsrpt_mailer.config import Kinds, load, parse
from tlsrpt_mailer.config.model import ChannelConfig, Config
from tlsrpt_mailer.config.names import normal_pattern
from tlsrpt_mailer.config.render import render
from tlsrpt_mailer.errors import ConfigError


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A channel's own keys."""

    url: str
    seconds: int = 10


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A relay's settings."""

    host: str = "127.0.0.1"


KINDS = Kinds(sources={}, mail=Mail, channels={"hook": Hook, "pipe": Mail})

TEAMS = """
[[owner]]
name = "platform"
addresses = ["platform@example.com"]
escalate_to = ["head@example.com"]

[[domains]]
match = ["Example.COM.", "*.b\u00fccher.example"]
owners = ["platform", "web@example.com"]
group = "retail"
"""


def read(text: str) -> Config:
    return parse(text, KINDS, name="config.toml")


def problems(text: str) -> list[str]:
    """What is said of *text*, without the file's name and without the count."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    return [line.removeprefix("config.toml: ") for line in caught.value.problems[:-1]]


def test_teams_and_their_domains_are_read():
    """Names are compared as DNS does: without case, as A-labels, without a dot at the end."""
    config = read(TEAMS)

    assert ("example.com", "*.xn--bcher-kva.example") == config.domains[0].match
    assert ("platform", "web@example.com") == config.domains[0].owners
    assert ("head@example.com",) == config.owner[0].escalate_to
    assert "skip" == config.owner[0].when_empty


def test_without_these_tables_all_is_for_those_of_alerts_to():
    """One admin needs none of this."""
    config = read("")

    assert ((), (), (), ()) == (config.owner, config.domains, config.mx, config.channel)
    assert ("weekly", "send", "") == (
        config.digest.schedule,
        config.digest.when_empty,
        config.health.ping_url,
    )
    assert ("08:00", "UTC", "") == (
        config.alerts.at,
        config.alerts.timezone,
        config.alerts.reply_to,
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[owner]", "owner: is written [[owner]], in double brackets"),
        ('[[owner]]\naddresses = ["a@b.c"]', "owner[0].name: is missing"),
        ('[[owner]]\nname = "a"', "owner[0].addresses: is missing"),
        (
            '[[owner]]\nname = "a"\naddresses = []',
            "owner[0].addresses: must name at least one address",
        ),
        (
            '[[owner]]\nname = "a"\naddresses = ["b"]',
            'owner[0].addresses[0]: "b" is not a mail address',
        ),
        (
            '[[owner]]\nname = "a@b"\naddresses = ["a@b.c"]',
            'owner[0].name: "a@b" is no name: it must hold something, and no @',
        ),
        (
            '[[owner]]\nname = "default"\naddresses = ["a@b.c"]',
            'owner[0].name: "default" is the name of those in alerts.to; take another',
        ),
        (
            '[[owner]]\nname = "a"\naddresses = ["a@b.c"]\nanswer_from = ["@b.c", "@"]',
            'owner[0].answer_from[1]: "@" is neither a mail address nor "@" and a domain',
        ),
        (
            '[[owner]]\nname = "a"\naddresses = ["a@b.c"]\n' * 2,
            'owner[1].name: "a" is already owner[0]',
        ),
        ("[[domains]]", "domains[0]: needs match or file"),
        (
            '[[domains]]\nmatch = ["foo*.example.com"]',
            'is no pattern: "*" stands only as the first label, as in "*.example.com"',
        ),
        (
            '[[domains]]\nmatch = ["a..b"]',
            'domains[0].match[0]: "a..b" is no domain name',
        ),
        (
            '[[domains]]\nmatch = ["a.b"]\nmx = ["m x"]',
            'domains[0].mx[0]: "m x" is no domain name',
        ),
        (
            '[[mx]]\nowners = []\nmatch = ["192.0.2.1"]',
            'mx[0].match[0]: "192.0.2.1" is no domain name',
        ),
        (
            '[[domains]]\nmatch = ["a.b"]\nowners = ["a@"]',
            'domains[0].owners[0]: "a@" is not a mail address',
        ),
        (
            '[[domains]]\nmatch = ["a.b"]\nowners = ["x"]',
            'domains[0].owners[0]: there is no [[owner]] "x"',
        ),
        (
            f'{TEAMS}[[mx]]\nmatch = ["m.x"]\nowners = ["plattform"]',
            'mx[0].owners[0]: there is no [[owner]] "plattform", did you mean "platform"?',
        ),
        ("[[mx]]\nmatch = []\nowners = []", "mx[0].match: must not be empty"),
        (
            '[[domains]]\nmatch = ["a.b"]\ntell_domain_owners = "no"',
            'must be "alert", "digest" or "none", not "no", did you mean "none"?',
        ),
        (
            f'{TEAMS}[[channel]]\nkind = "hook"\nurl = "u"\ngroups = ["retial"]',
            'channel[0].groups[0]: no [[domains]] is in a group "retial", did you mean "retail"?',
        ),
        ('[[channel]]\nkind = "hok"', 'must be "hook" or "pipe", not "hok", did you mean "hook"?'),
        ('[[channel]]\nkind = "hook"', "channel[0].url: is missing"),
        (
            '[[channel]]\nkind = "hook"\nurl = "u"\nnmae = "x"',
            'channel[0].nmae: unknown key, did you mean "name"?',
        ),
        (
            '[[channel]]\nkind = "hook"\nurl = "u"\nname = "a b"',
            'channel[0].name: "a b" is no name: letters, digits, dots and hyphens are',
        ),
        (
            '[[channel]]\nkind = "pipe"\nname = "x"\n' * 2,
            'channel[1].name: "x" is already channel[0]',
        ),
        (
            '[[channel]]\nkind = "pipe"\nevents = ["resloved"]',
            'not "resloved", did you mean "resolved"?',
        ),
        (
            '[alerts]\nfallback = ["hok"]\n[[channel]]\nkind = "hook"\nurl = "u"',
            'alerts.fallback[0]: there is no [[channel]] "hok", did you mean "hook"?',
        ),
        ('[alerts]\nat = "8:00"', 'alerts.at: must be a time of day such as "08:00", not "8:00"'),
        ('[alerts]\nat = "24:00"', 'alerts.at: must be a time of day such as "08:00"'),
        (
            '[alerts]\ntimezone = "Europe/Berlni"',
            '"Europe/Berlni" is no time zone, did you mean "Europe/Berlin"?',
        ),
        ('[alerts]\ntimezone = "berlin"', 'did you mean "Europe/Berlin"?'),
        ('[alerts]\ntimezone = "Europe"', '"Europe" is no time zone'),
        ('[alerts]\ntimezone = "../UTC"', '"../UTC" is no time zone, did you mean "UTC"?'),
        ('[alerts]\ntimezone = "0"', '"0" is no time zone, such as "Europe/Berlin"'),
        ('[alerts]\nreply_to = "tlsrpt"', 'alerts.reply_to: "tlsrpt" is not a mail address'),
        (
            '[digest]\nschedule = "weakly"',
            'a cron expression of five fields, did you mean "weekly"?',
        ),
        ('[digest]\nschedule = "61 * * * *"', '"61 * * * *" is not a cron expression'),
        ('[digest]\nschedule = "0 0 30 2 *"', '"0 0 30 2 *" is not a cron expression'),
        ('[health]\nping_url = "example.com"', "ping_url: must begin with https:// or http://"),
        (
            '[health]\nping_url = "https://e.com"\nping_url_file = "x"',
            'health.ping_url_file: say it once: "ping_url" is there already',
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(text: str, problem: str):
    """A slip in who is told is named, with the key and a guess, before anything starts."""
    found = problems(text)

    assert 1 == len([line for line in found if problem in line]), found


def test_a_wrong_key_hides_no_owner():
    """An owner with a problem of its own is not also said to be missing where it is named."""
    found = problems(TEAMS.replace("escalate_to", "escalte_to"))

    assert ['owner[0].escalte_to: unknown key, did you mean "escalate_to"?'] == found


def test_a_version_without_channels_says_so():
    """A registry without a kind has nothing to propose."""
    with pytest.raises(ConfigError, match="knows no kind of channel"):
        parse('[[channel]]\nkind = "x"', Kinds(sources={}, mail=Mail), name="c")


def test_channels_without_a_name_are_called_by_their_kind():
    """Every channel has a name of its own, under which its notices are kept."""
    config = read('[[channel]]\nkind = "pipe"\n' * 3)

    assert ["pipe", "pipe-2", "pipe-3"] == [one.name for one in config.channel]
    assert ChannelConfig(kind="pipe", name="pipe", settings=Mail()) == config.channel[0]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("*", "*"),
        ("*.Example.com", "*.example.com"),
        (" mail.example.com. ", "mail.example.com"),
        ("*.*.example.com", None),
        ("*example.com", None),
        ("a.*.example.com", None),
        ("", None),
        ("*.", None),
        ("192.0.2.1", None),
    ],
)
def test_a_pattern_is_a_name_with_stars_in_front_at_most(text: str, normal: str | None):
    """What would match something else than the reader thinks is no pattern."""
    assert normal == normal_pattern(text)


# ------------------------------------------------------------ a file of domains


def placed(folder: Path, names: str) -> Path:
    """A configuration with a file of names beside it."""
    (folder / "domains.txt").write_text(names)
    path = folder / "config.toml"
    path.write_text('[[domains]]\nmatch = ["x.example"]\nfile = "domains.txt"\n')
    return path


def test_a_file_of_domains_is_read_beside_the_configuration(tmp_path: Path):
    """Ten thousand domains need not stand in the configuration; comments may stand with them."""
    path = placed(tmp_path, "# ours\nA.example\n\n*.b.example # all\na.example\n")

    config = load(path, KINDS)

    assert (("a.example", "*.b.example"),) == config.listed
    assert ("x.example",) == config.domains[0].match


def test_bad_lines_of_a_file_are_named_by_number(tmp_path: Path):
    """The first ten, so that a wrong file fills no screen."""
    path = placed(tmp_path, "a.example\n" + "what is this\n" * 12)

    with pytest.raises(ConfigError) as caught:
        load(path, KINDS)

    assert (
        'config.toml: domains[0].file: domains.txt:2: "what is this" is no domain name, '
        "nor a pattern" == caught.value.problems[0]
    )
    assert (
        "config.toml: domains[0].file: domains.txt: 2 more lines are no domain names"
        == caught.value.problems[-2]
    )


@pytest.mark.parametrize(
    ("names", "said"), [("# none yet\n", "holds no name"), (None, "there is no such file")]
)
def test_a_file_that_says_nothing_is_refused(tmp_path: Path, names: str | None, said: str):
    """Domains that nobody finds would be nobody's in silence."""
    path = placed(tmp_path, names or "")
    if names is None:
        (tmp_path / "domains.txt").unlink()

    with pytest.raises(ConfigError, match=said):
        load(path, KINDS)


def test_a_configuration_without_a_place_reads_no_files():
    """What is parsed from a text alone has nothing beside it."""
    assert ["domains[0].file: x cannot be read here"] == problems('[[domains]]\nfile = "x"')


# ---------------------------------------------------------------------- show


def test_what_is_in_force_reads_back():
    """`config show` prints every new table so that it can be pasted."""
    config = read(
        f"""{TEAMS}
        [[mx]]
        match = ["*.mx.example"]
        owners = ["platform"]
        tell_domain_owners = "alert"
        [[channel]]
        kind = "hook"
        url = "https://hooks.example/"
        groups = ["retail"]
        [digest]
        schedule = "0 8 * * 1"
        """
    )

    assert config == read(render(config))


def test_the_address_of_a_hook_is_not_shown_whole():
    """Many services put their token into the path."""
    config = read(
        '[[channel]]\nkind = "hook"\nurl = "https://u:p@hooks.example/T0/sesame"\n'
        '[health]\nping_url = "https://hc-ping.com/sesame"'
    )

    shown = render(config)

    assert 'url = "https://hooks.example/..."' in shown
    assert "sesame" not in shown
    assert "u:p" not in shown


# ---------------------------------------------------------------- anything at all

VALUES = (
    "5",
    "true",
    "2026-01-01",
    "{}",
    "[]",
    "[5]",
    "[[]]",
    '""',
    '"x"',
    '"a@b.example"',
    '"\\u0000"',
    '["platform"]',
    '["a@b.example", "*.b.example"]',
    '"weekly"',
    '"Europe/Berlin"',
)
KEYS = {
    "[[owner]]": ("name", "addresses", "escalate_to", "answer_from", "when_empty"),
    "[[domains]]": ("match", "file", "owners", "group", "policy_host_owners"),
    "[[mx]]": ("match", "owners", "tell_domain_owners"),
    "[[channel]]": ("kind", "name", "url", "min_severity", "events", "owners", "groups"),
    "[alerts]": ("to", "reply_to", "answer_from", "at", "timezone", "fallback", "from"),
    "[digest]": ("schedule", "when_empty"),
    "[health]": ("ping_url", "ping_url_file"),
}
lines = st.sampled_from(sorted(KEYS)).flatmap(
    lambda head: st.dictionaries(
        st.sampled_from(KEYS[head]), st.sampled_from(VALUES), max_size=5
    ).map(lambda found: "\n".join([head, *(f"{key} = {value}" for key, value in found.items())]))
)


@given(st.lists(lines, max_size=4))
def test_whatever_stands_in_these_tables_the_answer_is_a_list_of_problems(blocks: list[str]):
    """No mixture of right and wrong values makes the program fall over."""
    said = "nothing started"
    try:
        config = read("\n".join(blocks))
        assert config == read(render(config))
    except ConfigError as error:
        said = "\n".join(error.problems)

    assert "nothing started" in said or "(at line" in said
