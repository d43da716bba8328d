"""
What people say of failures and plan for them: written, put on record, and judged at once.

Commands and answers by mail come through here, each in one transaction.
"""

from collections.abc import Callable, Collection
from fnmatch import fnmatchcase

import msgspec

from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.failures.acts import ACK_LASTS
from tlsrpt_mailer.failures.model import FOREVER, Act, HumanAct
from tlsrpt_mailer.flows.judging import Standing, judge_domains
from tlsrpt_mailer.ports import AuditEntry, FailureRecord, JsonValue, Maintenance, Txn
from tlsrpt_mailer.report.times import MINUTE, Span, Time

LOOK_SOON: Span = 5 * MINUTE
"""When a domain is looked at of which somebody says that it is mended."""


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says, and who it is."""

    kind: Act
    who: str
    way: str
    """``command``, or ``mail`` with how the sender was recognised: for the audit."""
    until: Time | None = None
    """``ack``: None for 30 days; ``mute``: None for ever; ``fixed``: the moment, None for now."""
    note: str | None = None
    assignee: str | None = None


class Acted(msgspec.Struct, frozen=True):
    """What became of it."""

    done: tuple[FailureRecord, ...]
    """The failures that it holds for, as they are now; by number."""
    over: tuple[int, ...] = ()
    """Numbers whose cause has nothing left that is open."""
    unknown: tuple[int, ...] = ()
    """Numbers that there are not, or that are not the actor's."""
    until: Time | None = None
    """When it lapses; `FOREVER` for a mute without an end."""


def _anybody(_record: FailureRecord) -> bool:
    return True


def act(
    txn: Txn,
    saying: Saying,
    numbers: Collection[int],
    standing: Standing,
    now: Time,
    *,
    only: str | None = None,
    may: Callable[[FailureRecord], bool] = _anybody,
) -> Acted:
    """
    Say it of the causes of the failures with these *numbers*, as far as the actor *may*.

    Args:
        only: Narrows it to this policy domain.

    """
    known = [one for one in txn.people.failures(numbers) if may(one)]
    causes = txn.people.of_causes({one.cause for one in known})
    meant = [one for one in causes if may(one) and only in (None, one.verdict.identity.domain)]
    open_ = [one for one in meant if _can_hold(saying.kind, one)]
    alive = {one.cause for one in open_}
    done = act_on(txn, saying, open_, standing, now)
    there = {one.id: one.cause for one in known}
    return msgspec.structs.replace(
        done,
        over=tuple(sorted(number for number, cause in there.items() if cause not in alive)),
        unknown=tuple(sorted(set(numbers) - set(there))),
    )


def act_on(
    txn: Txn,
    saying: Saying,
    records: Collection[FailureRecord],
    standing: Standing,
    now: Time,
) -> Acted:
    """Say it of exactly these failures, those that have ended left out."""
    meant = [one for one in records if _can_hold(saying.kind, one)]
    over = tuple(sorted({one.id for one in records} - {one.id for one in meant}))
    until = _until(saying, now)
    if not meant:
        return Acted((), over, until=until)
    numbers = [one.id for one in meant]
    moments = _moments(txn, numbers, now)
    txn.people.save_acts(
        [
            (
                one.id,
                HumanAct(
                    saying.kind,
                    moments[one.id],
                    saying.who,
                    until,
                    saying.note,
                    one.verdict.incident,
                    saying.assignee,
                ),
            )
            for one in meant
        ]
    )
    txn.people.save_audit(_entry(saying, numbers, until, now))
    domains = sorted({one.verdict.identity.domain for one in meant})
    if saying.kind == "fixed":
        # Whoever mended it wants to know soon whether it is so.
        txn.look_soon(domains, now + LOOK_SOON)
    judge_domains(txn, domains, standing, max(moments.values()))
    return Acted(tuple(txn.people.failures(numbers)), over, until=until)


def _moments(txn: Txn, numbers: Collection[int], now: Time) -> dict[int, Time]:
    """
    When it is said of each: now, or a second after what was said in the same second.

    The judge sees a set of acts, so of two in one second it could not tell which came last.
    """
    last = txn.people.last_acts(numbers)
    return {
        number: before + 1 if now <= (before := last.get(number, 0)) < now + MINUTE else now
        for number in numbers
    }


def _can_hold(kind: Act, record: FailureRecord) -> bool:
    """Whether something may be said of it; a mute outlives what it was said of."""
    verdict = record.verdict
    return verdict.is_open or (kind == "reopen" and verdict.muted_until is not None)


def _until(saying: Saying, now: Time) -> Time | None:
    if saying.until is not None:
        return saying.until
    if saying.kind == "ack":
        return now + ACK_LASTS
    return FOREVER if saying.kind == "mute" else None


def _entry(saying: Saying, numbers: list[int], until: Time | None, now: Time) -> AuditEntry:
    target: dict[str, JsonValue] = {"failures": numbers}
    if until is not None and until != FOREVER:
        target["at" if saying.kind == "fixed" else "until"] = until
    if saying.assignee is not None:
        target["assignee"] = saying.assignee
    return AuditEntry(now, saying.who, saying.way, saying.kind, target, saying.note)


# ------------------------------------------------------------------ maintenance


class Planned(msgspec.Struct, frozen=True):
    """A maintenance that was written down, and what that changed."""

    maintenance: Maintenance
    quiet: int
    """How many open failures are quiet by it, or were."""
    domains: int
    """How many domains were judged again."""


def plan_maintenance(txn: Txn, new: Maintenance, way: str, standing: Standing) -> Planned:
    """Write down a planned quiet; reports that are here already are judged by it as well."""
    number = txn.people.add_maintenance(new)
    planned = msgspec.structs.replace(new, number=number)
    _note(txn, planned, way, "maintenance-add", new.who, new.note, new.made_at)
    return _judged(txn, planned, standing, new.made_at)


def end_maintenance(
    txn: Txn, number: int, who: str, way: str, standing: Standing, now: Time
) -> Planned:
    """
    End a planned quiet now; one that has not begun is called off.

    Raises:
        NoSuch: There is none of that number, or it is over.
    """
    found = txn.people.maintenance(number)
    if found is None:
        raise NoSuch(f"no maintenance {number}")
    if found.end <= now:
        raise NoSuch(f"maintenance {number} is over already")
    txn.people.end_maintenance(number, now)
    ended = msgspec.structs.replace(found, end=max(now, found.start))
    _note(txn, ended, way, "maintenance-end", who, None, now)
    return _judged(txn, ended, standing, now)


def _note(
    txn: Txn,
    planned: Maintenance,
    way: str,
    action: str,
    who: str,
    note: str | None,
    now: Time,
) -> None:
    target: dict[str, JsonValue] = {
        "maintenance": planned.number,
        planned.kind: planned.value,
        "from": planned.start,
        "until": planned.end,
    }
    txn.people.save_audit(AuditEntry(now, who, way, action, target, note))


def _judged(txn: Txn, planned: Maintenance, standing: Standing, now: Time) -> Planned:
    """Judge the domains with open failures that it touches."""
    if planned.kind == "mx":
        touched = txn.people.open_at_mx(lambda mx: fnmatchcase(mx, planned.value))
    else:
        touched = [one for one in txn.open_domains() if _touches(planned, one, standing)]
    verdicts = judge_domains(txn, touched, standing, now)
    quiet = sum(one.is_open and one.maintenance == planned.number for one in verdicts)
    return Planned(planned, quiet, len(touched))


def _touches(planned: Maintenance, domain: str, standing: Standing) -> bool:
    if planned.kind == "group":
        return standing.group_of(domain) == planned.value
    return fnmatchcase(domain, planned.value)
