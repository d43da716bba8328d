"""What is said of a failure that came back, beside what is said of a new one."""

from tlsrpt_mailer.alerts import opening, said, words
from tlsrpt_mailer.alerts.catalogue import entry
from tlsrpt_mailer.alerts.document import Section, para, section
from tlsrpt_mailer.alerts.model import Context, Group, Previous, Transition
from tlsrpt_mailer.report.times import DAY


def head(group: Group, context: Context) -> list[str]:
    """That it is back, and since when it was over."""
    first, *rest = opening.news(group, context)
    return [opening.prefixed("It is back", first), *rest[:2], _before(group, context), *rest[2:]]


def _before(group: Group, context: Context) -> str:
    row = next(row for row in group.transitions if row.event == "regressed")
    if row.before is not None and row.before.resolved_at is not None:
        over = words.day(row.before.resolved_at, context.now)
        told = words.day(row.before.at, context.now)
        return f"It was over since {over}, as you were told on {told}."
    past = row.item.previous
    if past is None:
        return "It was over in between, for too short a time to tell you."
    if past.resolved_at is None:
        last = words.day(past.last_seen - 1, context.now)
        return f"Nobody confirmed that it was over: it was last seen on {last}, then not heard of."
    over = words.day(past.resolved_at, context.now)
    return f"It was over since {over}; before you could be told, it was back."


def last_time(group: Group, context: Context) -> list[Section]:
    """Who mended it, in which time and how, and what a return mostly means."""
    back = [row for row in group.transitions if row.event == "regressed" and row.before]
    if not back:
        return []
    row, again = back[0], entry(group.items[0].result_type).again
    lines = [*_mended(row), _seen(row, context), _quiet(row, context)]
    return [
        section("LAST TIME", para(*filter(None, lines)), para(again) if again else None),
    ]


def _mended(row: Transition) -> list[str]:
    answer = row.item.previous.answer if row.item.previous else None
    if answer is None:
        return []
    who, note = said.by(answer), said.quoted(answer)
    if answer.kind != "fixed":
        return [f"{who} had it{note}."]
    told = said.told_at(row)
    took = said.mended_at(answer) - told if told is not None else 0
    # A mail that came after the mend says nothing of how long it took.
    time = f" in {words.length(took)}" if took > 0 else ""
    return [f"{who} mended it{time}{note}."]


def _seen(row: Transition, context: Context) -> str:
    past = row.item.previous
    if past is None:
        return ""
    return f"It failed on {words.days(past.first_seen, past.last_seen, context.now)}{_share(past)}."


def _share(past: Previous) -> str:
    if not past.sessions:
        return ""
    return f", {words.share(past.failed_sessions, past.sessions)} of the sessions of those reports"


def _quiet(row: Transition, context: Context) -> str:
    over = row.before.resolved_at if row.before else None
    past = row.item.previous
    if over is None and past is not None and past.resolved_at is None:
        return "It is the same failure as before. In between nobody reported on it at all."
    if over is None:
        return "It is the same failure as before, after clean days."
    gap = words.plural(max(0, (row.item.first_seen - over) // DAY), "day")
    return f"Over since {words.day(over, context.now)}, and back after {gap} of quiet."
