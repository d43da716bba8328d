"""`audit`: who did what."""

from collections.abc import Mapping

import click

from tlsrpt_mailer import log
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import forms, opening, options, out
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.ports import AuditEntry, JsonValue

HEADS = (Column("when"), Column("who"), Column("how"), Column("what"), Column("note"))
_NUMBERS = 6


@click.command()
@click.option("--who", metavar="NAME", help="Only what this user or mail address did.")
@out.listing_options
def audit(who: str | None, limit: int | None, all_: bool, json_: bool) -> None:
    """List who did what: answers by mail and commands, the last first.

    How is `command`, or `mail` with how the sender was recognised; a token
    proves that the mail was read, a From line proves nothing. Exit codes: 0
    listed, 1 there is no database.

    \b
    Examples:
      tlsrpt-mailer audit
      tlsrpt-mailer audit --who ana@example.com --json
    """
    page, now = out.page(limit, all_, json_), options.now()
    with opening.reading() as reader:
        rows = out.paged(
            lambda limit, offset: reader.audit(who=who, limit=limit, offset=offset).rows, page
        )
        if json_:
            out.json_list(map(forms.audit, rows))
            return
        total = reader.audit(who=who, limit=0).total
        if not total:
            click.echo("Nobody has done anything yet." if who is None else "Nothing by that name.")
            return
        out.columns(
            HEADS,
            (
                (
                    words.moment(row.at, now),
                    log.safe(row.who, 40),
                    log.safe(row.way.partition(" (")[0], 10),
                    what(row),
                    log.safe(row.note or "-", 60),
                )
                for row in rows
            ),
        )
        out.footer(total if page.limit is None else min(page.limit, total), total, "act")


def what(row: AuditEntry) -> str:
    """``ack 17, 21``, ``maintenance-add mx mx1.example.com``, ``release 3 and 4``."""
    target = row.target
    numbers = target.get("failures") or target.get("reports")
    if isinstance(numbers, list | tuple):
        about = words.listed((str(one) for one in numbers), _NUMBERS)
    elif "reporters" in target:
        about = log.safe(str(target["reporters"]), 80)
    else:
        about = _planned(target)
    to = f" to {log.safe(str(target['assignee']), 60)}" if target.get("assignee") else ""
    return f"{log.safe(row.action, 30)} {about}{to}".rstrip()


def _planned(target: Mapping[str, JsonValue]) -> str:
    named = [f"{kind} {target[kind]}" for kind in ("mx", "domain", "group") if kind in target]
    return log.safe(" ".join([str(target.get("maintenance", "")), *named]).strip(), 80)
