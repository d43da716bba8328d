"""Say again what is open, to channels whose other side forgets it (`ports.Keeper`)."""

from collections.abc import Callable, Sequence

import structlog

from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.ports import FailureRecord, NoticeFailure, Outbox
from tlsrpt_mailer.report.times import MINUTE, Span, Time

log = structlog.get_logger()

EVERY: Span = 4 * MINUTE


class Refresher:
    """One channel's; used by one thread at a time."""

    def __init__(
        self, outbox: Outbox, lane: str, say: Callable[[Sequence[NoticeFailure]], None]
    ) -> None:
        self._outbox = outbox
        self._lane = lane
        self._say = say
        self._last: Time | None = None
        self._trouble: str | None = None

    def refresh(self, now: Time) -> bool:
        """Say all that is open, if that was not done for a while; whether it was done now."""
        if self._last is not None and 0 <= now - self._last < EVERY:
            return False
        self._last = now
        found = [
            notice_failure(one)
            for one in self._outbox.told_open(self._lane)
            if one.verdict.state != "muted" and not one.verdict.is_quiet
        ]
        try:
            if found:
                self._say(found)
        except (Temporary, Refused, ConfigError) as error:
            if self._trouble is None:
                log.warning("channel.not_refreshed", recipient=self._lane, error=str(error))
            self._trouble = str(error)
            return False
        if self._trouble is not None:
            log.info("channel.refreshed_again", recipient=self._lane)
        self._trouble = None
        return True


def notice_failure(record: FailureRecord, event: str = "open") -> NoticeFailure:
    """A failure as a channel hears of it."""
    verdict = record.verdict
    return NoticeFailure(
        failure=record.id,
        event=event,
        policy_domain=verdict.identity.domain,
        policy_type=verdict.identity.policy_type,
        result_type=verdict.identity.result_type,
        mx=verdict.identity.mx,
        severity=verdict.severity,
        state=verdict.state,
        first_seen=verdict.first_seen,
        last_seen=verdict.last_seen,
        resolved_at=verdict.resolved_at,
        failed_sessions=verdict.failed_sessions,
        sessions=verdict.sessions,
    )
