"""One domain and one reporter in a line each, as a digest shows them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tlsrpt_mailer.alerts.digest_model import (
    HABIT_DAYS,
    Domain,
    Looked,
    Material,
    Pair,
    Period,
    Sum,
)
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

READY_SESSIONS = 100
READY_DAYS = 14
NEW_DAYS = 7
HALF = 0.5


class DomainLine(msgspec.Struct, frozen=True, kw_only=True):
    """One domain of the reader's."""

    name: str
    total: Sum
    before: Sum
    cells: str
    """A character a day, seven of them (`page.DAYS`)."""
    mode: str | None
    """The MTA-STS mode that was looked up, else the one that reports quote; ``broken`` where it
    cannot be had, ``unknown`` where they quote none; None: no MTA-STS."""
    dane: bool
    reporters: int
    seen: bool
    """Whether anybody has reported on it in four weeks."""
    looked: Looked | None = None
    """What our own looks know."""
    ready: int
    """Sessions of four weeks without a failure under a testing policy; 0: not ready."""


class ReporterLine(msgspec.Struct, frozen=True, kw_only=True):
    """One reporter, as it is about the reader's domains."""

    name: str
    regularity: float
    """On how much of the days it had a report, 0 to 1."""
    span: int
    """Over how many days that is known."""
    first: Time
    last: Time
    delay: Span
    domains: int


def worst(line: DomainLine) -> tuple[int, int, str]:
    """The order of a table: what failed most first."""
    return -line.total.failed, -line.total.sessions, line.name


def domain_line(domain: Domain, material: Material) -> DomainLine:
    """What the reports of the period come to."""
    period = material.period
    mode = mode_of(domain)
    return DomainLine(
        name=domain.name,
        total=_sum(domain.days, period.since, period.until),
        before=_sum(domain.days, period.before, period.since),
        cells="".join(_cell(domain, day, material.now) for day in period.week),
        mode=mode,
        dane=has_dane(domain),
        reporters=len(domain.pairs),
        seen=bool(domain.pairs),
        looked=domain.looked,
        ready=_ready(domain.pairs) if mode == "testing" and domain.pairs else 0,
    )


def _sum(days: Mapping[Time, Sum], since: Time, until: Time) -> Sum:
    return sum((one for day, one in days.items() if since <= day < until), Sum())


def _cell(domain: Domain, day: Time, now: Time) -> str:
    """The day in a character; see `page.DAYS`."""
    found = domain.days.get(day)
    if found is None or not found.reports:
        return "?" if _is_awaited(domain.pairs, day, now) else " "
    if not found.failed:
        return "."
    share = found.failed / max(found.sessions, found.failed)
    marks = ((0.01, "-"), (0.1, "+"), (HALF, "#"))
    return next((mark for limit, mark in marks if share < limit), "#" if share == HALF else "@")


def _is_awaited(pairs: Sequence[Pair], day: Time, now: Time) -> bool:
    """Whether a reporter that goes on may still be heard of that day."""
    return any(
        now < day + DAY + max(pair.delay + 12 * HOUR, pair.delay * 3 // 2)
        for pair in pairs
        if pair.last > day - 7 * DAY
    )


def mode_of(domain: Domain) -> str | None:
    """The mode that was looked up, or that reports quote where nobody knows; see `DomainLine`."""
    known = None if domain.looked is None else domain.looked.sts
    if known is None:
        return quoted_mode(domain.pairs)
    return {"none": None, "off": "none"}.get(known, known)


def has_dane(domain: Domain) -> bool:
    """Whether its TLSA records count, as was looked up, or as reports quote where nobody knows."""
    known = None if domain.looked is None else domain.looked.dane
    if known in {None, "unknown"}:
        return any(kind == "tlsa" for pair in domain.pairs for kind, _ in pair.policies)
    return known in {"partial", "full"}


def quoted_mode(pairs: Sequence[Pair]) -> str | None:
    """The mode that the newest report under MTA-STS quotes."""
    for pair in sorted(pairs, key=lambda pair: pair.last, reverse=True):
        for kind, mode in pair.policies:
            if kind == "sts":
                return mode or "unknown"
    return None


def _ready(pairs: Sequence[Pair]) -> int:
    """How many sessions say that ``enforce`` would have refused nothing; 0 where they do not."""
    sessions = sum(pair.sessions for pair in pairs)
    days = max(pair.days for pair in pairs)
    failed = any(pair.failed for pair in pairs)
    return sessions if not failed and sessions >= READY_SESSIONS and days >= READY_DAYS else 0


# --------------------------------------------------------------------- reporters


def reporter_lines(domains: Iterable[Domain], period: Period) -> tuple[ReporterLine, ...]:
    """The most regular first."""
    pairs: defaultdict[str, list[tuple[Pair, int]]] = defaultdict(list)
    for domain in domains:
        first = min((pair.first for pair in domain.pairs), default=period.until)
        for pair in domain.pairs:
            pairs[pair.reporter].append((pair, _span(pair, first, period)))
    lines = [_reporter(name, found) for name, found in pairs.items()]
    return tuple(sorted(lines, key=lambda one: (-one.domains * one.regularity, one.name)))


def _reporter(name: str, found: Sequence[tuple[Pair, int]]) -> ReporterLine:
    pairs = [pair for pair, _ in found]
    delays = sorted(pair.delay for pair in pairs)
    return ReporterLine(
        name=name,
        regularity=min(1.0, sum(pair.days for pair in pairs) / sum(span for _, span in found)),
        span=max(span for _, span in found),
        first=min(pair.first for pair in pairs),
        last=max(pair.last for pair in pairs),
        delay=delays[len(delays) // 2],
        domains=len(pairs),
    )


def _span(pair: Pair, first: Time, period: Period) -> int:
    """
    Over how many days the pair's reports are spread.

    Up to the last one: what it did not report since is silence, no habit. From the first that
    anybody had of the domain, but for a reporter that is new and has not missed a day since.
    """
    end = min(pair.last, period.until)
    own = max(1, round((end - pair.first) / DAY))
    if pair.first > period.until - NEW_DAYS * DAY and pair.days >= own:
        return own
    return min(HABIT_DAYS, max(pair.days, round((end - first) / DAY), 1))
