"""Files that more people may read or write than is good; `config check` says so."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec

from tlsrpt_mailer import config as configuration
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.config.decode import SECRET_WORDS

Holders: TypeAlias = list[tuple[str, msgspec.Struct]]
"""Every part with settings of its own kind, with its path."""


def exposed(found: Config, holders: Holders) -> list[str]:
    """What stands open, as lines for people."""
    secrets = [*_secrets(found, holders), ("storage.path", configuration.database(found))]
    readable = [
        f"{key}: everybody on this machine may read {path}"
        for key, path in secrets
        if _mode(path) & stat.S_IROTH
    ]
    writable = [
        f"{key}: others may write to {path}, and so say what the daemon does"
        for key, path in [*_config(found), *_programs(holders)]
        if _mode(path) & (stat.S_IWOTH | stat.S_IWGRP)
    ]
    return readable + writable


def _secrets(found: Config, holders: Holders) -> Iterator[tuple[str, Path]]:
    for part, settings in holders:
        for word in SECRET_WORDS:
            name = getattr(settings, f"{word}_file", None)
            place = configuration.secret(settings, word, beside=found.file)
            if name and place is not None:
                yield f"{part}.{word}_file", place.path_of(name)
        if key := getattr(settings, "tls_key", None):
            yield f"{part}.tls_key", Path(key)


def _config(found: Config) -> Iterator[tuple[str, Path]]:
    if found.file is not None:
        yield "configuration", found.file


def _programs(holders: Holders) -> Iterator[tuple[str, Path]]:
    for part, settings in holders:
        for key in ("command", *(f"{word}_command" for word in SECRET_WORDS)):
            program = (*(getattr(settings, key, None) or ()), "")[0]
            if program:
                yield f"{part}.{key}", Path(program)


def _mode(path: Path) -> int:
    """Its mode; 0 where it cannot be looked at, for then others say what is wrong."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0
