"""The mails about many causes: reminders, what a maintenance left, old mailboxes, floods."""

import msgspec
import pytest

from tests.alerts.every_kind import (
    dane,
    fetch,
    flood,
    maintenance,
    now,
    reminder,
    reminder_of_one,
    rows,
    summary,
)
from tests.alerts.examples import at, context, group, item, over, told
from tlsrpt_mailer.alerts.model import Transition
from tlsrpt_mailer.alerts.render import render


def head(rendered):
    return " ".join(rendered.text.split("\n\n")[0].split())


def flat(rendered):
    return " ".join(rendered.text.split())


# --------------------------------------------------------------------- reminders


def test_a_reminder_lists_what_is_open_with_its_mend():
    """Each with since when, who sees it, how much, and in a line what to do."""
    rendered = render(*reminder())
    text = flat(rendered)

    assert "2 TLS failures still open, oldest 5 days [tlsrpt]" == rendered.subject
    assert (
        "Senders refuse mail because of 1 of 2 failures. They have been open for up to 5 days,"
        " and nobody has answered for them." == head(rendered)
    )
    assert (
        "77 CRITICAL TLSA matches no certificate at mx2.dane.example"
        " dane.example; since 16 Oct, last seen 17 Oct 62 % of sessions, seen by Microsoft"
        " mend: publish the TLSA record of the key in use; see the mail of 17 Oct" in text
    )
    assert "100 % of sessions, seen by Microsoft; no mail held up" in text
    assert '"ack 77, 21"' in text


def test_a_reminder_of_one_failure_goes_by_its_name():
    """The subject can be read on a phone: which domain, what, for how long."""
    rendered = render(*reminder_of_one())

    assert (
        "STILL OPEN dane.example: TLSA matches no certificate at mx2.dane.example, for 4 days"
        " [tlsrpt 77]" == rendered.subject
    )
    assert head(rendered).startswith("DANE senders refuse to deliver mail for dane.example")
    assert head(rendered).endswith(
        'It has been open for 4 days, and the "ack" of ana@example.com ran out on 19 Oct.'
    )


def test_a_reminder_of_one_that_nobody_answered_says_so():
    """Also in the subject that threads."""
    made = group(fetch(), kind="reminder", transitions=rows(fetch(), at=at("2026-10-17T03:15")))
    rendered = render(made, now("2026-10-24T08:00", subject="thread"))

    assert "shop.example: MTA-STS policy cannot be fetched [tlsrpt 21]" == rendered.subject
    assert head(rendered).endswith("for 9 days, and nobody has answered for it.")


def test_an_ack_that_ran_out_is_named_among_many():
    """Nobody goes on believing that Ana has it."""
    one = reminder_of_one()[0].transitions[0]
    made, where = reminder()
    made = msgspec.structs.replace(made, transitions=(one, made.transitions[1]))

    assert head(render(made, where)).endswith('The "ack" of 77 has run out.')


def days_to_next(one, opened, now_):
    made = group(one, kind="reminder", transitions=rows(one, opened_at=at(opened)))
    text = flat(render(made, now(now_)))
    return text.partition("The next reminder comes in ")[2].partition(",")[0]


@pytest.mark.parametrize(
    ("one", "opened", "now_", "said"),
    [
        (dane(), "2026-10-01T12:00", "2026-10-02T08:00", "2 days"),
        (dane(), "2026-10-01T12:00", "2026-10-04T08:00", "4 days"),
        (dane(), "2026-10-01T12:00", "2026-10-08T08:00", "14 days"),
        (dane(), "2026-10-01T12:00", "2026-10-22T08:00", "14 days"),
        (fetch(), "2026-10-01T12:00", "2026-10-08T08:00", "7 days"),
        (fetch(), "2026-10-01T12:00", "2026-10-15T08:00", "14 days"),
    ],
)
def test_when_the_next_reminder_comes(one, opened, now_, said):
    """After 1, 3, 7 days and every 14 for what is critical; 7, 14 and every 14 for a warning."""
    assert said == days_to_next(one, opened, now_)


def test_a_reminder_with_little_at_hand():
    """Told rows of before and pruned reports leave a shorter list, not a wrong one."""
    bare = dane(evidence=(), sessions=0, failed=0)
    old = fetch(evidence=())
    made = group(bare, old, kind="reminder", transitions=(Transition(bare, "new", 1), *rows(old)))

    text = flat(render(made, context(now=at("2026-10-20T08:00"))))

    assert "last seen 17 Oct mend: publish the TLSA record of the key in use 21 WARNING" in text
    assert "100 % of sessions; no mail held up" in text


def test_a_cause_is_reminded_of_once_whatever_was_told_of_it():
    """One was told as new, the other as worse: it is still one cause and one number."""
    a, b = dane(), dane(failure=78, domain="b.example")
    made = group(
        a,
        b,
        kind="reminder",
        transitions=(*rows(a, event="worsened"), *rows(b, event="new")),
    )

    rendered = render(made, now("2026-10-20T08:00"))

    assert 1 == rendered.text.count("mend: ")
    assert "STILL OPEN 2 domains: TLSA matches no certificate" in rendered.subject


# ------------------------------------------------------------------- maintenance


def test_a_maintenance_ends_in_one_mail_with_what_remains():
    """Which maintenance, when it was, what fails after it, and since when each does."""
    rendered = render(*maintenance())

    assert (
        "CRITICAL 2 failures remain after maintenance 3 of mx1.example.com [tlsrpt]"
        == rendered.subject
    )
    assert (
        "Senders refuse mail because of 1 of 2 failures. 2 failures of 2 causes on 2 domains"
        " remain after maintenance 3 of mx1.example.com (13 Oct 20:00Z to 14 Oct 02:00Z)."
        in head(rendered)
    )
    assert 'It was planned for: "new certificates"' in head(rendered)
    assert 2 == flat(rendered).count("It began between 12 Oct 24:00Z and 13 Oct 24:00Z.")
    assert "What failed only while the maintenance lasted was planned" in flat(rendered)


def test_one_failure_that_remains_is_told_as_one():
    """The grammar of one, and the first line says whether mail is held up."""
    back = Transition(item(maintenance=3), "regressed", 2, told())
    made = group(item(maintenance=3), kind="maintenance", transitions=(back,))

    rendered = render(made, now("2026-10-15T11:43"))

    assert "CRITICAL 1 failure remains after maintenance 3 [tlsrpt]" == rendered.subject
    assert (
        "Senders refuse to deliver mail for example.com to mx1.example.com."
        " 1 failure on 1 domain remains after maintenance 3." in head(rendered)
    )
    assert "It had failed before, and was over." in rendered.text
    assert "back: certificate expired" in rendered.text


def test_a_maintenance_of_a_group_is_named_as_such():
    """Retail is a group of ours, no host."""
    made, where = maintenance()
    (planned,) = where.planned
    planned = msgspec.structs.replace(planned, kind="group", value="retail", note=None)

    rendered = render(made, msgspec.structs.replace(where, planned=(planned,)))

    assert "remain after maintenance 3 of group retail" in rendered.subject
    assert "It was planned for" not in rendered.text


def test_a_maintenance_without_a_number_is_still_one():
    """Nothing breaks when the row is gone."""
    made = group(item(), fetch(), kind="maintenance")

    assert "CRITICAL 2 failures remain after maintenance [tlsrpt]" == (
        render(made, context()).subject
    )


# --------------------------------------------------------------- summary, flood


def test_a_summary_says_what_was_read():
    """How many reports of when, and that what is over is not told."""
    text = flat(render(*summary()))

    assert (
        "READ 1,214 reports of 6 reporters on 3 domains, 9 Aug 2025 - 13 Oct."
        " 10 failures began and ended in that time. They are not told one by one." in text
    )
    assert "ack 17 30 31 32 33 21 --note" in text


def test_a_summary_that_did_not_count_what_is_over_does_not_say_none():
    """Whose failures they were may not be the reader's to know."""
    made, where = summary()
    read = msgspec.structs.replace(where.backlog, ended=0)

    text = flat(render(made, msgspec.structs.replace(where, backlog=read)))

    assert "What began and ended in that time is not told one by one." in text
    assert "0 failures" not in text


def test_a_summary_of_one_counts_one():
    """One is, two are."""
    rendered = render(group(item(), kind="summary"), context())

    assert "1 failure on 1 domain is open." in rendered.text
    assert "READ" not in rendered.text


def test_a_flood_says_when_the_next_alert_may_come():
    """The limit is of the clock hour, and the commands name only what is open."""
    text = flat(render(*flood()))

    assert "20 alerts went to you since 11:00Z: that is the limit. This is the rest." in text
    assert "14 failures of 3 causes on 14 domains; 1 of them over." in text
    assert "The next alert can come after 12:00Z." in text
    assert "failures ack 41 50 --note" in text


def test_a_flood_of_good_news_asks_for_nothing():
    """What is over needs no ack."""
    items = [over(n, cause=n, domain=f"d{n}.example") for n in range(3)]
    made = group(*items, kind="flood", transitions=rows(*items, event="resolved"))

    text = flat(render(made, now("2026-10-18T21:03")))

    assert "ANSWER" not in text
    assert "None of 3 failures is known to hold up mail." in text


def test_many_causes_are_named_in_the_command_ten_at_most():
    """The command stays one line; the rest have numbers in the list."""
    items = [item(n, cause=n, domain=f"d{n}.example") for n in range(1, 20)]

    text = render(group(*items, kind="summary"), now("2026-10-14T11:43")).text

    assert "    tlsrpt-mailer failures ack 1 2 3 4 5 6 7 8 9 10 --note" in text


def test_one_sender_that_holds_back_mail_is_not_called_harmless():
    """Where a sender insists on DANE, its mail waits: the first line must not deny it."""
    insists = item(2, cause=2, policy_type="tlsa", result_type="dane-required", mode=None)

    both = render(group(item(), insists, kind="summary"), context())
    alone = render(group(insists, fetch(), kind="summary"), context())

    assert head(both).startswith("Senders refuse or hold back mail because of 2 of 2 failures.")
    assert head(alone).startswith("Senders refuse or hold back mail because of 1 of 2 failures.")


def test_one_failure_that_is_over_or_unheard_of_is_not_told_as_going_on():
    """A flood of one resolved failure, and a summary of one that nobody reports any more."""
    over_one = group(over(), kind="flood", transitions=rows(over(), event="resolved"))
    stale = group(item(state="stale"), kind="summary")

    assert head(render(over_one, context())).startswith("It is over for example.com.")
    assert head(render(stale, context())).startswith(
        "When it was last reported: senders refuse to deliver mail for example.com"
    )
