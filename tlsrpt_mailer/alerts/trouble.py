"""The sections of a mail that says that something is broken."""

from collections.abc import Iterator, Sequence

from tlsrpt_mailer.alerts import again, asking, checked, commands, effects, view, words
from tlsrpt_mailer.alerts.about import domains
from tlsrpt_mailer.alerts.catalogue import Entry, entry, reason
from tlsrpt_mailer.alerts.document import Block, Section, code, grid, pairs, para, section, steps
from tlsrpt_mailer.alerts.model import Context, Evidence, Group, Item
from tlsrpt_mailer.report.marks import is_marked

WORST = 20
"""Domains that a long list names; the attachment has them all."""
ATTACH_FROM = 30
EVIDENCE_ROWS = 8
QUOTES = 4


def sections(group: Group, context: Context) -> tuple[Section, ...]:
    """All that stands under the first lines of new, joined, worsened, not fixed and regressed."""
    worst = group.items[0]
    if worst.is_finding:
        return _of_finding(group, context)
    found = [
        *again.last_time(group, context),
        still_so(group.items, context),
        mend(worst, many=len(domains(group.items)) > 1),
        to_mail(group.items),
        *([the_domains(group.items)] if len(group.items) > 1 else []),
        evidence(worst, context, alone=len(domains(group.items)) == 1),
        *view.sections(worst, context),
        *([also_open(group.elsewhere)] if group.elsewhere else []),
        *asking.answer(group, context),
        asking.whats_next(group, context),
    ]
    return tuple(found)


def _of_finding(group: Group, context: Context) -> tuple[Section, ...]:
    found = [
        *again.last_time(group, context),
        *checked.sections(group.items, context),
        *([also_open(group.elsewhere)] if group.elsewhere else []),
        *asking.answer(group, context),
        asking.whats_next(group, context),
    ]
    return tuple(found)


# ------------------------------------------------------------------- is it so


def still_so(items: tuple[Item, ...], context: Context) -> Section:
    """The commands that show how it is now."""
    worst = items[0]
    names = _names(worst)
    blocks: list[Block] = []
    for check in entry(worst.result_type).check:
        if check.note:
            blocks.append(para(names.fill(check.note)))
        shown = commands.outcome(check, names)
        blocks.append(code([*commands.shell(check, names), *([""] if shown else []), *shown]))
    return section(
        "IS IT STILL SO?",
        *blocks,
        stand_ins(worst, names),
        aside=_dated(items, context),
    )


def _names(item: Item) -> commands.Names:
    sending = (ip for row in effects.failing(item) for ip, _ in row.sending_ips)
    return commands.names(item.domain, item.mx, next(sending, None))


def stand_ins(item: Item, names: commands.Names) -> Block | None:
    """Say what a placeholder stands for: quote the names that may not stand in a command."""
    lines = []
    if names.domain != item.domain:
        lines.append(f'DOMAIN stands for the name in the report: "{words.safe(item.domain, 260)}"')
    if names.mx != item.mx and item.mx is not None:
        lines.append(f'MX_HOST stands for the name in the report: "{words.safe(item.mx, 260)}"')
    elif item.mx is None and any(
        "{mx}" in part for check in entry(item.result_type).check for part in check.command
    ):
        lines.append(f"MX_HOST stands for each host of: dig +short MX {names.domain}")
    return para(*lines) if lines else None


def _dated(items: tuple[Item, ...], context: Context) -> str:
    found = effects.figure(items)
    if found is None:
        return ""
    about = words.window(found.start, found.end, context.now)
    came = words.when(found.received, context.now)
    if len(domains(items)) > 1:
        return f"The reports are about {about}; the last came {came}."
    return f"The report is about {about}; it came {came}."


# ----------------------------------------------------------------------- mend


def mend(item: Item, *, many: bool) -> Section:
    """What the reporters' reasons come down to, then the steps."""
    one = entry(item.result_type)
    names = _names(item)
    says = [found.says for kind in effects.classes(item) if (found := reason(kind))]
    return section(
        "HOW TO MEND IT",
        para(*says[:QUOTES]),
        _alone(item, one),
        *mending(item),
        para(f"Worth knowing: {one.worth}") if one.worth else None,
        _stopgap(item, names, many=many),
    )


def mending(item: Item) -> list[Block | None]:
    """The steps; or whom to tell, where the MX host is run by a provider."""
    names = _names(item)
    own = None if effects.is_theirs(item) else steps(map(names.fill, entry(item.result_type).mend))
    return [_run_by(item), own]


def _run_by(item: Item) -> Block | None:
    """Whom to tell, where the MX host is run by others: nobody here can renew its certificate."""
    if not item.run_by or entry(item.result_type).is_about_policy:
        return None
    who = f"{words.name(item.mx or item.cause_mx or '')} is run by {item.run_by}"
    if effects.is_theirs(item):
        return para(
            f"{who}: you cannot mend it yourself. Tell {item.tell}, with what the command above"
            " prints."
        )
    return para(f"{who}: where it is the host that fails, tell {item.tell}.")


def _alone(item: Item, one: Entry) -> Block | None:
    reporters = list(dict.fromkeys(row.reporter for row in effects.failing(item)))
    if len(reporters) != 1 or not one.alone:
        return None
    return para(f"So far {words.safe(reporters[0], 30)} alone reports this. {one.alone}")


def _stopgap(item: Item, names: commands.Names, *, many: bool) -> Block | None:
    if effects.held(item) != "refused" or item.policy_type != "sts":
        return None
    which = "the MTA-STS policy of each domain" if many else "the MTA-STS policy"
    domain = "DOMAIN" if many else names.domain
    return para(
        f'Cannot be mended today? Set "mode: testing" in {which} and give _mta-sts.{domain} a new'
        " id=. Senders look for a new id before they give a message up. Set it back afterwards."
    )


def to_mail(items: Sequence[Item]) -> Section:
    """What it does to mail, once for each policy among *items*."""
    found = dict.fromkeys(row for item in items for row in effects.rows(item))
    if len(found) == 1:
        return section("WHAT IT DOES TO MAIL", para(*(text for _, text in found)))
    return section("WHAT IT DOES TO MAIL", para(*(f"{policy}: {text}" for policy, text in found)))


# ----------------------------------------------------------------- the domains


def the_domains(items: Sequence[Item]) -> Section:
    """One line a failure, worst first; past thirty the worst twenty and an attachment."""
    shown = items if len(items) < ATTACH_FROM else items[:WORST]
    rows: list[tuple[str, ...]] = [("#", "domain", "policy", "mail", "failed", "sessions", "")]
    rows += [_domain_row(item) for item in shown]
    more = len(items) - len(shown)
    return section(
        "THE DOMAINS, worst first",
        grid(rows, (8, 0, 7, 11, 10, 10, 11), right=(0, 4, 5, 6)),
        para(f"and {words.number(more)} more: see the attached domains.csv") if more else None,
    )


def _domain_row(item: Item) -> tuple[str, ...]:
    failed, sessions = counts(item)
    return (
        str(item.failure),
        words.name(item.domain),
        effects.policy(item),
        effects.held(item),
        words.number(failed),
        words.number(sessions),
        words.share(failed, sessions),
    )


def counts(item: Item) -> tuple[int, int]:
    """(failed, sessions) of one reporter's newest bad day, else of the whole incident."""
    found = effects.figure([item])
    return (found.failed, found.sessions) if found else (item.failed, item.sessions)


def also_open(items: Sequence[Item]) -> Section:
    """What else is broken on the same domain, so that nobody mends the wrong end."""
    rows = [
        (f"{item.failure:>4}  {item.severity:<8}", effects.phrase(item)) for item in items[:WORST]
    ]
    return section("ALSO OPEN ON THIS DOMAIN", pairs(rows))


# ------------------------------------------------------------------- evidence


def evidence(item: Item, context: Context, *, alone: bool) -> Section:
    """Who saw it when, how often, where, and in which words."""
    shown = item.evidence[:EVIDENCE_ROWS]
    rows: list[tuple[str, ...]] = [("reporter", "day (UTC)", "sessions", "failed", "")]
    rows += [_evidence_row(row, context) for row in shown]
    return section(
        "EVIDENCE" if alone else f"EVIDENCE, of {words.name(item.domain)}",
        grid(rows, (18, 16, 12, 12, 11), right=(2, 3, 4)) if shown else None,
        para(*_where(item), began(item, context), *_quotes(item), *_policy_quoted(item)),
        para(
            *_whose_word(shown),
            "Sessions are attempts: one waiting message makes many.",
        ),
    )


def _whose_word(shown: Sequence[Evidence]) -> Iterator[str]:
    """What proves who wrote the reports that saw it."""
    found = {
        "unproven" if is_marked(row.reporter) else row.trust
        for row in shown
        if row.failed and row.trust is not None
    }
    many = sum(bool(row.failed) for row in shown) > 1
    if found == {"pass"}:
        yield (
            "The reports carry valid DKIM signatures of their reporters."
            if many
            else "The report carries a valid DKIM signature of the reporter."
        )
    elif found == {"unchecked"}:
        yield "Reports are not authenticated (trust.dkim is off)."
    elif found == {"operator"}:
        said = "The reports were" if many else "The report was"
        yield f"{said} imported, or taken on an operator's word; no signature was checked."
    elif "pass" in found:
        yield "Not all of these reports carry a valid DKIM signature of the reporter."
    elif found:
        yield f"No signature proves who wrote {'these reports' if many else 'this report'}."


def _evidence_row(row: Evidence, context: Context) -> tuple[str, ...]:
    return (
        words.safe(row.reporter, 30),
        words.window(row.start, row.end, context.now),
        words.number(row.sessions),
        words.number(row.failed),
        words.share(row.failed, row.sessions) if row.failed else "",
    )


def _where(item: Item) -> list[str]:
    """The addresses of the newest failing window: the pool member, the IPv6 side."""
    found = effects.failing(item)
    if not found:
        return []
    newest = found[0]
    sides = (("Failed at", newest.ips), ("Tried from", newest.sending_ips))
    return [f"{label}: {_addresses(ips)}." for label, ips in sides if ips]


def _addresses(ips: Sequence[tuple[str, int]]) -> str:
    return words.listed([f"{words.name(ip)} ({words.number(count)})" for ip, count in ips], 6)


def began(item: Item, context: Context) -> str:
    """The span in which it began: between the last clean window and the first failing one."""
    last = words.end_moment(item.first_failing_end, context.now)
    if item.clean_before is None:
        return f"It began before {last}; no clean report is known from before that."
    return f"It began between {words.end_moment(item.clean_before, context.now)} and {last}."


def _quotes(item: Item) -> list[str]:
    """What reporters said, each text once, as it came but harmless."""
    said: dict[str, str] = {}
    for row in item.evidence:
        for text, _ in row.reasons:
            said.setdefault(words.safe(text, 160), words.safe(row.reporter, 30))
    quoted = [f'{reporter} says: "{text}"' for text, reporter in said.items()]
    known = entry(item.result_type).is_known
    return quoted[:QUOTES] + (
        [] if known else [f'Result type: "{words.safe(item.result_type, 160)}"']
    )


def _policy_quoted(item: Item) -> list[str]:
    """The policy that the sender holds, where the failure is about its "mx:" lines."""
    if "mx-not-in-policy" not in effects.classes(item):
        return []
    quoted = next((row.policy_string for row in item.evidence if row.policy_string), ())
    return [f'Policy quoted: "{words.safe("; ".join(quoted), 300)}"'] if quoted else []
