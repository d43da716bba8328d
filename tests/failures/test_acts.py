"""What people say of a failure, and how long it holds."""

import itertools

import pytest

from tests.failures.builders import (
    EXPIRED,
    GOOGLE,
    KNOWN,
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
from tlsrpt_mailer.failures.model import FOREVER, Act, Answer, HumanAct, Identity, Window
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


def test_until_when_a_failure_is_muted():
    """The moment is told in every state, so that not even the end of a muted failure mails."""
    mute = act("mute", on(1), on(10))

    assert on(10) == judged(story("##"), on(2), acts=[mute]).muted_until
    assert on(10) == judged(story("#.."), on(3), acts=[mute]).muted_until
    assert judged(story("##"), on(10), acts=[mute]).muted_until is None
    assert FOREVER == judged(story("##"), on(2), acts=[act("mute", on(1))]).muted_until
    assert judged(story("##"), on(2), acts=[mute, act("reopen", on(1, 1))]).muted_until is None


def test_the_last_answer_is_named_even_where_it_no_longer_holds():
    """Mails say whose ack was lifted, and who said that it was mended."""
    ack = HumanAct("ack", on(1), "ana@example.com", on(2), "renewing", 1)
    fixed = HumanAct("fixed", on(1), "kim@example.com")

    lapsed = judged(story("##"), on(3), acts=[ack])
    refuted = judged(story("###"), on(3), acts=[fixed])

    assert ("ongoing", Answer("ack", "ana@example.com", on(1), on(2), "renewing")) == (
        lapsed.state,
        lapsed.answer,
    )
    assert ("ongoing", Answer("fixed", "kim@example.com", on(1))) == (
        refuted.state,
        refuted.answer,
    )
    assert judged(story("##"), on(3), acts=[ack, act("reopen", on(2))]).answer is None
    assert judged(story("##"), on(3)).answer is None


def test_who_has_it():
    """The last assign of the incident stands, whatever else is said of it."""
    ana = HumanAct("assign", on(1), "boss@example.com", assignee="ana@example.com")
    kim = HumanAct("assign", on(1, 1), "ana@example.com", assignee="kim@example.com")
    more = [act("ack", on(1, 2)), act("reopen", on(1, 3))]

    verdict = judged(story("##"), on(2), acts=[*more, kim, ana])

    assert Answer("assign", "ana@example.com", on(1, 1), assignee="kim@example.com") == (
        verdict.assigned
    )
    assert judged(story("#..#"), on(4), acts=[ana]).assigned is None


@pytest.mark.parametrize(
    ("text", "acts", "steps"),
    [
        ("##", [act("fixed", on(0, 12))], [on(0, 12)]),
        ("##", [act("fixed", on(1))], [on(1)]),
        ("##", [act("fixed", on(1) + 1)], []),
        ("####", [act("fixed", on(0, 12)), act("fixed", on(2, 13))], [on(0, 12), on(2, 13)]),
        # Said again before any report could refute it: the later word counts.
        ("##", [act("fixed", on(0, 12)), act("fixed", on(0, 13))], [on(0, 13)]),
        ("##", [act("fixed", on(0, 12)), act("ack", on(0, 13))], []),
        ("##", [act("fixed", on(0, 12)), act("reopen", on(0, 13))], []),
        # The report came first, so it was refuted, and stays so.
        ("##", [act("fixed", on(0, 12)), act("ack", on(3))], [on(0, 12)]),
        ("##", [act("fixed", on(1, 12), on(0, 12))], [on(1, 12)]),
    ],
)
def test_a_refuted_fix_is_a_step(text, acts, steps):
    """A window that began after somebody said fixed, and fails, is the event not-fixed, once."""
    found = judged(story(text), on(9), acts=acts, known=KNOWN).steps

    assert [f"not-fixed-{at}" for at in steps] == [
        step for step in found if step.startswith("not-fixed-")
    ]


def test_an_act_belongs_to_the_incident_that_was_known_then():
    """
    A late report finds an incident before the one that was acknowledged; its number grows,
    and the answer stays with it.
    """
    ack = act("ack", on(31), incident=1)
    late = [failing(0, received=on(40)), *story("..", first=1, received=on(40))]
    windows = story("##", first=29)

    before = judged(windows, on(33), acts=[ack])
    after = judged([*windows, *late], on(41), acts=[ack])

    assert (1, "acknowledged") == (before.incident, before.state)
    assert 2 == after.incident
    assert after.acknowledged_by == "ana@example.com"


@pytest.mark.parametrize(
    ("result", "mx", "first", "then", "steps"),
    [
        ("certificate-expired", "mx1", [], ["expired"], []),
        ("certificate-host-mismatch", "mx1", [], ["name-mismatch"], []),
        ("certificate-not-trusted", "mx1", ["self-signed"], ["untrusted-chain"], []),
        ("tlsa-invalid", "mx1", [], ["dane-mismatch"], []),
        ("dnssec-invalid", "mx1", [], ["dns"], []),
        ("certificate-expired", "mx1", [], ["weak"], ["reason-weak"]),
        ("certificate-expired", "mx1", ["expired"], ["not-yet-valid"], ["reason-not-yet-valid"]),
        ("validation-failure", "mx1", ["generic"], ["unclassified", "sender-side"], []),
        ("validation-failure", "mx1", ["mx-not-in-policy"], ["generic"], []),
        ("validation-failure", "mx1", [], ["mx-not-in-policy"], []),
        (
            "validation-failure",
            "mx1",
            ["mx-not-in-policy"],
            ["protocol-version"],
            ["reason-mx-not-in-policy", "reason-protocol-version"],
        ),
        ("validation-failure", "mx1", ["revoked"], ["revoked"], ["reason-revoked"]),
    ],
)
def test_only_another_cause_is_a_step(result, mx, first, then, steps):
    """
    A reason that says no more than the result type, or that names no cause, or that is the
    first word on a failure that named none, makes nothing worse.
    """
    windows = [
        window(0, GOOGLE, row(5, result, mx, reasons=first)),
        window(1, GOOGLE, row(5, result, mx, reasons=then)),
    ]

    found = judged(windows, on(3), identity=Identity("example.com", "sts", result, mx)).steps

    assert steps == [step for step in found if step.startswith("reason-")]
