"""A mail before it has a form: the same blocks become plain text and HTML, word for word."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.alerts import words

BlockKind: TypeAlias = Literal["para", "code", "table", "steps", "week", "grid", "pairs"]


class Block(msgspec.Struct, frozen=True):
    """Paragraphs and steps are wrapped; code and tables stand as they are, 76 columns at most."""

    kind: BlockKind
    lines: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    """The same as `lines` in cells. ``grid`` and ``week``: titles first; the last cell of a week
    has a character a day (`page.DAYS`). ``pairs``: (term, text)."""
    right: tuple[int, ...] = ()
    """The columns of a grid that are flushed right."""


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


def grid(rows: Sequence[tuple[str, ...]], caps: Sequence[int], right: Sequence[int] = ()) -> Block:
    """*rows*, titles first, as `words.table` lays them out; a phone wraps the cells."""
    return Block("grid", tuple(words.table(rows, caps, right)), tuple(rows), tuple(right))


def pairs(rows: Sequence[tuple[str, str]]) -> Block:
    """Terms with a text beside each; an empty term goes on with the one above."""
    width = max((len(term) for term, _ in rows), default=0)
    lines = [
        line
        for term, text in rows
        for line in words.wrap(text, " " * (width + 2), f"{term:<{width}}  ", words.WIDTH - 2)
    ]
    return Block("pairs", tuple(lines), tuple(rows))


def section(title: str, *blocks: Block | None, aside: str = "") -> Section:
    """A section of those *blocks* that hold anything."""
    return Section(title, tuple(block for block in blocks if block and block.lines), aside)


def week(lines: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Block:
    """A line a domain, with a coloured cell a day in HTML."""
    return Block("week", tuple(lines), tuple(rows))
