"""What a mail is about: its domains, how many of them, the word and the number it goes by."""

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.model import SEVERITIES, Group, Item, Kind


def label(group: Group) -> str:
    """The first word of the subject."""
    if group.kind == "resolved":
        return "PARTLY RESOLVED" if group.is_partial else "RESOLVED"
    return _LABELS.get(group.kind) or severity(group.items)


_LABELS: dict[Kind, str] = {
    "regressed": "REGRESSED",
    "worsened": "WORSE",
    "not-fixed": "NOT FIXED",
    "reminder": "STILL OPEN",
}


def severity(items: tuple[Item, ...]) -> str:
    """The worst of *items*, in capitals."""
    return SEVERITIES[min(SEVERITIES.index(item.severity) for item in items)].upper()


def number(group: Group) -> int:
    """
    The failure's number that the mail goes by.

    The lowest one that this recipient knows of: the number of the cause may be that of a
    failure of somebody else's.
    """
    return min(item.failure for item in (*group.items, *group.other_items))


def domains(items: tuple[Item, ...]) -> list[str]:
    """The domains of *items*, worst first, each once."""
    return list(dict.fromkeys(item.domain for item in items))


def whose(group: Group) -> str:
    """``example.com``, ``12 domains``, ``+9 domains``, ``9 of 12 domains``."""
    found = domains(group.items)
    if group.is_partial:
        over, _, every = parts(group)
        return f"{words.number(over)} of {every}"
    if group.kind == "joined" and (new := joiners(group)):
        return f"+{words.plural(len(new), 'domain')}"
    count = words.plural(len(found), "domain")
    return words.name(found[0]) if len(found) == 1 else count


def joiners(group: Group) -> list[str]:
    """The domains that no mail on this cause has named yet; a failure may join on an old one."""
    before = {item.domain for item in group.other_items}
    return [domain for domain in domains(group.items) if domain not in before]


def parts(group: Group) -> tuple[int, int, str]:
    """
    How many are over, how many go on, and of how many: ``9, 3, "12 domains"``.

    Failures are counted where a domain has one that is over and one that is not.
    """
    over, left = domains(group.items), domains(group.other_items)
    if set(over) & set(left):
        over_count, left_count, unit = len(group.items), len(group.others), "failure"
    else:
        over_count, left_count, unit = len(over), len(left), "domain"
    return over_count, left_count, words.plural(over_count + left_count, unit)


def numbers(items: tuple[Item, ...]) -> list[int]:
    """One number for each cause among *items*: that of its worst failure."""
    found: dict[int, int] = {}
    for item in items:
        found.setdefault(item.cause, item.failure)
    return list(found.values())
