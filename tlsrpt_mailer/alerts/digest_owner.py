"""An owner's digest: what is open, what is over, how the week was, who reports, how he stands."""

from collections.abc import Mapping, Sequence
from itertools import chain

from tlsrpt_mailer.alerts import digest_words as say
from tlsrpt_mailer.alerts import effects, words
from tlsrpt_mailer.alerts.catalogue import entry
from tlsrpt_mailer.alerts.digest_lines import DomainLine, ReporterLine
from tlsrpt_mailer.alerts.digest_model import Failure
from tlsrpt_mailer.alerts.digest_pages import Page
from tlsrpt_mailer.alerts.document import Block, Section, pairs, para, section, week
from tlsrpt_mailer.report.times import Time, iso

OPEN = "OPEN (worst first)"
LISTED = 20
ATTACH_FROM = 30
NAMED = 10
CERTIFICATES = 4
LEGEND = (
    "Each day: . all worked, - under 1 % failed, + under 10 %, # more, @ over half, blank no"
    " report, ? not here yet."
)


def head(page: Page) -> tuple[str, ...]:
    """Whether mail is held up; what else happened; how much."""
    if page.is_blind:
        count = words.plural(len(page.domains), "domain")
        return (
            f"No report came on your {count} in {words.plural(page.period.days, 'day')}.",
            "So nobody knows whether TLS works. See below who used to report.",
            *([_open_words(page)] if page.open else []),
        )
    if page.is_empty:
        return _all_well(page)
    lines = [_open_words(page), " ".join([*_over_words(page), *_coverage(page)]), _sums(page)]
    return tuple(line for line in lines if line)


def sections(page: Page) -> tuple[Section, ...]:
    """All that has something in it; nothing of it on a quiet week."""
    if page.is_empty:
        return ()
    found = (
        _open(page),
        _listed("NO LONGER REPORTED (open, but nobody speaks of it)", page.stale, page.now),
        _listed("CLOSED UNCONFIRMED", page.closed, page.now),
        _listed("MENDED", page.mended, page.now),
        _untold(page),
        _small(page),
        _silences(page),
        _domains(page),
        _reporters(page),
        _standing(page),
    )
    return tuple(one for one in found if one.blocks)


# ------------------------------------------------------------------------- head


def _all_well(page: Page) -> tuple[str, ...]:
    total, domains = page.total, len(page.reporting)
    if not page.domains:
        return ("All well: nothing of yours fails.",)
    if not domains:
        of = words.plural(len(page.domains), "domain")
        return (f"Nothing is open. No report has come on your {of} yet.",)
    current = sum(1 for one in page.reporters if one.last > page.period.since)
    last = max(one.last for one in page.reporters)
    rest = len(page.domains) - domains
    sessions = words.plural(total.sessions, "session")
    by = words.plural(current, "reporter")
    return (
        f"All well: {sessions} of {by} to {words.plural(domains, 'domain')}, none failed.",
        f"Nothing is open. The last report is about {words.day(last - 1, page.now)}.",
        *([f"On {words.plural(rest, 'more domain')} nobody reports."] if rest else []),
    )


def _open_words(page: Page) -> str:
    failures = page.open_failures
    count = len(failures)
    if not count:
        return "Nothing is open that needs you." if page.small else "Nothing is open."
    kinds = [effects.held(one.item) for one in failures]
    holding = sum(kind in say.HOLDING for kind in kinds)
    opened = f"{words.plural(count, 'failure')} {'is' if count == 1 else 'are'} open"
    if holding and count == 1:
        return f"{opened}, and senders hold up mail because of it."
    if holding:
        verb = "holds" if holding == 1 else "hold"
        return f"{opened}; {words.number(holding)} of them {verb} up mail."
    it = "it" if count == 1 else "they"
    if "unclear" in kinds:
        return f"{opened}; whether {it} hold{'s' if count == 1 else ''} up mail is not known."
    return f"{opened}; {it} hold{'s' if count == 1 else ''} up no mail."


def _over_words(page: Page) -> list[str]:
    counts = (
        (page.mended, "mended"),
        (page.untold, "over before a mail was due"),
        (page.closed, "closed unconfirmed"),
    )
    return [
        f"{words.number(len(found))} {'was' if len(found) == 1 else 'were'} {what}."
        for found, what in counts
        if found
    ]


def _coverage(page: Page) -> list[str]:
    every, reporting = len(page.domains), len(page.reporting)
    if not every:
        return []
    if every == reporting:
        said = {1: "Reports came on your domain.", 2: "Both domains report."}
        return [said.get(every, f"All {words.number(every)} domains report.")]
    return [f"Reports came on {words.number(reporting)} of {words.plural(every, 'domain')}."]


def _sums(page: Page) -> str:
    total = page.total
    if not total.sessions:
        return ""
    share = words.share(total.failed, total.sessions)
    failed = f"{words.number(total.failed)} failed ({share})" if total.failed else "none failed"
    return f"{words.plural(total.sessions, 'session')} in {page.period.days} days, {failed}."


# --------------------------------------------------------------------- failures


def _open(page: Page) -> Section:
    rows = chain.from_iterable(say.failure_rows(cause, page.now) for cause in page.open[:LISTED])
    return section(OPEN, pairs(list(rows)), _more(len(page.open)))


def _listed(title: str, failures: Sequence[Failure], now: Time) -> Section:
    rows = chain.from_iterable(say.ended_rows(one, now) for one in failures[:LISTED])
    return section(title, pairs(list(rows)), _more(len(failures)))


def _untold(page: Page) -> Section:
    # What an old mailbox brings up is history, and long: how much of it is enough.
    since = page.period.before
    recent = [one for one in page.untold if one.item.last_seen > since]
    older = len(page.untold) - len(recent)
    found = _listed("BEGAN AND ENDED (no mail was due)", recent, page.now)
    text = f"{words.plural(older, 'older one')}: tlsrpt-mailer failures --all"
    blocks = [*found.blocks, *([para(text)] if older else [])]
    return section(found.title, *blocks)


def _small(page: Page) -> Section:
    rows = [say.small_row(cause, page.now) for cause in page.small[:LISTED]]
    return section("TOO SMALL FOR A MAIL (notice and low)", pairs(rows), _more(len(page.small)))


def _more(count: int) -> Block | None:
    text = f"and {words.number(count - LISTED)} more: tlsrpt-mailer failures"
    return para(text) if count > LISTED else None


def _silences(page: Page) -> Section:
    lines = [say.silence(one, page.now) for one in page.silences[:LISTED]]
    missing = [words.name(name) for name in page.missing]
    if missing:
        days = words.plural(page.period.days, "day")
        lines.append(f"No report at all in {days} on {words.listed(missing, NAMED)}.")
    return section("WHO FELL SILENT", para(*lines))


# ---------------------------------------------------------------------- domains


def _domains(page: Page) -> Section:
    if not page.domains:
        return section("YOUR DOMAINS")
    limit = LISTED if len(page.domains) >= ATTACH_FROM else ATTACH_FROM
    rows = say.domain_rows(page.domains[:limit], say.weekdays(page.period.week))
    more = len(page.domains) - limit
    rest = f"and {words.number(more)} more: see the attached domains.csv"
    days = words.days(page.period.since, page.period.until, page.now)
    return section(
        "YOUR DOMAINS",
        week(words.table(rows, (0, 11, 8, 8, 7), right=(1, 2, 3)), rows),
        para(rest) if more > 0 else None,
        para(LEGEND),
        aside=f"{days}; before: the {page.period.days} days before",
    )


def _reporters(page: Page) -> Section:
    regular = [one for one in page.reporters if not say.is_rare(one)]
    rows = [
        (
            words.safe(one.name, 40),
            f"{_habit(one, page)}, {words.plural(one.domains, 'domain')}",
        )
        for one in regular[:NAMED]
    ]
    rare = len(page.reporters) - len(rows)
    if rare:
        name = "another" if rare == 1 else f"{words.number(rare)} others"
        rows.append((name, "now and then"))
    return section("WHO REPORTS", pairs(rows))


def _habit(line: ReporterLine, page: Page) -> str:
    text = f"{say.habit(line, page.now)}, {say.delay(line.delay)}"
    if line.last >= page.period.since:
        return text
    return f"{text}; none since {words.day(line.last - 1, page.now)}"


# --------------------------------------------------------------------- standing


def _standing(page: Page) -> Section:
    seen = [line for line in page.domains if line.seen or line.looked is not None]
    if not seen:
        return section("HOW YOU STAND")
    broken = {
        one.item.domain: one.item.failure
        for one in page.open_failures
        if not one.item.is_finding and entry(one.item.result_type).is_about_policy
    }
    rows = [*_records(seen), *_by_mode(seen, broken), *_dane(seen), *_certificates(page)]
    ready = [line for line in seen if line.ready]
    looked = any(line.looked is not None for line in seen)
    return section(
        "HOW YOU STAND",
        pairs(rows),
        para(*(_next_step(line) for line in ready[:3])),
        aside="" if looked else "as reports quote your policies; DNS was not asked",
    )


def _records(lines: Sequence[DomainLine]) -> list[tuple[str, str]]:
    """How many TLSRPT records are right, and which are not."""
    known = [
        one
        for one in lines
        if one.looked is not None and one.looked.record not in {None, "unneeded"}
    ]
    if not known:
        return []
    found: dict[str, list[DomainLine]] = {"right": []}
    for one in known:
        found.setdefault((one.looked and one.looked.record) or "", []).append(one)
    parts = [f"{words.number(len(found['right']))} of {words.number(len(known))} right"]
    labels = {"none": "none", "broken": "not valid", "elsewhere": "leading elsewhere"}
    parts += [
        f"{label}: {_names(found[state], len(known))}"
        for state, label in labels.items()
        if state in found
    ]
    return [("TLSRPT record", "; ".join(parts))]


def _certificates(page: Page) -> list[tuple[str, str]]:
    """Until when the certificates of the MX hosts are good, the nearest end first."""
    shown = [
        f"{words.name(host)} until {words.day(end, page.now)}"
        for host, end in page.certificates[:CERTIFICATES]
    ]
    more = len(page.certificates) - len(shown)
    if more:
        shown.append(f"{words.number(more)} more later")
    return [("certificates", ", ".join(shown))] if shown else []


def _by_mode(lines: Sequence[DomainLine], broken: Mapping[str, int]) -> list[tuple[str, str]]:
    """The modes that senders know; with the failure where they cannot learn of it."""
    modes = {
        "enforce": "enforce",
        "testing": "testing",
        "none": "none",
        "broken": "not valid",
        "unknown": "not quoted",
    }
    rows = [
        (f"MTA-STS {label}", _names([one for one in lines if one.mode == mode], len(lines), broken))
        for mode, label in modes.items()
    ]
    others = [one for one in lines if one.mode is not None and one.mode not in modes]
    rows.append(("MTA-STS other", _names(others, len(lines))))
    bare = [one for one in lines if one.mode is None and not one.dane]
    rows.append(("neither", _names(bare, len(lines))))
    return [row for row in rows if row[1]]


def _dane(lines: Sequence[DomainLine]) -> list[tuple[str, str]]:
    found = _names([one for one in lines if one.dane], len(lines))
    return [("DANE", found)] if found else []


def _names(found: Sequence[DomainLine], of: int, broken: Mapping[str, int] | None = None) -> str:
    """The names, or how many where the names would fill a page."""
    if len(found) > NAMED:
        return f"{words.number(len(found))} of {words.number(of)}"
    marks = {name: f" (see {number})" for name, number in (broken or {}).items()}
    return ", ".join(words.name(one.name) + marks.get(one.name, "") for one in found)


def _next_step(line: DomainLine) -> str:
    return (
        f"Next step: {words.name(line.name)} looks ready for enforce. In four weeks none of"
        f" {words.number(line.ready)} sessions failed."
    )


def csv_rows(page: Page) -> list[tuple[str | int | None, ...]]:
    """A line a domain for ``domains.csv``, titles first."""
    titles: tuple[str, ...] = (
        *("policy_domain", "sessions", "failed_sessions", "sessions_before", "failed_before"),
        *(f"day_{iso(day)[:10]}" for day in page.period.week),
        *("mta_sts_mode", "dane", "reporters"),
    )
    return [
        titles,
        *(
            (
                *(line.name, line.total.sessions, line.total.failed),
                *(line.before.sessions, line.before.failed),
                *(_WORDS[cell] for cell in line.cells),
                *(line.mode, "yes" if line.dane else "no", line.reporters),
            )
            for line in page.domains
        ),
    ]


_WORDS = {
    ".": "worked",
    "-": "under-1-percent-failed",
    "+": "under-10-percent-failed",
    "#": "to-50-percent-failed",
    "@": "over-half-failed",
    " ": "no-report",
    "?": "not-here-yet",
}
