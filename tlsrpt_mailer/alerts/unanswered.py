"""
What is open and nobody has answered for: who is reminded of it, and when.

A failure is asked about while it is new, regressed or ongoing. An answer for a cause holds
for the domains that join it later: somebody has it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from tlsrpt_mailer.alerts.model import SEVERITIES, Item, Past, Settings, Severity, Told
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

ASKING = frozenset({"new", "regressed", "ongoing"})
"""States in which somebody ought to do something."""

ACK_LASTS: Span = 30 * DAY
SLACK: Span = 12 * HOUR
"""Days are counted by slots: what was told on Wednesday noon is a day old on Thursday at 08:00."""
FIRST_DAYS: Mapping[Severity, tuple[int, ...]] = {"critical": (1, 3, 7), "warning": (7, 14)}
EVERY_DAYS = 14


def is_muted(item: Item, now: Time) -> bool:
    """Whether somebody wants to hear nothing of it at all, not even that it is over."""
    return item.state == "muted" or (item.muted_until is not None and item.muted_until > now)


def is_asking(item: Item, now: Time) -> bool:
    """Whether the failure itself is open and unanswered."""
    return item.state in ASKING and not item.is_quiet and not is_muted(item, now)


def mails_at_once(item: Item, settings: Settings) -> bool:
    """Whether it is worth a mail of its own; notice and low go into the digest."""
    if item.role == "assigned":
        return True
    limit = SEVERITIES.index(settings.min_severity)
    if item.role != "channel":
        limit = min(limit, SEVERITIES.index("warning"))
    return SEVERITIES.index(item.severity) <= limit


def answered_causes(
    items: Iterable[Item], told_at: Mapping[int, Time], recipient: str | None = None
) -> set[int]:
    """
    The causes among *items* that somebody (other than *recipient*) has, as a whole.

    What was told only after a cause was answered is answered for. An answer for some of what
    was told by then, by the owner of one domain of several, answers for nothing else.

    Args:
        told_at: By failure: when it was first told in its present incident.
        recipient: What is assigned to this one is not answered.
    """
    answered: dict[int, Time] = {}
    asking: dict[int, Time] = {}
    for item in items:
        at = _answered_at(item, recipient) if item.is_open else None
        if at is not None:
            answered[item.cause] = max(at, answered.get(item.cause, at))
        elif item.state in ASKING and (since := told_at.get(item.failure)) is not None:
            asking[item.cause] = min(since, asking.get(item.cause, since))
    return {cause for cause, at in answered.items() if cause not in asking or asking[cause] > at}


def _answered_at(item: Item, recipient: str | None) -> Time | None:
    """When somebody else took it on; None where it still asks *recipient*."""
    if item.state == "acknowledged":
        return item.first_received if item.answer is None else item.answer.at
    assigned = item.assigned
    if assigned is None or _is(assigned.assignee, recipient):
        return None
    return assigned.at


def unanswered_since(item: Item, rows: Iterable[Told], now: Time) -> Time | None:
    """
    Since when the people of these *rows* know of the present incident and say nothing.

    An ack that has run out counts from its end, an answer that reports have refuted from the
    mail that said so. None where nobody was told, or no such mail has gone out yet.
    """
    told = [row for row in rows if row.is_open]
    first = min((first_told(row) for row in told), default=None)
    answer = item.answer
    if first is None or answer is None or not is_asking(item, now):
        return first
    lapsed = lapsed_at(item, now)
    if lapsed is not None:
        return max(first, lapsed)
    since = (row.opened_at for row in told if row.opened_at is not None)
    return min((at for at in since if at > answer.at), default=None)


def lapsed_at(item: Item, now: Time) -> Time | None:
    """When the last ack ran out by itself, if it did."""
    answer = item.answer
    if answer is None or answer.kind != "ack" or item.state == "acknowledged":
        return None
    until = answer.at + ACK_LASTS if answer.until is None else answer.until
    return until if until <= now else None


def to_remind(
    recipient: str,
    items: Sequence[Item],
    known: Mapping[int, Told],
    settings: Settings,
    past: Past,
    now_told: Collection[int],
) -> list[Item]:
    """
    What the next *still open* mail to *recipient* names; empty while none is due.

    All that is open, told and unanswered comes along once one of it is due.

    Args:
        now_told: Failures that another mail of this very moment tells.
    """
    if settings.slot is None or not _may_remind(settings, past):
        return []
    told_at = {row.failure: first_told(row) for row in known.values() if row.is_open}
    answered = answered_causes(items, told_at, recipient)
    asking = [
        item
        for item in items
        if item.cause not in answered
        and item.failure not in now_told
        and item.role not in {"told", "channel"}
        and is_asking(item, settings.now)
        and mails_at_once(item, settings)
        and (row := known.get(item.failure)) is not None
        and row.is_open
    ]
    slot = settings.slot
    is_due = any(_is_due(item, known[item.failure], slot, settings.now) for item in asking)
    return asking if is_due else []


def _may_remind(settings: Settings, past: Past) -> bool:
    """One a slot, and not within a day of a digest, which says it all."""
    if past.last_reminder is not None and past.last_reminder >= (settings.slot or 0):
        return False
    return past.last_digest is None or settings.now >= past.last_digest + DAY


def _is_due(item: Item, row: Told, slot: Time, now: Time) -> bool:
    opened = row.at if row.opened_at is None else row.opened_at
    last = opened if row.reminded_at is None else max(opened, row.reminded_at + SLACK)
    lapsed = lapsed_at(item, now)
    if lapsed is not None and lapsed > max(row.at, row.reminded_at or 0):
        return True
    return _rungs(item.severity, slot + SLACK - opened) > _rungs(item.severity, last - opened)


def _rungs(severity: Severity, passed: Span) -> int:
    """How many reminders are due *passed* seconds after a failure was told."""
    days = FIRST_DAYS["critical" if severity == "critical" else "warning"]
    more = max(0, passed // DAY - days[-1]) // EVERY_DAYS
    return sum(1 for day in days if passed >= day * DAY) + more


def first_told(row: Told) -> Time:
    """When the recipient was first told of the present incident."""
    if row.first_at is not None:
        return row.first_at
    return row.at if row.opened_at is None else row.opened_at


def _is(assignee: str | None, recipient: str | None) -> bool:
    return (assignee or "").lower() == (recipient or "").lower()
