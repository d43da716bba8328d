"""The ways out: the relay of the mails and every channel, each a lane of its own."""

from collections.abc import Callable, Sequence
from email.utils import parseaddr
from threading import Event

import structlog

from tlsrpt_mailer.channels import http
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.channels.log import LogChannel
from tlsrpt_mailer.config import Config, host_name, secret
from tlsrpt_mailer.config.model import ChannelConfig
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.deliver import Handed, SendResult, send_due
from tlsrpt_mailer.flows.directly import Routes
from tlsrpt_mailer.flows.ping import Pinger
from tlsrpt_mailer.flows.refresh import Refresher
from tlsrpt_mailer.ports import BY_MAIL, CHANNEL, Channel, Notifier
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.sqlite import SqliteStore
from tlsrpt_mailer.wiring.kinds import CHANNELS, FETCHING
from tlsrpt_mailer.wiring.parts import LOG_RECIPIENT, mail_channel

log = structlog.get_logger()


def notifier(one: ChannelConfig, config: Config) -> Notifier:
    """Build a channel; raises ConfigError where its settings cannot be used."""
    host = host_name()
    here = Here(
        name=one.name,
        host=host,
        sender=parseaddr(config.alerts.sender or f"tlsrpt-mailer@{host}")[1],
        beside=config.file,
    )
    return CHANNELS[one.kind].build(one.settings, here)


def heavy(config: Config) -> set[str]:
    """The modules that its channels and its ping load when they are used first."""
    health = config.health
    found = {CHANNELS[one.kind].heavy for one in config.channel}
    found.add(FETCHING if health.ping_url or health.ping_url_file else None)
    return {name for name in found if name}


def relay_name(config: Config) -> str:
    """Host and port of ``[alerts.smtp]``, for people."""
    return mail_channel(config).where


def pinger(config: Config) -> Pinger | None:
    """What fetches ``[health] ping_url``; None where there is none."""
    health = config.health
    place = secret(health, "ping_url", beside=config.file)
    if not health.ping_url and place is None:
        return None
    return Pinger(lambda: http.request(health.ping_url or (place() if place else ""), method="GET"))


class Ways:
    """What one configuration has of them; a reload makes new ones."""

    def __init__(self, config: Config, store: SqliteStore, handed: Handed) -> None:
        """Raises ConfigError where a channel's settings cannot be used."""
        self._store = store
        self._handed = handed
        self._mail = mail_channel(config)
        self._notifiers = {f"{CHANNEL}{one.name}": notifier(one, config) for one in config.channel}
        self._refreshers = {
            lane: Refresher(store.outbox, lane, found.refresh)
            for lane, found in self._notifiers.items()
            if hasattr(found, "refresh")
        }
        self.is_relay_cut_off = False
        """The last try of a mail found no relay."""

    @property
    def lanes(self) -> list[str]:
        """Of the mails, and of each channel that is configured."""
        return [BY_MAIL, *self._notifiers]

    def send_due(
        self,
        now: Time,
        stop: Event | None = None,
        beat: Callable[[], None] = lambda: None,
        *,
        lane: str | None = None,
        may_give_up: bool = True,
    ) -> SendResult:
        """Hand over what is due, in one lane or in all, one after the other."""
        lanes = [lane] if lane else self.lanes
        if lane in (None, BY_MAIL):
            # What waits for channels that are configured no more, until it is given up.
            lanes += self._left()
        result = SendResult()
        for one in lanes:
            done = send_due(
                self._store.outbox,
                self._channel,
                now,
                stop,
                beat,
                notifier=self._notifier,
                lane=one,
                may_give_up=may_give_up,
                handed=self._handed,
            )
            if one == BY_MAIL and done != SendResult():
                self.is_relay_cut_off = done.is_cut_off
            if one in self._refreshers:
                self._refreshers[one].refresh(now)
            result += done
        return result

    def routes(self, audience: Audience, fallback: Sequence[str]) -> Routes:
        """What needs no database."""
        return Routes(audience, self._channel, self._notifier, fallback)

    def _left(self) -> list[str]:
        return [lane for lane in self._store.outbox.lanes() if lane not in self._notifiers]

    def _channel(self, recipient: str) -> Channel:
        return LogChannel() if recipient == LOG_RECIPIENT else self._mail

    def _notifier(self, recipient: str) -> Notifier:
        try:
            return self._notifiers[recipient]
        except KeyError:
            name = recipient.removeprefix(CHANNEL)
            raise Temporary(f"no channel {name} is configured now") from None
