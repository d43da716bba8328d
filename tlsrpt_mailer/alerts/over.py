"""The sections of a mail that says that something is over, or partly."""

from collections.abc import Sequence

from tlsrpt_mailer.alerts import checked, effects, listing, opening, said, view, words
from tlsrpt_mailer.alerts.about import domains, parts
from tlsrpt_mailer.alerts.catalogue import entry
from tlsrpt_mailer.alerts.document import Block, Section, code, grid, pairs, para, section
from tlsrpt_mailer.alerts.model import Context, Evidence, Group, Item, Transition
from tlsrpt_mailer.alerts.trouble import ATTACH_FROM, WORST, the_domains

CLEAN_ROWS = 8
CLEAN = "Each reporter that saw it and still reports has sent clean days since."
TAKEN_BACK = (
    "No report that counts says so any more: the reporter has replaced the report that said so,"
    " or somebody here has said that its word does not count."
)


def head(group: Group, context: Context) -> list[str]:
    """That it is over, for whom, and since when; or for how many it is not."""
    found = domains(group.items)
    what = opening.capital(effects.phrase(group.items[0]))
    finding = group.items[0].is_finding
    last = words.day(max(item.last_seen for item in group.items) - (not finding), context.now)
    if not group.is_partial:
        whose = words.name(found[0]) if len(found) == 1 else f"{words.number(len(found))} domains"
        if any(item.is_superseded for item in group.items):
            return [
                f"What you were told of is over for {whose}.",
                f"{what}: last seen on {last} by those whose word counts.",
                "Nothing to do. Something like it is still seen, too little for an alert.",
            ]
        how = "a look from here finds it no more" if finding else "nobody reports it any more"
        return [
            f"It is over for {whose}: {how}.",
            f"{what}: last seen on {last}.",
            "Nothing to do.",
        ]
    over, left, every = parts(group)
    still = f"{words.number(left)} still {'fails' if left == 1 else 'fail'}"
    return [
        f"Over for {words.number(over)} of {every}; {still}.",
        f"{what}.",
        f"Still failing: {words.listed([words.name(one) for one in domains(group.other_items)])}.",
        listing.held_up(group.other_items),
    ]


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
        found.append(section("WHO DID WHAT", pairs(_people(group.transitions[0], context))))
    below = [item for item in group.items if item.is_superseded]
    if not group.is_partial:
        found += _lasting(group.items, context)
    return (
        *(one for one in found if one.blocks),
        *([_still_seen(below)] if below else []),
        _next(group),
    )


def _how_we_know(item: Item, context: Context) -> Section:
    if item.is_finding:
        return checked.how_we_know(item, context)
    clean = [row for row in item.evidence if not row.failed and row.end > item.last_seen]
    rows: list[tuple[str, ...]] = [("reporter", "day (UTC)", "sessions", "failed", "came")]
    rows += [
        _clean_row(row, context) for row in sorted(clean, key=lambda row: row.start)[:CLEAN_ROWS]
    ]
    return section(
        "HOW WE KNOW",
        grid(rows, (18, 16, 12, 6, 20), right=(2, 3)) if clean else None,
        *_grounds([item]),
    )


def _grounds(items: Sequence[Item]) -> list[Block]:
    """Why it is over: those who saw it say so, or have taken back what they said."""
    if items[0].is_finding:
        return [para("Looks from here do not find it any more.")]
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
    if item.is_finding:
        return section("IN ALL", pairs([*checked.in_all(item, context), *_people(row, context)]))
    ratio = words.share(item.failed, item.sessions)
    rows = [
        ("failing", words.days(item.first_seen, item.last_seen, context.now)),
        ("sessions", f"{words.of(item.failed, item.sessions)} failed in those reports ({ratio})"),
        ("over", f"since {words.end_moment(item.resolved_at or item.last_seen, context.now)}"),
        *_people(row, context),
    ]
    return section("IN ALL", pairs(rows))


def _people(row: Transition, context: Context) -> list[tuple[str, str]]:
    """When it was told, how soon somebody had it, and who said that it was mended."""
    told, answer = said.told_at(row), row.item.answer
    rows = []
    if told is not None:
        soon = ""
        if answer is not None and answer.kind == "ack" and answer.at >= told:
            soon = f', {words.length(answer.at - told)} to the "ack" of {said.by(answer)}'
        rows.append(("told", words.moment(told, context.now) + soon))
    if answer is not None and answer.kind == "fixed":
        at = said.mended_at(answer)
        said_by = "looks" if row.item.is_finding else "reports"
        is_so = row.item.last_start < at
        agree = f"; the {said_by} agree" if is_so else f"; {said_by} saw it after that"
        rows.append(("said fixed", f"{words.moment(at, context.now)} by {said.by(answer)}{agree}"))
    if answer is not None and answer.note:
        rows.append(("note", f'"{words.safe(answer.note, 160)}"'))
    return rows


def _lasting(items: Sequence[Item], context: Context) -> list[Section]:
    shown = view.valid_until(items[0], context)
    text = entry(items[0].result_type).lasting
    blocks = [para(one) for one in (shown, text) if one]
    return [section("SO THAT IT DOES NOT COME BACK", *blocks)] if blocks else []


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
        grid(rows, (8, 0, 16, 12, 12), right=(0, 3, 4)),
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
