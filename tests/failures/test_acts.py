"""What people say of a failure, and how long it holds."""

import itertools

import pytest

from tests.failures.builders import (
    EXPIRED,
    GOOGLE,
    MICROSOFT,
    SMALL,
    failing,
    judged,
    on,
    row,
    story,
    verdicts,
    window,
)
from tlsrpt_mailer.failures.model import Act, HumanAct, Window
from tlsrpt_mailer.report.times import Time


def act(kind: Act, at: Time, until: Time | None = None, incident: int = 1) -> HumanAct:
    return HumanAct(kind, at, "ana@example.com", until, incident=incident)


def state(windows: list[Window], now: Time, *acts: HumanAct) -> str:
    return judged(windows, now, acts=acts).state


def test_an_acknowledgement_holds_and_names_its_author():
    """Somebody has it: the state says so, who, and until when."""
    verdict = judged(story("##"), on(2, 14), acts=[act("ack", on(2, 13))])

    assert verdict.state == "acknowledged"
    assert verdict.acknowledged_by == "ana@example.com"
    assert verdict.acknowledged_until == on(32, 13)


@pytest.mark.parametrize(("until", "lapses"), [(None, on(31)), (on(3), on(3)), (on(40), on(40))])
def test_an_acknowledgement_lapses(until, lapses):
    """After 30 days, or at its own expiry, the failure is nobody's again."""
    windows = story("#" * 45)
    ack = act("ack", on(1), until)

    before = judged(windows, lapses - 1, acts=[ack])
    after = judged(windows, lapses, acts=[ack])

    assert before.state == "acknowledged"
    assert (after.state, after.acknowledged_by, after.acknowledged_until) == ("ongoing", None, None)


def test_what_was_not_said_yet_does_not_count():
    """With --now in the past, later acts are not made yet."""
    assert state(story("##"), on(2), act("ack", on(2) + 1)) == "ongoing"


def test_an_acknowledgement_belongs_to_its_incident():
    """When the failure comes back, somebody must say so again."""
    windows = story("#..#")

    assert state(windows, on(4), act("ack", on(1), incident=1)) == "regressed"
    assert state(windows, on(4), act("ack", on(4), incident=2)) == "acknowledged"


def test_a_mute_outlives_the_incident():
    """Quiet for as long as was said, whatever happens."""
    mute = act("mute", on(1), on(10), incident=1)

    assert state(story("#..#"), on(4), mute) == "muted"
    assert state(story("#..#"), on(10), mute) == "stale"
    assert state(story("#..####"), on(10), mute) == "ongoing"
    assert state(story("#..#"), on(4), act("mute", on(1))) == "muted"


def test_a_mute_comes_before_an_acknowledgement():
    """Both hold; the state names the quieter one, and the author of the other is kept."""
    acts = [act("ack", on(1)), act("mute", on(1), on(10))]

    verdict = judged(story("##"), on(2), acts=acts)

    assert (verdict.state, verdict.acknowledged_by) == ("muted", "ana@example.com")


def test_ended_failures_are_ended_whatever_was_said():
    """Resolved and stale come before all acts."""
    acts = [act("mute", on(1)), act("ack", on(1))]

    assert state(story("#.."), on(3), *acts) == "resolved"
    assert state(story("#"), on(6), *acts) == "stale"


def test_fixed_stands_until_a_later_day_fails():
    """Reports about time before the word change nothing; a window that began later does."""
    fixed = act("fixed", on(2, 12))

    assert state(story("###"), on(4), fixed) == "fixed?"
    assert state(story("####"), on(4), fixed) == "ongoing"


def test_fixed_may_name_its_moment():
    """`fixed --at` counts from that moment, not from when it was said."""
    assert state(story("###"), on(3), act("fixed", on(3), on(1, 12))) == "ongoing"
    assert state(story("###"), on(3), act("fixed", on(3), on(2, 12))) == "fixed?"


def test_a_stranger_does_not_refute_fixed():
    """A window of an unknown reporter is no proof that it still fails."""
    windows = [*story("#"), *story("   #", SMALL)]

    assert state(windows, on(4), act("fixed", on(1))) == "fixed?"


def test_the_later_answer_holds():
    """Who acknowledged and then mended it is asked about the mend, and the other way round."""
    ack_fixed = [act("ack", on(1)), act("fixed", on(2, 1))]
    fixed_ack = [act("fixed", on(1)), act("ack", on(2, 1))]

    assert state(story("##"), on(3), *ack_fixed) == "fixed?"
    assert state(story("##"), on(3), *fixed_ack) == "acknowledged"
    assert state(story("###"), on(3), *ack_fixed) == "fixed?"
    assert state(story("####"), on(4), *ack_fixed) == "ongoing"


def test_reopen_takes_everything_back():
    """After `reopen` the failure is nobody's, neither muted nor said to be fixed."""
    acts = [act("mute", on(1)), act("ack", on(1)), act("reopen", on(1, 1))]

    assert state(story("##"), on(2), *acts) == "ongoing"
    assert state(story("##"), on(2), *acts, act("ack", on(1, 2))) == "acknowledged"


def test_assigning_changes_no_state():
    """Who shall do it is no answer yet."""
    assert state(story("#"), on(1), act("assign", on(1))) == "new"


def test_the_order_of_acts_is_that_of_their_moments():
    """Acts may come from the store in any order."""
    acts = [act("ack", on(1)), act("fixed", on(1, 1)), act("ack", on(1, 2)), act("mute", on(9))]

    states = {state(story("##"), on(2), *order) for order in itertools.permutations(acts)}

    assert states == {"acknowledged"}


STEADY = [failing(0, failed=2, good=18), failing(1, failed=2, good=18)]
"""Ten per cent, but too few failures to be a step."""


@pytest.mark.parametrize(
    ("before", "later", "lifted"),
    [
        (STEADY, failing(2, failed=2, good=18), False),
        (STEADY, failing(2, failed=3, good=17), True),
        (STEADY, failing(2, failed=3, good=297), True),
        (STEADY, failing(2, failed=3, good=298), False),
        (STEADY, failing(2, failed=19, good=0), False),
        ([failing(0, failed=10, good=90)], failing(2, failed=49, good=51), False),
        ([failing(0, failed=10, good=90)], failing(2, failed=50, good=50), True),
        ([failing(0, failed=10, good=90)], failing(2, MICROSOFT, failed=50, good=50), True),
        ([failing(0, failed=10, good=90)], failing(2, SMALL, failed=50, good=50), False),
        ([failing(0, mode="testing")], failing(2, mode="enforce"), True),
        ([failing(0, mode="enforce")], failing(2, mode="testing"), False),
        ([failing(0, mode="testing")], failing(2, mode=None), False),
        ([failing(0, mode="testing")], failing(2, MICROSOFT, mode="testing"), True),
        ([failing(0, mode="enforce")], failing(2, MICROSOFT, mode="enforce"), False),
        (
            [window(0, GOOGLE, row(reasons=["expired"]))],
            window(2, GOOGLE, row(reasons=["expired"])),
            False,
        ),
        (
            [window(0, GOOGLE, row(reasons=["expired"]))],
            window(2, GOOGLE, row(reasons=["weak"])),
            True,
        ),
    ],
)
def test_an_acknowledgement_is_lifted_by_worsened(before, later, lifted):
    """
    Passing 1, 10 or 50 % of 20 sessions and 3 failures, enforce after
    testing, a new reason class, a second known reporter of what was not
    critical: each lifts an ack that was given before. More of the same does not.
    """
    ack = act("ack", on(2, 13))

    assert judged(before, on(2, 14), acts=[ack]).state == "acknowledged"
    assert (judged([*before, later], on(4), acts=[ack]).state == "ongoing") is lifted


def test_a_new_acknowledgement_after_worsened_holds():
    """Answer again to renew it."""
    windows = [failing(0, failed=10, good=90), failing(1, failed=90, good=10)]

    assert state(windows, on(2, 13), act("ack", on(1, 13))) == "ongoing"
    assert state(windows, on(2, 13), act("ack", on(2, 13))) == "acknowledged"


def test_a_revision_of_what_was_acknowledged_lifts_nothing():
    """A report made anew says the same again, only later."""
    revised = failing(0, received=on(3), date=on(3))

    assert state([revised], on(3), act("ack", on(2))) == "acknowledged"


def test_steps_of_the_incident_are_listed():
    """What has been reached is part of the verdict, for the event `worsened`."""
    windows = [
        window(0, GOOGLE, row(60, reasons=["weak"]), good=40, mode="testing"),
        window(1, GOOGLE, row(60), good=40),
        window(1, MICROSOFT, row(60), good=40),
    ]

    steps = judged(windows, on(2)).steps

    assert steps == ("enforce", "reason-weak", "share-1", "share-10", "share-50")
    assert judged([*windows[:1], *windows[2:]], on(2)).steps == (
        "enforce",
        "reason-weak",
        "reporters",
        "share-1",
        "share-10",
        "share-50",
    )


def test_acts_on_another_failure_do_not_count():
    """Only what was said of this failure holds for it."""
    windows = [window(0, GOOGLE, row(), row(mx="mx2.example.com"))]

    found = verdicts(windows, on(2), {EXPIRED: [act("ack", on(1))]})

    assert [verdict.state for verdict in found.values()] == ["acknowledged", "new"]
