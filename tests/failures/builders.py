"""Windows made from a few words: day 0 is 2026-10-01, reporters are known by default."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from tlsrpt_mailer.failures.judge import judge
from tlsrpt_mailer.failures.model import (
    HumanAct,
    Identity,
    Quiet,
    Sessions,
    Sighting,
    Verdict,
    Window,
)
from tlsrpt_mailer.report.times import DAY, HOUR, Time

ZERO: Time = 20_727 * DAY
"""2026-10-01T00:00:00Z."""
GOOGLE, MICROSOFT, MAILRU = "google.com", "microsoft.com", "mail.ru"
KNOWN = frozenset({GOOGLE, MICROSOFT, MAILRU})
SMALL = "small.example"
"""A reporter without standing."""
EXPIRED = Identity("example.com", "sts", "certificate-expired", "mx1.example.com")


def on(day: float, hour: float = 0) -> Time:
    """The moment that many days and hours after day 0 began."""
    return ZERO + int(day * DAY + hour * HOUR)


def row(
    failed: int = 1893,
    result: str = "certificate-expired",
    mx: str | None = "mx1.example.com",
    policy: str = "sts",
    reasons: Sequence[str] = (),
) -> Sighting:
    return Sighting(policy, result, mx, failed, tuple(reasons))


def window(
    day: float,
    reporter: str = GOOGLE,
    *rows: Sighting,
    good: int = 3433,
    days: float = 1,
    mode: str | None = "enforce",
    policy: str = "sts",
    domain: str = "example.com",
    received: Time | None = None,
    date: Time | None = None,
    sessions: tuple[Sessions, ...] | None = None,
    report: int = 0,
) -> Window:
    """A clean window, or one that fails by *rows*; taken 12 hours after it ended."""
    start, end = on(day), on(day + days)
    if sessions is None:
        failed = sum(sighting.sessions for sighting in rows if sighting.policy_type == policy)
        sessions = (Sessions(policy, good, failed, mode if policy == "sts" else None),)
    taken = end + 12 * HOUR if received is None else received
    text = repr((reporter, domain, start, end, sessions, rows, date))
    return Window(
        domain=domain,
        reporter=reporter,
        start=start,
        end=end,
        report=report,
        received=taken,
        date=taken if date is None else date,
        digest=hashlib.sha256(text.encode()).digest(),
        sessions=sessions,
        sightings=rows,
    )


def failing(day: float, reporter: str = GOOGLE, failed: int = 1893, **more: object) -> Window:
    """A window with an expired certificate at mx1."""
    return window(day, reporter, row(failed), **more)  # type: ignore[arg-type]


def judged(
    windows: Iterable[Window],
    now: Time,
    *,
    identity: Identity = EXPIRED,
    acts: Sequence[HumanAct] = (),
    known: Iterable[str] = KNOWN,
    quiet: Sequence[Quiet] = (),
) -> Verdict:
    """The verdict on one failure."""
    return verdicts(windows, now, {identity: acts}, known, quiet)[identity]


def verdicts(
    windows: Iterable[Window],
    now: Time,
    acts: Mapping[Identity, Sequence[HumanAct]] | None = None,
    known: Iterable[str] = KNOWN,
    quiet: Sequence[Quiet] = (),
) -> dict[Identity, Verdict]:
    """All verdicts, by failure; *quiet* is about example.com."""
    found = judge(windows, acts or {}, frozenset(known), now, {"example.com": quiet})
    return {verdict.identity: verdict for verdict in found}


def story(text: str, reporter: str = GOOGLE, first: int = 0, **more: object) -> list[Window]:
    """Daily windows: ``#`` fails, ``.`` is clean, ``o`` has no sessions, a blank is no report."""
    windows = []
    for day, mark in enumerate(text, start=first):
        if mark == "#":
            windows.append(failing(day, reporter, **more))
        elif mark == ".":
            windows.append(window(day, reporter, **more))  # type: ignore[arg-type]
        elif mark == "o":
            windows.append(window(day, reporter, **(more | {"good": 0})))  # type: ignore[arg-type]
    return windows
