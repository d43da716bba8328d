"""The first lines of a mail: enough to decide whether to get up."""

from collections import Counter

from tlsrpt_mailer.alerts import checked, effects, said, view, words
from tlsrpt_mailer.alerts.about import domains
from tlsrpt_mailer.alerts.catalogue import entry
from tlsrpt_mailer.alerts.commands import Names
from tlsrpt_mailer.alerts.model import Context, Group, Item


def news(group: Group, context: Context) -> list[str]:
    """Whether mail is held up, what broke, how much, and where mail still gets in."""
    worst = group.items[0]
    one = len(domains(group.items)) == 1
    first = view.mended(worst, context) if one else ""
    first = first or (first_line(worst) if one else _many(group))
    second = second_line(worst) if one else f"One cause: {effects.phrase(worst)}."
    count = count_line(group.items, context)
    return [first, second, count, *_way_out(group), *said.called(worst, context)]


def prefixed(start: str, line: str) -> str:
    """``It is back: senders refuse ...``: *line* as the second half of a sentence, if it is one."""
    if ": " in line or ". " in line:
        return f"{start}. {line}"
    return f"{start}: {line if line.startswith('DANE') else line[:1].lower() + line[1:]}"


def _way_out(group: Group) -> list[str]:
    worst = group.items[0]
    if worst.is_finding or len(domains(group.items)) > 1 or effects.held(worst) != "refused":
        return []
    # Only other MX of the same domain tell whether there is another way in.
    failing = [item.mx for item in (*group.items, *group.elsewhere) if item.mx]
    return [effects.way_out(worst, failing)]


def first_line(item: Item) -> str:
    """Whether mail is held up."""
    if item.is_finding:
        return checked.first_line(item)
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
    if item.is_finding:
        return capital(f"{effects.phrase(item)}.")
    holds = effects.held(item)
    if holds in {"arrives", "unclear"}:
        return capital(f"{effects.phrase(item)}.")
    text = Names(words.name(item.domain), words.name(item.mx), "").fill(effects.because(item))
    if holds == "refused" and item.policy_type == "sts":
        joint = ". The" if ":" in text or ", and " in text else ", and the"
        return f'{text}{joint} MTA-STS policy says "enforce".'
    return f"{text}."


def capital(text: str) -> str:
    """*text* as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def _many(group: Group) -> str:
    """Whether mail is held up for how many of the domains."""
    if group.items[0].is_finding:
        return checked.many_line(group.items)
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
    if items[0].is_finding:
        return checked.since_line(items, context)
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
