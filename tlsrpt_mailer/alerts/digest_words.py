"""How a digest says things: a failure in three lines, a share that worked, a reporter's habit."""

from collections.abc import Callable, Iterable, Sequence

from tlsrpt_mailer.alerts import effects, words
from tlsrpt_mailer.alerts.digest_lines import NEW_DAYS, DomainLine, ReporterLine
from tlsrpt_mailer.alerts.digest_model import Failure, Silence, Sum
from tlsrpt_mailer.alerts.digest_pages import Cause, is_handled, is_nobodys
from tlsrpt_mailer.alerts.model import Answer, Item
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

NAMED = 5
PARTS = 4
"""How many answers to one cause are told apart."""
HOLDING = frozenset({"refused", "waits"})
REGULAR, MOSTLY, SOMETIMES = 0.9, 0.6, 0.25


def worked(total: Sum) -> str:
    """
    How much of the sessions worked: ``91 %``, ``99.7 %``, ``-`` where there were none.

    Never ``100 %`` where something failed, nor ``0 %`` where something worked.
    """
    sessions = max(total.sessions, total.failed)
    if not sessions:
        return "100 %" if total.reports else "-"
    good = 100 * (sessions - total.failed) / sessions
    if good in {0, 100}:
        return f"{good:.0f} %"
    if good < 1:
        return f"{max(good, 0.1):.1f} %"
    if good > 99:
        return f"{min(good, 99.9):.1f} %"
    return f"{good:.0f} %"


def failure_rows(cause: Cause, now: Time) -> list[tuple[str, str]]:
    """An open cause: what and where, since when and who has it, how to mend it."""
    item = cause[0].item
    rows = [
        (_term(item), f"{_whose(cause)}: {effects.phrase(item)}"),
        ("", ", ".join(_facts(cause, now))),
    ]
    waiting = next((one.item for one in cause if not is_handled(one)), None)
    if waiting is None:
        return rows
    return [*rows, ("", f"mend: {effects.brief(waiting)}")]


def ended_rows(failure: Failure, now: Time) -> list[tuple[str, str]]:
    """A failure that is over, or that nobody speaks of any more, in two lines."""
    item = failure.item
    return [
        (f"{item.failure:>4}", f"{words.name(item.domain)}: {effects.phrase(item)}"),
        ("", ", ".join(_past(failure, now))),
    ]


def small_row(cause: Cause, now: Time) -> tuple[str, str]:
    """A failure that is too small for a mail."""
    item = cause[0].item
    share = "" if item.is_finding else f"{words.share(item.failed, item.sessions)} of sessions, "
    text = f"{share}last seen {words.day(item.last_seen - 1, now)}"
    return f"{item.failure:>4}", f"{_whose(cause)}: {effects.phrase(item)}, {text}"


def _term(item: Item) -> str:
    return f"{item.failure:>4}  {item.severity.upper():<8}"


def _whose(cause: Cause) -> str:
    domains = list(dict.fromkeys(one.item.domain for one in cause))
    return words.name(domains[0]) if len(domains) == 1 else words.plural(len(domains), "domain")


def _facts(cause: Cause, now: Time) -> list[str]:
    items = [one.item for one in cause]
    since = words.day(min(item.first_seen for item in items), now)
    found = [("back since " if items[0].state == "regressed" else "since ") + since]
    share = words.share(sum(one.failed for one in items), sum(one.sessions for one in items))
    kinds = {effects.held(item) for item in items}
    if kinds <= {"unprotected", "arrives", "untouched"}:
        found.append("mail is not held up")
    elif all(item.is_finding for item in items):
        found.append("mail is held up")
    else:
        found.append(f"{share} of sessions")
    found.append(_seen_by(cause))
    if len(cause) > 1:
        found.append(_named(items))
    found += _answers(cause, now)
    return [one for one in found if one]


def _named(items: Sequence[Item]) -> str:
    """Which domains it is about, worst first; numbers, where one has several failures."""
    names = list(dict.fromkeys(words.name(item.domain) for item in items))
    return f"at {words.listed(names, NAMED)}" if len(names) > 1 else ""


def _seen_by(cause: Cause) -> str:
    names = list(dict.fromkeys(name for one in cause for name in one.reporters))
    safe = [words.safe(name, 40) for name in names]
    if len(safe) == 1:
        return f"only {safe[0]} sees it"
    return f"{words.listed(safe)} see it" if safe else ""


def _answers(cause: Cause, now: Time) -> list[str]:
    """Who has it, or for how long nobody has."""

    def text(found: Cause) -> str:
        told = min((one.told_at for one in found if one.told_at is not None), default=None)
        silent = f"unanswered for {length(now - told)}" if told is not None else "not mailed yet"
        said = _answer(found[0].item, now)
        return said if is_handled(found[0]) else ", ".join(filter(None, (said, silent)))

    return apart(cause, lambda one: _answer(one.item, now), text)


def _answer(item: Item, now: Time) -> str:
    """Who has one failure; empty where nobody does."""
    said = item.answer
    if item.state == "acknowledged" and said is not None:
        return _said("acknowledged by", said, now)
    if item.state == "fixed?" and said is not None:
        return _said("said to be mended by", said, now)
    if item.state == "muted":
        until = item.muted_until
        far = until is None or until > now + 3650 * DAY
        return "muted" if far else f"muted until {words.day(until or now, now)}"
    if item.is_quiet:
        return f"in maintenance {item.maintenance}" if item.maintenance else "in maintenance"
    if item.assigned is not None and item.assigned.assignee:
        return f"assigned to {words.safe(item.assigned.assignee, 80)}"
    return ""


def apart(cause: Cause, key: Callable[[Failure], str], text: Callable[[Cause], str]) -> list[str]:
    """
    The cause's failures by *key*, each lot in a *text*; what nobody has first, then what waits.

    Where there are several lots, each says what it is true of: domains, or the numbers of its
    failures where a domain is in two of them.
    """
    lots: dict[tuple[bool, str], list[Failure]] = {}
    for one in sorted(cause, key=lambda one: (not is_nobodys(one), is_handled(one))):
        lots.setdefault((is_handled(one), key(one)), []).append(one)
    if len(lots) == 1:
        return [text(cause)]
    places = [list(dict.fromkeys(one.item.domain for one in lot)) for lot in lots.values()]
    is_split = sum(map(len, places)) > len({name for names in places for name in names})
    found = []
    for lot, names in list(zip(lots.values(), places, strict=True))[:PARTS]:
        numbers = words.listed([str(one.item.failure) for one in lot], NAMED)
        at = f"at {words.listed([words.name(name) for name in names], NAMED)}"
        found.append(f"{text(tuple(lot))} {f'({numbers})' if is_split else at}")
    return found


def length(span: Span) -> str:
    """``43 min``, ``20 h``, ``2 days``: a digest counts in days from a day and a half on."""
    return words.length(span) if span < DAY + 12 * HOUR else words.plural(round(span / DAY), "day")


def _said(verb: str, said: Answer, now: Time) -> str:
    note = f': "{words.safe(said.note, 80)}"' if said.note else ""
    return f"{verb} {words.safe(said.who, 80)} on {words.day(said.at, now)}{note}"


def _past(failure: Failure, now: Time) -> list[str]:
    item = failure.item
    found = [words.days(item.first_seen, item.last_seen, now)]
    if item.taken_back:
        return [*found, "no report that counts says so any more"]
    if not item.is_finding:
        found.append(f"{words.share(item.failed, item.sessions)} of sessions on those days")
    if item.state == "stale":
        closes = failure.closes_at
        found.append(
            "nobody has looked since" if item.is_finding else "whoever saw it reports no more"
        )
        return found + ([f"closed unconfirmed on {words.day(closes, now)}"] if closes else [])
    if item.state == "closed":
        return [*found, "nobody has confirmed that it is over"]
    return found + ([f"resolved {words.day(item.resolved_at, now)}"] if item.resolved_at else [])


# ------------------------------------------------------------------- reporters


def habit(line: ReporterLine, now: Time) -> str:
    """How often a reporter reports."""
    if line.span < NEW_DAYS:
        return f"new, since {words.day(line.first, now)}"
    if line.regularity >= REGULAR:
        return "every day"
    if line.regularity >= MOSTLY:
        return "most days"
    return f"about {max(2, round(7 * line.regularity))} days a week"


def delay(span: Span) -> str:
    """How long after the end of a day its report comes."""
    if span < HOUR:
        return "at the end of the day"
    if span < 2 * DAY:
        return f"about {round(span / HOUR)} h after it ends"
    return f"about {round(span / DAY)} days after it ends"


def is_rare(line: ReporterLine) -> bool:
    """Whether it reports now and then only."""
    return line.span >= NEW_DAYS and line.regularity < SOMETIMES


def silence(one: Silence, now: Time) -> str:
    """A reporter that stopped or began again."""
    names = words.listed([words.name(name) for name in one.domains], NAMED)
    who = words.safe(one.reporter, 60)
    if one.resumed_at is not None:
        return f"{who} reports again on {names}, since {words.day(one.resumed_at, now)}."
    last = words.day(one.last - 1, now)
    return f"{who} has stopped reporting on {names}; its last report is about {last}."


# --------------------------------------------------------------------- domains


def domain_rows(lines: Sequence[DomainLine], letters: str) -> list[tuple[str, ...]]:
    """Titles, then a row a domain; the last cell is the week."""
    rows: list[tuple[str, ...]] = [("", "sessions", "worked", "before", letters)]
    return rows + [
        (
            words.name(line.name),
            words.number(line.total.sessions) if line.total.reports else "-",
            worked(line.total),
            worked(line.before),
            line.cells,
        )
        for line in lines
    ]


def weekdays(days: Iterable[Time]) -> str:
    """``MTWTFSS``: the first letters of the days' names."""
    # 1 January 1970 was a Thursday.
    return "".join("MTWTFSS"[(day // DAY + 3) % 7] for day in days)
