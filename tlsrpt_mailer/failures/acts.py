"""What people have said of a failure, and whether it still holds."""

from collections.abc import Iterable, Sequence

import msgspec

from tlsrpt_mailer.failures.model import HumanAct
from tlsrpt_mailer.failures.steps import steps_of
from tlsrpt_mailer.failures.timeline import Hit
from tlsrpt_mailer.report.times import DAY, Span, Time

ACK_LASTS: Span = 30 * DAY


class Said(msgspec.Struct, frozen=True):
    """What holds at one moment."""

    muted: bool = False
    ack: HumanAct | None = None
    ack_until: Time | None = None
    is_fixed: bool = False
    """Somebody said fixed, and no window that began later fails."""


def said(
    acts: Iterable[HumanAct],
    incident: int,
    hits: Sequence[Hit],
    last_mode: str | None,
    now: Time,
) -> Said:
    """
    Sum up the acts on one failure.

    Of ``ack`` and ``fixed`` the later one holds, and only in the incident it
    was made in; a mute outlives it. ``reopen`` takes back all three.

    Args:
        acts: In any order; those after *now* are not made yet.
        incident: The present incident.
        hits: Its failing windows that count, at least one.
        last_mode: The mode last quoted for the domain.
        now: The moment of judgement.
    """
    mute: HumanAct | None = None
    answer: HumanAct | None = None
    for act in sorted(acts, key=_order):
        if act.at > now:
            break
        if act.kind == "reopen":
            mute = answer = None
        elif act.kind == "mute":
            mute = act
        elif act.kind in {"ack", "fixed"} and act.incident == incident:
            answer = act
    muted = mute is not None and (mute.until is None or mute.until > now)
    if answer is None:
        return Said(muted)
    if answer.kind == "fixed":
        return Said(muted, is_fixed=not _is_refuted(answer, hits))
    until = answer.at + ACK_LASTS if answer.until is None else answer.until
    if until <= now or _has_worsened(answer, hits, last_mode):
        return Said(muted)
    return Said(muted, answer, until)


def _order(act: HumanAct) -> tuple[Time, str, str, Time]:
    return act.at, act.kind, act.who, act.until or 0


def _is_refuted(fixed: HumanAct, hits: Iterable[Hit]) -> bool:
    # `fixed --at` names the moment in `until`.
    moment = fixed.at if fixed.until is None else fixed.until
    return any(hit.start >= moment for hit in hits)


def _has_worsened(ack: HumanAct, hits: Sequence[Hit], last_mode: str | None) -> bool:
    before = [hit for hit in hits if hit.window.received <= ack.at]
    # Where what was acknowledged has been replaced by a later revision, the
    # oldest window stands for it.
    before = before or [min(hits, key=_by_receipt)]
    return not set(steps_of(hits, last_mode)) <= set(steps_of(before, last_mode))


def _by_receipt(hit: Hit) -> tuple[Time, Time, str]:
    return hit.window.received, hit.start, hit.line.reporter
