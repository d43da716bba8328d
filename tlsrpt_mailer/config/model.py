"""
What the configuration says, checked and frozen.

The keys of a source and of the mail channel stand beside their code, as
structs that `Kinds` names; so this module knows none of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span

Length = Annotated[Span, msgspec.Meta(ge=DAY)]
Wait = Annotated[Span, msgspec.Meta(ge=0, le=30 * DAY)]


class Kinds(msgspec.Struct, frozen=True):
    """Which structs hold the keys of the parts that this layer does not know."""

    sources: Mapping[str, type[msgspec.Struct]]
    """The settings of each kind of ``[[source]]``."""
    mail: type[msgspec.Struct]
    """The settings of ``[alerts.smtp]``."""


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """``[storage]``: where the database is, and how long what is kept."""

    path: str | None = None
    keep: Length = 400 * DAY
    keep_raw: Length = 90 * DAY
    keep_ignored: Length = 14 * DAY
    max_untrusted_mb: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 500


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """``[trust]``: whose reports count."""

    dkim: Literal["off"] = "off"
    reporters: tuple[str, ...] = ()


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """``[alerts]``: who is told, and when."""

    sender: str | None = msgspec.field(default=None, name="from")
    to: tuple[str, ...] = ()
    """Empty: alerts go to the log and to the terminal."""
    operator: tuple[str, ...] = ()
    min_severity: Literal["critical", "warning"] = "warning"
    group_wait: Wait = 5 * MINUTE
    group_interval: Wait = 12 * HOUR
    resolve_wait: Wait = 24 * HOUR
    max_per_hour: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20
    max_age: Length = 7 * DAY
    subject: Literal["state", "thread"] = "state"
    tls_required_no: Literal["auto", "always", "never"] = "auto"
    auto_submitted: bool = True


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """``[log]``: how much, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json", "journal"] | None = None
    """None: journal under systemd, else console."""


class SourceConfig(msgspec.Struct, frozen=True):
    """One ``[[source]]``."""

    kind: str
    settings: msgspec.Struct
    """An instance of what `Kinds.sources` names for the kind."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration."""

    mail: msgspec.Struct
    """``[alerts.smtp]``: an instance of `Kinds.mail`."""
    storage: Storage = Storage()
    source: tuple[SourceConfig, ...] = ()
    trust: Trust = Trust()
    alerts: Alerts = Alerts()
    log: Log = Log()
    file: Path | None = None
    """Where it was read from; None where there is no file and all is by default."""
