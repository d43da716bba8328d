"""`failures ack`, `fixed`, `mute`, `assign`, `reopen`: what a person says of a failure."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, options, out, people
from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.failures.model import FOREVER, Act
from tlsrpt_mailer.flows.acting import Acted, Saying, act
from tlsrpt_mailer.ports import Txn
from tlsrpt_mailer.report.hosts import domain_text
from tlsrpt_mailer.report.times import Span, Time, iso

_DONE: dict[str, str] = {
    "ack": "Acknowledged",
    "fixed": "Said fixed:",
    "mute": "Muted",
    "assign": "Assigned",
    "reopen": "Open again:",
}
_NAMED = 10
"""How many domains of a cause are named."""
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")

NUMBERS = click.argument("ids", type=int, metavar="ID...", nargs=-1, required=True)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--only``, ``--note`` and ``--json``."""
    for option in (
        click.option("--json", "json_", is_flag=True, help="Print one JSON object."),
        click.option("--note", metavar="TEXT", help="Kept, and shown wherever the failure is."),
        click.option("--only", metavar="DOMAIN", help="Only the failures of this policy domain."),
    ):
        command = option(command)
    return command


_until = click.option(
    "--until", type=options.Moment(), metavar="TIME", help="When it lapses (ISO 8601)."
)
_for = click.option("--for", "length", type=people.Length(), metavar="7d", help="Or: how long.")


@click.command()
@NUMBERS
@_until
@_for
@_common
def ack(ids: tuple[int, ...], until: Time | None, length: Span | None, **more: Any) -> None:
    """Say that you have it: quiet until it is over or gets worse.

    It lapses after 30 days, unless --until or --for says otherwise. ID is the
    number in the listing and in mails; it holds for the whole cause, so for
    the other domains of it too. Exit codes: 0 done, 1 there is no such failure
    or it is over (nothing is changed then), 75 the database cannot be written
    now.

    \b
    Examples:
      tlsrpt-mailer failures ack 17 --note "renewing now"
      tlsrpt-mailer failures ack 41 --only shop.example --for 3d
    """
    _say("ack", ids, until=people.until_of(until, length, options.now()), **more)


@click.command()
@NUMBERS
@click.option(
    "--at", type=options.Moment(), metavar="TIME", help="When it was mended.  [default: now]"
)
@_common
def fixed(ids: tuple[int, ...], at: Time | None, **more: Any) -> None:
    """Say that it is mended: quiet unless later reports say no.

    ID is the number in the listing and in mails; it holds for the whole cause.
    Reports about the time before TIME change nothing, whenever they come; of
    what our own looks found, a look after TIME says whether it is so. Exit
    codes: 0 done, 1 there is no such failure or it is over (nothing is changed
    then), 75 the database cannot be written now.

    \b
    Examples:
      tlsrpt-mailer failures fixed 17
      tlsrpt-mailer failures fixed 17 --at 2026-10-14T09:30:00Z --note "new chain"
    """
    now = options.now()
    if at is not None and at > now:
        raise click.UsageError("--at lies in the future: say it once it is mended")
    _say("fixed", ids, until=now if at is None else at, **more)


@click.command()
@NUMBERS
@_until
@_for
@_common
def mute(ids: tuple[int, ...], until: Time | None, length: Span | None, **more: Any) -> None:
    """Hear nothing of it, for a time or until `reopen`.

    ID is the number in the listing and in mails; it holds for the whole cause.
    Neither that it gets worse is told meanwhile nor that it is over. Exit
    codes: 0 done, 1 there is no such failure or it is over (nothing is changed
    then), 75 the database cannot be written now.

    \b
    Examples:
      tlsrpt-mailer failures mute 17 --for 7d
      tlsrpt-mailer failures mute 17 --note "parked domain"
    """
    _say("mute", ids, until=people.until_of(until, length, options.now()), **more)


@click.command()
@click.argument("address", metavar="ADDRESS")
@NUMBERS
@_common
def assign(address: str, ids: tuple[int, ...], **more: Any) -> None:
    """Hand it over: ADDRESS gets the mails and the reminders.

    The owners get the mails as before, but no reminders. ID is the number in
    the listing and in mails; it holds for the whole cause. The order is that of
    an answer by mail: `assign ADDRESS 17`. Exit codes: 0 done, 1 there is no
    such failure or it is over (nothing is changed then), 75 the database cannot
    be written now.

    \b
    Example:
      tlsrpt-mailer failures assign kim@example.com 17 21
    """
    if not _ADDRESS.fullmatch(address):
        raise click.UsageError(f'"{address}" is not an address: assign ADDRESS ID...')
    _say("assign", ids, assignee=address, **more)


@click.command()
@NUMBERS
@_common
def reopen(ids: tuple[int, ...], **more: Any) -> None:
    """Take back what was said: ack, fixed and mute hold no longer.

    ID is the number in the listing and in mails; it holds for the whole cause.
    A mute is lifted from a failure that is over, too. Exit codes: 0 done, 1
    there is no such failure or it is over (nothing is changed then), 75 the
    database cannot be written now.

    \b
    Example:
      tlsrpt-mailer failures reopen 17
    """
    _say("reopen", ids, **more)


COMMANDS = (ack, fixed, mute, assign, reopen)


def _say(
    kind: Act,
    ids: Sequence[int],
    *,
    only: str | None,
    note: str | None,
    json_: bool,
    until: Time | None = None,
    assignee: str | None = None,
) -> None:
    config = opening.load()
    saying = Saying(
        kind=kind,
        who=people.who(),
        way=people.WAY,
        until=until,
        note=people.cut(note),
        assignee=assignee and wiring.directory(config).spelled(assignee),
    )
    domain = only and domain_text(only)
    with opening.writing(config) as app:
        now = app.clock()
        with app.store.write() as txn:
            acted = act(txn, saying, ids, wiring.standing(config), now, only=domain)
            # Raised in here, so that nothing of a call that is partly wrong is kept.
            _must_be_whole(acted, ids, domain, _domains(txn, acted.over) if domain else {})
    if json_:
        out.as_json(_form(saying, acted))
        return
    click.echo("\n".join(_lines(saying, acted, ids, now)))


def _domains(txn: Txn, numbers: Sequence[int]) -> dict[int, list[str]]:
    """The domains of the cause of each failure, ended ones too."""
    known = txn.people.failures(numbers)
    found: dict[int, list[str]] = {}
    for one in txn.people.of_causes({one.cause for one in known}):
        found.setdefault(one.cause, []).append(one.verdict.identity.domain)
    return {one.id: list(dict.fromkeys(found[one.cause])) for one in known}


def _must_be_whole(
    acted: Acted, ids: Sequence[int], only: str | None, domains: Mapping[int, Sequence[str]]
) -> None:
    problems = [f"no failure {number}" for number in acted.unknown]
    problems += [_over(number, only, domains.get(number, ())) for number in acted.over]
    if problems:
        others = ", for the others neither" if len(problems) < len(set(ids)) else ""
        raise NoSuch("\n".join([*problems, f"Nothing was changed{others}."]))


def _over(number: int, only: str | None, domains: Sequence[str]) -> str:
    if only is None:
        return f"failure {number} is over: nothing is open"
    if only in domains:
        return f"failure {number} is over at {log.safe(only)}: nothing is open"
    there = words.listed([words.name(domain) for domain in domains], _NAMED)
    return f"the cause of failure {number} has none at {log.safe(only)}, but at {there}"


def _lines(saying: Saying, acted: Acted, ids: Sequence[int], now: Time) -> list[str]:
    """What was done, a line a cause, and how long it holds."""
    causes: dict[int, list[int]] = {}
    for one in acted.done:
        causes.setdefault(one.cause, []).append(one.id)
    domains = {one.id: one.verdict.identity.domain for one in acted.done}
    lines = []
    for numbers in causes.values():
        named = next((number for number in ids if number in numbers), numbers[0])
        rest = f" and {len(numbers) - 1} more of its cause" if len(numbers) > 1 else ""
        to = f" to {log.safe(saying.assignee)}" if saying.assignee else ""
        lines.append(f"{_DONE[saying.kind]} {named} ({words.name(domains[named])}){rest}{to}.")
    return [*lines, _holds(saying.kind, acted, now)]


def _refuting(acted: Acted, day: str) -> str:
    """What would say that it is not mended."""
    kinds = {one.verdict.is_finding for one in acted.done}
    report, look = f"a report about a time after {day}", f"a look after {day}"
    return {frozenset({True}): look, frozenset({False}): report}.get(
        frozenset(kinds), f"{report}, or {look},"
    )


def _holds(kind: Act, acted: Acted, now: Time) -> str:
    until = acted.until
    day = "" if until is None or until == FOREVER else words.moment(until, now)
    if kind == "mute":
        end = f"until {day}" if day else "until: tlsrpt-mailer failures reopen"
        return f"Nothing is mailed of it {end}."
    return {
        "ack": f"Quiet until it is over, gets worse, or {day}.",
        "fixed": f"Quiet unless {_refuting(acted, day)} has it still.",
        "assign": "The mails about it go there as well, reminders only there.",
        "reopen": "It counts as unanswered.",
    }[kind]


def _form(saying: Saying, acted: Acted) -> dict[str, Any]:
    until = acted.until
    return {
        "act": saying.kind,
        "failures": [one.id for one in acted.done],
        "who": saying.who,
        "until": None if until in (None, FOREVER) else iso(until or 0),
        "assignee": saying.assignee,
        "note": saying.note,
    }
