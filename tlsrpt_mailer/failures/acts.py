"""What people have said of a failure, and whether it still holds."""

from collections.abc import Iterable, Sequence

import msgspec

from tlsrpt_mailer.failures.model import FOREVER, Answer, HumanAct
from tlsrpt_mailer.failures.steps import steps_of
from tlsrpt_mailer.failures.timeline import Hit
from tlsrpt_mailer.failures.witnesses import heard
from tlsrpt_mailer.report.times import DAY, Span, Time

ACK_LASTS: Span = 30 * DAY


class Said(msgspec.Struct, frozen=True):
    """What holds at one moment."""

    muted_until: Time | None = None
    """None where no mute is in force."""
    ack: HumanAct | None = None
    ack_until: Time | None = None
    is_fixed: bool = False
    """Somebody said fixed, and no window that began later fails."""
    answer: HumanAct | None = None
    """The last ack or fixed, also where it holds no longer."""
    assigned: HumanAct | None = None
    refuted: tuple[Time, ...] = ()
    """When each ``fixed`` was said that reports have refuted."""


class Words:
    """The acts on one failure, sorted by what they are."""

    def __init__(self) -> None:
        self.mute: HumanAct | None = None
        self.answer: HumanAct | None = None
        self.assigned: HumanAct | None = None
        self.replaced: list[tuple[HumanAct, Time | None]] = []
        """Every ``fixed``, with the moment when somebody said something else."""

    def take(self, act: HumanAct, *, ours: bool) -> None:
        """One more act; the incident that it was made in is *ours* or another."""
        if act.kind == "reopen":
            self.mute = None
            self._answered(None, act.at)
        elif act.kind == "mute":
            self.mute = act
        elif ours and act.kind == "assign":
            self.assigned = act
        elif ours:
            self._answered(act, act.at)

    def muted_until(self, now: Time) -> Time | None:
        """Until when it is muted; None where no mute is in force."""
        until = None if self.mute is None else self.mute.until or FOREVER
        return until if until is not None and until > now else None

    def _answered(self, act: HumanAct | None, at: Time) -> None:
        if self.replaced and self.replaced[-1][1] is None:
            self.replaced[-1] = self.replaced[-1][0], at
        if act is not None and act.kind == "fixed":
            self.replaced.append((act, None))
        self.answer = act


def said(
    acts: Iterable[HumanAct],
    incident: int,
    hits: Sequence[Hit],
    counted: Sequence[Hit],
    last_mode: str | None,
    now: Time,
) -> Said:
    """
    Sum up the acts on one failure.

    Of ``ack`` and ``fixed`` the later one holds, and only in the incident it
    was made in; a mute outlives it. ``reopen`` takes back all three, but not
    who it was assigned to.

    Args:
        acts: In any order; those after *now* are not made yet.
        incident: The present incident.
        hits: All its failing windows, in order of start.
        counted: Those that count, at least one.
        last_mode: The mode last quoted for the domain.
        now: The moment of judgement.
    """
    words = Words()
    for act in in_order(acts, now):
        words.take(act, ours=_belongs(act, incident, hits))
    answer = words.answer
    found = Said(
        muted_until=words.muted_until(now),
        answer=answer,
        assigned=words.assigned,
        refuted=tuple(act.at for act, until in words.replaced if _refuted(act, counted, until)),
    )
    if answer is None:
        return found
    if answer.kind == "fixed":
        return msgspec.structs.replace(found, is_fixed=answer.at not in found.refuted)
    until = ack_until(answer)
    if until <= now or _has_worsened(answer, counted, last_mode):
        return found
    return msgspec.structs.replace(found, ack=answer, ack_until=until)


def as_answer(act: HumanAct | None) -> Answer | None:
    """*act* as a verdict carries it."""
    if act is None:
        return None
    return Answer(act.kind, act.who, act.at, act.until, act.note, act.assignee)


def in_order(acts: Iterable[HumanAct], now: Time) -> list[HumanAct]:
    """Those that were made by *now*, oldest first."""
    return sorted((act for act in acts if act.at <= now), key=_order)


def ack_until(ack: HumanAct) -> Time:
    """When an ``ack`` lapses by itself."""
    return ack.at + ACK_LASTS if ack.until is None else ack.until


def _order(act: HumanAct) -> tuple[Time, str, str, Time, str]:
    return act.at, act.kind, act.who, act.until or 0, act.assignee or ""


def _belongs(act: HumanAct, incident: int, hits: Sequence[Hit]) -> bool:
    """
    Whether *act* was made in this incident.

    The number that was noted with it goes astray when a late report finds an
    incident before it, so what had come by then is asked first. Where that was
    replaced by revisions since, the number is all there is.
    """
    if any(hit.window.received <= act.at for hit in hits):
        return True
    return act.incident == incident and hits[0].start < act.at


def _refuted(fixed: HumanAct, counted: Sequence[Hit], until: Time | None) -> bool:
    """Whether a window fails that began after *fixed*, and came before something else was said."""
    # `fixed --at` names the moment in `until`.
    moment = fixed.at if fixed.until is None else fixed.until
    later = (hit for hit in counted if hit.quiet is None and hit.start >= moment)
    return any(until is None or hit.window.received <= until for hit in later)


def _has_worsened(ack: HumanAct, counted: Sequence[Hit], last_mode: str | None) -> bool:
    before = [hit for hit in counted if hit.window.received <= ack.at]
    # Where what was acknowledged has been replaced by a later revision, the
    # oldest window stands for it.
    before = before or [min(heard(counted), key=_by_receipt)]
    return not set(steps_of(counted, last_mode)) <= set(steps_of(before, last_mode))


def _by_receipt(hit: Hit) -> tuple[Time, Time, str]:
    return hit.window.received, hit.start, hit.line.reporter
