"""The sections of a mail that says that something is over, or partly."""

from collections.abc import Sequence

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.document import Block, Section, code, para, section, table
from tlsrpt_mailer.alerts.model import Context, Evidence, Group, Item
from tlsrpt_mailer.alerts.trouble import ATTACH_FROM, WORST, the_domains

CLEAN_ROWS = 8
CLEAN = "Each reporter that saw it and still reports has sent clean days since."
TAKEN_BACK = "The reporter has replaced the report that said so; the new one knows no such failure."


def sections(group: Group, context: Context) -> tuple[Section, ...]:
    """All that stands under the first lines of resolved and partly resolved."""
    found = []
    if group.is_partial:
        title = the_domains(group.other_items)
        found.append(section("STILL FAILING, worst first", *title.blocks))
    if len(group.items) == 1:
        found += [_how_we_know(group.items[0], context), _in_all(group, context)]
    else:
        found.append(_the_clean(group.items, context))
    below = [item for item in group.items if item.is_superseded]
    return (*found, *([_still_seen(below)] if below else []), _next(group))


def _how_we_know(item: Item, context: Context) -> Section:
    clean = [row for row in item.evidence if not row.failed and row.end > item.last_seen]
    rows: list[tuple[str, ...]] = [("reporter", "day (UTC)", "sessions", "failed", "came")]
    rows += [
        _clean_row(row, context) for row in sorted(clean, key=lambda row: row.start)[:CLEAN_ROWS]
    ]
    lines = words.table(rows, (18, 16, 12, 6, 20), right=(2, 3)) if clean else ()
    return section(
        "HOW WE KNOW",
        table(lines),
        *_grounds([item]),
    )


def _grounds(items: Sequence[Item]) -> list[Block]:
    """Why it is over: those who saw it say so, or have taken back what they said."""
    said = [] if all(item.taken_back for item in items) else [CLEAN]
    return [para(text) for text in said + [TAKEN_BACK] * any(item.taken_back for item in items)]


def _clean_row(row: Evidence, context: Context) -> tuple[str, ...]:
    return (
        words.safe(row.reporter, 30),
        words.window(row.start, row.end, context.now),
        words.number(row.sessions),
        "0",
        words.moment(row.received, context.now),
    )


def _in_all(group: Group, context: Context) -> Section:
    row = group.transitions[0]
    item = row.item
    ratio = words.share(item.failed, item.sessions)
    rows = [
        ("failing", words.days(item.first_seen, item.last_seen, context.now)),
        ("sessions", f"{words.of(item.failed, item.sessions)} failed in those reports ({ratio})"),
        ("over", f"since {words.end_moment(item.resolved_at or item.last_seen, context.now)}"),
    ]
    if row.before is not None:
        rows.append(("told", words.moment(row.before.at, context.now)))
    return section("IN ALL", table(words.table(rows, (10, 0))))


def _the_clean(items: Sequence[Item], context: Context) -> Section:
    shown = items if len(items) < ATTACH_FROM else items[:WORST]
    rows: list[tuple[str, ...]] = [("#", "domain", "failing", "failed", "sessions")]
    rows += [
        (
            str(item.failure),
            words.name(item.domain),
            words.days(item.first_seen, item.last_seen, context.now),
            words.number(item.failed),
            words.number(item.sessions),
        )
        for item in shown
    ]
    more = len(items) - len(shown)
    return section(
        "OVER",
        table(words.table(rows, (8, 0, 16, 12, 12), right=(0, 3, 4))),
        para(f"and {words.number(more)} more: see the attached domains.csv") if more else None,
        *_grounds(items),
    )


def _still_seen(items: Sequence[Item]) -> Section:
    """What goes on of it, and why that is no alert."""
    return section(
        "STILL SEEN, BUT NO ALERT",
        para(
            "It has been reported again since, but only by reporters without standing, or too"
            " little to be a warning. You hear of it if that changes."
        ),
        code([f"tlsrpt-mailer failures show {item.failure} --why" for item in items[:WORST]]),
    )


def _next(group: Group) -> Section:
    text = "If it comes back, you get a mail that says REGRESSED in this thread."
    if group.is_partial:
        text = f"You hear no more of it until the rest is over too. {text}"
    return section("WHAT COMES NEXT", para(text))
