"""
Whether the clock of the machine can be believed: batteries die, and time servers err.

What the clock says is held against a mark, the last moment that was believed, and against
how long the machine has run since. Where the two part by over an hour, the clock is in doubt
until it agrees again, or has gone steadily for a day. Meanwhile

- nothing is deleted or given up for its age;
- for a quarter of an hour nothing is told that may follow from the jump alone;
- a clock that went back is not followed: time goes on from the mark, so that reports of
  today do not look like reports of the future.

Once that is over, times that lie in the future, since they were noted by a clock that was
ahead, are made the present moment.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Protocol

import msgspec
import structlog

from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

log = structlog.get_logger()

LEAP: Span = HOUR
"""Apart by more than this they disagree."""
AWAY: Span = 30 * DAY
"""How long a machine may have been switched off before its clock has to prove itself."""
SETTLE: Span = 15 * MINUTE
"""How long telling waits for a clock in doubt."""
PROVEN: Span = DAY
"""A clock that went steadily for so long is right, whatever it said before."""
SAVED: Span = 5 * MINUTE
"""How often the mark is written down."""
FACT = "clock"


class Uptime(msgspec.Struct, frozen=True):
    """How long the machine runs; never goes back while *boot* is the same."""

    boot: str
    seconds: float


class Mark(msgspec.Struct, frozen=True):
    """What the clock said at a moment of the machine's running."""

    at: Time
    up: Uptime

    def expected(self, up: Uptime) -> Time:
        """What time it is; of a machine that was started anew since, no earlier time is."""
        return self.at + int(up.seconds - self.up.seconds if up.boot == self.up.boot else 0)

    def agrees(self, now: Time, up: Uptime) -> bool:
        """Whether the clock can have come from there to *now*."""
        ahead = now - self.expected(up)
        return -LEAP <= ahead <= (LEAP if up.boot == self.up.boot else AWAY)

    def passed(self, now: Time, up: Uptime) -> Span:
        """How much time has gone by since."""
        same = up.boot == self.up.boot
        return int(up.seconds - self.up.seconds) if same else now - self.at


class Line(msgspec.Struct, frozen=True):
    """What is known of the clock."""

    mark: Mark
    """It was believed last."""
    doubt: Mark | None = None
    """Since when it is in doubt."""


def follow(line: Line, now: Time, up: Uptime) -> Line:
    """What is known once the clock says *now*."""
    if line.mark.agrees(now, up):
        return Line(Mark(now, up))
    doubt = line.doubt
    if doubt is None or not doubt.agrees(now, up):
        return Line(line.mark, Mark(now, up))
    return Line(Mark(now, up)) if doubt.passed(now, up) >= PROVEN else line


class Facts(Protocol):
    """Where the mark is kept."""

    def fact(self, name: str) -> str | None:
        """What was remembered under *name*."""

    def save_fact(self, name: str, value: str) -> None:
        """Remember it. Raises Temporary."""


_decode = msgspec.json.Decoder(Line).decode


class Timekeeper:
    """The time that the program works by; thread-safe."""

    def __init__(
        self,
        facts: Facts,
        clock: Callable[[], Time],
        uptime: Callable[[], Uptime],
        newest: Callable[[], Time | None],
        settle: Callable[[Time], None],
    ) -> None:
        """
        Take up the line where the last process left it.

        Args:
            newest: The latest time that was noted, where no mark was.
            settle: Called with the time once a doubt is over, to mend what a wrong clock noted.
        """
        self._facts = facts
        self._clock = clock
        self._uptime = uptime
        self._settle = settle
        self._lock = Lock()
        self._began = uptime()
        self._line = self._saved = self._kept(newest())

    def now(self) -> Time:
        """What time it is; touches no database."""
        now, up, mark = self._clock(), self._uptime(), self._line.mark
        expected = mark.expected(up)
        if mark.up.boot != up.boot:
            expected += int(up.seconds - self._began.seconds)
        return expected if now < expected - LEAP else now

    @property
    def doubt(self) -> Span | None:
        """By how much the clock was ahead (less than none: behind) when doubt began, or None."""
        line = self._line
        return None if line.doubt is None else line.doubt.at - line.mark.expected(line.doubt.up)

    @property
    def is_settled(self) -> bool:
        """Whether what follows from time alone may be told."""
        doubt = self._line.doubt
        return doubt is None or doubt.passed(self._clock(), self._uptime()) >= SETTLE

    def look(self) -> None:
        """
        Hold the clock against the mark; called every few seconds.

        Raises:
            Temporary: What a wrong clock noted cannot be mended now; the next look does it.
        """
        with self._lock:
            before = self._line
            after = follow(before, self._clock(), self._uptime())
            self._say(before, after)
            if before.doubt is not None and after.doubt is None:
                self._settle(after.mark.at)
            self._line = after
            if _is_news(self._saved, after):
                # The next look writes it; the database's trouble is said by others.
                with suppress(Temporary):
                    self._facts.save_fact(FACT, msgspec.json.encode(after).decode())
                    self._saved = after

    def _kept(self, newest: Time | None) -> Line:
        text = self._facts.fact(FACT)
        if text is not None:
            return _decode(text)
        if newest is None:
            return Line(Mark(self._clock(), self._began))
        return Line(Mark(newest, Uptime("unknown", 0)))

    def _say(self, before: Line, after: Line) -> None:
        if after.doubt is None:
            if before.doubt is not None:
                at, up = after.mark.at, after.mark.up
                log.info("clock.settled", after=before.doubt.passed(at, up))
        elif before.doubt is None:
            by = after.doubt.at - after.mark.expected(after.doubt.up)
            log.warning("clock.jumped", seconds=by, believed_in=PROVEN)


def _is_news(saved: Line, line: Line) -> bool:
    return (
        saved.doubt != line.doubt
        or saved.mark.up.boot != line.mark.up.boot
        or not 0 <= line.mark.at - saved.mark.at < SAVED
    )
