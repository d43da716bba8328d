"""`status`: how the program itself is doing."""

import click
import msgspec

from tlsrpt_mailer import __version__, wiring
from tlsrpt_mailer import config as configuration
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, options, out, parts, parts_jobs, parts_outside
from tlsrpt_mailer.cli.integrity import NOTHING, inspected, judged, unreadable
from tlsrpt_mailer.cli.parts import Part
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.errors import Corrupt, TlsrptError
from tlsrpt_mailer.failures.model import SEVERITIES
from tlsrpt_mailer.flows.integrity import FACT
from tlsrpt_mailer.flows.integrity import looked as read_fact
from tlsrpt_mailer.report.times import Time, iso, iso_or_none
from tlsrpt_mailer.store.inventory import LookTotals
from tlsrpt_mailer.store.lock import holder
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.rows import Totals
from tlsrpt_mailer.store.trouble import Damaged

NAGIOS_UNKNOWN = 3
CANARIES = 200
"""The last test reports that are looked at."""


class Status(msgspec.Struct, frozen=True):
    """What one look at the program has found."""

    parts: list[Part]
    """What does not work first."""
    totals: Totals = NOTHING
    looks: LookTotals | None = None
    """None where the database cannot be read."""


@click.command()
@click.option("--check", is_flag=True, help="One line and an exit code, as Nagios wants them.")
@click.option("--integrity", is_flag=True, help="Read the whole database file for damage first.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def status(check: bool, integrity: bool, json_: bool) -> None:
    """Say how the program is doing, one line a part.

    What does not work comes first, marked FAIL, with what to do. It speaks of
    the program; of the domains speaks `failures`. Once a day the daemon looks
    whether the database file is damaged; --integrity looks now, and more
    closely, which takes some ten seconds for each GiB.

    Exit codes: 0 all works, 1 a line says FAIL, or there is no database. With
    --check: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

    \b
    Examples:
      tlsrpt-mailer status
      tlsrpt-mailer status --check
      tlsrpt-mailer status --integrity
    """
    now = options.now()
    try:
        found = _look(now, integrity=integrity)
    except TlsrptError as error:
        if not check:
            raise
        click.echo(f"TLSRPT UNKNOWN - {' '.join(str(error).split())}")
        click.get_current_context().exit(NAGIOS_UNKNOWN)
    if check:
        line, code = nagios(found.parts, found.totals)
        click.echo(line)
        click.get_current_context().exit(code)
    failed = any(part.level == "FAIL" for part in found.parts)
    if json_:
        out.as_json(status_json(found, now))
    else:
        click.echo("\n".join(_lines(found, now)))
    click.get_current_context().exit(int(failed))


def _look(now: Time, *, integrity: bool) -> Status:
    config = opening.load()
    path = configuration.database(config)
    try:
        with opening.reading(config) as reader:
            found = _status(reader, config, now)
            looked = inspected(path, now) if integrity else read_fact(reader.fact(FACT))
    except (Damaged, Corrupt) as error:
        return Status([unreadable(error)])
    every = [judged(part, looked, now) if part.name == "store" else part for part in found.parts]
    return msgspec.structs.replace(found, parts=sorted(every, key=lambda one: one.level != "FAIL"))


def _status(reader: Reader, config: Config, now: Time) -> Status:
    totals, looks = reader.totals(now), reader.look_totals()
    pid, worker = holder(reader.path), reader.fact(wiring.WORKER)
    found = [
        parts.daemon(pid, reader.jobs(), config, now, worker, parts.started(pid)),
        *parts.sources(reader.sources(now), config, now),
        parts.trust(reader.held_totals(now), config, now),
        parts.alerts(reader, totals, config, now),
        *parts.channels(reader.lanes(now), config, now),
        parts_outside.checks(looks, config, now, runs=pid is not None),
        *parts_outside.canary(reader.canaries(CANARIES), config, now),
        parts.store(reader.path),
        parts_jobs.jobs(reader.jobs(), now, runs=pid is not None),
    ]
    return Status(found, totals, looks)


def _lines(found: Status, now: Time) -> list[str]:
    title = f"tlsrpt-mailer {__version__} on {configuration.host_name()}"
    lines = [f"{title:<60}{words.moment(now, now):>18}", ""]
    for part in found.parts:
        lines += parts.lines(part)
    totals = found.totals
    if found.looks is None:
        return lines
    counts = [f"{totals.open_failures.get(one, 0)} {one}" for one in SEVERITIES]
    lines += [
        "",
        f"  domains    {_domains(totals, found.looks):<42}  tlsrpt-mailer domains",
        f"  failures   {', '.join(counts):<42}  tlsrpt-mailer failures",
    ]
    if totals.quarantined:
        lines.append(f"  unreadable {totals.quarantined:<42}  tlsrpt-mailer quarantine")
    return lines


def _domains(totals: Totals, looks: LookTotals) -> str:
    count = words.number(totals.domains)
    if not looks.known:
        return f"{count} that reports speak of"
    right = f"{words.number(looks.right)} of {words.number(looks.known)}"
    return f"{count} with reports, {right} records right"


def status_json(found: Status, now: Time) -> dict[str, object]:
    """What ``status --json`` prints."""
    totals, looks = found.totals, found.looks
    return {
        "version": __version__,
        "host": configuration.host_name(),
        "now": iso(now),
        "ok": all(part.level != "FAIL" for part in found.parts),
        "parts": [
            {"level": part.level, "part": part.name, "what": part.what, "lines": list(part.more)}
            for part in found.parts
        ],
        "domains": totals.domains,
        "records_known": 0 if looks is None else looks.known,
        "records_right": 0 if looks is None else looks.right,
        "reporters": totals.reporters,
        "last_report": iso_or_none(totals.last_report),
        "held": totals.held,
        "quarantined": totals.quarantined,
        "ignored": totals.ignored,
        "waiting_alerts": totals.waiting_letters,
        "open_failures": {one: totals.open_failures.get(one, 0) for one in SEVERITIES},
    }


def nagios(found: list[Part], totals: Totals) -> tuple[str, int]:
    """The line and the exit code of a Nagios plug-in."""
    bad = [part for part in found if part.level == "FAIL"]
    odd = [part for part in found if part.level == "warn" and not part.is_standing]
    word, code = ("CRITICAL", 2) if bad else ("WARNING", 1) if odd else ("OK", 0)
    said = "; ".join(f"{part.name}: {part.what}" for part in bad or odd)
    counts = " ".join(f"{one}={totals.open_failures.get(one, 0)}" for one in SEVERITIES)
    # A bar begins the figures in a plug-in's line.
    text = (said or f"{len(found)} parts work").replace("|", "/")
    return f"TLSRPT {word} - {text} | {counts} waiting={totals.waiting_letters}", code
