"""
The configuration: TOML, strict, without a secret in it.

`load` finds, reads and checks the file; `parse` is the pure part of it. What
each key means stands in docs/reference/configuration.md.
"""

from tlsrpt_mailer.config.locate import database, find, host_name, load
from tlsrpt_mailer.config.model import Alerts, Config, Kinds, Log, SourceConfig, Storage, Trust
from tlsrpt_mailer.config.parse import parse
from tlsrpt_mailer.config.secret import Secret, secret, without
from tlsrpt_mailer.config.units import Size

__all__ = [
    "Alerts",
    "Config",
    "Kinds",
    "Log",
    "Secret",
    "Size",
    "SourceConfig",
    "Storage",
    "Trust",
    "database",
    "find",
    "host_name",
    "load",
    "parse",
    "secret",
    "without",
]
