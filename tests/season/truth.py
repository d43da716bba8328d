"""
What a right program has to say of a season, worked out from its mails alone.

Nothing of the program is used here: the rules are written down a second time, in
a plain and slow way, for the few questions that the season asks.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec

from tests.season.incidents import Incident, day
from tests.season.reports import Post
from tests.season.told import Key
from tests.season.world import WEEKLY, World
from tlsrpt_mailer.report.times import DAY, Time

FROM_THE_START = frozenset({"google.com", "microsoft.com", "mail.ru"})
LATER = {"uni.example": day(12), "late.example": day(12), WEEKLY.name: day(24)}
"""From when on the others have reported often enough to be believed."""
CROWD = 3
"""Owners at a shared MX that are each told; with one more, it is the default recipients."""
SILENT = 4 * DAY
"""Who reports daily and has not for so long has no say in whether it is over."""


class Window(msgspec.Struct, frozen=True):
    """What one report says of one failure."""

    arrival: Time
    reporter: str
    start: Time
    end: Time
    successful: int
    failed: int
    sessions: int

    @property
    def is_known(self) -> bool:
        """Whether its reporter was believed when it came."""
        since = LATER.get(self.reporter)
        return self.reporter in FROM_THE_START or (since is not None and since <= self.arrival)


class Case(msgspec.Struct, frozen=True, dict=True):
    """One failure of one incident."""

    incident: Incident
    key: Key
    mode: str
    recipients: tuple[str, ...]
    windows: tuple[Window, ...]
    """From well before the incident to well after it, in order of arrival."""

    @cached_property
    def failing(self) -> list[Window]:
        """Those that show the failure, in order of arrival."""
        return [
            one
            for one in self.windows
            if one.failed and one.start < self.incident.end and one.end > self.incident.begin
        ]

    @property
    def is_mailed(self) -> bool:
        """Whether it is grave enough for a mail."""
        return self.incident.is_told and self.mode != "none" and self.first is not None

    @cached_property
    def first(self) -> Time | None:
        """When the first report came after which it is neither noise nor hearsay."""
        seen: list[Window] = []
        for window in self.failing:
            seen += [window] if window.is_known else []
            planned = self.incident.planned
            if planned and window.start < planned.end and window.end > planned.start:
                seen = []
            single = len(seen) == 1 and seen[0].failed == 1 and seen[0].successful
            if seen and not single:
                return window.arrival
        return None

    @cached_property
    def over(self) -> Time | None:
        """When the last report came that was still missing for the end; None: it never did."""
        moment = None
        failing = {one.arrival for one in self.failing}
        arrivals = {one.arrival for one in self.windows}
        for at in sorted(arrivals | {one.end + SILENT for one in self.windows}):
            if moment is not None and at not in failing:
                # Who was silent and is back says nothing against it.
                continue
            is_over = self.is_over(at)
            moment = (at if moment is None else moment) if is_over else None
        return moment

    def is_over(self, at: Time) -> bool:
        """Whether everybody who saw it has by then taken it back, as far as mails had come."""
        came = [one for one in self.windows if one.arrival <= at]
        failing = [one for one in self.failing if one.arrival <= at and one.is_known]
        failing = [one for one in failing if one.end - one.start <= DAY] or failing
        words = []
        for name in {one.reporter for one in failing}:
            said = [one for one in came if one.reporter == name]
            theirs = [one for one in failing if one.reporter == name]
            if _takes_back(theirs, said):
                words.append(True)
            elif max(one.end for one in said) > at - SILENT:
                words.append(False)
        return any(words) and all(words)

    def steps(self, at: Time) -> set[str]:
        """How bad it was, as far as mails had come."""
        failing = [one for one in self.failing if one.arrival <= at]
        steps = {
            f"share-{share}"
            for one in failing
            for share in (1, 10, 50)
            if one.sessions >= 20 and one.failed >= 3 and 100 * one.failed >= share * one.sessions
        }
        is_critical = self.mode in ("enforce", "dane") and self.key[2]
        if not is_critical and len({one.reporter for one in failing if one.is_known}) > 1:
            steps.add("reporters")
        return steps


def cases(world: World, incidents: Iterable[Incident], posts: Sequence[Post]) -> list[Case]:
    """Every failure of every incident that any report shows."""
    by_domain: dict[str, list[Post]] = {}
    for post in posts:
        for about in post.about:
            by_domain.setdefault(about.domain, []).append(post)
    found = []
    for incident in incidents:
        for domain in incident.domains:
            key = (domain, incident.result, incident.mx or "")
            windows = tuple(
                _window(post, key)
                for post in by_domain[domain]
                if incident.begin - 3 * DAY < post.end and post.start < incident.end + 30 * DAY
            )
            mode, to = world.named(domain).mode, incident.recipients(world, domain)
            case = Case(incident, key, mode, to, windows)
            if case.failing:
                found.append(case)
    return found


def heard(case: Case, found: Iterable[Case]) -> Time:
    """When whoever mends it can first hear of this failure; those of a crowd, at the fourth."""
    first = case.first or 0
    if not case.incident.crowd:
        return first
    owners: dict[str, Time] = {}
    for one in found:
        if one.incident is case.incident and one.is_mailed and one.first is not None:
            owner = one.key[0].partition("-")[0]
            owners[owner] = min(one.first, owners.get(owner, one.first))
    return max(first, sorted(owners.values())[CROWD])


def _window(post: Post, key: Key) -> Window:
    about = next(one for one in post.about if one.domain == key[0])
    failed = sum(one.failed for one in about.failures if (one.result, one.mx or "") == key[1:])
    return Window(
        arrival=post.arrival,
        reporter=post.reporter,
        start=post.start,
        end=post.end,
        successful=about.successful,
        failed=failed,
        sessions=about.sessions,
    )


def _takes_back(failing: list[Window], said: list[Window]) -> bool:
    """Two clean days, in which three failures were to be expected had nothing changed."""
    last = max(one.end for one in failing)
    clean = {one.start: one for one in said if one.start >= last and not one.failed}
    days = {one.start: one for one in failing}.values()
    expected = sum(one.successful for one in clean.values()) * sum(one.failed for one in days)
    enough = expected >= 3 * sum(one.sessions for one in days)
    return len(clean) >= 14 or (len(clean) >= 2 and enough)
