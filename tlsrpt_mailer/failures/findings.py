"""
The judge of findings: what our own looks at a domain found, with the life of a failure.

A look either finds a thing or does not, so there are no witnesses: a spell
begins with the look that found it first and ends with the look that found it no
more. The rules are explained in docs/explanation/findings.md.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from tlsrpt_mailer.failures.acts import Said, Words, ack_until, as_answer, in_order
from tlsrpt_mailer.failures.model import (
    CHECK,
    Cause,
    HumanAct,
    Identity,
    Previous,
    Quiet,
    Severity,
    Spell,
    State,
    Verdict,
)
from tlsrpt_mailer.failures.steps import refutations
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

CONFIRMED = 2
"""Looks that must have found it: one answer of DNS may be a slip of a single server."""
APART: Span = 10 * MINUTE
"""How long after the first look another one counts: before that caches say the same again."""
GRACE: Span = HOUR
"""How long after somebody said fixed a look refutes nothing: caches may hold the old record."""
UNSEEN: Span = 16 * DAY
"""Without a look for so long it is stale: checks are off, or the domain is ours no more."""
CLOSE_AFTER: Span = 30 * DAY
IS_CRITICAL = "severity-critical"
"""The step of a finding that has become critical."""

Key = tuple[str, str | None]
"""Code and MX: an identity within one domain."""


class Found(msgspec.Struct, frozen=True):
    """One thing that a look found."""

    code: str
    mx: str | None
    severity: Severity
    facts: dict[str, str]


def identity_of(domain: str, code: str, mx: str | None) -> Identity:
    """The identity of a finding."""
    return Identity(domain, CHECK, code, mx, "finding")


def take_look(
    spells: Iterable[Spell],
    found: Collection[Found],
    at: Time,
    last_at: Time | None,
    is_blind: Callable[[str, str | None], bool],
) -> list[Spell]:
    """
    The spells that a look at *at* begins, goes on with or ends.

    Args:
        spells: The last spell of each finding of the domain.
        found: What the look found.
        at: When it was; a look that is older than what is known changes nothing.
        last_at: The last complete look before it.
        is_blind: Whether this look could not tell of a code and MX: their spells
            neither go on nor end.
    """
    last = {(one.code, one.mx): one for one in spells}
    if any(one.last_at > at or (one.ended_at or 0) > at for one in last.values()):
        return []
    here = {(one.code, one.mx): one for one in found}
    changed = [_gone_on(last.get(key), one, at, last_at) for key, one in here.items()]
    changed += [
        msgspec.structs.replace(one, ended_at=at)
        for key, one in last.items()
        if one.ended_at is None and key not in here and not is_blind(*key)
    ]
    return changed


def _gone_on(before: Spell | None, found: Found, at: Time, last_at: Time | None) -> Spell:
    is_critical = found.severity == "critical"
    if before is None or before.ended_at is not None:
        return Spell(
            code=found.code,
            mx=found.mx,
            severity=found.severity,
            clean_at=last_at,
            first_at=at,
            last_at=at,
            critical_at=at if is_critical else None,
            facts=found.facts,
        )
    critical_at = before.critical_at
    return msgspec.structs.replace(
        before,
        severity=found.severity,
        last_at=at,
        looks=before.looks + (at > before.last_at and at >= before.first_at + APART),
        critical_at=at if critical_at is None and is_critical else critical_at,
        facts=found.facts,
    )


def judge_findings(
    domain: str,
    spells: Iterable[Spell],
    acts: Mapping[Identity, Sequence[HumanAct]],
    now: Time,
    quiet: Sequence[Quiet] = (),
) -> list[Verdict]:
    """
    Judge every finding of a domain; ordered by identity.

    Args:
        spells: All that are kept, in any order.
        acts: What people have said, by identity.
        now: The moment of judgement.
        quiet: Planned maintenance of the domain.
    """
    found: dict[Key, list[Spell]] = {}
    for spell in sorted(spells, key=_by_start):
        found.setdefault((spell.code, spell.mx), []).append(spell)
    verdicts = []
    for code, mx in sorted(found, key=_by_name):
        identity = identity_of(domain, code, mx)
        verdicts.append(_verdict(identity, found[code, mx], acts.get(identity, ()), now, quiet))
    return verdicts


def _by_start(spell: Spell) -> Time:
    return spell.first_at


def _by_name(key: Key) -> tuple[str, str]:
    return key[0], key[1] or ""


def _verdict(
    identity: Identity,
    spells: Sequence[Spell],
    acts: Sequence[HumanAct],
    now: Time,
    quiet: Sequence[Quiet],
) -> Verdict:
    spell = spells[-1]
    word = _said(acts, spells, len(spells) - 1, now)
    stale_at = spell.last_at + UNSEEN if spell.ended_at is None else None
    stale_at = stale_at if stale_at is not None and stale_at <= now else None
    closed_at = None if stale_at is None else stale_at + CLOSE_AFTER
    planned = [one for one in quiet if _covers(one, spell)]
    steps = (IS_CRITICAL,) if spell.critical_at is not None else ()
    return Verdict(
        identity=identity,
        cause=_cause(identity),
        state=_state(spell, len(spells), word, stale_at, closed_at, now),
        severity=spell.severity if spell.looks >= CONFIRMED else "low",
        incident=len(spells),
        first_seen=spell.first_at,
        clean_before=spell.clean_at,
        first_failing_end=spell.first_at,
        last_seen=spell.last_at,
        last_start=spell.last_at,
        first_received=spell.first_at,
        last_received=spell.last_at,
        resolved_at=spell.ended_at,
        stale_at=stale_at,
        closed_at=closed_at if closed_at is not None and closed_at <= now else None,
        failed_sessions=0,
        sessions=0,
        peak_share=0.0,
        mode=None,
        reasons=(),
        witnesses=(),
        steps=(*steps, *refutations(word.refuted)),
        acknowledged_by=None if word.ack is None else word.ack.who,
        acknowledged_until=word.ack_until,
        previous=_previous(spells, acts) if len(spells) > 1 else None,
        muted_until=word.muted_until,
        is_quiet=bool(planned),
        maintenance=max((one.number for one in planned), default=None),
        answer=as_answer(word.answer),
        assigned=as_answer(word.assigned),
        facts=spell.facts,
    )


def _cause(identity: Identity) -> Cause:
    """What domains with the same trouble at the same MX have in common."""
    if identity.mx is None:
        return Cause(identity.result_type, None, identity.domain)
    return Cause(identity.result_type, identity.mx, None)


def _covers(quiet: Quiet, spell: Spell) -> bool:
    """Whether planned maintenance is all the time that it was found in."""
    is_there = quiet.mx is None or quiet.mx == spell.mx
    return is_there and quiet.start <= spell.first_at and spell.last_at < quiet.end


def _state(
    spell: Spell,
    incident: int,
    word: Said,
    stale_at: Time | None,
    closed_at: Time | None,
    now: Time,
) -> State:
    is_fresh = spell.last_at < spell.first_at + DAY
    holds: tuple[tuple[State, bool], ...] = (
        ("resolved", spell.ended_at is not None),
        ("closed", closed_at is not None and closed_at <= now),
        ("stale", stale_at is not None),
        ("muted", word.muted_until is not None),
        ("acknowledged", word.ack is not None),
        ("fixed?", word.is_fixed),
        ("new", is_fresh and incident == 1),
        ("regressed", is_fresh),
    )
    return next((state for state, held in holds if held), "ongoing")


def _said(acts: Iterable[HumanAct], spells: Sequence[Spell], at: int, now: Time) -> Said:
    """What people have said of the spell at place *at*, as of *now*."""
    spell = spells[at]
    until = spells[at + 1].first_at if at + 1 < len(spells) else None
    words = Words()
    for act in in_order(acts, now):
        words.take(act, ours=spell.first_at <= act.at and (until is None or act.at < until))
    refuted = tuple(act.at for act, gone in words.replaced if _refuted(act, spell, gone))
    answer = words.answer
    found = Said(
        muted_until=words.muted_until(now),
        answer=answer,
        assigned=words.assigned,
        refuted=refuted,
    )
    if answer is None:
        return found
    if answer.kind == "fixed":
        return msgspec.structs.replace(found, is_fixed=answer.at not in refuted)
    lifted = spell.critical_at is not None and spell.critical_at > answer.at
    if ack_until(answer) <= now or lifted:
        return found
    return msgspec.structs.replace(found, ack=answer, ack_until=ack_until(answer))


def _refuted(fixed: HumanAct, spell: Spell, until: Time | None) -> bool:
    """Whether a look found it some time after *fixed*, before something else was said."""
    moment = (fixed.at if fixed.until is None else fixed.until) + GRACE
    return spell.last_at >= moment and (until is None or moment <= until)


def _previous(spells: Sequence[Spell], acts: Sequence[HumanAct]) -> Previous:
    before, began = spells[-2], spells[-1].first_at
    word = _said(acts, spells, len(spells) - 2, began - 1)
    return Previous(
        incident=len(spells) - 1,
        severity=before.severity if before.looks >= CONFIRMED else "low",
        first_seen=before.first_at,
        last_seen=before.last_at,
        first_received=before.first_at,
        resolved_at=before.ended_at,
        failed_sessions=0,
        sessions=0,
        answer=as_answer(word.answer),
    )
