"""
Say to somebody elsewhere that all is well: a dead host cannot mail.

`[health] ping_url` is fetched after each healthy round; a service that expects it
(healthchecks.io, Uptime Kuma) raises the alarm when it stays out.
"""

from collections.abc import Callable, Iterable, Mapping

import structlog

from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.flows.health import SourceState
from tlsrpt_mailer.report.times import MINUTE, Span, Time

log = structlog.get_logger()

EVERY: Span = MINUTE


def unwell(
    states: Iterable[SourceState],
    job_errors: Mapping[str, str],
    *,
    hung: Iterable[str] = (),
    store_trouble: Iterable[str] = (),
    is_relay_in_trouble: bool = False,
) -> list[str]:
    """What keeps a round from being healthy, in words; [] for a healthy one."""
    found = [f"{one.name}: {one.error or one.state}" for one in states if one.state != "ok"]
    found += [f"job {name}: {error}" for name, error in sorted(job_errors.items())]
    found += [f"{name} hangs" for name in hung]
    found += store_trouble
    return found + (["the relay takes no mails"] if is_relay_in_trouble else [])


class Pinger:
    """Fetches the address, now and then; used by one thread at a time."""

    def __init__(self, fetch: Callable[[], object]) -> None:
        """*fetch* may raise Temporary, Refused or ConfigError."""
        self._fetch = fetch
        self._last: Time | None = None
        self._failed = False

    def ping(self, troubles: list[str], now: Time) -> bool:
        """Fetch it if there are no *troubles* and it is time; whether that was done."""
        if troubles or (self._last is not None and 0 <= now - self._last < EVERY):
            return False
        self._last = now
        try:
            self._fetch()
        except (Temporary, Refused, ConfigError) as error:
            if not self._failed:
                log.warning("health.not_pinged", error=str(error))
            self._failed = True
            return False
        if self._failed:
            log.info("health.pinged_again")
        self._failed = False
        return True
