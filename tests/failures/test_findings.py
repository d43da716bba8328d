"""The life of findings: what our own looks at a domain found."""

from collections.abc import Sequence

import pytest

from tlsrpt_mailer.failures.findings import (
    APART,
    CLOSE_AFTER,
    GRACE,
    UNSEEN,
    Found,
    identity_of,
    judge_findings,
    take_look,
)
from tlsrpt_mailer.failures.model import Cause, HumanAct, Quiet, Severity, Spell, Verdict
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time

T: Time = 1_760_000_000
DOMAIN = "shop.example"
GONE = "tlsrpt-gone"
UNCOVERED = "mta-sts-uncovered-mx"
MX = "mx9.shop.example"


def found(
    code: str = GONE, mx: str | None = None, severity: Severity = "warning", **facts: str
) -> Found:
    return Found(code, mx, severity, facts)


def sees(_code: str, _mx: str | None) -> bool:
    return False


def story(*looks: tuple[Time, Sequence[Found]]) -> list[Spell]:
    """Every spell that these looks make, one after the other."""
    kept: dict[tuple[str, str | None, Time], Spell] = {}
    last: Time | None = None
    for at, what in looks:
        newest = {(one.code, one.mx): one for one in kept.values()}
        for spell in take_look(newest.values(), what, at, last, sees):
            kept[spell.code, spell.mx, spell.first_at] = spell
        last = at
    return list(kept.values())


def judged(
    spells: Sequence[Spell],
    now: Time,
    *acts: HumanAct,
    quiet: Sequence[Quiet] = (),
    code: str = GONE,
    mx: str | None = None,
) -> Verdict:
    verdicts = judge_findings(DOMAIN, spells, {identity_of(DOMAIN, code, mx): acts}, now, quiet)
    return next(one for one in verdicts if one.identity == identity_of(DOMAIN, code, mx))


# ----------------------------------------------------------------------- looks


def test_a_finding_lasts_from_the_first_look_that_has_it_to_the_first_without() -> None:
    """Whoever reads about it learns between which looks it began, and when it was over."""
    (spell,) = story((T, []), (T + DAY, [found()]), (T + 2 * DAY, [found()]), (T + 3 * DAY, []))

    assert (T, T + DAY, T + 2 * DAY, T + 3 * DAY, 2) == (
        spell.clean_at,
        spell.first_at,
        spell.last_at,
        spell.ended_at,
        spell.looks,
    )


def test_what_a_look_cannot_see_neither_goes_on_nor_ends() -> None:
    """A DNS that does not answer for an hour ends no finding and confirms none."""
    spells = story((T, [found(), found(UNCOVERED, MX, "critical")]))

    def blind(code: str, _mx: str | None) -> bool:
        return code == GONE

    changed = take_look(spells, [], T + HOUR, T, blind)

    assert [(UNCOVERED, T + HOUR)] == [(one.code, one.ended_at) for one in changed]


def test_an_older_look_changes_nothing() -> None:
    """Two processes that look at the same time do not undo each other's words."""
    spells = story((T, [found()]), (T + DAY, []))

    assert [] == take_look(spells, [found()], T + HOUR, T, sees)
    assert [] == take_look(story((T, [found()])), [], T - HOUR, None, sees)


def test_the_same_look_twice_counts_once() -> None:
    """A look that is written twice confirms nothing by itself."""
    (spell,) = story((T, [found()]), (T, [found()]))

    assert 1 == spell.looks


def test_looks_within_minutes_of_each_other_count_once() -> None:
    """Who runs `check` twice in a row asks the same caches twice: that confirms nothing."""
    (soon,) = story((T, [found()]), (T + 9, [found()]), (T + APART - 1, [found()]))
    (later,) = story((T, [found()]), (T + 9, [found()]), (T + APART, [found()]))

    assert (1, 2) == (soon.looks, later.looks)
    assert T + APART - 1 == soon.last_at


def test_a_spell_keeps_the_words_of_its_last_look() -> None:
    """An alert shows what stands there now, not what stood there at first."""
    (spell,) = story((T, [found(record="a")]), (T + DAY, [found(record="b")]))

    assert {"record": "b"} == spell.facts


def test_it_is_remembered_when_it_became_critical() -> None:
    """From testing to enforce with an MX that is not covered: that is worse than before."""
    looks = [
        (T, [found(UNCOVERED, MX, "warning")]),
        (T + DAY, [found(UNCOVERED, MX, "critical")]),
        (T + 2 * DAY, [found(UNCOVERED, MX, "critical")]),
    ]
    (spell,) = story(*looks)

    assert ("critical", T + DAY) == (spell.severity, spell.critical_at)


# ---------------------------------------------------------------------- states


def test_one_look_alone_mails_nobody() -> None:
    """A single wrong answer of DNS is low until a second look has it too."""
    once = judged(story((T, [found()])), T)
    twice = judged(story((T, [found()]), (T + 15 * MINUTE, [found()])), T + HOUR)

    assert ("new", "low") == (once.state, once.severity)
    assert ("new", "warning") == (twice.state, twice.severity)


def test_the_states_of_a_life() -> None:
    """New for a day, then ongoing, resolved by a look, regressed when it is back."""
    looks: list[tuple[Time, Sequence[Found]]] = [(T, [found()]), (T + HOUR, [found()])]
    states = [judged(story(*looks), T + HOUR).state]
    looks.append((T + DAY, [found()]))
    states.append(judged(story(*looks), T + DAY).state)
    looks.append((T + 2 * DAY, []))
    over = judged(story(*looks), T + 2 * DAY)
    states.append(over.state)
    looks += [(T + 3 * DAY, [found()]), (T + 3 * DAY + HOUR, [found()])]
    back = judged(story(*looks), T + 4 * DAY)
    states.append(back.state)

    assert ["new", "ongoing", "resolved", "regressed"] == states
    assert (1, T + 2 * DAY, None) == (over.incident, over.resolved_at, over.previous)
    assert 2 == back.incident
    assert back.previous is not None
    assert (1, "warning", T, T + DAY, T + 2 * DAY) == (
        back.previous.incident,
        back.previous.severity,
        back.previous.first_seen,
        back.previous.last_seen,
        back.previous.resolved_at,
    )


def test_without_looks_it_goes_stale_and_is_closed_unconfirmed() -> None:
    """Checks that were switched off leave nobody with a failure that never ends."""
    spells = story((T, [found()]), (T + HOUR, [found()]))
    last = T + HOUR

    assert "ongoing" != judged(spells, last + UNSEEN - 1).state
    assert "stale" == judged(spells, last + UNSEEN).state
    assert "stale" == judged(spells, last + UNSEEN + CLOSE_AFTER - 1).state
    closed = judged(spells, last + UNSEEN + CLOSE_AFTER)
    assert ("closed", last + UNSEEN + CLOSE_AFTER) == (closed.state, closed.closed_at)
    assert not closed.is_open
    assert (16 * DAY, 30 * DAY) == (UNSEEN, CLOSE_AFTER), "as docs/explanation/findings.md has it"


def test_what_is_over_is_never_stale() -> None:
    """However long ago: nobody has to look at it any more."""
    over = judged(story((T, [found()]), (T + HOUR, [found()]), (T + DAY, [])), T + 400 * DAY)

    assert ("resolved", None, None) == (over.state, over.stale_at, over.closed_at)


def test_what_nobody_looks_at_is_stale_though_it_is_muted() -> None:
    """A mute without an end would keep it open for ever."""
    mute = HumanAct("mute", T + HOUR, "ana@example.com")

    assert "muted" == judged(OPEN, T + DAY, mute).state
    assert "stale" == judged(OPEN, T + HOUR + UNSEEN, mute).state


def test_domains_with_the_same_trouble_at_one_mx_have_one_cause() -> None:
    """One MX that no policy lists is one mail, not one a domain."""
    spells = story((T, [found(UNCOVERED, MX), found()]))

    assert Cause(UNCOVERED, MX, None) == judged(spells, T, code=UNCOVERED, mx=MX).cause
    assert Cause(GONE, None, DOMAIN) == judged(spells, T).cause


def test_a_finding_is_never_taken_for_what_reports_say() -> None:
    """A report may use the same words; its failure is another one."""
    identity = judged(story((T, [found()])), T).identity

    assert "finding" == identity.kind
    assert identity != identity_of(DOMAIN, GONE, MX)


# ------------------------------------------------------------------------ acts

OPEN = story((T, [found()]), (T + HOUR, [found()]))


def test_an_ack_is_quiet_until_it_lapses() -> None:
    """Thirty days, or what the person said."""
    ack = HumanAct("ack", T + 2 * HOUR, "ana@example.com")
    short = HumanAct("ack", T + 2 * HOUR, "ana@example.com", until=T + 3 * HOUR)

    verdict = judged(OPEN, T + DAY, ack)
    assert ("acknowledged", "ana@example.com", ack.at + 30 * DAY) == (
        verdict.state,
        verdict.acknowledged_by,
        verdict.acknowledged_until,
    )
    assert "new" == judged(OPEN, T + 3 * HOUR, short).state


def test_an_ack_is_lifted_when_it_becomes_critical() -> None:
    """Who acknowledged a warning hears of it when mail begins to be refused."""
    spells = story(
        (T, [found(UNCOVERED, MX, "warning")]),
        (T + HOUR, [found(UNCOVERED, MX, "warning")]),
        (T + DAY, [found(UNCOVERED, MX, "critical")]),
    )
    ack = HumanAct("ack", T + 2 * HOUR, "ana@example.com")
    later = HumanAct("ack", T + DAY, "ana@example.com")

    def state(act: HumanAct) -> str:
        return judged(spells, T + 2 * DAY, act, code=UNCOVERED, mx=MX).state

    assert ["ongoing", "acknowledged"] == [state(ack), state(later)]
    verdict = judged(spells, T + 2 * DAY, ack, code=UNCOVERED, mx=MX)
    assert ("severity-critical",) == verdict.steps
    assert "ack" == (verdict.answer.kind if verdict.answer else None)


@pytest.mark.parametrize(
    ("last", "state"), [(GRACE - 1, "fixed?"), (GRACE, "ongoing"), (DAY, "ongoing")]
)
def test_fixed_is_refuted_only_once_caches_are_over(last: Time, state: str) -> None:
    """The look right after the mend may still see the old record: that is no reason for a mail."""
    fixed = HumanAct("fixed", T + DAY, "ana@example.com")
    spells = story((T, [found()]), (T + HOUR, [found()]), (T + DAY + last, [found()]))

    verdict = judged(spells, T + 3 * DAY, fixed)

    assert state == verdict.state
    assert (state == "ongoing") == (f"not-fixed-{fixed.at}" in verdict.steps)


def test_fixed_holds_for_the_moment_that_was_named() -> None:
    """``fixed --at`` counts from then."""
    fixed = HumanAct("fixed", T + 2 * DAY, "ana@example.com", until=T + DAY)
    spells = story((T, [found()]), (T + DAY + GRACE, [found()]))

    assert "ongoing" == judged(spells, T + 3 * DAY, fixed).state


def test_what_was_said_after_fixed_takes_its_place() -> None:
    """Who takes his word back is not told that it was wrong."""
    fixed = HumanAct("fixed", T + DAY, "ana@example.com")
    reopened = HumanAct("reopen", T + DAY + MINUTE, "ana@example.com")
    spells = story((T, [found()]), (T + 3 * DAY, [found()]))

    verdict = judged(spells, T + 3 * DAY, fixed, reopened)

    assert ("ongoing", ()) == (verdict.state, verdict.steps)


def test_a_mute_outlives_the_spell_and_an_ack_does_not() -> None:
    """Muted for a month stays muted when it comes back; whoever had it last has it no more."""
    looks = [
        (T, [found()]),
        (T + DAY, []),
        (T + 2 * DAY, [found()]),
        (T + 2 * DAY + HOUR, [found()]),
    ]
    mute = HumanAct("mute", T + HOUR, "ana@example.com", until=T + 30 * DAY)
    ack = HumanAct("ack", T + HOUR, "ana@example.com")

    assert "muted" == judged(story(*looks), T + 3 * DAY, mute).state
    assert "regressed" == judged(story(*looks), T + 3 * DAY, ack).state
    back = judged(story(*looks), T + 3 * DAY, ack)
    assert back.previous is not None
    assert "ack" == (back.previous.answer.kind if back.previous.answer else None)
    short = HumanAct("mute", T + HOUR, "ana@example.com", until=T + 3 * DAY)
    assert "regressed" == judged(story(*looks), T + 3 * DAY, short).state


def test_assigned_to_somebody() -> None:
    """The assignee is kept for who is told."""
    act = HumanAct("assign", T + HOUR, "ana@example.com", assignee="bob@example.com")

    verdict = judged(OPEN, T + DAY, act)

    assert "bob@example.com" == (verdict.assigned.assignee if verdict.assigned else None)


def test_an_act_of_tomorrow_is_not_made_yet() -> None:
    """``--now`` in the past shows what was known then."""
    ack = HumanAct("ack", T + 2 * DAY, "ana@example.com")

    assert "new" == judged(OPEN, T + DAY, ack).state


# ----------------------------------------------------------------- maintenance


@pytest.mark.parametrize(
    ("quiet", "expected"),
    [
        (Quiet(3, T - HOUR, T + DAY), (True, 3)),
        (Quiet(3, T - HOUR, T + DAY, "mx1.shop.example"), (False, None)),
        (Quiet(3, T - HOUR, T + HOUR), (False, None)),
        (Quiet(3, T + MINUTE, T + DAY), (False, None)),
    ],
)
def test_planned_maintenance_is_quiet_as_long_as_it_lasts(
    quiet: Quiet, expected: tuple[bool, int | None]
) -> None:
    """What is found in it alone is no news; what goes on after it is."""
    verdict = judged(OPEN, T + 2 * HOUR, quiet=[quiet])

    assert expected == (verdict.is_quiet, verdict.maintenance)
