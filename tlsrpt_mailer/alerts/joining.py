"""The first lines of a mail that says that more fails for a cause that was told."""

from tlsrpt_mailer.alerts import effects, opening, words
from tlsrpt_mailer.alerts.about import domains, joiners
from tlsrpt_mailer.alerts.model import Context, Group


def head(group: Group, context: Context) -> list[str]:
    """How many more, since when the cause is known, whose mail is refused, who has it."""
    new = joiners(group)
    worst = group.items[0]
    told = words.day(min(row.before.at for row in group.others if row.before), context.now)
    same = f"Same cause, same mend: {effects.phrase(worst)}."
    rest = [opening.count_line(group.items, context), *_has_it(group)]
    if not new:
        where = "domain" if len(domains(group.items)) == 1 else "domains"
        first = f"More of the failure you were told of on {told}, on the same {where}."
        return [first, same, opening.first_line(worst), *rest]
    every = domains(group.items + group.other_items)
    verb = "reports" if len(new) == 1 else "report"
    refused = {item.domain for item in group.items if effects.held(item) == "refused"}
    names = words.listed([words.name(domain) for domain in new if domain in refused])
    first = f"{words.plural(len(new), 'more domain')} {verb} the failure you were told of"
    return [
        f"{first} on {told}; {words.number(len(every))} in all.",
        same,
        f"New among them with mail refused: {names}."
        if names
        else "For none of the new ones mail is known to be refused.",
        *rest,
    ]


def _has_it(group: Group) -> list[str]:
    """Who has acknowledged the cause, as far as this recipient knows it."""
    found = next(
        (row.item.answer for row in group.others if row.item.state == "acknowledged"), None
    )
    if found is None:
        return []
    note = f' ("{words.safe(found.note, 120)}")' if found.note else ""
    return [f"It is acknowledged by {words.safe(found.who, 80)}{note}, and stays so."]
