"""`record`: the exact TLSRPT record to publish."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import click
import msgspec

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.cli import inventory, looks, narrowing, opening, options, out
from tlsrpt_mailer.cli.inventory import Wanted
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.config.meaning import is_address
from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.examining.look import is_null_mx
from tlsrpt_mailer.domains.record import (
    PLACE,
    Record,
    is_meant,
    mended,
    parse_record,
    zone_line,
)
from tlsrpt_mailer.domains.seen import Answer
from tlsrpt_mailer.errors import ConfigError, NoSuch, Unreachable
from tlsrpt_mailer.flows.looking import Ask, elsewhere

NO_RUA = (
    "no address is known that reports should go to: say [checks] rua, or\n"
    "give it: tlsrpt-mailer record --rua mailto:tlsrpt@example.com DOMAIN"
)


LACKING = frozenset({"no-record", "record-broken"})
"""The gaps that a record closes; one that is only silent has one."""
WORKERS = 16
"""Domains that are looked up side by side."""


class Proposed(msgspec.Struct, frozen=True):
    """The record for one domain, beside what stands there."""

    domain: str
    text: str
    there: tuple[str, ...]
    is_right: bool
    """Whether nothing need be published."""
    alias: str | None = None
    """Where a CNAME leads that stands at its place."""
    is_parked: bool = False
    """Whether there is none, and the domain says that it takes no mail (RFC 7505)."""


@click.command()
@click.argument("names", metavar="[DOMAIN]...", nargs=-1)
@click.option("--all-gaps", is_flag=True, help="For every domain of yours without a right record.")
@narrowing.narrowed
@click.option("--rua", "uris", multiple=True, metavar="URI", help="Where reports are to go.")
@click.option("--ttl", type=click.IntRange(0, 2**31 - 1), metavar="SECONDS", help="Of the record.")
@click.option("--offline", is_flag=True, help="Ask no DNS: leave out what stands there now.")
@click.option("--json", "json_", is_flag=True, help="Print a JSON list.")
def record(
    names: tuple[str, ...],
    all_gaps: bool,
    uris: tuple[str, ...],
    ttl: int | None,
    offline: bool,
    json_: bool,
    **narrow: tuple[str, ...],
) -> None:
    """Print the TLSRPT record to publish, as a line of a zone file.

    What stands there now is looked up, at names where records come to stand by
    mistake as well, and its destinations are kept, so that nobody stops getting
    reports; where they go to is [checks] rua, else the first address of a
    source. Nothing is published. Exit codes: 0 printed, 1 no such domain, 69
    DNS does not answer (--offline asks none), 78 no address is known.

    \b
    Examples:
      tlsrpt-mailer record example.com
      tlsrpt-mailer record --all-gaps --group retail > records.zone
      tlsrpt-mailer record --rua mailto:tlsrpt@example.com --offline example.net
    """
    config = opening.load()
    if all_gaps == bool(names):
        raise click.UsageError("name domains, or say --all-gaps")
    if names and any(narrow.values()):
        raise click.UsageError("--state, --group and --owner are for --all-gaps")
    checking = wiring.Checking(config)
    rua = _rua(uris) or checking.rua
    if not rua:
        raise ConfigError(NO_RUA)
    only = narrowing.wanted(config, **narrow)
    wanted = _gaps(config, only) if all_gaps else [looks.normal(name) for name in names]
    with ThreadPoolExecutor(WORKERS) as pool:
        ask = None if offline else checking.lookups.ask
        propose = partial(_proposed, rua=rua, ask=ask)
        found = list(pool.map(propose, dict.fromkeys(wanted)))
    if all_gaps:
        found = [one for one in found if not one.is_right and not one.is_parked]
    if json_:
        out.json_list(_form(one, ttl) for one in found)
        return
    for one in found:
        click.echo(zone_line(one.domain, one.text, ttl))
    if all_gaps and not found:
        click.echo("No gaps.", err=True)
    for one in found:
        for line in _beside(one):
            click.echo(f"; {line}", err=True)


def _beside(one: Proposed) -> Iterator[str]:
    """What whoever publishes it should know of what stands there."""
    if one.is_right:
        yield f"{one.domain} has it already"
        return
    if one.is_parked:
        yield f"{one.domain} takes no mail (null MX), so it needs no record"
    if one.alias is not None:
        yield (
            f"{PLACE}{one.domain} is an alias (CNAME) of {log.safe(one.alias, 260)}:"
            " change the record there, or take the CNAME out first"
        )
    for text in one.there:
        yield f"{PLACE}{one.domain} has this now: {log.safe(text, 300)}"


def _rua(uris: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the command line; a bare address is meant as mailto:."""
    found = tuple(f"mailto:{uri}" if is_address(uri) else uri for uri in uris)
    for uri in found:
        if not (uri.startswith("https://") or is_address(uri.removeprefix("mailto:"))):
            raise click.UsageError(
                f'"{log.safe(uri, 80)}" is neither mailto: and an address nor https://'
            )
    return found


def _gaps(config: Config, wanted: Wanted) -> list[str]:
    """
    The domains of ours without a right record, and those of which that is not
    known yet.

    Those that are only silent have one.
    """
    try:
        with opening.reading(config) as reader:
            every = inventory.entries(config, reader, options.now())
    except NoSuch:
        # Before the first start: the names of the configuration are all that there is.
        directory = wiring.directory(config)
        return [name for name in wiring.named_domains(config) if wanted.names(name, directory)]
    return [
        one.domain
        for one in filter(wanted.takes, every)
        if (one.is_gap and one.standing.state in LACKING)
        or (one.is_ours and not one.is_others and one.stored.heard.record is None)
    ]


def _proposed(domain: str, *, rua: tuple[str, ...], ask: Ask | None) -> Proposed:
    answer = Answer("absent") if ask is None else ask(PLACE + domain, "TXT")
    if answer.kind == "trouble":
        raise Unreachable(
            f"DNS does not answer for {PLACE}{domain}: {answer.error}\n"
            "Without knowing what stands there: --offline"
        )
    there, is_parked = parse_record(answer.values), False
    if ask is not None and there.text is None and not there.near:
        # What stands at a wrong name was meant to stand here.
        near = tuple(text for _, text in elsewhere(domain, ask) if is_meant(text))
        there = Record(None, near=near)
        is_parked = not near and is_null_mx(ask(domain, "MX").values)
    text = mended(there, rua, Addresses(_addresses(rua)))
    is_right = there.is_valid and not there.flaws and there.text == text
    return Proposed(domain, text, answer.values, is_right, answer.alias, is_parked)


def _addresses(rua: tuple[str, ...]) -> list[str]:
    return [uri.removeprefix("mailto:") for uri in rua if uri.startswith("mailto:")]


def _form(one: Proposed, ttl: int | None) -> dict[str, Any]:
    return {
        "domain": one.domain,
        "name": f"{PLACE}{one.domain}",
        "type": "TXT",
        "ttl": ttl,
        "text": one.text,
        "zone_line": zone_line(one.domain, one.text, ttl),
        "there_now": list(one.there),
        "is_right": one.is_right,
    }
