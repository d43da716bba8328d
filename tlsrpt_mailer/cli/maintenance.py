"""`maintenance`: planned quiet, by MX, domain or group."""

from typing import Literal, cast

import click

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import forms, opening, options, out, people
from tlsrpt_mailer.cli.groups import Listing
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.flows.acting import Planned, end_maintenance, plan_maintenance
from tlsrpt_mailer.ports import Maintenance
from tlsrpt_mailer.report.hosts import domain_text, is_strict_host
from tlsrpt_mailer.report.times import DAY, Span, Time

HEADS = (
    Column("#", right=True),
    Column("state"),
    Column("of"),
    Column("from"),
    Column("until"),
    Column("who"),
    Column("note"),
)

LONGEST: Span = 366 * DAY


@click.group(cls=Listing)
def maintenance() -> None:
    """Plan quiet: what fails in it is told only if it lasts.

    It is matched against the time that reports speak of, not against when they
    come. So enter it before, meanwhile or even a day later: until then the
    reports are not here anyway. Exit codes: 0 done, 1 there is no database or
    no such maintenance.

    \b
    Examples:
      tlsrpt-mailer maintenance add --mx mx1.example.com --for 4h
      tlsrpt-mailer maintenance
      tlsrpt-mailer maintenance end 3
    """


@maintenance.command("list")
@out.listing_options
def list_(limit: int | None, all_: bool, json_: bool) -> None:
    """List planned quiet, the last to begin first.

    Prints one line each with its state (planned, now, over), or a JSON list.
    Exit codes: 0 listed, 1 there is no database.

    \b
    Example:
      tlsrpt-mailer maintenance --json
    """
    page, now = out.page(limit, all_, json_), options.now()
    with opening.reading() as reader:
        found = reader.planned(limit=page.limit)
    if json_:
        out.json_list(forms.maintenance(one, now) for one in found.rows)
        return
    if not found.total:
        click.echo("No maintenance is planned, and none was.")
        return
    out.columns(HEADS, (_row(one, now) for one in found.rows))
    out.footer(len(found.rows), found.total, "maintenance window")


@maintenance.command()
@click.option("--mx", metavar="NAME", help="An MX host, or a pattern such as *.mail.example.net.")
@click.option("--domain", metavar="NAME", help="A policy domain, or a pattern.")
@click.option("--group", metavar="NAME", help="All domains of a [[domains]] block's group.")
@click.option(
    "--from", "start", type=options.Moment(), metavar="TIME", help="ISO 8601.  [default: now]"
)
@click.option("--until", type=options.Moment(), metavar="TIME", help="ISO 8601.")
@click.option("--for", "length", type=people.Length(), metavar="4h", help="In place of --until.")
@click.option("--note", metavar="TEXT", help="What is done, for those who read the list.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def add(
    start: Time | None,
    until: Time | None,
    length: Span | None,
    note: str | None,
    json_: bool,
    **names: str | None,
) -> None:
    """Plan quiet for an MX, a domain or a group.

    A report belongs to it when the time that it speaks of overlaps; most speak
    of a whole day. It may lie in the past, and overlap with others. Exit codes:
    0 planned, 1 there is no database, 64 it is not clear what is meant, 75 the
    database cannot be written now.

    \b
    Examples:
      tlsrpt-mailer maintenance add --mx mx1.example.com --for 4h
      tlsrpt-mailer maintenance add --group retail --from 2026-11-28 --for 6h
    """
    config, now = opening.load(), options.now()
    kind, value = _subject(config, names)
    begin = now if start is None else start
    end = people.until_of(until, length, begin)
    if end is None:
        raise click.UsageError("say when it ends: --until TIME, or --for 4h")
    if end - begin > LONGEST:
        raise click.UsageError("longer than a year: mute what is not to be mended")
    new = Maintenance(0, kind, value, begin, end, people.who(), people.cut(note), now)
    with opening.writing(config) as app, app.store.write() as txn:
        planned = plan_maintenance(txn, new, people.WAY, wiring.standing(config))
    if json_:
        out.as_json(forms.maintenance(planned.maintenance, now))
        return
    click.echo("\n".join(_said(planned, now)))


@maintenance.command()
@click.argument("id", type=int, metavar="ID")
def end(id: int) -> None:
    """End planned quiet now, or call it off before it begins.

    ID is its number in the listing. What failed in it and still does is told
    in one mail. Exit codes: 0 ended, 1 there is none or it is over, 75 the
    database cannot be written now.

    \b
    Example:
      tlsrpt-mailer maintenance end 3
    """
    config = opening.load()
    with opening.writing(config) as app, app.store.write() as txn:
        ended = end_maintenance(
            txn, id, people.who(), people.WAY, wiring.standing(config), app.clock()
        )
    one = ended.maintenance
    begun = one.start < one.end
    click.echo(f"Maintenance {id} ({one.kind} {log.safe(one.value)}) is {_ended(begun)}.")


def _ended(begun: bool) -> str:
    return "over" if begun else "called off"


def _subject(
    config: Config, names: dict[str, str | None]
) -> tuple[Literal["mx", "domain", "group"], str]:
    """Which of the three was named, in the form that it is compared in."""
    given = [(kind, name) for kind, name in names.items() if name is not None]
    if len(given) != 1:
        raise click.UsageError("say one of --mx, --domain and --group")
    kind, name = given[0]
    if kind == "group":
        groups = sorted({one.group for one in wiring.directory(config).domains if one.group})
        if name not in groups:
            there = f"there are: {', '.join(groups)}" if groups else "there are none"
            raise click.UsageError(f'no [[domains]] block has the group "{name}"; {there}')
        return "group", name
    value = domain_text(name)
    if not is_strict_host(value.removeprefix("*.")):
        raise click.UsageError(f'"{name}" is neither a name nor a pattern such as *.example.com')
    return cast("Literal['mx', 'domain']", kind), value


def _said(planned: Planned, now: Time) -> list[str]:
    one = planned.maintenance
    span = f"{words.moment(one.start, now)} - {words.moment(one.end, now)}"
    lines = [f"Maintenance {one.number}: {one.kind} {log.safe(one.value)}, {span}."]
    if planned.quiet:
        lines.append(
            f"It touches {words.plural(planned.quiet, 'failure')} that "
            f"{'is' if planned.quiet == 1 else 'are'} open now."
        )
    return lines


def _row(one: Maintenance, now: Time) -> tuple[str, ...]:
    return (
        str(one.number),
        forms.maintenance_state(one, now),
        f"{one.kind} {log.safe(one.value)}",
        words.moment(one.start, now),
        words.moment(one.end, now),
        log.safe(one.who, 30),
        log.safe(one.note or "-", 60),
    )
