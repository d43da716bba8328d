"""`config`: whether the configuration is right, and what is in force."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import click
import msgspec

from tlsrpt_mailer import config as configuration
from tlsrpt_mailer import wiring
from tlsrpt_mailer.alerts import schedule
from tlsrpt_mailer.cli import opening, options, out, owning
from tlsrpt_mailer.cli.exposed import exposed
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.config.decode import SECRET_WORDS
from tlsrpt_mailer.config.locate import NONE_FOUND
from tlsrpt_mailer.config.model import ChannelConfig
from tlsrpt_mailer.config.parse import refusal
from tlsrpt_mailer.config.render import render
from tlsrpt_mailer.errors import ConfigError, TlsrptError

NOBODYS = "trust: no domain can be known as ours; say checks.rua or [[domains]]"


@click.group()
def config() -> None:
    """Check or show the configuration."""


@config.command()
@click.option("--json", "json_", is_flag=True, help="Print one JSON object, with every domain.")
def check(json_: bool) -> None:
    """Say whether the configuration is right, or all that is wrong in it.

    Looks at the file, at the files that it names and at the database; asks no
    server. Prints one line a part, whose each domain is (or, where there are
    many, how many each owner has), and notes: folders that are not there,
    secrets that everybody may read, programs that others may change, patterns
    that fit no domain that reports speak of, domains that two blocks match,
    domains that are nobody's, domains whose reports are held.

    Exit codes: 0 right, 1 it may not be read, 78 wrong.

    \b
    Examples:
      tlsrpt-mailer config check
      tlsrpt-mailer -c new.toml config check && systemctl reload tlsrpt-mailer
      tlsrpt-mailer config check --json | jq '.domains[] | select(.is_nobodys)'
    """
    found = opening.load()
    problems = [
        *_secret_problems(found),
        *_file_problems(found),
        *_twice(found),
        *_channel_problems(found),
        *_checks_problems(found),
    ]
    if problems:
        name = found.file.name if found.file else "the defaults"
        raise refusal([f"{name}: {problem}" for problem in problems], name)
    warnings = _warnings(found)
    whose = owning.owning(found, _stored(found))
    notes = [*owning.notes(whose)]
    strangers = _strangers(found)
    if json_:
        out.as_json(
            {
                "file": str(found.file) if found.file else None,
                "database": str(configuration.database(found)),
                "answers_to": wiring.answer_address(found),
                "our_addresses": list(wiring.our_addresses(found)),
                "strangers": strangers,
                "warnings": [line.split(maxsplit=1)[1] for line in warnings],
                "idle_patterns": [pattern for _, pattern in whose.idle],
                "domains": owning.form(whose),
            }
        )
        return
    click.echo(f"{found.file}: right" if found.file else f"{NONE_FOUND}; the defaults hold")
    for line in [*_parts(found), *(f"  {line}" for line in warnings)]:
        click.echo(line)
    ours = owning.whose_lines(found, strangers)
    for line in [*ours, *owning.mx_lines(whose.directory), *owning.lines(whose), *notes]:
        click.echo(line)


def _stored(found: Config) -> list[str]:
    """The domains that reports speak of; none where the database is not there, or shut."""
    with suppress(TlsrptError), opening.reading(found) as reader:
        return reader.domains()
    return []


def _strangers(found: Config) -> list[str]:
    """Stored domains that are not ours, as far as is known."""
    ours = wiring.ours(found)
    with suppress(TlsrptError), opening.reading(found) as reader:
        rows = reader.whose()
        adopted = {row.domain for row in rows if row.state == "adopted"}
        stored = {*reader.domains(), *(row.domain for row in rows)}
        return sorted(name for name in stored - adopted if not ours.names(name))
    return []


def _holders(found: Config) -> list[tuple[str, msgspec.Struct]]:
    """Every part with settings of its own kind, with its path."""
    return [
        *((f"source[{number}]", one.settings) for number, one in enumerate(found.source)),
        ("alerts.smtp", found.mail),
        *((f"channel[{number}]", one.settings) for number, one in enumerate(found.channel)),
        ("health", found.health),
        ("canary", found.canary),
    ]


def _secret_problems(found: Config) -> list[str]:
    """Files and variables that hold a secret and are not there; commands are not run."""
    problems = []
    for path, settings in _holders(found):
        for word in SECRET_WORDS:
            place = configuration.secret(settings, word, beside=found.file)
            if place is not None and not place.is_command:
                try:
                    place()
                except ConfigError as error:
                    problems.append(f"{path}.{error}")
    return problems


def _file_problems(found: Config) -> list[str]:
    """Certificates and keys that are named and are not there."""
    holders = [*_holders(found), ("checks", found.checks)]
    return [
        f"{path}.{key}: there is no file {place}"
        for path, settings in holders
        for key in ("ca_file", "tls_cert", "tls_key")
        if (place := getattr(settings, key, None)) and not Path(place).is_file()
    ]


def _twice(found: Config) -> list[str]:
    """Sources that would read the same mails."""
    names = [wiring.source_name(one) for one in found.source]
    return [
        f"source[{n}]: {name} stands there already"
        for n, name in enumerate(names)
        if name in names[:n]
    ]


def _channel_problems(found: Config) -> list[str]:
    """Channels that cannot be built: a library or a program that they need is not there."""
    problems = []
    for number, one in enumerate(found.channel):
        program = (*getattr(one.settings, "command", ()), "")[0]
        if program and not Path(program).is_file():
            problems.append(f"channel[{number}].command: there is no file {program}")
        try:
            wiring.notifier(one, found)
        except ConfigError as error:
            problems.append(f"channel[{number}]: {error}")
    return problems


def _checks_problems(found: Config) -> list[str]:
    """What looks at domains need and is not installed."""
    try:
        wiring.Checking(found)
    except ConfigError as error:
        return [str(error)]
    return []


def _parts(found: Config) -> list[str]:
    sources = [f"source    {wiring.source_name(one)}" for one in found.source]
    to = ", ".join(found.alerts.to) or "nobody: alerts go to the log and the terminal"
    texts = [
        f"database  {configuration.database(found)}",
        *(sources or ["source    none: nothing comes in but by import"]),
        f"alerts    to {to}",
        f"answers   {_answers(found)}",
        *(f"channel   {_channel(one)}" for one in found.channel),
        f"digest    {_digest(found)}",
        f"trust     {_trust(found)}",
        f"checks    {_checks(found)}",
        *([f"canary    {_canary(found)}"] if found.canary.schedule != "off" else []),
    ]
    return [f"  {text}" for text in texts]


def _trust(found: Config) -> str:
    """Which reports count."""
    if found.trust.dkim == "off":
        return "reports are not authenticated (trust.dkim is off)"
    others = ", ".join(found.trust.authserv_ids)
    said = {
        "require": "only reports count that the reporting domain signed",
        "mark": "reports that the reporting domain did not sign count as unverified",
    }[found.trust.dkim]
    return f"{said}; what {others} found is believed" if others else said


def _checks(found: Config) -> str:
    """How often domains are looked at, and how."""
    if found.checks.schedule == "off":
        return "off: DNS is asked only by command"
    asked = ", ".join(found.dns.nameservers) or "the resolver of this host"
    probe = "; MX hosts are connected to" if found.checks.probe else ""
    return f"{found.checks.schedule}, by {asked}{probe}"


def _canary(found: Config) -> str:
    addresses = wiring.canary_addresses(found, configuration.host_name())
    return f"{found.canary.schedule} to {', '.join(addresses) or 'nobody: say checks.rua'}"


def _answers(found: Config) -> str:
    """Whether alerts can be answered by mail, and why not."""
    if wiring.answer_address(found):
        return f"by mail to {found.alerts.reply_to}"
    if not found.alerts.reply_to:
        return "by command only: alerts.reply_to is not set"
    local, _, domain = found.alerts.reply_to.partition("@")
    if not found.source:
        return "by command only: there is no source that could take them"
    return f"by command only: no source takes mail for {local}+ack-TOKEN@{domain}"


def _channel(one: ChannelConfig) -> str:
    behind = f"{one.name}: {one.kind}" if one.name != one.kind else one.kind
    only = [*one.owners, *(f"group {group}" for group in one.groups)]
    which = f" of {', '.join(only)}" if only else ""
    what = ", ".join(one.events) or "everything"
    return f"{behind}: {what}{which}, from {one.min_severity} on"


def _digest(found: Config) -> str:
    alerts, zone = found.alerts, wiring.zone(found)
    due = schedule.next_fire(found.digest.schedule, alerts.at, zone, options.now())
    if due is None:
        return "off"
    when = datetime.fromtimestamp(due, zone).strftime("%a %Y-%m-%d %H:%M")
    return f"{found.digest.schedule}, next {when} ({alerts.timezone})"


def _warnings(found: Config) -> list[str]:
    """What may come about before the start, but is not there yet."""
    lines = [
        f"warning   source[{n}].path: there is no folder {folder}"
        for n, one in enumerate(found.source)
        if one.kind == "maildir" and not Path(folder := getattr(one.settings, "path", "/")).is_dir()
    ]
    folder = configuration.database(found).parent
    if found.trust.dkim != "off" and not (wiring.our_addresses(found) or found.domains):
        lines.append(f"warning   {NOBODYS}")
    lines += [
        f"warning   {name}: trust_before lies ahead: until then mails count, signed or not"
        for name, moment in wiring.trusted_before(found).items()
        if moment > options.now()
    ]
    lines += [
        f"warning   trust.reporters: reports that {name} signs count under {whole}; say that"
        for name in found.trust.reporters
        if (whole := wiring.organisational(name) or name) != name
    ]
    lines += [f"warning   {line}" for line in exposed(found, _holders(found))]
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        which = "it" if there == folder else there
        lines.append(f"warning   storage.path: there can be no folder {folder}: {which} is a file")
    elif there != folder and os.geteuid() == 0 and not os.access(there, os.W_OK):
        lines.append(f"warning   storage.path: no folder can be made in {there}")
    return lines


@config.command()
def show() -> None:
    """Print the configuration in force, without secrets.

    Prints TOML, defaults included, and in comments the keys that have neither a
    value nor a default. Of a command that prints a secret only the program's
    name is shown.

    Exit codes: 0 shown, 1 it may not be read, 78 wrong.

    \b
    Example:
      tlsrpt-mailer config show
    """
    found = opening.load()
    click.echo(f"# {found.file or NONE_FOUND}")
    click.echo(f"# database: {configuration.database(found)}")
    click.echo(render(found), nl=False)
