"""The registries of sources and channels: one entry a kind, and how each is built."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tlsrpt_mailer.channels import alertmanager, apprise, command, relay, webhook
from tlsrpt_mailer.channels.email import Settings as MailSettings
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.config import Kinds, SourceConfig, secret
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.ports import Notifier, Source
from tlsrpt_mailer.sources.imap_settings import Settings as ImapSettings
from tlsrpt_mailer.sources.maildir import MaildirSource
from tlsrpt_mailer.sources.maildir import Settings as MaildirSettings
from tlsrpt_mailer.sources.recipients import Recipients
from tlsrpt_mailer.sources.smtp_settings import Settings as ListenerSettings

if TYPE_CHECKING:
    from tlsrpt_mailer.wiring.app import App


def _nothing(_: object) -> tuple[str, ...]:
    return ()


class SourceKind(msgspec.Struct, frozen=True):
    """How sources of one kind are made from their settings."""

    settings: type[msgspec.Struct]
    module: str
    """What is imported only where such a source is built: IMAP and SMTP libraries are heavy."""
    build: Callable[[Any, "App"], Source]
    name: Callable[[Any], str]
    takes: Callable[[Any, str], bool]
    """Whether mail to an address comes in by this source, as far as settings tell."""
    addresses: Callable[[Any], tuple[str, ...]] = _nothing
    """Whose mail it takes, as far as settings tell: addresses, or ``@example.com``."""


def _believed(*_: object) -> bool:
    """What else is delivered to a mailbox only its server knows."""
    return True


def _listens_for(settings: ListenerSettings, address: str) -> bool:
    return Recipients(settings.recipients).match(address)


def _listener_addresses(settings: ListenerSettings) -> tuple[str, ...]:
    return settings.recipients


def _imap_addresses(settings: ImapSettings) -> tuple[str, ...]:
    return (settings.username,) if "@" in settings.username else ()


def _imap(settings: ImapSettings, app: "App") -> Source:
    from tlsrpt_mailer.sources.imap import ImapSource  # noqa: PLC0415 - heavy

    word = "token" if settings.auth == "xoauth2" else "password"
    place = secret(settings, word, beside=app.config.file)
    if place is None:
        raise ConfigError(f"source {settings.name}: no {word} is configured")
    return ImapSource(settings, place, app.store.positions, app.clock, Limits())


def _listener(kind: Literal["lmtp", "smtp"], settings: ListenerSettings, app: "App") -> Source:
    from tlsrpt_mailer.sources.smtp import ListenerSource  # noqa: PLC0415 - heavy

    return ListenerSource(kind, settings, app.clock)


def _maildir(settings: MaildirSettings, app: "App") -> Source:
    return MaildirSource(settings, app.clock, Limits())


_IN = "tlsrpt_mailer.sources"
SOURCES: Mapping[str, SourceKind] = {
    "imap": SourceKind(
        ImapSettings,
        f"{_IN}.imap",
        _imap,
        lambda one: str(one.name),
        _believed,
        _imap_addresses,
    ),
    "lmtp": SourceKind(
        ListenerSettings,
        f"{_IN}.smtp",
        partial(_listener, "lmtp"),
        lambda one: f"lmtp:{one.listen}",
        _listens_for,
        _listener_addresses,
    ),
    "smtp": SourceKind(
        ListenerSettings,
        f"{_IN}.smtp",
        partial(_listener, "smtp"),
        lambda one: f"smtp:{one.listen}",
        _listens_for,
        _listener_addresses,
    ),
    "maildir": SourceKind(
        MaildirSettings, f"{_IN}.maildir", _maildir, lambda one: f"maildir:{one.path}", _believed
    ),
}
"""Every kind of ``[[source]]``."""


FETCHING = "tlsrpt_mailer.channels.fetching"


class ChannelKind(msgspec.Struct, frozen=True):
    """How channels of one kind are made from their settings."""

    settings: type[msgspec.Struct]
    build: Callable[[Any, Here], Notifier]
    """Raises ConfigError where the settings cannot be used here."""
    heavy: str | None = FETCHING
    """What is imported only where such a channel is used."""


CHANNELS: Mapping[str, ChannelKind] = {
    "alertmanager": ChannelKind(alertmanager.Settings, alertmanager.AlertmanagerNotifier),
    "apprise": ChannelKind(apprise.Settings, apprise.AppriseNotifier, "apprise"),
    "command": ChannelKind(command.Settings, command.CommandNotifier, None),
    "email": ChannelKind(relay.Settings, relay.RelayNotifier, None),
    "webhook": ChannelKind(webhook.Settings, webhook.WebhookNotifier),
}
"""Every kind of ``[[channel]]`` (docs/how-to/add-a-channel.md)."""

KINDS = Kinds(
    sources={name: kind.settings for name, kind in SOURCES.items()},
    mail=MailSettings,
    channels={name: kind.settings for name, kind in CHANNELS.items()},
)


def source(one: SourceConfig, app: "App") -> Source:
    """Build a source; raises ConfigError where its settings cannot be used."""
    return SOURCES[one.kind].build(one.settings, app)


def takes(one: SourceConfig, address: str) -> bool:
    """Whether mail to *address* comes in by a source of these settings, as far as they tell."""
    return SOURCES[one.kind].takes(one.settings, address)


def addresses_of(one: SourceConfig) -> tuple[str, ...]:
    """Whose mail comes in by a source of these settings, as far as they tell."""
    return SOURCES[one.kind].addresses(one.settings)


def source_name(one: SourceConfig) -> str:
    """The name that a source of these settings has, without building it."""
    return SOURCES[one.kind].name(one.settings)


def sources(app: "App") -> list[Source]:
    """All sources of the configuration; raises ConfigError where two have one name."""
    built = [source(one, app) for one in app.config.source]
    names = [one.name for one in built]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(*(f"source: {name} is configured twice" for name in twice))
    return built
