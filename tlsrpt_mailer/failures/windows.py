"""
From a report to its windows, and from many windows to the ones that count.

The rules are explained in docs/explanation/what-counts-as-new.md.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence

from tlsrpt_mailer.failures.model import Sessions, Sighting, Window
from tlsrpt_mailer.report.dialects import ReasonClasses
from tlsrpt_mailer.report.hosts import normalise_host
from tlsrpt_mailer.report.model import FailureDetail, Policy, Report
from tlsrpt_mailer.report.result_types import POLICY_TYPES, RESULT_TYPES
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

LONGEST: Span = 32 * DAY
"""A month and a bit: what is longer says nothing about when."""
AHEAD: Span = 26 * HOUR
"""Stalwart closes a window ahead of its end, and clocks and zones differ by up to a day."""
OVERLAP: Span = HOUR
"""Windows cut at slightly different moments are still two windows."""
MOST_NAMES = 50
"""MX names, unknown result types and unknown policy types each, before they fold."""
OTHER = "other"
STRANGERS = "other (unknown)"
"""The same for reporters without standing: no host bears such a name."""
FOLDED = frozenset({OTHER, STRANGERS})
UNSPECIFIED = "unspecified"
"""The result type of failed sessions for which a report gives no details at all."""
GENERIC = frozenset({"validation-failure", UNSPECIFIED})
"""Result types that say only that it failed."""
MOST = 2**63 - 1
"""The greatest number that the database holds."""

STS_POLICY = frozenset(kind.name for kind in RESULT_TYPES.values() if kind.family == "MTA-STS")
"""Types that speak of the policy, not of an MX."""
KNOWN_TYPES = frozenset(RESULT_TYPES) | {UNSPECIFIED}
STRICTEST = ("enforce", "testing", "none")


def not_counted(report: Report, received: Time) -> str | None:
    """Why a report drives no state, as a deviation for a person to read; None when it does."""
    span = _range(report, received)
    return span if isinstance(span, str) else None


def windows_of(
    report: Report,
    *,
    reporter: str,
    received: Time,
    date: Time,
    digest: bytes,
    number: int = 0,
) -> list[Window]:
    """
    What a report says of each of its policy domains; empty where `not_counted` says why.

    Args:
        report: The report, normalised.
        reporter: Who counts as its author, reduced to the organisational domain.
        received: When we took the mail.
        date: The mail's Date header, else *received*.
        digest: Of the canonical JSON.
        number: The store's number of the report, once it has one.
    """
    span = _range(report, received)
    if isinstance(span, str):
        return []
    by_domain: dict[str, list[Policy]] = {}
    for policy in report.policies:
        if policy.policy_domain:
            by_domain.setdefault(policy.policy_domain, []).append(policy)
    windows = []
    classes = ReasonClasses()
    for domain, policies in by_domain.items():
        groups = _by_type(policies)
        windows.append(
            Window(
                domain=domain,
                reporter=reporter,
                start=span[0],
                end=span[1],
                report=number,
                received=received,
                date=date,
                digest=digest,
                sessions=tuple(_sessions(name, group) for name, group in groups.items()),
                sightings=_sightings(groups, classes),
            )
        )
    return windows


def effective(windows: Iterable[Window]) -> list[Window]:
    """
    The windows that count, in no particular order.

    Of one reporter's windows about one domain that overlap by more than an
    hour one stays: that of the later Date, else of more sessions, else of the
    greater digest. The best of all is taken first, then the best of those
    that are clear of it, and so on, so the order of arrival plays no part.
    """
    lines: dict[tuple[str, str], list[Window]] = {}
    for window in windows:
        lines.setdefault((window.domain, window.reporter), []).append(window)
    kept: list[Window] = []
    for line in lines.values():
        kept.extend(_clear(line))
    return kept


def counts_instead(window: Window, counted: Iterable[Window]) -> Window | None:
    """The one of *counted*, all of one reporter and domain, that *window* gave way to."""
    return next(
        (
            other
            for other in counted
            if other is not window
            and min(other.end, window.end) - max(other.start, window.start) > OVERLAP
        ),
        None,
    )


def successes(window: Window) -> int:
    """
    The most successful sessions of one policy type.

    Never a sum: one session may stand under several, as each policy is
    reported for itself (RFC 8460, 4).
    """
    return max((counts.successful for counts in window.sessions), default=0)


def folded(names: Collection[str], common: Collection[str] = ()) -> frozenset[str]:
    """Those of *names*, given in order of preference, past the limit: they become `OTHER`."""
    if len(names) <= MOST_NAMES:
        return frozenset()
    return frozenset([name for name in names if name not in common][MOST_NAMES:])


def _range(report: Report, received: Time) -> tuple[Time, Time] | str:
    if report.start is None or report.end is None:
        return "date-range: no readable start and end, so it counts for nothing"
    # Google, Microsoft and mox write 23:59:59 for a day that Mail.ru ends at 00:00:00.
    end = report.end + 1 if report.end % 60 == 59 else report.end
    if report.start >= end:
        return "date-range: the end is not after the start, so it counts for nothing"
    if end - report.start > LONGEST:
        return "date-range: longer than 32 days, so it counts for nothing"
    if end > received + AHEAD:
        return "date-range: ends over 26 hours after the mail came, so it counts for nothing"
    return report.start, end


def _by_type(policies: Sequence[Policy]) -> dict[str, list[Policy]]:
    names = sorted({policy.policy_type.lower() for policy in policies})
    surplus = folded(names, POLICY_TYPES)
    groups: dict[str, list[Policy]] = {OTHER if name in surplus else name: [] for name in names}
    for policy in policies:
        name = policy.policy_type.lower()
        groups[OTHER if name in surplus else name].append(policy)
    return groups


def _sessions(name: str, policies: Sequence[Policy]) -> Sessions:
    return Sessions(
        policy_type=name,
        successful=min(MOST, sum(policy.successful_sessions for policy in policies)),
        failed=min(MOST, sum(policy.failed_sessions for policy in policies)),
        mode=_mode(policies),
    )


def _mode(policies: Sequence[Policy]) -> str | None:
    # Google quotes two versions of a policy that changed during the day: the
    # one under which sessions failed says what became of them.
    failing = {policy.mode for policy in policies if policy.failed_sessions}
    quoted = {policy.mode for policy in policies}
    for modes in (failing, quoted):
        for mode in STRICTEST:
            if mode in modes:
                return mode
    return None


class _Sum:
    """Rows of one identity, added up."""

    __slots__ = ("reasons", "sessions")

    def __init__(self) -> None:
        self.sessions = 0
        self.reasons: set[str] = set()


def _sightings(groups: dict[str, list[Policy]], classes: ReasonClasses) -> tuple[Sighting, ...]:
    rows: dict[tuple[str, str, str | None], _Sum] = {}
    for name, policies in groups.items():
        named = any(_names_mx(policy, row) for policy in policies for row in policy.failure_details)
        counted = False
        for policy in policies:
            for detail in policy.failure_details:
                if detail.failed_sessions:
                    counted = True
                    row = _row(rows, name, policy, detail, named)
                    row.sessions += detail.failed_sessions
                    if (reason := classes.of(detail.failure_reason_code)) is not None:
                        row.reasons.add(reason)
        failed = sum(policy.failed_sessions for policy in policies)
        if failed and not counted:
            rows.setdefault((name, UNSPECIFIED, None), _Sum()).sessions += failed
    if not rows:
        return ()
    return _fold(rows)


def _names_mx(policy: Policy, detail: FailureDetail) -> bool:
    """Whether the row says what failed, and at which MX."""
    if not detail.failed_sessions:
        return False
    result_type = _type(detail)
    return result_type not in GENERIC and _mx(result_type, policy, detail) is not None


def _type(detail: FailureDetail) -> str:
    return detail.result_type.strip().lower() or UNSPECIFIED


def _row(
    rows: dict[tuple[str, str, str | None], _Sum],
    name: str,
    policy: Policy,
    detail: FailureDetail,
    named: bool,
) -> _Sum:
    """The sum that the row of details belongs to."""
    result_type = _type(detail)
    # A generic row without a host stays without one beside a row that says more: it joins that
    # one (identity.rows_of), also where the policy has a single MX.
    joins = named and result_type in GENERIC and not detail.receiving_mx_hostname
    mx = None if joins else _mx(result_type, policy, detail)
    return rows.setdefault((name, result_type, mx), _Sum())


def _mx(result_type: str, policy: Policy, detail: FailureDetail) -> str | None:
    if result_type in STS_POLICY or result_type.startswith("sts-policy-"):
        return None
    if detail.receiving_mx_hostname:
        return normalise_host(detail.receiving_mx_hostname)
    if len(policy.mx_host) == 1 and "*" not in policy.mx_host[0]:
        return normalise_host(policy.mx_host[0])
    return None


def _fold(rows: dict[tuple[str, str, str | None], _Sum]) -> tuple[Sighting, ...]:
    hosts = folded(sorted({mx for _, _, mx in rows if mx is not None}))
    types = folded(sorted({kind for _, kind, _ in rows} - KNOWN_TYPES))
    sums: dict[tuple[str, str, str | None], _Sum] = {}
    for (name, kind, mx), row in rows.items():
        key = (name, OTHER if kind in types else kind, OTHER if mx in hosts else mx)
        total = sums.setdefault(key, _Sum())
        total.sessions += row.sessions
        total.reasons |= row.reasons
    return tuple(
        Sighting(name, kind, mx, min(MOST, total.sessions), tuple(sorted(total.reasons)))
        for (name, kind, mx), total in sorted(sums.items(), key=_order)
    )


def _order(item: tuple[tuple[str, str, str | None], _Sum]) -> tuple[str, str, str]:
    name, kind, mx = item[0]
    return name, kind, mx or ""


def _clear(line: list[Window]) -> list[Window]:
    """The windows of one reporter and domain that stay."""
    if len(line) == 1:
        return line
    line = sorted(line, key=_by_start)
    # Two windows overlap by more than an hour just when, each shortened by an
    # hour at its end, they still meet.
    reach = line[0].start
    for window in line:
        if window.start < reach or window.end - OVERLAP <= window.start:
            return _best(line)
        reach = window.end - OVERLAP
    return line


def _by_start(window: Window) -> Time:
    return window.start


def _rank(window: Window) -> tuple[Time, int, bytes, Time, Time, int, int]:
    sessions = sum(counts.successful + counts.failed for counts in window.sessions)
    return (
        window.date,
        sessions,
        window.digest,
        window.start,
        window.end,
        -window.received,
        -window.report,
    )


def _best(line: Sequence[Window]) -> list[Window]:
    kept: list[Window] = []
    starts: list[Time] = []
    ends: list[Time] = []
    seen: set[tuple[Time, Time, bytes]] = set()
    for window in sorted(line, key=_rank, reverse=True):
        same = (window.start, window.end, window.digest)
        if same in seen:
            continue
        seen.add(same)
        end = window.end - OVERLAP
        if end > window.start:
            place = bisect_left(starts, window.start)
            if place and ends[place - 1] > window.start:
                continue
            if place < len(starts) and starts[place] < end:
                continue
            starts.insert(place, window.start)
            ends.insert(place, end)
        kept.append(window)
    return kept
