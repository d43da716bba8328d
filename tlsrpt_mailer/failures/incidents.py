"""
Witnesses, acquittals, and where one incident ends and the next begins.

The rules are explained in docs/explanation/what-counts-as-new.md.
"""

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from tlsrpt_mailer.failures.timeline import Hit, Line, Track
from tlsrpt_mailer.report.times import DAY, Span, Time

CLEAN = 2
"""Clean windows that acquit, given enough sessions."""
CLEAN_AT_MOST = 14
"""Clean windows that acquit, however few sessions they hold."""
EXPECTED_FAILURES = 3
"""How many failures the clean sessions would have shown, had nothing changed: to see none
where three are expected is luck in one case of twenty."""
RARE_WAIT: Span = 7 * DAY
CLOSE_AFTER: Span = 30 * DAY
NEVER: Time = 2**62


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


class _Part:
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
            rank=_rank(line, short=short),
            acquits_at=acquits_at,
            acquitted_at=acquits_at if acquits_at is not None and acquits_at <= moment else None,
        )


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
        self._parts: dict[str, tuple[Line, _Part]] = {}
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
            self._parts[line.reporter] = line, _Part()
        part = self._parts[line.reporter][1]
        in_order = part.add(hit)
        self._first_end = min(self._first_end, hit.end)
        rank = _rank(line, short=not hit.is_long)
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
            ended_only: Leave out failing windows that end after *moment*.
        """
        heard = (
            part.voice(line, moment, track, ended_only=ended_only)
            for line, part in self._parts.values()
        )
        voices = tuple(voice for voice in heard if voice is not None)
        say = having_say(voices)
        if not say:
            return Standing(voices, say)
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


def counting(hits: list[Hit]) -> list[Hit]:
    """Those of known reporters, or all where none is known."""
    return [hit for hit in hits if hit.line.known] or hits


def having_say(voices: tuple[Voice, ...]) -> tuple[Voice, ...]:
    """The witnesses: known reporters, or all where none is; with short windows, where one has."""
    best = max((voice.rank for voice in voices), default=0)
    return tuple(voice for voice in voices if voice.rank == best)


def _rank(line: Line, *, short: bool) -> int:
    return 2 * line.known + short


def _unblocked_at(say: tuple[Voice, ...], moment: Time, track: Track) -> Time:
    """The earliest that every witness can have acquitted or lost its say."""
    first = min(voice.acquitted_at or NEVER for voice in say)
    latest = moment
    for voice in say:
        if voice.acquitted_at is None:
            acquits_at = voice.acquits_at or _next_failing_end(voice.last, track)
            latest = max(latest, min(acquits_at, _lost_at(voice, first, NEVER) or NEVER))
    return latest


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


def _next_failing_end(hit: Hit, track: Track) -> Time:
    line, touched = hit.line, track.touched[hit.line]
    for place in range(hit.place + 1, len(line.windows)):
        if touched.get(place):
            return line.ends[place]
    return NEVER


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
    for voice in say:
        lost_at = _lost_at(voice, first, moment)
        settled = [at for at in (voice.acquitted_at, lost_at) if at is not None]
        if not settled:
            return None
        over = max(over, min(settled))
    return max(at for at in acquittals if at <= over), over


def _lost_at(voice: Voice, first: Time, moment: Time) -> Time | None:
    """When the reporter lost its say, given that another one acquitted at *first*."""
    line = voice.line
    rare_at = first + RARE_WAIT
    if rare_at <= moment and line.is_monthly(_newest(voice, rare_at)):
        return rare_at
    silent_at = max(first, line.until[line.last_from(_newest(voice, first))])
    return silent_at if silent_at <= moment else None


def _newest(voice: Voice, moment: Time) -> int:
    """The place of its newest window that ended by *moment*, from its last failing one on."""
    return max(voice.last.place, bisect_right(voice.line.ends, moment) - 1)


def _silence(say: tuple[Voice, ...], moment: Time) -> tuple[Time | None, Time | None]:
    """When the last witness stopped reporting, and the end of the month after it."""
    since = max(voice.last.end for voice in say)
    reporting = sorted(
        span for voice in say for span in _reporting(voice.line, _newest(voice, since), moment)
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
