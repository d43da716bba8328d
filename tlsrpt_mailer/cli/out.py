"""How commands print: JSON, aligned columns, a page of a listing."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import click
import msgspec

from tlsrpt_mailer.alerts import words

PAGE = 50
_CHUNK = 500
"""How many rows of a long listing set the widths of its columns, are read or printed at once."""

Row = TypeVar("Row")
Fetch = Callable[[int, int], Sequence[Row]]
"""Read rows by limit and offset."""


class Column(msgspec.Struct, frozen=True):
    """One column of a listing."""

    head: str
    right: bool = False


class Page(msgspec.Struct, frozen=True):
    """How much of a listing is wanted."""

    limit: int | None
    """None: all of it."""


def as_json(value: object) -> None:
    """Print one JSON document, readable by people as well."""
    click.echo(json.dumps(value, indent=2))


def json_list(items: Iterable[Any]) -> None:
    """Print a JSON list without holding all of it."""
    stream = iter(items)
    separator = "["
    while portion := [json.dumps(item) for item in islice(stream, _CHUNK)]:
        click.echo(f"{separator}\n  " + ",\n  ".join(portion), nl=False)
        separator = ","
    click.echo("[]" if separator == "[" else "\n]")


def columns(heads: Sequence[Column], rows: Iterable[Sequence[str]], indent: str = "") -> None:
    """
    Print *rows* in aligned columns, two blanks apart, as they come.

    The widths are those of the first rows; a longer cell later on shifts its own line only.
    """
    stream = iter(rows)
    first = list(islice(stream, _CHUNK))
    widths = [
        max([len(column.head), *(len(row[at]) for row in first)]) for at, column in enumerate(heads)
    ]
    click.echo(line(heads, [column.head for column in heads], widths, indent))
    for chunk in (first, stream):
        for row in chunk:
            click.echo(line(heads, row, widths, indent))


def line(
    heads: Sequence[Column], row: Sequence[str], widths: Sequence[int], indent: str = ""
) -> str:
    """One row in aligned columns."""
    cells = [
        cell.rjust(width) if column.right else cell.ljust(width)
        for column, cell, width in zip(heads, row, widths, strict=True)
    ]
    return (indent + "  ".join(cells)).rstrip()


def paged(fetch: Fetch[Row], page: Page) -> Iterator[Row]:
    """All rows of the page, read in portions."""
    offset = 0
    while page.limit is None or offset < page.limit:
        wanted = _CHUNK if page.limit is None else min(_CHUNK, page.limit - offset)
        rows = fetch(wanted, offset)
        yield from rows
        offset += len(rows)
        if len(rows) < wanted:
            return


def footer(shown: int, total: int, what: str, more: str = "--all") -> None:
    """Print how many there are: ``50 of 1,214 reports; all of them: --all``."""
    if shown < total:
        click.echo(f"\n{words.number(shown)} of {words.plural(total, what)}; all of them: {more}")
    else:
        click.echo(f"\n{words.plural(total, what)}")


def listing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--limit``, ``--all`` and ``--json``, as every listing has them."""
    for option in (
        click.option("--json", "json_", is_flag=True, help="Print a JSON list."),
        click.option("--all", "all_", is_flag=True, help="Print all of it, not one page."),
        click.option(
            "--limit",
            type=click.IntRange(1),
            metavar="N",
            help=f"Print at most N.  [default: {PAGE}; with --json all]",
        ),
    ):
        command = option(command)
    return command


def page(limit: int | None, all_: bool, json_: bool = False) -> Page:
    """The page that the options ask for."""
    if limit is not None:
        return Page(limit)
    return Page(None if all_ or json_ else PAGE)
