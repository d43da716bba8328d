"""Findings as people read them: what our own looks at a domain found, and since when."""

from collections.abc import Iterator
from typing import Any

from tlsrpt_mailer.alerts import checked, found, words
from tlsrpt_mailer.cli import failure_said
from tlsrpt_mailer.failures.model import Verdict
from tlsrpt_mailer.report.times import Time


def said(verdict: Verdict, *, terminal: bool = True) -> found.Told:
    """A finding in words."""
    identity, now = verdict.identity, verdict.last_seen
    code, domain, mx = identity.result_type, identity.domain, identity.mx
    return found.told(code, domain, mx, verdict.facts, now, terminal=terminal)


def facts(verdict: Verdict, now: Time) -> Iterator[str]:
    """Between which looks it began, the last that found it, and since when it is over."""
    since = words.moment(verdict.first_seen, now)
    if before := checked.clean_look(verdict.clean_before, verdict.first_seen, now):
        since = f"between the looks of {before} and {since}"
    yield f"  began      {since}"
    age = words.age(now - verdict.last_seen)
    yield f"  last seen  by the look of {words.moment(verdict.last_seen, now)}, {age}"
    if verdict.resolved_at is not None:
        yield f"  over       since the look of {words.moment(verdict.resolved_at, now)}"
    elif verdict.is_open:
        yield "  over       with the first look that does not find it: tlsrpt-mailer check"
    if verdict.incident > 1:
        yield f"  incident   the {verdict.incident}. of its kind"
    yield from failure_said.said(verdict, now)


def body(verdict: Verdict) -> list[str]:
    """What is wrong, why it matters and how to mend it."""
    return ["FOUND", *found.text(said(verdict))]


def form(verdict: Verdict) -> dict[str, Any]:  # a JSON object
    """The same, as JSON has it."""
    told = said(verdict, terminal=False)
    return {
        "what": told.what,
        "why": told.why,
        "mend": list(told.mend),
        "lines": list(told.lines),
        "facts": verdict.facts,
    }
