"""`domains readiness`: whether enforcing MTA-STS, or DANE, would refuse mail."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
import msgspec

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import inventory, opening, options, out
from tlsrpt_mailer.cli.inventory import Entry
from tlsrpt_mailer.cli.out import Column
from tlsrpt_mailer.domains.hosted import hosted
from tlsrpt_mailer.domains.readiness import OVER, Published, Readiness, dane, mta_sts
from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.failures.probed import UNCOVERED
from tlsrpt_mailer.report.hosts import domain_text
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store.queries import Reader

_HEADS = (
    Column("domain"),
    Column("for"),
    Column("verdict"),
    Column("sessions", right=True),
    Column("refused", right=True),
    Column("", right=True),
)
_INDENT = "    "


class Ready(msgspec.Struct, frozen=True):
    """One domain's readiness for both."""

    domain: str
    mta_sts: Readiness
    dane: Readiness


@click.command()
@click.argument("names", metavar="[DOMAIN]...", nargs=-1)
@out.listing_options
def readiness(names: tuple[str, ...], limit: int | None, all_: bool, json_: bool) -> None:
    """Say whether enforcing MTA-STS, or DANE, would refuse mail.

    Computed from what senders reported in the last 30 days: sessions that
    failed although no policy forbade delivery would have been refused. Prints
    the share, the MX that stands in the way, and the next step; for DOMAIN,
    else for every domain of yours that reports speak of. Exit codes: 0 printed,
    1 there is no database, or no such domain.

    \b
    Examples:
      tlsrpt-mailer domains readiness example.com
      tlsrpt-mailer domains readiness --json | jq '.[].mta_sts.verdict'
    """
    page, now = out.page(limit, all_, json_), options.now()
    config = opening.load()
    runs = wiring.ours(config).runs
    with opening.reading(config) as reader:
        found = _chosen(inventory.entries(config, reader, now), names)
        ready = (_ready(reader, one, runs, now) for one in found[: page.limit])
        if json_:
            out.json_list(map(_form, ready))
            return
        rows = list(ready)
    if not rows:
        click.echo("No report speaks of a domain of yours yet.")
        return
    _print(rows)
    out.footer(len(rows), len(found), "domain")


def _chosen(every: Sequence[Entry], names: Sequence[str]) -> list[Entry]:
    ours = {one.domain: one for one in every if one.is_ours and not one.stored.is_host}
    if not names:
        return [one for one in ours.values() if one.stored.heard.last_report is not None]
    wanted = [domain_text(name) for name in names]
    unknown = [name for name in wanted if name not in ours]
    if unknown:
        raise NoSuch(f"no domain of yours: {words.listed(map(log.safe, unknown), 5)}")
    return [ours[name] for name in dict.fromkeys(wanted)]


def _ready(reader: Reader, one: Entry, runs: Callable[[str], bool], now: Time) -> Ready:
    counted = reader.counted(one.domain, now - OVER)
    look = reader.look(one.domain)
    findings = () if look is None else look[1]
    published = Published(
        sts=one.stored.sts,
        dane=one.stored.dane,
        uncovered=tuple(found.mx for found in findings if found.code == UNCOVERED and found.mx),
        run_by={
            mx: who.tell for mx in one.stored.mx if not runs(mx) and (who := hosted(mx)) is not None
        },
    )
    return Ready(one.domain, mta_sts(counted, published), dane(counted, published))


def _print(rows: Sequence[Ready]) -> None:
    cells = [(line, text) for one in rows for line, text in _lines(one)]
    titles = tuple(head.head for head in _HEADS)
    widths = [max(len(line[at]) for line, _ in [(titles, ""), *cells]) for at in range(len(_HEADS))]
    click.echo(out.line(_HEADS, titles, widths))
    for line, text in cells:
        click.echo(out.line(_HEADS, line, widths))
        click.echo(f"{_INDENT}next: {log.safe(text, 200)}")


def _lines(one: Ready) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, what, found in (
        (words.name(one.domain), "enforce", one.mta_sts),
        ("", "DANE", one.dane),
    ):
        share = words.share(found.refused, found.sessions) if found.sessions else "-"
        yield (
            (
                name,
                what,
                found.verdict.replace("-", " "),
                words.number(found.sessions),
                words.number(found.refused),
                share,
            ),
            found.step,
        )


def _form(one: Ready) -> dict[str, Any]:
    return {
        "domain": one.domain,
        "days": OVER // DAY,
        "mta_sts": _part(one.mta_sts),
        "dane": _part(one.dane),
    }


def _part(found: Readiness) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "sessions": found.sessions,
        "would_be_refused": found.refused,
        "share": round(found.share, 6),
        "reporters": found.reporters,
        "mx": [{"mx": mx, "sessions": count} for mx, count in found.hosts],
        "next_step": found.step,
    }
