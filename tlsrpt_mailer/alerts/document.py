"""A mail before it has a form: the same blocks become plain text and HTML, word for word."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

BlockKind: TypeAlias = Literal["para", "code", "table", "steps", "week"]


class Block(msgspec.Struct, frozen=True):
    """Paragraphs and steps are wrapped; code and tables stand as they are, 76 columns at most."""

    kind: BlockKind
    lines: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    """``week`` alone: the same as `lines` in cells, titles first; the last cell of each row has a
    character a day (`page.DAYS`)."""


class Section(msgspec.Struct, frozen=True):
    """A title in capitals and what stands under it."""

    title: str
    blocks: tuple[Block, ...]
    aside: str = ""
    """Said on the line of the title."""


class Document(msgspec.Struct, frozen=True):
    """A whole mail."""

    label: str
    """CRITICAL, WARNING, RESOLVED …: the colour of the HTML bar goes by it."""
    head: tuple[str, ...]
    """What decides whether to get up: three lines, or four."""
    sections: tuple[Section, ...]
    footer: tuple[str, ...]


def para(*lines: str) -> Block:
    """Each of *lines* is a paragraph of its own."""
    return Block("para", lines)


def steps(lines: Iterable[str]) -> Block:
    """A numbered list."""
    return Block("steps", tuple(lines))


def code(lines: Iterable[str]) -> Block:
    """What can be pasted, or what a program prints."""
    return Block("code", tuple(lines))


def table(lines: Iterable[str]) -> Block:
    """Lines that `words.table` has laid out."""
    return Block("table", tuple(lines))


def section(title: str, *blocks: Block | None, aside: str = "") -> Section:
    """A section of those *blocks* that hold anything."""
    return Section(title, tuple(block for block in blocks if block and block.lines), aside)


def week(lines: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Block:
    """A line a domain, with a coloured cell a day in HTML."""
    return Block("week", tuple(lines), tuple(rows))
