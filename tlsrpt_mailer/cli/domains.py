"""`domains`: the inventory, what is missing in it, and whose the domains are."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import click
import msgspec

from tlsrpt_mailer import log
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.sheet import sheet
from tlsrpt_mailer.cli import (
    domain,
    inventory,
    narrowing,
    opening,
    options,
    out,
    readiness,
    whose,
)
from tlsrpt_mailer.cli.groups import Listing
from tlsrpt_mailer.cli.inventory import Coverage, Entry
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.cli.whose import Whose
from tlsrpt_mailer.report.times import Time

Command = TypeVar("Command", bound=Callable[..., Any])

_HEADS = (
    Column("domain"),
    Column("state"),
    Column("since"),
    Column("MTA-STS"),
    Column("DANE"),
    Column("sessions", right=True),
    Column("failed", right=True),
    Column("open", right=True),
)
_GROUPS = (
    Column("group"),
    Column("domains", right=True),
    Column("record", right=True),
    Column("reporting", right=True),
    Column("MTA-STS", right=True),
    Column("enforce", right=True),
    Column("DANE", right=True),
)
_INDENT = "    "
_WELL = frozenset({"reporting", "first-report", "published", "no-mail"})
_GROUPED = 12
"""So many groups stand below the listing; `domains coverage` has them all."""


@click.group(cls=Listing)
def domains() -> None:
    """List all domains: records, MTA-STS, DANE, reports, gaps.

    A domain goes from no record by record broken, published and first report
    to reporting; silent is one whose reports have stopped, no mail one that
    takes none. Domains come from [[domains]], from reports, and from TLSA
    records (MX hosts need a TLSRPT record of their own). Reports on domains
    that are not known to be yours are held: those are proposed or foreign. Exit
    codes: 0 listed, 1 there is no database, or no such group or owner.

    \b
    Examples:
      tlsrpt-mailer domains
      tlsrpt-mailer domains --state no-record --group retail
      tlsrpt-mailer domains gaps
    """


def _only(name: Whose, text: str) -> Callable[[Command], Command]:
    return click.option(f"--{name}", "only", flag_value=name, help=text)


@domains.command("list")
@narrowing.narrowed
@_only("proposed", "Only those that nobody knows of yet.")
@_only("foreign", "Only those that are not ours.")
@_only("adopted", "Only those that were adopted.")
@click.option("--csv", "csv_", is_flag=True, help="Print a table for a spreadsheet.")
@out.listing_options
def list_(
    only: Whose | None,
    states: tuple[str, ...],
    groups: tuple[str, ...],
    owners: tuple[str, ...],
    csv_: bool,
    limit: int | None,
    all_: bool,
    json_: bool,
) -> None:
    """List the domains, what is not known to be yours first.

    After those come the domains without a right record, then what is broken.

    Prints one line a domain, with the reason below where something is missing;
    or a JSON list, or CSV. Exit codes: 0 listed, 1 there is no database, or no
    such group or owner.

    \b
    Examples:
      tlsrpt-mailer domains --foreign --json
      tlsrpt-mailer domains --csv > domains.csv
    """
    page, now = out.page(limit, all_, json_ or csv_), options.now()
    config = opening.load()
    wanted = msgspec.structs.replace(narrowing.wanted(config, states, groups, owners), whose=only)
    with opening.reading(config) as reader:
        every = inventory.entries(config, reader, now)
        found = [one for one in every if wanted.takes(one)]
        held = 0 if every else sum(reader.held_totals(now).counts.values())
    shown = found[: page.limit]
    if json_:
        with inventory.uncollected():
            out.json_list(map(inventory.form, shown))
    elif csv_:
        _print_csv(shown)
    elif found:
        _print(shown, found, now)
    else:
        click.echo("No domain of that kind." if every else _none(held))


def _none(held: int) -> str:
    if held:
        reports = words.plural(held, "report")
        return f"No report counts for any domain; {reports} held: tlsrpt-mailer reports --held"
    return "No report speaks of any domain yet."


def _print(shown: Sequence[Entry], found: Sequence[Entry], now: Time) -> None:
    _lines(shown, now)
    out.footer(len(shown), len(found), "domain")
    uncounted = sum(not one.is_counted for one in found)
    if uncounted:
        click.echo(
            f"Sessions of {words.plural(uncounted, 'domain')} are not counted yet:"
            " the daemon does it within minutes."
        )
    if any(not one.is_ours for one in found):
        click.echo("Are some of them yours? tlsrpt-mailer domains adopt")
    groups = inventory.coverage(found)
    if len(groups) > 1:
        click.echo()
        _print_coverage(groups[:_GROUPED])
        if len(groups) > _GROUPED:
            click.echo(f"{len(groups)} groups; all of them: tlsrpt-mailer domains coverage")
    gaps = sum(one.is_gap for one in found)
    if gaps:
        click.echo(
            f"Of {words.plural(gaps, 'domain')} nobody learns anything: tlsrpt-mailer domains gaps"
        )


def _lines(shown: Sequence[Entry], now: Time) -> None:
    """Aligned like any listing, with the reason on a line of its own where something is wrong."""
    rows = [_cells(one, now) for one in shown]
    widths = [max(len(row[at]) for row in (_TITLES, *rows)) for at in range(len(_HEADS))]
    click.echo(out.line(_HEADS, _TITLES, widths))
    for one, row in zip(shown, rows, strict=True):
        click.echo(out.line(_HEADS, row, widths))
        for text in _reason(one):
            click.echo(text)


_TITLES = tuple(column.head for column in _HEADS)


def _cells(one: Entry, now: Time) -> tuple[str, ...]:
    stored = one.stored
    since = one.standing.since if one.is_ours else None
    return (
        words.name(one.domain),
        one.standing.state.replace("-", " ") if one.is_ours else one.found.whose,
        "-" if since is None else words.day(since, now),
        stored.sts or "-",
        stored.dane or "-",
        words.number(stored.sessions) if stored.sessions else "-",
        words.share(stored.failed, stored.sessions) if stored.failed else "-",
        str(stored.open) if stored.open else "-",
    )


def _reason(one: Entry) -> Iterator[str]:
    if not one.is_ours:
        held = words.plural(one.found.row.held, "report")
        yield f"{_INDENT}{held} held: {log.safe(one.found.why, 120)}"
    elif one.standing.state == "no-mail" and one.stored.mx:
        # Without a word of its own (a null MX) it may be a slip in the list of names.
        yield f"{_INDENT}it has neither an MX record nor an address: is the name right?"
    elif one.standing.state not in _WELL:
        host, own = "", ""
        if one.stored.is_host:
            whose_ = ", which others may run" if one.is_others else ""
            host, own = f"MX host with TLSA records{whose_}; ", " of its own"
        yield f"{_INDENT}{host}{one.standing.why}{own}{_last(one)}"


def _last(one: Entry) -> str:
    last = one.stored.heard.last_report
    if last is None or one.standing.state == "silent":
        return ""
    return f"; the last report is about {words.day(last - 1, last)}"


def _print_csv(shown: Sequence[Entry]) -> None:
    rows = [inventory.form(one) for one in shown]
    keys = [*rows[0]] if rows else []
    table: list[list[str | int | None]] = [[*keys]]
    table += [[_flat(row[key]) for key in keys] for row in rows]
    sys.stdout.write(sheet(table).decode("ascii").replace("\r\n", "\n") if rows else "")


def _flat(value: object) -> str | int | None:
    """Lists stand in one cell, with blanks between."""
    if isinstance(value, list):
        return " ".join(str(one) for one in value)
    return value if isinstance(value, str | int) or value is None else str(value)


# ---------------------------------------------------------------------- coverage


@domains.command()
@click.option("--json", "json_", is_flag=True, help="Print a JSON list.")
def coverage(json_: bool) -> None:
    """Say by group how many have a record, MTA-STS and DANE.

    And for how many of them reports come in. Prints one line a group, largest
    first, and one for all of them. Exit codes: 0 printed, 1 there is no
    database.

    \b
    Example:
      tlsrpt-mailer domains coverage --json | jq '.[].enforce'
    """
    config, now = opening.load(), options.now()
    with opening.reading(config) as reader:
        groups = inventory.coverage(inventory.entries(config, reader, now))
    if json_:
        out.json_list(map(_group_form, groups))
    elif groups:
        _print_coverage(groups, total=len(groups) > 1)
    else:
        click.echo("No domain is yours yet.")


def _group_form(one: Coverage) -> dict[str, Any]:
    return {
        "group": None if one.group == inventory.NO_GROUP else one.group,
        "domains": one.domains,
        "record": one.record,
        "reporting": one.reporting,
        "mta_sts": one.mta_sts,
        "enforce": one.enforce,
        "dane": one.dane,
    }


def _print_coverage(groups: Sequence[Coverage], *, total: bool = False) -> None:
    rows = [_shares(one) for one in groups]
    if total:
        rows.append(_shares(_added(groups)))
    out.columns(_GROUPS, rows)


def _added(groups: Sequence[Coverage]) -> Coverage:
    return Coverage(
        group="all",
        domains=sum(one.domains for one in groups),
        record=sum(one.record for one in groups),
        reporting=sum(one.reporting for one in groups),
        mta_sts=sum(one.mta_sts for one in groups),
        enforce=sum(one.enforce for one in groups),
        dane=sum(one.dane for one in groups),
    )


def _shares(one: Coverage) -> tuple[str, ...]:
    counts = (one.record, one.reporting, one.mta_sts, one.enforce, one.dane)
    shares = (words.share(count, one.domains) for count in counts)
    return (log.safe(one.group, 40), words.number(one.domains), *shares)


# -------------------------------------------------------------------------- gaps


@domains.command()
@narrowing.narrowed
@out.listing_options
def gaps(
    states: tuple[str, ...],
    groups: tuple[str, ...],
    owners: tuple[str, ...],
    limit: int | None,
    all_: bool,
    json_: bool,
) -> None:
    """List the domains of which nobody learns anything.

    Those without a record, with one that senders ignore or that leads to
    somebody else, and those whose reports have stopped. Exit codes: 0 there are
    none, 1 there are some, there is no database, or no such group or owner.

    \b
    Examples:
      tlsrpt-mailer domains gaps --group retail
      tlsrpt-mailer domains gaps --json | jq -r .[].domain
    """
    page, now = out.page(limit, all_, json_), options.now()
    config = opening.load()
    wanted = narrowing.wanted(config, states, groups, owners)
    with opening.reading(config) as reader:
        every = inventory.entries(config, reader, now)
    found = [one for one in every if one.is_gap and wanted.takes(one)]
    shown = found[: page.limit]
    unseen = sum(one.is_ours and one.stored.looked_at is None for one in every)
    if json_:
        out.json_list(map(inventory.form, shown))
    elif found:
        _lines(shown, now)
        out.footer(len(shown), len(found), "gap")
        narrowed = shlex.join(["--all-gaps", *narrowing.again(states, groups, owners)])
        click.echo(f"What to publish: tlsrpt-mailer record {narrowed}")
    else:
        click.echo("No gaps.")
    if unseen and not json_:
        click.echo(f"{words.plural(unseen, 'domain')} not looked at yet: tlsrpt-mailer check")
    if found:
        click.get_current_context().exit(1)


domains.add_command(domain.show)
domains.add_command(readiness.readiness)
domains.add_command(whose.adopt)
domains.add_command(whose.reject)
