"""`causes`: the open failures by what they have in common."""

import click

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import failure_text, forms, judged, opening, options, out
from tlsrpt_mailer.cli.causes_of import groups
from tlsrpt_mailer.cli.out import Column

HEADS = (
    Column("#", right=True),
    Column("severity"),
    Column("what"),
    Column("where"),
    Column("domains", right=True),
    Column("since"),
    Column("failed", right=True),
)


@click.command()
@out.listing_options
def causes(limit: int | None, all_: bool, json_: bool) -> None:
    """List what the open failures have in common, worst first.

    One line a cause: a result type at an MX, or at a domain where no MX is
    concerned, however many domains feel it. --all adds those that are over.
    Exit codes: 0 listed, 1 there is no database.

    \b
    Examples:
      tlsrpt-mailer causes
      tlsrpt-mailer causes --json | jq .[].domains
    """
    config, now = opening.load(), options.now()
    with opening.reading(config) as reader:
        found = groups(judged.records(reader, config, open_only=not all_))
        totals = reader.totals(now)
    wanted = found[: out.page(limit, all_, json_).limit]
    if json_:
        out.json_list(forms.cause(one) for one in wanted)
        return
    if not found:
        click.echo("\n".join(failure_text.nothing_open(totals, now)))
        return
    out.columns(
        HEADS,
        (
            (
                str(one.cause),
                one.worst.severity,
                words.safe(failure_text.short(one.worst), 40),
                words.name(one.mx or one.domains[0]),
                words.number(len(one.domains)),
                words.day(one.first_seen, now),
                "-" if one.worst.is_finding else words.share(one.failed, one.sessions),
            )
            for one in wanted
        ),
    )
    out.footer(len(wanted), len(found), "cause", "--limit N")
