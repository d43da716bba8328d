"""What is due of one failure: the difference between what it is and what was told."""

import msgspec

from tlsrpt_mailer.alerts.model import Event, Item, Settings, Told
from tlsrpt_mailer.alerts.unanswered import ASKING, is_muted, mails_at_once

NOT_FIXED = "not-fixed-"
"""How a step begins that says: somebody called it fixed, and a later window fails."""


def due(item: Item, before: Told | None, settings: Settings) -> Event | None:
    """What of *item* is to be told, leaving all waiting aside; None where nothing is."""
    if is_muted(item, settings.now):
        return None
    if not item.is_open:
        over = item.state == "resolved" and before is not None and before.is_open
        return "resolved" if over else None
    if item.role == "told" or item.is_quiet or not mails_at_once(item, settings):
        return None
    if before is None:
        # Who is called for help hears of it however old it is: so does who was given it.
        called = item.role in {"escalation", "assigned"}
        return "new" if called or not is_aged(item, settings) else None
    if _came_back(item, before):
        return "regressed"
    return _got_worse(item, before)


def is_aged(item: Item, settings: Settings) -> bool:
    """Whether it is too old to be news."""
    return item.last_seen <= settings.now - settings.max_age


def as_told(item: Item, before: Told | None, settings: Settings) -> Item:
    """
    *item*, or the incident that the recipient was told of, where that one is over.

    Known reporters have acquitted, and what goes on since is a new incident that nobody is
    told of: seen by strangers alone, too small, or planned. The recipient is owed the end of
    the old one.
    """
    past = item.previous
    if (
        before is None
        or not before.is_open
        or past is None
        or past.resolved_at is None
        or not item.is_open
        or is_muted(item, settings.now)
        or (mails_at_once(item, settings) and not item.is_quiet)
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
        answer=past.answer,
        steps=before.steps,
    )


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


def _got_worse(item: Item, before: Told) -> Event | None:
    """Steps that were not told, while nobody has an answer that still holds."""
    # Rows of before know no steps; neither do those of what the recipient thinks is over.
    if before.opened_at is None or not before.is_open or item.state not in ASKING:
        return None
    fresh = set(item.steps) - set(before.steps)
    if any(step.startswith(NOT_FIXED) for step in fresh):
        return "not-fixed"
    return "worsened" if fresh else None
