"""Mailboxes in one file, read mail by mail in bounded memory."""

import re
from collections.abc import Iterator
from typing import Protocol

import msgspec

LINE = 64 * 1024
"""How much of one line is held at a time."""

_DATED = re.compile(rb"From .*\d{1,2}:\d\d")
_FULL = re.compile(
    rb"From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2} \d\d:\d\d"
)
_QUOTED = re.compile(rb">+From ")


class Lines(Protocol):
    """A file, as far as it is needed here."""

    def readline(self, size: int, /) -> bytes:
        """The next line, or *size* bytes of it; b"" at the end."""


class Part(msgspec.Struct, frozen=True):
    """One mail of a mailbox; None in place of a mail that passes the limit."""

    raw: bytes | None
    number: int
    """Counted from 1."""


def is_mbox(head: bytes) -> bool:
    """Whether a file that begins with *head* is a mailbox: a From_ line with a time in it."""
    return _DATED.match(head.partition(b"\n")[0]) is not None


def without_from_line(raw: bytes) -> bytes:
    """A mail as pipes and filters hand it over, without the From_ line that some put before it."""
    if raw.startswith((b"From ", b">From ")):
        return raw.partition(b"\n")[2]
    return raw


def split_mbox(stream: Lines, limit: int) -> Iterator[Part]:
    """
    The mails of an mboxo or mboxrd file.

    A line that begins with ``From`` and a blank starts a mail where it stands
    after an empty line and has a time in it, or is complete with weekday and
    month: some programs leave the empty line out, others do not quote such
    lines in a body. One ``>`` is taken from ``>From``, ``>>From`` and so on.
    """
    number = 0
    lines: list[bytes] = []
    size = 0
    is_start, is_after_blank = True, True
    while line := stream.readline(LINE):
        if is_start and _is_boundary(line, is_after_blank=is_after_blank):
            if number:
                yield _part(lines, size, limit, number)
            number += 1
            lines, size = [], 0
        else:
            size += len(line)
            if size <= limit:
                lines.append(line[1:] if is_start and _QUOTED.match(line) else line)
            else:
                lines.clear()
        is_after_blank = is_start and line in {b"\n", b"\r\n"}
        is_start = line.endswith(b"\n")
    if number:
        yield _part(lines, size, limit, number)


def _is_boundary(line: bytes, *, is_after_blank: bool) -> bool:
    if not line.startswith(b"From "):
        return False
    return (_DATED if is_after_blank else _FULL).match(line) is not None


def _part(lines: list[bytes], size: int, limit: int, number: int) -> Part:
    if size > limit:
        return Part(None, number)
    # The empty line before the next From_ line belongs to the mailbox.
    if lines and lines[-1] in {b"\n", b"\r\n"}:
        lines.pop()
    return Part(b"".join(lines), number)
