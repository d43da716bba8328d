"""
Who should have reported by now, and did not.

For a reporter and a domain: *m* is the number of days with a window in the 28
days up to the last one, and p = (m + 1) / 30 how likely it reports on a day. It
is silent after *s* whole days for which (1 - p) ** s is under a millionth,
counted from the last window's end and the reporter's usual delay.
docs/explanation/what-counts-as-new.md explains it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from statistics import median
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.times import DAY, Span, Time

LOOK_BACK = 28
"""Days up to the last window that say how often a reporter reports."""
FEWEST = 8
"""Days with a window, of those 28, below which silence says nothing."""
ONE_IN = 1_000_000
"""How unlikely it must be that a reporter was silent for so long by chance."""
LONGEST_DELAY: Span = 7 * DAY
"""What came later than this after its window was imported, or waited for us."""
STRETCH: Span = 2 * DAY
"""Nothing at all for so long, where something comes nearly daily, is a gap of our own."""
NEARLY_DAILY = 0.85
YOUNGEST = 5
"""Days of receipts before which nobody knows what is normal."""

Gap: TypeAlias = tuple[Time, Time]
"""Half-open; its end may be now."""
Which: TypeAlias = Literal["intake", "reporter", "domain"]


class Seen(msgspec.Struct, frozen=True):
    """One window, as far as silence goes."""

    domain: str
    reporter: str
    end: Time
    received: Time
    sessions: int


class Pair(msgspec.Struct, frozen=True):
    """One reporter's habit of reporting on one domain."""

    domain: str
    reporter: str
    days: int
    """With a window, in the 28 days up to the last one."""
    end: Time
    """Of its last window."""
    delay: Span
    sessions: int
    """In those 28 days."""
    all_sessions: int
    """Of all reporters on the domain, in the same 28 days."""

    @property
    def is_regular(self) -> bool:
        """Whether its silence says anything."""
        return self.days >= FEWEST

    @property
    def is_half(self) -> bool:
        """Whether half of what is known of the domain came through this reporter."""
        return 2 * self.sessions >= self.all_sessions


class Silence(msgspec.Struct, frozen=True):
    """Pairs that have fallen silent together."""

    which: Which
    key: str
    """The reporter, or the domain; "" for the intake."""
    pairs: tuple[Pair, ...]
    """By domain and reporter; never empty."""
    at: Time
    """When the first of them counted as silent; of the intake, the last of them."""


@cache
def days_until_silent(days: int) -> int | None:
    """The least *s* for a pair with that many days; None where silence says nothing."""
    if days < FEWEST:
        return None
    # In whole numbers: with 26 days, 0.1 ** 6 is just not under a millionth.
    missed = 29 - min(days, LOOK_BACK)
    return next(s for s in range(1, 100) if missed**s * ONE_IN < 30**s)


def habits(windows: Iterable[Seen]) -> list[Pair]:
    """
    The habit of each reporter on each domain, by domain and reporter.

    Args:
        windows: Those of the last ten weeks, of all reporters on these domains.
    """
    by_domain: dict[str, list[Seen]] = {}
    delays: dict[str, list[Span]] = {}
    for one in windows:
        by_domain.setdefault(one.domain, []).append(one)
        delays.setdefault(one.reporter, []).append(one.received - one.end)
    usual = {reporter: usual_delay(spans) for reporter, spans in delays.items()}
    return [
        _habit(reporter, by_domain[domain], usual[reporter])
        for domain in sorted(by_domain)
        for reporter in sorted({one.reporter for one in by_domain[domain]})
    ]


def usual_delay(delays: Iterable[Span]) -> Span:
    """The median time from a window's end to its receipt; a day where nobody knows."""
    told = [max(0, span) for span in delays if span <= LONGEST_DELAY]
    return int(median(told)) if told else DAY


def silent_at(pair: Pair, gaps: Sequence[Gap] = ()) -> Time | None:
    """
    When the pair counts as silent, be it in the future; None where its silence says nothing.

    Args:
        gaps: Stretches that do not count, sorted by `merged`.
    """
    return _silent_at(pair, gaps) if pair.is_regular else None


def _silent_at(pair: Pair, gaps: Sequence[Gap]) -> Time:
    at, needed = pair.end + pair.delay, (days_until_silent(pair.days) or 0) * DAY
    for start, end in gaps:
        if end <= at:
            continue
        if start - at >= needed:
            break
        needed -= max(0, start - at)
        at = end
    return at + needed


def gaps_in(receipts: Sequence[Time], now: Time) -> list[Gap]:
    """
    Our own gaps: two days or more without any report, where reports come nearly daily.

    A week in which nothing could come in must not be blamed on a reporter afterwards.

    Args:
        receipts: When reports were taken, ascending, those of at least 28 days before the
            first stretch that matters.
        now: Ends the last stretch.
    """
    return [
        (last, following)
        for last, following in pairwise([*receipts, now])
        if following - last >= STRETCH and _came_nearly_daily(receipts, last)
    ]


def merged(gaps: Iterable[Gap]) -> list[Gap]:
    """The same time as gaps that do not touch, in order."""
    found: list[Gap] = []
    for start, end in sorted(gaps):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif start < end:
            found.append((start, end))
    return found


def silences(
    pairs: Sequence[Pair],
    now: Time,
    *,
    gaps: Sequence[Gap] = (),
    last_receipt: Time | None = None,
    others_report: bool = False,
    apart: frozenset[str] = frozenset(),
    joined: frozenset[tuple[str, str]] = frozenset(),
) -> list[Silence]:
    """
    Who is silent at *now*: our intake alone, or else domains and reporters.

    A domain is silent when all its reporters are. One that a single reporter
    knows goes with that reporter, where more domains of it fell silent.

    Args:
        pairs: Of every domain on which somebody may have fallen silent, all of them.
        gaps: What does not count for a pair, merged. The intake is judged by plain time.
        last_receipt: When the last report came in, whatever it was about.
        others_report: Whether a regular pair of another domain is not silent.
        apart: Domains whose silence was announced as one of the domain: they stay that.
        joined: (domain, reporter) of pairs that were announced as silent with their reporter.
    """
    regular = [pair for pair in pairs if pair.is_regular]
    if regular and not others_report and _is_intake(regular, last_receipt, now):
        return [Silence("intake", "", _ordered(regular), _all_silent_at(regular))]
    silent = [pair for pair in regular if _silent_at(pair, gaps) <= now]
    domains = _silent_domains(pairs, silent, apart, joined)
    found = [_silence("domain", domain, domains[domain], gaps) for domain in sorted(domains)]
    left = [pair for pair in silent if pair.domain not in domains]
    for reporter in sorted({pair.reporter for pair in left}):
        ours = [pair for pair in left if pair.reporter == reporter]
        found.append(_silence("reporter", reporter, ours, gaps))
    return found


def _habit(reporter: str, windows: Sequence[Seen], delay: Span) -> Pair:
    ours = [one for one in windows if one.reporter == reporter]
    end = max(one.end for one in ours)
    since = end - LOOK_BACK * DAY
    return Pair(
        domain=ours[0].domain,
        reporter=reporter,
        days=len({_day(one.end) for one in ours if one.end > since}),
        end=end,
        delay=delay,
        sessions=sum(one.sessions for one in ours if one.end > since),
        all_sessions=sum(one.sessions for one in windows if since < one.end <= end),
    )


def _day(end: Time) -> int:
    # A weekly range is one report, so it stands for the day that it ends on.
    return (end - 1) // DAY


def _came_nearly_daily(receipts: Sequence[Time], last: Time) -> bool:
    span = min(LOOK_BACK, (last - receipts[0]) // DAY + 1)
    days = {at // DAY for at in receipts if last - LOOK_BACK * DAY < at <= last}
    return span >= YOUNGEST and len(days) >= NEARLY_DAILY * span


def _is_intake(regular: Sequence[Pair], last_receipt: Time | None, now: Time) -> bool:
    """Whether all are silent, and nothing has come in since that shows that the way is open."""
    awaited = max(pair.end + pair.delay for pair in regular)
    if last_receipt is not None and last_receipt > awaited + STRETCH:
        return False
    return _all_silent_at(regular) <= now


def _all_silent_at(regular: Sequence[Pair]) -> Time:
    return max(_silent_at(pair, ()) for pair in regular)


def _silent_domains(
    pairs: Sequence[Pair],
    silent: Sequence[Pair],
    apart: frozenset[str],
    joined: frozenset[tuple[str, str]],
) -> dict[str, list[Pair]]:
    """The domains of which every reporter fell silent, with those pairs."""
    found: dict[str, list[Pair]] = {}
    for pair in silent:
        found.setdefault(pair.domain, []).append(pair)
    for pair in pairs:
        ours = found.get(pair.domain, ())
        # Who reports now and then, and has since the others stopped, shows that reports come.
        if pair not in ours and (pair.is_regular or any(pair.end > one.end for one in ours)):
            found.pop(pair.domain, None)
    fallen = Counter(pair.reporter for pair in silent if pair.domain not in apart)

    def is_alone(one: Pair) -> bool:
        return fallen[one.reporter] == 1 and (one.domain, one.reporter) not in joined

    return {
        domain: ours
        for domain, ours in found.items()
        if len(ours) > 1 or domain in apart or is_alone(ours[0])
    }


def _silence(which: Which, key: str, pairs: Iterable[Pair], gaps: Sequence[Gap]) -> Silence:
    ours = _ordered(pairs)
    return Silence(which, key, ours, min(_silent_at(pair, gaps) for pair in ours))


def _ordered(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    return tuple(sorted(pairs, key=_by_name))


def _by_name(pair: Pair) -> tuple[str, str]:
    return pair.domain, pair.reporter
