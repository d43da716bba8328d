"""How to answer a mail, and which mail comes next."""

from tlsrpt_mailer.alerts import commands, said, words
from tlsrpt_mailer.alerts.about import domains, number, numbers, severity
from tlsrpt_mailer.alerts.document import Block, Section, code, pairs, para, section
from tlsrpt_mailer.alerts.model import Context, Group
from tlsrpt_mailer.report.times import DAY

NUMBERS = 10
MANY = frozenset({"summary", "flood", "reminder", "maintenance"})
"""The mails that may speak of several causes."""
VERBS = (
    ("ack", "I have it. Quiet until it is over or gets worse."),
    ("fixed", "It is mended. Quiet unless reports of a later day say no."),
    ("mute 7d", "Quiet for a week, whatever happens."),
    ("assign ADDRESS", "That address has it; reminders go there."),
)

VERBS_OF_LOOKS = tuple(
    (verb, "It is mended. It is looked at within minutes." if verb == "fixed" else text)
    for verb, text in VERBS
)
_LOOKS = (
    "It is looked at every hour while it is open. You hear of it when it gets worse, when it is"
    " over, and when it comes back."
)


def answer(group: Group, context: Context) -> list[Section]:
    """The words that can be mailed back, where mail can come back; the commands in any case."""
    found = numbers(tuple(item for item in group.items if item.is_open))
    if not found:
        return []
    many = group.kind in MANY and len(found) > 1
    listed = [str(one) for one in (found[:NUMBERS] if many else [number(group)])]
    if context.reply_to is None:
        return [section("SAY THAT YOU HAVE IT, on the server", code(_commands(listed)))]
    mailed = section(
        "ANSWER THIS MAIL, with one of these as the first line",
        pairs(VERBS_OF_LOOKS if _is_finding(group) else VERBS),
        _scope(group, listed, many=many),
        para("Or on the server:"),
        code([_ack(listed), *([] if many else _only(group, listed))]),
    )
    return [mailed]


def _scope(group: Group, listed: list[str], *, many: bool) -> Block | None:
    """What an answer without a number is about."""
    if many:
        text = (
            "Without a number it holds for all that is open of them. With numbers it holds for"
            f' these causes, as far as they are yours: "ack {listed[0]}, {listed[1]}".'
        )
        return para(text)
    every = len(group.items) + len(group.others)
    return para(f"It holds for all {words.number(every)} of this cause.") if every > 1 else None


def _ack(listed: list[str]) -> str:
    return f'tlsrpt-mailer failures ack {" ".join(listed)} --note "on it"'


def _commands(listed: list[str]) -> list[str]:
    every = " ".join(listed)
    return [
        _ack(listed),
        f"tlsrpt-mailer failures fixed {every}",
        f"tlsrpt-mailer failures mute {every} --for 7d",
    ]


def _only(group: Group, listed: list[str]) -> list[str]:
    found = domains(group.items)
    if len(found) < 2:
        return []
    name = commands.names(found[0], None, None).domain
    line = f"tlsrpt-mailer failures ack {' '.join(listed)} --only {name}"
    return [line] if len(line) <= commands.ROOM else []


def _is_finding(group: Group) -> bool:
    return all(item.is_finding for item in group.items)


def whats_next(group: Group, context: Context) -> Section:
    """When the next mail comes, and when it can be over at the earliest."""
    if _is_finding(group):
        return section("WHAT COMES NEXT", para(f"{_LOOKS} {_reminder(group)}".rstrip()))
    earliest = words.day((context.now // DAY + 3) * DAY, context.now)
    return section(
        "WHAT COMES NEXT",
        para(
            "You hear of it when it gets worse, when further domains join (every"
            f" {words.length(context.group_interval)} at most), and when it is over or comes"
            f" back. {_reminder(group)}".rstrip(),
            "Over means two whole days without it from each reporter that saw it: mended today,"
            f" that is {earliest} at the earliest, once the reports about those days are here.",
        ),
    )


def _reminder(group: Group) -> str:
    if "@" not in group.recipient:
        return ""
    rows = (*group.transitions, *group.others)
    if any(row.item.state in said.HOLDS for row in rows):
        return "No reminders: somebody has it."
    worst = group.items[0]
    if worst.assigned is not None and worst.assigned.assignee and worst.role != "assigned":
        return f"Reminders go to {words.safe(worst.assigned.assignee, 80)}, who has it."
    after = "a day" if severity(group.items) == "CRITICAL" else "7 days"
    return f"A reminder after {after}, unless somebody answers."
