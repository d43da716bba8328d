"""The fleet in figures: what the operator's page says, over all domains."""

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from tlsrpt_mailer.alerts.digest_lines import has_dane, mode_of
from tlsrpt_mailer.alerts.digest_model import AnswerTime, Failure, Intake, Material, Period
from tlsrpt_mailer.alerts.digest_pages import Cause, by_cause, is_small
from tlsrpt_mailer.alerts.directory import Directory
from tlsrpt_mailer.report.times import Span, Time

NO_GROUP = "(no group)"


class GroupLine(msgspec.Struct, frozen=True, kw_only=True):
    """How far the domains of one group have come, as looks and reports tell."""

    name: str
    domains: int
    looked: int
    """Of how many the TLSRPT record was looked up."""
    record: int
    """Of how many it is right."""
    broken: int
    """Of how many it is there, and not right."""
    reporting: int
    mta_sts: int
    enforce: int
    dane: int


class OperatorPage(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever runs the program reads: over all domains."""

    period: Period
    now: Time
    critical: tuple[Cause, ...]
    """The open critical ones, worst first."""
    warnings: int
    """Open failures."""
    small: int
    groups: tuple[GroupLine, ...]
    nobodys: tuple[str, ...]
    """Domains without an owner, or whose owners' addresses the relay refuses."""
    has_owners: bool
    intake: Intake
    to_answer: tuple[tuple[str, Span], ...]
    """(severity, median from the first mail to the first answer)."""
    to_end: Span | None
    """Median from the first mail to the news that it is over."""
    mails: tuple[tuple[str, int], ...]
    """Alerts by recipient, most first."""

    @property
    def domains(self) -> int:
        """All that reports speak of or the configuration names."""
        return sum(line.domains for line in self.groups)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that anybody must do."""
        bad = self.intake.trouble or self.intake.mails.get("quarantined")
        return not (self.critical or self.warnings or bad)


def operator_page(material: Material, directory: Directory) -> OperatorPage:
    """The page of this material."""
    ongoing = [one for one in material.failures if one.item.is_open and one.item.state != "stale"]
    loud = [one for one in ongoing if not is_small(one)]
    critical = [one for one in loud if one.item.severity == "critical"]
    counts = Counter(material.mails)
    return OperatorPage(
        period=material.period,
        now=material.now,
        critical=by_cause(critical),
        warnings=len(loud) - len(critical),
        small=len(ongoing) - len(loud),
        groups=_groups(material, directory),
        nobodys=_nobodys(material, directory),
        has_owners=any(not owner.is_default for owner in directory.all_owners()),
        intake=material.intake,
        to_answer=_to_answer(material.answered),
        to_end=_to_end(material.failures),
        mails=tuple(counts.most_common()),
    )


def _groups(material: Material, directory: Directory) -> tuple[GroupLine, ...]:
    period = material.period
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for domain in material.domains.values():
        mode, record = mode_of(domain), domain.looked and domain.looked.record
        if record == "unneeded":
            continue  # What takes no mail is in nobody's share.
        count = counts[directory.group_of(domain.name) or NO_GROUP]
        count["domains"] += 1
        count["looked"] += record is not None
        count["record"] += record == "right"
        count["broken"] += record in {"broken", "elsewhere"}
        count["reporting"] += any(
            one.reports and period.since <= day < period.until for day, one in domain.days.items()
        )
        count["mta_sts"] += mode not in {None, "none", "broken"}
        count["enforce"] += mode == "enforce"
        count["dane"] += has_dane(domain)
    lines = [
        GroupLine(
            name=name,
            domains=count["domains"],
            looked=count["looked"],
            record=count["record"],
            broken=count["broken"],
            reporting=count["reporting"],
            mta_sts=count["mta_sts"],
            enforce=count["enforce"],
            dane=count["dane"],
        )
        for name, count in counts.items()
    ]
    return tuple(sorted(lines, key=lambda line: (line.name == NO_GROUP, -line.domains, line.name)))


def _nobodys(material: Material, directory: Directory) -> tuple[str, ...]:
    return tuple(
        name
        for name in sorted(material.domains)
        if directory.is_nobodys(name)
        or all(
            address in material.refused
            for owner in directory.owners_of(name)
            for address in owner.addresses
        )
    )


def _to_answer(answered: Iterable[AnswerTime]) -> tuple[tuple[str, Span], ...]:
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    for one in answered:
        spans[one.severity].append(one.after)
    wanted = [name for name in ("critical", "warning") if spans[name]]
    return tuple((name, _median(spans[name])) for name in wanted)


def _median(spans: Iterable[Span]) -> Span:
    ordered = sorted(spans)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


def _to_end(failures: Iterable[Failure]) -> Span | None:
    spans = [
        one.ended_at - one.told_at
        for one in failures
        if one.item.state == "resolved" and one.ended_at is not None and one.told_at is not None
    ]
    return _median(spans) if spans else None
