"""`check`: what is wrong with the DNS, MTA-STS and DANE of domains, and how to mend it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import click
import msgspec

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import found as texts
from tlsrpt_mailer.cli import check_text, looks, opening, options, out
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.errors import NoSuch, Unreachable
from tlsrpt_mailer.flows.checking import BATCH, NO_ANSWER, Checker, Looker
from tlsrpt_mailer.ports import Due, Look
from tlsrpt_mailer.report.times import Time, iso


@click.command()
@click.argument("names", metavar="[DOMAIN]...", nargs=-1)
@click.option(
    "--probe/--no-probe",
    "probe",
    default=None,
    help="Connect to the MX hosts, whatever the configuration says.",
)
@click.option("--notes", is_flag=True, help="Print what is worth knowing, and no fault, as well.")
@click.option("--json", "json_", is_flag=True, help="Print a JSON list.")
def check(names: tuple[str, ...], probe: bool | None, notes: bool, json_: bool) -> None:
    """Look at domains now: TLSRPT record, MTA-STS, DANE, MX hosts.

    DOMAIN needs not be yours; without any, every domain of yours is looked at,
    as the daemon does once a day. Prints what was found, why it matters to
    mail, and the exact record or line that mends it; of more than ten domains
    in short. What is found of domains of yours is kept, and told like a
    failure. Asks [dns] nameservers; with --probe, port 25 of the MX hosts as
    well.

    Exit codes: 0 nothing to mend, 1 there is something, or DNS has nothing at
    the name of a DOMAIN, 69 DNS does not answer.

    \b
    Examples:
      tlsrpt-mailer check example.com
      tlsrpt-mailer check --json | jq '.[] | select(.findings != []).domain'
    """
    config = opening.load()
    with _eyes(config, probe) as eyes:
        due = looks.due(config, names, eyes.mine)
        found = _look(eyes, due, shows=not names and not json_ and len(due) > BATCH)
        blocked = eyes.looker.blocked
    if json_:
        out.json_list(form(one) for one in found)
    else:
        for line in check_text.lines(found, notes=notes):
            click.echo(line)
        if blocked:
            click.echo(f"MX hosts that did not answer were not judged: {log.safe(blocked, 200)}")
    if found and all(one.seen.record.kind == "trouble" for one in found):
        raise Unreachable(f"DNS does not answer: {found[0].seen.record.error}")
    if any(map(check_text.is_bad, found)) or (names and any(map(check_text.is_nowhere, found))):
        click.get_current_context().exit(1)


class _Eyes(msgspec.Struct, frozen=True):
    """Who looks, and who keeps what is found of our domains."""

    looker: Looker
    checker: Checker | None = None
    """None where there is no database."""
    mine: Mapping[str, Due] = msgspec.field(default_factory=dict)
    """The domains of ours, by name."""


@contextmanager
def _eyes(config: Config, probe: bool | None) -> Iterator[_Eyes]:
    wiring.Checking.load()
    with ExitStack() as stack:
        try:
            app = stack.enter_context(opening.writing(config))
        except NoSuch:
            yield _Eyes(wiring.Checking(config).looker(is_probing=probe))
            return
        app.outside.enrol(options.now())
        checker = app.outside.checker(is_probing=probe)
        mine = {one.domain: one for one in app.store.checks.all()}
        yield _Eyes(checker.looker, checker, mine)


def _look(eyes: _Eyes, due: Sequence[Due], *, shows: bool) -> list[Look]:
    """Look at them in portions; those of ours are kept."""
    found: list[Look] = []
    with looks.progress(len(due), shown=shows) as advance:
        for at in range(0, len(due), BATCH):
            some, now = due[at : at + BATCH], options.now()
            done = eyes.looker.look(some, now)
            if (why := eyes.looker.unanswered(done)) is not None:
                raise Unreachable(NO_ANSWER.format(log.safe(why, 200)))
            kept = [one for one in done if one.seen.domain in eyes.mine]
            if eyes.checker is not None and kept:
                eyes.checker.save(kept, now)
            found += done
            advance(len(some))
    return found


def form(one: Look) -> dict[str, Any]:
    """One look, for JSON."""
    now = one.seen.at
    return {
        "domain": one.seen.domain,
        "looked_at": iso(now),
        "in_dns": not check_text.is_nowhere(one),
        "is_mx_host": one.is_host,
        "record_state": one.summary.record,
        "mta_sts": one.summary.sts,
        "mta_sts_id": one.summary.sts_id,
        "dane": one.summary.dane,
        "mx": list(one.summary.mx or ()),
        "findings": [_finding(found, one.seen.domain, now) for found in one.findings],
    }


def _finding(found: Finding, domain: str, now: Time) -> dict[str, Any]:
    told = texts.told(found.code, domain, found.mx, found.facts, now)
    return {
        "code": found.code,
        "severity": found.weight,
        "mx": found.mx,
        "short": told.short,
        "what": told.what,
        "why": told.why,
        "mend": list(told.mend),
        "lines": list(told.lines),
        "facts": found.facts,
    }
