"""What is due to whom, and when: one test a rule."""

import msgspec
import pytest

from tests.alerts.examples import BAD_DAY, ME, NOW, at, item, over, told
from tlsrpt_mailer.alerts.model import Past, Previous, Settings
from tlsrpt_mailer.alerts.plan import hour_start, plan, told_after
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE

LATER = NOW + 10 * MINUTE


def settings(now=LATER, **more):
    return Settings(now=now, **more)


def due(items, rows=(), now=LATER, past=None, **more):
    """(kind, the failures it tells) of each mail that is due."""
    groups = plan(ME, items, rows, settings(now, **more), past)
    return [(group.kind, [one.failure for one in group.items]) for group in groups]


def test_a_new_failure_is_told():
    """A critical failure that nobody was told of mails once its group has waited."""
    assert [("new", [17])] == due([item()])


def test_the_first_mail_of_a_cause_waits_for_its_company():
    """Nothing goes out before group_wait since the first receipt, and it does at that second."""
    first = item().first_received

    assert [] == due([item()], now=first + 5 * MINUTE - 1)
    assert [("new", [17])] == due([item()], now=first + 5 * MINUTE)


def test_the_wait_counts_from_the_first_receipt_of_the_cause():
    """A domain that comes in later does not push the first mail back; it comes along."""
    late = item(18, domain="example.net", first_received=LATER)

    assert [("new", [17, 18])] == due([item(), late])


def test_a_run_that_ends_closes_its_groups():
    """`once` mails what it has just read, since it will not be there in five minutes."""
    assert [("new", [17])] == due([item()], now=NOW, close_groups=True)


@pytest.mark.parametrize("severity", ["notice", "low"])
def test_notice_and_low_never_mail_at_once(severity):
    """What is no warning waits for the digest, whatever min_severity says."""
    assert [] == due([item(severity=severity)])
    assert [] == due([item(severity=severity)], min_severity="low")


def test_min_severity_keeps_warnings_back():
    """With min_severity = "critical" a warning does not mail and a critical failure does."""
    warning = item(18, cause=18, severity="warning")

    assert [("new", [17])] == due([item(), warning], min_severity="critical")


def test_muted_failures_are_quiet():
    """A person said mute, so neither news nor a relapse mails."""
    before = told(event="resolved", resolved_at=at("2026-10-01"))

    assert [] == due([item(state="muted")])
    assert [] == due([item(state="muted")], [before])


def test_old_news_is_no_news():
    """A failure whose newest failing window ended more than max_age ago stays silent."""
    aged = item(last_seen=LATER - 7 * DAY)
    fresh = item(last_seen=LATER - 7 * DAY + 1)

    assert [] == due([aged])
    assert [("new", [17])] == due([fresh])


@pytest.mark.parametrize("event", ["new", "regressed", "left"])
def test_what_was_told_is_not_told_again(event):
    """As long as the incident goes on, one mail is all."""
    assert [] == due([item()], [told(event=event)], now=NOW + 30 * DAY)


def test_what_began_and_ended_untold_is_left_to_the_digest():
    """Nobody is told that something is over of which nobody knew."""
    assert [] == due([over()])


def test_the_failure_that_names_the_mx_speaks_for_its_cause():
    """A mail whose command has a host in it is of more use than one with a placeholder."""
    nameless = item(18, mx=None, failed=9999)
    (mail,) = plan(ME, [nameless, item()], [], settings())

    assert [17, 18] == [one.failure for one in mail.items]


def test_what_is_not_reported_any_more_comes_after_what_is():
    """Of two as severe, the one that goes on is the one to look at."""
    stale = item(18, domain="example.net", state="stale", failed=9999)
    (mail,) = plan(ME, [stale, item()], [], settings())

    assert [17, 18] == [one.failure for one in mail.items]


def test_one_cause_is_one_mail_and_the_worst_comes_first():
    """Domains behind one MX come in one mail, critical ones in front, then by failed sessions."""
    items = [
        item(17, severity="warning", domain="a.example"),
        item(18, failed=5, domain="b.example"),
        item(19, failed=50, domain="c.example"),
    ]

    assert [("new", [19, 18, 17])] == due(items)


def test_two_causes_are_two_mails():
    """Another MX or another result type is another mail, the worse one first."""
    assert [("new", [18]), ("new", [17])] == due([item(severity="warning"), item(18, cause=18)])


# ------------------------------------------------------------------------ joined


def test_later_domains_join_at_most_every_group_interval():
    """A domain that joins a cause that was told waits until 12 h after the last mail about it."""
    items = [item(), item(18, domain="example.net")]

    assert [] == due(items, [told()], now=NOW + 12 * HOUR - 1)
    assert [("joined", [18])] == due(items, [told()], now=NOW + 12 * HOUR)


def test_joiners_wait_also_when_a_run_ends():
    """`once` from cron does not turn the list of joiners into a mail every few minutes."""
    items = [item(), item(18, domain="example.net")]

    assert [] == due(items, [told()], now=LATER, close_groups=True)


def test_the_last_mail_about_the_cause_counts_whatever_it_told():
    """A mail about a failure that has left the lists since still sets the rhythm."""
    items = [item(), item(18, domain="example.net")]
    past = Past(last_mail={17: NOW + 6 * HOUR})

    assert [] == due(items, [told()], now=NOW + 12 * HOUR, past=past)
    assert [("joined", [18])] == due(items, [told()], now=NOW + 18 * HOUR, past=past)


def test_a_joined_mail_names_what_was_told_before():
    """The mail can say how many domains there are in all, and goes into the old thread."""
    items = [item(), item(18, domain="example.net")]

    (group,) = plan(ME, items, [told()], settings(NOW + DAY))

    assert [17] == [row.item.failure for row in group.others]
    assert ("<tlsrpt.17.new.1.abc@mail.example.com>",) == group.references


def test_after_a_cause_is_over_its_next_failure_is_a_first_mail():
    """With nothing told open, a newcomer waits group_wait and not group_interval."""
    rows = [told(event="resolved", resolved_at=at("2026-10-14"))]
    items = [item(18, domain="example.net")]

    assert [("new", [18])] == due(items, rows)


# --------------------------------------------------------------------- regressed


def test_a_failure_that_was_told_over_and_fails_again_has_regressed():
    """A failing window that begins at the told end, or later, is told as a relapse."""
    row = told(event="resolved", resolved_at=at("2026-10-13"))

    assert [("regressed", [17])] == due([item(incident=2)], [row])


def test_a_late_report_about_earlier_time_mails_nothing():
    """A window from before the told end changes history, not the mailbox."""
    row = told(event="resolved", resolved_at=at("2026-10-14"))

    assert [] == due([item(incident=2)], [row])


def test_a_whole_incident_may_pass_between_two_mails():
    """Told open, over and back in one go: what is open now began after the mail, so it is told."""
    row = told(at=at("2026-10-01"))

    assert [("regressed", [17])] == due([item(incident=2)], [row])


def test_an_incident_found_before_the_one_told_is_no_relapse():
    """An import of old reports raises the incident's number; what was told stays told."""
    assert [] == due([item(incident=2)], [told()])


def test_a_relapse_among_newcomers_leads_the_mail():
    """One cause stays one mail: it says regressed when any of it was told over before."""
    row = told(event="resolved", resolved_at=at("2026-10-13"))
    items = [item(incident=2), item(18, domain="example.net")]

    (group,) = plan(ME, items, [row], settings())

    assert "regressed" == group.kind
    assert ["regressed", "new"] == [one.event for one in group.transitions]
    assert [2, 1] == [one.n for one in group.transitions]


# ---------------------------------------------------------------------- resolved


def test_good_news_is_told_at_once_when_the_whole_cause_is_over():
    """One domain, one MX, over: the mail does not wait."""
    assert [("resolved", [17])] == due([over()], [told()])


def test_a_warning_that_turned_low_is_still_told_over():
    """Who was told that it broke is told that it is over, whatever it would weigh now."""
    assert [("resolved", [17])] == due([over(severity="low")], [told()])


def test_over_is_told_also_when_history_was_counted_anew():
    """The number of the incident may have moved since the mail; told open and over is over."""
    assert [("resolved", [17])] == due([over(incident=3)], [told()])


def goes_on(**more):
    """A failure that was told, resolved, and is seen again since, but by strangers alone."""
    ended = Previous(
        incident=1,
        severity="critical",
        first_seen=at("2026-10-13"),
        last_seen=at("2026-10-14"),
        first_received=at("2026-10-14T11:42"),
        resolved_at=at("2026-10-16"),
        failed_sessions=1893,
        sessions=5326,
    )
    found = {key: more.pop(key) for key in ("resolved_at", "first_received") if key in more}
    later = item(
        severity="low",
        state="ongoing",
        incident=2,
        first_seen=at("2026-10-16"),
        last_seen=at("2026-10-18"),
        last_start=at("2026-10-17"),
        previous=msgspec.structs.replace(ended, **found),
    )
    return msgspec.structs.replace(later, **more)


@pytest.mark.parametrize("severity", ["low", "notice"])
def test_the_end_of_what_was_told_is_told_though_something_goes_on(severity):
    """
    Known reporters have acquitted, strangers go on: the reader must not be left with an alarm
    that nothing will ever end.
    """
    now = at("2026-10-18T12:00")
    (mail,) = plan(ME, [goes_on(severity=severity)], [told()], settings(now))
    (one,) = mail.items

    assert "resolved" == mail.kind
    assert ("resolved", 1, "critical", 1893) == (
        one.state,
        one.incident,
        one.severity,
        one.failed,
    )
    assert one.is_superseded
    (row,) = told_after(mail, now, "<b>")
    assert (1, "resolved", at("2026-10-16")) == (row.incident, row.event, row.resolved_at)
    assert [] == due([goes_on(severity=severity)], [row], now=now + DAY)
    assert [("regressed", [17])] == due([goes_on(severity="critical")], [row], now=now + DAY)


@pytest.mark.parametrize(
    ("more", "row"),
    [
        ({"resolved_at": None}, {}),
        ({"state": "muted"}, {}),
        ({"severity": "critical"}, {}),
        ({"state": "closed"}, {}),
        ({}, {"incident": 2}),
        ({"first_received": at("2026-10-20")}, {}),
        ({}, {"event": "resolved", "resolved_at": at("2026-10-16")}),
    ],
)
def test_no_end_is_told_of_an_incident_that_is_not_the_one_told(more, row):
    """
    Not of one closed unconfirmed, nor of a muted failure, nor where the present incident is the
    one that was told, or a late report found an incident before it.
    """
    items = [goes_on(**{"first_seen": BAD_DAY, **more})]

    assert [] == due(items, [told(**row)], now=at("2026-10-20T12:00"))


def test_the_end_of_one_incident_is_no_partial_end():
    """The stranger's failure is not listed as one that still fails beside its own end."""
    (mail,) = plan(
        ME,
        [goes_on(), item(18, domain="example.net", last_seen=at("2026-10-18"))],
        [told(), told(18)],
        settings(at("2026-10-19T12:00")),
    )

    assert [17] == [one.failure for one in mail.items]
    assert [18] == [one.failure for one in mail.other_items]


def test_closed_unconfirmed_is_no_good_news():
    """Nobody said that it works, so nobody is told that it does."""
    assert [] == due([item(state="closed")], [told()])


def test_good_news_waits_for_the_rest_of_the_cause():
    """While one domain still fails, the others wait a day, then one mail says partly."""
    items = [over(), item(18, domain="example.net")]
    rows = [told(), told(18)]
    ended = at("2026-10-17")

    assert [] == due(items, rows, now=ended + DAY - 1)
    assert [("resolved", [17])] == due(items, rows, now=ended + DAY)


def test_the_wait_for_good_news_counts_from_when_it_was_known():
    """Where the caller knows when the report came, a day passes after that."""
    items = [over(noticed_at=at("2026-10-18T21:00")), item(18, domain="example.net")]
    rows = [told(), told(18)]

    assert [] == due(items, rows, now=at("2026-10-19T20:59"))
    assert [("resolved", [17])] == due(items, rows, now=at("2026-10-19T21:00"))


def test_the_wait_for_good_news_counts_from_the_first_that_is_over():
    """Domains that recover one by one do not push the mail about the first of them back."""
    first = over(17, noticed_at=at("2026-10-18T12:00"))
    second = over(18, domain="b.example", noticed_at=at("2026-10-19T06:00"))
    left = item(19, domain="c.example")
    rows = [told(17), told(18), told(19)]

    assert [("resolved", [17, 18])] == due([first, second, left], rows, at("2026-10-19T12:00"))


def test_a_cause_is_partly_resolved_once():
    """After one partly resolved mail the next good news is that all of it is over."""
    one, two, three = item(17), item(18, domain="b.example"), item(19, domain="c.example")
    rows = {row.failure: row for row in (told(17), told(18), told(19))}
    now = at("2026-10-20")
    (partly,) = plan(ME, [over(17), two, three], rows.values(), settings(now))
    rows |= {row.failure: row for row in told_after(partly, now, "<x@y>")}

    two_over = [over(18, domain="b.example"), three]
    all_over = [over(18, domain="b.example"), over(19, domain="c.example")]

    assert partly.is_partial
    assert {17: "resolved", 18: "left", 19: "left"} == {k: row.event for k, row in rows.items()}
    assert [] == due(two_over, rows.values(), now=now + 9 * DAY)
    assert [("resolved", [18, 19])] == due(all_over, rows.values(), now=now + 9 * DAY)
    assert one.is_open


def test_an_old_failure_without_its_end_is_not_held_back():
    """A resolved failure whose end is unknown counts as over now: it waits, and does not crash."""
    items = [over(resolved_at=None), item(18, domain="example.net")]

    assert [] == due(items, [told(), told(18)], now=NOW + DAY)


# -------------------------------------------------------------- summary and flood


def aged(count, start=100, **more):
    return [
        item(n, cause=n, domain=f"d{n}.example", last_seen=NOW - 30 * DAY, **more)
        for n in range(start, start + count)
    ]


def test_five_old_failures_stay_silent():
    """An old mailbox with a few open ends does not mail about them."""
    assert [] == due(aged(5))


def test_more_than_five_old_failures_are_summed_up_with_the_fresh_ones():
    """One mail explains all that is open, and nothing of it mails on its own."""
    assert [("summary", [17, 100, 101, 102, 103, 104, 105])] == due([item(), *aged(6)])


def test_what_was_summed_up_is_told():
    """After the summary the same store is silent."""
    items = [item(), *aged(6)]
    (group,) = plan(ME, items, [], settings())

    rows = told_after(group, LATER, "<summary@host>")

    assert [] == due(items, rows, now=LATER + DAY)
    assert {("new", "<summary@host>")} == {(row.event, row.message_id) for row in rows}


def test_low_and_muted_failures_do_not_make_a_summary():
    """Only what would be worth telling is counted as silenced."""
    assert [] == due([*aged(5), *aged(3, 200, severity="low"), *aged(3, 300, state="muted")])


def test_who_is_owed_only_the_end_of_what_was_told_is_in_no_summary():
    """An earlier owner hears of the end of a failure, and not of its next incident."""
    assert [] == due([*aged(5), *aged(3, 200, role="told")])
    assert [("summary", [*range(100, 106)])] == due([*aged(6), item(200, role="told")])


@pytest.mark.parametrize(("severity", "lowest"), [("notice", "warning"), ("warning", "critical")])
def test_what_never_mails_does_not_age_into_a_summary(severity, lowest):
    """Seven notices of last week are for the digest; being old makes no mail of them."""
    assert [] == due(aged(7, severity=severity), min_severity=lowest)


def test_old_failures_that_were_told_make_no_summary():
    """Failures that went stale after they were told are not told again."""
    items = aged(6)

    assert [] == due(items, [told(one.failure) for one in items])


def test_past_the_cap_one_mail_tells_the_rest():
    """The worst go out one by one, the rest of the hour's news in one flood mail."""
    items = [item(n, cause=n, failed=n) for n in range(1, 6)]

    assert [("new", [5]), ("new", [4]), ("flood", [3, 2, 1])] == due(
        items, past=Past(mails=18), max_per_hour=20
    )


def test_bad_news_goes_before_good_news_under_the_cap():
    """When only one mail is left in the hour, it is the one about what broke."""
    items = [over(), item(18, cause=18, severity="warning")]

    assert [("new", [18]), ("flood", [17])] == due(items, [told()], max_per_hour=1)


def test_a_full_hour_floods_at_once():
    """At the cap already, all that is due goes into the flood mail."""
    assert [("flood", [17])] == due([item()], past=Past(mails=20))


def test_after_the_flood_mail_the_hour_is_quiet():
    """Nothing more in that clock hour; the difference is still there in the next."""
    past = Past(mails=21, flooded=True)

    assert [] == due([item()], past=past)
    assert [("new", [17])] == due([item()], past=Past())


def test_the_hour_is_the_clock_hour():
    """The mail text says "after 12:00Z", so the count begins on the hour."""
    assert at("2026-10-14T11:00") == hour_start(at("2026-10-14T11:59"))


# ---------------------------------------------------------------- what is remembered


def test_the_rows_after_a_mail_make_the_plan_empty():
    """Composing twice with the same store mails nothing twice."""
    items = [item(), item(18, domain="example.net")]
    (group,) = plan(ME, items, [], settings())

    rows = told_after(group, LATER, "<tlsrpt.17@host>")

    assert [] == due(items, rows, now=LATER + 30 * DAY)
    assert [(17, 1, "<tlsrpt.17@host>"), (18, 1, "<tlsrpt.17@host>")] == [
        (row.failure, row.mails, row.message_id) for row in rows
    ]


def test_a_resolved_row_remembers_the_end_and_the_thread():
    """Later windows are measured against the told end; the thread stays that of the first mail."""
    (group,) = plan(ME, [over()], [told(mails=3)], settings(at("2026-10-18")))

    (row,) = told_after(group, at("2026-10-18"), "<other@host>")

    assert (at("2026-10-17"), 4, "<tlsrpt.17.new.1.abc@mail.example.com>") == (
        row.resolved_at,
        row.mails,
        row.message_id,
    )


def test_a_joiner_is_threaded_with_its_cause():
    """A domain that joins is remembered under the first mail of the cause."""
    items = [item(), item(18, domain="example.net")]
    (group,) = plan(ME, items, [told()], settings(NOW + DAY))

    (row,) = told_after(group, NOW + DAY, "<other@host>")

    assert "<tlsrpt.17.new.1.abc@mail.example.com>" == row.message_id


def test_what_else_is_open_on_the_domain_comes_along():
    """The reader learns of other open failures of the domain, so as not to mend the wrong end."""
    second = item(18, cause=18, mx="mx2.example.com", severity="notice")
    (group,) = plan(ME, [item(), second], [], settings())

    assert [18] == [one.failure for one in group.elsewhere]
