"""Names of IMAP folders: how a server writes them, and which one was meant. Pure."""

import difflib
import textwrap
from collections.abc import Sequence

import msgspec

SHOWN = 40
"""How many folders an error lists at most."""


class Grammar(msgspec.Struct, frozen=True):
    """How a server writes the names of a user's own folders (RFC 2342)."""

    separator: str | None
    """None where folders cannot have folders within."""
    prefix: str = ""
    """What all of them begin with, such as ``INBOX.``."""


def server_name(wanted: str, grammar: Grammar, existing: Sequence[str]) -> str:
    """
    The folder *wanted*, where ``/`` stands for the separator, as the server writes it.

    A name that exists as it is, or that has the prefix already, stays as it is.
    """
    if wanted in existing:
        return wanted
    separator = grammar.separator or "_"
    translated = wanted if separator == "/" else wanted.replace("/", separator)
    if translated.casefold().startswith(grammar.prefix.casefold()):
        return translated
    return grammar.prefix + translated


def no_such_folder(host: str, wanted: str, existing: Sequence[str]) -> str:
    """What to tell somebody who configured a folder that is not there."""
    names = sorted(existing, key=lambda name: (name.upper() != "INBOX", name.casefold()))
    shown = ", ".join(names[:SHOWN]) + (
        f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    )
    lines = [f'{host} has no folder "{wanted}". It has:']
    lines += textwrap.wrap(
        shown or "none that can be opened",
        width=78,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    if (meant := probable(wanted, names)) is not None:
        lines.append(f'Perhaps you mean "{meant}".')
    return "\n".join(lines)


def probable(wanted: str, existing: Sequence[str]) -> str | None:
    """The folder that *wanted* probably means: another separator, a prefix, a slip."""
    plain = {_plain(name): name for name in reversed(existing)}
    goal = _plain(wanted)
    for candidate in (goal, f"inbox/{goal}", goal.removeprefix("inbox/")):
        if candidate in plain:
            return plain[candidate]
    close = difflib.get_close_matches(goal, list(plain), 1, 0.6)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name.casefold().replace(".", "/").replace("\\", "/")
