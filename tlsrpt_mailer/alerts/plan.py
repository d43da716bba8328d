"""
What is due to one recipient: the difference between what is and what was told.

Nothing is queued. Every call compares the present verdicts with the `Told` rows
and says which mails would close the difference now; waiting is done by calling
again later (docs/explanation/what-counts-as-new.md).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

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
from tlsrpt_mailer.report.times import HOUR, Time

AGED_AT_MOST = 5
"""So many failures may stay silent by age; past that, one summary explains them."""


def hour_start(now: Time) -> Time:
    """Where the clock hour of *now* began: `Past.mails` counts from there."""
    return now - now % HOUR


def plan(
    recipient: str,
    items: Sequence[Item],
    told: Iterable[Told],
    settings: Settings,
    past: Past | None = None,
) -> list[Group]:
    """
    The mails that are due to *recipient* at ``settings.now``, most urgent first.

    *items* are all failures of the recipient's that are open, or were told open and have
    ended; *told* has one row a failure at most, this recipient's; *past* counts from
    `hour_start`.
    """
    past = past or Past()
    known = {row.failure: row for row in told}
    summary = _summary(items, known, settings)
    summed = {item.failure for item in summary}
    seen = [_as_told(item, known.get(item.failure), settings) for item in items]
    groups = [
        group
        for of_cause in _by_cause(seen)
        for group in _groups(recipient, of_cause, known, settings, past, summed)
    ]
    groups.sort(key=_urgency)
    if summary:
        groups.insert(
            0, _group(recipient, "summary", [_transition(item, None, "new") for item in summary])
        )
    # The cap comes first: what else is open is looked up only for mails that go out.
    return [_with_elsewhere(group, items) for group in _capped(recipient, groups, settings, past)]


def told_after(group: Group, now: Time, message_id: str) -> list[Told]:
    """
    The `Told` rows that hold once the mail of *group* is written; store them with it.

    A ``left`` row keeps a cause from sending a second partly resolved mail.
    """
    rows = group.transitions + (group.others if group.is_partial else ())
    return [
        Told(
            failure=row.item.failure,
            incident=row.item.incident,
            event=row.event,
            at=now,
            resolved_at=row.item.resolved_at if row.event == "resolved" else None,
            mails=row.n,
            message_id=_thread(row, group) or message_id,
        )
        for row in rows
    ]


def _thread(row: Transition, group: Group) -> str | None:
    """The first mail of the failure's thread, else of its cause's."""
    if row.before is not None and row.before.message_id:
        return row.before.message_id
    return group.references[0] if group.references else None


# ------------------------------------------------------------------- one failure


def _mails_at_once(item: Item, settings: Settings) -> bool:
    """Whether its severity is worth a mail of its own; notice and low go into the digest."""
    limit = min(SEVERITIES.index(settings.min_severity), SEVERITIES.index("warning"))
    return SEVERITIES.index(item.severity) <= limit and item.state != "muted"


def _as_told(item: Item, before: Told | None, settings: Settings) -> Item:
    """
    *item*, or the incident that the recipient was told of, where that one is over.

    Known reporters have acquitted, and what goes on since is a new incident that nobody is
    told of: seen by strangers alone, or too small. The recipient is owed the end of the old one.
    """
    past = item.previous
    if (
        before is None
        or not before.is_open
        or past is None
        or past.resolved_at is None
        or not item.is_open
        or item.state == "muted"
        or _mails_at_once(item, settings)
        # A report about long ago can find an incident before the one that was told.
        or item.incident <= before.incident
        or past.first_received > before.at
    ):
        return item
    return msgspec.structs.replace(
        item,
        incident=past.incident,
        state="resolved",
        severity=past.severity,
        first_seen=past.first_seen,
        last_seen=past.last_seen,
        first_received=past.first_received,
        resolved_at=past.resolved_at,
        failed=past.failed_sessions,
        sessions=past.sessions,
    )


def _is_aged(item: Item, settings: Settings) -> bool:
    return item.last_seen <= settings.now - settings.max_age


def _untold(item: Item, known: Mapping[int, Told]) -> bool:
    return item.is_open and item.failure not in known


def _event(item: Item, before: Told | None, settings: Settings) -> Event | None:
    """What of *item* is due, leaving all waiting aside; None where nothing is."""
    if not item.is_open:
        over = item.state == "resolved" and before is not None and before.is_open
        return "resolved" if over else None
    if not _mails_at_once(item, settings):
        return None
    if before is None:
        return None if _is_aged(item, settings) else "new"
    return "regressed" if _came_back(item, before) else None


def _came_back(item: Item, before: Told) -> bool:
    """
    Whether the open *item* is another incident than the one that was told.

    Told resolved: a failing window began at or after that end. A late report about earlier
    time changes history, not the mailbox.
    Told open: a whole incident passed unseen. A higher number is not enough, since a report
    about long ago can find an incident before the one told; it must have begun after the mail.
    """
    if before.resolved_at is not None:
        return item.last_start >= before.resolved_at
    return item.incident > before.incident and item.first_seen >= before.at


def _transition(item: Item, before: Told | None, event: Event) -> Transition:
    return Transition(item, event, 1 if before is None else before.mails + 1, before)


# --------------------------------------------------------------------- one cause


def _by_cause(items: Iterable[Item]) -> list[list[Item]]:
    causes: defaultdict[int, list[Item]] = defaultdict(list)
    for item in items:
        causes[item.cause].append(item)
    return [causes[number] for number in sorted(causes)]


def _groups(
    recipient: str,
    items: list[Item],
    known: Mapping[int, Told],
    settings: Settings,
    past: Past,
    summed: set[int],
) -> list[Group]:
    """The mails that are due on one cause: bad news and good news are two mails."""
    due = [
        _transition(item, known.get(item.failure), event)
        for item in items
        if item.failure not in summed
        and (event := _event(item, known.get(item.failure), settings)) is not None
    ]
    bad = [row for row in due if row.event != "resolved"]
    over = [row for row in due if row.event == "resolved"]
    # An item that came back is bad news itself, so it is no company for joiners.
    back = {row.item.failure for row in bad}
    still = [
        _transition(item, row, "left")
        for item in items
        if item.is_open
        and item.failure not in back
        and (row := known.get(item.failure)) is not None
        and row.is_open
    ]
    threads = _references([known[item.failure] for item in items if item.failure in known])
    groups = []
    if bad and _bad_news_is_due(bad, still, settings, past):
        kind: Kind = "regressed" if any(row.event == "regressed" for row in bad) else "new"
        groups.append(_group(recipient, "joined" if still else kind, bad, still, threads))
    if over and _good_news_is_due(over, still, settings):
        groups.append(_group(recipient, "resolved", over, still, threads))
    return groups


def _bad_news_is_due(
    bad: list[Transition], still: list[Transition], settings: Settings, past: Past
) -> bool:
    """The first mail of a cause waits a moment for its company; joiners have a rhythm."""
    if still:
        cause = still[0].item.cause
        told = max(row.before.at for row in still if row.before)
        last = max(past.last_mail.get(cause, told), told)
        return settings.now >= last + settings.group_interval
    first = min(row.item.first_received for row in bad)
    return settings.close_groups or settings.now >= first + settings.group_wait


def _good_news_is_due(over: list[Transition], still: list[Transition], settings: Settings) -> bool:
    """At once when the whole cause is over; else one partly resolved mail, once."""
    if not still:
        return True
    if any(row.before and row.before.event == "left" for row in still):
        return False
    ended = (row.item.noticed_at or row.item.resolved_at or settings.now for row in over)
    return settings.now >= min(ended) + settings.resolve_wait


def _references(rows: Iterable[Told]) -> tuple[str, ...]:
    """The threads of a cause, oldest first, three at most: a header, no archive."""
    ordered = sorted(rows, key=lambda row: (row.at, row.failure))
    return tuple(dict.fromkeys(row.message_id for row in ordered if row.message_id))[:3]


# --------------------------------------------------------------- all together


def _summary(items: Sequence[Item], known: Mapping[int, Told], settings: Settings) -> list[Item]:
    """What one mail about an old mailbox explains: empty where age silences few."""
    untold = [
        item
        for item in items
        if _untold(item, known) and item.severity != "low" and item.state != "muted"
    ]
    # Notices wait for the digest at any age: silence about them is no news.
    aged = [item for item in untold if _is_aged(item, settings) and _mails_at_once(item, settings)]
    return untold if len(aged) > AGED_AT_MOST else []


_Rank: TypeAlias = tuple[int, bool, bool, int, int]


def _rank(item: Item) -> _Rank:
    # One that names the MX speaks for its cause: what to do begins with that name.
    severity = SEVERITIES.index(item.severity)
    return severity, item.state == "stale", item.mx is None, -item.failed, item.failure


def _group(
    recipient: str,
    kind: Kind,
    transitions: Iterable[Transition],
    others: Iterable[Transition] = (),
    references: tuple[str, ...] = (),
) -> Group:
    return Group(
        recipient=recipient,
        kind=kind,
        transitions=tuple(sorted(transitions, key=lambda row: _rank(row.item))),
        others=tuple(sorted(others, key=lambda row: _rank(row.item))),
        references=references,
    )


def _urgency(group: Group) -> tuple[bool, _Rank]:
    """Bad news first, the worst of it in front."""
    return group.kind == "resolved", _rank(group.items[0])


def _with_elsewhere(group: Group, items: Sequence[Item]) -> Group:
    """Add what else is open on the domain; a mail on many domains is long enough without."""
    domains = {item.domain for item in group.items}
    if len(domains) > 1 or group.kind == "resolved":
        return group
    here = {row.item.failure for row in (*group.transitions, *group.others)}
    also = [
        item
        for item in items
        if item.is_open and item.domain in domains and item.failure not in here
    ]
    return msgspec.structs.replace(group, elsewhere=tuple(sorted(also, key=_rank)))


def _capped(recipient: str, groups: list[Group], settings: Settings, past: Past) -> list[Group]:
    """At most `max_per_hour` mails, then one that tells all the rest, then nothing."""
    if past.flooded:
        return []
    room = max(0, settings.max_per_hour - past.mails)
    if len(groups) <= room:
        return groups
    rest = [row for group in groups[room:] for row in group.transitions]
    return [*groups[:room], _group(recipient, "flood", rest)]
