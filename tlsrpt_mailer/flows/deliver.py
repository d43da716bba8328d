"""
Hand over the frozen mails and notices that are due, and try again for five days.

Both are at-least-once: the process may end between the other side's answer and
`Outbox.sent`; the second copy then has the same bytes and Message-ID. While it lives,
`Handed` remembers what a full disk did not let it write down.

Mails share one lane, each channel has one of its own. The daemon works every lane
in a thread of its own, so that none waits for another.
"""

from collections.abc import Callable
from threading import Event

import msgspec
import structlog

from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.ports import CHANNEL, Channel, Notice, Notifier, Outbox, Outgoing, Sent
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

log = structlog.get_logger()

GIVE_UP: Span = 5 * DAY
"""How long a relay may defer a mail (RFC 5321, 4.5.4.1 asks for at least 4 to 5 days)."""

_notice = msgspec.json.Decoder(Notice).decode


class SendResult(msgspec.Struct, frozen=True):
    """What became of what was due."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    is_cut_off: bool = False
    """The last one found nobody at the other side."""

    def __add__(self, other: "SendResult") -> "SendResult":
        """What became of both."""
        return SendResult(
            self.sent + other.sent,
            self.deferred + other.deferred,
            self.failed + other.failed,
            self.is_cut_off or other.is_cut_off,
        )


class Handed:
    """What the other side took and the database does not know of; one for all lanes."""

    def __init__(self) -> None:
        self._answers: dict[tuple[int, str], Sent] = {}

    def answer(self, outgoing: Outgoing) -> Sent | None:
        """What was said to this very mail, if it was handed over already."""
        return self._answers.get(_key(outgoing))

    def keep(self, outgoing: Outgoing, said: Sent) -> None:
        """Remember it, until it is written down."""
        self._answers[_key(outgoing)] = said

    def forget(self, outgoing: Outgoing) -> None:
        """It is written down."""
        del self._answers[_key(outgoing)]


def _key(outgoing: Outgoing) -> tuple[int, str]:
    return outgoing.id, outgoing.letter.message_id


def _no_notifier(recipient: str) -> Notifier:
    raise Temporary(f"there is no {recipient}")


def send_due(
    outbox: Outbox,
    channel: Callable[[str], Channel],
    now: Time,
    stop: Event | None = None,
    beat: Callable[[], None] = lambda: None,
    *,
    notifier: Callable[[str], Notifier] = _no_notifier,
    lane: str | None = None,
    may_give_up: bool = True,
    handed: Handed | None = None,
) -> SendResult:
    """
    Send everything whose time has come, once each.

    Args:
        channel: The way out for a mail's recipient.
        notifier: The way out for a channel's; raises Temporary where there is none.
        stop: Set when the program ends: what is left waits for the next start.
        beat: Called before each one, for the watchdog.
        lane: Only this one, see `ports.Outbox.due`.
        may_give_up: False while the clock is in doubt: nothing is too old then.
        handed: What was handed over in earlier calls and could not be noted.

    Raises:
        Temporary: The database cannot be written now.

    """
    handed = Handed() if handed is None else handed
    done = {"sent": 0, "deferred": 0, "failed": 0}
    cut_off = False
    # What was tried is not due again at *now*, so this ends; a notice that waited for an
    # earlier one of its cause comes in the next turn.
    while batch := outbox.due(now, lane=lane):
        for outgoing in batch:
            if stop is not None and stop.is_set():
                return SendResult(**done, is_cut_off=cut_off)
            beat()
            became, cut_off = _send(
                outbox,
                _way(outgoing, channel, notifier, handed),
                outgoing,
                now,
                may_give_up=may_give_up,
            )
            if became == "sent":
                handed.forget(outgoing)
            done[became] += 1
    return SendResult(**done, is_cut_off=cut_off)


def next_try(attempts: int, now: Time) -> Time:
    """When to try again after *attempts* tries: 1, 2, 4 … minutes, an hour at most."""
    wait: Span = MINUTE << min(attempts - 1, 6)
    return now + min(HOUR, wait)


def _way(
    outgoing: Outgoing,
    channel: Callable[[str], Channel],
    notifier: Callable[[str], Notifier],
    handed: Handed,
) -> Callable[[], Sent]:
    """What hands it over, unless that was done already."""
    letter = outgoing.letter

    def hand_over() -> Sent:
        said = handed.answer(outgoing)
        if said is None:
            if letter.recipient.startswith(CHANNEL):
                said = _notify(notifier(letter.recipient), outgoing)
            else:
                said = Sent(channel(letter.recipient).send(letter))
            handed.keep(outgoing, said)
        return said

    return hand_over


def _notify(notifier: Notifier, outgoing: Outgoing) -> Sent:
    letter = outgoing.letter
    try:
        notice = _notice(letter.raw)
    except msgspec.DecodeError as error:
        raise Refused(f"this version cannot read the notice: {error}") from error
    try:
        return notifier.notify(notice, outgoing.remote_ref)
    except (Temporary, Refused):
        raise
    except ConfigError as error:  # a secret or a file that cannot be read now
        raise Temporary(str(error)) from error
    except Exception as error:
        # The edge: channels call libraries of others. Without this the notice would be
        # tried every few seconds for ever.
        if not outgoing.attempts:
            log.exception("channel.crashed", recipient=letter.recipient)
        raise Temporary(f"internal error: {type(error).__name__}: {error}") from error


def _send(
    outbox: Outbox,
    hand_over: Callable[[], Sent],
    outgoing: Outgoing,
    now: Time,
    *,
    may_give_up: bool,
) -> tuple[str, bool]:
    letter = outgoing.letter
    facts = {"recipient": letter.recipient, "message_id": letter.message_id, "about": letter.event}
    try:
        said = hand_over()
    except Refused as error:
        return _give_up(outbox, outgoing, now, str(error)), False
    except Temporary as error:
        if may_give_up and now - outgoing.created >= GIVE_UP:
            return _give_up(outbox, outgoing, now, f"{error} (for five days)"), error.is_cut_off
        at = _when(outgoing, now, error.retry_in)
        outbox.retry(outgoing.id, now, str(error), at)
        # Said once a mail: it is tried up to 130 times. `alert.sent` tells the end.
        attempt, wait, why = outgoing.attempts + 1, at - now, str(error)
        if outgoing.attempts:
            log.debug("alert.deferred", **facts, attempt=attempt, retry_in=wait, error=why)
        else:
            log.warning("alert.deferred", **facts, attempt=attempt, retry_in=wait, error=why)
        return "deferred", error.is_cut_off
    outbox.sent(outgoing.id, now, said.answer, said.remote_ref)
    log.info("alert.sent", **facts, answer=said.answer)
    return "sent", False


def _when(outgoing: Outgoing, now: Time, asked: Span | None) -> Time:
    """When to try again; the other side may ask for up to an hour."""
    if asked is None:
        return next_try(outgoing.attempts + 1, now)
    return now + max(1, min(HOUR, asked))


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
