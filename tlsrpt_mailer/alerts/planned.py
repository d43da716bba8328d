"""What a planned maintenance has left behind: one mail for all of it."""

from collections.abc import Sequence

from tlsrpt_mailer.alerts import about, asking, opening, words
from tlsrpt_mailer.alerts.document import Document, para, section
from tlsrpt_mailer.alerts.listing import by_cause, explained, held_up, listing, size
from tlsrpt_mailer.alerts.many import EXPLAINED, unexplained
from tlsrpt_mailer.alerts.model import Context, Group, Planned, Transition


def document(group: Group, context: Context) -> Document:
    """Whether mail is held up, which maintenance it was, what still fails after it."""
    causes = by_cause(group.transitions)
    found = _planned(group, context)
    return Document(
        label=about.severity(group.items),
        head=(*_first(group), _over(group, found, context), _figure(group, context)),
        sections=(
            listing("WHAT REMAINS, worst first", causes, context, _change),
            *explained(causes[:EXPLAINED], context),
            *unexplained(causes),
            asking.answer(group, context),
            section(
                "WHAT COMES NEXT",
                para(
                    "What failed only while the maintenance lasted was planned: nobody is told.",
                    "Of what remains you hear when it gets worse and when it is over, as ever.",
                ),
            ),
        ),
        footer=(),
    )


def name(group: Group, context: Context) -> str:
    """``maintenance 3 of mx1.example.com``."""
    found = _planned(group, context)
    if found is not None:
        return f"maintenance {found.number} of {_of(found)}"
    number = max((item.maintenance or 0 for item in group.items), default=0)
    return f"maintenance {number}" if number else "maintenance"


def _of(found: Planned) -> str:
    value = words.safe(found.value, 80)
    return f"group {value}" if found.kind == "group" else value


def _planned(group: Group, context: Context) -> Planned | None:
    numbers = {item.maintenance for item in group.items}
    known = [one for one in context.planned if one.number in numbers]
    return max(known, key=lambda one: one.number, default=None)


def _first(group: Group) -> list[str]:
    if len(group.items) == 1:
        return [opening.first_line(group.items[0])]
    return [f"{size(group.items)} remain after maintenance.", held_up(group.items)]


def _over(group: Group, found: Planned | None, context: Context) -> str:
    text = name(group, context)
    if found is None:
        return f"They failed in {text}, and after it." if len(group.items) > 1 else f"{text}."
    begin, end = words.moment(found.start, context.now), words.moment(found.end, context.now)
    note = f' ("{words.safe(found.note, 80)}")' if found.note else ""
    return f"{opening.capital(text)}{note} was from {begin} to {end}."


def _figure(group: Group, context: Context) -> str:
    return opening.count_line(group.items[:1], context)


def _change(rows: Sequence[Transition], context: Context) -> list[str]:
    """What is different from before the maintenance."""
    item = rows[0].item
    if rows[0].event == "regressed":
        return ["before it: over"]
    found = next((one for one in context.planned if one.number == item.maintenance), None)
    if found is not None and item.first_failing_end <= found.start:
        return ["before it: failing already"]
    return ["before it: no failure"]
