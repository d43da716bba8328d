"""
Who reads what in a digest: `Shares` cuts the material into one page a recipient.

The one place that decides which domain stands in whose digest. A page is drawn from nothing
but the recipient's own domains and failures, so no count in it can give another's away.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from tlsrpt_mailer.alerts.digest_lines import (
    DomainLine,
    ReporterLine,
    domain_line,
    reporter_lines,
    worst,
)
from tlsrpt_mailer.alerts.digest_model import (
    Domain,
    Failure,
    Material,
    Period,
    Silence,
    Sum,
)
from tlsrpt_mailer.alerts.directory import Directory, Owner
from tlsrpt_mailer.alerts.model import SEVERITIES, Item
from tlsrpt_mailer.alerts.route import charge
from tlsrpt_mailer.report.times import DAY, Span, Time

FRESH: Span = 14 * DAY
"""How long before the period a reporter stopped that is news in it: silence is known late."""

Cause: TypeAlias = tuple[Failure, ...]
"""Failures of one cause, worst first."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What one recipient reads."""

    recipient: str
    period: Period
    now: Time
    domains: tuple[DomainLine, ...]
    """Worst first."""
    open: tuple[Cause, ...] = ()
    """Critical and warning, worst first."""
    small: tuple[Cause, ...] = ()
    """Notice and low: nobody is mailed about them."""
    stale: tuple[Failure, ...] = ()
    closed: tuple[Failure, ...] = ()
    mended: tuple[Failure, ...] = ()
    untold: tuple[Failure, ...] = ()
    """Began and ended without a mail to anybody."""
    silences: tuple[Silence, ...] = ()
    reporters: tuple[ReporterLine, ...] = ()
    certificates: tuple[tuple[str, Time], ...] = ()
    """MX host and when the first certificate ends that it shows; the nearest end first."""

    @property
    def total(self) -> Sum:
        """The sessions to all domains."""
        return sum((line.total for line in self.domains), Sum())

    @property
    def reporting(self) -> tuple[DomainLine, ...]:
        """Domains that any report of the days speaks of."""
        return tuple(line for line in self.domains if line.total.reports)

    @property
    def missing(self) -> tuple[str, ...]:
        """Domains that had reports in the four weeks, and none in the days of this digest."""
        return tuple(line.name for line in self.domains if line.seen and not line.total.reports)

    @property
    def open_failures(self) -> tuple[Failure, ...]:
        """The failures of `open`, worst first."""
        return tuple(one for cause in self.open for one in cause)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say but that all is well."""
        news = (self.open, self.small, self.stale, self.closed, self.mended, self.untold)
        # A reporter that stays away is said again, but is no reason to write.
        fresh = self.period.begin - FRESH
        silent = any(one.last > fresh or one.resumed_at for one in self.silences)
        bad = silent or self.missing or self.total.failed or self.is_blind
        return not any(news) and not bad

    @property
    def is_blind(self) -> bool:
        """Whether not one report came about domains that had some before."""
        return bool(self.domains) and not self.reporting and any(one.seen for one in self.domains)


def readers(item: Item, directory: Directory) -> tuple[Owner, ...]:
    """Whose digest a failure stands in: who mends it, and the domain's owners if they may know."""
    found = charge(item.domain, item.result_type, item.cause_mx or item.mx, directory)
    if found.tell == "none":
        return found.mending
    return tuple(dict.fromkeys((*found.mending, *found.watching)))


class Shares:
    """What of the material is whose."""

    def __init__(self, material: Material, directory: Directory) -> None:
        self.material = material
        self._domains: defaultdict[str, list[Domain]] = defaultdict(list)
        self._failures: defaultdict[str, list[Failure]] = defaultdict(list)
        for domain in material.domains.values():
            for address in _addresses(directory.owners_of(domain.name), directory):
                self._domains[address].append(domain)
        for failure in material.failures:
            names = _addresses(readers(failure.item, directory), directory)
            assigned = failure.item.assigned
            if assigned is not None and assigned.assignee and failure.item.is_open:
                names.append(directory.spelled(assigned.assignee))
            for address in dict.fromkeys(names):
                self._failures[address].append(failure)

    def addresses(self) -> list[str]:
        """Everybody who owns a domain, or something that failed; sorted."""
        return sorted({*self._domains, *self._failures})

    def page(self, address: str) -> Page:
        """What *address* reads; empty where nothing is theirs."""
        domains = self._domains.get(address, [])
        failures = sorted(self._failures.get(address, []), key=_rank)
        period = self.material.period
        ongoing = [one for one in failures if one.item.is_open and one.item.state != "stale"]
        ended = [one for one in failures if not one.item.is_open]
        return Page(
            recipient=address,
            period=period,
            now=self.material.now,
            domains=tuple(sorted((domain_line(one, self.material) for one in domains), key=worst)),
            open=by_cause(one for one in ongoing if not is_small(one)),
            small=by_cause(one for one in ongoing if is_small(one)),
            stale=tuple(one for one in failures if one.item.state == "stale"),
            closed=tuple(one for one in ended if one.item.state == "closed"),
            mended=tuple(one for one in ended if _is_mended(one)),
            untold=tuple(one for one in ended if one.item.state != "closed" and not one.told_at),
            silences=_silences(self.material.silences, {one.name for one in domains}),
            reporters=reporter_lines(domains, period),
            certificates=_certificates(domains, self.material.certificates),
        )


def _certificates(
    domains: Iterable[Domain], ends: Mapping[str, Time]
) -> tuple[tuple[str, Time], ...]:
    hosts = {host for one in domains if one.looked is not None for host in one.looked.mx}
    found = [(host, ends[host]) for host in hosts if host in ends]
    return tuple(sorted(found, key=lambda pair: (pair[1], pair[0])))


def is_small(failure: Failure) -> bool:
    """Whether it is of no mail's worth: notice or low."""
    return failure.item.severity in {"notice", "low"}


def _is_mended(failure: Failure) -> bool:
    return failure.item.state != "closed" and failure.told_at is not None


def _addresses(owners: Iterable[Owner], directory: Directory) -> list[str]:
    """Each once, however it is written."""
    found = (address for owner in owners for address in owner.addresses)
    return list(dict.fromkeys(map(directory.spelled, found)))


def _rank(failure: Failure) -> tuple[int, int, int]:
    item = failure.item
    return SEVERITIES.index(item.severity), -item.failed, item.failure


def is_handled(failure: Failure) -> bool:
    """Whether somebody has it, or wants to hear nothing of it."""
    return failure.item.state in {"acknowledged", "fixed?", "muted"} or failure.item.is_quiet


def is_nobodys(failure: Failure) -> bool:
    """Whether nobody has it, nor was handed it."""
    assigned = failure.item.assigned
    return not is_handled(failure) and not (assigned is not None and assigned.assignee)


def by_cause(failures: Iterable[Failure]) -> tuple[Cause, ...]:
    """The failures by what they have in common, worst first; what nobody has before the rest."""
    causes: dict[int, list[Failure]] = {}
    for failure in sorted(failures, key=_rank):
        causes.setdefault(failure.item.cause, []).append(failure)
    return tuple(sorted((tuple(found) for found in causes.values()), key=_cause_rank))


def _cause_rank(cause: Cause) -> tuple[int, bool, int, int]:
    severity, _, number = _rank(cause[0])
    handled = all(is_handled(one) for one in cause)
    return severity, handled, -sum(one.item.failed for one in cause), number


def _silences(silences: Iterable[Silence], own: set[str]) -> tuple[Silence, ...]:
    """Those about domains of the reader's, one a reporter; each is of one domain so far."""
    found: defaultdict[tuple[str, bool], list[Silence]] = defaultdict(list)
    for one in silences:
        if own.issuperset(one.domains):
            found[one.reporter, one.resumed_at is not None].append(one)
    return tuple(
        Silence(
            reporter=reporter,
            domains=tuple(name for one in found[reporter, over] for name in one.domains),
            last=max(one.last for one in found[reporter, over]),
            resumed_at=max(one.resumed_at or 0 for one in found[reporter, over]) or None,
        )
        for reporter, over in sorted(found)
    )
