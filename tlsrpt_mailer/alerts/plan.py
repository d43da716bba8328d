"""
What is due to one recipient: the difference between what is and what was told.

Nothing is queued. Every call compares the present verdicts with the `Told` rows
and says which mails would close the difference now; waiting is done by calling
again later (docs/explanation/what-counts-as-new.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import msgspec

from tlsrpt_mailer.alerts.causes import (
    Rank,
    is_left_behind,
    make_group,
    marker,
    of_causes,
    of_maintenance,
    rank,
    transition,
)
from tlsrpt_mailer.alerts.due import as_told, is_aged
from tlsrpt_mailer.alerts.model import Event, Group, Item, Past, Settings, Told, Transition
from tlsrpt_mailer.alerts.unanswered import is_muted, mails_at_once, to_remind
from tlsrpt_mailer.report.times import HOUR, Time

AGED_AT_MOST = 5
"""So many failures may stay silent by age; past that, one summary explains them."""
OPENING = frozenset({"new", "worsened", "not-fixed", "regressed"})
"""Events that say that it fails."""


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

    *items* are all failures of the recipient's (`route`) that are open, or were told open and
    have ended; *told* has one row a failure at most, this recipient's; *past* counts from
    `hour_start`. A recipient whose items have the role ``channel`` gets one group a cause, and
    neither cap, summary nor reminder.
    """
    past = past or Past()
    known = {row.failure: row for row in told}
    seen = [as_told(item, known.get(item.failure), settings) for item in items]
    if any(item.role == "channel" for item in items):
        return sorted(of_causes(recipient, seen, known, settings, past), key=_urgency)
    summary = _summary(items, known, settings)
    summed = {item.failure for item in summary}
    rest = [item for item in seen if item.failure not in summed]
    left = {item.failure for item in rest if is_left_behind(item, known, settings)}
    groups = of_maintenance(recipient, rest, known, settings)
    groups += of_causes(
        recipient, [item for item in rest if item.failure not in left], known, settings, past
    )
    groups.sort(key=_urgency)
    if summary:
        rows = [transition(item, None, "new") for item in summary]
        groups.insert(0, make_group(recipient, "summary", rows))
    # The cap comes first: what else is open is looked up only for mails that go out.
    groups = [_with_elsewhere(group, items) for group in _capped(recipient, groups, settings, past)]
    return groups + _reminder(recipient, seen, known, settings, past, groups)


def told_after(group: Group, now: Time, message_id: str) -> list[Told]:
    """
    The `Told` rows that hold once the mail of *group* is written; store them with it.

    A ``left`` row keeps a cause from sending a second partly resolved mail. A reminder tells
    nothing new: only `reminded_at` and the count of mails move.
    """
    rows = group.transitions + (group.others if group.is_partial else ())
    return [_told(row, group, now, message_id) for row in rows]


def _told(row: Transition, group: Group, now: Time, message_id: str) -> Told:
    before, item = row.before, row.item
    if group.kind == "reminder" and before is not None:
        return msgspec.structs.replace(before, mails=row.n, reminded_at=now)
    # Another incident begins anew; the numbers may have moved, so the event decides.
    kept = None if row.event in {"new", "regressed"} else before
    opened = now if row.event in OPENING else (kept.opened_at if kept else None)
    return Told(
        failure=item.failure,
        incident=item.incident,
        event=row.event,
        at=now,
        resolved_at=item.resolved_at if row.event == "resolved" else None,
        mails=row.n,
        message_id=_thread(row, group) or message_id,
        steps=_steps(row, kept, group),
        opened_at=opened,
        reminded_at=kept.reminded_at if kept else None,
        first_at=now if kept is None else _first(kept),
    )


def _steps(row: Transition, kept: Told | None, group: Group) -> tuple[str, ...]:
    steps = set(kept.steps) if kept else set()
    if row.event in OPENING:
        steps |= set(row.item.steps)
    if group.kind == "maintenance" and row.item.maintenance is not None:
        steps.add(marker(row.item.maintenance))
    return tuple(sorted(steps))


def _first(row: Told) -> Time:
    return next(at for at in (row.first_at, row.opened_at, row.at) if at is not None)


def _thread(row: Transition, group: Group) -> str | None:
    """The first mail of the failure's thread, else of its cause's."""
    if row.before is not None and row.before.message_id:
        return row.before.message_id
    return group.references[0] if group.references else None


def _summary(items: Sequence[Item], known: Mapping[int, Told], settings: Settings) -> list[Item]:
    """What one mail about an old mailbox explains: empty where age silences few."""
    untold = [
        item
        for item in items
        if item.is_open
        and item.failure not in known
        and item.severity != "low"
        # Who is only owed the end of what was told hears of nothing new.
        and item.role != "told"
        and not item.is_quiet
        and not is_muted(item, settings.now)
    ]
    # Notices wait for the digest at any age: silence about them is no news.
    aged = [item for item in untold if is_aged(item, settings) and mails_at_once(item, settings)]
    return untold if len(aged) > AGED_AT_MOST else []


def _urgency(group: Group) -> tuple[bool, Rank]:
    """Bad news first, the worst of it in front."""
    return group.kind == "resolved", min(rank(item) for item in group.items)


def _with_elsewhere(group: Group, items: Sequence[Item]) -> Group:
    """Add what else is open on the domain; a mail on many domains is long enough without."""
    domains = {item.domain for item in group.items}
    if len(domains) > 1 or group.kind == "resolved":
        return group
    here = {row.item.failure for row in (*group.transitions, *group.others)}
    also = [
        item
        for item in items
        if item.is_open
        and item.domain in domains
        and item.failure not in here
        and item.role != "told"
    ]
    return msgspec.structs.replace(group, elsewhere=tuple(sorted(also, key=rank)))


def _capped(recipient: str, groups: list[Group], settings: Settings, past: Past) -> list[Group]:
    """At most `max_per_hour` mails, then one that tells all the rest, then nothing."""
    if past.flooded:
        return []
    room = max(0, settings.max_per_hour - past.mails)
    if len(groups) <= room:
        return groups
    rest = [row for group in groups[room:] for row in group.transitions]
    return [*groups[:room], make_group(recipient, "flood", rest)]


def _reminder(
    recipient: str,
    items: Sequence[Item],
    known: Mapping[int, Told],
    settings: Settings,
    past: Past,
    groups: Sequence[Group],
) -> list[Group]:
    """One mail on all that is open and unanswered, if the hour has room for it."""
    if past.flooded or past.mails + len(groups) >= settings.max_per_hour:
        return []
    now_told = {item.failure for group in groups for item in (*group.items, *group.other_items)}
    asking = to_remind(recipient, items, known, settings, past, now_told)
    if not asking:
        return []
    rows = [
        transition(item, before, cast("Event", before.event))
        for item in asking
        if (before := known.get(item.failure)) is not None
    ]
    threads = tuple(dict.fromkeys(row.before.message_id or "" for row in rows if row.before))
    return [make_group(recipient, "reminder", rows, (), tuple(filter(None, threads))[:3])]
