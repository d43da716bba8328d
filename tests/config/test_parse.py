"""What the configuration says, and every way in which it can be wrong."""

from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsrpt_mailer.config import Kinds, Size, parse
from tlsrpt_mailer.config.meaning import is_address
from tlsrpt_mailer.config.model import Config
from tlsrpt_mailer.config.render import render
from tlsrpt_mailer.config.units import size_of, size_text, span_of, span_text
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A source's settings with one key of every type."""

    host: str
    poll: Annotated[Span, msgspec.Meta(ge=10, le=DAY)] = 5 * MINUTE
    patience: Span | None = None
    idle: bool = True
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    after: Literal["keep", "seen", "move"] = "keep"
    mode: Annotated[str, msgspec.Meta(pattern="^[0-7]{3}$")] = "660"
    max_size: Annotated[Size, msgspec.Meta(ge=1024, le=1 << 30)] = 16 << 20
    names: tuple[str, ...] = ()
    password_file: str | None = None
    password_env: str | None = None
    password_command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.host == "nowhere":
            raise ValueError("host: nowhere is no place")
        found = []
        if self.after == "move" and not self.names:
            found.append('after = "move" needs names')
        if self.mode == "000" and not self.idle:
            found.append("nobody could read it")
        if found:
            raise ValueError("; ".join(found))


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A relay's settings."""

    host: str = "127.0.0.1"
    port: int = 25


KINDS = Kinds(sources={"box": Box, "crate": Box}, mail=Mail)


def read(text: str) -> Config:
    return parse(text, KINDS, name="config.toml")


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return list(caught.value.problems)


def test_an_empty_file_is_a_whole_configuration():
    """Every key has a default, so that a new installation starts with no file at all."""
    config = read("")

    assert (400 * DAY, 90 * DAY, 14 * DAY, 500) == (
        config.storage.keep,
        config.storage.keep_raw,
        config.storage.keep_ignored,
        config.storage.max_untrusted_mb,
    )
    assert (5 * MINUTE, 12 * HOUR, 24 * HOUR, 20, 7 * DAY) == (
        config.alerts.group_wait,
        config.alerts.group_interval,
        config.alerts.resolve_wait,
        config.alerts.max_per_hour,
        config.alerts.max_age,
    )
    assert ("require", ()) == (config.trust.dkim, config.trust.reporters)
    assert () == config.source
    assert Mail() == config.mail


def test_every_kind_of_value_is_read():
    """Durations, sizes, lists, choices and switches mean what an operator wrote."""
    config = read(
        """
        [[source]]
        kind = "box"
        host = "imap.example.com"
        poll = "90s"
        patience = "2w"
        idle = false
        port = 993
        after = "move"
        mode = "600"
        max_size = "64kB"
        names = ["a", "b"]

        [alerts]
        from = "tlsrpt@example.com"
        to = ["postmaster@example.com"]

        [alerts.smtp]
        port = 587
        """
    )

    assert "box" == config.source[0].kind
    assert (
        Box(
            host="imap.example.com",
            poll=90,
            patience=14 * DAY,
            idle=False,
            port=993,
            after="move",
            mode="600",
            max_size=65_536,
            names=("a", "b"),
        )
        == config.source[0].settings
    )
    assert "tlsrpt@example.com" == config.alerts.sender
    assert Mail(port=587) == config.mail


def test_all_problems_are_listed_at_once():
    """An operator mends a file in one go: each problem names its key, the last line counts them."""
    found = problems(
        """
        [[source]]
        kind = "box"
        hots = "imap.example.com"
        poll = "0s"
        [alerts]
        max_per_hour = 0
        """
    )

    assert [
        'config.toml: source[0].hots: unknown key, did you mean "host"?',
        'config.toml: source[0].poll: must be at least "10s", not "0s"',
        "config.toml: alerts.max_per_hour: must be at least 1, not 0",
        "config.toml: 3 problems, nothing started",
    ] == found


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('poll = "5 parsecs"', 'poll: must be a duration such as "90s", "5m", "12h" or "30d"'),
        ("poll = 300", 'poll: must be a duration such as "90s", "5m", "12h" or "30d", not 300'),
        ('poll = "2d"', 'poll: must be at most "1d", not "2d"'),
        ('patience = "soon"', "patience: must be a duration"),
        ('idle = "yes"', 'idle: must be true or false, not "yes"'),
        ("port = 0", "port: must be at least 1, not 0"),
        ("port = 65536", "port: must be at most 65535, not 65536"),
        ("port = true", "port: must be a whole number, not true"),
        ("port = 9.5", "port: must be a whole number, not 9.5"),
        ('after = "moev"', 'not "moev", did you mean "move"?'),
        ('after = "xyz"', 'after: must be "keep", "move" or "seen", not "xyz"'),
        ("after = 7", 'after: must be "keep", "move" or "seen", not 7'),
        ('mode = "rw"', 'mode: must fit ^[0-7]{3}$, not "rw"'),
        ('max_size = "big"', 'max_size: must be a size such as "512kB" or "16MB", not "big"'),
        ('max_size = "2GB"', 'max_size: must be at most "1GB", not "2GB"'),
        ("max_size = 5", 'max_size: must be at least "1kB", not 5'),
        ('names = "a"', 'names: must be a list in square brackets, not "a"'),
        ('names = ["a", 2]', "names[1]: must be a text in quotes, not 2"),
        ("names = {}", "names: must be a list in square brackets, not a table"),
        ('host = "a\\nb"', "host: holds a line end or another control character"),
        ("host = 2026-01-01", "host: must be a text in quotes, not a date or time"),
        ("host = []", "host: must be a text in quotes, not a list"),
        ('host = "nowhere"', "source[0]: host: nowhere is no place"),
        ('password = "sesame"', "a secret does not stand in this file; use"),
        ('password_file = "a"\npassword_env = "B"', "password_env: say it once"),
        ("zzzzz = 1", "zzzzz: unknown key; here may stand: host, poll"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(line: str, problem: str):
    """Wrong types, ranges and names are refused with the key and the remedy."""
    head = "" if line.startswith("host") else 'host = "h"\n'

    found = problems(f'[[source]]\nkind = "box"\n{head}{line}')

    assert 2 == len(found)
    assert found[0].startswith("config.toml: source[0]")
    assert problem in found[0]
    assert "config.toml: 1 problem, nothing started" == found[1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[alrts]", 'alrts: unknown table, did you mean "alerts"?'),
        ("[zzz]", "zzz: unknown table; there are: storage, source, trust, dns, checks,"),
        ('[checks]\ncontrol = ["no host"]', '"no host" is no host name'),
        ('[checks]\nschedule = "hourly"', 'must be "daily", "off" or "weekly", not "hourly"'),
        ('[canary]\nfrom = "nobody"', 'canary.from: "nobody" is not a mail address'),
        ('[canary]\nselector = "a b"', 'canary.selector: "a b" is no DKIM selector'),
        ('[checks]\nrua = ["tlsrpt@example.com"]', "is neither"),
        ('[dns]\nnameservers = ["dns.example"]', "is no address"),
        ('[dns]\nnameservers = ["127.0.0.1:99999"]', "is no address"),
        ('[trust]\nauthserv_ids = ["mx.example.com; dkim=pass"]', "is no name of an MTA"),
        (
            '[trust]\nreporters = ["google"]',
            'reporters[0]: "google" is no domain name, did you mean "google.com"?',
        ),
        ('[trust]\nreporters = ["Mail.ru Inc"]', 'did you mean "mail.ru"?'),
        ('[trust]\nreporters = ["a.de", "acme"]', 'reporters[1]: "acme" is no domain name, such'),
        ('[trust]\nreporters = ["*.bank.example"]', "is no domain name"),
        ('[trust]\nreporters = ["192.0.2.1"]', "is no domain name"),
        ('[trust]\nreporters = [""]', '"" is no domain name, such as "google.com"'),
        ("alerts = 1", "alerts: must be a table, not 1"),
        ("[alerts]\nsmtp = 1", "alerts.smtp: must be a table, not 1"),
        ("[source]", "source: is written [[source]], in double brackets"),
        ("source = [1]", "source[0]: must be a table, not 1"),
        ("[[source]]", 'source[0].kind: is missing; it must be "box" or "crate"'),
        ('[[source]]\nkind = "pop3"', 'kind: must be "box" or "crate", not "pop3"'),
        ('[[source]]\nkind = "box"', "source[0].host: is missing"),
        ('[alerts]\nto = ["postmaster"]', 'alerts.to[0]: "postmaster" is not a mail address'),
        ('[alerts]\nfrom = "a b@c.de"', 'alerts.from: "a b@c.de" is not a mail address'),
        ('[trust]\ndkim = "on"', 'trust.dkim: must be "mark", "off" or "require", not "on"'),
        ('[storage]\nkeep = "1h"', 'storage.keep: must be at least "1d", not "1h"'),
        ("= 3", "Invalid statement (at line 1, column 1)"),
    ],
)
def test_a_wrong_table_is_named(text: str, problem: str):
    """What a later version will know is not accepted in silence, and a slip gets a guess."""
    found = problems(text)

    assert problem in found[0]


def test_a_source_that_stands_there_twice_is_refused():
    """Two equal sources would read the same mailbox twice."""
    one = '[[source]]\nkind = "box"\nhost = "h"\n'

    found = problems(one + one)

    assert "config.toml: source[1]: says the same as source[0]" == found[0]


def test_a_secret_in_the_file_is_not_printed():
    """An operator who pastes a password into the file does not find it in the journal."""
    text = '[[source]]\nkind = "box"\nhost = "h"\npassword = "sesame"'

    found = "\n".join(problems(text))

    assert "sesame" not in found


def test_what_is_in_force_is_shown_as_toml_that_reads_back():
    """`config show` can be pasted into a file and means the same."""
    config = read('[[source]]\nkind = "box"\nhost = "a \\"b\\" \\\\ c"\npatience = "3h"')

    shown = render(config)

    assert config == read(shown)
    assert 'poll = "5m"' in shown
    assert 'patience = "3h"' in shown
    assert 'max_size = "16MB"' in shown


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('port = "x"\nafter = "move"', 'after = "move" needs names'),
        ('pot = 5\nafter = "move"', 'after = "move" needs names'),
        ('after = "move"\nmode = "000"\nidle = 5', 'after = "move" needs names'),
        ('after = "move"\nnames = 5', None),
        ('after = "mvoe"', None),
        ('mode = "000"\nidle = 5', None),
        ('mode = "0"\nidle = false\nmax_size = 1\npoll = 5\npatience = 5', None),
        ("host = 5", None),
    ],
)
def test_a_wrong_type_hides_no_contradiction_and_makes_none_up(lines: str, said: str | None):
    """
    Keys that contradict each other are named beside a wrong value, in the same round; but
    not where the wrong value, once it is mended, may be what makes them agree.
    """
    head = "" if "host" in lines else 'host = "h"\n'

    found = problems(f'[[source]]\nkind = "box"\n{head}{lines}')

    expected = [] if said is None else [f"config.toml: source[0]: {said}"]
    assert expected == [line for line in found if line.startswith("config.toml: source[0]: ")]


def test_a_missing_key_is_not_also_wrong():
    """What is said of a guess at a key that is missing would only confuse."""
    found = problems('[[source]]\nkind = "box"\nafter = "move"')

    assert [
        "config.toml: source[0].host: is missing",
        'config.toml: source[0]: after = "move" needs names',
    ] == found[:2]


def test_a_wrong_type_hides_no_wrong_address():
    """Both are mended in one go."""
    found = problems('[alerts]\nto = ["postmaster", 5]\nmax_per_hour = "x"')

    assert 'config.toml: alerts.to[0]: "postmaster" is not a mail address' in found
    assert "config.toml: 3 problems, nothing started" in found


def test_what_is_shown_of_a_secret_reads_back():
    """An empty command beside a password file would be refused as a second place."""
    config = read('[[source]]\nkind = "box"\nhost = "h"\npassword_file = "pw"')

    shown = render(config)

    assert config == read(shown)
    assert "# not set: patience, port, password_env, password_command\n" in shown


def test_of_a_command_only_the_program_is_shown():
    """The arguments of a helper may hold a token, so they stay out of `config show`."""
    config = read('[[source]]\nkind = "box"\nhost = "h"\npassword_command = ["pass", "sesame"]')

    shown = render(config)

    assert 'password_command = ["pass", "..."]' in shown
    assert "sesame" not in shown


@pytest.mark.parametrize("text", ["a@b.de", "a+b@c", "postmaster@mail.example.com"])
def test_a_mail_address_is_taken(text: str):
    """What an envelope and a header can hold is an address."""
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", "Bär@b", "<a@b>", "a@-b", "a@b..c", "a@.b"],
)
def test_what_would_break_a_header_is_no_address(text: str):
    """Blanks, brackets and line ends never reach a header or an envelope."""
    assert not is_address(text)


def test_a_type_that_nobody_taught_is_a_bug_not_a_surprise():
    """A new settings struct with an unknown type fails when it is written, not at a user's."""

    class Odd(msgspec.Struct):
        odd: dict[str, str] = {}

    with pytest.raises(NotImplementedError):
        parse('[alerts.smtp]\nodd = "x"', Kinds(sources={}, mail=Odd), name="config.toml")


@given(st.integers(0, 10**8))
def test_durations_and_sizes_read_back_as_they_are_written(number: int):
    """What `config show` prints for a number of seconds or bytes means the same number."""
    assert number == span_of(span_text(number))
    assert number == size_of(size_text(number))


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5.5m", "5x", "\u0665m", "9999999999s"])
def test_what_is_no_duration_is_none(text: str):
    """Only digits and one unit are a duration; Arabic digits and numbers beyond reason are not."""
    assert span_of(text) is None


@given(st.text(max_size=200))
def test_any_text_gives_a_configuration_or_a_list_of_problems(text: str):
    """No file content makes the program fall over."""
    problem = "nothing started"
    try:
        read(text)
    except ConfigError as error:
        problem = error.problems[-1]

    assert "nothing started" in problem


def test_names_of_trust_are_compared_in_lower_case():
    """Whoever writes MX.Example.Com means the host that calls itself mx.example.com.

    A domain with an umlaut is what its signature calls it.
    """
    config = parse(
        '[trust]\nauthserv_ids = ["MX.Example.Com.", "-"]\n'
        'reporters = ["Bank.Example.", "bücher.example"]\n',
        KINDS,
        name="config.toml",
    )

    assert ("mx.example.com", "-") == config.trust.authserv_ids
    assert ("bank.example", "xn--bcher-kva.example") == config.trust.reporters
