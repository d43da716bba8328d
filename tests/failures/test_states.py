"""Failures as an operator sees them: witnesses, acquittals, incidents, states."""

import pytest

from tests.failures.builders import (
    EXPIRED,
    GOOGLE,
    KNOWN,
    MAILRU,
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
from tlsrpt_mailer.failures.judge import judge
from tlsrpt_mailer.failures.model import Previous, Sessions, Witness
from tlsrpt_mailer.report.times import DAY


def test_success_alone_is_no_failure():
    """A domain whose reports name no failure has nothing to judge."""
    assert judge(story("......"), {}, KNOWN, on(6)) == []


def test_one_failing_window_is_new():
    """The first failing window opens the first incident, with all that a mail has to say."""
    verdict = judged(story("..#"), on(3, 12))

    assert verdict.state == "new"
    assert verdict.is_open
    assert verdict.incident == 1
    assert (verdict.first_seen, verdict.clean_before) == (on(2), on(2))
    assert (verdict.first_failing_end, verdict.last_seen, verdict.last_start) == (
        on(3),
        on(3),
        on(2),
    )
    assert (verdict.first_received, verdict.last_received) == (on(3, 12), on(3, 12))
    assert (verdict.failed_sessions, verdict.sessions) == (1893, 5326)
    assert round(verdict.share, 2) == 0.36
    assert verdict.peak_share == verdict.share
    assert verdict.mode == "enforce"
    assert verdict.witnesses == (
        Witness(
            reporter=GOOGLE,
            known=True,
            has_say=True,
            failing_windows=1,
            failed_sessions=1893,
            sessions=5326,
            last_failing_end=on(3),
            clean_windows=0,
            acquitted_at=None,
            still_reports=True,
        ),
    )


@pytest.mark.parametrize(
    ("days", "state", "incident"),
    [
        ("#", "new", 1),
        ("##", "ongoing", 1),
        ("#.", "new", 1),
        ("#..", "resolved", 1),
        ("#o.", "new", 1),
        ("#.o.", "resolved", 1),
        ("#.#", "ongoing", 1),
        ("#..#", "regressed", 2),
        ("#..##", "ongoing", 2),
        ("#..#..#", "regressed", 3),
        ("#.#..", "resolved", 1),
        ("# ..", "resolved", 1),
    ],
)
def test_the_state_follows_from_failing_and_clean_days(days, state, incident):
    """
    Two clean windows after the last failing one end an incident; a failing
    one after that is a regression. Windows without sessions say nothing.
    """
    verdict = judged(story(days), on(len(days), 12))

    assert (state, incident) == (verdict.state, verdict.incident)


def test_resolved_is_dated_by_the_window_that_ended_it():
    """However late anybody looks, resolved_at is the end of the second clean window."""
    windows = story("##..")

    assert on(4) == judged(windows, on(4)).resolved_at
    assert on(4) == judged(windows, on(300)).resolved_at
    assert judged(windows, on(300)).stale_at is None


def test_a_clean_window_that_has_not_ended_yet_acquits_nobody():
    """A report that runs ahead of the clock acquits when its window is over, not before."""
    windows = [failing(0), window(1), window(2, received=on(2, 1))]

    assert judged(windows, on(2, 2)).state == "new"
    assert judged(windows, on(3)).state == "resolved"


def test_every_witness_that_still_reports_must_acquit():
    """The failure ends with the last witness, and is dated by it."""
    google, microsoft = story("##...."), story("###..", MICROSOFT)

    assert judged([*google, *microsoft[:4]], on(6)).state == "ongoing"
    assert judged([*google, *microsoft], on(6)).resolved_at == on(5)


def test_who_never_saw_it_is_not_asked():
    """A reporter without a failing window neither delays nor brings the end."""
    assert judged([*story("#"), *story(".....", MAILRU)], on(3)).state == "new"
    assert judged([*story("#.."), *story("o", MAILRU)], on(3)).state == "resolved"


def test_a_rare_failure_is_not_refuted_by_a_few_sessions():
    """
    Of 1,000 sessions 5 failed: two clean windows of 100 sessions prove
    nothing, so clean sessions times the failing share must reach 3.
    """
    failing_day = failing(0, failed=5, good=995)

    few = [window(day, good=100) for day in range(1, 6)]
    many = [window(1, good=100), window(2, good=499), window(3, good=1)]

    assert judged([failing_day, *few], on(6)).state == "new"
    assert judged([failing_day, *many], on(6)).resolved_at == on(4)


def test_fourteen_clean_windows_always_acquit():
    """However rare the failure was, a clean fortnight ends it."""
    failing_day = failing(0, failed=1, good=99_999)
    clean = [window(day, good=1) for day in range(1, 15)]

    assert judged([failing_day, *clean[:13]], on(14)).state == "new"
    assert judged([failing_day, *clean], on(15)).resolved_at == on(15)


def test_the_failing_share_is_taken_over_the_incident():
    """Sessions of all the reporter's failing windows decide how much refutes them."""
    windows = [
        failing(0, failed=10, good=990),
        failing(1, failed=990, good=10),
        window(2, good=3),
        window(3, good=2),
        window(4, good=1),
    ]

    # (10 + 990) of 2,000 failed, so six clean sessions are needed: 3, 2 and 1.
    assert judged(windows[:4], on(6)).state == "ongoing"
    assert judged(windows, on(6)).resolved_at == on(5)


def test_sessions_under_two_policy_types_are_not_added():
    """A window's clean sessions are the most of one type: the same session may be under both."""
    both = (Sessions("sts", 4, 0, "enforce"), Sessions("tlsa", 4, 0))
    windows = [
        failing(0, failed=1, good=2),
        window(1, sessions=both),
        window(2, sessions=both),
        window(3, sessions=both),
    ]

    # One of three failed: nine clean sessions are needed, and eight are there.
    assert judged(windows[:3], on(3)).state == "new"
    assert judged(windows, on(4)).resolved_at == on(4)


def test_success_under_another_policy_type_makes_a_window_clean():
    """A domain that a reporter reaches again is reached, whatever policy it followed."""
    other = (Sessions("no-policy-found", 5000, 0),)
    windows = [failing(0), window(1, sessions=other), window(2, sessions=other)]

    assert judged(windows, on(3)).state == "resolved"


def test_more_failures_than_sessions_count_as_all():
    """Mail.ru counts one session and two failures: a share is never over one."""
    windows = [window(0, GOOGLE, row(2), sessions=(Sessions("sts", 0, 1, "enforce"),))]

    verdict = judged(windows, on(1))

    assert (verdict.failed_sessions, verdict.sessions, verdict.share) == (2, 2, 1.0)


def test_a_witness_that_falls_silent_stops_counting():
    """
    Microsoft saw it and then sent nothing more: once it no longer reports
    (four days, for a daily reporter), Google's word is enough.
    """
    windows = [*story("#......"), *story("#", MICROSOFT)]

    assert judged(windows, on(4, 23)).state == "ongoing"
    verdict = judged(windows, on(5))
    assert (verdict.state, verdict.resolved_at) == ("resolved", on(3))
    assert [witness.still_reports for witness in verdict.witnesses] == [True, False]


def test_a_silent_witness_that_returns_reopens_nothing():
    """Only a failing window ends what was resolved, not the return of a reporter in peace."""
    windows = [*story("#.........."), *story("#        .", MICROSOFT)]

    assert judged(windows, on(10, 12)).state == "resolved"
    assert judged(windows, on(10, 12)).resolved_at == on(3)


def test_a_silent_witness_that_returns_clean_acquits_late():
    """An acquittal after the end is no part of it: the end keeps its date."""
    windows = [*story("#............"), *story("#        ..", MICROSOFT)]

    assert judged(windows, on(12)).resolved_at == on(3)


def test_a_failing_window_after_that_is_a_regression():
    """The returned reporter fails again: a new incident, as the old one was over."""
    windows = [*story("#.........."), *story("#        .#", MICROSOFT)]

    verdict = judged(windows, on(11))

    assert (verdict.state, verdict.incident, verdict.first_seen) == ("regressed", 2, on(10))


def test_a_weekly_witness_is_waited_for():
    """A reporter of weekly windows still reports 21 days after its last one."""
    weekly = [window(week * 7, MICROSOFT, days=7) for week in range(4)]
    weekly.append(window(28, MICROSOFT, row(), days=7))
    google = [window(35, GOOGLE, row(), days=7), *story("..", first=42)]

    assert judged([*weekly, *google], on(55, 23)).state == "ongoing"
    assert judged([*weekly, *google], on(56)).state == "resolved"


def test_a_monthly_witness_loses_its_say_after_a_week():
    """Whoever reports once a month must not keep a mended failure open for another month."""
    monthly = [window(30 * n, MICROSOFT, row(), days=30) for n in range(3)]
    google = [window(60, GOOGLE, row(), days=30), *story("..", first=90)]

    assert judged([*monthly, *google], on(98, 23)).state == "ongoing"
    verdict = judged([*monthly, *google], on(99))
    assert (verdict.state, verdict.resolved_at) == ("resolved", on(92))


def test_a_long_window_is_a_witness_only_where_there_is_no_short_one():
    """A week's window says too little about when; with a day's window beside it, that counts."""
    weekly = window(0, MICROSOFT, row(), days=7)

    alone = judged([weekly], on(8))
    beside = judged([weekly, *story("#..", first=5)], on(8))

    assert [(w.reporter, w.has_say) for w in alone.witnesses] == [(MICROSOFT, True)]
    assert beside.state == "resolved"
    assert [(w.reporter, w.has_say) for w in beside.witnesses] == [
        (GOOGLE, True),
        (MICROSOFT, False),
    ]


@pytest.mark.parametrize(("hours", "is_asked"), [(36, True), (37, False)])
def test_a_window_of_up_to_36_hours_is_short(hours, is_asked):
    """A day that a change of zone or a late start drew out still tells when."""
    windows = [failing(0, GOOGLE, days=hours / 24), failing(0, MICROSOFT)]

    verdict = judged(windows, now=on(2))

    assert is_asked == {one.reporter: one.has_say for one in verdict.witnesses}[GOOGLE]


def test_a_stranger_with_short_windows_does_not_outrank_a_known_weekly_reporter():
    """Standing goes before precision: else anybody could end what Google reports by the week."""
    weekly = failing(0, GOOGLE, days=7)
    windows = [weekly, failing(0, SMALL), window(1, SMALL), window(2, SMALL)]

    verdict = judged(windows, now=on(8))

    assert verdict.is_open
    assert {GOOGLE: True, SMALL: False} == {one.reporter: one.has_say for one in verdict.witnesses}


def test_unknown_reporters_are_witnesses_only_among_themselves():
    """A stranger's failing windows open a failure, but keep none open that a known one ended."""
    stranger = story("###", SMALL)

    alone = judged(stranger, on(3, 12))
    beside = judged([*story("#.."), *stranger[:1]], on(3, 12))

    assert (alone.state, alone.witnesses[0].has_say) == ("ongoing", True)
    assert (beside.state, beside.incident) == ("resolved", 1)
    assert [(w.reporter, w.known, w.has_say) for w in beside.witnesses] == [
        (GOOGLE, True, True),
        (SMALL, False, False),
    ]


def test_an_unknown_reporter_cannot_acquit_for_a_known_one():
    """Clean windows of a stranger do not end what a known reporter saw."""
    windows = [*story("#"), *story("#....", SMALL)]

    assert judged(windows, on(4)).state == "new"


def test_figures_are_those_of_reporters_that_count():
    """A stranger's millions do not water the share down, nor blow it up."""
    windows = [failing(0), failing(0, SMALL, failed=10**15, good=0)]

    verdict = judged(windows, on(2))

    assert (verdict.failed_sessions, verdict.sessions) == (1893, 5326)


def test_a_failure_that_nobody_reports_on_any_more_is_stale_then_closed():
    """
    Silence proves nothing: the failure becomes stale four days after the
    last window, and is closed, unconfirmed, 30 days later.
    """
    windows = story("##")

    assert judged(windows, on(5, 23)).state == "ongoing"
    stale = judged(windows, on(6))
    assert (stale.state, stale.stale_at, stale.closed_at) == ("stale", on(6), None)
    assert stale.is_open
    closed = judged(windows, on(36))
    assert (closed.state, closed.stale_at, closed.closed_at) == ("closed", on(6), on(36))
    assert not closed.is_open


def test_a_stale_failure_is_open_again_when_a_witness_returns():
    """A reporter that comes back within the month takes the failure out of the stale list."""
    windows = [*story("#"), *story(".", first=20)]

    assert judged(windows, on(21, 12)).state == "new"
    assert judged([*windows, window(21)], on(23)).state == "resolved"


def test_a_failing_window_after_closing_is_a_regression():
    """What was closed and comes back is told anew."""
    windows = story("#")

    assert judged([*windows, failing(34, received=on(36))], on(36)).incident == 1
    verdict = judged([*windows, failing(35)], on(36, 12))
    assert (verdict.state, verdict.incident) == ("regressed", 2)


def test_a_closed_failure_is_not_reopened_by_a_clean_report():
    """After closing, clean windows confirm the end or change nothing."""
    windows = [*story("#"), *story(".", first=50)]

    assert judged(windows, on(51, 12)).state == "closed"
    assert judged([*windows, window(51)], on(52, 12)).state == "resolved"


def test_one_of_two_silent_witnesses_keeps_it_from_being_stale():
    """As long as one witness reports, reports can still tell."""
    windows = [*story("#"), *story("#oooooooooo", MICROSOFT)]

    assert judged(windows, on(10)).state == "ongoing"
    assert judged(windows, on(15)).state == "stale"


def test_a_late_report_about_earlier_changes_history():
    """A failing window that comes late joins the incident it belongs to."""
    windows = story("#..#")
    assert judged(windows, on(4, 12)).incident == 2

    late = failing(1, MICROSOFT, received=on(4, 12))

    # On day 3 Microsoft still owed an acquittal, so nothing was over then.
    assert judged([*windows, late], on(4, 12)).incident == 1


def test_an_acquittal_lapses_when_the_reporter_fails_again():
    """With another witness still failing, a clean pair followed by a failure is no end."""
    windows = [*story("#..#"), *story("####", MICROSOFT)]

    verdict = judged(windows, on(5))

    assert (verdict.state, verdict.incident) == ("ongoing", 1)
    assert verdict.witnesses[0].acquitted_at is None


def test_a_better_witness_replaces_the_others_when_its_window_ends():
    """Incidents are split by what had ended by then: strangers count until a known one speaks."""
    windows = [*story("#   #", SMALL), *story("#....")]

    assert judged(windows, on(5, 12)).incident == 2


def test_until_its_window_ends_a_better_witness_is_not_asked():
    """A known reporter's long window that is still running says nothing yet of the past."""
    running = window(0.5, GOOGLE, row(), days=5)

    assert judged([*story("##..#", SMALL), running], on(6)).incident == 2
    tiny = [failing(1, "tiny.example"), window(0.5, GOOGLE, row(), days=9)]
    assert judged([*story("#..    #", SMALL), *tiny], on(10)).incident == 2


def test_an_hour_within_a_day_is_a_window_of_its_own():
    """A short window inside a longer one counts beside it; clean ones count after both."""
    hour = window(1.5, GOOGLE, row(7), days=1 / 24)

    verdict = judged([*story("##.."), hour], on(4))

    assert (verdict.state, verdict.resolved_at) == ("resolved", on(4))
    assert verdict.witnesses[0].failing_windows == 3
    assert verdict.witnesses[0].failed_sessions == 2 * 1893 + 7


def test_a_witness_without_sessions_blocks_until_it_fails_again():
    """A reporter that only sends empty windows has not taken anything back."""
    windows = [*story("#..#..#"), *story("#oooo#", MICROSOFT)]

    assert judged(windows, on(7)).incident == 1


def test_the_incident_before_is_kept_in_outline():
    """Who was told of the first incident can be told how it ended, though a second goes on."""
    verdict = judged(
        [*story("##...."), *(failing(day, SMALL, 50) for day in range(2, 6))], now=on(6, 12)
    )

    assert verdict.state == "ongoing"
    assert verdict.severity == "low"
    assert verdict.previous == Previous(
        incident=1,
        severity="critical",
        first_seen=on(0),
        last_seen=on(2),
        first_received=on(1, 12),
        resolved_at=on(4),
        failed_sessions=2 * 1893,
        sessions=2 * 5326,
    )


def test_the_incident_before_may_have_ended_unconfirmed():
    """Closed is not resolved: the outline names no end."""
    verdict = judged([failing(0), failing(60)], now=on(61, 12))

    assert verdict.incident == 2
    assert verdict.previous is not None
    assert verdict.previous.resolved_at is None


def test_the_first_incident_has_none_before_it():
    """There is nothing to outline."""
    assert judged(story("##"), now=on(2, 12)).previous is None


def test_domains_do_not_mix():
    """Each domain is judged by its own windows, though one call may hold many."""
    other = [window(day, domain="example.net") for day in range(3)]
    windows = [*story("#"), *other, failing(0, domain="example.org")]

    found = verdicts(windows, on(3))

    assert [identity.domain for identity in found] == ["example.com", "example.org"]
    assert found[EXPIRED] == judged(story("#"), on(3))


def test_the_beginning_is_between_a_clean_and_a_failing_window():
    """Only reporters that saw it fail can say when it did not fail yet."""
    windows = [
        *story("..", MAILRU, first=3),
        *story(". o#"),
        *story("...#", MICROSOFT),
        failing(-30, GOOGLE),
        *story("..", first=-29),
    ]

    verdict = judged(windows, on(4))

    assert verdict.incident == 2
    assert (verdict.clean_before, verdict.first_failing_end) == (on(3), on(4))
    assert judged(story("#"), on(2)).clean_before is None


def test_a_window_may_fail_for_one_mx_and_be_clean_for_another():
    """Another MX is another failure: it ends while mail to the first still fails."""
    both = window(0, GOOGLE, row(10), row(20, mx="mx2.example.com"))
    windows = [both, window(1, GOOGLE, row(10)), window(2)]

    found = verdicts(windows, on(3))

    assert [verdict.state for verdict in found.values()] == ["ongoing", "resolved"]
    assert [verdict.last_seen for verdict in found.values()] == [on(2), on(1)]


def test_reasons_are_collected_over_the_incident():
    """Every reason class of the incident is kept, and none of an earlier one."""
    windows = [
        window(0, GOOGLE, row(reasons=["weak"])),
        *story("..", first=1),
        window(3, GOOGLE, row(reasons=["expired"])),
        window(4, GOOGLE, row(reasons=["self-signed", "expired"])),
    ]

    assert judged(windows, on(5)).reasons == ("expired", "self-signed")


def test_time_never_brings_a_resolved_failure_back():
    """Once over, a failure stays over without new windows."""
    windows = [*story("##..."), *story("#..", MICROSOFT)]

    states = [judged(windows, on(5) + n * DAY).state for n in range(0, 400, 7)]

    assert set(states) == {"resolved"}
