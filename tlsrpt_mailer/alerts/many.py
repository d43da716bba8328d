"""Mails about many causes at once: the summary of an old mailbox, and the flood."""

from collections.abc import Sequence

from tlsrpt_mailer.alerts import commands, effects, opening, trouble, words
from tlsrpt_mailer.alerts.catalogue import entry
from tlsrpt_mailer.alerts.document import Document, Section, code, para, section, steps, table
from tlsrpt_mailer.alerts.model import Context, Group, Item, Transition

EXPLAINED = 10
LISTED = 50
BODY = words.WIDTH - 2


def summary(group: Group, context: Context) -> Document:
    """What is open after an old mailbox was read, each cause explained once."""
    causes = _causes(group.transitions)
    return Document(
        label=opening.severity(group.items),
        head=_summary_head(group, len(causes)),
        sections=(
            _list("OPEN, worst first", causes, context),
            *_all_explained(causes[:EXPLAINED], context),
            *_unexplained(causes),
            section(
                "WHAT COMES NEXT",
                para(
                    "From now on you hear of what is new, what comes back and what is over.",
                    "What was over before: tlsrpt-mailer failures --all",
                ),
            ),
        ),
        footer=(),
    )


def _summary_head(group: Group, causes: int) -> tuple[str, ...]:
    # Of what no reporter speaks of any more, nobody knows whether mail is still refused.
    stale = sum(item.state == "stale" for item in group.items)
    held = sum(effects.held(item) == "refused" and item.state != "stale" for item in group.items)
    refused = (
        f"Because of {words.number(held)} of them senders refuse mail."
        if held
        else "None of them is known to hold up mail."
    )
    unheard = f" Nobody reports on {words.number(stale)} of them any more." if stale else ""
    return (
        f"{_size(group, causes)} are open.",
        refused + unheard,
        "Most began longer ago, so this one mail tells them all.",
    )


def flood(group: Group, context: Context) -> Document:
    """All that the cap held back, one line a cause."""
    causes = _causes(group.transitions)
    return Document(
        label=opening.severity(group.items),
        head=(
            f"{_limit(context)}: that is the limit. This is the rest.",
            f"{_size(group, len(causes))}.",
            "Nothing is lost: tlsrpt-mailer failures",
        ),
        sections=(
            _list("BY CAUSE, worst first", causes, context),
            section(
                "WHAT COMES NEXT",
                para(
                    "No more alerts in this clock hour.",
                    "What one is and how to mend it: tlsrpt-mailer failures show NUMBER",
                ),
            ),
        ),
        footer=(),
    )


def _size(group: Group, causes: int) -> str:
    count = words.plural(len(group.items), "failure")
    found = words.plural(len(opening.domains(group.items)), "domain")
    return f"{count} of {words.plural(causes, 'cause')} on {found}"


def _limit(context: Context) -> str:
    return f"{words.plural(context.max_per_hour, 'alert')} went to you in this hour"


def _causes(transitions: Sequence[Transition]) -> list[list[Transition]]:
    """The transitions by cause and event, in the order of the worst of each."""
    found: dict[tuple[int, str], list[Transition]] = {}
    for row in transitions:
        found.setdefault((row.item.cause, row.event), []).append(row)
    return list(found.values())


def _list(title: str, causes: Sequence[Sequence[Transition]], context: Context) -> Section:
    lines = []
    for rows in causes[:LISTED]:
        items = [row.item for row in rows]
        state = "OVER" if rows[0].event == "resolved" else items[0].severity.upper()
        back = "back: " if rows[0].event == "regressed" else ""
        lines += words.wrap(
            back + effects.phrase(items[0]), " " * 18, f"{items[0].failure:>6}  {state:<8}  ", BODY
        )
        lines += words.wrap(_about(items, context), " " * 18, width=BODY)
    more = len(causes) - LISTED
    all_of_them = sum(map(len, causes)) >= trouble.ATTACH_FROM
    return section(
        title,
        table(lines),
        para(f"and {words.plural(more, 'more cause')}: tlsrpt-mailer failures")
        if more > 0
        else None,
        para("All of them: see the attached domains.csv") if all_of_them else None,
    )


def _about(items: Sequence[Item], context: Context) -> str:
    names = words.listed([words.name(item.domain) for item in items])
    since = words.day(min(item.first_seen for item in items), context.now)
    last = words.day(max(item.last_seen for item in items) - 1, context.now)
    unheard = all(item.state == "stale" for item in items)
    more = "; whoever saw it reports no more" if unheard else ""
    return f"{names}; since {since}, last seen {last}{more}"


def _all_explained(causes: Sequence[Sequence[Transition]], context: Context) -> list[Section]:
    """Each cause; how to mend a result type stands under the first one that has it."""
    first: dict[str, int] = {}
    sections = []
    for rows in causes:
        worst = rows[0].item
        number = first.setdefault(worst.result_type, worst.failure)
        sections.append(_explained(rows, context, number if number != worst.failure else None))
    return sections


def _explained(rows: Sequence[Transition], context: Context, like: int | None) -> Section:
    """One cause: first lines, how to see it, how to mend it or where that stands."""
    items = tuple(row.item for row in rows)
    worst = items[0]
    one = entry(worst.result_type)
    names = commands.names(worst.domain, worst.mx, None)
    # The other checks need no name, or are an after-thought: once is enough.
    shown = one.check if like is None else one.check[:1]
    checks = [[*commands.shell(check, names), *commands.outcome(check, names)] for check in shown]
    return section(
        f"{worst.failure}  {worst.severity.upper()}  {effects.phrase(worst)}",
        para(
            *(["When it was last reported:"] if worst.state == "stale" else []),
            opening.first_line(worst),
            opening.second_line(worst),
            opening.count_line(items, context),
        ),
        *(code(lines) for lines in checks),
        trouble.stand_ins(worst, names),
        steps(names.fill(step) for step in one.mend)
        if like is None
        else para(f"To mend it: as under {like}."),
    )


def _unexplained(causes: Sequence[Sequence[Transition]]) -> list[Section]:
    rest = causes[EXPLAINED:]
    if not rest:
        return []
    types = dict.fromkeys(words.safe(rows[0].item.result_type, 60) for rows in rest)
    text = f"{words.plural(len(rest), 'more cause')}: tlsrpt-mailer failures show NUMBER"
    lines = [f"tlsrpt-mailer explain {name}" for name in types if entry(name).is_known]
    return [section("THE OTHERS", para(text), code(lines))]
