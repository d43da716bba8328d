"""Answers to alerts: what they do, who may give them, and that nothing goes round."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mails
from tests.flows.office import ADDRESS, ANA, KIM, NOW, OTHER, TOKEN, Office, reply, text_of
from tlsrpt_mailer.flows.replies import DONE_A_DAY, REFUSALS_A_DAY, VALID, with_token
from tlsrpt_mailer.report.times import DAY, HOUR


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Two domains of two owners fail at one MX; Ana was told of hers."""
    made = Office(tmp_path)
    made.report("example.com")
    made.report("shop.example")
    made.tell(made.number("example.com"))
    yield made
    made.store.close()


def test_a_reply_acknowledges_what_the_mail_named(office: Office):
    """The failure is quiet, the audit says who and how, and Ana gets one mail that says so."""
    receipt = office.answer("ack: renewing now")

    assert ("ignored", "an answer to an alert: done") == (receipt.outcome, receipt.reason)
    assert "acknowledged" == office.state("example.com")
    assert "new" == office.state("shop.example")
    assert [(1, "ack", ANA, NOW + 30 * DAY, "renewing now", None)] == office.acts()
    assert [
        ("ack", ANA, f"mail (token; From {ANA}, DKIM not checked)", "renewing now")
    ] == office.rows("SELECT action, who, way, note FROM audit")
    (sent,) = office.sent()
    assert (ANA, "answer") == (sent["X-Recipient"], sent["X-Event"])
    assert "auto-replied" == sent["Auto-Submitted"]
    assert f"TLS reports <tlsrpt+ack-{TOKEN}@example.com>" == sent["Reply-To"]
    assert "Noted: ana@example.com acknowledged 1 (example.com)" in text_of(sent)


@pytest.mark.parametrize("sender", ["ANA@Example.COM", "Ana Admin <ana@example.com>"])
def test_the_recipient_is_known_by_the_address_alone(office: Office, sender: str):
    """Names and capitals do not matter."""
    office.answer("ack", sender=sender)

    assert "acknowledged" == office.state("example.com")


def test_the_same_mail_twice_acts_once(office: Office):
    """A mailbox read anew, or a relay that repeats itself, changes nothing and mails nothing."""
    first = office.answer("ack")
    office.sent()
    office.now += HOUR
    again = office.answer("ack")

    assert first == again
    assert 1 == len(office.acts())
    assert [] == office.sent()


def test_the_same_mail_by_two_ways_acts_once(office: Office):
    """By LMTP and from the mailbox it has other Received lines, but the same Message-ID."""
    one = reply("ack", "Received: by lmtp", message_id="<r@x>")
    other = reply("ack", "Received: by imap", message_id="<r@x>")

    receipts = office.take(one, other, one)

    assert {"an answer to an alert: done"} == {one.reason for one in receipts}
    assert 1 == len(office.acts())
    assert 1 == len(office.sent())


def test_a_token_can_be_used_again(office: Office):
    """First ack, later fixed, from the same mail."""
    office.answer("ack")
    office.answer("fixed")

    assert ["ack", "fixed"] == [act[1] for act in office.acts()]
    assert 2 == len(office.sent())


@pytest.mark.parametrize(
    "header",
    ["Auto-Submitted: auto-replied", "Return-Path: <>", "Precedence: bulk", "Precedence: list"],
)
def test_what_no_person_wrote_changes_nothing_and_is_not_answered(office: Office, header: str):
    """An out-of-office note that quotes "ack" is no ack, and gets no answer to answer."""
    (receipt,) = office.take(reply("ack", header))

    assert "an answer to an alert: passed-over" == receipt.reason
    assert [] == office.acts()
    assert [] == office.sent()
    assert ["passed-over"] == office.outcomes()


def test_a_null_sender_of_the_envelope_counts(office: Office):
    """By LMTP a bounce has no Return-Path yet."""
    office.take(reply("ack"), sender="<>")

    assert [] == office.acts()
    assert [] == office.sent()


def test_a_token_in_the_envelope_alone_counts(office: Office):
    """An alias has taken the address out of the headers."""
    raw = reply("ack").replace(b"+ack-", b"-")

    office.take(raw, sender=ANA, recipients=(f"tlsrpt+ack-{TOKEN}@example.com",))

    assert "acknowledged" == office.state("example.com")


def test_a_stranger_with_the_token_changes_nothing(office: Office):
    """A forwarded alert shows the token to others; whom it went to hears that they tried."""
    receipt = office.answer("ack", sender="Eve <eve@evil.example>")

    assert "an answer to an alert: refused" == receipt.reason
    assert [] == office.acts()
    (sent,) = office.sent()
    assert ANA == sent["X-Recipient"]
    assert "eve@evil.example answered a mail that went to you" in text_of(sent)


def test_a_mail_from_nobody_changes_nothing(office: Office):
    """Two addresses in From are nobody's."""
    office.answer("ack", sender=f"{ANA}, {KIM}")

    assert [] == office.acts()
    assert [ANA] == [one["X-Recipient"] for one in office.sent()]


def test_who_answer_from_names_may_answer(office: Office):
    """A team's mail goes to a list, its members answer from their own addresses."""
    office.tell(office.number("shop.example"), token=OTHER, recipient=KIM)

    office.answer("ack", sender="boss@example.com")
    office.answer("fixed", sender="Lee@desk.shop.example", token=OTHER)

    assert ["boss@example.com", "Lee@desk.shop.example"] == [act[2] for act in office.acts()]
    assert ["boss@example.com", "Lee@desk.shop.example"] == [
        one["X-Recipient"] for one in office.sent()
    ]


def test_answer_from_holds_for_its_own_owner_only(office: Office):
    """Who may answer for the shop may not answer for the others."""
    office.answer("ack", sender="lee@desk.shop.example")

    assert [] == office.acts()


def test_an_unknown_token_is_nothing_at_all(office: Office):
    """No answer to guesses: the mail is an ordinary one."""
    receipt = office.answer("ack", token=OTHER)

    assert "an answer to an alert, not a TLS report" == receipt.reason
    assert ([], [], []) == (office.acts(), office.sent(), office.outcomes())


def test_what_is_not_understood_is_said_so(office: Office):
    """The first line is quoted, with what might be written."""
    receipt = office.answer("akc, on it")

    assert "an answer to an alert: not-understood" == receipt.reason
    (sent,) = office.sent()
    assert "Not understood, nothing was changed." in text_of(sent)
    assert '"akc, on it"' in text_of(sent)
    assert [] == office.acts()


def test_noes_are_said_three_times_a_day(office: Office):
    """A robot that says not that it is one cannot make a loop."""
    for number in range(REFUSALS_A_DAY + 2):
        office.answer(f"hello {number}")
    said = len(office.sent())
    office.answer("ack")
    understood = len(office.sent())
    office.now += DAY
    office.answer("hello again")

    assert REFUSALS_A_DAY == said
    assert 1 == understood
    assert 1 == len(office.sent())


def test_a_robot_that_acks_for_ever_gets_no_answer_for_ever(office: Office):
    """What it asks for is done; after thirty times a day nobody tells it so."""
    for number in range(DONE_A_DAY + 2):
        office.answer(f"ack, try {number}")

    assert DONE_A_DAY == len(office.sent())
    assert DONE_A_DAY + 2 == len(office.acts())


def test_a_token_is_good_until_two_weeks_after_the_end(office: Office):
    """Then the mail is history; the answer says so, and nothing is changed."""
    office.end("example.com")
    office.now += VALID - 2 * DAY
    office.answer("fixed: the old one")
    in_time = office.sent()
    office.now += 3 * DAY
    late = office.answer("fixed again")

    assert "is over already" in text_of(in_time[0])
    assert "an answer to an alert: expired" == late.reason
    (sent,) = office.sent()
    assert "Too late, nothing was changed." in text_of(sent)
    assert [] == office.acts()


def test_numbers_reach_what_the_recipient_owns(office: Office):
    """Ana owns example.com by default; of the shop she hears nothing, not even that it is."""
    office.report("other.example", mx="mx9.example.com")
    mine, shop = office.number("other.example"), office.number("shop.example")

    office.answer(f"ack {mine}, {shop}, 4711")

    assert [mine] == [act[0] for act in office.acts()]
    (sent,) = office.sent()
    assert f"Not done for {shop} and 4711: over, or not yours." in text_of(sent)
    assert "shop.example" not in text_of(sent)


def test_a_number_reaches_what_the_recipient_was_told_of(office: Office):
    """Whoever was told may answer, whatever the configuration says by now."""
    shop = office.number("shop.example")
    office.tell(shop, token=OTHER)

    office.answer(f"ack {shop}")

    assert {1, shop} == {act[0] for act in office.acts()}


def test_a_number_acts_on_its_cause_as_far_as_it_is_owned(office: Office):
    """Both of Ana's domains at the MX, not the shop's."""
    office.report("more.example")

    office.answer("ack 1")

    assert {1, office.number("more.example")} == {act[0] for act in office.acts()}
    assert "new" == office.state("shop.example")


def test_no_number_acts_on_the_mails_failures_alone(office: Office):
    """What joined the cause later was not in the mail."""
    office.report("more.example")

    office.answer("ack")

    assert [1] == [act[0] for act in office.acts()]


def test_numbers_of_others_alone_are_refused(office: Office):
    """Nothing is changed, and no name is given away."""
    office.answer("ack 2")

    assert ["refused"] == office.outcomes()
    (sent,) = office.sent()
    assert "You were told of no failure with the number 2." in text_of(sent)
    assert "shop" not in text_of(sent)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_ana_writes_the_shop_is_not_touched(office: Office, seed: int):
    """Any verbs, any numbers, any order: only her own failures are acted on, or named."""
    draw = random.Random(seed)
    office.report("more.example")
    mine = {1, office.number("more.example")}
    for _ in range(20):
        verb = draw.choice(["ack", "fixed", "mute 2d", f"assign {ANA}"])
        numbers = draw.sample([1, 2, 3, 4, 99], draw.randrange(4))
        office.answer(f"{verb} {' '.join(map(str, numbers))}\nack {draw.randrange(4)}")
        office.now += DAY

    assert {act[0] for act in office.acts()} <= mine
    assert not any("shop.example" in text_of(mail) for mail in office.sent())


def test_a_mute_holds_for_its_span(office: Office):
    """And the answer says until when."""
    office.answer("mute 7d")

    assert [(1, "mute", ANA, NOW + 7 * DAY, None, None)] == office.acts()
    assert "muted" == office.state("example.com")
    assert "Quiet until 21 Oct" in text_of(office.sent()[0])


def test_fixed_counts_from_when_the_mail_came(office: Office):
    """A mailbox that could not be read for three hours moves no moment of mending."""
    office.now += 3 * HOUR
    mail = office.mails([reply("fixed")])[0]
    sent_at = NOW

    office.ingest.deliver([type(mail)(mail.raw, mail.source, sent_at)])

    assert [(1, "fixed", ANA, sent_at, None, None)] == office.acts()
    assert "fixed?" == office.state("example.com")


def test_an_assignment_goes_to_a_colleague_only(office: Office):
    """To an address at a domain that the configuration knows; a stranger gets no mail by it."""
    office.answer("assign KIM@shop.example")
    office.answer("assign eve@evil.example")

    assert [(1, "assign", ANA, None, None, KIM)] == office.acts()
    done, refused = office.sent()
    assert "assigned 1 (example.com) to kim@shop.example" in text_of(done)
    assert "Not understood, nothing was changed." in text_of(refused)
    assert "evil.example is at a domain that no configured address has" in text_of(refused)


def test_several_commands_are_done_and_answered_together(office: Office):
    """One mail in, one mail out; what was done stands first."""
    office.answer("ack 99\nmute 1 2d")

    assert ["mute"] == [act[1] for act in office.acts()]
    (sent,) = office.sent()
    text = text_of(sent)
    assert text.index("muted 1 (example.com)") < text.index("number 99")
    assert ["done"] == office.outcomes()


def test_a_mail_that_names_no_failure_asks_for_a_number(office: Office):
    """A digest on a quiet week can be answered too, but not with a bare ack."""
    office.tell(token=OTHER)

    office.answer("ack", token=OTHER)
    office.answer("ack 1", token=OTHER)

    assert [1] == [act[0] for act in office.acts()]
    asked, done = office.sent()
    assert "say which one, such as ack 17" in text_of(asked)
    assert "Noted" in text_of(done)


def test_what_a_reminder_names_without_news_is_answered_too(office: Office):
    """A reminder and a digest tell nothing new, and yet a bare ack means all they name."""
    office.tell(token=OTHER, more=(1,))

    office.answer("ack", token=OTHER)

    assert [1] == [act[0] for act in office.acts()]


def test_a_report_in_a_reply_is_a_report(office: Office):
    """It is stored, and what stands around it is not read as a command."""
    raw = mails.mail(
        mails.report("example.com", "2026-10-12"),
        sender=ANA,
        to=f"tlsrpt+ack-{TOKEN}@example.com",
    )

    (receipt,) = office.take(raw)

    assert "stored" == receipt.outcome
    assert ([], []) == (office.acts(), office.sent())


def test_an_answer_is_kept_where_it_cannot_be_left(office: Office):
    """LMTP acknowledges it, so its bytes are kept; nobody else gets the token by forwarding."""
    office.take(
        reply("ack"), keep_ignored=True, forward_ignored_to="archive@example.com", sender=ANA
    )
    office.take(reply("ack", token=OTHER), keep_ignored=True, forward_ignored_to="a@example.com")

    assert [("ignored",)] == office.rows("SELECT kind FROM kept")
    assert {"a@example.com", ANA} == {one["X-Recipient"] for one in office.sent()}


def test_mail_for_the_postmaster_is_handed_on_all_the_same(office: Office):
    """Who asks for all mail to postmaster gets answers that were sent there too."""
    office.take(reply("ack"), forward_to="hostmaster@example.com", keep_ignored=True)

    assert {"hostmaster@example.com", ANA} == {one["X-Recipient"] for one in office.sent()}


def test_a_locked_database_loses_no_answer(office: Office):
    """Nothing is acknowledged or half done; the next try does all of it."""
    with sqlite3.connect(office.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        failed = office.answer("ack")
        other.execute("ROLLBACK")
    before = (office.acts(), office.outcomes())
    done = office.answer("ack")

    assert "failed" == failed.outcome
    assert ([], []) == before
    assert "an answer to an alert: done" == done.reason
    assert (1, 1) == (len(office.acts()), len(office.sent()))


def test_without_an_address_for_answers_none_is_printed(tmp_path: Path):
    """The configuration changed since; what was printed before still works."""
    office = Office(tmp_path, reply_to=None)
    office.report("example.com")
    office.tell(1)

    office.answer("ack")

    (sent,) = office.sent()
    assert sent["Reply-To"] is None
    assert "acknowledged" == office.state("example.com")
    office.store.close()


def test_the_address_of_answers_carries_the_token():
    """As mail servers with a recipient delimiter take it."""
    assert f"tlsrpt+ack-{TOKEN}@example.com" == with_token(ADDRESS, TOKEN)
    assert with_token(None, TOKEN) is None


@pytest.mark.parametrize("text", ["mute 365d", "ack 1"])
def test_whoever_has_handed_a_domain_over_answers_for_it_no_more(office: Office, text: str):
    """A mail of then, and its token, give no right to what is somebody else's now."""
    office.tell(office.number("example.com"), token=OTHER, recipient=KIM)

    office.answer(text, token=OTHER, sender=KIM)

    assert [] == office.acts()
    assert "new" == office.state("example.com")


def test_whoever_has_it_by_assignment_may_answer(office: Office):
    """An assignee need own nothing else."""
    office.answer(f"assign {KIM}")
    office.now += HOUR
    office.tell(office.number("example.com"), token=OTHER, recipient=KIM)

    office.answer("ack", token=OTHER, sender=KIM)

    assert "acknowledged" == office.state("example.com")


def test_one_header_that_says_no_does_not_hide_another(office: Office):
    """Two Auto-Submitted: what any of them says of a robot holds."""
    (receipt,) = office.take(reply("ack", "Auto-Submitted: no\nAuto-Submitted: auto-replied"))

    assert "an answer to an alert: passed-over" == receipt.reason
