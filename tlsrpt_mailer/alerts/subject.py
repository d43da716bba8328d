"""The subject: state, domain, what and where, number."""

from collections.abc import Callable

from tlsrpt_mailer.alerts import effects, planned, reminder, words, worse
from tlsrpt_mailer.alerts.about import domains, label, number, numbers, severity, whose
from tlsrpt_mailer.alerts.model import Context, Group, Kind

SUBJECT_CHARS = 160


def subject(group: Group, context: Context) -> str:
    """State, domain, what and where, number; cut from the right, but never in the domain."""
    whole = _WHOLE.get(group.kind)
    if whole is not None and (text := whole(group, context)):
        return f"{text} [tlsrpt]"
    tag = f" [tlsrpt {number(group)}]"
    worst = group.items[0]
    if context.subject == "thread":
        # Gmail threads by the subject, so nothing in it may change with the state.
        start = f"{words.name(worst.domain)}: " if worst.mx is None else "TLS: "
    else:
        start = f"{label(group)} {whose(group)}: "
    return _cut(start, _what(group, context), tag)


def _what(group: Group, context: Context) -> str:
    """What broke, and where; how bad it is now takes the place of where."""
    worst = group.items[0]
    if group.kind == "reminder" and context.subject != "thread":
        return f"{effects.phrase(worst)}, for {reminder.oldest(group, context)}"
    more = worse.ending(group) if group.kind == "worsened" and context.subject != "thread" else ""
    return f"{effects.short(worst)}{more}" if more else effects.phrase(worst)


def _summary(group: Group, _context: Context) -> str:
    count = words.plural(len(group.items), "failure")
    return f"tlsrpt-mailer has read old reports: {count} open"


def _flood(group: Group, _context: Context) -> str:
    causes = words.plural(len({item.cause for item in group.items}), "cause")
    found = words.plural(len(domains(group.items)), "domain")
    count = words.number(len(group.items))
    return f"{count} more alerts held back this hour: {causes}, {found}"


def _reminder(group: Group, context: Context) -> str:
    """Empty for one cause: that has a number and a name to go by."""
    if len(numbers(group.items)) == 1:
        return ""
    count = words.number(len(numbers(group.items)))
    return f"{count} TLS failures still open, oldest {reminder.oldest(group, context)}"


def _maintenance(group: Group, context: Context) -> str:
    count = len(group.items)
    remain = f"{words.plural(count, 'failure')} {'remains' if count == 1 else 'remain'}"
    name = planned.name(group, context)
    return _cut(f"{severity(group.items)} {remain}", f" after {name}", "")


_WHOLE: dict[Kind, Callable[[Group, Context], str]] = {
    "summary": _summary,
    "flood": _flood,
    "reminder": _reminder,
    "maintenance": _maintenance,
}
"""The subjects that name no failure."""


def _cut(start: str, rest: str, tag: str) -> str:
    room = max(12, SUBJECT_CHARS - len(start) - len(tag))
    return start + (rest if len(rest) <= room else rest[: room - 3].rstrip() + "...") + tag
