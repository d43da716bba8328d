"""Files that the configuration names by a relative name: they lie beside it, wherever we run."""

from pathlib import Path
from typing import TypeVar

import msgspec

from tlsrpt_mailer.config.model import Config

KEYS = ("ca_file", "tls_cert", "tls_key")
"""Of sources, channels, ``[checks]`` and the like. ``storage.path``, lists of domains and secrets
have rules of their own, which come to the same."""

Part = TypeVar("Part", bound=msgspec.Struct)


def beside(config: Config, folder: Path) -> Config:
    """*config* with the names of its files made absolute, as seen from *folder*."""
    return msgspec.structs.replace(
        config,
        source=tuple(_settings(one, folder) for one in config.source),
        channel=tuple(_settings(one, folder) for one in config.channel),
        checks=_placed(config.checks, folder),
        mail=_placed(config.mail, folder),
        health=_placed(config.health, folder),
    )


def _settings(one: Part, folder: Path) -> Part:
    return msgspec.structs.replace(one, settings=_placed(one.settings, folder))  # type: ignore[attr-defined]  # both kinds have settings


def _placed(part: Part, folder: Path) -> Part:
    names = {key: getattr(part, key, None) for key in KEYS}
    found = {key: str((folder / name).absolute()) for key, name in names.items() if name}
    return msgspec.structs.replace(part, **found) if found else part
