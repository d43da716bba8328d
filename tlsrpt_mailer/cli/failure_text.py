"""Failures as people read them: the page, one of them in full, its story."""

from collections.abc import Iterator, Sequence

from tlsrpt_mailer.alerts import catalogue, commands, words
from tlsrpt_mailer.cli import failure_said, finding_text
from tlsrpt_mailer.cli.causes_of import CauseGroup
from tlsrpt_mailer.failures.model import Verdict, Window
from tlsrpt_mailer.ports import Evidence, FailureRecord
from tlsrpt_mailer.report.dialects import KNOWN_REPORTERS
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store.rows import Totals

_INDENT = " " * 26
WEEK = 7 * DAY
_NAMED = 3
"""How many domains of a cause a page names."""
_STATE = 9
_LOUD = {"critical": "CRITICAL"}


def all_muted(count: int, where: str = "", more: str = "") -> str:
    """What stands first where all that is open is muted; *more* is said to the command."""
    return f"All that is open{where} is muted ({count}): tlsrpt-mailer failures --muted{more}"


def nothing_open(totals: Totals, now: Time) -> list[str]:
    """What stands where no failure is open."""
    if totals.last_report is None:
        return ["Nothing is open, but no report has come in yet: tlsrpt-mailer status"]
    return ["Nothing is open. " + figures(totals), _last(totals.last_report, now)]


def figures(totals: Totals) -> str:
    """What the last days' reports say in all."""
    return f"{_figures(totals.sessions, totals.failed, totals.reporters)}."


def nothing_open_at(domain: str, windows: Sequence[Window], now: Time) -> list[str]:
    """The same of one domain, of which *windows* count."""
    if not windows:
        return [f"No report speaks of {words.name(domain)}."]
    fresh = [window for window in windows if window.end > now - WEEK]
    week = _figures(
        sum(
            max((one.successful + one.failed for one in each.sessions), default=0) for each in fresh
        ),
        sum(max((one.failed for one in each.sessions), default=0) for each in fresh),
        len({window.reporter for window in fresh}),
    )
    return [
        f"Nothing is open at {words.name(domain)}.",
        f"{week}.",
        _last(max(window.received for window in windows), now),
    ]


def _figures(sessions: int, failed: int, reporters: int) -> str:
    worked = f"{words.number(failed)} failed" if failed else "none failed"
    by = words.plural(reporters, "reporter")
    return f"{words.plural(sessions, 'session')} of {by} in the last 7 days, {worked}"


def _last(taken: Time, now: Time) -> str:
    return f"Last report: {words.moment(taken, now)}, {words.age(now - taken)}."


def page(causes: Sequence[CauseGroup], now: Time) -> list[str]:
    """A page of open causes, two lines or more each."""
    lines = [
        f"{'Open, worst first':<64}{words.moment(now, now):>14}",
        "",
        _columns("#", "severity", "state", "what and where", "since", "failed"),
    ]
    for cause in causes:
        lines += _cause(cause, now)
    return lines


def _cause(cause: CauseGroup, now: Time) -> Iterator[str]:
    verdict = cause.worst
    failed = words.share(cause.failed, cause.sessions)
    if verdict.state == "stale" or verdict.is_finding:
        failed = "-"
    what, since = words.safe(short(verdict), 33), words.day(cause.first_seen, now)
    state = _state(_unanswered(cause))
    yield _columns(str(cause.cause), _severity(verdict), state, what, since, failed)
    yield from words.wrap(_where(cause, now), _INDENT)


def short(verdict: Verdict) -> str:
    """What it is, in a few words."""
    if verdict.is_finding:
        return finding_text.said(verdict).short
    return catalogue.entry(verdict.identity.result_type).short


def _columns(number: str, severity: str, state: str, what: str, since: str, failed: str) -> str:
    return f"{number:>3}  {severity:<8}  {state:<9}  {what:<33}  {since:>8}  {failed:>6}"


def _severity(verdict: Verdict) -> str:
    return _LOUD.get(verdict.severity, verdict.severity)


def _unanswered(cause: CauseGroup) -> Verdict:
    """The worst of which nobody said that he has it, if there is one; else the worst."""
    verdicts = [record.verdict for record in cause.records]
    return next((one for one in verdicts if one.state != "acknowledged"), verdicts[0])


def _state(verdict: Verdict) -> str:
    if verdict.state == "acknowledged":
        state = f"ack {_person(verdict)}".strip()
        return state if len(state) <= _STATE else "ack"
    return verdict.state


def _person(verdict: Verdict) -> str:
    """Who has it, without the domain."""
    return words.safe((verdict.acknowledged_by or "").partition("@")[0], 40)


def _answered(cause: CauseGroup) -> str:
    """Who has it, where the state cannot say that: ``2 of 3 ack shop``, ``ack platform``."""
    verdicts = [record.verdict for record in cause.records]
    taken = [one for one in verdicts if one.state == "acknowledged"]
    people = words.listed(dict.fromkeys(filter(None, map(_person, taken))))
    said = f"ack {people}".strip()
    if len(taken) < len(verdicts):
        return f"{len(taken)} of {len(verdicts)} {said}" if taken else ""
    return "" if said == _state(verdicts[0]) else said


def _where(cause: CauseGroup, now: Time) -> str:
    domains = [words.name(domain) for domain in cause.domains]
    named = words.listed(domains, _NAMED)
    if len(domains) > 1:
        named = f"{words.number(len(domains))} domains: {named}"
    place = f"{words.name(cause.mx)}, {named}" if cause.mx else named
    return "; ".join(filter(None, [place, _answered(cause), *_remarks(cause, now)]))


def _remarks(cause: CauseGroup, now: Time) -> Iterator[str]:
    """What helps to decide whether to look at it now."""
    verdict = cause.worst
    if verdict.state == "stale":
        closes = (
            f", closes {words.day(verdict.stale_at + 30 * 86_400, now)}" if verdict.stale_at else ""
        )
        what = "look" if verdict.is_finding else "report"
        yield f"no {what} since {words.day(verdict.last_seen - 1, now)}{closes}"
        return
    if verdict.is_finding:
        yield f"found from here, last {words.age(now - verdict.last_seen)}"
        return
    saying = [witness for witness in verdict.witnesses if witness.has_say]
    if len(verdict.witnesses) == 1:
        yield f"only {reporter(verdict.witnesses[0].reporter)}"
    clean = [f"{reporter(one.reporter)} {one.clean_windows}" for one in saying if one.clean_windows]
    if clean:
        yield "clean windows since: " + ", ".join(clean)
    if catalogue.entry(cause.result_type).is_about_policy:
        yield "holds up no mail"


def mended(count: int) -> str:
    """How many failures ended lately; "" where none did."""
    return f"Mended in the last 7 days: {words.number(count)}." if count else ""


def foot(causes: Sequence[CauseGroup], muted: int, ended: int) -> list[str]:
    """How many there are in all, and what to type next."""
    domains = {domain for cause in causes for domain in cause.domains}
    stale = sum(cause.worst.state == "stale" for cause in causes)
    parts = [f"{words.plural(len(causes), 'cause')} on {words.plural(len(domains), 'domain')}"]
    parts += [f"{stale} stale"] if stale else []
    silent = f"Muted: {muted}." if muted else ""
    return [
        " ".join(filter(None, [f"{', '.join(parts)}.", silent, mended(ended)])),
        f"tlsrpt-mailer failures show {causes[0].cause}     --all  --muted  --group GROUP  --json",
    ]


def row(record: FailureRecord, now: Time) -> tuple[str, ...]:
    """One failure in one line."""
    verdict = record.verdict
    identity = verdict.identity
    return (
        str(record.id),
        verdict.severity,
        verdict.state,
        words.name(identity.domain),
        words.safe(identity.result_type, 40),
        words.name(identity.mx),
        words.day(verdict.first_seen, now),
        words.day(verdict.last_seen - (not verdict.is_finding), now),
        "-" if verdict.is_finding else words.share(verdict.failed_sessions, verdict.sessions),
    )


def reporter(name: str) -> str:
    """The name that people know: ``Google``."""
    return KNOWN_REPORTERS.get(name) or words.safe(name, 60)


# ------------------------------------------------------------------ one failure


def head(
    record: FailureRecord,
    owners: Sequence[str],
    others: Sequence[FailureRecord],
    now: Time,
    total: int = 0,
) -> list[str]:
    """What it is, how bad, since when; *others* of its cause, of *total* with itself."""
    verdict = record.verdict
    identity = verdict.identity
    at = f" at {words.name(identity.mx)}" if identity.mx else ""
    loud = verdict.severity.upper() if verdict.severity == "critical" else verdict.severity
    told = f"; owner {words.listed(owners)}" if owners else ""
    lines = [
        f"{record.id}  {words.safe(identity.result_type, 60)}{at}, {_known_by(verdict)}",
        f"    {words.name(identity.domain)}{told}; {loud}, {verdict.state}",
    ]
    if others:
        lines += failure_said.others(record, others, max(total, len(others) + 1))
    facts = finding_text.facts if verdict.is_finding else _facts
    return [*lines, "", *facts(verdict, now)]


def _known_by(verdict: Verdict) -> str:
    """The policy type that reports give it, or that it is a finding of our own."""
    if verdict.is_finding:
        return "found by looks from here"
    mode = f" ({verdict.mode})" if verdict.mode else ""
    return f"policy {words.safe(verdict.identity.policy_type, 40) or 'none'}{mode}"


def _facts(verdict: Verdict, now: Time) -> Iterator[str]:
    until = words.end_moment(verdict.first_failing_end, now)
    if verdict.clean_before is not None:
        yield f"  began      between {words.end_moment(verdict.clean_before, now)} and {until}"
    else:
        yield f"  began      before {until}"
    yield f"  last seen  in a report up to {words.end_moment(verdict.last_seen, now)}"
    failed = words.of(verdict.failed_sessions, verdict.sessions)
    share = words.share(verdict.failed_sessions, verdict.sessions)
    yield f"  failed     {failed} sessions ({share}) in the reports that saw it"
    if verdict.resolved_at is not None:
        yield f"  over       since {words.end_moment(verdict.resolved_at, now)}"
    elif verdict.is_open:
        yield "  over       when each reporter that saw it has two clean windows"
    if verdict.incident > 1:
        yield f"  incident   the {verdict.incident}. of its kind"
    yield from failure_said.said(verdict, now)


def evidence(seen: Sequence[Evidence], now: Time) -> list[str]:
    """The newest windows of the reporters that saw it."""
    rows = [("reporter", "about", "sessions", "failed", "", "report")]
    rows += [
        (
            reporter(one.reporter),
            words.window(one.start, one.end, now),
            words.number(one.sessions),
            words.number(one.failed),
            words.share(one.failed, one.sessions) if one.failed else "",
            str(one.report),
        )
        for one in seen
    ]
    lines = ["EVIDENCE, newest first", *_aligned(rows, right=(2, 3, 4, 5))]
    for text, kind in dict.fromkeys(reason for one in seen for reason in one.reasons):
        lines += words.wrap(f'they say "{words.safe(text)}": {kind}', "    ", "  ")
    return lines


def _aligned(rows: Sequence[Sequence[str]], right: Sequence[int]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        (
            "  "
            + "  ".join(
                cell.rjust(width) if at in right else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        ).rstrip()
        for row in rows
    ]


def more(record: FailureRecord, seen: Sequence[Evidence]) -> list[str]:
    """What to type next."""
    identity = record.verdict.identity
    if record.verdict.is_finding:
        checked = commands.names(identity.domain, None, None).domain
        return [f"tlsrpt-mailer check {checked}", f"tlsrpt-mailer domains show {checked}"]
    # A result type that is no word of the registry may hold anything: it is never pasted.
    known = catalogue.entry(identity.result_type)
    lines = [f"tlsrpt-mailer explain {known.type}"] if known.is_known else []
    lines += [f"tlsrpt-mailer reports show {seen[0].report}"] if seen else []
    return lines
