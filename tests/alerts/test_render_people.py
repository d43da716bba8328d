"""The mails in which people appear: who answered, who is called, what got worse, what came back."""

import email
import email.policy
import re

import msgspec
import pytest

from tests.alerts.every_kind import (
    ACK,
    EVERY,
    FIXED,
    REPLY_TO,
    dane,
    joined,
    not_fixed,
    now,
    partly_resolved,
    regressed,
    rows,
    tenants,
    worsened,
    worsened_after_ack,
)
from tests.alerts.examples import ME, NOW, at, context, group, item, over, seen, told
from tlsrpt_mailer.alerts.model import Answer, Transition
from tlsrpt_mailer.alerts.render import render


def head(rendered):
    """The first paragraph, its lines joined again where they were wrapped."""
    return " ".join(rendered.text.split("\n\n")[0].split())


def flat(rendered):
    return " ".join(rendered.text.split())


def worse(one, known=(), **more):
    made = rows(one, event="worsened", steps=known)
    return render(group(one, kind="worsened", transitions=made), now("2026-10-18T21:03", **more))


# ------------------------------------------------------------------------ worse


def test_worse_says_which_share_was_passed_with_both_days():
    """Whoever slept on at 31 % reads at once that it is 62 % now, and of which days that is."""
    rendered = render(*worsened())

    assert (
        "WORSE dane.example: TLSA matches no certificate, now 62 % [tlsrpt 77]" == rendered.subject
    )
    assert head(rendered).startswith("It is worse: DANE senders refuse to deliver mail for dane")
    assert (
        "Why you hear of it again: the share passed 50 % (16 Oct: 31 %, 17 Oct: 62 %)."
        " Nobody has answered for it yet." in head(rendered)
    )


def test_the_first_bad_day_has_no_day_before():
    """Where no earlier report of that reporter is at hand, no figure is made up."""
    one = dane(evidence=(seen("Microsoft", "2026-10-17", 310, 500, "2026-10-18T21:02"),))

    assert "the share passed 50 % (17 Oct: 62 %)." in head(worse(one, ("share-1", "share-10")))


def test_a_share_without_its_report_is_named_alone():
    """Reports that were pruned leave the step, and the subject stays true."""
    rendered = worse(dane(evidence=()), ("share-1", "share-10"))

    assert "Why you hear of it again: the share passed 50 %." in head(rendered)
    assert "TLSA matches no certificate at mx2.dane.example [tlsrpt 77]" in rendered.subject


def test_a_window_too_small_to_be_a_step_is_not_quoted_for_it():
    """Two of three sessions are 67 %, but no reason for a mail; the day that was counts."""
    small = seen("Google", "2026-10-16", 2, 3, "2026-10-17T11:40")
    one = dane(evidence=(small, *dane().evidence))

    assert "(16 Oct: 31 %, 17 Oct: 62 %)" in head(worse(one, ("share-1", "share-10")))


def test_the_policy_that_went_to_enforce_is_the_first_reason():
    """Of several new steps the one is named that holds up mail."""
    rendered = worse(item(steps=("enforce", "share-50", "reporters")), ())

    assert "certificate expired, now under enforce" in rendered.subject
    assert 'Why you hear of it again: the policy went from "testing" to "enforce".' in head(
        rendered
    )
    assert "the share passed" not in rendered.text


def test_another_cause_is_named_beside_the_one_that_was_known():
    """The ack was for an MX that no policy names; TLS 1.0 on top of it is another job."""
    rendered = render(*worsened_after_ack())

    assert "TLS or policy check failed, also: no common TLS version [tlsrpt 81]" in rendered.subject
    assert (
        "another cause is reported for it (so far: MX not in the policy; new: no common TLS"
        " version)." in head(rendered)
    )
    assert 'Your "ack" (17 Oct 21:10Z) is lifted by this; answer again to renew it.' in head(
        rendered
    )
    assert "no reason is given" not in rendered.text


def test_the_first_cause_that_is_given_is_new_as_well():
    """Nothing was known before; the mail does not invent a "so far"."""
    rendered = worse(item(steps=("reason-unclassified",)))

    assert "another cause is reported for it (so far none was given; new: unclassified)" in head(
        rendered
    )
    assert "certificate expired on mx1.example.com [tlsrpt 17]" in rendered.subject


def test_a_second_reporter_is_named():
    """What one sender alone saw may be its own trouble; two see ours."""
    windows = (seen("Microsoft", failed=20), seen("Google"))

    assert "a second reporter sees it (Microsoft and Google)." in head(
        worse(item(mode="testing", severity="warning", steps=("reporters",), evidence=windows))
    )
    assert "a second reporter sees it." in head(worse(item(steps=("reporters",), evidence=())))


def test_a_step_that_nobody_has_words_for_still_makes_a_mail():
    """A database of a newer version may hold steps that this one does not know."""
    assert "Why you hear of it again: it has got worse since you were told." in head(
        worse(item(steps=("sunspots",)))
    )


def test_no_new_step_still_makes_a_mail():
    """The planner decides whether; the words do not fall over."""
    assert "it has got worse since you were told" in head(worse(item()))


def test_of_several_domains_the_one_that_got_worse_is_named():
    """A cause on twelve domains got worse at one of them: the reader hears at which."""
    items = tenants(3)
    items[1] = msgspec.structs.replace(items[1], steps=("enforce",))
    made = group(*items, kind="worsened", transitions=rows(*items, event="worsened"))

    assert (
        'Why you hear of it again: at bakery.example the policy went from "testing" to "enforce".'
        in head(render(made, now("2026-10-18T21:03")))
    )


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (
            {"answer": msgspec.structs.replace(ACK, until=at("2026-10-17"))},
            'The "ack" of ana@example.com (14 Oct 12:05Z) ran out on 17 Oct 00:00Z; answer again',
        ),
        (
            {"answer": FIXED},
            'The "fixed" of ana@example.com (14 Oct 12:31Z) is lifted by this; answer again',
        ),
        (
            {"answer": ACK, "state": "acknowledged"},
            'The "ack" of ana@example.com (14 Oct 12:05Z) still holds.',
        ),
        (
            {"assigned": Answer(kind="assign", who="a", at=NOW, assignee="kim@example.com")},
            "It is assigned to kim@example.com.",
        ),
        (
            {"assigned": Answer(kind="assign", who="a", at=NOW)},
            "Nobody has answered for it yet.",
        ),
    ],
)
def test_what_has_become_of_the_answer(more, line):
    """Nobody believes that an ack keeps it quiet when it does not any more."""
    assert line in head(worse(item(steps=("enforce",), **more)))


# --------------------------------------------------------------------- not fixed


def test_not_fixed_says_who_said_so_and_what_contradicts_it():
    """Who, when, and which report about a later day has it still."""
    rendered = render(*not_fixed())

    assert (
        "NOT FIXED example.com: certificate expired on mx1.example.com [tlsrpt 17]"
        == rendered.subject
    )
    assert (
        'ana@example.com said "fixed" on 14 Oct 12:31Z, but the report of Google about 15 Oct,'
        " which began after that, still has it." in head(rendered)
    )
    assert head(rendered).startswith("It is not mended: senders refuse to deliver")


def refuted(one, **more):
    made = rows(one, event="not-fixed", **more)
    return head(render(group(one, kind="not-fixed", transitions=made), now("2026-10-16T11:41")))


def test_not_fixed_knows_the_moment_even_when_the_answer_is_gone():
    """An ack came after the "fixed": the step still says when it was said."""
    one = item(steps=(f"not-fixed-{FIXED.at}",), answer=ACK, evidence=())

    assert 'Somebody said "fixed" on 14 Oct 12:31Z, but a report about a later time still' in (
        refuted(one)
    )


def test_not_fixed_without_anything_at_hand_stays_true():
    """No step, no answer, one bad day: nothing is claimed beyond that."""
    assert 'Somebody said "fixed", but the report of Google about 13 Oct' in refuted(item())


def test_not_fixed_of_several_domains_names_the_one():
    """The one that contradicts is named, not the worst."""
    items = [item(17), item(18, domain="example.net", steps=(f"not-fixed-{FIXED.at}",))]
    made = group(*items, kind="not-fixed", transitions=rows(*items, event="not-fixed"))

    assert 'example.net: Somebody said "fixed" on 14 Oct 12:31Z' in head(
        render(made, now("2026-10-16T11:41"))
    )


# ----------------------------------------------------------- joined, over, again


def test_joiners_of_a_cause_that_somebody_has():
    """Nine more domains are no reason to start again: it says who has it, and asks nobody."""
    rendered = render(*joined())

    assert 'It is acknowledged by ana@example.net ("renewing now"), and stays so.' in head(rendered)
    assert "No reminders: somebody has it." in flat(rendered)
    assert "It holds for all 21 of this cause." in rendered.text


def test_an_ack_without_a_note_is_named_all_the_same():
    """The name alone, no empty quotes."""
    answer = msgspec.structs.replace(ACK, note=None)
    known = item(17, domain="a.example", state="acknowledged", answer=answer)
    others = (Transition(known, "left", 2, told()),)

    rendered = render(group(item(18), kind="joined", others=others), context())

    assert "It is acknowledged by ana@example.com, and stays so." in head(rendered)


def test_last_time_tells_who_mended_it_how_fast_and_how():
    """The one who opens the mail in January learns what Ana did in October."""
    text = flat(render(*regressed()))

    assert (
        'LAST TIME ana@example.com mended it in 48 min: "mailserver not reloaded after renewal".'
        " It failed on 13-14 Oct 2026, 29 % of the sessions of those reports."
        " Over since 17 Oct 2026, and back after 87 days of quiet." in text
    )


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (ACK, 'ana@example.com had it: "renewing now".'),
        (msgspec.structs.replace(FIXED, note=None), "ana@example.com mended it in 48 min."),
        (
            msgspec.structs.replace(FIXED, until=at("2026-10-14T10:00")),
            'ana@example.com mended it: "mailserver',
        ),
    ],
)
def test_last_time_claims_no_more_than_was_said(answer, line):
    """An ack is no mend, and a mend before the mail took no time that is known."""
    made, where = regressed()
    (row,) = made.transitions
    past = msgspec.structs.replace(row.item.previous, answer=answer, sessions=0)
    one = msgspec.structs.replace(row.item, previous=past)
    row = msgspec.structs.replace(row, item=one)

    text = flat(render(msgspec.structs.replace(made, transitions=(row,)), where))

    assert line in text
    assert "It failed on 13-14 Oct 2026." in text


def test_the_end_says_how_long_it_took_people():
    """When it was told, how soon somebody had it, what they noted."""
    one = over(answer=ACK)
    made = group(one, kind="resolved", transitions=rows(one, event="resolved", opened_at=NOW))

    text = flat(render(made, now("2026-10-18T21:03")))

    assert 'told 14 Oct 11:43Z, 22 min to the "ack" of ana@example.com note "renewing now"' in text


def test_the_end_says_whether_the_reports_bear_out_a_fix():
    """Ana said fixed on the 14th; a day that began on the 15th failed: that was not it."""
    one = over(answer=FIXED, last_start=at("2026-10-15"))
    made = group(one, kind="resolved", transitions=rows(one, event="resolved"))

    assert "said fixed 14 Oct 12:31Z by ana@example.com; reports saw it after that" in flat(
        render(made, now("2026-10-18T21:03"))
    )


def test_the_end_of_many_says_who_did_what_and_does_not_preach_while_some_go_on():
    """Who had it; how to keep it mended comes with the real end."""
    text = flat(render(*partly_resolved()))

    assert 'WHO DID WHAT told 14 Oct 11:43Z, 22 min to the "ack" of ana@example.com' in text
    assert "SO THAT IT DOES NOT COME BACK" not in text


def test_a_type_that_nothing_keeps_mended_says_nothing():
    """No section without a sentence in it."""
    one = over(result_type="dane-required", policy_type="tlsa", mx=None)
    made = group(one, kind="resolved", transitions=rows(one, event="resolved"))

    assert "SO THAT IT DOES NOT COME BACK" not in render(made, now("2026-10-18T21:03")).text


# ------------------------------------------------------------------------ answers


def test_a_mail_that_can_be_answered_says_how():
    """The address with its token is in Reply-To, the words are in the text."""
    rendered = render(*EVERY["new"]())
    message = email.message_from_bytes(rendered.raw, policy=email.policy.default)

    assert f"TLS reports <{REPLY_TO}>" == message["Reply-To"]
    assert "ANSWER THIS MAIL, with one of these as the first line\n  ack " in rendered.text
    assert "\n  assign ADDRESS  That address has it" in rendered.text
    assert "SAY THAT YOU HAVE IT" not in rendered.text


def test_without_an_address_only_the_commands_are_said():
    """Nobody writes an answer into the void."""
    rendered = render(group(item()), context())

    assert b"Reply-To" not in rendered.raw
    assert "ANSWER THIS MAIL" not in rendered.text
    assert (
        "SAY THAT YOU HAVE IT, on the server\n\n"
        '    tlsrpt-mailer failures ack 17 --note "on it"\n'
        "    tlsrpt-mailer failures fixed 17\n"
        "    tlsrpt-mailer failures mute 17 --for 7d\n" in rendered.text
    )


def test_a_domain_that_is_no_name_does_not_enter_the_command():
    """``--only`` has a placeholder, or is left out where it would break the line."""
    bad = [item(1, domain="$(reboot)"), item(2, domain="b.example")]
    wide = [item(1, domain=f"{'a' * 50}.example"), item(2, domain="b.example")]

    assert "failures ack 1 --only DOMAIN\n" in render(group(*bad), now("2026-10-14T11:43")).text
    assert "--only" not in render(group(*wide), now("2026-10-14T11:43")).text


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (item(), "A reminder after a day, unless somebody answers."),
        (item(severity="warning"), "A reminder after 7 days, unless somebody answers."),
        (
            item(assigned=Answer(kind="assign", who="a", at=NOW, assignee="kim@example.com")),
            "Reminders go to kim@example.com, who has it.",
        ),
    ],
)
def test_when_the_reminder_comes(one, line):
    """Critical tomorrow, a warning next week, and only to who has it."""
    assert line in flat(render(group(one), context()))


def test_a_channel_is_promised_no_reminder():
    """Nobody reminds a webhook."""
    made, where = EVERY["channel"]()

    assert "eminder" not in render(made, where).text


# ------------------------------------------------------------------------ footer


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"role": "domain"}, "You get this as an owner of example.com."),
        (
            {"role": "domain", "role_of": "platform"},
            "You get this as an owner of example.com (platform).",
        ),
        ({"role": "domain", "role_of": ME}, "You get this as an owner of example.com."),
        ({"role": "mx"}, "You get this as an owner of the MX mx1.example.com."),
        (
            {"role": "mx", "mx": None, "cause_mx": "mx9.example.com"},
            "You get this as an owner of the MX mx9.example.com.",
        ),
        ({"role": "policy-host"}, "You get this as an owner of the policy host of example.com."),
        ({"role": "default"}, f"You get this because alerts.to names {ME}."),
        (
            {"role": "escalation", "role_of": "platform", "asked_at": NOW},
            "You get this because nobody of platform has answered since 14 Oct 11:43Z.",
        ),
        ({"role": "escalation"}, "You get this because nobody has answered."),
        (
            {"role": "assigned", "role_of": "ana@example.com"},
            "You get this because ana@example.com assigned it to you.",
        ),
        ({"role": "assigned"}, "You get this because somebody assigned it to you."),
        ({"role": "told"}, "You get this because you were told that it broke."),
    ],
)
def test_the_footer_says_why_this_person_gets_it(more, line):
    """Each of the reasons to be told has a sentence of its own."""
    assert line in flat(render(group(item(**more)), context()))


def test_several_reasons_are_all_said():
    """One owns the domain and runs the other's MX."""
    items = [item(1, role="domain"), item(2, domain="b.example", role="mx", role_of="platform")]

    text = flat(render(group(*items), context()))

    assert "You get this as an owner of example.com. You get this as an owner of the MX" in text
    assert "To get less: owners in [[domains]], owners in [[mx]] and alerts.min_severity" in text


def test_who_else_got_a_part_of_it():
    """Two of a cause's owners do not learn that the other got all of it."""
    items = [item(1, also_told=("kim@example.net",)), item(2, domain="b.example")]

    assert "Also told of it, or of a part of it: kim@example.net." in flat(
        render(group(*items), context())
    )
    assert "Also told: kim@example.net." in flat(render(group(items[0]), context()))


def test_a_channel_is_no_person():
    """A webhook hears for which channel it is, and whom mails went to."""
    text = flat(render(*EVERY["channel"]()))

    assert f"For the channel webhook. Also told: {ME}." in text


def test_a_mail_to_nobody_is_shown_as_such():
    """``alerts test`` without a recipient prints what would be mailed."""
    text = flat(render(group(item()), context(recipient="(nobody)")))

    assert "This is shown here because alerts.to names nobody. Nobody was mailed." in text


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("escalated", "Nobody of platform has answered since 14 Oct 11:43Z: so it comes to you."),
        ("assigned", 'ana@example.com assigned it to you on 14 Oct 12:40Z: "yours".'),
    ],
)
def test_whoever_is_called_reads_at_the_top_why(kind, line):
    """The head of mail, or Kim, knows in the first lines that this is theirs now."""
    assert line in head(render(*EVERY[kind]()))


def test_an_escalation_without_names_makes_no_gaps():
    """Owner and moment may not be known."""
    assert "Nobody has answered: so it comes to you." in head(
        render(group(item(role="escalation")), context())
    )
    assert "assigned it to you on" not in head(render(group(item(role="assigned")), context()))


# ---------------------------------------------------------------------- all kinds


@pytest.mark.parametrize("kind", EVERY)
def test_every_kind_says_the_same_in_html_in_the_same_order(kind):
    """Who reads the HTML part misses nothing of the text, and the other way round."""
    message = email.message_from_bytes(render(*EVERY[kind]()).raw, policy=email.policy.default)
    plain, html = (part.get_content() for part in message.iter_parts())
    shown = re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    for code, char in (("&lt;", "<"), ("&gt;", ">"), ("&#34;", '"'), ("&#39;", "'")):
        shown = shown.replace(code, char)
    found = iter(shown.split())

    assert [] == [
        word for word in plain.split() if not re.fullmatch(r"\d\.|--", word) and word not in found
    ]


@pytest.mark.parametrize("kind", EVERY)
def test_every_kind_fits_a_terminal_and_begins_with_what_matters(kind):
    """78 columns, ASCII, a subject that ends in the tag, three lines before anything else."""
    rendered = render(*EVERY[kind]())
    lines = rendered.text.splitlines()

    assert [] == [line for line in lines if len(line) > 78]
    assert rendered.text.isascii()
    assert re.search(r" \[tlsrpt( \d+)?\]$", rendered.subject)
    assert 2 <= len(rendered.text.split("\n\n")[0].splitlines()) <= 9


def test_a_reminder_is_no_news_to_a_filter():
    """Whoever counts event=new counts each failure once, however often nobody answers."""
    made = group(item(), kind="reminder")

    raw = render(made, context()).raw

    assert (1, 0) == (raw.count(b"event=reminder"), raw.count(b"event=new"))
