"""The operator's page in words: open by cause, who is covered, what came in, who answered."""

from collections.abc import Mapping, Sequence

from tlsrpt_mailer.alerts import digest_words as say
from tlsrpt_mailer.alerts import effects, words
from tlsrpt_mailer.alerts.digest_fleet import GroupLine, OperatorPage
from tlsrpt_mailer.alerts.digest_model import Failure
from tlsrpt_mailer.alerts.digest_pages import Cause, is_nobodys
from tlsrpt_mailer.alerts.document import Section, grid, pairs, para, section
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

LISTED = 20
NAMED = 10
CAUSES = "OPEN BY CAUSE (critical)"
NOBODY = "NOBODY has it"
OUTCOMES = {
    "stored": "with reports stored",
    "superseded": "with older versions of reports",
    "duplicate": "seen before",
    "held": "held",
    "quarantined": "unreadable",
    "ignored": "without a report",
}


def head(page: OperatorPage) -> tuple[str, ...]:
    """How many critical failures are open, and how many of them nobody has."""
    causes = len(page.critical)
    bad = len(page.intake.trouble)
    first = (f"{words.plural(bad, 'source')} of reports in trouble now.",) if bad else ()
    if not causes:
        rest = _besides(page)
        return (*first, f"No critical failure is open{', but ' if rest else ''}{rest}.")
    count = sum(len(cause) for cause in page.critical)
    many = count > causes > 1
    of = f" of {words.plural(causes, 'cause')}" if many else ""
    opened = f"{words.plural(count, 'critical failure')}{of} {'is' if count == 1 else 'are'} open"
    alone = [one for cause in page.critical for one in cause if is_nobodys(one)]
    if not alone:
        return (*first, f"{opened}; somebody has {'it' if causes == 1 else 'each of them'}.")
    told = [one.told_at for one in alone if one.told_at is not None]
    since = f" for {say.length(page.now - min(told))}" if told else ""
    return (*first, f"{opened}, {_which(page, alone, many=many)}without an answer{since}.")


def _which(page: OperatorPage, alone: Sequence[Failure], *, many: bool) -> str:
    """How much of it nobody has: whole causes, or single failures of them."""
    whole = [cause for cause in page.critical if all(map(is_nobodys, cause))]
    if sum(map(len, whole)) < len(alone) or not many:
        every = len(page.critical) == len(whole) == 1
        return "" if every else f"{words.number(len(alone))} of them "
    return f"{words.plural(len(whole), 'cause')} "


def sections(page: OperatorPage) -> tuple[Section, ...]:
    """All parts that have something in them."""
    found = (_causes(page), _coverage(page), _nobodys_section(page), _intake(page), _people(page))
    return tuple(one for one in found if one.blocks)


def _causes(page: OperatorPage) -> Section:
    rows: list[tuple[str, str]] = []
    for cause in page.critical[:LISTED]:
        domains = words.plural(len({one.item.domain for one in cause}), "domain")
        since = words.day(min(one.item.first_seen for one in cause), page.now)
        rows += [
            (f"{cause[0].item.failure:>4}", words.safe(effects.phrase(cause[0].item), 300)),
            ("", f"{domains}, since {since}; {_who_has(cause, page.now)}"),
        ]
    more = len(page.critical) - LISTED
    hidden = [words.plural(more, "more cause")] if more > 0 else []
    hidden += [_besides(page)] if _besides(page) else []
    rest = f"and {words.listed(hidden)}: tlsrpt-mailer failures" if hidden else ""
    if not page.critical:
        return section(CAUSES)
    return section(CAUSES, pairs(rows), para(rest) if rest else None)


def _besides(page: OperatorPage) -> str:
    """``9 warnings and 31 notices``: what is open and not critical."""
    counts = [words.plural(page.warnings, "warning")] if page.warnings else []
    counts += [words.plural(page.small, "notice")] if page.small else []
    return words.listed(counts)


def _who_has(cause: Cause, now: Time) -> str:
    """``acknowledged by ana on 14 Oct``, or `NOBODY`; where they differ, at which domains."""

    def one(failure: Failure) -> str:
        return _keeper(failure, now)

    return ", ".join(say.apart(cause, one, lambda found: one(found[0])))


def _keeper(failure: Failure, now: Time) -> str:
    item = failure.item
    if item.state in {"acknowledged", "fixed?"} and item.answer is not None:
        verb = "acknowledged" if item.state == "acknowledged" else "said to be mended"
        who = words.safe(item.answer.who, 80)
        return f"{verb} by {who} on {words.day(item.answer.at, now)}"
    if item.state == "muted":
        return "muted"
    if item.is_quiet:
        return "in maintenance"
    if item.assigned is not None and item.assigned.assignee:
        return f"assigned to {words.safe(item.assigned.assignee, 80)}"
    return NOBODY


def _coverage(page: OperatorPage) -> Section:
    if not page.groups:
        return section("COVERAGE")
    together = _together(page.groups)
    is_looked = together.looked > 0
    titles = ("record",) if is_looked else ()
    rows: list[tuple[str, ...]] = [
        ("", "domains", *titles, "reporting", "MTA-STS", "enforce", "DANE")
    ]
    shown = page.groups if len(page.groups) > 1 else ()
    rows += [_group_row(line, is_looked=is_looked) for line in shown[:LISTED]]
    rows.append(_group_row(together, is_looked=is_looked))
    columns = len(rows[0])
    asked = "DNS was not asked"
    if is_looked:
        asked = "looked up"
        if together.looked < together.domains:
            asked += f", but for {words.number(together.domains - together.looked)}"
    return section(
        "COVERAGE",
        grid(rows, (0, *(9,) * (columns - 1)), right=tuple(range(1, columns))),
        para(_gaps(together)) if is_looked else None,
        aside=f"by what reports say and quote; {asked}",
    )


def _gaps(line: GroupLine) -> str:
    """Where nobody learns of failures, for want of a record that is right."""
    without = line.looked - line.record - line.broken
    counts = [f"{words.number(without)} without a TLSRPT record"] if without else []
    counts += [f"{words.number(line.broken)} with one that is not right"] if line.broken else []
    if not counts:
        return "Each has a TLSRPT record that leads here."
    return f"Gaps: {words.listed(counts)}: tlsrpt-mailer domains gaps"


def _together(lines: Sequence[GroupLine]) -> GroupLine:
    return GroupLine(
        name="together",
        domains=sum(line.domains for line in lines),
        looked=sum(line.looked for line in lines),
        record=sum(line.record for line in lines),
        broken=sum(line.broken for line in lines),
        reporting=sum(line.reporting for line in lines),
        mta_sts=sum(line.mta_sts for line in lines),
        enforce=sum(line.enforce for line in lines),
        dane=sum(line.dane for line in lines),
    )


def _group_row(line: GroupLine, *, is_looked: bool) -> tuple[str, ...]:
    record = (line.record,) if is_looked else ()
    counts = (*record, line.reporting, line.mta_sts, line.enforce, line.dane)
    return (
        words.safe(line.name, 40),
        words.number(line.domains),
        *(words.share(count, line.domains) for count in counts),
    )


def _nobodys_section(page: OperatorPage) -> Section:
    # Where nobody owns anything by name, all is the default recipients', and rightly so.
    if not page.has_owners or not page.nobodys:
        return section("NOBODY'S")
    names = words.listed([words.name(name) for name in page.nobodys], NAMED)
    return section(
        f"NOBODY'S: {words.plural(len(page.nobodys), 'domain')}",
        para(f"{names}."),
        aside="no owner, or the relay refuses the owner's address",
    )


def _intake(page: OperatorPage) -> Section:
    mails = page.intake.mails
    counts = [f"{words.number(mails[key])} {OUTCOMES[key]}" for key in OUTCOMES if mails.get(key)]
    total = words.plural(sum(mails.values()), "mail")
    lines = [f"{total}: {', '.join(counts)}." if counts else "No mail came in."]
    if len(counts) == 1:
        lines = [f"{total}, {'all ' if sum(mails.values()) > 1 else ''}{_one_outcome(mails)}."]
    if mails.get("held"):
        lines.append("Why, and what helps: tlsrpt-mailer reports --held")
    if page.intake.waiting:
        lines.append(f"{words.plural(page.intake.waiting, 'mail')} not read yet.")
    if page.intake.trouble:
        names = words.listed([words.safe(name, 80) for name in page.intake.trouble])
        lines.append(f"In trouble now: {names} (tlsrpt-mailer status).")
    if page.intake.last_report is not None:
        lines.append(f"The last report came {words.when(page.intake.last_report, page.now)}.")
    return section("INTAKE", para(*lines))


def _one_outcome(mails: Mapping[str, int]) -> str:
    return next(text for key, text in OUTCOMES.items() if mails.get(key))


def _people(page: OperatorPage) -> Section:
    lines = []
    if page.to_answer:
        spans = ", ".join(f"{_long(span)} ({severity})" for severity, span in page.to_answer)
        lines.append(f"Answered after a median of {spans}.")
    if page.to_end is not None:
        lines.append(f"Known to be over after a median of {_long(page.to_end)}.")
    total = sum(count for _, count in page.mails)
    if total:
        name, most = page.mails[0]
        lines.append(
            f"{words.plural(total, 'alert')} to {words.plural(len(page.mails), 'recipient')};"
            f" most to {words.safe(name, 120)} ({words.number(most)})."
        )
    else:
        lines.append("No alert went out.")
    return section("ANSWERS AND ALERTS", para(*lines))


def _long(span: Span) -> str:
    """``24 min``, ``9 h``, ``1 day 14 h``: a median wants more than whole days."""
    if span < DAY:
        return f"{span // HOUR} h" if span >= 2 * HOUR else f"{max(1, span // MINUTE)} min"
    hours = span % DAY // HOUR
    return f"{words.plural(span // DAY, 'day')}{f' {hours} h' if hours else ''}"
