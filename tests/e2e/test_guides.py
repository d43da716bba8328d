"""What README and docs/ show can be typed as it stands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tlsrpt_mailer.cli.main import main
from tlsrpt_mailer.config.parse import parse
from tlsrpt_mailer.wiring import KINDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)(?P<to>[^)#\s]*)(?:#(?P<place>[^)]*))?\)")
HEADING = re.compile(r"^#+ +(.*)$", re.M)
COMMAND = re.compile(r"(?:^|^[#$] |sudo |&& |\| )(?:\S*/)?tlsrpt-mailer(?= |$)(?P<words>[^|>&]*)")
NOT_COMMANDS = ("has read", "has stopped")
"""How subjects of mails go on after the program's name."""

pages = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def _blocks(page: Path, *kinds: str) -> Iterator[str]:
    """The fenced blocks of these kinds, without their indentation."""
    for found in FENCE.finditer(page.read_text()):
        if found["kind"] in kinds:
            yield re.sub(f"^{found['indent']}", "", found["text"], flags=re.M)


@pages
def test_every_configuration_is_right(page: Path) -> None:
    """Each TOML block is a configuration that the program takes, with the files of the page."""

    def read(name: str) -> str:
        return next(block for block in _blocks(page, "text") if block.startswith(f"# {name}"))

    for block in _blocks(page, "toml"):
        parse(block, KINDS, name=page.name, read=read)


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each relative link names a file that is there, and a heading that stands in it."""
    broken = [
        found[0]
        for found in LINK.finditer(page.read_text())
        if not _leads(page.parent / found["to"] if found["to"] else page, found["place"])
    ]

    assert broken == []


def _leads(target: Path, place: str | None) -> bool:
    return target.exists() and (place is None or place in _places(target))


def _places(page: Path) -> set[str]:
    """The anchors of a page, as the usual hosts of Markdown make them of its headings."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_every_page_is_listed() -> None:
    """Whoever looks through the table of contents finds each page of docs/."""
    index = ROOT / "docs/README.md"
    listed = {(index.parent / found["to"]).resolve() for found in LINK.finditer(index.read_text())}

    assert [] == [page for page in PAGES[1:] if page != index and page.resolve() not in listed]


@pages
def test_every_command_exists(page: Path) -> None:
    """Each `tlsrpt-mailer …` that a page shows is a command, and has these options."""
    shown = [*_typed(page), *_inline(page)]
    unknown = [
        problem
        for line in shown
        for found in COMMAND.finditer(line)
        if (problem := _problem(found["words"]))
    ]

    assert unknown == []


def _typed(page: Path) -> list[str]:
    """The lines of its examples, those that a backslash continues put together."""
    return "\n".join(_blocks(page, "console", "sh")).replace("\\\n", " ").splitlines()


def _inline(page: Path) -> list[str]:
    """Commands within its text."""
    text = FENCE.sub("", page.read_text()).replace("\\|", "|")
    return [" ".join(one.split()) for one in re.findall(r"`(tlsrpt-mailer [^`]+)`", text)]


def _problem(line: str) -> str | None:
    """What is wrong with the words after ``tlsrpt-mailer``; None if nothing is."""
    if line.strip().startswith(NOT_COMMANDS):
        return None
    command: click.Command = main
    # With the settings of the real one: click remembers what help is called.
    context = click.Context(main, info_name="tlsrpt-mailer", **main.context_settings)
    for word in shlex.split(line, comments=True):
        if word.startswith("-") and word != "-":
            name = word.partition("=")[0]
            known = {flag for one in _params(command, context) for flag in one.opts}
            if name not in known | {"--version"}:
                return f"{line}: no option {name}"
            if isinstance(command, click.Group) and command is not main:
                return None  # what follows is of its `list`
        elif isinstance(command, click.Group):
            if word in command.list_commands(context):
                found = command.get_command(context, word)
                assert found is not None
                command, context = found, click.Context(found, parent=context, info_name=word)
            elif not (command is main and _is_value(line, word)):
                default = getattr(command, "no_args_is_help", True)
                return f"{line}: no command {word}" if default else None
    return None


def _params(command: click.Command, context: click.Context) -> list[click.Parameter]:
    """What a command takes; a group that lists takes what ``list`` takes."""
    lister = command.get_command(context, "list") if isinstance(command, click.Group) else None
    return [*command.get_params(context), *(lister.get_params(context) if lister else [])]


def _is_value(line: str, word: str) -> bool:
    """Whether *word* is what -c or --now takes."""
    return re.search(rf"(?:-c|--config|--now) {re.escape(word)}", line) is not None
