"""
Hand over the frozen mails that are due, and try again for five days.

A mail is at-least-once: the process may end between the relay's answer and
`Outbox.sent`; the second copy then has the same bytes and Message-ID.
"""

from collections.abc import Callable
from threading import Event

import msgspec
import structlog

from tlsrpt_mailer.errors import Refused, Temporary
from tlsrpt_mailer.ports import Channel, Outbox, Outgoing
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

log = structlog.get_logger()

GIVE_UP: Span = 5 * DAY
"""How long a relay may defer a mail (RFC 5321, 4.5.4.1 asks for at least 4 to 5 days)."""


class SendResult(msgspec.Struct, frozen=True):
    """What became of the mails that were due."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0


def send_due(
    outbox: Outbox,
    channel: Callable[[str], Channel],
    now: Time,
    stop: Event | None = None,
    beat: Callable[[], None] = lambda: None,
) -> SendResult:
    """
    Send every mail whose time has come, once each.

    Args:
        channel: The way out for a recipient.
        stop: Set when the program ends: what is left waits for the next start.
        beat: Called before each mail, for the watchdog.
    """
    done = {"sent": 0, "deferred": 0, "failed": 0}
    for outgoing in outbox.due(now):
        if stop is not None and stop.is_set():
            break
        beat()
        done[_send(outbox, channel(outgoing.letter.recipient), outgoing, now)] += 1
    return SendResult(**done)


def next_try(attempts: int, now: Time) -> Time:
    """When to try again after *attempts* tries: 1, 2, 4 … minutes, an hour at most."""
    wait: Span = MINUTE << min(attempts - 1, 6)
    return now + min(HOUR, wait)


def _send(outbox: Outbox, channel: Channel, outgoing: Outgoing, now: Time) -> str:
    letter = outgoing.letter
    facts = {"recipient": letter.recipient, "message_id": letter.message_id, "about": letter.event}
    try:
        answer = channel.send(letter)
    except Refused as error:
        return _give_up(outbox, outgoing, now, str(error))
    except Temporary as error:
        if now - outgoing.created >= GIVE_UP:
            return _give_up(outbox, outgoing, now, f"{error} (for five days)")
        at = next_try(outgoing.attempts + 1, now)
        outbox.retry(outgoing.id, now, str(error), at)
        log.warning(
            "alert.deferred",
            **facts,
            attempt=outgoing.attempts + 1,
            retry_in=at - now,
            error=str(error),
        )
        return "deferred"
    outbox.sent(outgoing.id, now, answer)
    log.info("alert.sent", **facts, answer=answer)
    return "sent"


def _give_up(outbox: Outbox, outgoing: Outgoing, now: Time, error: str) -> str:
    outbox.give_up(outgoing.id, now, error)
    log.error(
        "alert.refused",
        recipient=outgoing.letter.recipient,
        message_id=outgoing.letter.message_id,
        about=outgoing.letter.event,
        error=error,
    )
    return "failed"
