"""The configuration as TOML again: what is in force, defaults included, secrets left out."""

from urllib.parse import urlsplit

import msgspec
from msgspec import inspect

from tlsrpt_mailer.config import decode
from tlsrpt_mailer.config.channels import COMMON
from tlsrpt_mailer.config.decode import fields_of
from tlsrpt_mailer.config.model import ChannelConfig, ChannelKeys, Config

URLS = ("url", "ping_url")


def render(config: Config) -> str:
    """*config* as TOML that `parse` reads back, but for the arguments of commands."""
    return "\n".join(
        [
            _block("[storage]", config.storage),
            *(
                _block("[[source]]", source.settings, f"kind = {_text(source.kind)}\n")
                for source in config.source
            ),
            _block("[trust]", config.trust),
            *(_block("[[owner]]", owner) for owner in config.owner),
            *(_block("[[domains]]", block) for block in config.domains),
            *(_block("[[mx]]", block) for block in config.mx),
            _block("[alerts]", config.alerts),
            _block("[alerts.smtp]", config.mail),
            *(_channel(channel) for channel in config.channel),
            _block("[digest]", config.digest),
            _block("[health]", config.health),
            _block("[log]", config.log),
        ]
    )


def _channel(channel: ChannelConfig) -> str:
    keys = ChannelKeys(**{key: getattr(channel, key) for key in COMMON})
    first = _block("[[channel]]", keys, f"kind = {_text(channel.kind)}\n")
    return first + _block("", channel.settings).lstrip("\n")


def _block(head: str, settings: msgspec.Struct, first: str = "") -> str:
    lines = [f"{head}\n{first}"]
    unset = []
    for field in fields_of(type(settings)):
        given = getattr(settings, field.name)
        name = field.encode_name
        if name == "kind" and first:
            continue
        is_command = name.endswith("_command")
        # An empty command beside a password_file would say the secret twice.
        if given is None or (is_command and not given):
            unset.append(name)
            continue
        # Arguments of a command may hold a token: show which program it is, no more.
        if is_command and len(given) > 1:
            given = (given[0], "...")
        if name in URLS and isinstance(given, str):
            given = _shortened(given)
        lines.append(f"{name} = {shown(given, unit_of(field.type))}\n")
    if unset:
        lines.append(f"# not set: {', '.join(unset)}\n")
    return "".join(lines)


def _shortened(url: str) -> str:
    """*url* without what stands behind its host: many services put a token there."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}/..." if parts.path.strip("/") or parts.query else url


def unit_of(kind: inspect.Type) -> str:
    """The mark on a field's type: ``span``, ``size`` or ""."""
    if isinstance(kind, inspect.UnionType):
        return next((unit for unit in map(unit_of, kind.types) if unit), "")
    return (kind.extra or {}).get("unit", "") if isinstance(kind, inspect.Metadata) else ""


def shown(value: object, unit: str = "") -> str:
    """*value* as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return decode.shown(value, unit)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(shown(v) for v in value) + "]"
    return _text(str(value))


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
