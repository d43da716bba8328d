"""How `failures show ID --why` tells a failure's story."""

import random

import pytest

from tests.failures.builders import (
    EXPIRED,
    GOOGLE,
    KNOWN,
    MAILRU,
    MICROSOFT,
    SMALL,
    failing,
    on,
    row,
    story,
    window,
)
from tlsrpt_mailer.failures.model import HumanAct, Sessions, Window
from tlsrpt_mailer.failures.story import Step
from tlsrpt_mailer.failures.why import explain
from tlsrpt_mailer.report.times import Time


def told(windows: list[Window], now: Time, *acts: HumanAct) -> list[Step]:
    return explain(windows, acts, KNOWN, EXPIRED, now)


def kinds(windows: list[Window], now: Time, *acts: HumanAct) -> list[str]:
    return [step.kind for step in told(windows, now, *acts)]


def whys(windows: list[Window], now: Time) -> list[str]:
    return [step.why for step in told(windows, now)]


def test_the_whole_story_of_a_failure():
    """
    What each report did, in the order they came, with the acts in between:
    Google tells first, Microsoft two days later, and the last clean day ends it.
    """
    windows = [
        failing(0, GOOGLE, 1893, good=3433, received=on(1, 11), report=1204),
        failing(1, GOOGLE, 1018, good=4172, received=on(2, 11), report=1209),
        failing(0, MICROSOFT, 402, good=409, received=on(2, 21), report=1213),
        window(2, GOOGLE, good=5201, received=on(3, 11), report=1216),
        failing(1, MICROSOFT, 201, good=589, received=on(3, 21), report=1219),
        window(3, GOOGLE, good=5377, received=on(4, 11), report=1222),
        window(2, MICROSOFT, good=799, received=on(4, 21), report=1225),
        window(3, MICROSOFT, good=812, received=on(5, 21), report=1231),
    ]
    ack = HumanAct("ack", on(1, 12), "ana@example.com", note="renewing now")
    fixed = HumanAct("fixed", on(1, 13), "ana@example.com")

    steps = told(windows, on(6), ack, fixed)

    assert [
        (
            step.at,
            step.kind,
            step.window.report if step.window else None,
            step.failed,
            step.sessions,
            step.clean,
            step.needed,
        )
        for step in steps
    ] == [
        (on(1, 11), "first seen", 1204, 1893, 5326, None, None),
        (on(1, 12), "acknowledged", None, None, None, None, None),
        (on(1, 13), "said fixed", None, None, None, None, None),
        (on(2, 11), "seen", 1209, 1018, 5190, None, None),
        (on(2, 21), "seen", 1213, 402, 811, None, None),
        (on(3, 11), "clean", 1216, 0, 5201, 1, 2),
        (on(3, 21), "seen", 1219, 201, 790, None, None),
        (on(4, 11), "acquitted", 1222, 0, 5377, 2, 2),
        (on(4, 21), "clean", 1225, 0, 799, 1, 2),
        (on(5, 21), "acquitted", 1231, 0, 812, 2, 2),
        (on(5, 21), "resolved", None, None, None, None, None),
    ]
    assert (steps[1].act, steps[1].why) == (ack, "renewing now")
    assert steps[-1].why == "acquitted by google.com, microsoft.com"


def test_what_a_window_could_not_do_is_explained():
    """Each window that changed nothing says why."""
    no_host = row(5, "certificate-expired", None)
    generic = row(5, "validation-failure", None)
    windows = [
        window(-1, received=on(0, 1)),
        failing(0),
        window(0, MAILRU, received=on(1, 13)),
        window(1, good=0, report=7),
        failing(2),
        window(1.5, received=on(3, 13), date=on(0)),
        window(-2, received=on(3, 14)),
        failing(2, SMALL, received=on(3, 15)),
        *story("...", first=3),
    ]

    assert whys(windows, on(7)) == [
        "nothing has failed yet",
        "",
        "this reporter has not seen the failure",
        "no session worked, so it says nothing",
        "",
        "report 7 on the same time counts in its place",
        "a later window of this reporter fails",
        "a reporter without standing",
        "",
        "",
        "acquitted by google.com",
        "this reporter has acquitted already",
    ]
    identity = EXPIRED
    joined = explain(
        [window(0, GOOGLE, generic), window(1, GOOGLE, generic, row()), window(2, GOOGLE, no_host)],
        (),
        KNOWN,
        type(identity)("example.com", "sts", "validation-failure", None),
        on(3, 12),
    )
    assert [(step.kind, step.why) for step in joined] == [
        ("first seen", ""),
        ("nothing", "names no MX: counted with the failure beside it"),
        ("clean", ""),
    ]


def test_a_report_that_comes_again_is_said_to():
    """A repeat is listed and does nothing."""
    windows = [failing(0), failing(0)]

    assert whys(windows, on(2)) == ["", "the same report again"]


def test_a_report_that_takes_the_failure_back_is_said_to():
    """Where a revision no longer names the failure, the story says what ended it."""
    windows = [
        failing(0, received=on(1, 12)),
        window(0.1, received=on(2, 12), date=on(2, 12), report=2),
        window(1.1, received=on(3, 12), report=3),
    ]

    assert ["first seen", "resolved", "nothing"] == kinds(windows, on(4))
    assert "it replaces the only report that spoke of the failure" == whys(windows, on(4))[1]


def test_a_failure_that_other_rows_foreshadow_begins_with_its_own():
    """Before its first failing window a failure has no story, whatever else failed."""
    windows = [window(0, GOOGLE, row(mx="mx2.example.com")), failing(1)]

    assert kinds(windows, on(3)) == ["nothing", "first seen"]


def test_more_clean_windows_are_asked_for_a_rare_failure():
    """The count says how many it may take, and why."""
    windows = [failing(0, failed=5, good=995), *(window(n, good=299) for n in (1, 2))]

    steps = told(windows, on(3, 12))

    assert [(step.kind, step.clean, step.needed) for step in steps[1:]] == [
        ("clean", 1, 2),
        ("clean", 2, 14),
    ]
    assert steps[2].why == "few sessions failed, so more clean ones are needed"


def test_a_regression_is_named():
    """The window that opened a new incident says so."""
    windows = [failing(0), *story("..", first=1), failing(3)]

    assert kinds(windows, on(5)) == ["first seen", "clean", "acquitted", "resolved", "regressed"]


def test_what_time_alone_did_stands_where_it_happened():
    """Stale and closed are dated by their moment, before the report that came afterwards."""
    windows = [failing(0), failing(50)]

    steps = told(windows, on(52))

    assert [(step.kind, step.at) for step in steps] == [
        ("first seen", on(1, 12)),
        ("stale", on(5)),
        ("closed", on(35)),
        ("regressed", on(51, 12)),
    ]
    assert kinds([failing(0)], on(10)) == ["first seen", "stale"]
    assert kinds([failing(0), window(10)], on(42)) == ["first seen", "stale", "clean", "stale"]
    assert kinds([failing(0), failing(20, received=on(30))], on(31)) == [
        "first seen",
        "stale",
        "seen",
    ]


def test_a_witness_that_fell_silent_is_mentioned():
    """Resolved by the word of one, because the other has no say any longer."""
    windows = [*story("#..."), *story("#", MICROSOFT)]

    steps = told(windows, on(9))

    assert (steps[-1].kind, steps[-1].at) == ("resolved", on(5))
    assert steps[-1].why == "acquitted by google.com; 1 more have no say any longer"


def test_what_lies_ahead_of_now_is_left_out():
    """With --now in the past, later reports and acts have not come yet."""
    act = HumanAct("mute", on(9), "ana@example.com")

    assert kinds([failing(0), failing(8)], on(2), act) == ["first seen"]


@pytest.mark.parametrize(
    ("kind", "told_as"),
    [
        ("ack", "acknowledged"),
        ("fixed", "said fixed"),
        ("mute", "muted"),
        ("assign", "assigned"),
        ("reopen", "reopened"),
    ],
)
def test_acts_are_told_in_words(kind, told_as):
    """Each act has its line."""
    act = HumanAct(kind, on(1, 13), "ana@example.com")

    assert kinds([failing(0)], on(2), act) == ["first seen", told_as]


def test_sessions_of_another_policy_type_stand_in():
    """A clean window without sessions of the failure's policy type shows those it has."""
    other = window(1, sessions=(Sessions("no-policy-found", 70, 0),))

    assert [step.sessions for step in told([failing(0), other], on(3))] == [5326, 70]


def test_the_story_does_not_depend_on_the_order_given():
    """Only the moments of receipt order it."""
    windows = [*story("#.#..o#"), *story("##....", MICROSOFT), failing(0, domain="example.net")]
    shuffled = random.Random(1).sample(windows, len(windows))

    assert told(windows, on(9)) == told(shuffled, on(9))


def test_a_report_that_takes_the_place_of_a_failing_one_names_it():
    """Two reports about one day: whoever reads the story learns which of them counts, and why."""
    earlier = failing(0, failed=5, received=on(1, 11), report=1)
    later = failing(0, failed=50, received=on(1, 12), report=2)
    never = failing(0, failed=70, received=on(1, 13), date=on(0), report=3)

    steps = told([earlier, later, never], on(2))

    assert [
        ("first seen", "", False),
        ("seen", "counts in place of report 1", False),
        ("nothing", "report 2 on the same time counts in its place", True),
    ] == [(step.kind, step.why, step.overlap) for step in steps]
