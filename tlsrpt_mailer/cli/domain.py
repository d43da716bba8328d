"""`domains show`: one domain, all that is known of it."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from tlsrpt_mailer import log
from tlsrpt_mailer.alerts import commands, view, words
from tlsrpt_mailer.alerts import found as texts
from tlsrpt_mailer.cli import domain_shown, inventory, looks, opening, options, out
from tlsrpt_mailer.cli.inventory import Entry
from tlsrpt_mailer.domains.drift import Change, changes
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.seen import Seen
from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.flows.views import drift_of
from tlsrpt_mailer.report.times import Time, iso
from tlsrpt_mailer.store.queries import Reader

CHANGES = 15
DOES_NOT_APPLY = "does not apply"
"""MTA-STS, DANE and MX of what is looked at only as an MX host."""
_TERM = 12


@click.command()
@click.argument("name", metavar="DOMAIN")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def show(name: str, json_: bool) -> None:
    """Print all that is known of a domain.

    State, records, MX hosts and their certificates, what was found, and what
    changed when. All from the last look; `check DOMAIN` looks anew. Exit codes:
    0 shown, 1 there is no database, or no such domain.

    \b
    Example:
      tlsrpt-mailer domains show example.com
    """
    config, now = opening.load(), options.now()
    domain = looks.normal(name)
    with opening.reading(config) as reader:
        every = {one.domain: one for one in inventory.entries(config, reader, now)}
        if domain not in every:
            raise NoSuch(f"no domain {domain}: tlsrpt-mailer domains")
        entry, look = every[domain], reader.look(domain)
        drift = changes(reader.drifted(domain), 0, now)
        failures = _open(reader, domain)
    if json_:
        out.as_json(_form(entry, look, drift))
        return
    seen = None if look is None else look[0]
    shown = () if seen is None else domain_shown.lines(seen, now)
    for line in (
        *_head(entry, seen, now),
        *shown,
        *_published(look, now),
        *_drift(drift, now),
        *failures,
    ):
        click.echo(line)


def _open(reader: Reader, domain: str) -> list[str]:
    rows = reader.failures(domain=domain, limit=inventory.MOST_FAILURES).rows
    if not rows:
        return []
    numbers = " ".join(str(one.id) for one in rows)
    return ["", f"OPEN  tlsrpt-mailer failures --domain {words.name(domain)}  ({numbers})"]


def _head(one: Entry, seen: Seen | None, now: Time) -> Iterator[str]:
    stored, heard = one.stored, one.stored.heard
    yield words.name(one.domain)
    if not one.is_ours:
        yield from _row("whose", f"{one.found.whose}: {log.safe(one.found.why, 160)}")
        return
    since = "" if one.standing.since is None else f", since {words.day(one.standing.since, now)}"
    yield from _row("state", f"{one.standing.state.replace('-', ' ')}{since}: {one.standing.why}")
    at = stored.looked_at
    yield from _row("looked at", "never" if at is None else words.when(at, now))
    yield from _row("record", f"{heard.record or 'not known'}{_since(heard.record_at, now)}")
    for text in () if seen is None else domain_shown.records(seen):
        yield f"  {'':<{_TERM}}{text}"
    id_ = f", id {words.safe(stored.sts_id, 32)}" if stored.sts_id else ""
    unknown = DOES_NOT_APPLY if stored.is_host else "not known"
    yield from _row("MTA-STS", f"{stored.sts or unknown}{id_}")
    yield from _row("DANE", stored.dane or unknown)
    none = DOES_NOT_APPLY if stored.is_host else "none known"
    yield from _row("MX", ", ".join(map(words.name, stored.mx)) or none)
    yield from _row("owners", ", ".join(words.safe(name, 80) for name in one.owners))
    if one.group is not None:
        yield from _row("group", words.safe(one.group, 60))
    yield from _row("reports", _reports(one, now))


def _since(at: Time | None, now: Time) -> str:
    return "" if at is None else f", since {words.day(at, now)}"


def _reports(one: Entry, now: Time) -> str:
    stored, heard = one.stored, one.stored.heard
    if heard.last_report is None:
        return "none yet"
    first = "" if heard.first_report is None else f"{words.day(heard.first_report, now)} - "
    about = f"{first}{words.day(heard.last_report - 1, now)}"
    if not one.is_counted:
        return f"{about}; sessions not counted yet"
    if not stored.reporters:
        return about
    by = words.plural(stored.reporters, "reporter")
    failed = words.share(stored.failed, stored.sessions)
    return (
        f"{about}; in 28 days {words.plural(stored.sessions, 'session')} of {by}, {failed} failed"
    )


def _row(term: str, text: str) -> list[str]:
    return words.wrap(text, " " * (_TERM + 2), f"  {term:<{_TERM}}")


def _published(look: tuple[Seen, tuple[Finding, ...]] | None, now: Time) -> Iterator[str]:
    if look is None:
        return
    seen, findings = look
    if findings:
        yield ""
        checked = commands.names(seen.domain, None, None).domain
        yield f"FOUND  (in full: tlsrpt-mailer check {checked})"
    for one in findings:
        told = texts.told(one.code, seen.domain, one.mx, one.facts, now, terminal=True)
        yield from words.wrap(
            f"{told.phrase}; mend: {told.brief}", " " * 12, f"  {one.weight:<8}  "
        )


def _drift(drift: Sequence[Change], now: Time) -> Iterator[str]:
    if not drift:
        return
    yield ""
    yield "CHANGED, newest first"
    for one in list(reversed(drift))[:CHANGES]:
        for when, what in view.change(drift_of(one), now):
            yield from words.wrap(what, " " * 18, f"  {when:<16}")


def _form(
    one: Entry, look: tuple[Seen, tuple[Finding, ...]] | None, drift: Sequence[Change]
) -> dict[str, Any]:
    findings = () if look is None else look[1]
    return {
        **inventory.form(one),
        **domain_shown.form(None if look is None else look[0]),
        "findings": [
            {"code": each.code, "severity": each.weight, "mx": each.mx, "facts": each.facts}
            for each in findings
        ],
        "changes": [
            {
                "kind": each.kind,
                "about": each.about or None,
                "old": each.old,
                "new": each.new,
                "after": iso(each.after),
                "before": iso(each.before),
            }
            for each in drift
        ],
    }
