"""`config`: whether the configuration is right, and what is in force."""

import os
from pathlib import Path

import click

from tlsrpt_mailer import config as configuration
from tlsrpt_mailer import wiring
from tlsrpt_mailer.cli import opening
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.config.decode import SECRET_WORDS
from tlsrpt_mailer.config.locate import NONE_FOUND
from tlsrpt_mailer.config.parse import refusal
from tlsrpt_mailer.config.render import render
from tlsrpt_mailer.errors import ConfigError


@click.group()
def config() -> None:
    """Check or show the configuration."""


@config.command()
def check() -> None:
    """Say whether the configuration is right, or all that is wrong in it.

    Looks at the file and at the files that it names; asks no server. Prints
    one line a part, and one for each folder that is not there.

    Exit codes: 0 right, 1 it may not be read, 78 wrong.

    \b
    Examples:
      tlsrpt-mailer config check
      tlsrpt-mailer -c new.toml config check && systemctl reload tlsrpt-mailer
    """
    found = opening.load()
    problems = [*_secret_problems(found), *_file_problems(found), *_twice(found)]
    if problems:
        name = found.file.name if found.file else "the defaults"
        raise refusal([f"{name}: {problem}" for problem in problems], name)
    click.echo(f"{found.file}: right" if found.file else f"{NONE_FOUND}; the defaults hold")
    for line in [*_parts(found), *_warnings(found)]:
        click.echo(f"  {line}")


def _secret_problems(found: Config) -> list[str]:
    """Files and variables that hold a secret and are not there; commands are not run."""
    holders = [(f"source[{n}]", one.settings) for n, one in enumerate(found.source)]
    problems = []
    for path, settings in [*holders, ("alerts.smtp", found.mail)]:
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
    holders = [(f"source[{n}]", one.settings) for n, one in enumerate(found.source)]
    return [
        f"{path}.{key}: there is no file {place}"
        for path, settings in [*holders, ("alerts.smtp", found.mail)]
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


def _parts(found: Config) -> list[str]:
    sources = [f"source    {wiring.source_name(one)}" for one in found.source]
    to = ", ".join(found.alerts.to) or "nobody: alerts go to the log and the terminal"
    return [
        f"database  {configuration.database(found)}",
        *(sources or ["source    none: nothing comes in but by import"]),
        f"alerts    to {to}",
        "trust     reports are not authenticated yet (trust.dkim is off)",
    ]


def _warnings(found: Config) -> list[str]:
    """What may come about before the start, but is not there yet."""
    lines = [
        f"warning   source[{n}].path: there is no folder {folder}"
        for n, one in enumerate(found.source)
        if one.kind == "maildir" and not Path(folder := getattr(one.settings, "path", "/")).is_dir()
    ]
    folder = configuration.database(found).parent
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        which = "it" if there == folder else there
        lines.append(f"warning   storage.path: there can be no folder {folder}: {which} is a file")
    elif there != folder and os.geteuid() == 0 and not os.access(there, os.W_OK):
        lines.append(f"warning   storage.path: no folder can be made in {there}")
    return lines


@config.command()
def show() -> None:
    """Print the configuration in force, defaults included, without secrets.

    Prints TOML, and in comments the keys that have neither a value nor a
    default. Of a command that prints a secret only the program's name is shown.

    Exit codes: 0 shown, 1 it may not be read, 78 wrong.

    \b
    Example:
      tlsrpt-mailer config show
    """
    found = opening.load()
    click.echo(f"# {found.file or NONE_FOUND}")
    click.echo(f"# database: {configuration.database(found)}")
    click.echo(render(found), nl=False)
