"""One domain's windows, laid out so that every failure can be judged in one pass."""

from bisect import bisect_left
from collections.abc import Iterable

from tlsrpt_mailer.failures.cadence import MONTHLY, gap_of, stops
from tlsrpt_mailer.failures.identity import Foldings, Key, folding, rows_of
from tlsrpt_mailer.failures.model import Quiet, Sighting, Window
from tlsrpt_mailer.failures.windows import effective, successes
from tlsrpt_mailer.report.times import HOUR, Span, Time

LONG: Span = 36 * HOUR


class Line:
    """
    One reporter's counted windows about one domain, in the order of their ends.

    A place in this order is what the rest of the judge speaks of.
    """

    __slots__ = ("_lasts", "_until", "ends", "good", "known", "reporter", "windows")

    def __init__(self, reporter: str, known: bool, windows: list[Window]) -> None:
        windows.sort(key=_by_end)
        self.reporter = reporter
        self.known = known
        self.windows = windows
        self.ends = [window.end for window in windows]
        self.good = [successes(window) for window in windows]
        """Successful sessions by place: the most of one policy type."""
        self._until: list[Time] | None = None
        self._lasts: list[int] | None = None

    @property
    def until(self) -> list[Time]:
        """By place: when it would have stopped reporting, had this been its last window."""
        if self._until is None:
            first = self.windows[0]
            self._until = stops(self.ends, first.end - first.start)
        return self._until

    @property
    def lasts(self) -> list[int]:
        """The places after which it fell silent, ascending; the newest is always one of them."""
        if self._lasts is None:
            ends, until = self.ends, self.until
            newest = len(ends) - 1
            self._lasts = [place for place in range(newest) if ends[place + 1] > until[place]]
            self._lasts.append(newest)
        return self._lasts

    def last_from(self, place: int) -> int:
        """The first place, from this one on, after which it fell silent."""
        return self.lasts[bisect_left(self.lasts, place)]

    def is_monthly(self, place: int) -> bool:
        """Whether, up to this window, it reported once a month or less."""
        first = self.windows[0]
        last_ten = self.ends[max(0, place - 9) : place + 1]
        return gap_of(last_ten, first.end - first.start) >= MONTHLY


class Hit:
    """One failing window of one failure."""

    __slots__ = (
        "end",
        "failed",
        "line",
        "mode",
        "place",
        "quiet",
        "row",
        "sessions",
        "start",
        "window",
    )

    def __init__(self, line: Line, place: int, row: Sighting) -> None:
        window = line.windows[place]
        self.line = line
        self.place = place
        self.row = row
        self.window = window
        self.start = window.start
        self.end = window.end
        self.failed = row.sessions
        self.sessions = row.sessions
        """Sessions of the policy type in this window; never fewer than failed."""
        self.mode: str | None = None
        self.quiet: int | None = None
        """The newest planned maintenance that it overlaps; see `Track.mark`."""
        for counts in window.sessions:
            if counts.policy_type == row.policy_type:
                self.sessions = max(row.sessions, counts.successful + counts.failed)
                self.mode = counts.mode

    @property
    def share(self) -> float:
        """Failed sessions among all of the policy type in this window, 0 to 1."""
        return self.failed / self.sessions

    @property
    def is_long(self) -> bool:
        """Whether it says too little about when to count beside shorter ones."""
        return self.end - self.start > LONG


class Track:
    """All windows of one failure that are not clean of it."""

    __slots__ = ("hits", "touched")

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        """In order of start once the timeline is complete."""
        self.touched: dict[Line, dict[int, bool]] = {}
        """By place: True where the window fails, False where its row joined another failure."""

    def mark(self, quiet: Iterable[Quiet], mx: str | None) -> None:
        """Say of each failing window, as one at *mx*, which maintenance it overlaps."""
        ours = [one for one in quiet if one.mx is None or one.mx == mx]
        for hit in self.hits:
            hit.quiet = max(
                (one.number for one in ours if hit.start < one.end and one.start < hit.end),
                default=None,
            )


class Timeline:
    """Everything that one domain's windows say."""

    __slots__ = ("_any_mode", "_known_mode", "fold", "lines", "quiet", "tracks")

    def __init__(
        self, windows: Iterable[Window], known: frozenset[str], quiet: Iterable[Quiet] = ()
    ) -> None:
        counted = effective(windows)
        self.quiet = tuple(quiet)
        """Planned maintenance of the domain."""
        by_reporter: dict[str, list[Window]] = {}
        for window in counted:
            by_reporter.setdefault(window.reporter, []).append(window)
        self.lines = [
            Line(reporter, reporter in known, by_reporter[reporter])
            for reporter in sorted(by_reporter)
        ]
        self.fold: Foldings = folding(counted, known)
        self.tracks: dict[Key, Track] = {}
        self._known_mode = _last_mode(one for one in counted if one.reporter in known)
        self._any_mode = self._known_mode or _last_mode(counted)
        for line in self.lines:
            self._read(line)
        self.tracks = {key: track for key, track in self.tracks.items() if track.hits}
        for track in self.tracks.values():
            track.hits.sort(key=_by_start)

    def last_mode(self, track: Track) -> str | None:
        """
        The MTA-STS mode that the newest window quotes, for a window that quotes none.

        It makes severities, so it is known reporters' word; a stranger's stands only for what
        strangers alone have seen.
        """
        seen = any(line.known for line in track.touched)
        return self._known_mode if seen else self._any_mode

    def _read(self, line: Line) -> None:
        fold = self.fold.of(known=line.known)
        for place, window in enumerate(line.windows):
            if not window.sightings:
                continue
            for row in rows_of(window, fold):
                key = (row.policy_type, row.result_type, row.mx)
                track = self.tracks.get(key)
                if track is None:
                    track = self.tracks[key] = Track()
                fails = row.sessions > 0
                track.touched.setdefault(line, {})[place] = fails
                if fails:
                    track.hits.append(Hit(line, place, row))


def _last_mode(windows: Iterable[Window]) -> str | None:
    """The MTA-STS mode that the newest window quotes; of several as new, the strictest."""
    best: tuple[Time, int] | None = None
    mode = None
    for window in windows:
        if best is not None and window.end < best[0]:
            continue
        for counts in window.sessions:
            if counts.mode is not None:
                rank = (window.end, _STRICTNESS.get(counts.mode, 0))
                if best is None or rank > best:
                    best, mode = rank, counts.mode
    return mode


_STRICTNESS = {"enforce": 2, "testing": 1}


def _by_end(window: Window) -> tuple[Time, Time, bytes]:
    return window.end, window.start, window.digest


def _by_start(hit: Hit) -> tuple[Time, Time, str]:
    return hit.start, hit.end, hit.line.reporter
