"""
How a finding came to the state it is in: ``failures show ID --why`` of what our own looks found.

Looks are not kept one by one; a spell knows its first, its last and how many there were.
"""

from collections.abc import Iterable, Iterator, Sequence

from tlsrpt_mailer.failures.findings import CONFIRMED, UNSEEN
from tlsrpt_mailer.failures.model import HumanAct, Identity, Spell
from tlsrpt_mailer.failures.story import SAID, Step
from tlsrpt_mailer.failures.telling import Mailed
from tlsrpt_mailer.report.times import Time, iso

_ORDER = {"told": 2}
"""At one moment: what was found, what people said, what was mailed."""


def explain_finding(
    spells: Iterable[Spell],
    acts: Sequence[HumanAct],
    identity: Identity,
    now: Time,
    mails: Sequence[Mailed] = (),
) -> list[Step]:
    """
    What our looks did to one finding, oldest first, with acts and mails in between.

    Args:
        spells: Those of its domain that are kept; those of other findings are passed over.
        acts: What people said of it.
        identity: The finding.
        now: Up to when time is followed.
        mails: That named it.
    """
    ours = [one for one in spells if (one.code, one.mx) == (identity.result_type, identity.mx)]
    ours.sort(key=_by_start)
    steps = [step for at, spell in enumerate(ours) for step in _looks(spell, at == 0, now)]
    steps += [Step(act.at, SAID[act.kind], act.note or "", act=act) for act in acts]
    steps += [Step(mail.at, "told", "", mail=mail) for mail in mails]
    return sorted((step for step in steps if step.at <= now), key=_by_moment)


def _by_start(spell: Spell) -> Time:
    return spell.first_at


def _by_moment(step: Step) -> tuple[Time, int]:
    return step.at, _ORDER.get(step.kind, 0 if step.act is None else 1)


def _looks(spell: Spell, is_first: bool, now: Time) -> Iterator[Step]:
    before = "no look before it could see it"
    if spell.clean_at is not None:
        before = f"the look of {iso(spell.clean_at)} did not find it"
    yield Step(spell.first_at, "first seen" if is_first else "regressed", before)
    if spell.critical_at is not None and spell.critical_at > spell.first_at:
        yield Step(spell.critical_at, "seen", "critical from here on: it refuses mail")
    if spell.looks > 1:
        yield Step(spell.last_at, "seen", f"by {spell.looks} looks, this the last of them")
    if spell.ended_at is not None:
        yield Step(spell.ended_at, "resolved", "a look did not find it any more")
    elif spell.last_at + UNSEEN <= now:
        yield Step(spell.last_at + UNSEEN, "stale", "nobody has looked since")
    elif spell.looks < CONFIRMED:
        yield Step(spell.last_at, "seen", "told once a second look finds it as well")
