"""What the commands say of themselves."""

import re
import shlex

import click
import pytest

from tests.cli import reference
from tests.cli.conftest import Place

COMMANDS = dict(reference.all_commands())
ENDS = {path: ctx for path, ctx in COMMANDS.items() if not isinstance(ctx.command, click.Group)}


def test_the_page_of_the_commands_is_what_the_commands_say():
    """The reference cannot fall behind; `python -m tests.cli.reference` writes it anew."""
    assert reference.page() == reference.PAGE.read_text()


@pytest.mark.parametrize("path", ENDS)
def test_each_command_says_its_exit_codes_and_shows_an_example(path: str):
    """Somebody who writes a script needs no other page."""
    text = COMMANDS[path].get_help()

    assert re.search(r"Exit\s+codes?:", text)
    assert re.search(r"Examples?:\n    .*tlsrpt-mailer", text)
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in ENDS])
def test_no_first_line_is_cut_off(path: str):
    """A list of commands says of each what it does, to the end."""
    lines = COMMANDS[path].get_help().splitlines()

    assert [] == [line for line in lines if line.endswith("...") and "Usage: " not in line]


@pytest.mark.parametrize("path", ENDS)
def test_what_may_be_left_out_stands_in_brackets(path: str):
    """Nobody takes an argument for one that has to be given, or the other way round."""
    command = COMMANDS[path].command
    arguments = [one for one in command.params if isinstance(one, click.Argument)]

    assert [one.required for one in arguments] == [
        not (one.metavar or "").startswith("[") for one in arguments
    ]


@pytest.mark.parametrize("path", COMMANDS)
def test_each_example_is_a_call_that_the_program_understands(path: str, place: Place):
    """What stands under Examples can be pasted: its commands and options exist."""
    text = COMMANDS[path].get_help().split("Example", 1)[-1]
    for line in re.findall(r"(?m)^    .*?tlsrpt-mailer (.*)$", text):
        words = shlex.split(re.split(r" (?:\||&&|<|>)", line)[0])

        assert understood(words), line


def understood(words: list[str]) -> bool:
    """Whether click parses the words, without running the command."""
    ctx = COMMANDS["tlsrpt-mailer"]
    command, args = ctx.command, words
    # click makes the help option of a command once, for all who ask later.
    names = ctx.help_option_names
    while isinstance(command, click.Group):
        inner = command.make_context(ctx.info_name, list(args), obj=(), help_option_names=names)
        name, found, args = command.resolve_command(inner, [*inner._protected_args, *inner.args])
        assert found is not None, name
        command = found
    command.make_context("x", list(args), help_option_names=names)
    return True


@pytest.mark.parametrize("group", ["failures", "reports", "alerts", "quarantine", "maintenance"])
def test_the_name_of_a_listing_alone_lists(full: Place, group: str):
    """`failures` and `failures list` are the same, options included."""
    assert full(group, "list", "--json").json == full(group, "--json").json
    assert full(group, "list").out == full(group).out


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_given_everywhere(place: Place, option: str):
    """Both spellings work at every level, with nothing set up."""
    for words in ((), ("failures",), ("failures", "show"), ("import",)):
        result = place.bare(*words, option)

        assert 0 == result.code
        assert result.out.startswith("Usage: tlsrpt-mailer")
