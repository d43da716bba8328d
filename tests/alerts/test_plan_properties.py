"""What holds of every plan, whatever the failures and whatever was told before."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.alerts.examples import ME, NOW, item, told
from tlsrpt_mailer.alerts.model import Answer, Item, Past, Previous, Settings, Told
from tlsrpt_mailer.alerts.plan import OPENING, plan, told_after
from tlsrpt_mailer.report.times import DAY, HOUR

STATES = ["new", "regressed", "ongoing", "acknowledged", "fixed?", "muted", "stale", "resolved"]
STEPS = ["share-1", "share-50", "enforce", "reason-expired", "not-fixed-1", "not-fixed-2"]
days = st.integers(-20, 2).map(lambda day: NOW + day * DAY)
some_steps = st.sets(st.sampled_from(STEPS)).map(lambda found: tuple(sorted(found)))


@st.composite
def items(draw: st.DrawFn, failure: int) -> Item:
    state = draw(st.sampled_from([*STATES, "closed"]))
    seen = draw(days)
    incident = draw(st.integers(1, 3))
    before = Previous(
        incident=incident - 1,
        severity="critical",
        first_seen=seen - 9 * DAY,
        last_seen=seen - 8 * DAY,
        first_received=draw(days),
        resolved_at=draw(st.none() | days),
    )
    return item(
        failure,
        cause=draw(st.integers(1, 2)),
        domain=f"d{draw(st.integers(1, 3))}.example",
        severity=draw(st.sampled_from(["critical", "warning", "notice", "low"])),
        state=state,
        incident=incident,
        first_seen=seen - DAY,
        last_seen=seen,
        last_start=seen - DAY,
        first_received=seen,
        last_received=seen,
        resolved_at=seen + 2 * DAY if state == "resolved" else None,
        steps=draw(some_steps),
        muted_until=draw(st.none() | days),
        is_quiet=draw(st.integers(0, 4)) == 0,
        maintenance=draw(st.sampled_from([None, None, None, 1, 2])),
        previous=before if incident > 1 and draw(st.booleans()) else None,
        answer=draw(st.none() | st.builds(Answer, kind=st.just("ack"), who=st.just(ME), at=days)),
        role=draw(st.sampled_from(["domain", "told", "assigned", "escalation"])),
    )


@st.composite
def rows(draw: st.DrawFn, failure: int) -> Told:
    event = draw(st.sampled_from(["new", "worsened", "not-fixed", "regressed", "resolved", "left"]))
    at = draw(days.filter(lambda moment: moment <= NOW))
    return told(
        failure,
        event,
        incident=draw(st.integers(1, 3)),
        at=at,
        resolved_at=at - DAY if event == "resolved" else None,
        steps=draw(some_steps),
        opened_at=draw(st.sampled_from([None, at, at - DAY])),
        reminded_at=draw(st.none() | st.just(at)),
    )


worlds = st.tuples(
    st.integers(1, 9).flatmap(lambda n: st.tuples(*(items(failure) for failure in range(n)))),
    st.tuples(*(st.none() | rows(failure) for failure in range(9))),
)


def after(groups: list, before: dict[int, Told], now: int) -> dict[int, Told]:
    found = dict(before)
    for group in groups:
        for row in told_after(group, now, f"<{group.kind}@x>"):
            found[row.failure] = row
    return found


@settings(deadline=None, max_examples=150)
@given(worlds)
def test_what_was_told_is_never_told_again(world: tuple) -> None:
    """
    A mail settles what it tells: another look at the same moment, in the next hour or tomorrow,
    finds nothing new to say. So no state of the store can make a mail loop.
    """
    found, known = world
    before = {row.failure: row for row in known if row is not None}
    limits = Settings(now=NOW, slot=NOW - 3 * HOUR)
    groups = plan(ME, found, before.values(), limits)
    rows = after(groups, before, NOW)
    events = {row.item.failure: row.event for group in groups for row in group.transitions}

    again = plan(ME, found, rows.values(), limits, Past(last_reminder=NOW))

    assert not [group.kind for group in again if group.kind != "resolved"]
    assert not [one for group in again for one in group.items if one.failure in events]
    later = msgspec.structs.replace(limits, now=NOW + HOUR)
    for group in plan(ME, found, rows.values(), later, Past(last_reminder=NOW)):
        for row in group.transitions:
            assert (row.item.failure, row.event) not in events.items()


@settings(deadline=None, max_examples=150)
@given(worlds, st.integers(1, 4))
def test_every_due_failure_is_in_one_mail_at_most(world: tuple, cap: int) -> None:
    """And no more mails go out than the cap allows, with one for the rest."""
    found, known = world
    before = {row.failure: row for row in known if row is not None}
    groups = plan(
        ME, found, before.values(), Settings(now=NOW, slot=NOW - 3 * HOUR, max_per_hour=cap)
    )

    told_now = [row.item.failure for group in groups for row in group.transitions]
    assert len(told_now) == len(set(told_now))
    assert len(groups) <= cap + 1
    assert all(len(group.transitions) > 0 for group in groups)


@settings(deadline=None, max_examples=150)
@given(worlds)
def test_nobody_hears_of_what_is_muted_planned_or_not_theirs(world: tuple) -> None:
    """Whatever else holds of it; and only what was told open is told over."""
    found, known = world
    before = {row.failure: row for row in known if row is not None}

    for group in plan(ME, found, before.values(), Settings(now=NOW, slot=NOW - 3 * HOUR)):
        for row in group.transitions:
            mine = next(one for one in found if one.failure == row.item.failure)
            assert not (mine.muted_until or 0) > NOW
            assert mine.state not in {"muted", "closed"}
            if row.event in OPENING:
                assert not mine.is_quiet
                assert mine.role != "told" or group.kind == "reminder"
                assert mine.severity != "low" or mine.role == "assigned"
            else:
                assert before[mine.failure].is_open
