"""What a planned maintenance has left behind: one mail for all of it."""

from collections.abc import Sequence

from tlsrpt_mailer.alerts import about, asking, opening, trouble, words
from tlsrpt_mailer.alerts.document import Document, para, section
from tlsrpt_mailer.alerts.listing import by_cause, explained, held_up, listing, size
from tlsrpt_mailer.alerts.many import EXPLAINED, unexplained
from tlsrpt_mailer.alerts.model import Context, Group, Planned, Transition


def document(group: Group, context: Context) -> Document:
    """Whether mail is held up, which maintenance it was, what still fails after it."""
    causes = by_cause(group.transitions)
    return Document(
        label=about.severity(group.items),
        head=_head(group, context),
        sections=(
            listing("WHAT REMAINS, worst first", causes, context, _change),
            *explained(causes[:EXPLAINED], context),
            *unexplained(causes),
            *asking.answer(group, context),
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


def _head(group: Group, context: Context) -> tuple[str, ...]:
    found = _planned(group, context)
    which = name(group, context)
    verb = "remains" if len(group.items) == 1 else "remain"
    span = ""
    if found is not None:
        begin, end = (words.moment(time, context.now) for time in (found.start, found.end))
        span = f" ({begin} to {end})"
    said = f'It was planned for: "{words.safe(found.note, 120)}"' if found and found.note else ""
    lines = [
        held_up(group.items),
        f"{size(group.items)} {verb} after {which}{span}.",
        opening.count_line(group.items[:1], context),
        said,
    ]
    return tuple(filter(None, lines))


def _change(rows: Sequence[Transition], context: Context) -> list[str]:
    """What is different from before the maintenance."""
    if rows[0].event == "regressed":
        return ["It had failed before, and was over."]
    return [trouble.began(rows[0].item, context)]
