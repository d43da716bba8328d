"""What README and docs/ show can be typed as it stands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tlsrpt_mailer import wiring
from tlsrpt_mailer.cli.main import main
from tlsrpt_mailer.config.parse import parse

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)(?P<to>[^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"(?:^|[`(|$# /])tlsrpt-mailer(?P<words>(?: [^`|>#)\n]+)?)")

pages = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def _blocks(page: Path, *kinds: str) -> Iterator[str]:
    """The fenced blocks of these kinds, without their indentation."""
    for found in FENCE.finditer(page.read_text()):
        if found["kind"] in kinds:
            yield re.sub(f"^{found['indent']}", "", found["text"], flags=re.M)


@pages
def test_every_configuration_is_right(page: Path) -> None:
    """Each TOML block is a configuration that the program takes."""
    for block in _blocks(page, "toml"):
        parse(block, wiring.KINDS, name=page.name)


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each relative link names a file that is there."""
    broken = [
        found["to"]
        for found in LINK.finditer(page.read_text())
        if not (page.parent / found["to"]).exists()
    ]

    assert broken == []


@pages
def test_every_command_exists(page: Path) -> None:
    """Each `tlsrpt-mailer …` that a page shows is a command, and has these options."""
    lines = "\n".join([*_blocks(page, "console", "sh"), *_inline(page)])
    unknown = [
        problem
        for found in COMMAND.finditer(lines)
        if (problem := _problem(found["words"].split(" && ")[0].strip()))
    ]

    assert unknown == []


def _inline(page: Path) -> list[str]:
    text = FENCE.sub("", page.read_text())
    return re.findall(r"`(tlsrpt-mailer [^`]+)`", text)


def _problem(line: str) -> str | None:
    """What is wrong with the words after ``tlsrpt-mailer``; None if nothing is."""
    command: click.Command = main
    context = click.Context(main, info_name="tlsrpt-mailer")
    for word in shlex.split(line):
        if word.startswith("-") and word != "-":
            name = word.partition("=")[0]
            known = {flag for one in command.get_params(context) for flag in one.opts}
            if name not in known | {"--version"}:
                return f"{line}: no option {name}"
        elif isinstance(command, click.Group):
            if word in command.list_commands(context):
                found = command.get_command(context, word)
                assert found is not None
                command, context = found, click.Context(found, parent=context, info_name=word)
            elif not (command is main and _is_value(line, word)):
                default = getattr(command, "no_args_is_help", True)
                return f"{line}: no command {word}" if default else None
    return None


def _is_value(line: str, word: str) -> bool:
    """Whether *word* is what -c or --now takes."""
    return re.search(rf"(?:-c|--config|--now) {re.escape(word)}", line) is not None
