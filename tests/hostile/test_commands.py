"""Commands that a mail tells people to paste: no word of a report gets into a shell."""

import re
import shlex

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.alerts.examples import context, group, item
from tests.alerts.test_hostile import NASTY, failures, mails, people, replies
from tlsrpt_mailer.alerts.catalogue import entry, known_types
from tlsrpt_mailer.alerts.commands import names, shell
from tlsrpt_mailer.alerts.render import render
from tlsrpt_mailer.report.hosts import is_ip, is_strict_host

PROGRAMS = ("openssl", "dig", "delv", "curl", "grep", "zgrep", "journalctl", "posttls-finger")
OWN = "tlsrpt-mailer"
ASSIGNED = re.compile(r"(DOMAIN|MX)=(.*)")

PLACES = {"{domain}": "DOMAIN", "{mx}": "MX", "{ip}": "IP"}


def vocabulary() -> list[re.Pattern[str]]:
    """Every token of the shipped commands; a name may stand where a mark does."""
    tokens = {
        token
        for name in known_types()
        for check in entry(name).check
        for token in shlex.split(" ".join(check.command), comments=False)
    }
    return [_pattern(token) for token in tokens]


def _pattern(token: str) -> re.Pattern[str]:
    text = re.escape(token)
    for mark in PLACES:
        text = text.replace(re.escape(mark), "(.+?)", 1).replace(re.escape(mark), ".+?")
    return re.compile(text, re.DOTALL)


TOKENS = vocabulary()


def is_name(text: str) -> bool:
    return (
        text in {"DOMAIN", "MX_HOST", "MX", "IP", "$DOMAIN", "$MX"}
        or is_strict_host(text)
        or is_ip(text)
    )


def is_ours(token: str) -> bool:
    """Whether it is a word of a shipped command, with nothing but a name put in."""
    if (found := ASSIGNED.fullmatch(token)) and is_name(found[2]):
        return True
    return any(
        all(is_name(name) for name in match.groups())
        for match in (pattern.fullmatch(token) for pattern in TOKENS)
        if match
    )


def commands(text: str) -> list[str]:
    """The commands of a mail, each on one line."""
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line.strip().removeprefix("$ ") for line in joined.splitlines()]
    return [line for line in lines if line.startswith((*PROGRAMS, "DOMAIN=", "MX="))]


hosts = (
    st.sampled_from(NASTY)
    | st.text("ab.-$`;|&<>\"'\\ \r\n(){}", max_size=60)
    | st.text(max_size=40)
)


@settings(max_examples=100, deadline=None)
@given(hosts, st.none() | hosts, st.none() | hosts)
def test_a_name_that_is_none_enters_no_command(domain: str, mx: str | None, ip: str | None):
    """Every command of every result type parses to its own words, with names where they belong."""
    for name in known_types():
        for check in entry(name).check:
            text = "\n".join(shell(check, names(domain, mx, ip)))
            for token in shlex.split(text.replace("\\\n", " ")):
                assert is_ours(token), token


@settings(max_examples=100, deadline=None)
@given(failures() | people())
def test_an_alert_has_no_command_but_ours(one: object):
    """The commands in the text of a mail are those that we ship, however the report is made."""
    text = render(group(one), context()).text

    for line in commands(text):
        for token in shlex.split(line):
            assert is_ours(token), line


@settings(max_examples=100, deadline=None)
@given(mails() | replies())
def test_our_own_commands_in_mails_are_whole(rendered: object):
    """A line that begins with our program's name holds numbers, options and words of ours alone."""
    lines = [line.strip().removeprefix("$ ") for line in rendered.text.splitlines()]  # type: ignore[attr-defined]

    for line in lines:
        if line.startswith(f"{OWN} "):
            assert re.fullmatch(r"[A-Za-z0-9 .,:;()<>='\"@+-]*", line), line
            shlex.split(line)


def test_the_test_knows_its_commands():
    """It would be worth nothing if it looked at no command, or took any for ours."""
    assert len(TOKENS) > 20
    assert is_ours("DOMAIN=example.com")
    assert not is_ours("DOMAIN=$(reboot)")
    assert not is_ours("mx1.example.com;reboot")
    assert len(commands(render(group(item()), context()).text)) > 1
