"""`failures`: what is broken, by cause, worst first."""

import click

from tlsrpt_mailer import wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import (
    acting,
    failure_said,
    failure_text,
    finding_text,
    forms,
    judged,
    opening,
    options,
    out,
    owning,
    story,
)
from tlsrpt_mailer.cli.causes_of import groups
from tlsrpt_mailer.cli.groups import Listing
from tlsrpt_mailer.cli.out import Column, Page
from tlsrpt_mailer.failures.model import SEVERITIES, Severity
from tlsrpt_mailer.failures.windows import effective
from tlsrpt_mailer.ports import FailureRecord
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.queries import Reader

HEADS = (
    Column("#", right=True),
    Column("severity"),
    Column("state"),
    Column("domain"),
    Column("result type"),
    Column("mx"),
    Column("first seen"),
    Column("last seen"),
    Column("failed", right=True),
)


@click.group(cls=Listing)
def failures() -> None:
    """List what is broken, worst first, or show one failure.

    Without a command the open failures are listed, those of one cause
    together. `status` speaks of the program, this of the domains. Exit codes:
    0 listed, 1 there is no database or no such failure, or --fail-on found one.

    \b
    Examples:
      tlsrpt-mailer failures
      tlsrpt-mailer failures --json | jq -r .[].policy_domain
      tlsrpt-mailer failures show 17 --why
    """


@failures.command("list")
@click.option("--domain", metavar="DOMAIN", help="Only those of this policy domain.")
@click.option("--group", metavar="GROUP", help="Only those of domains in this group.")
@click.option("--muted", is_flag=True, help="Only those that are muted, which a page leaves out.")
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    help="Exit with 1 when one as severe as this is open.",
)
@out.listing_options
def list_(
    domain: str | None,
    group: str | None,
    muted: bool,
    fail_on: Severity | None,
    limit: int | None,
    all_: bool,
    json_: bool,
) -> None:
    """List the open failures by cause.

    With --all every failure that there was is listed. Prints a page for people,
    one line a failure with --all, or a JSON list. Exit codes: 0 listed, 1 there
    is no database, or --fail-on found one.

    \b
    Examples:
      tlsrpt-mailer failures --all --json
      tlsrpt-mailer failures --group retail
      tlsrpt-mailer failures --fail-on critical >/dev/null || echo "look at it"
    """
    config = opening.load()
    directory = wiring.directory(config)
    domain = domain and domain.lower()
    in_group = owning.in_group(directory, group)
    with opening.reading(config) as reader:
        found = [
            one
            for one in judged.records(reader, config, open_only=not all_, domain=domain)
            if in_group(one) and (not muted or one.verdict.state == "muted")
        ]
        if json_:
            out.json_list(
                forms.failure(one, owning.told_of(directory, one)) for one in found[:limit]
            )
        elif all_ or muted:
            _print_all(found, limit, options.now(), muted=muted)
        else:
            _print_page(found, out.page(limit, all_), reader, domain, group)
            for line in owning.nobodys(directory, found):
                click.echo(line)
    if fail_on is not None and _is_open(found, fail_on):
        click.get_current_context().exit(1)


def _is_open(found: list[FailureRecord], at_least: Severity) -> bool:
    wanted = SEVERITIES[: SEVERITIES.index(at_least) + 1]
    return any(one.verdict.is_open and one.verdict.severity in wanted for one in found)


def _print_page(
    found: list[FailureRecord], page: Page, reader: Reader, domain: str | None, group: str | None
) -> None:
    now = options.now()
    shown = [one for one in found if one.verdict.state != "muted"]
    ended = 0 if domain or group else reader.mended(now - failure_text.WEEK, now)
    if not shown:
        if found:
            _print_muted(len(found), reader, domain, group)
        elif domain:
            windows = effective(reader.history(domain).windows)
            click.echo("\n".join(failure_text.nothing_open_at(domain, windows, now)))
        elif group:
            click.echo(f"Nothing is open in group {words.safe(group, 40)}.")
        else:
            click.echo("\n".join(failure_text.nothing_open(reader.totals(now), now)))
            _print_held(reader, now)
        if ended:
            click.echo(failure_text.mended(ended))
        return
    causes = groups(shown)
    click.echo("\n".join(failure_text.page(causes[: page.limit], now)))
    click.echo()
    if page.limit is not None and len(causes) > page.limit:
        click.echo(f"{page.limit} of {words.plural(len(causes), 'cause')}; more: --limit N")
    click.echo("\n".join(failure_text.foot(causes, len(found) - len(shown), ended)))


def _print_held(reader: Reader, now: Time) -> None:
    """That all is well is not known of what is not counted."""
    held = sum(reader.held_totals(now).counts.values())
    if held:
        click.echo(
            f"{words.plural(held, 'report')} held, not counted: tlsrpt-mailer reports --held"
        )


def _print_muted(count: int, reader: Reader, domain: str | None, group: str | None) -> None:
    if domain:
        name = words.name(domain)
        click.echo(failure_text.all_muted(count, f" at {name}", f" --domain {name}"))
    elif group:
        name = words.safe(group, 40)
        click.echo(failure_text.all_muted(count, f" in group {name}", f" --group {name}"))
    else:
        click.echo(failure_text.all_muted(count))
        click.echo(failure_text.figures(reader.totals(options.now())))


def _print_all(
    found: list[FailureRecord], limit: int | None, now: Time, *, muted: bool = False
) -> None:
    if not found:
        click.echo("No failure is muted." if muted else "No failure was ever seen.")
        return
    rows = (failure_text.row(one, now) for one in found[:limit])
    out.columns(HEADS, rows)
    out.footer(min(limit or len(found), len(found)), len(found), "failure")


@failures.command()
@click.argument("id", type=int, metavar="ID")
@click.option("--why", is_flag=True, help="Tell it report by report.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def show(id: int, why: bool, json_: bool) -> None:
    """Print all that is known of a failure.

    That is when, how much, who saw it, and who was told. ID is its number in
    the listing and in alert mails. With --why each report is listed with what
    it changed. Exit codes: 0 shown, 1 there is none.

    \b
    Examples:
      tlsrpt-mailer failures show 17
      tlsrpt-mailer failures show 17 --why
    """
    config, now = opening.load(), options.now()
    with opening.reading(config) as reader:
        (record,) = judged.judged(reader, config, [reader.failure(id)])
        told, mails = reader.told(id), reader.mailed(id)
        seen = reader.evidence(id)
        steps, ways = story.told(reader, config, record, now) if why else ([], {})
        same = reader.failures(open_only=False, cause=record.cause, limit=failure_said.OTHERS + 1)
        rows = [one for one in same.rows if one.id != id]
        others = judged.judged(reader, config, rows) if options.current().now else rows
    owners = owning.told_of(wiring.directory(config), record)
    if json_:
        form = forms.failure(record, owners)
        form["evidence"] = [forms.evidence(one) for one in seen]
        form["told"] = [forms.told(one) for one in told]
        form["finding"] = finding_text.form(record.verdict) if record.verdict.is_finding else None
        if why:
            form["why"] = [story.form(step, ways) for step in steps]
        out.as_json(form)
        return
    lines = failure_text.head(record, owners, others, now, same.total)
    if why:
        lines += ["", *story.lines(steps, ways, now), *story.quoted(seen)]
    elif record.verdict.is_finding:
        lines += ["", *finding_text.body(record.verdict), *failure_said.told(told, mails, now)]
    else:
        lines += ["", *failure_text.evidence(seen, now), *failure_said.told(told, mails, now)]
    lines += ["", *failure_text.more(record, seen)]
    click.echo("\n".join(lines))


for _command in acting.COMMANDS:
    failures.add_command(_command)
