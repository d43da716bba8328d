"""
What a mail says of a finding: something that our own look at a domain found.

No sender has seen it, so there is nothing to count: the mail says what stands
there, since which look, and what to publish in its place.
"""

from collections.abc import Sequence

from tlsrpt_mailer.alerts import effects, view, words
from tlsrpt_mailer.alerts.about import domains
from tlsrpt_mailer.alerts.document import Block, Section, code, grid, para, section, steps
from tlsrpt_mailer.alerts.found import Told
from tlsrpt_mailer.alerts.model import Context, Item
from tlsrpt_mailer.report.times import Time

WORST = 20
DANE = "dane-"
_NO_WAY = {
    "mx-no-address": "waits at the senders: no MX has an address",
    "mx-missing": "cannot be delivered: there is neither an MX nor an address",
}
"""Of findings where no sender refuses anything, since none finds a host."""


def first_line(item: Item) -> str:
    """Whether mail is held up."""
    if item.severity != "critical":
        return f"No mail is known to be held up for {words.name(item.domain)}."
    if item.result_type in _NO_WAY:
        return f"Mail for {words.name(item.domain)} {_NO_WAY[item.result_type]}."
    where = f" at {words.name(item.mx)}" if item.mx else ""
    who = "Senders that do DANE" if item.result_type.startswith(DANE) else "Senders"
    return f"{who} refuse mail for {words.name(item.domain)}{where}."


def many_line(items: Sequence[Item]) -> str:
    """The same of several domains."""
    held = {item.domain for item in items if effects.held(item) == "refused"}
    every = words.plural(len(domains(tuple(items))), "domain")
    if not held:
        return f"No mail is known to be held up for {every}."
    if items[0].result_type in _NO_WAY:
        return f"Mail for {words.number(len(held))} of {every} finds no MX host to go to."
    return f"Senders refuse mail for {words.number(len(held))} of {every}."


def since_line(items: Sequence[Item], context: Context) -> str:
    """Since which look it is so, and which one before it was well."""
    earliest = min(items, key=lambda item: item.first_seen)
    first, last = earliest.first_seen, max(item.last_seen for item in items)
    since = f"Found by looks from here since {words.moment(first, context.now)}"
    seen = f", last {words.age(context.now - last)}" if last > first else ""
    clean = clean_look(earliest.clean_before, first, context.now)
    return f"{since}{seen}{f'; {clean} it was well' if clean else ''}."


def clean_look(clean: Time | None, first: Time, now: Time) -> str:
    """The look before *first* that saw it well; "" where there was none, or in the same minute."""
    moment = "" if clean is None else words.moment(clean, now)
    return "" if moment == words.moment(first, now) else moment


def sections(items: tuple[Item, ...], context: Context) -> list[Section]:
    """What is wrong, how to mend it, how to see it, what changed before it."""
    worst = items[0]
    told = effects.told(worst)
    found = [
        section("WHAT IS WRONG", para(told.what, told.why)),
        mend(told),
        still_so(told),
    ]
    if len(items) > 1:
        found.append(_the_domains(items))
    if worst.view is not None:
        found.append(section("CHANGED SHORTLY BEFORE", *view.changed(worst, worst.view, context)))
    return [one for one in found if one.blocks]


def mend(told: Told) -> Section:
    """The steps, and what is to be published."""
    return section("HOW TO MEND IT", steps(told.mend), code(told.lines) if told.lines else None)


def still_so(told: Told) -> Section:
    """The commands that show it."""
    return section("IS IT STILL SO?", *checks(told))


def checks(told: Told) -> list[Block]:
    """Each command, with what it prints."""
    blocks: list[Block] = []
    for one in told.check:
        if one.note:
            blocks.append(para(one.note))
        blocks.append(code(one.lines))
    return blocks


def _the_domains(items: Sequence[Item]) -> Section:
    rows: list[tuple[str, ...]] = [("#", "domain", "severity")]
    rows += [(str(item.failure), words.name(item.domain), item.severity) for item in items[:WORST]]
    more = len(items) - WORST
    return section(
        "THE DOMAINS, worst first",
        grid(rows, (8, 0, 10), right=(0,)),
        para(f"and {words.number(more)} more: tlsrpt-mailer failures") if more > 0 else None,
    )


def how_we_know(item: Item, context: Context) -> Section:
    """Of one that is over: the look that did not find it."""
    at = item.resolved_at or item.last_seen
    return section(
        "HOW WE KNOW",
        para(f"Looked at from here {words.when(at, context.now)}: it is not there any more."),
    )


def in_all(item: Item, context: Context) -> list[tuple[str, str]]:
    """When it was there, in terms and texts."""
    now = context.now
    return [
        ("found", words.moment(item.first_seen, now)),
        ("last seen", words.moment(item.last_seen, now)),
        ("over", f"since {words.moment(item.resolved_at or item.last_seen, now)}"),
    ]
