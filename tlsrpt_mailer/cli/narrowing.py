"""Which domains a command is about: ``--state``, ``--group`` and ``--owner``."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts.directory import Directory
from tlsrpt_mailer.cli.inventory import NO_GROUP, Wanted
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.domains.inventory import WORST_FIRST
from tlsrpt_mailer.errors import NoSuch

NAMED = 10
"""So many groups or owners stand in the answer to a slip."""


def narrowed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, each of which may be given as often as wanted."""
    for option in (
        click.option(
            "--owner",
            "owners",
            multiple=True,
            metavar="OWNER",
            help="Only theirs: an address, or the name of an [[owner]].",
        ),
        click.option(
            "--group", "groups", multiple=True, metavar="GROUP", help="Only of this group."
        ),
        click.option(
            "--state",
            "states",
            multiple=True,
            type=click.Choice(WORST_FIRST),
            metavar="STATE",
            help=f"Only those in this state: {', '.join(WORST_FIRST)}.",
        ),
    ):
        command = option(command)
    return command


def wanted(
    config: Config, states: Sequence[str], groups: Sequence[str], owners: Sequence[str]
) -> Wanted:
    """
    What the options ask for.

    Raises:
        NoSuch: The configuration has no such group or owner: a slip must not pass for "none".
    """
    if not groups and not owners:
        return Wanted(None, tuple(states))
    directory = wiring.directory(config)
    for group in groups:
        if group != NO_GROUP:
            know_group(directory, group)
    meant = frozenset(name for owner in owners for name in _owners(directory, owner))
    return Wanted(None, tuple(states), tuple(groups), meant)


def again(states: Sequence[str], groups: Sequence[str], owners: Sequence[str]) -> list[str]:
    """The same options as words of a command line."""
    pairs = (("--state", states), ("--group", groups), ("--owner", owners))
    return [word for option, values in pairs for value in values for word in (option, value)]


def know_group(directory: Directory, group: str) -> None:
    """
    Make sure that the configuration has a group of that name.

    Raises:
        NoSuch: It has not; the text says which there are.
    """
    groups = sorted({block.group for block in directory.domains if block.group})
    if group not in groups:
        raise NoSuch(f"no group {log.safe(group, 60)}{_there(groups)}")


def _owners(directory: Directory, wanted: str) -> set[str]:
    """The names of the owners that *wanted* is the name or an address of."""
    every = directory.all_owners()
    found = {
        one.name
        for one in every
        if wanted == one.name or wanted.lower() in map(str.lower, one.addresses)
    }
    if not found:
        names = sorted({one.name for one in every if not one.is_default})
        names += [address for address in directory.default.addresses if "@" in address]
        raise NoSuch(f"no owner {log.safe(wanted, 80)}{_there(dict.fromkeys(names))}")
    return found


def _there(known: Iterable[str]) -> str:
    names = [log.safe(one, 60) for one in known]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"; there are: {', '.join(names[:NAMED])}{more}" if names else " in the configuration"
