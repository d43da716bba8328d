"""
Tell the operator that the database cannot be used: the one mail that cannot wait in it.

It is handed to the relay, and to the channels of `alerts.fallback`, as it is made. Once trouble
has lasted, again once a day, and once when it is over.
"""

from collections.abc import Callable, Sequence

import msgspec
import structlog

from tlsrpt_mailer.alerts import program as words
from tlsrpt_mailer.alerts.program import Part
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.flows.announcing import context_for, letter_of
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.copies import notice_of
from tlsrpt_mailer.flows.relay import OPERATOR
from tlsrpt_mailer.ports import CHANNEL, Channel, Letter, Notice, Notifier
from tlsrpt_mailer.report.times import DAY, MINUTE, Span, Time

log = structlog.get_logger()

PATIENCE: Span = 15 * MINUTE
AGAIN: Span = DAY

_notice = msgspec.json.Decoder(Notice).decode


class Routes(msgspec.Struct, frozen=True):
    """The ways out that need no database."""

    audience: Audience
    channel: Callable[[str], Channel]
    notifier: Callable[[str], Notifier]
    """Raises Temporary where there is none."""
    fallback: Sequence[str] = ()


class StoreWatch:
    """What was told; used by one thread at a time."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """*seconds* never goes back."""
        self._seconds = seconds
        self._since: float | None = None
        self._began: Time = 0
        self._tried: float | None = None
        self._told = False

    def look(self, error: str | None, routes: Callable[[], Routes], now: Time) -> None:
        """Say what is due, now that the database is in trouble (None: works)."""
        if error is None:
            self._over(routes, now)
            return
        at = self._seconds()
        if self._since is None:
            self._since, self._began = at, now
        waited = at - (self._since if self._tried is None else self._tried)
        if waited < (AGAIN if self._told else PATIENCE):
            return
        self._tried = at
        part = Part(kind="database", since=self._began, error=error)
        told = self._told
        self._told = tell(routes(), part, now, again=told) or told

    def _over(self, routes: Callable[[], Routes], now: Time) -> None:
        if self._told:
            tell(routes(), Part(kind="database", since=self._began, error=""), now, is_over=True)
        self._since = self._tried = None
        self._told = False


def tell(
    routes: Routes, part: Part, now: Time, *, again: bool = False, is_over: bool = False
) -> bool:
    """Hand it over by every way; whether one of them took it."""

    def letter(recipient: str) -> Letter:
        context = context_for(routes.audience, recipient, now)
        text = words.over(part, context) if is_over else words.trouble(part, context, again=again)
        return letter_of(text, recipient, "operator")

    letters = [letter(recipient) for recipient in routes.audience.operator]
    took = [_try(one, lambda one: routes.channel(one.recipient).send(one)) for one in letters]
    host = routes.audience.context.host
    for name in routes.fallback:
        copy = notice_of(letters[0], f"{CHANNEL}{name}", now, host, OPERATOR)
        took.append(_try(copy, lambda one: _notify(routes, one)))
    return any(took)


def _notify(routes: Routes, letter: Letter) -> None:
    routes.notifier(letter.recipient).notify(_notice(letter.raw), None)


def _try(letter: Letter, send: Callable[[Letter], object]) -> bool:
    try:
        send(letter)
    except (Temporary, Refused, ConfigError) as error:
        log.warning("program.untold", recipient=letter.recipient, error=str(error))
        return False
    log.info(
        "program.told",
        recipient=letter.recipient,
        subject=letter.subject,
        message_id=letter.message_id,
    )
    return True
