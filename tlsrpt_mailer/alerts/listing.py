"""Causes, worst first: as a list of a few lines each, and each explained."""

from collections.abc import Callable, Sequence

from tlsrpt_mailer.alerts import checked, commands, effects, opening, trouble, words
from tlsrpt_mailer.alerts.about import domains
from tlsrpt_mailer.alerts.catalogue import entry
from tlsrpt_mailer.alerts.document import Section, code, pairs, para, section, steps
from tlsrpt_mailer.alerts.model import Context, Item, Transition

LISTED = 50


def by_cause(transitions: Sequence[Transition]) -> list[list[Transition]]:
    """The transitions by cause and event, in the order of the worst of each."""
    found: dict[tuple[int, str], list[Transition]] = {}
    for row in transitions:
        found.setdefault((row.item.cause, row.event), []).append(row)
    return list(found.values())


def size(items: tuple[Item, ...]) -> str:
    """``7 failures of 4 causes on 3 domains``."""
    causes = len({item.cause for item in items})
    of = f" of {words.plural(causes, 'cause')}" if len(items) > 1 else ""
    on = words.plural(len(domains(items)), "domain")
    return f"{words.plural(len(items), 'failure')}{of} on {on}"


def held_up(items: tuple[Item, ...]) -> str:
    """Whether mail is held up by any of *items*: the first line of a mail on all of them."""
    if len(items) == 1:
        return _one_held_up(items[0])
    # Of what no reporter speaks of any more, nobody knows whether mail is still refused.
    stale = sum(item.state == "stale" for item in items)
    now = [effects.held(item) for item in items if item.is_open and item.state != "stale"]
    held = sum(one in {"refused", "waits"} for one in now)
    how = "refuse or hold back" if "waits" in now else "refuse"
    every = words.number(len(items))
    refused = (
        f"Senders {how} mail because of {words.number(held)} of {every} failures."
        if held
        else f"None of {every} failures is known to hold up mail."
    )
    unheard = f" Nobody reports on {words.number(stale)} of them any more." if stale else ""
    return refused + unheard


def _one_held_up(item: Item) -> str:
    line = opening.first_line(item)
    if not item.is_open:
        return f"It is over for {words.name(item.domain)}."
    return opening.prefixed("When it was last reported", line) if item.state == "stale" else line


def listing(
    title: str,
    causes: Sequence[Sequence[Transition]],
    context: Context,
    more_of: Callable[[Sequence[Transition], Context], list[str]] = lambda _rows, _context: [],
) -> Section:
    """
    Number, state, what and where, since when.

    Args:
        more_of: Further lines on one cause.
    """
    shown: list[tuple[str, str]] = []
    for rows in causes[:LISTED]:
        items = [row.item for row in rows]
        state = "OVER" if rows[0].event == "resolved" else items[0].severity.upper()
        back = "back: " if rows[0].event == "regressed" else ""
        shown.append((f"{items[0].failure:>4}  {state:<8}", back + effects.phrase(items[0])))
        shown += [("", text) for text in (about(items, context), *more_of(rows, context))]
    more = len(causes) - LISTED
    all_of_them = sum(map(len, causes)) >= trouble.ATTACH_FROM
    return section(
        title,
        pairs(shown),
        para(f"and {words.plural(more, 'more cause')}: tlsrpt-mailer failures")
        if more > 0
        else None,
        para("All of them: see the attached domains.csv") if all_of_them else None,
    )


def about(items: Sequence[Item], context: Context) -> str:
    """Whose it is, since when, and when it was last seen."""
    names = words.listed([words.name(item.domain) for item in items])
    since = words.day(min(item.first_seen for item in items), context.now)
    last = words.day(max(item.last_seen for item in items) - 1, context.now)
    unheard = all(item.state == "stale" for item in items)
    more = "; whoever saw it reports no more" if unheard else ""
    return f"{names}; since {since}, last seen {last}{more}"


def explained(causes: Sequence[Sequence[Transition]], context: Context) -> list[Section]:
    """Each cause; how to mend a result type stands under the first one that has it."""
    first: dict[str, int] = {}
    sections = []
    for rows in causes:
        worst = rows[0].item
        number = first.setdefault(worst.result_type, worst.failure)
        sections.append(_one(rows, context, number if number != worst.failure else None))
    return sections


def _one(rows: Sequence[Transition], context: Context, like: int | None) -> Section:
    """One cause: first lines, how to see it, how to mend it or where that stands."""
    items = tuple(row.item for row in rows)
    worst = items[0]
    if worst.is_finding:
        return _finding(rows, context, like)
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
        *(trouble.mending(worst) if like is None else [para(f"To mend it: as under {like}.")]),
    )


def _finding(rows: Sequence[Transition], context: Context, like: int | None) -> Section:
    """The same of what our own look found."""
    items = tuple(row.item for row in rows)
    worst = items[0]
    told = effects.told(worst)
    return section(
        f"{worst.failure}  {worst.severity.upper()}  {told.phrase}",
        para(
            opening.first_line(worst),
            f"{told.what} {told.why}",
            opening.count_line(items, context),
        ),
        *checked.checks(told)[:2],
        steps(told.mend) if like is None else para(f"To mend it: as under {like}."),
        code(told.lines) if told.lines else None,
    )
