"""Whose the domains are that reports speak of, and `domains adopt` and `reject`."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import click
import msgspec

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, options, out, people
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.config.names import normal_pattern, what_is_wrong
from tlsrpt_mailer.domains.ours import Ours
from tlsrpt_mailer.flows.adopting import NO_ADDRESS
from tlsrpt_mailer.ports import AuditEntry
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.times import Time, iso_or_none
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.whose import DomainRow

Whose: TypeAlias = Literal["proposed", "foreign", "adopted", "ours", "unchecked"]
ORDER: tuple[Whose, ...] = ("proposed", "foreign", "adopted", "ours", "unchecked")
HEADS = (
    Column("domain"),
    Column("whose"),
    Column("held", right=True),
    Column("last report"),
    Column("why"),
)
_NUMBERS = 20
FIRST = (
    "It is the first [[domains]]: with it, adopting by itself ends. What is adopted\n"
    "already stays yours; other domains that no [[domains]] names are foreign then,\n"
    "and their reports are held.\n"
)
_SOON = "its record is looked up within minutes"


class Found(msgspec.Struct, frozen=True):
    """One domain, with what follows from the configuration."""

    row: DomainRow
    whose: Whose
    why: str


@click.command()
@click.argument("names", metavar="[DOMAIN]...", nargs=-1)
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def adopt(names: tuple[str, ...], json_: bool) -> None:
    """Print the [[domains]] to add, so that held reports count.

    It is about DOMAIN (a name, or a pattern such as "*.example.com"), else about
    all domains that are not ours and that reports come in on. Nothing is
    changed: you add what is yours. With the first [[domains]] the program
    adopts no more domains by itself. Exit codes: 0 printed, 1 there is no
    database.

    \b
    Examples:
      tlsrpt-mailer domains adopt
      tlsrpt-mailer domains adopt example.net "*.example.net"
    """
    config, now = opening.load(), options.now()
    wanted = _normal(names)
    with opening.reading(config) as reader:
        missing = _to_add(config, reader, wanted)
    if json_:
        out.as_json(
            {
                "file": str(config.file) if config.file else None,
                "domains": [form(one) for one in missing],
                "stanza": stanza(missing) if missing else None,
            }
        )
        return
    if not missing:
        click.echo("All of them are yours already." if names else "Nothing is held for its domain.")
        return
    click.echo(f"{words.plural(sum(one.row.held for one in missing), 'report')} held:\n")
    out.columns(HEADS, (_cells(one, now) for one in missing), "  ")
    click.echo(f"\nAdd this to {config.file or 'the configuration'}, without what is not yours:\n")
    click.echo(stanza(missing))
    if not wiring.ours(config).is_configured:
        click.echo(FIRST)
    click.echo(
        "Then: systemctl reload tlsrpt-mailer\n"
        "What is held for them counts within minutes; at once, and without a daemon:\n"
        "tlsrpt-mailer reports release --all"
    )


@click.command()
@click.argument("names", metavar="DOMAIN...", nargs=-1, required=True)
@click.option("--note", metavar="TEXT", help="Why, for those who read the audit.")
def reject(names: tuple[str, ...], note: str | None) -> None:
    """Say that domains are not yours, whatever their records say.

    Reports on them are held from now on; what counted before stays. A
    [[domains]] that names one makes it yours again. Exit codes: 0 done, 1 there
    is no database, 64 a [[domains]] names it, 75 the database cannot be written
    now.

    \b
    Example:
      tlsrpt-mailer domains reject stranger.example
    """
    config, now, who = opening.load(), options.now(), people.who()
    wanted = _normal(names)
    ours = wiring.ours(config)
    for name in wanted:
        if not is_strict_host(name):
            raise click.UsageError(f'"{name}" is no domain name')
        if ours.names(name):
            raise click.UsageError(f"a [[domains]] names {name}: take it out there, and reload")
    noted = [
        AuditEntry(now, who, people.WAY, "domains-reject", {"domain": name}, people.cut(note))
        for name in wanted
    ]
    with opening.writing(config) as app:
        said = f"{who} said that it is not ours"
        app.store.adoptions.say(wanted, "foreign", now, said, noted)
    click.echo(f"Not ours: {words.listed(wanted, 5)}.")
    with opening.reading(config) as reader:
        left = [record.id for name in wanted for record in reader.failures(domain=name).rows]
    if left:
        numbers = " ".join(map(str, left[:_NUMBERS]))
        click.echo(
            f"{words.plural(len(left), 'failure')} of before still open; to hear no more of them:\n"
            f"tlsrpt-mailer failures mute {numbers}"
        )


def form(one: Found) -> dict[str, Any]:
    """One domain, for JSON."""
    row = one.row
    return {
        "domain": row.domain,
        "whose": one.whose,
        "held": row.held,
        "left_out": row.left_out,
        "last_report": iso_or_none(row.last_at),
        "record": row.record,
        "why": one.why,
        "next_look_up": iso_or_none(row.next_try),
    }


def stanza(found: Iterable[Found]) -> str:
    """What to add to the configuration."""
    lines = [f"  {json.dumps(one.row.domain)}," for one in found]
    return "\n".join(["[[domains]]", "match = [", *lines, "]", ""])


def found(config: Config, reader: Reader, stored: Iterable[str], ours: Ours) -> list[Found]:
    """
    Whose each domain is that the configuration names or that the database knows; in any order.

    Args:
        stored: Those that were looked at, or that counted reports speak of.
        ours: What the configuration says.
    """
    rows = {row.domain: row for row in reader.whose()}
    for domain in (*stored, *wiring.named_domains(config)):
        rows.setdefault(domain, DomainRow(domain=domain))
    has_addresses = bool(wiring.our_addresses(config))
    return [_one(row, ours, has_addresses=has_addresses) for row in rows.values()]


def _one(row: DomainRow, ours: Ours, *, has_addresses: bool) -> Found:
    if ours.names(row.domain):
        return Found(row, "ours", "a [[domains]] names it")
    if row.state is not None and row.state != "proposed":
        return Found(row, row.state, row.said or "")
    if not row.held and not row.left_out and row.state is None:
        return Found(row, "unchecked", "its reports counted before anybody asked whose it is")
    if not is_strict_host(row.domain):
        return Found(row, "foreign", "it is no domain name")
    if ours.is_configured:
        return Found(row, "foreign", "no [[domains]] names it")
    return Found(row, "proposed", (row.said or _SOON) if has_addresses else NO_ADDRESS)


def _to_add(config: Config, reader: Reader, wanted: Sequence[str]) -> list[Found]:
    """What *wanted* names, or all that reports are held for; without what is ours already."""
    ours = wiring.ours(config)
    every = found(config, reader, reader.domains(), ours)
    if not wanted:
        waiting = [one for one in every if one.whose in ("proposed", "foreign")]
        waiting.sort(key=lambda one: (ORDER.index(one.whose), one.row.domain))
        return [one for one in waiting if is_strict_host(one.row.domain) and _comes_in(one.row)]
    known = {one.row.domain: one for one in every}
    return [
        known.get(name) or Found(DomainRow(domain=name), "foreign", "no [[domains]] names it")
        for name in wanted
        if not ours.names(name)
    ]


def _comes_in(row: DomainRow) -> bool:
    return bool(row.held or row.left_out or row.state == "proposed")


def _normal(names: Sequence[str]) -> list[str]:
    found = []
    for name in names:
        pattern = normal_pattern(name)
        if pattern is None:
            raise click.UsageError(f'"{log.safe(name, 60)}" {what_is_wrong(name)}')
        found.append(pattern)
    return list(dict.fromkeys(found))


def _cells(one: Found, now: Time) -> tuple[str, ...]:
    row = one.row
    return (
        words.name(row.domain),
        one.whose,
        words.number(row.held) if row.held else "-",
        "-" if row.last_at is None else words.moment(row.last_at, now),
        log.safe(one.why, 120),
    )
