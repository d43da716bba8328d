"""`reports`: what is stored."""

from collections.abc import Iterator
from functools import partial

import click

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.held import whose_word, why
from tlsrpt_mailer.cli import forms, opening, options, out
from tlsrpt_mailer.cli.groups import Listing
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.cli.releasing import release
from tlsrpt_mailer.cli.report_text import left_out_line, report_lines
from tlsrpt_mailer.failures.windows import counts_instead, effective
from tlsrpt_mailer.report.export import as_json
from tlsrpt_mailer.report.parse import parse
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.rows import ReportRow

_NAMED, _LOOKED_AT = 3, 20
"""Of how many domains it is said, and of how many looked up, whether a report counts."""
HEADS = (
    Column("#", right=True),
    Column("reporter"),
    Column("about"),
    Column("domains"),
    Column("sessions", right=True),
    Column("failed", right=True),
    Column("status"),
)
HELD_HEADS = (
    Column("#", right=True),
    Column("taken"),
    Column("reporter"),
    Column("domain"),
    Column("why"),
)


@click.group(cls=Listing)
def reports() -> None:
    """List the stored reports, show one, or release what is held.

    Newest first, one line a report. What is held is stored, but counts for
    nothing; --held says why. Exit codes: 0 done, 1 there is no database or no
    such report.

    \b
    Examples:
      tlsrpt-mailer reports
      tlsrpt-mailer reports --domain example.com --json
      tlsrpt-mailer reports --held
      tlsrpt-mailer reports show 1204
    """


@reports.command("list")
@click.option("--domain", metavar="DOMAIN", help="Only those on this policy domain.")
@click.option("--reporter", metavar="DOMAIN", help="Only those of this reporter (google.com).")
@click.option("--held", is_flag=True, help="Only those that are held, with the reason.")
@out.listing_options
def list_(
    domain: str | None,
    reporter: str | None,
    held: bool,
    limit: int | None,
    all_: bool,
    json_: bool,
) -> None:
    """List the stored reports, newest first.

    Prints one line a report, or a JSON list. A reporter with "(unverified)" or
    "(history)" behind it has not proved who it is. Exit codes: 0 listed, 1
    there is no database.

    \b
    Examples:
      tlsrpt-mailer reports --reporter google.com --limit 10
      tlsrpt-mailer reports --held
    """
    page, now = out.page(limit, all_, json_), options.now()
    domain, reporter = domain and domain.lower(), reporter and reporter.lower()
    with opening.reading() as reader:
        status = "held" if held else None
        fetch = partial(reader.reports, domain=domain, reporter=reporter, status=status)
        rows = out.paged(lambda limit, offset: fetch(limit=limit, offset=offset).rows, page)
        if json_:
            out.json_list(map(forms.report, rows))
            return
        total = fetch(limit=0).total
        if not total:
            of_kind = " of that kind." if domain or reporter else "."
            click.echo(f"No report is {'held' if held else 'stored'}{of_kind}")
            return
        if held:
            out.columns(HELD_HEADS, (_held_row(row, now) for row in rows))
        else:
            out.columns(HEADS, (_row(row, now) for row in rows))
        shown = total if page.limit is None else min(page.limit, total)
        out.footer(shown, total, "held report" if held else "report")
        if held:
            click.echo("Check them again: tlsrpt-mailer reports release ID, or --all")


@reports.command()
@click.argument("id", type=int, metavar="ID")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def show(id: int, json_: bool) -> None:
    """Print all that a stored report says.

    ID is its number in the listing. Exit codes: 0 shown, 1 there is none.

    \b
    Example:
      tlsrpt-mailer reports show 1204
    """
    with opening.reading() as reader:
        row, document = reader.report(id)
        instead = [] if json_ else list(_counts_instead(reader, row))
        is_kept = row.status == "held" and reader.is_kept(row.mail)
    domain = row.domains[0] if row.domains else None
    report = parse(document, submitter=row.submitter, domain=domain)
    if json_:
        out.as_json({**forms.report(row), "report": as_json(report)})
        return
    # All of a held one is not counted, and its status says why.
    click.echo("\n".join(report_lines(report, row.left_out if row.status != "held" else ())))
    replaced = f", superseded by {row.superseded_by}" if row.superseded_by else ""
    taken = words.moment(row.taken_at, options.now())
    by = "said to be by" if row.held_for in ("signature", "pending") else "counted under"
    click.echo(f"\n  number {row.id}, taken {taken}, {by} {words.safe(row.reporter)}")
    click.echo(f"  status {row.status}{replaced}")
    if row.held_for not in ("signature", "pending"):
        click.echo(f"  {whose_word(row.trust, row.trust_reason)}")
    if row.status == "held":
        kept = "" if is_kept else ", and its mail is not kept any more"
        click.echo(f"  held: {why(row.held_for, row.trust_reason)}{kept}")
    elif row.left_out:
        click.echo(f"  {left_out_line(len(row.left_out), len(report.policies))}")
    for name, other in instead[:_NAMED]:
        click.echo(f"  report {other} on the same time counts in its place: {words.name(name)}")


def _counts_instead(reader: Reader, row: ReportRow) -> Iterator[tuple[str, int]]:
    """Domains of which another report of the same reporter and time counts, and its number."""
    for domain in row.domains[:_LOOKED_AT]:
        told = [one for one in reader.history(domain).windows if one.reporter == row.reporter]
        counted = effective(told)
        for window in told:
            if window.report == row.id and not any(window is other for other in counted):
                other = counts_instead(window, counted)
                if other is not None:
                    yield domain, other.report


def _row(row: ReportRow, now: Time) -> tuple[str, ...]:
    sessions = row.successful_sessions + row.failed_sessions
    return (
        str(row.id),
        words.safe(row.reporter, 30),
        about(row.start, row.end, now),
        words.listed(map(words.name, row.domains), 1),
        words.number(sessions),
        words.number(row.failed_sessions),
        row.status,
    )


def _held_row(row: ReportRow, now: Time) -> tuple[str, ...]:
    return (
        str(row.id),
        words.moment(row.taken_at, now),
        words.safe(row.reporter, 30),
        words.listed(map(words.name, row.domains), 1),
        why(row.held_for, row.trust_reason),
    )


def about(start: Time | None, end: Time | None, now: Time) -> str:
    """The days a report speaks of, as far as it says."""
    if start is None or end is None or end < start:
        return "?"
    return words.window(start, end + (end % 60 == 59), now)


reports.add_command(release)
