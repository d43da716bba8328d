"""The mails about reports that are held, and why they are."""

import msgspec
import pytest

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.held import Held, HeldOf, held, is_proposable, whose_word, why
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.alerts.waiting import WaitingDomain, waiting
from tlsrpt_mailer.report.times import DAY, HOUR, Time

NOW: Time = 20_740 * DAY + 12 * HOUR
"""2026-10-14T12:00:00Z."""
CONTEXT = Context(
    now=NOW,
    host="mail.example.com",
    version="1.0.0",
    recipient="root@mail.example.com",
    sender="t@mail.example.com",
)
HOSTILE = 'x\u202e";\r\nBcc: a@b\x1b[2J http://evil.example <script> {{7*7}}'
GOOGLE = HeldOf(name="Google", held=9, reason="body hash did not verify")
MICROSOFT = HeldOf(name="Microsoft", held=5, reason="body hash did not verify")
GATEWAY = Held(
    cause="gateway",
    held=14,
    total=14,
    since=NOW - 22 * HOUR,
    reporters=(GOOGLE, MICROSOFT),
    only_body=True,
    vouched_by="mx.example.com",
)
CAUSES = ["gateway", "resolver", "reporter", "forwarder", "unsigned", "mixed"]


def of(**more: object) -> Held:
    return msgspec.structs.replace(GATEWAY, **more)


def flat(mail: Rendered) -> str:
    return " ".join(mail.text.split())


def test_the_mail_says_what_is_held_and_what_helps():
    """How many, since when, what they have in common, the ways out, and what comes next."""
    mail = held(GATEWAY, CONTEXT)

    assert "OPERATOR all 14 reports since yesterday fail DKIM: a gateway? [tlsrpt]" == mail.subject
    lines = mail.text.splitlines()
    assert (
        "14 of 14 reports since 13 Oct 14:00Z are held: their signatures do not verify." == lines[0]
    )
    assert "They are stored in full, but not counted, and they raise no alerts." == lines[1]
    assert "something changes mails on the way into this mailbox" in flat(mail)
    assert "  Google        9  body hash did not verify" in lines
    assert '    authserv_ids = ["mx.example.com"]' in lines
    assert "    tlsrpt-mailer reports release --all" in lines
    assert "You hear of this once." in flat(mail)
    assert b"X-TLSRPT-Mailer: event=operator; cause=held" in mail.raw


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("count", [1, 14])
def test_every_form_is_plain_and_narrow(cause: str, count: int):
    """78 columns, printable ASCII, one of one spoken of as one; each way out is numbered."""
    mail = held(of(cause=cause, held=count, total=count), CONTEXT)

    assert mail.text.isascii()
    assert all(len(line) <= words.WIDTH for line in mail.text.splitlines())
    assert ("They are" in mail.text) == (count > 1)
    assert "  1. " in mail.text
    assert "  2. " in mail.text
    assert len(mail.subject) <= 90


@pytest.mark.parametrize(
    ("days", "said"), [(0, "of today"), (1, "since yesterday"), (5, "since 9 Oct")]
)
def test_the_subject_says_since_when(days: int, said: str):
    """An old mailbox that is read today began before yesterday."""
    assert said in held(of(since=NOW - days * DAY), CONTEXT).subject


def test_some_of_many_are_told_as_such():
    """What verifies is in the count, too."""
    found = of(held=5, total=6, cause="reporter", reporters=(MICROSOFT,), vouched_by=None)
    mail = held(found, CONTEXT)

    assert "OPERATOR 5 of 6 reports since yesterday fail DKIM: Microsoft [tlsrpt]" == mail.subject
    assert mail.text.startswith("5 of 6 reports since 13 Oct 14:00Z are held")
    assert "authserv_ids" not in mail.text


def test_a_field_without_a_name_is_proposed_as_a_dash():
    """As Microsoft 365 writes it."""
    assert '    authserv_ids = ["-"]' in held(of(vouched_by="-"), CONTEXT).text


def test_a_name_that_may_be_a_strangers_is_not_proposed():
    """The mail says how to find out the right one."""
    mail = held(of(vouched_by=None, is_vouched=True), CONTEXT)

    assert '    authserv_ids = ["NAME_OF_YOUR_MX"]' in mail.text
    assert "Send a mail to this mailbox from outside" in flat(mail)
    assert all(len(line) <= words.WIDTH for line in mail.text.splitlines())


def test_who_checked_before_is_believed_only_if_it_is_ours():
    """The line opens a door, so the mail says when not to add it."""
    assert "Only if that is your MX, and every mail to this mailbox comes through it" in flat(
        held(GATEWAY, CONTEXT)
    )


def test_strangers_words_do_no_harm():
    """Names and reasons out of mails stand in text alone, made safe, and not without end."""
    evil = HeldOf(name=HOSTILE * 20, held=3, reason=HOSTILE * 99)
    for cause in CAUSES:
        mail = held(of(cause=cause, reporters=(evil,) * 50, vouched_by=None), CONTEXT)

        assert mail.text.isascii()
        assert "\x1b" not in mail.text
        assert b"\nBcc:" not in mail.raw
        assert "://" not in mail.text
        assert "<script>" not in mail.html
        assert len(mail.text) < 20_000


@pytest.mark.parametrize(
    ("server", "may"),
    [
        ("-", True),
        ("mx.example.com", True),
        (None, False),
        ("", False),
        ('mx"]\n[alerts]\nto = ["me@evil.example', False),
        ("$(reboot)", False),
    ],
)
def test_only_a_name_can_stand_in_a_line_to_paste(server: str | None, may: bool):
    """A configuration is pasted as it stands."""
    assert may == is_proposable(server)


@pytest.mark.parametrize(
    ("held_for", "reason", "said"),
    [
        ("signature", "body hash did not verify", "body hash did not verify"),
        ("pending", "DNS did not answer for x: timed out", "DNS did not answer for x: timed out"),
        ("foreign", "signed by google.com", "about domains that are not yours"),
        ("proposed", "signed by google.com", "about domains that nobody has said are yours"),
        ("signature", None, "its signature was not verified"),
        (None, "a\x1b[2Jb", "a\\u001b[2Jb"),
    ],
)
def test_why_a_report_is_held(held_for: str | None, reason: str | None, said: str):
    """The reason that its reader can do something about."""
    assert said == why(held_for, reason)


@pytest.mark.parametrize(
    ("trust", "reason", "said"),
    [
        ("pass", "signed by google.com", "signed by google.com"),
        ("unchecked", None, "signatures were not checked (trust.dkim was off)"),
        ("operator", None, "taken on the word of an operator, as imported mail is"),
        ("something", None, "something"),
    ],
)
def test_whose_word_a_report_is(trust: str, reason: str | None, said: str):
    """In words, whether or not the store has a reason."""
    assert said == whose_word(trust, reason)


# --------------------------------------------------------------------- waiting


def domains(count: int) -> list[WaitingDomain]:
    return [WaitingDomain(domain=f"d{at}.example", reports=at + 1) for at in range(count)]


def test_domains_that_wait_come_with_the_lines_to_add():
    """What to paste, and what follows from it."""
    mail = waiting(domains(2), CONTEXT)

    assert "OPERATOR reports on 2 domains wait: are they yours? [tlsrpt]" == mail.subject
    stanza = '    [[domains]]\n    match = [\n      "d0.example",\n      "d1.example",\n    ]\n'
    assert stanza in mail.text
    assert '    match = ["d0.example"]\n' in waiting(domains(1), CONTEXT).text
    assert "config check && systemctl reload tlsrpt-mailer" in flat(mail)
    assert b"cause=waiting" in mail.raw


def test_of_many_domains_some_are_named():
    """And how many more there are."""
    mail = waiting(domains(300), CONTEXT)

    assert "and 280 more: tlsrpt-mailer domains" in flat(mail)
    assert "d19.example" in mail.text
    assert "d20.example" not in mail.text


def test_what_is_no_name_is_not_pasted():
    """A report may write anything where a domain belongs."""
    mail = waiting([WaitingDomain(domain=HOSTILE, reports=1)], CONTEXT)

    assert '    match = ["DOMAIN"]' in mail.text
    assert mail.text.isascii()
    assert all(len(line) <= words.WIDTH for line in mail.text.splitlines())
    assert "is it yours?" in mail.subject


def test_without_an_address_the_terminal_reads_it():
    """Where alerts.to names nobody the footer says why it is shown."""
    context = msgspec.structs.replace(CONTEXT, recipient="log")

    assert "because alerts.to names nobody" in flat(held(GATEWAY, context))
