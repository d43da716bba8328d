"""
Who saw a failure, and when each takes it back.

The rules are explained in docs/explanation/what-counts-as-new.md.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from tlsrpt_mailer.failures.timeline import Hit, Line, Track
from tlsrpt_mailer.report.times import DAY, Span, Time

NEVER: Time = 2**62
CLEAN = 2
"""Clean windows that acquit, given enough sessions."""
CLEAN_AT_MOST = 14
"""Clean windows that acquit, however few sessions they hold."""
EXPECTED_FAILURES = 3
"""How many failures the clean sessions would have shown, had nothing changed: to see none
where three are expected is luck in one case of twenty."""
RARE_WAIT: Span = 7 * DAY


class Voice(msgspec.Struct, frozen=True):
    """What one reporter has said of an incident by a certain moment."""

    line: Line
    failing: int
    """How many failing windows; at least one."""
    failed: int
    sessions: int
    last: Hit
    rank: int
    """Known reporters first, then those with a short window: the best are the witnesses."""
    acquits_at: Time | None
    """When it acquits, be it after the moment; None where it fails again before that."""
    acquitted_at: Time | None
    """The same, where the moment has come."""


class Part:
    """One reporter's failing windows in one incident."""

    __slots__ = ("_acquittals", "ends", "hits", "short_end", "sums")

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        """In order of place, so of their ends."""
        self.ends: list[Time] = []
        self.sums: list[tuple[int, int]] = []
        """Failed sessions and sessions, up to and with each hit."""
        self.short_end: Time | None = None
        """The first end of a window that is not long."""
        self._acquittals: dict[int, Time | None] = {}

    def add(self, hit: Hit) -> bool:
        """Take one more in; True where it is the last, as it nearly always is."""
        at = len(self.hits)
        while at and self.hits[at - 1].place > hit.place:
            at -= 1
        self.hits.insert(at, hit)
        self.ends.insert(at, hit.end)
        del self.sums[at:]
        failed, sessions = self.sums[-1] if self.sums else (0, 0)
        for later in self.hits[at:]:
            failed += later.failed
            sessions += later.sessions
            self.sums.append((failed, sessions))
        if not hit.is_long and (self.short_end is None or hit.end < self.short_end):
            self.short_end = hit.end
        if at + 1 == len(self.hits):
            return True
        self._acquittals.clear()
        return False

    def acquittal(self, count: int, track: Track) -> Time | None:
        """When the reporter acquits, had it only its first *count* failing windows so far."""
        if count not in self._acquittals:
            self._acquittals[count] = _acquittal(self.hits[count - 1], *self.sums[count - 1], track)
        return self._acquittals[count]

    def voice(self, line: Line, moment: Time, track: Track, *, ended_only: bool) -> Voice | None:
        """What it said by *moment*; None while no window of it has ended."""
        count = bisect_right(self.ends, moment) if ended_only else len(self.hits)
        if not count:
            return None
        acquits_at = self.acquittal(count, track)
        short = self.short_end is not None and (not ended_only or self.short_end <= moment)
        return Voice(
            line=line,
            failing=count,
            failed=self.sums[count - 1][0],
            sessions=self.sums[count - 1][1],
            last=self.hits[count - 1],
            rank=rank_of(line, short=short),
            acquits_at=acquits_at,
            acquitted_at=acquits_at if acquits_at is not None and acquits_at <= moment else None,
        )


def having_say(voices: tuple[Voice, ...]) -> tuple[Voice, ...]:
    """The witnesses: known reporters, or all where none is; with short windows, where one has."""
    best = max(voice.rank for voice in voices)
    return tuple(voice for voice in voices if voice.rank == best)


def rank_of(line: Line, *, short: bool) -> int:
    """How good a witness this reporter makes; see `Voice.rank`."""
    return 2 * line.known + short


def counting(hits: list[Hit]) -> list[Hit]:
    """Those of known reporters, or all where none is known."""
    return [hit for hit in hits if hit.line.known] or hits


def heard(hits: Sequence[Hit]) -> Sequence[Hit]:
    """Those outside planned maintenance, or all where none is."""
    return [hit for hit in hits if hit.quiet is None] or hits


def clean_places(last: Hit, track: Track) -> Iterator[int]:
    """The reporter's clean windows after this failing one and before its next."""
    line, touched = last.line, track.touched[last.line]
    for place in range(last.place + 1, len(line.windows)):
        if touched.get(place):
            return
        if line.good[place] and place not in touched:
            yield place


def clean_needed(voice: Voice, track: Track) -> int:
    """How many clean windows acquit, as far as the sessions in those seen so far tell."""
    clean = 0
    for count, place in enumerate(clean_places(voice.last, track), start=1):
        clean += voice.line.good[place]
        if _suffices(count, clean, voice.failed, voice.sessions):
            return count
        if count == CLEAN:
            return CLEAN_AT_MOST
    return CLEAN


def _suffices(count: int, clean: int, failed: int, sessions: int) -> bool:
    enough = clean * failed >= EXPECTED_FAILURES * sessions
    return count >= CLEAN_AT_MOST or (count >= CLEAN and enough)


def _acquittal(last: Hit, failed: int, sessions: int, track: Track) -> Time | None:
    clean = 0
    for count, place in enumerate(clean_places(last, track), start=1):
        clean += last.line.good[place]
        if _suffices(count, clean, failed, sessions):
            return last.line.ends[place]
    return None


def next_failing_end(hit: Hit, track: Track) -> Time:
    """The end of its reporter's next failing window, in whatever incident."""
    line, touched = hit.line, track.touched[hit.line]
    for place in range(hit.place + 1, len(line.windows)):
        if touched.get(place):
            return line.ends[place]
    return NEVER


def say_lost_at(voice: Voice, first: Time, moment: Time) -> Time | None:
    """When the reporter lost its say, given that another one acquitted at *first*."""
    line = voice.line
    at = max(first, line.until[line.last_from(newest(voice, first))])
    if first + RARE_WAIT < at and line.is_monthly(voice.last.place):
        at = first + RARE_WAIT
    return at if at <= moment else None


def newest(voice: Voice, moment: Time) -> int:
    """The place of its newest window that ended by *moment*, from its last failing one on."""
    return max(voice.last.place, bisect_right(voice.line.ends, moment) - 1)
