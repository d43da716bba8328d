"""`status`: how the program itself is doing."""

import click

from tlsrpt_mailer import __version__, wiring
from tlsrpt_mailer import config as configuration
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.cli import opening, options, out, parts
from tlsrpt_mailer.cli.integrity import NOTHING, inspected, judged, unreadable
from tlsrpt_mailer.cli.parts import Part
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.errors import Corrupt, TlsrptError
from tlsrpt_mailer.failures.model import SEVERITIES
from tlsrpt_mailer.flows.integrity import FACT
from tlsrpt_mailer.flows.integrity import looked as read_fact
from tlsrpt_mailer.report.times import Time, iso, iso_or_none
from tlsrpt_mailer.store.lock import holder
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.rows import Totals
from tlsrpt_mailer.store.trouble import Damaged

NAGIOS_UNKNOWN = 3


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
        found, totals = _look(now, integrity=integrity)
    except TlsrptError as error:
        if not check:
            raise
        click.echo(f"TLSRPT UNKNOWN - {' '.join(str(error).split())}")
        click.get_current_context().exit(NAGIOS_UNKNOWN)
    if check:
        line, code = nagios(found, totals)
        click.echo(line)
        click.get_current_context().exit(code)
    failed = any(part.level == "FAIL" for part in found)
    if json_:
        out.as_json(status_json(found, totals, now))
    else:
        click.echo("\n".join(_lines(found, totals, now)))
    click.get_current_context().exit(int(failed))


def _look(now: Time, *, integrity: bool) -> tuple[list[Part], Totals]:
    config = opening.load()
    path = configuration.database(config)
    try:
        with opening.reading(config) as reader:
            found, totals = _parts(reader, config, now)
            looked = inspected(path, now) if integrity else read_fact(reader.fact(FACT))
    except (Damaged, Corrupt) as error:
        return [unreadable(error)], NOTHING
    found = [judged(part, looked, now) if part.name == "store" else part for part in found]
    return sorted(found, key=lambda part: part.level != "FAIL"), totals


def _parts(reader: Reader, config: Config, now: Time) -> tuple[list[Part], Totals]:
    totals = reader.totals(now)
    pid, worker = holder(reader.path), reader.fact(wiring.WORKER)
    found = [
        parts.daemon(pid, reader.jobs(), config, now, worker, parts.started(pid)),
        *parts.sources(reader.sources(now), config, now),
        parts.trust(reader.held_totals(now), config, now),
        parts.alerts(reader, totals, config, now),
        *parts.channels(reader.lanes(now), config, now),
        parts.store(reader.path),
        parts.jobs(reader.jobs(), now),
    ]
    return found, totals


def _lines(found: list[Part], totals: Totals, now: Time) -> list[str]:
    title = f"tlsrpt-mailer {__version__} on {configuration.host_name()}"
    lines = [f"{title:<60}{words.moment(now, now):>18}", ""]
    for part in found:
        lines += parts.lines(part)
    if totals is NOTHING:
        return lines
    counts = [f"{totals.open_failures.get(one, 0)} {one}" for one in SEVERITIES]
    lines += [
        "",
        f"  domains    {words.number(totals.domains)} that reports speak of",
        f"  failures   {', '.join(counts):<42}  tlsrpt-mailer failures",
    ]
    if totals.quarantined:
        lines.append(f"  unreadable {totals.quarantined:<42}  tlsrpt-mailer quarantine")
    return lines


def status_json(found: list[Part], totals: Totals, now: Time) -> dict[str, object]:
    """What ``status --json`` prints."""
    return {
        "version": __version__,
        "host": configuration.host_name(),
        "now": iso(now),
        "ok": all(part.level != "FAIL" for part in found),
        "parts": [
            {"level": part.level, "part": part.name, "what": part.what, "lines": list(part.more)}
            for part in found
        ],
        "domains": totals.domains,
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
