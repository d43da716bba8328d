"""Answers to answers: whoever wrote "ack" learns what came of it, and so does who wrote "akc"."""

import email
import email.policy

import msgspec
import pytest

from tests.alerts.examples import ME, NOW, at, context
from tlsrpt_mailer.alerts.answering import AnswerOutcome, render_answer
from tlsrpt_mailer.report.times import DAY

SUBJECT = "CRITICAL example.com: certificate expired on mx1.example.com [tlsrpt 17]"


def outcome(**more):
    made = AnswerOutcome(
        what="noted",
        who="ana@example.com",
        at=at("2026-10-14T12:05"),
        verb="ack",
        failures=((17, "example.com"),),
        until=at("2026-11-13"),
        in_reply_to="<reply@example.com>",
        references=("<tlsrpt.17.new.1.abc@mail.example.com>",),
        original_subject=f"Re: {SUBJECT}",
    )
    return msgspec.structs.replace(made, **more)


def answer(now=NOW + 1400, **more):
    return render_answer(outcome(**more), context(now=now))


def head(rendered):
    return " ".join(rendered.text.split("\n\n")[0].split())


def test_an_ack_is_noted():
    """Who, what, when, the note, how long it is quiet, in two lines."""
    rendered = answer(note="renewing now")

    assert [
        "Noted: ana@example.com acknowledged 17 (example.com) at 12:05Z.",
        'Note kept: "renewing now". Quiet until it is over, gets worse, or 13 Nov.',
    ] == rendered.text.split("\n\n")[0].splitlines()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"verb": "ack", "until": None}, "Quiet until it is over or gets worse."),
        (
            {"verb": "fixed", "until": None},
            (
                "ana@example.com said that this is mended: 17 (example.com) at 12:05Z. Quiet"
                " unless a report about a later time has it still."
            ),
        ),
        ({"verb": "mute"}, "muted 17 (example.com) at 12:05Z. Quiet until 13 Nov, whatever"),
        ({"verb": "mute", "until": None}, "Quiet until you say otherwise, whatever happens."),
        ({"verb": "mute", "until": NOW + 9000 * DAY}, "Quiet until you say otherwise, whatever"),
        (
            {"verb": "assign", "assignee": "kim@example.com"},
            "assigned 17 (example.com) to kim@example.com at 12:05Z. From now on the reminders go",
        ),
        ({"verb": "reopen"}, "opened again 17 (example.com) at 12:05Z. You hear of it again."),
        ({"verb": "sing"}, "sing 17 (example.com) at 12:05Z."),
        ({"left_out": (98, 99)}, "Not done for 98 and 99: over, or not yours."),
    ],
)
def test_what_was_done_and_what_it_means(more, said):
    """Each verb says what it did and how long it holds."""
    assert said in head(answer(**more))


def test_an_answer_that_was_read_the_next_day_says_the_day():
    """A mail that lay about is not passed off as of today."""
    assert "at 14 Oct 12:05Z." in head(answer(now=NOW + DAY))


def test_many_failures_are_listed():
    """Whose ack covers twelve domains sees which; ten are enough."""
    found = tuple((n, f"d{n}.example") for n in range(41, 53))
    text = answer(failures=found).text

    assert "acknowledged 41, 42, 43 and 9 more (12 domains)" in text
    assert "IT HOLDS FOR\n    41  d41.example\n" in text
    assert "    50  d50.example\n        and 2 more\n" in text
    assert "d51.example" not in text


def test_what_was_not_understood_is_quoted_with_what_would_be():
    """The line as it was read, and the words that work."""
    rendered = answer(what="not-understood", first_line="akc, on it", failures=())

    assert "Not understood, nothing was changed. Your first line was: " in head(rendered)
    assert '"akc, on it"' in rendered.text
    assert "WRITE ONE OF THESE, as the first line\n  ack " in rendered.text
    assert "failures show" not in rendered.text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"what": "not-understood", "first_line": ""}, "There was no line of yours in it."),
        (
            {"what": "not-understood", "first_line": "assign x@y", "reason": "y is not known."},
            'Your first line was: "assign x@y" y is not known.',
        ),
        ({"what": "expired"}, "Too late, nothing was changed."),
        (
            {"what": "not-yours", "who": "eve@example.net"},
            "Nothing was changed: eve@example.net answered a mail that went to you.",
        ),
        (
            {"what": "not-yours", "who": ME, "left_out": (99,)},
            "Nothing was changed. You were told of no failure with the number 99.",
        ),
        ({"what": "not-yours", "who": ME, "reason": "So it is."}, "Nothing was changed. So it is."),
        ({"what": "nothing-open"}, "Nothing was changed: 17 (example.com) is over already."),
        (
            {"what": "nothing-open", "failures": ()},
            "Nothing was changed: What that mail was about is over already.",
        ),
    ],
)
def test_why_nothing_was_done(more, said):
    """Nobody is left believing that an answer held which did not."""
    assert said in head(answer(**more))


def test_it_is_an_answer_in_the_thread_that_no_robot_answers():
    """RFC 3834: auto-replied; In-Reply-To and References; one Re: and no more."""
    message = email.message_from_bytes(
        answer(original_subject=f"Re: RE: {SUBJECT}").raw, policy=email.policy.default
    )

    assert f"Re: {SUBJECT}" == message["Subject"]
    assert "auto-replied" == message["Auto-Submitted"]
    assert "<reply@example.com>" == message["In-Reply-To"]
    assert "<tlsrpt.17.new.1.abc@mail.example.com> <reply@example.com>" == message["References"]
    assert "event=answer; result=noted; act=ack" == message["X-TLSRPT-Mailer"]
    assert ME == message["To"]


def test_it_stays_marked_where_alerts_are_not():
    """``auto_submitted = false`` is for ticket systems; a loop of robots is nobody's wish."""
    rendered = render_answer(outcome(), context(auto_submitted=False))

    assert b"Auto-Submitted: auto-replied\r\n" in rendered.raw


def test_a_reply_without_name_and_subject_is_answered_all_the_same():
    """No Message-ID, no Subject: some phones send that."""
    message = email.message_from_bytes(
        answer(in_reply_to=None, original_subject="", references=("x y",)).raw,
        policy=email.policy.default,
    )

    assert "Re: your answer to tlsrpt-mailer" == message["Subject"]
    assert message["In-Reply-To"] is None
    assert message["References"] is None


def test_the_same_reply_gets_the_same_answer():
    """A repeat can be recognised; two replies get two answers."""
    assert answer() == answer()
    assert answer().message_id != answer(in_reply_to="<other@example.com>").message_id


def test_several_commands_in_one_reply_get_one_answer():
    """What became of each stands in it."""
    more = outcome(verb="mute", failures=((18, "example.net"),), until=NOW + 7 * DAY)
    rendered = answer(also=(more,))

    assert "acknowledged 17 (example.com)" in head(rendered)
    assert "muted 18 (example.net)" in head(rendered)
    assert 2 == rendered.raw.count(b"X-TLSRPT-Mailer: event=answer")
