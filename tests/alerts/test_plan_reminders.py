"""Who is reminded of what is open and unanswered, and when."""

import pytest

from tests.alerts.examples import ME, at, item, told
from tlsrpt_mailer.alerts.model import Answer, Past, Settings
from tlsrpt_mailer.alerts.plan import plan, told_after
from tlsrpt_mailer.report.times import DAY, HOUR

TOLD = at("2026-10-14T11:43")
SLOT = at("2026-10-14T08:00")
ROW = {"opened_at": TOLD, "first_at": TOLD}


def mails(items, rows, days=1, past=None, now=None, **more):
    """What is due a minute after 08:00, so many days after the first mail."""
    slot = SLOT + days * DAY
    settings = Settings(now=slot + 60 if now is None else now, slot=slot, **more)
    return plan(ME, items, rows, settings, past)


def reminded(items, rows, days=1, past=None, **more):
    found = mails(items, rows, days, past, **more)
    return [one.failure for group in found if group.kind == "reminder" for one in group.items]


def days_of(severity, until=60, opened="2026-10-14T11:43"):
    """The days after the first mail on which a reminder goes out, if nobody answers."""
    row = told(opened_at=at(opened), at=at(opened))
    found = []
    for day in range(until):
        for group in mails([item(severity=severity)], [row], day):
            (row,) = told_after(group, SLOT + day * DAY + 60, "<x@y>")
            found.append(day)
    return found


def test_critical_failures_remind_after_a_day_three_and_seven_then_every_fortnight():
    """Days are counted by slots, so the first reminder is "tomorrow"."""
    assert [1, 3, 7, 21, 35, 49] == days_of("critical")


def test_warnings_remind_after_a_week():
    """And after two, then every fortnight."""
    assert [7, 14, 28, 42, 56] == days_of("warning")


def test_what_was_told_at_night_is_not_reminded_of_in_the_morning():
    """Under half a day is no day."""
    assert [2, 4, 8] == days_of("critical", 10, "2026-10-14T23:50")


def test_nothing_new_is_told_by_a_reminder():
    """Event, incident and steps stay; only the reminder and the mail are counted."""
    row = told(steps=("share-1",), **ROW)
    (mail,) = mails([item(steps=("share-1",))], [row])
    (after,) = told_after(mail, TOLD + DAY, "<x@y>")

    assert ("reminder", "new", 2) == (mail.kind, mail.transitions[0].event, mail.transitions[0].n)
    assert (row.message_id,) == mail.references
    assert (TOLD + DAY, 2) == (after.reminded_at, after.mails)
    assert ("new", TOLD, ("share-1",), 1) == (after.event, after.at, after.steps, after.incident)


def test_a_row_of_an_older_version_counts_from_its_mail():
    """Nothing is reminded of too early or never."""
    assert [] == reminded([item()], [told()], 0)
    assert [17] == reminded([item()], [told()])


def test_one_mail_has_all_that_is_open_and_unanswered():
    """What is not due yet comes along, worst first; its own day is not lost by that."""
    items = [item(18, cause=18, severity="warning"), item()]
    rows = [told(**ROW), told(18, **ROW)]

    assert [17, 18] == reminded(items, rows, 3)
    assert [18] == reminded(items[:1], [told(18, reminded_at=SLOT + 3 * DAY, **ROW)], 7)


@pytest.mark.parametrize(
    "more",
    [
        {"state": "acknowledged"},
        {"state": "fixed?"},
        {"state": "stale"},
        {"state": "muted"},
        {"state": "resolved"},
        {"muted_until": TOLD + 99 * DAY},
        {"is_quiet": True},
        {"severity": "notice"},
        {"role": "told"},
        {"assigned": Answer(kind="assign", who="a@example.org", at=TOLD, assignee="b@example.org")},
    ],
)
def test_what_is_answered_or_quiet_does_not_remind(more):
    """Nor what is not theirs, nor what was never worth a mail."""
    assert [] == reminded([item(**more)], [told(**ROW)])


def test_what_was_not_told_does_not_remind():
    """A reminder of something unheard of would be no reminder."""
    aged = {"last_seen": TOLD - 30 * DAY}

    assert [] == reminded([item(**aged)], [])
    ended = told(event="resolved", resolved_at=at("2026-11-01"), **ROW)
    assert [] == reminded([item()], [ended])


def test_an_answer_holds_for_the_domains_that_join_later():
    """Whoever has acknowledged the certificate is not asked about each domain behind it."""
    ack = Answer(kind="ack", who=ME, at=item().first_received + 1)
    later = item(18, domain="b.example", first_received=ack.at + 1)
    items = [item(state="acknowledged", answer=ack), later]

    assert [] == reminded(items, [told(**ROW), told(18, **ROW)])


def test_an_answer_for_one_domain_answers_for_no_other_of_its_time():
    """One tenant's ack keeps nobody else of the same cause from being reminded."""
    ack = Answer(kind="ack", who="tenant@a.example", at=TOLD + 1)
    items = [item(state="acknowledged", answer=ack), item(18, domain="b.example")]

    assert [18] == reminded(items, [told(**ROW), told(18, **ROW)])


def test_what_is_told_after_the_answer_is_answered_for():
    """Whoever has the cause is not asked again about each domain that a later mail names."""
    ack = Answer(kind="ack", who="ana@a.example", at=TOLD + 1)
    items = [item(state="acknowledged", answer=ack), item(18, domain="b.example")]
    later = told(18, opened_at=TOLD + 2, first_at=TOLD + 2)

    assert [] == reminded(items, [told(**ROW), later])


def test_the_assignee_alone_is_reminded():
    """Whatever the capitals of the address."""
    mine = Answer(kind="assign", who="a@example.org", at=TOLD, assignee=ME.upper())

    assert [17] == reminded([item(assigned=mine, role="assigned")], [told(**ROW)])


def test_one_reminder_a_slot():
    """Whatever else becomes due meanwhile."""
    rows = [told(**ROW)]

    assert [] == reminded([item()], rows, past=Past(last_reminder=SLOT + DAY))
    assert [17] == reminded([item()], rows, past=Past(last_reminder=SLOT + DAY - 1))


def test_no_reminder_within_a_day_of_a_digest():
    """The digest has said it all."""
    now = SLOT + DAY + 60
    rows = [told(**ROW)]

    assert [] == reminded([item()], rows, past=Past(last_digest=now - DAY + 1))
    assert [17] == reminded([item()], rows, past=Past(last_digest=now - DAY))


def test_without_a_slot_nobody_is_reminded():
    """A plan for another program's clock sends what is new, and no reminders."""
    assert [] == plan(ME, [item()], [told(**ROW)], Settings(now=TOLD + 9 * DAY))


def test_what_another_mail_tells_now_is_not_reminded_of():
    """Worse news and a reminder of the same failure do not come in one minute."""
    worse = item(state="ongoing", steps=("share-50",))

    assert ["worsened"] == [group.kind for group in mails([worse], [told(**ROW)])]


def test_a_full_hour_has_no_room_for_a_reminder():
    """It comes in the next hour."""
    rows = [told(**ROW)]

    assert [] == reminded([item()], rows, past=Past(mails=20))
    assert [] == reminded([item()], rows, past=Past(mails=20, flooded=True))
    assert [17] == reminded([item()], rows, past=Past(mails=19))


def test_an_ack_that_ran_out_reminds_at_the_next_slot():
    """After its own time, or thirty days; and once."""
    month = Answer(kind="ack", who=ME, at=TOLD)
    week = Answer(kind="ack", who=ME, at=TOLD, until=TOLD + 8 * DAY)
    row = told(reminded_at=TOLD + 7 * DAY, **ROW)

    assert [17] == reminded([item(answer=week)], [row], 9)
    assert [] == reminded([item(answer=week)], [row], 8)
    assert [17] == reminded([item(answer=month)], [told(reminded_at=TOLD + 21 * DAY, **ROW)], 31)
    again = told(reminded_at=SLOT + 9 * DAY, **ROW)
    assert [] == reminded([item(answer=week)], [again], 10)


def test_other_answers_do_not_run_out():
    """A fix that was refuted is told as such; an ack that was lifted by worse news likewise."""
    lifted = Answer(kind="ack", who=ME, at=TOLD + HOUR, until=TOLD + 30 * DAY)
    fixed = Answer(kind="fixed", who=ME, at=TOLD + HOUR)

    for answer in (lifted, fixed):
        assert [] == reminded([item(answer=answer)], [told(reminded_at=TOLD + 7 * DAY, **ROW)], 9)
