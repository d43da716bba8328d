"""What is told while a failure goes on: worse, not mended, planned, and quiet."""

import pytest

from tests.alerts.examples import ME, NOW, at, item, over, told
from tlsrpt_mailer.alerts.model import Past, Settings
from tlsrpt_mailer.alerts.plan import plan, told_after
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE

KNOWN = {"opened_at": NOW, "first_at": NOW, "steps": ("share-1",)}
WORSE = {"steps": ("share-1", "share-50"), "state": "ongoing"}


def mails(items, rows=(), now=NOW + DAY, past=None, **more):
    return plan(ME, items, rows, Settings(now=now, **more), past)


def due(items, rows=(), now=NOW + DAY, past=None, **more):
    """(kind, [(failure, event)]) of each mail that is due."""
    return [
        (group.kind, [(row.item.failure, row.event) for row in group.transitions])
        for group in mails(items, rows, now, past, **more)
    ]


def rows_of(group, now, before=()):
    rows = {row.failure: row for row in before}
    return list((rows | {row.failure: row for row in told_after(group, now, "<x@y>")}).values())


# ---------------------------------------------------------------------- worsened


def test_a_step_that_was_not_told_is_told():
    """More than half of the sessions fail now: once, and the mail knows what was told before."""
    (mail,) = mails([item(**WORSE)], [told(**KNOWN)])
    after = rows_of(mail, NOW + DAY)

    assert ("worsened", "worsened") == (mail.kind, mail.transitions[0].event)
    assert ("share-1",) == mail.transitions[0].before.steps
    assert [] == due([item(**WORSE)], after, now=NOW + 9 * DAY)


def test_steps_that_are_true_when_it_is_new_count_as_told():
    """The first mail says how bad it is; the same is no news later."""
    (mail,) = mails([item(steps=("enforce", "share-50"))])

    assert [] == due([item(steps=("enforce", "share-50"))], rows_of(mail, NOW), now=NOW + DAY)


def test_getting_better_and_worse_again_is_no_step():
    """What the recipient knows of the incident is never told again."""
    row = told(opened_at=NOW, steps=("share-1", "share-50"))

    assert [] == due([item(steps=("share-1",))], [row])


@pytest.mark.parametrize("state", ["acknowledged", "fixed?", "stale", "muted"])
def test_what_somebody_has_does_not_worsen_aloud(state):
    """The judge lifts an ack when it is time; until then the answer holds."""
    assert [] == due([item(**WORSE | {"state": state})], [told(**KNOWN)])


def test_rows_of_an_older_version_know_no_steps():
    """An upgrade does not mail that everything has become worse."""
    assert [] == due([item(**WORSE)], [told()])


def test_what_is_worth_no_mail_does_not_worsen_aloud():
    """A notice stays in the digest, however many steps it takes."""
    assert [] == due([item(**WORSE | {"severity": "notice"})], [told(**KNOWN)])


def test_worse_news_of_one_cause_come_at_most_every_group_interval():
    """Twenty reports of one day do not make twenty mails."""
    row = told(at=NOW, **KNOWN)

    assert [] == due([item(**WORSE)], [row], now=NOW + 12 * HOUR - 1, close_groups=True)
    assert [("worsened", [(17, "worsened")])] == due([item(**WORSE)], [row], now=NOW + 12 * HOUR)
    past = Past(last_mail={17: NOW + 6 * HOUR})
    assert [] == due([item(**WORSE)], [row], now=NOW + 12 * HOUR, past=past)


def test_what_became_worse_leads_the_mail_that_a_newcomer_joins():
    """One cause stays one mail, and it begins with why it was sent."""
    items = [
        item(**WORSE),
        item(18, domain="b.example", failed=99999),
        item(19, domain="c.example"),
    ]
    (mail,) = mails(items, [told(**KNOWN), told(19, **KNOWN)])

    assert "worsened" == mail.kind
    assert [(17, "worsened"), (18, "new")] == [
        (row.item.failure, row.event) for row in mail.transitions
    ]
    assert [19] == [one.failure for one in mail.other_items]


def test_good_news_wait_until_what_became_worse_is_told():
    """Or the mail would say that it is over while the rest of the cause burns."""
    items = [over(), item(18, domain="b.example", **WORSE)]
    rows = [told(**KNOWN), told(18, at=NOW, **KNOWN)]
    now = at("2026-10-18T12:00")
    (worse,) = mails(items, rows, now)
    (end,) = mails(items, rows_of(worse, now, rows), now)

    assert ("worsened", "resolved") == (worse.kind, end.kind)
    assert [18] == [one.failure for one in end.other_items]


def test_what_opened_a_failure_last_is_remembered():
    """Reminders count from the worse news, escalation from the first."""
    (mail,) = mails([item(**WORSE)], [told(reminded_at=NOW + 1, **KNOWN)])
    (row,) = told_after(mail, NOW + DAY, "<x@y>")

    assert (NOW + DAY, NOW, NOW + 1) == (row.opened_at, row.first_at, row.reminded_at)
    assert ("share-1", "share-50") == row.steps


def test_a_relapse_begins_anew():
    """Steps, reminders and escalation of the incident before say nothing of this one."""
    before = told(event="resolved", resolved_at=at("2026-10-13"), reminded_at=NOW, **KNOWN)
    (mail,) = mails([item(incident=2, steps=("share-50",))], [before])
    (row,) = told_after(mail, NOW + DAY, "<x@y>")

    assert (NOW + DAY, NOW + DAY, None, ("share-50",)) == (
        row.opened_at,
        row.first_at,
        row.reminded_at,
        row.steps,
    )


def test_the_end_keeps_what_the_recipient_knew():
    """A row of an older version gets the time of its mail for what it did not note."""
    (mail,) = mails([over()], [told(steps=("share-1",))], now=at("2026-10-18"))
    (row,) = told_after(mail, at("2026-10-18"), "<x@y>")

    assert (("share-1",), None, NOW) == (row.steps, row.opened_at, row.first_at)


# --------------------------------------------------------------------- not fixed


def test_what_was_said_to_be_fixed_and_fails_again_is_told_at_once():
    """Whoever called it mended must not wait for the next reminder."""
    failing = item(state="ongoing", steps=("not-fixed-1791979200", "share-1", "share-50"))
    (mail,) = mails([failing], [told(**KNOWN)], now=NOW + HOUR)
    after = rows_of(mail, NOW + HOUR)

    assert ("not-fixed", "not-fixed") == (mail.kind, mail.transitions[0].event)
    assert [] == due([failing], after, now=NOW + 5 * DAY)


def test_a_second_fix_that_fails_is_told_again():
    """Each time that somebody says fixed and reports say no is news."""
    row = told(opened_at=NOW, steps=("not-fixed-1",))

    assert [("not-fixed", [(17, "not-fixed")])] == due(
        [item(state="ongoing", steps=("not-fixed-1", "not-fixed-2"))], [row]
    )


# ------------------------------------------------------------------------- muted


def test_muted_is_nothing_at_all_until_it_is_over():
    """Not even that it is over; afterwards everything that is still owed."""
    until = at("2026-10-20")
    ended = over(muted_until=until)
    worse = item(18, cause=18, muted_until=until, **WORSE)

    assert [] == due([ended, worse], [told(), told(18, **KNOWN)], now=until - 1)
    assert {"resolved", "worsened"} == {
        kind for kind, _ in due([ended, worse], [told(), told(18, **KNOWN)], now=until)
    }


def test_a_muted_domain_is_not_named_as_left_over():
    """A cause whose rest is muted ends for the reader."""
    items = [over(), item(18, domain="b.example", state="muted", muted_until=NOW + 99 * DAY)]
    (mail,) = mails(items, [told(), told(18)], now=at("2026-10-18"))

    assert ("resolved", ()) == (mail.kind, mail.others)


# ------------------------------------------------------------------- maintenance


def planned(failure, **more):
    return item(
        failure, **{"cause": failure, "maintenance": 3, "mx": f"mx{failure}.example"} | more
    )


def test_what_fails_in_a_maintenance_is_not_mailed():
    """Neither as new nor as a relapse, and old ones make no summary."""
    back = told(event="resolved", resolved_at=at("2026-10-13"))
    many = [planned(n, is_quiet=True, last_seen=NOW - 30 * DAY) for n in range(20, 27)]

    assert [] == due([planned(17, is_quiet=True, **WORSE), *many], [back])


def test_who_was_told_hears_the_end_though_it_was_planned():
    """A maintenance that was entered afterwards does not swallow the good news."""
    assert [("resolved", [(17, "resolved")])] == due(
        [over(is_quiet=True, maintenance=3)], [told()], now=at("2026-10-18")
    )


def test_what_still_fails_afterwards_is_one_mail():
    """Over all causes, one mail a maintenance, when its company has had time to come."""
    items = [planned(17), planned(18, severity="warning"), planned(19, maintenance=4)]
    first = item().first_received
    late = [planned(17, last_received=first + HOUR)]

    assert [
        ("maintenance", [(17, "new"), (18, "new")]),
        ("maintenance", [(19, "new")]),
    ] == due(items, now=first + 5 * MINUTE)
    assert [] == due(late, now=first + HOUR)
    assert 1 == len(due(late, now=first + HOUR, close_groups=True))


def test_what_comes_in_late_about_a_maintenance_follows_together():
    """Reports of the other senders come a day later: one more mail, at most every 12 hours."""
    (mail,) = mails([planned(17)])
    rows = rows_of(mail, NOW + DAY)

    assert ("maintenance-3",) == rows[0].steps
    assert [] == due([planned(17), planned(18)], rows, now=NOW + 36 * HOUR - 1)
    assert [("maintenance", [(18, "new")])] == due(
        [planned(17), planned(18)], rows, now=NOW + 36 * HOUR
    )


def test_what_was_told_before_the_maintenance_is_not_told_again_after_it():
    """The mail says what has changed."""
    assert [] == due([planned(17)], [told(**KNOWN)])


# ------------------------------------------------------------- called and let go


def test_whoever_is_called_for_help_hears_of_it_however_old_it_is():
    """An escalation or an assignment is of no use if it is silent by age."""
    old = {"last_seen": NOW - 30 * DAY}

    for role in ("escalation", "assigned"):
        assert [("new", [(17, "new")])] == due([item(role=role, **old)])
    assert [("new", [(17, "new")])] == due([item(role="assigned", severity="notice")])


def test_who_is_not_responsible_any_more_hears_the_end_alone():
    """Nothing worse, no list of what else is open."""
    gone = {"role": "told"}

    assert [] == due([item(**WORSE | gone)], [told(**KNOWN)])
    (mail,) = mails([over(**gone)], [told()], now=at("2026-10-18"))
    assert "resolved" == mail.kind
    (mail,) = mails([item(), item(18, cause=18, **gone)], [told(18)])
    assert () == mail.elsewhere


# ---------------------------------------------------------------------- channels


def test_a_channel_gets_everything_without_cap_and_summary():
    """A machine reads it: one notice a cause, however many."""
    fresh = [item(n, cause=n, role="channel") for n in range(1, 4)]
    aged = [item(n, cause=n, role="channel", last_seen=NOW - 30 * DAY) for n in range(10, 18)]

    assert [("new", [(n, "new")]) for n in (1, 2, 3)] == due([*fresh, *aged], max_per_hour=1)


def test_a_channel_may_ask_for_notices():
    """min_severity = "notice" is only for channels."""
    assert [("new", [(17, "new")])] == due(
        [item(role="channel", severity="notice")], min_severity="notice"
    )
    assert [] == due([item(role="channel", severity="low")], min_severity="notice")


def test_the_key_of_a_cause_is_the_same_for_ever():
    """Whatever number the store gives the cause, and whichever domain of it is told."""
    (one,) = mails([item(cause=17, cause_mx="mx1.example.com", role="channel")])
    (two,) = mails([item(cause=99, cause_mx="mx1.example.com", domain="b.example", role="channel")])
    (mine,) = mails([item(mx=None, domain="a.example", role="channel")])
    (yours,) = mails([item(mx=None, domain="b.example", role="channel")])

    assert one.key == two.key
    assert 3 == len({one.key, mine.key, yours.key})
