"""
How each source is doing, and whether every thread still makes progress.

Sources speak to their own `SourceHealth` from their own thread; the tick reads
all of them. A thread is hung when it has not said within its own limit that it
goes on: then the watchdog is no longer fed, and systemd starts the program anew.
"""

from collections.abc import Callable
from threading import Lock

import msgspec
import structlog

from tlsrpt_mailer.report.times import HOUR, Span, Time

log = structlog.get_logger()

HOLD_BACK: Span = HOUR
"""How long alerts wait at most for a source that works through a backlog."""


class SourceState(msgspec.Struct, frozen=True):
    """What `status` shows of a source."""

    name: str
    state: str = "starting"
    since: Time = 0
    detail: str | None = None
    error: str | None = None
    tries: int = 0
    next_try: Time | None = None
    warning: str | None = None
    backlog: int = 0
    backlog_since: Time | None = None


class Beats:
    """By when each thread must say again that it goes on; thread-safe."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._deadlines: dict[str, float] = {}
        self._lock = Lock()

    def beat(self, name: str, within: Span) -> None:
        """*name* makes progress, and will say so again within *within* seconds."""
        with self._lock:
            self._deadlines[name] = self._monotonic() + within

    def forget(self, name: str) -> None:
        """*name* has ended."""
        with self._lock:
            self._deadlines.pop(name, None)

    def hung(self) -> list[str]:
        """The threads that are past their limit."""
        now = self._monotonic()
        with self._lock:
            return sorted(name for name, deadline in self._deadlines.items() if deadline < now)


class SourceHealth:
    """`ports.Health` of one source."""

    def __init__(self, name: str, beats: Beats, clock: Callable[[], Time]) -> None:
        self._beats = beats
        self._clock = clock
        self._lock = Lock()
        self._state = SourceState(name, since=clock())
        self._dirty = True

    def beat(self, within: Span = 60) -> None:
        """See `ports.Health.beat`."""
        self._beats.beat(self._state.name, within)

    def fine(self, detail: str = "") -> None:
        """See `ports.Health.fine`."""
        old = self._state
        since = old.since if old.state == "ok" else self._clock()
        self._set(state="ok", since=since, detail=detail, error=None, tries=0, next_try=None)
        if old.state == "trouble":
            log.info("source.recovered", source=old.name, after=self._clock() - old.since)

    def trouble(self, error: str, next_try: Span | None = None) -> None:
        """See `ports.Health.trouble`."""
        old, now = self._state, self._clock()
        again = old.state == "trouble"
        self._set(
            state="trouble",
            since=old.since if again else now,
            error=error,
            tries=old.tries + 1 if again else 1,
            next_try=None if next_try is None else now + next_try,
        )
        if not (again and old.error == error):
            log.warning("source.trouble", source=old.name, error=error, retry_in=next_try)

    def warn(self, warning: str | None) -> None:
        """See `ports.Health.warn`."""
        if warning is not None and warning != self._state.warning:
            log.warning("source.warning", source=self._state.name, warning=warning)
        elif warning is None and self._state.warning is not None:
            log.info("source.mended", source=self._state.name)
        self._set(warning=warning)

    def backlog(self, mails: int) -> None:
        """See `ports.Health.backlog`."""
        since = (self._state.backlog_since or self._clock()) if mails else None
        self._set(backlog=mails, backlog_since=since)

    @property
    def state(self) -> SourceState:
        """How it is now."""
        return self._state

    def changed(self) -> SourceState | None:
        """How it is now, if that was not asked for since it changed; else None."""
        with self._lock:
            dirty, self._dirty = self._dirty, False
            return self._state if dirty else None

    def _set(self, **fields: object) -> None:
        with self._lock:
            new = msgspec.structs.replace(self._state, **fields)
            self._dirty = self._dirty or new != self._state
            self._state = new


def holds_back(states: list[SourceState], now: Time) -> bool:
    """
    Whether alerts wait: a source is in the middle of a drain.

    What one mail says may be over with the next one of the same drain; so the
    judgement waits for the end of it, but never longer than `HOLD_BACK`.
    """
    return any(
        state.backlog_since is not None and 0 <= now - state.backlog_since < HOLD_BACK
        for state in states
    )
