"""Why a mail about a failure was sent, or was not: for ``failures show ID --why``."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from tlsrpt_mailer.failures.model import SEVERITIES, Severity, Verdict
from tlsrpt_mailer.failures.severity import SENDER_SIDE
from tlsrpt_mailer.failures.steps import NOT_FIXED
from tlsrpt_mailer.failures.timeline import Hit
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

NEWS = frozenset({"new", "worsened", "not-fixed", "regressed"})
"""Events that a failing window can bring about."""


class Mailed(msgspec.Struct, frozen=True):
    """One mail that named the failure."""

    at: Time
    recipient: str
    event: str
    """What it said of the failure."""
    kind: str = ""
    """What kind of mail it was; "" as *event*."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner of alerts goes by."""

    max_age: Span = 7 * DAY
    min_severity: Severity = "warning"
    group_wait: Span = 5 * MINUTE
    began: Time = 0
    """When this program first stored a mail: nothing was told before."""


def follows(mails: Iterable[Mailed], at: Time, limits: Limits) -> bool:
    """Whether a mail came of what was taken at this moment."""
    until = at + limits.group_wait + HOUR
    return any(at <= mail.at <= until and mail.event in NEWS for mail in mails)


def why_not(
    verdict: Verdict, hit: Hit, told: Collection[str], at: Time, limits: Limits, *, first: bool
) -> str:
    """
    Why a failing window was no reason for a mail; "" where nothing but time stood against it.

    Args:
        verdict: As it was judged once the window had come.
        told: What each recipient was last told by then.
        at: When the window came.
        first: Whether its reporter had not seen the incident before.
    """
    held = _held_back(verdict, hit, limits)
    if held:
        return held
    if not told:
        since = max(at, limits.began) - limits.max_age
        aged = verdict.last_seen <= since
        return f"older than max_age ({_days(limits.max_age)})" if aged else ""
    if all(event == "resolved" for event in told):
        return "about time before it was over"
    if first and verdict.severity == "critical":
        return "critical already"
    if verdict.state == "fixed?":
        return 'that day began before "fixed"'
    return "acknowledged, and no worse" if verdict.state == "acknowledged" else "no worse than told"


def _held_back(verdict: Verdict, hit: Hit, limits: Limits) -> str:
    """What keeps a failure from being told at all."""
    severity = verdict.severity
    too_small = SEVERITIES.index(severity) > SEVERITIES.index(limits.min_severity)
    holds = (
        ("it is over: this only changes its history", not verdict.is_open),
        (f"in maintenance {hit.quiet}", hit.quiet is not None),
        ("muted", verdict.muted_until is not None),
        (f"low: {_why_low(verdict, hit)}", severity == "low"),
        ("reporters without standing change nothing", not hit.line.known),
        ("notice, digest only", severity == "notice"),
        (f"{severity}, digest only (min_severity)", too_small),
    )
    return next((text for text, held in holds if held), "")


def _why_low(verdict: Verdict, hit: Hit) -> str:
    if not any(witness.known for witness in verdict.witnesses):
        return "only reporters without standing"
    if hit.row.reasons == (SENDER_SIDE,):
        return "the trouble is the sender's own"
    return "one session failed, and others worked"


def why_told(
    mail: Mailed, verdict: Verdict, before: Sequence[str], known_for: Mapping[str, Span]
) -> str:
    """
    Why a mail was sent.

    Args:
        mail: The mail.
        verdict: As it was at that moment.
        before: The steps that its recipient knew of.
        known_for: For how long each reporter with standing had reported on the domain.
    """
    if mail.event in {"new", "regressed"}:
        parts = [verdict.mode or verdict.identity.policy_type, _share(verdict)]
        lengths = [
            known_for[one.reporter] for one in verdict.witnesses if one.reporter in known_for
        ]
        if lengths:
            parts.append(f"reporter known for {_days(max(lengths))}")
        return ", ".join(parts)
    if mail.event == "worsened":
        return ", ".join(_in_words(step) for step in verdict.steps if step not in before)
    texts = {
        "not-fixed": 'a day fails that began after "fixed"',
        "left": "others of its cause are over",
        "reminder": "open, and nobody has answered",
        "maintenance": "open after the maintenance",
        "digest": "listed",
    }
    return texts.get(mail.event, "")


def _days(span: Span) -> str:
    days = span // DAY
    return f"{days} day" if days == 1 else f"{days} days"


def _share(verdict: Verdict) -> str:
    percent = 100 * verdict.share
    return f"{percent:.0f} %" if percent >= 1 else "under 1 %"


def _in_words(step: str) -> str:
    kind, _, value = step.partition("-")
    if step.startswith(NOT_FIXED):
        return 'a day fails that began after "fixed"'
    if kind == "share":
        return f"the share passed {value} %"
    if kind == "reason":
        return f"another cause: {value}"
    return {
        "enforce": "the policy went from testing to enforce",
        "reporters": "a second reporter saw it",
    }.get(step, step)
