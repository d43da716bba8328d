"""
Where one incident of a failure ends and the next begins.

The rules are explained in docs/explanation/what-counts-as-new.md.
"""

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from tlsrpt_mailer.failures.timeline import Hit, Line, Track
from tlsrpt_mailer.failures.witnesses import (
    NEVER,
    Part,
    Voice,
    having_say,
    newest,
    next_failing_end,
    rank_of,
    say_lost_at,
)
from tlsrpt_mailer.report.times import DAY, Span, Time

CLOSE_AFTER: Span = 30 * DAY


class Standing(msgspec.Struct, frozen=True):
    """Where an incident stands at a certain moment."""

    voices: tuple[Voice, ...]
    """Every reporter that saw it."""
    say: tuple[Voice, ...]
    """The witnesses."""
    resolved_at: Time | None = None
    """The latest acquittal that ended it."""
    settled_at: Time | None = None
    """When nobody owed an acquittal any more: later, where a witness had to fall silent first."""
    stale_at: Time | None = None
    closed_at: Time | None = None

    @property
    def is_over(self) -> bool:
        """Whether the next failing window opens a new incident."""
        return self.resolved_at is not None or self.closed_at is not None


class Incident:
    """The failing windows of a failure from its beginning until it is over."""

    __slots__ = (
        "_blocked",
        "_closes_from",
        "_first_end",
        "_not_before",
        "_parts",
        "_rank",
        "hits",
        "number",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.hits: list[Hit] = []
        """In order of start."""
        self._parts: dict[str, tuple[Line, Part]] = {}
        self._first_end: Time = NEVER
        self._rank = -1
        """The best of all windows, ended or not."""
        self._not_before: Time = NEVER
        """It cannot be resolved before this moment, whatever windows are still added."""
        self._closes_from: Time = 0
        """Nor closed before this one."""
        self._blocked = False
        """Whether it is a witness who owes an acquittal that keeps it from being resolved."""

    def add(self, hit: Hit, track: Track) -> None:
        """Take one more failing window in; they come in order of start."""
        self.hits.append(hit)
        line = hit.line
        if line.reporter not in self._parts:
            self._parts[line.reporter] = line, Part()
        part = self._parts[line.reporter][1]
        in_order = part.add(hit)
        self._first_end = min(self._first_end, hit.end)
        rank = rank_of(line, short=not hit.is_long)
        if rank > self._rank or not in_order:
            self._rank = max(rank, self._rank)
            self._not_before = self._closes_from = 0
        elif not self._blocked:
            acquits_at = part.acquittal(len(part.hits), track)
            self._not_before = min(self._not_before, acquits_at or NEVER)

    def is_over_at(self, moment: Time, track: Track) -> bool:
        """Whether the windows that ended by *moment* say that it is over."""
        # Nearly every window of a long failure is decided here, from what an
        # earlier one taught: the judge runs at each mail that comes in.
        if moment < max(self._first_end, min(self._not_before, self._closes_from)):
            return False
        standing = self.standing(moment, track, ended_only=True)
        if standing.is_over:
            return True
        self._blocked = any(voice.acquitted_at is not None for voice in standing.say)
        if standing.say[0].rank < self._rank:
            # Better witnesses come as soon as their windows end.
            self._not_before = self._closes_from = moment
            return False
        if moment >= self._closes_from:
            self._closes_from = _silence(standing.say, NEVER)[1] or NEVER
        if self._blocked:
            self._not_before = _unblocked_at(standing.say, moment, track)
        else:
            self._not_before = self._first_acquittal(moment, track)
        return False

    def _first_acquittal(self, moment: Time, track: Track) -> Time:
        """The earliest that anybody can acquit, while nobody has."""
        first = NEVER
        for _, part in self._parts.values():
            ended = bisect_right(part.ends, moment)
            for count in range(max(ended, 1), len(part.hits) + 1):
                first = min(first, part.acquittal(count, track) or NEVER)
        return first

    def standing(self, moment: Time, track: Track, *, ended_only: bool) -> Standing:
        """
        Judge the incident.

        Args:
            moment: The time of the judgement.
            track: The failure's windows.
            ended_only: Leave out failing windows that end after *moment*; one must be left.
        """
        heard = (
            part.voice(line, moment, track, ended_only=ended_only)
            for line, part in self._parts.values()
        )
        voices = tuple(voice for voice in heard if voice is not None)
        say = having_say(voices)
        resolved = _resolved(say, moment)
        if resolved is not None:
            return Standing(voices, say, *resolved)
        return Standing(voices, say, None, None, *_silence(say, moment))


def incidents(track: Track) -> list[Incident]:
    """
    All incidents of a failure, oldest first; at least one.

    A failing window opens a new one when, judged at its start with the
    windows that had ended by then, the one before was resolved or closed.
    """
    found = [Incident(1)]
    for hit in track.hits:
        if found[-1].hits and found[-1].is_over_at(hit.start, track):
            found.append(Incident(len(found) + 1))
        found[-1].add(hit, track)
    return found


def _unblocked_at(say: tuple[Voice, ...], moment: Time, track: Track) -> Time:
    """The earliest that every witness can have acquitted or lost its say."""
    first = min(voice.acquitted_at or NEVER for voice in say)
    latest = moment
    for voice in say:
        if voice.acquitted_at is None:
            acquits_at = voice.acquits_at or next_failing_end(voice.last, track)
            latest = max(latest, min(acquits_at, say_lost_at(voice, first, NEVER) or NEVER))
    return latest


def _resolved(say: tuple[Voice, ...], moment: Time) -> tuple[Time, Time] | None:
    """
    The latest acquittal, and when nobody who has a say owed one any more.

    Who lost its say does not get it back by returning: only a failing window
    ends what was resolved, so a late clean report never reopens a failure.
    """
    acquittals = [voice.acquitted_at for voice in say if voice.acquitted_at is not None]
    if not acquittals:
        return None
    first = min(acquittals)
    over = first
    # Those who owe an acquittal come first: mostly one of them decides.
    for voice in sorted(say, key=_has_acquitted):
        settled_at = voice.acquitted_at or say_lost_at(voice, first, moment)
        if settled_at is None:
            return None
        if settled_at > over:
            lost_at = say_lost_at(voice, first, moment)
            over = max(over, settled_at if lost_at is None else min(settled_at, lost_at))
    return max(at for at in acquittals if at <= over), over


def _has_acquitted(voice: Voice) -> bool:
    return voice.acquitted_at is not None


def _silence(say: tuple[Voice, ...], moment: Time) -> tuple[Time | None, Time | None]:
    """When the last witness stopped reporting, and the end of the month after it."""
    since = max(voice.last.end for voice in say)
    reporting = sorted(
        span for voice in say for span in _reporting(voice.line, newest(voice, since), moment)
    )
    cover = since
    for begin, end in reporting:
        if begin >= cover + CLOSE_AFTER:
            break
        cover = max(cover, end)
    if cover > moment:
        return None, None
    closed_at = cover + CLOSE_AFTER
    return cover, closed_at if closed_at <= moment else None


def _reporting(line: Line, place: int, moment: Time) -> Iterator[tuple[Time, Time]]:
    """The spans in which the reporter still reports, from this place on, as of *moment*."""
    newest = max(place, bisect_right(line.ends, moment) - 1)
    while place <= newest:
        last = min(line.last_from(place), newest)
        yield line.ends[place], line.until[last]
        place = last + 1
