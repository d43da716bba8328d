"""The last lines of a mail: why this person gets it, who else does, how to get less."""

from collections.abc import Iterable

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.about import domains, number, numbers
from tlsrpt_mailer.alerts.model import Context, Group, Item, Role

CHANNEL = "channel:"

_KNOBS: dict[Role, str] = {
    "domain": "owners in [[domains]]",
    "mx": "owners in [[mx]]",
    "policy-host": "policy_host_owners in [[domains]]",
    "default": "alerts.to",
    "escalation": "escalate_to in [[owner]]",
    "channel": "[[channel]]",
}
"""The setting that makes somebody a recipient, by role."""


def footer(group: Group | None, context: Context) -> tuple[str, ...]:
    """All lines; None for a mail that is about no failure."""
    items = group.items if group is not None else ()
    lines = [*_why(items, context), _who_else(items, context)]
    if group is not None and len(numbers(items)) == 1:
        lines.append(f"All about it: tlsrpt-mailer failures show {number(group)}")
    lines += [f"To get less: {_less(items)} in the configuration.", version(context)]
    return tuple(lines)


def version(context: Context) -> str:
    """Which program on which host wrote it."""
    return f"tlsrpt-mailer {words.safe(context.version)} on {words.safe(context.host)}"


# --------------------------------------------------------------------------- why


def _why(items: Iterable[Item], context: Context) -> list[str]:
    if context.recipient.startswith(CHANNEL):
        return [f"For the channel {words.safe(context.recipient.removeprefix(CHANNEL), 60)}."]
    if "@" not in context.recipient:
        return ["This is shown here because alerts.to names nobody."]
    groups: dict[tuple[Role, str], list[Item]] = {}
    for item in items:
        groups.setdefault((item.role, item.role_of), []).append(item)
    default = f"You get this because alerts.to names {words.safe(context.recipient)}."
    lines = [
        _sentence(role, of, tuple(found), context) or default
        for (role, of), found in groups.items()
    ]
    return list(dict.fromkeys(lines)) or [default]


def _sentence(role: Role, of: str, items: tuple[Item, ...], context: Context) -> str:
    """Why, for those *items* that share a reason; empty for a default recipient."""
    if role == "told":
        return "You get this because you were told that it broke."
    if role == "escalation":
        return _escalated(of, items, context)
    if role == "assigned":
        return f"You get this because {words.safe(of, 80) or 'somebody'} assigned it to you."
    what = _owned(role, items)
    # An address that stands for itself is its own owner's name: the reader knows it.
    team = f" ({words.safe(of, 60)})" if of and "@" not in of else ""
    return f"You get this as an owner of {what}{team}." if what else ""


def _owned(role: Role, items: tuple[Item, ...]) -> str:
    whose = words.listed([words.name(domain) for domain in domains(items)])
    if role == "mx":
        hosts = dict.fromkeys(words.name(item.cause_mx or item.mx) for item in items)
        return f"the MX {words.listed(hosts)}"
    if role == "policy-host":
        return f"the policy host of {whose}"
    return whose if role == "domain" else ""


def _escalated(of: str, items: tuple[Item, ...], context: Context) -> str:
    asked = [item.asked_at for item in items if item.asked_at is not None]
    since = f" since {words.moment(min(asked), context.now)}" if asked else ""
    who = f"nobody of {words.safe(of, 60)}" if of else "nobody"
    return f"You get this because {who} has answered{since}."


def _who_else(items: Iterable[Item], context: Context) -> str:
    every = [item.also_told for item in items]
    if not any(every):
        every = [context.also_told]
    names = dict.fromkeys(name for names in every for name in names if name != context.recipient)
    if not names:
        return "Nobody else got it." if "@" in context.recipient else "Nobody was mailed."
    shown = words.listed([words.safe(name, 120) for name in names], 10)
    part = any(set(found) - {context.recipient} != set(names) for found in every)
    return f"Also told{' of it, or of a part of it' if part else ''}: {shown}."


# -------------------------------------------------------------------------- less


def _less(items: Iterable[Item]) -> str:
    roles = list(dict.fromkeys(item.role for item in items)) or ["default"]
    knobs = [_KNOBS[role] for role in roles if role in _KNOBS]
    return words.listed([*knobs, "alerts.min_severity"], len(_KNOBS) + 1)
