"""What is still open and unanswered: one mail for all of it."""

from collections.abc import Sequence

from tlsrpt_mailer.alerts import about, asking, effects, opening, said, words
from tlsrpt_mailer.alerts.document import Document, para, section
from tlsrpt_mailer.alerts.listing import held_up, listing
from tlsrpt_mailer.alerts.model import Context, Group, Transition
from tlsrpt_mailer.alerts.unanswered import EVERY_DAYS, FIRST_DAYS, SLACK, lapsed_at
from tlsrpt_mailer.report.times import DAY


def document(group: Group, context: Context) -> Document:
    """How many are open, whether mail is held up, a few lines on each, how to answer."""
    causes = _causes(group)
    return Document(
        label=f"STILL OPEN, {about.severity(group.items)}",
        head=_head(group, context),
        sections=(
            listing("STILL OPEN, worst first", causes, context, _details),
            *asking.answer(group, context),
            section(
                "WHAT COMES NEXT",
                para(
                    f"{_next(group, context)} One reminder a day at most, and none for what"
                    " somebody has answered for.",
                    "How to see one now and how to mend it: tlsrpt-mailer failures show NUMBER,"
                    " or the mail in which it was told.",
                ),
            ),
        ),
        footer=(),
    )


def oldest(group: Group, context: Context) -> str:
    """For how long the oldest of them fails: ``4 days``."""
    span = context.now - min(item.first_seen for item in group.items)
    return words.length(max(span, 0))


def _causes(group: Group) -> list[list[Transition]]:
    found: dict[int, list[Transition]] = {}
    for row in group.transitions:
        found.setdefault(row.item.cause, []).append(row)
    return list(found.values())


def _head(group: Group, context: Context) -> tuple[str, ...]:
    age = oldest(group, context)
    if len(about.numbers(group.items)) > 1:
        many = f"They have been open for up to {age}, and nobody has answered for them."
        return (held_up(group.items), many, *_ran_out(group, context))
    first, second, *_ = opening.news(group, context)
    figure = opening.count_line(group.items, context)
    nobody = _lapsed(group.transitions, context) or "nobody has answered for it"
    return (first, second, figure, f"It has been open for {age}, and {nobody}.")


def _ran_out(group: Group, context: Context) -> list[str]:
    """The acks that lapsed by themselves, so that nobody relies on one."""
    lapsed = [
        str(row.item.failure)
        for row in group.transitions
        if lapsed_at(row.item, context.now) is not None
    ]
    return [f'The "ack" of {words.listed(lapsed)} has run out.'] if lapsed else []


def _details(rows: Sequence[Transition], context: Context) -> list[str]:
    lines = [_seen(rows), _lapsed(rows, context), f"mend: {_mend(rows[0], context)}"]
    return [line for line in lines if line]


def _seen(rows: Sequence[Transition]) -> str:
    """By whom, how much, and whether mail is held up."""
    items = [row.item for row in rows]
    worst = items[0]
    found = effects.figure(items)
    if found is None and not worst.sessions:
        return ""
    failed, sessions = (found.failed, found.sessions) if found else (worst.failed, worst.sessions)
    by = ""
    if found is not None:
        names = [words.safe(name, 30) for name in (found.reporter, *found.others)]
        by = f", seen by {words.listed(names, 2)}"
    held = "" if effects.held(worst) in {"refused", "waits", "unclear"} else "; no mail held up"
    return f"{words.share(failed, sessions)} of sessions{by}{held}"


def _lapsed(rows: Sequence[Transition], context: Context) -> str:
    answer = rows[0].item.answer
    until = lapsed_at(rows[0].item, context.now)
    if answer is None or until is None:
        return ""
    return f'the "ack" of {said.by(answer)} ran out on {words.day(until, context.now)}'


def _mend(row: Transition, context: Context) -> str:
    item = row.item
    text = effects.brief(item)
    told = said.told_at(row)
    return text if told is None else f"{text}; see the mail of {words.day(told, context.now)}"


def _next(group: Group, context: Context) -> str:
    """When the next one comes, if nobody answers."""
    days = min(_days(row, context) for row in group.transitions)
    return f"The next reminder comes in {words.plural(days, 'day')}, unless you answer."


def _days(row: Transition, context: Context) -> int:
    """Days until the next rung: after 1, 3, 7, then every 14 days for a critical failure."""
    before = row.before
    opened = context.now
    if before is not None:
        opened = before.at if before.opened_at is None else before.opened_at
    passed = (context.now + SLACK - opened) // DAY
    first = FIRST_DAYS["critical" if row.item.severity == "critical" else "warning"]
    rung = next((day for day in first if day > passed), None)
    if rung is None:
        rung = first[-1] + ((passed - first[-1]) // EVERY_DAYS + 1) * EVERY_DAYS
    return rung - passed
