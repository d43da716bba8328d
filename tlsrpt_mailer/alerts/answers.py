"""
The grammar of answers to alerts: ``ack``, ``fixed``, ``mute 7d``, ``assign ADDRESS``.

The first line that a person wrote is a command; more may follow, a line each. Numbers
say which failures are meant, ``all`` or none all that the mail names. What stands
behind is the note.
"""

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span

Verb: TypeAlias = Literal["ack", "fixed", "mute", "assign"]

NOTE_CHARS = 500
LONGEST_MUTE: Span = 366 * DAY
COMMANDS_AT_MOST = 20
NUMBERS_AT_MOST = 200

_VERBS: dict[str, Verb] = {
    "ack": "ack",
    "acked": "ack",
    "acknowledge": "ack",
    "acknowledged": "ack",
    "fixed": "fixed",
    "mute": "mute",
    "muted": "mute",
    "assign": "assign",
    "assigned": "assign",
}
_UNITS: dict[str, Span] = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}

_DECORATION = "*\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb\u2022-_ "
_VERB = re.compile(r"([a-z]+)(?![\w?@.-]*[\w?@])", re.I)
_SPAN = re.compile(
    r"(?:for\s+)?(\d{1,5})\s?(m|min|minutes?|h|hours?|d|days?|w|weeks?)\b(?!@)", re.I
)
_ADDRESS = re.compile(
    r"(?:to\s+)?<?(?:mailto:)?([^\s<>@,;:\"()\[\]]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+)>?"
    r"(?:\s?<mailto:[^<>\s]*>)?",
    re.I,
)
_NUMBER = r"#?\d{1,9}(?![\w.@-]*\w|\s?%)"
_NUMBERS = re.compile(rf"{_NUMBER}(?:(?:\s*[,;&+]\s*|\s+and\s+|\s+){_NUMBER})*", re.I)
_UNREAD = re.compile(
    r"[\[(]?\s*(?:no|nr|numbers?|failures?|causes?|tlsrpt)\b\.?\s*#?\d|\d{10,}|\d+\s*[-/\u2013]\s*\d"
    r"|[-/\u2013]\s*#?\d",
    re.I,
)
"""Numbers written another way: taken for a note, they would make an answer hold for all."""
_ALL = re.compile(r"all\b(?!\s+(?:is|are|was|but)\b)", re.I)
_BETWEEN = " ,;"
_BEFORE_NOTE = " ,;:.!-\u2013\u2014"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a person says of failures."""

    verb: Verb
    numbers: tuple[int, ...] = ()
    """None: all that the mail names."""
    span: Span | None = None
    """Of ``mute``."""
    assignee: str | None = None
    """Of ``assign``."""
    note: str | None = None


class Parsed(msgspec.Struct, frozen=True):
    """What a reply says."""

    commands: tuple[Command, ...]
    """Empty where it was not understood: nothing is done then."""
    first_line: str
    """The first line of the person's own; empty where there is none."""
    problem: str = ""
    """What is missing, in a sentence, where the verb was understood."""


def parse(lines: Sequence[str]) -> Parsed:
    """What these *lines* ask for; blank ones are ``""`` (see `intake.said`)."""
    rest = [" ".join(line.split()) for line in lines]
    while rest and not rest[0].strip(_DECORATION):
        rest.pop(0)
    if not rest:
        return Parsed((), "")
    first, *more = rest
    command, problem = _command(first)
    if command is None:
        return Parsed((), first, problem)
    commands = [command]
    note: list[str] = []
    is_apart = False
    for line in more:
        following = _strict(line) if line and not note else None
        if following is not None and len(commands) < COMMANDS_AT_MOST:
            commands.append(following)
            is_apart = False
        elif line and not is_apart:
            # No command of its own, strictly: the note of the last one.
            note.append(line)
        elif line or note:
            # What stands apart is a greeting, a signature, a disclaimer.
            break
        else:
            is_apart = True
    commands[-1] = _with_note(commands[-1], note)
    return Parsed(tuple(commands), first)


def _command(line: str) -> tuple[Command | None, str]:
    """The command that *line* begins with, and else what is wrong with it."""
    text = line.strip(_DECORATION)
    found = _VERB.match(text)
    verb = _VERBS.get(found[1].lower()) if found else None
    if found is None or verb is None:
        return None, ""
    text = text[found.end() :].lstrip(_BEFORE_NOTE + _DECORATION)
    is_all = _ALL.match(text) is not None
    numbers, text = _numbers(text)
    span = assignee = None
    if verb == "mute":
        span, text = _span(text.lstrip(_BEFORE_NOTE))
        if span is None:
            return None, 'Say for how long: "mute 7d", "mute 12h", a year at most.'
    if verb == "assign":
        assignee, text = _address(text.lstrip(_BEFORE_NOTE))
        if assignee is None:
            return None, 'Say to whom: "assign somebody@example.com".'
    if not numbers and not is_all:
        is_all = _ALL.match(text) is not None
        numbers, text = _numbers(text)
    if not is_all and _UNREAD.match(text):
        return None, 'Write the numbers plainly: "ack 17, 21", or none for all.'
    command = Command(verb=verb, numbers=numbers, span=span, assignee=assignee, note=_note(text))
    return command, ""


def _strict(line: str) -> Command | None:
    """
    The command that a later line is: a bare one, or one with a colon before its note.

    So that prose below a command, "fixed it last night", is no second command.
    """
    command, _ = _command(line)
    if command is None or command.note is None:
        return command
    before, colon, _ = line.partition(":")
    bare = _command(before)[0] if colon else None
    return command if bare is not None and bare.note is None else None


def _numbers(text: str) -> tuple[tuple[int, ...], str]:
    if found := _ALL.match(text):
        return (), text[found.end() :].lstrip(_BETWEEN)
    found = _NUMBERS.match(text)
    # "mute 7 days": the number belongs to what follows.
    if found is None or _SPAN.match(text):
        return (), text
    numbers = [int(digits) for digits in re.findall(r"\d+", found[0])]
    return tuple(dict.fromkeys(numbers[:NUMBERS_AT_MOST])), text[found.end() :].lstrip(_BETWEEN)


def _span(text: str) -> tuple[Span | None, str]:
    found = _SPAN.match(text)
    if found is None:
        return None, text
    span = int(found[1]) * _UNITS[found[2][0].lower()]
    if not 0 < span <= LONGEST_MUTE:
        return None, text
    return span, text[found.end() :].lstrip(_BETWEEN)


def _address(text: str) -> tuple[str | None, str]:
    found = _ADDRESS.match(text)
    if found is None:
        return None, text
    return found[1], text[found.end() :].lstrip(_BETWEEN)


def _note(text: str) -> str | None:
    return text.lstrip(_BEFORE_NOTE).rstrip()[:NOTE_CHARS] or None


def _with_note(command: Command, lines: Sequence[str]) -> Command:
    joined = " ".join([command.note or "", *lines]).strip()[:NOTE_CHARS]
    return msgspec.structs.replace(command, note=joined or None)
