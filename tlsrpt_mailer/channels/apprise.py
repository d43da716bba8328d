"""
Notices to any of the services that the library apprise knows; an extra of this program.

One address a channel, so that a service that is down is tried again without telling
the others twice.
"""

from importlib.util import find_spec

import msgspec

from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary, installs
from tlsrpt_mailer.ports import Notice, Sent

MISSING = f'kind "apprise" needs an extra: {installs("apprise")}'


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    ``[[channel]]`` of kind "apprise".

    Raises:
        ValueError: No address, or more than one.
    """

    url_file: str | None = None
    """Holds one address of apprise, such as ntfys://host/topic: it is a secret."""
    url_env: str | None = None
    url_command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Exactly one way to the address."""
        given = [one for one in (self.url_file, self.url_env, self.url_command) if one]
        if len(given) != 1:
            raise ValueError("say url_file, url_env or url_command once")


class AppriseNotifier:
    """`ports.Notifier` by apprise."""

    def __init__(self, settings: Settings, here: Here) -> None:
        """Raises ConfigError where the extra is not installed."""
        if find_spec("apprise") is None:
            raise ConfigError(f"channel {here.name}: {MISSING}")
        self._url = here.needs(settings, "url")

    def notify(self, notice: Notice, _remote_ref: str | None) -> Sent:
        """See `ports.Notifier.notify`."""
        import apprise  # noqa: PLC0415  heavy

        service = apprise.Apprise.instantiate(self._url(), suppress_exceptions=True)
        if service is None:
            raise Refused("apprise does not understand the address")
        kind = {"critical": "failure", "warning": "warning"}.get(notice.severity, "info")
        taken = service.notify(
            title=notice.title,
            body=notice.text,
            notify_type=kind if notice.is_open else "success",
            body_format=apprise.NotifyFormat.TEXT,
        )
        if not taken:
            # apprise says no more than that, so it may be over later.
            raise Temporary(f"{service.service_name} did not take it (apprise says why in the log)")
        return Sent(f"{service.service_name} took it")
