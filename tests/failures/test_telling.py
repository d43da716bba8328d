"""What --why says of mails: why one was sent, or was not."""

from collections.abc import Sequence

import pytest

from tests.failures.builders import (
    EXPIRED,
    GOOGLE,
    KNOWN,
    MICROSOFT,
    SMALL,
    failing,
    on,
    row,
    story,
    window,
)
from tlsrpt_mailer.failures.model import HumanAct, Quiet, Window
from tlsrpt_mailer.failures.story import History, Step
from tlsrpt_mailer.failures.telling import Limits, Mailed
from tlsrpt_mailer.failures.why import explain
from tlsrpt_mailer.report.times import DAY, MINUTE, Time

POST = "postmaster@example.com"
NEW = Mailed(on(1, 12) + MINUTE, POST, "new")
"""The mail on a window of day 0, a minute after its report."""


LATER: Time = on(60)


def told(
    windows: Sequence[Window],
    *mails: Mailed,
    acts: Sequence[HumanAct] = (),
    now: Time = LATER,
    quiet: Sequence[Quiet] = (),
    **limits: object,
) -> list[Step]:
    history = History(
        mails=mails,
        limits=Limits(**limits),  # type: ignore[arg-type]
        quiet=tuple(quiet),
        mx=EXPIRED.mx,
    )
    return explain(windows, acts, KNOWN, EXPIRED, now, history)


def untold(steps: Sequence[Step]) -> list[str]:
    """Of the failing windows: why each brought about no mail."""
    return [step.untold for step in steps if step.failed]


def test_the_story_of_a_failure_with_its_mails():
    """As it would be read: told, no reason to tell again, told that it is over."""
    windows = [
        failing(0, GOOGLE, 1893, good=3433, received=on(1, 11)),
        failing(1, GOOGLE, 1018, good=4172, received=on(2, 11)),
        failing(0, MICROSOFT, 402, good=409, received=on(2, 21)),
        window(2, GOOGLE, received=on(3, 11)),
        failing(1, MICROSOFT, 201, good=589, received=on(3, 21)),
        *(window(day, GOOGLE, received=on(day + 1, 11)) for day in (3, 4)),
        *(window(day, MICROSOFT, received=on(day + 2, 21)) for day in (2, 3)),
    ]
    fixed = HumanAct("fixed", on(1, 13), "ana@example.com")
    mails = [
        Mailed(on(1, 11) + MINUTE, POST, "new"),
        Mailed(on(5, 21) + MINUTE, POST, "resolved"),
    ]

    steps = told(windows, *mails, acts=[fixed], now=on(6))

    assert [
        ("first seen", ""),
        ("told", "enforce, 36 %, reporter known for 1 day"),
        ("said fixed", ""),
        ("seen", 'not: that day began before "fixed"'),
        ("seen", "not: critical already"),
        ("clean", ""),
        ("seen", 'not: that day began before "fixed"'),
        ("acquitted", ""),
        ("clean", ""),
        ("acquitted", ""),
        ("resolved", "acquitted by google.com, microsoft.com"),
        ("told", ""),
    ] == [
        (step.kind, f"not: {step.untold}" if step.untold else step.why)
        for step in steps
        if step.kind != "nothing"
    ]


@pytest.mark.parametrize(
    ("windows", "reason"),
    [
        ([failing(0, SMALL)], "low: only reporters without standing"),
        ([failing(0, failed=1, good=9)], "low: one session failed, and others worked"),
        (
            [window(0, GOOGLE, row(9, reasons=["sender-side"]))],
            "low: the trouble is the sender's own",
        ),
        ([failing(0, failed=9, good=91, mode="none")], "notice, digest only"),
        ([failing(0, mode="testing")], "warning, digest only (min_severity)"),
        ([failing(0, received=on(9))], "older than max_age (7 days)"),
        ([failing(0)], ""),
    ],
)
def test_what_was_never_told(windows, reason):
    """Too small, too unsure, too old; with nothing against it there is no word: it may come."""
    assert [reason] == untold(told(windows, min_severity="critical"))


def test_what_lay_in_an_old_mailbox_is_old():
    """A mail may lie in the mailbox since its day: what counts is when this program came."""
    assert ["older than max_age (3 days)"] == untold(
        told([failing(0)], max_age=3 * DAY, began=on(30))
    )


def test_what_was_told_already():
    """The same again; a stranger's word; in maintenance; muted; acknowledged."""
    again = [failing(0), failing(1)]
    ack = HumanAct("ack", on(1, 13), "ana@example.com")
    mute = HumanAct("mute", on(1, 13), "ana@example.com")

    def second(windows: Sequence[Window], *acts: HumanAct, **more: object) -> str:
        return untold(told(windows, NEW, acts=acts, **more))[1]  # type: ignore[arg-type]

    assert "no worse than told" == second(again)
    assert "acknowledged, and no worse" == second(again, ack)
    assert "muted" == second(again, mute)
    assert "in maintenance 4" == second(again, quiet=[Quiet(4, on(1), on(2))])
    assert "reporters without standing change nothing" == second([failing(0), failing(1, SMALL)])
    assert "critical already" == second([failing(0), failing(1, MICROSOFT)])
    assert "no worse than told" == second(
        [failing(0, mode="testing"), failing(1, MICROSOFT, mode="testing")]
    )


def test_a_late_report_about_what_is_over_changes_history_only():
    """It came after the end, and is about time before it."""
    windows = [*story("#.."), failing(0, MICROSOFT, received=on(9)), *story("..", MICROSOFT, 1)]
    over = Mailed(on(3, 12) + MINUTE, POST, "resolved")

    assert ["", "it is over: this only changes its history"] == untold(told(windows, NEW, over))


def test_a_late_report_about_time_before_the_end():
    """Told as over; a witness that turns up late shows that it was not, and nobody is mailed."""
    windows = [*story("#.."), failing(1, MICROSOFT, received=on(3, 20))]
    over = Mailed(on(3, 12) + MINUTE, POST, "resolved")

    assert ["", "about time before it was over"] == untold(told(windows, NEW, over))


def test_a_mail_that_followed_is_reason_enough():
    """Within the time that mails wait for company, the mail speaks for itself."""
    windows = [failing(0, failed=5, good=95), failing(1, failed=60, good=40)]
    worse = Mailed(on(2, 12) + 4 * MINUTE, POST, "worsened")

    steps = told(windows, NEW, worse)

    assert ["", ""] == untold(steps)
    assert [
        "enforce, 5 %, reporter known for 1 day",
        "the share passed 10 %, the share passed 50 %",
    ] == [step.why for step in steps if step.mail is not None]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("not-fixed", 'a day fails that began after "fixed"'),
        ("left", "others of its cause are over"),
        ("reminder", "open, and nobody has answered"),
        ("maintenance", "open after the maintenance"),
        ("digest", "listed"),
        ("resolved", ""),
        ("regressed", "enforce, 36 %, reporter known for 1 day"),
    ],
)
def test_why_a_mail_was_sent(event, why):
    """Each kind has its reason in a few words."""
    steps = told([failing(0)], Mailed(on(1, 13), POST, event))

    assert why == steps[-2 if steps[-1].mail is None else -1].why or why in {
        step.why for step in steps if step.mail is not None
    }


def test_the_steps_of_a_mail_in_words():
    """Every step has words; a rare failure is under one per cent; no stranger is known."""
    windows = [
        failing(0, failed=3, good=997, mode="testing"),
        window(1, MICROSOFT, row(500, reasons=["weak"]), good=500),
    ]
    fixed = HumanAct("fixed", on(0, 12), "ana@example.com")
    worse = Mailed(on(2, 12) + MINUTE, POST, "worsened")
    stranger = Mailed(on(1, 12), POST, "new")

    steps = told(windows, NEW, worse, acts=[fixed])
    alone = told([failing(0, SMALL, mode=None, failed=1, good=999)], stranger)

    assert [
        "testing, under 1 %, reporter known for 1 day",
        (
            "the policy went from testing to enforce, another cause: weak, a second reporter saw"
            " it, the share passed 1 %, the share passed 10 %, the share passed 50 %,"
            ' a day fails that began after "fixed"'
        ),
    ] == [step.why for step in steps if step.mail is not None]
    assert ["sts, under 1 %"] == [step.why for step in alone if step.mail is not None]


def test_a_mail_about_a_failure_without_reports():
    """Its reports are pruned or were replaced: the mail is listed all the same."""
    (step,) = told([], NEW)

    assert ("told", "", NEW) == (step.kind, step.why, step.mail)
