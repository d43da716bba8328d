"""The first lines of a mail, and its subject: enough to decide whether to get up."""

from collections import Counter

from tlsrpt_mailer.alerts import effects, words
from tlsrpt_mailer.alerts.catalogue import entry
from tlsrpt_mailer.alerts.commands import Names
from tlsrpt_mailer.alerts.model import SEVERITIES, Context, Group, Item

SUBJECT_CHARS = 160


def label(group: Group) -> str:
    """The first word of the subject."""
    if group.kind == "resolved":
        return "PARTLY RESOLVED" if group.is_partial else "RESOLVED"
    if group.kind == "regressed":
        return "REGRESSED"
    return severity(group.items)


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
        over, _, every = _parts(group)
        return f"{words.number(over)} of {every}"
    if group.kind == "joined" and (joiners := _joiners(group)):
        return f"+{words.plural(len(joiners), 'domain')}"
    count = words.plural(len(found), "domain")
    return words.name(found[0]) if len(found) == 1 else count


def _joiners(group: Group) -> list[str]:
    """The domains that no mail on this cause has named yet; a failure may join on an old one."""
    before = {item.domain for item in group.other_items}
    return [domain for domain in domains(group.items) if domain not in before]


def _parts(group: Group) -> tuple[int, int, str]:
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


def subject(group: Group, context: Context) -> str:
    """State, domain, what and where, number; cut from the right, but never in the domain."""
    if group.kind == "summary":
        count = words.plural(len(group.items), "failure")
        return f"tlsrpt-mailer has read old reports: {count} open [tlsrpt]"
    if group.kind == "flood":
        causes = words.plural(len({item.cause for item in group.items}), "cause")
        found = words.plural(len(domains(group.items)), "domain")
        count = words.number(len(group.items))
        return f"{count} more alerts held back this hour: {causes}, {found} [tlsrpt]"
    tag = f" [tlsrpt {number(group)}]"
    worst = group.items[0]
    if context.subject == "thread":
        # Gmail threads by the subject, so nothing in it may change with the state.
        start = f"{words.name(worst.domain)}: " if worst.mx is None else "TLS: "
    else:
        start = f"{label(group)} {whose(group)}: "
    return _cut(start, effects.phrase(worst), tag)


def _cut(start: str, rest: str, tag: str) -> str:
    room = max(12, SUBJECT_CHARS - len(start) - len(tag))
    return start + (rest if len(rest) <= room else rest[: room - 3].rstrip() + "...") + tag


# -------------------------------------------------------------------- first lines


def head(group: Group, context: Context) -> tuple[str, ...]:
    """The lines above everything else."""
    lines = {
        "new": _new,
        "joined": _joined,
        "regressed": _regressed,
        "resolved": _resolved,
    }[group.kind](group, context)
    return tuple(lines)


def _new(group: Group, context: Context) -> list[str]:
    worst = group.items[0]
    one = len(domains(group.items)) == 1
    first = first_line(worst) if one else _many(group)
    second = second_line(worst) if one else f"One cause: {effects.phrase(worst)}."
    return [first, second, count_line(group.items, context), *_way_out(group)]


def _way_out(group: Group) -> list[str]:
    worst = group.items[0]
    if len(domains(group.items)) > 1 or effects.held(worst) != "refused":
        return []
    # Only other MX of the same domain tell whether there is another way in.
    failing = [item.mx for item in (*group.items, *group.elsewhere) if item.mx]
    return [effects.way_out(worst, failing)]


def first_line(item: Item) -> str:
    """Whether mail is held up."""
    domain = words.name(item.domain)
    there = f" to {words.name(item.mx)}" if item.mx else " at an MX they do not name"
    who = "DANE senders" if item.policy_type == "tlsa" else "Senders"
    return {
        "refused": f"{who} refuse to deliver mail for {domain}{there}.",
        "waits": f"One sender that insists on DANE holds back its mail for {domain}.",
        "unclear": f"Mail for {domain} may be refused: no report says if the policy is enforced.",
        "arrives": f"Mail for {domain} still arrives: {_why_it_arrives(item)}.",
        "unprotected": f"No mail is held up. But {domain} has lost the protection of MTA-STS.",
    }[effects.held(item)]


def _why_it_arrives(item: Item) -> str:
    if effects.policy(item) == "testing":
        return 'the MTA-STS policy is in mode "testing"'
    if item.policy_type == "sts":
        return 'the MTA-STS policy is in mode "none"'
    return "no policy forbids it"


def second_line(item: Item) -> str:
    """What broke."""
    holds = effects.held(item)
    if holds in {"arrives", "unclear"}:
        return _capital(f"{effects.phrase(item)}.")
    text = Names(words.name(item.domain), words.name(item.mx), "").fill(effects.because(item))
    if holds == "refused" and item.policy_type == "sts":
        return f'{text}, and the MTA-STS policy says "enforce".'
    return f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _many(group: Group) -> str:
    """Whether mail is held up for how many of the domains."""
    worst = group.items[0]
    kinds = Counter({domain: effects.held(item) for domain, item in _worst_of_each(group)}.values())
    at = f" at {words.name(worst.mx)}" if worst.mx else ""
    total = sum(kinds.values())
    held = kinds["refused"] + kinds["waits"]
    touched = total - held
    more = (
        f"; {words.number(touched)} more {'is' if touched == 1 else 'are'} touched"
        if touched
        else ""
    )
    if held:
        return f"Senders refuse mail for {words.plural(held, 'domain')}{at}{more}."
    count = words.plural(total, "domain")
    if kinds["unprotected"]:
        return f"No mail is held up. But {count} have lost the protection of MTA-STS."
    if kinds["unclear"]:
        return f"Mail for {count} may be refused{at}: no report says if the policy is enforced."
    return f"Mail for {count} still arrives{at}: no policy in force forbids it."


def _worst_of_each(group: Group) -> list[tuple[str, Item]]:
    return [(item.domain, item) for item in reversed(group.items)]


def count_line(items: tuple[Item, ...], context: Context) -> str:
    """How much: one reporter's newest day, and who else sees it."""
    found = effects.figure(items)
    what = entry(items[0].result_type).counted
    if found is None:
        worst = items[0]
        since = words.day(worst.first_seen, context.now)
        return f"Since {since}: {_counted(what, worst.failed, worst.sessions, 1)}."
    who = f"{words.safe(found.reporter, 30)}, {words.window(found.start, found.end, context.now)}"
    text = f"{who}: {_counted(what, found.failed, found.sessions, found.domains)}."
    if not found.others:
        return text
    others = words.listed([words.safe(one, 30) for one in found.others], 2)
    return f"{text} {others} {'sees' if len(found.others) == 1 else 'see'} it too."


def _counted(what: str, failed: int, sessions: int, domains: int) -> str:
    ratio = words.share(failed, sessions)
    to = f" to {words.plural(domains, 'domain')}" if domains > 1 else ""
    if what != "sessions failed":
        return f"{what} {words.of(failed, sessions)} sessions{to} ({ratio})"
    return f"{words.of(failed, sessions)} sessions{to} failed ({ratio})"


def _joined(group: Group, context: Context) -> list[str]:
    found = _joiners(group)
    worst = group.items[0]
    told = words.day(min(row.before.at for row in group.others if row.before), context.now)
    same = f"Same cause, same mend: {effects.phrase(worst)}."
    count = count_line(group.items, context)
    if not found:
        where = "domain" if len(domains(group.items)) == 1 else "domains"
        first = f"More of the failure you were told of on {told}, on the same {where}."
        return [first, same, first_line(worst), count]
    every = domains(group.items + group.other_items)
    verb = "reports" if len(found) == 1 else "report"
    refused = {item.domain for item in group.items if effects.held(item) == "refused"}
    names = words.listed([words.name(domain) for domain in found if domain in refused])
    first = f"{words.plural(len(found), 'more domain')} {verb} the failure you were told of"
    return [
        f"{first} on {told}; {words.number(len(every))} in all.",
        same,
        f"New among them with mail refused: {names}."
        if names
        else "For none of the new ones mail is known to be refused.",
        count,
    ]


def _regressed(group: Group, context: Context) -> list[str]:
    lines = _new(group, context)
    first = (
        lines[0].replace("Senders", "senders", 1) if lines[0].startswith("Senders") else lines[0]
    )
    return [f"It is back: {first}", *lines[1:3], _before(group, context), *lines[3:]]


def _before(group: Group, context: Context) -> str:
    row = next(row for row in group.transitions if row.event == "regressed")
    if row.before is not None and row.before.resolved_at is not None:
        over = words.day(row.before.resolved_at, context.now)
        told = words.day(row.before.at, context.now)
        return f"It was over since {over}, as you were told on {told}."
    past = row.item.previous
    if past is None:
        return "It was over in between, for too short a time to tell you."
    if past.resolved_at is None:
        last = words.day(past.last_seen - 1, context.now)
        return f"Nobody confirmed that it was over: it was last seen on {last}, then not heard of."
    over = words.day(past.resolved_at, context.now)
    return f"It was over since {over}; before you could be told, it was back."


def _resolved(group: Group, context: Context) -> list[str]:
    found = domains(group.items)
    what = _capital(effects.phrase(group.items[0]))
    last = words.day(max(item.last_seen for item in group.items) - 1, context.now)
    if not group.is_partial:
        whose = words.name(found[0]) if len(found) == 1 else f"{words.number(len(found))} domains"
        if any(item.is_superseded for item in group.items):
            return [
                f"What you were told of is over for {whose}.",
                f"{what}: last seen on {last} by those whose word counts.",
                "Nothing to do. Something like it is still seen, too little for an alert.",
            ]
        return [
            f"It is over for {whose}: nobody reports it any more.",
            f"{what}: last seen on {last}.",
            "Nothing to do.",
        ]
    over, left, every = _parts(group)
    still = f"{words.number(left)} still {'fails' if left == 1 else 'fail'}"
    return [
        f"Over for {words.number(over)} of {every}; {still}.",
        f"{what}.",
        f"Still failing: {words.listed([words.name(one) for one in domains(group.other_items)])}.",
    ]
