"""docs/reference/commands.md, written from the commands' own help."""

from collections.abc import Iterator
from pathlib import Path

import click

from tlsrpt_mailer.cli.main import main

PAGE = Path(__file__).parents[2] / "docs/reference/commands.md"
INTRODUCTION = """\
# Commands

What `--help` says of each command. What `--json` prints stands in [json.md](json.md), the exit
codes in [exit-codes.md](exit-codes.md). Listings show a page of 50, and how many there are. Times
are UTC. This page is made from the program: `python -m tests.cli.reference`.
"""


def commands(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, click.Context]]:
    """Every command by its path, with a context to ask for help in."""
    yield ctx.command_path, ctx
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            inner = click.Context(
                below, parent=ctx, info_name=name, terminal_width=80, max_content_width=80
            )
            yield from commands(below, inner)


def all_commands() -> Iterator[tuple[str, click.Context]]:
    top = click.Context(
        main,
        info_name="tlsrpt-mailer",
        terminal_width=80,
        max_content_width=80,
        help_option_names=["-h", "--help"],
    )
    return commands(main, top)


def page() -> str:
    """The whole page."""
    parts = [f"## {path}\n\n```text\n{ctx.get_help()}\n```\n" for path, ctx in all_commands()]
    return "\n".join([INTRODUCTION, *parts])


if __name__ == "__main__":
    PAGE.write_text(page())
