"""
What is due, put together: one mail a cause, and one for what a maintenance left behind.

The groups of one cause share a rhythm: its first mail waits a moment for company, domains
that join and what gets worse come at most every `group_interval`, good news ends it at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from tlsrpt_mailer.alerts.due import due
from tlsrpt_mailer.alerts.model import (
    SEVERITIES,
    Event,
    Group,
    Item,
    Kind,
    Past,
    Settings,
    Told,
    Transition,
)
from tlsrpt_mailer.alerts.unanswered import is_muted

Rank: TypeAlias = tuple[int, bool, bool, int, int]


def rank(item: Item) -> Rank:
    """The order within a mail, worst first."""
    # One that names the MX speaks for its cause: what to do begins with that name.
    severity = SEVERITIES.index(item.severity)
    return severity, item.state == "stale", item.mx is None, -item.failed, item.failure


def transition(item: Item, before: Told | None, event: Event) -> Transition:
    """One thing to tell, counted."""
    return Transition(item, event, 1 if before is None else before.mails + 1, before)


def make_group(
    recipient: str,
    kind: Kind,
    transitions: Iterable[Transition],
    others: Iterable[Transition] = (),
    references: tuple[str, ...] = (),
) -> Group:
    """A mail with its parts in order: what it is about in front, then the worst."""
    return Group(
        recipient=recipient,
        kind=kind,
        transitions=tuple(
            sorted(transitions, key=lambda row: (_is_beside(row, kind), rank(row.item)))
        ),
        others=tuple(sorted(others, key=lambda row: rank(row.item))),
        references=references,
    )


def marker(maintenance: int) -> str:
    """The step by which a `Told` row remembers that a mail on this maintenance told it."""
    return f"maintenance-{maintenance}"


def of_causes(
    recipient: str,
    items: Iterable[Item],
    known: Mapping[int, Told],
    settings: Settings,
    past: Past,
) -> list[Group]:
    """The mails that are due on each cause among *items*."""
    found = []
    for of_cause in _by_cause(items):
        rows = [
            transition(item, known.get(item.failure), event)
            for item in of_cause
            if (event := due(item, known.get(item.failure), settings)) is not None
        ]
        if rows:
            found += _groups(recipient, of_cause, rows, known, settings, past)
    return found


def of_maintenance(
    recipient: str, items: Sequence[Item], known: Mapping[int, Told], settings: Settings
) -> list[Group]:
    """
    One mail a maintenance: what fails after it, over all causes, and was not told before.

    What comes in late about it follows at most every `group_interval`.
    """
    rows: defaultdict[int, list[Transition]] = defaultdict(list)
    for item in items:
        if item.maintenance is not None and is_left_behind(item, known, settings):
            before = known.get(item.failure)
            event = due(item, before, settings) or "new"
            rows[item.maintenance].append(transition(item, before, event))
    return [
        make_group(recipient, "maintenance", rows[number], (), _references(known, rows[number]))
        for number in sorted(rows)
        if _is_over_due(number, rows[number], known, settings)
    ]


def is_left_behind(item: Item, known: Mapping[int, Told], settings: Settings) -> bool:
    """Whether it is news that a maintenance has left behind."""
    before = known.get(item.failure)
    event = due(item, before, settings)
    return event is not None and is_from_maintenance(transition(item, before, event))


def is_from_maintenance(row: Transition) -> bool:
    """Whether it tells first of what a maintenance has touched."""
    return row.item.maintenance is not None and row.event in {"new", "regressed"}


def _is_over_due(
    number: int, rows: Iterable[Transition], known: Mapping[int, Told], settings: Settings
) -> bool:
    mark = marker(number)
    last = max((row.at for row in known.values() if mark in row.steps), default=None)
    if last is not None:
        return settings.now >= last + settings.group_interval
    first = min(row.item.last_received or row.item.first_received for row in rows)
    return settings.close_groups or settings.now >= first + settings.group_wait


def _is_beside(row: Transition, kind: Kind) -> bool:
    """Whether a mail about something worse only mentions it."""
    return kind in {"worsened", "not-fixed"} and row.event != kind


def _by_cause(items: Iterable[Item]) -> list[list[Item]]:
    causes: defaultdict[int, list[Item]] = defaultdict(list)
    for item in items:
        causes[item.cause].append(item)
    return [causes[number] for number in sorted(causes)]


def _groups(
    recipient: str,
    items: Iterable[Item],
    rows: Sequence[Transition],
    known: Mapping[int, Told],
    settings: Settings,
    past: Past,
) -> list[Group]:
    """The mails that are due on one cause: bad news and good news are two mails."""
    bad = [row for row in rows if row.event != "resolved"]
    worse = [row for row in bad if row.event in {"worsened", "not-fixed"}]
    over = [row for row in rows if row.event == "resolved"]
    # An item that came back is bad news itself, so it is no company for joiners.
    told_now = {row.item.failure for row in rows}
    still = [
        transition(item, row, "left")
        for item in items
        if item.is_open
        and item.failure not in told_now
        and not is_muted(item, settings.now)
        and (row := known.get(item.failure)) is not None
        and row.is_open
    ]
    threads = _references(known, items=items)
    groups = []
    if bad and _bad_news_is_due(bad, [*still, *worse], settings, past):
        groups.append(make_group(recipient, _kind(bad, still), bad, still, threads))
    # What got worse is told before it is named as what is left.
    if over and not worse and _good_news_is_due(over, still, settings):
        groups.append(make_group(recipient, "resolved", over, still, threads))
    return groups


def _kind(bad: Iterable[Transition], still: Sequence[Transition]) -> Kind:
    events = {row.event for row in bad}
    if "worsened" in events:
        return "worsened"
    if "not-fixed" in events:
        return "not-fixed"
    if still:
        return "joined"
    return "regressed" if "regressed" in events else "new"


def _bad_news_is_due(
    bad: Sequence[Transition], still: Sequence[Transition], settings: Settings, past: Past
) -> bool:
    """The first mail of a cause waits a moment for its company; what follows has a rhythm."""
    if any(row.event == "not-fixed" for row in bad):
        return True
    if still:
        told = max(row.before.at for row in still if row.before)
        last = max(past.last_mail.get(bad[0].item.cause, told), told)
        return settings.now >= last + settings.group_interval
    first = min(row.item.first_received for row in bad)
    return settings.close_groups or settings.now >= first + settings.group_wait


def _good_news_is_due(
    over: Iterable[Transition], still: Sequence[Transition], settings: Settings
) -> bool:
    """At once when the whole cause is over; else one partly resolved mail, once."""
    if not still:
        return True
    if any(row.before and row.before.event == "left" for row in still):
        return False
    ended = (row.item.noticed_at or row.item.resolved_at or settings.now for row in over)
    return settings.now >= min(ended) + settings.resolve_wait


def _references(
    known: Mapping[int, Told], rows: Iterable[Transition] = (), items: Iterable[Item] = ()
) -> tuple[str, ...]:
    """The threads of a cause, oldest first, three at most: a header, no archive."""
    failures = [row.item.failure for row in rows] + [item.failure for item in items]
    told = [known[failure] for failure in failures if failure in known]
    told.sort(key=lambda row: (row.at, row.failure))
    return tuple(dict.fromkeys(row.message_id for row in told if row.message_id))[:3]
