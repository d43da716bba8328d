"""
Where configuration and database are looked for.

The daemon and all commands look in the same places, so that a command never
shows an empty table where the truth is "looked in the wrong place".
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from tlsrpt_mailer.config.beside import beside
from tlsrpt_mailer.config.model import Config, Kinds
from tlsrpt_mailer.config.parse import defaults, parse
from tlsrpt_mailer.errors import ConfigError, NoSuch

VARIABLE = "TLSRPT_MAILER_CONFIG"
SYSTEM_FILE = Path("/etc/tlsrpt-mailer/config.toml")
SYSTEM_STATE = Path("/var/lib/tlsrpt-mailer")
DATABASE_NAME = "tlsrpt.db"
MAX_BYTES = 1 << 20
MAX_LIST_BYTES = 16 << 20
"""Of a file of domain names."""
NONE_FOUND = f"none found (-c, ${VARIABLE}, {SYSTEM_FILE.parent})"


def find(
    option: str | Path | None,
    *,
    environ: Mapping[str, str] = os.environ,
    system_file: Path = SYSTEM_FILE,
) -> Path | None:
    """
    The configuration file that is to be used; None where there is none at all.

    A file that was asked for by *option* or by the environment is returned
    whether it exists or not.

    Raises:
        NoSuch: The system's file may be there, but we may not look.
    """
    asked = option or environ.get(VARIABLE)
    if asked:
        return Path(asked)
    try:
        system_file.stat()
    except PermissionError:
        raise NoSuch(_not_allowed(system_file)) from None
    except OSError:
        return None
    return system_file


def load(
    option: str | Path | None,
    kinds: Kinds,
    *,
    environ: Mapping[str, str] = os.environ,
    system_file: Path = SYSTEM_FILE,
) -> Config:
    """
    Find, read and check the configuration; the defaults where there is no file.

    Raises:
        ConfigError: It is missing though asked for, or has problems.
        NoSuch: We may not read it.
    """
    path = find(option, environ=environ, system_file=system_file)
    if path is None:
        return defaults(kinds)
    config = parse(_text(path), kinds, name=path.name, read=partial(_named, path.parent))
    return msgspec.structs.replace(beside(config, path.parent), file=path)


def _named(folder: Path, name: str) -> str:
    """A file that the configuration names."""
    try:
        return _text(folder / name, MAX_LIST_BYTES, "there is no such file")
    except NoSuch:
        raise ConfigError(f"you may not read {folder / name}") from None


def _text(
    path: Path, limit: int = MAX_BYTES, missing: str = "there is no such configuration file"
) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
        if len(raw) > limit:
            raise ConfigError(f"{path}: is larger than {limit} bytes")
        return raw.decode()
    except FileNotFoundError:
        raise ConfigError(f"{path}: {missing}") from None
    except PermissionError:
        raise NoSuch(_not_allowed(path)) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _not_allowed(path: Path) -> str:
    return f"you may not read {path}\nTry the same command with sudo."


def database(
    config: Config, *, environ: Mapping[str, str] = os.environ, system_state: Path = SYSTEM_STATE
) -> Path:
    """
    Where the database is, or would be: absolute, and not looked at.

    In this order: ``storage.path`` (relative to the configuration file),
    systemd's state folder, /var/lib/tlsrpt-mailer where it exists or the
    configuration is the system's, else the user's own state folder (XDG base
    directory specification).
    """
    if config.storage.path is not None:
        beside = config.file.parent if config.file else Path()
        return (beside / config.storage.path).absolute()
    if state := environ.get("STATE_DIRECTORY"):
        return Path(state.split(":", maxsplit=1)[0]).absolute() / DATABASE_NAME
    # What root does before the first start of the daemon goes where that will look.
    if system_state.exists() or config.file == SYSTEM_FILE:
        return system_state / DATABASE_NAME
    home = environ.get("XDG_STATE_HOME") or environ.get("HOME", "/") + "/.local/state"
    return Path(home).absolute() / "tlsrpt-mailer" / DATABASE_NAME


def host_name() -> str:
    """The name that the host calls itself, without asking DNS."""
    return os.uname().nodename or "localhost"
