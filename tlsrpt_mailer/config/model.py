"""
What the configuration says, checked and frozen.

The keys of a source and of the mail channel stand beside their code, as
structs that `Kinds` names; so this module knows none of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

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
    channels: Mapping[str, type[msgspec.Struct]] = msgspec.field(default_factory=dict)
    """The settings of each kind of ``[[channel]]``, without the keys that all channels have."""


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """``[storage]``: where the database is, and how long what is kept."""

    path: str | None = None
    keep: Length = 400 * DAY
    keep_raw: Length = 90 * DAY
    keep_ignored: Length = 14 * DAY
    max_untrusted_mb: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 500


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """``[trust]``: whose reports count."""

    dkim: Literal["require", "mark", "off"] = "require"
    """require: without the reporter's signature a report is held; mark: it counts, but less."""
    authserv_ids: tuple[str, ...] = ()
    """MTAs whose Authentication-Results are believed, in lower case; ``-`` for those without."""
    reporters: tuple[str, ...] = ()


class Dns(msgspec.Struct, frozen=True, kw_only=True):
    """``[dns]``: whom to ask."""

    nameservers: tuple[str, ...] = ()
    """Addresses, or address:port; empty: the system's."""
    timeout: Annotated[Span, msgspec.Meta(ge=1, le=MINUTE)] = 5
    """How long one question may take."""
    trust_ad: bool = False
    """Believe name servers that are not on this host when they say that DNSSEC proves an answer
    (the AD bit): only where nobody can sit between."""


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """``[checks]``: what the records of our domains should say."""

    rua: tuple[str, ...] = ()
    """Where reports should go, such as ``mailto:tlsrpt@example.com``: a domain whose record
    names one of these is ours."""
    schedule: Literal["daily", "weekly", "off"] = "daily"
    """How often the records of our domains are looked up; off: nothing is asked by itself."""
    queries_per_second: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 200
    """The most questions to DNS that looks at domains ask."""
    probe: bool = False
    """Whether MX hosts of ``[[domains]]`` are connected to, to see their certificates."""
    control: tuple[str, ...] = (
        "gmail-smtp-in.l.google.com",
        "outlook-com.olc.protection.outlook.com",
    )
    """MX hosts of others that tell whether port 25 can be reached from here at all: connected to
    when one of ours does not answer the probe. Asked for when DNS answers for none of ours."""
    ca_file: str | None = None
    """The roots for policy hosts and MX certificates; None: this host's own."""
    expires_within: Annotated[Span, msgspec.Meta(ge=DAY, le=90 * DAY)] = 14 * DAY
    """How long before its end a certificate is told of."""


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """``[canary]``: test reports to our own addresses, by way of their MX."""

    schedule: Literal["hourly", "daily", "off"] = "off"
    sender: str | None = msgspec.field(default=None, name="from")
    """Who they are by; None: as in ``[alerts]``."""
    selector: str = "tlsrpt-canary"
    """Where their DKIM key is published: SELECTOR._domainkey.DOMAIN, of the sender's domain."""
    key_file: str | None = None
    """The private key, PEM; None: one that is made once and kept in the database."""
    within: Annotated[Span, msgspec.Meta(ge=MINUTE, le=2 * DAY)] = 2 * HOUR
    """How long one may take to come back."""


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
    reply_to: str = ""
    """With +ack-TOKEN it takes answers; empty: no token is printed."""
    answer_from: tuple[str, ...] = ()
    """Who may answer mails to `to` beside the recipient: addresses, or @example.com."""
    escalate_after: Wait = 2 * DAY
    at: str = "08:00"
    """HH:MM in `timezone`: reminders and digests."""
    timezone: str = "UTC"
    """An IANA name, such as Europe/Berlin."""
    fallback: tuple[str, ...] = ()
    """Names of channels that operator mails take when the relay is in trouble."""


class OwnerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[[owner]]``: a team, by name."""

    name: str
    addresses: tuple[str, ...]
    escalate_to: tuple[str, ...] = ()
    answer_from: tuple[str, ...] = ()
    when_empty: Literal["send", "skip"] = "skip"
    """Of the digest: a week in which there is nothing to say."""


class DomainsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[[domains]]``: policy domains, and whose they are. The first block that matches wins."""

    match: tuple[str, ...] = ()
    """Names, and patterns such as ``*.example.com``: lower case, A-labels."""
    file: str | None = None
    """One name or pattern a line; beside the configuration if relative. See `Config.listed`."""
    owners: tuple[str, ...] = ()
    """Names of [[owner]] or addresses."""
    group: str | None = None
    mx: tuple[str, ...] = ()
    """Its MX hosts: a report about one of them (DANE) is about us."""
    policy_host_owners: tuple[str, ...] = ()
    """Who runs mta-sts.DOMAIN: sts-policy-* and sts-webpki-invalid go there."""
    tell_domain_owners: Literal["digest", "alert", "none"] = "digest"
    """Of failures of the policy host that has owners of its own."""


class MxConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``[[mx]]``: MX hosts, and who runs them."""

    match: tuple[str, ...]
    owners: tuple[str, ...]
    tell_domain_owners: Literal["digest", "alert", "none"] = "digest"


ChannelEvent: TypeAlias = Literal[
    "new",
    "joined",
    "worsened",
    "not-fixed",
    "regressed",
    "resolved",
    "maintenance",
    "silent",
    "operator",
]
"""What a channel may be told: the events of failures, silence, and trouble of this program."""


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """``[digest]``."""

    schedule: str = "weekly"
    """weekly, daily, off, or a cron expression, in `alerts.timezone`."""
    when_empty: Literal["send", "skip"] = "send"
    """To operator and default recipients; named owners have a setting of their own."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """``[health]``: who notices when this host is dead."""

    ping_url: str = ""
    ping_url_file: str | None = None
    """Where the address is itself a secret."""


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


class ChannelKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that every ``[[channel]]`` has beside its kind."""

    name: str | None = None
    """None: the kind, with a number from the second one on."""
    min_severity: Literal["critical", "warning", "notice"] = "warning"
    events: tuple[ChannelEvent, ...] = ()
    """Empty: all."""
    owners: tuple[str, ...] = ()
    """Only failures of these owners; empty: all."""
    groups: tuple[str, ...] = ()
    """Only failures of domains in these groups; empty: all."""


class ChannelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One ``[[channel]]``."""

    kind: str
    name: str
    """Unique."""
    settings: msgspec.Struct
    """An instance of what `Kinds.channels` names for the kind."""
    min_severity: Literal["critical", "warning", "notice"] = "warning"
    events: tuple[ChannelEvent, ...] = ()
    owners: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration."""

    mail: msgspec.Struct
    """``[alerts.smtp]``: an instance of `Kinds.mail`."""
    storage: Storage = Storage()
    source: tuple[SourceConfig, ...] = ()
    trust: Trust = Trust()
    dns: Dns = Dns()
    checks: Checks = Checks()
    canary: Canary = Canary()
    alerts: Alerts = Alerts()
    owner: tuple[OwnerConfig, ...] = ()
    domains: tuple[DomainsConfig, ...] = ()
    listed: tuple[tuple[str, ...], ...] = ()
    """What stands in `file` of each of `domains`, as it would stand in `match`."""
    mx: tuple[MxConfig, ...] = ()
    channel: tuple[ChannelConfig, ...] = ()
    digest: Digest = Digest()
    health: Health = Health()
    log: Log = Log()
    file: Path | None = None
    """Where it was read from; None where there is no file and all is by default."""
