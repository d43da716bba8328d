"""The mails about reports that stop, come again, or begin; and about sources."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import get_args

import msgspec
import pytest

from tlsrpt_mailer.alerts import first, program, silence, sources
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time

ZERO: Time = 20_727 * DAY
"""2026-10-01."""
NOW = ZERO + 20 * DAY + 9 * HOUR
CONTEXT = Context(
    now=NOW,
    host="mail.example.com",
    version="1.0.0",
    recipient="postmaster@example.com",
    sender="t@mail.example.com",
)
HOSTILE = 'x.example"; rm -rf /\u202e\r\nBcc: a@b http://evil.example'


def domain(name: str, sessions: int = 280, *others: str) -> silence.SilentDomain:
    return silence.SilentDomain(
        domain=name, last=ZERO + 9 * DAY, days=28, sessions=sessions, others=others
    )


def stopped(*domains: silence.SilentDomain, elsewhere: int = 8) -> silence.SilentReporter:
    return silence.SilentReporter(
        reporter="Google",
        domains=domains,
        elsewhere=elsewhere,
        ours=silence.OurSide(last_receipt=NOW - 5 * HOUR),
    )


def flat(mail: Rendered) -> str:
    """The text without its line breaks."""
    return " ".join(mail.text.split())


def test_a_reporter_that_stopped_is_told_apart_from_us():
    """The mail says what is known of our intake, the record and the reporter, and what to do."""
    mail = silence.reporter(
        stopped(domain("d01.example", 5936, "Microsoft"), domain("d02.example", 28)),
        CONTEXT,
        "google.com",
    )

    assert "NOTICE Google has stopped reporting on 2 domains [tlsrpt]" == mail.subject
    assert mail.text.startswith("Nothing is known to be broken.")
    assert "since the one about 9 Oct. Before, it sent one every day." in flat(mail)
    assert "our intake    works: the last report came today at 04:00Z (5 h ago)" in mail.text
    assert "the reporter  still reports on 8 other domains of yours" in mail.text
    assert "So Google probably delivers no mail to these domains, or cannot." in mail.text
    assert "d01.example  9 Oct                         212  Microsoft" in mail.text
    assert "dig +short TXT _smtp._tls.d01.example" in mail.text


def test_a_reporter_that_speaks_of_nothing_else_has_stopped():
    """With no other domain of the reader's left, nobody knows which of the two it is."""
    one = msgspec.structs.replace(domain("d01.example"), days=22, others=("A", "B", "C"))
    silent = stopped(one, elsewhere=0)
    mail = silence.reporter(
        msgspec.structs.replace(silent, ours=silence.OurSide(last_receipt=None)),
        CONTEXT,
        "google.com",
    )

    assert "NOTICE Google has stopped reporting on d01.example [tlsrpt]" == mail.subject
    assert "it sent one on 22 of 28 days" in flat(mail)
    assert "no report is there" in mail.text
    assert "So Google has stopped reporting, or delivers no mail to you" in flat(mail)
    assert "A and 2 more" in mail.text


def test_a_long_list_is_cut():
    """Thirty domains are listed, the busiest first; the digest has the rest."""
    many = [domain(f"d{at:02}.example", at) for at in range(40)]

    mail = silence.reporter(stopped(*silence.busiest(many)), CONTEXT, "google.com")

    assert mail.text.index("d39.example") < mail.text.index("d10.example")
    assert "d09.example" not in mail.text
    assert "and 10 more: tlsrpt-mailer digest" in mail.text


@pytest.mark.parametrize(
    ("count", "who"),
    [(1, "R0, the only one who did, has stopped"), (2, "both that did"), (3, "all 3 that did")],
)
def test_a_domain_of_which_nobody_speaks(count: int, who: str):
    """Mail is not touched: that comes before everything else."""
    silent = silence.SilentEverywhere(
        domain="shop.example",
        reporters=tuple((f"R{at}", ZERO + (10 - at) * DAY) for at in range(count)),
        ours=silence.OurSide(last_receipt=NOW),
    )

    mail = silence.domain(silent, CONTEXT)

    assert "WARNING shop.example: TLS reports have stopped [tlsrpt]" == mail.subject
    assert who in flat(mail)
    assert "Mail is not touched by this" in mail.text
    assert "The last report is about 10 Oct." in mail.text


@pytest.mark.parametrize(
    ("reporters", "domains", "said"),
    [
        (1, 1, ("The one reporter that writes regularly is", "of your domain can be seen")),
        (6, 12, ("All 6 regular reporters are", "any of your 12 domains")),
    ],
)
def test_no_reports_at_all(reporters: int, domains: int, said: tuple[str, str]):
    """The operator learns since when, and how each source says that it is."""
    silent = silence.SilentIntake(
        since=NOW - 5 * DAY,
        reporters=reporters,
        domains=domains,
        sources=(("imap:box", "ok"),),
    )

    mail = silence.intake(silent, CONTEXT)

    assert "OPERATOR no TLS reports come in: none since 16 Oct [tlsrpt]" == mail.subject
    assert all(text in mail.text for text in said)
    assert "imap:box" in mail.text


def test_reports_come_again():
    """What resumed is named, and what did not."""
    back = silence.Resumed(
        reporter="Google", domains=("a.example", "b.example"), since=ZERO + 9 * DAY
    )
    partly = msgspec.structs.replace(back, domains=("a.example",), still=("b.example",))

    whole = silence.resumed(back, CONTEXT, "google.com")
    part = silence.resumed(partly, CONTEXT, "google.com")
    anybody = silence.resumed(
        msgspec.structs.replace(partly, reporter=None, still=("Google",)), CONTEXT, "a.example"
    )

    assert "NOTICE Google reports on 2 domains again [tlsrpt]" == whole.subject
    assert "Nothing to do." in whole.text
    assert "NOTICE Google reports on a.example again [tlsrpt]" == part.subject
    assert "Still silent: 1 domain." in part.text
    assert "NOTICE a.example: TLS reports come in again [tlsrpt]" == anybody.subject
    assert "Still silent: 1 reporter." in anybody.text
    assert 3 == len({whole.message_id, part.message_id, anybody.message_id})


TROUBLE = sources.Trouble(
    source="imap:box",
    since=NOW - 7 * HOUR,
    error="the login is refused\nLook at it",
    tries=1,
    next_try=NOW + 5 * MINUTE,
    is_only=True,
)


def test_a_source_in_trouble():
    """What is waiting is not lost; what the other side said; when it is tried again."""
    mail = sources.trouble(TROUBLE, CONTEXT)

    assert "OPERATOR imap:box does not work since 21 Oct 02:00Z [tlsrpt]" == mail.subject
    assert "Since 21 Oct 02:00Z (7 h), 1 try, the next in 5 min." in mail.text
    assert "    the login is refused\n    Look at it\n" in mail.text
    assert "Until then no failure of any domain can be seen." in mail.text


def test_a_source_that_says_nothing():
    """An error without words and without a next try is told as it is."""
    quiet = msgspec.structs.replace(TROUBLE, source="lmtp:1", error="", tries=0, next_try=NOW - 1)

    mail = sources.trouble(quiet, CONTEXT, again=True)

    assert "OPERATOR lmtp:1 still does not work" in mail.subject
    assert "Senders are turned away; they try again" in mail.text
    assert "Since 21 Oct 02:00Z (7 h).\n" in mail.text
    assert "(nothing)" in mail.text


@pytest.mark.parametrize(
    ("source", "said"), [("maildir:/var", "are read now"), ("smtp:25", "try again by themselves")]
)
def test_a_source_that_works_again(source: str, said: str):
    """What waited elsewhere comes by itself."""
    mail = sources.works_again(source, NOW - 7 * HOUR, CONTEXT)

    assert f"OPERATOR {source} works again [tlsrpt]" == mail.subject
    assert said in mail.text


def begun(name: str, *reporters: str, failed: int = 0) -> first.Beginning:
    return first.Beginning(
        domain=name,
        reporters=reporters or ("Google",),
        start=ZERO + 18 * DAY,
        end=ZERO + 19 * DAY,
        sessions=5412,
        failed=failed,
    )


def test_the_first_report():
    """It works: that is the first word; what comes next stands below."""
    one = first.first((begun("example.com"),), CONTEXT)
    more = first.first((begun("example.com", "Google", "Yahoo"), begun("b.example")), CONTEXT)
    bad = first.first((begun("example.com", failed=541),), CONTEXT)
    many = first.first(tuple(begun(f"d{at:02}.example") for at in range(30)), CONTEXT)

    assert "First TLS report: example.com is live [tlsrpt]" == one.subject
    assert one.text.startswith("It works: the first report of Google on example.com has arrived.")
    assert "5,412 sessions, none failed." in one.text
    assert "The report is about 19 Oct." in one.text
    assert "First TLS report: example.com and 1 more are live [tlsrpt]" == more.subject
    assert "from Google and Yahoo" in more.text
    assert "541 of 5,412 sessions failed (10 %)" in bad.text
    assert "and 10 more" in many.text


def test_what_our_own_looks_and_test_reports_say_stands_beside_it():
    """Silence of theirs is told from trouble of ours: the way in works, the records are right."""
    ours = silence.OurSide(
        last_receipt=NOW - 5 * HOUR,
        canary_at=NOW - 3 * HOUR,
        canary_took=41,
        records=(("d01.example", "right", NOW - 2 * HOUR), ("d02.example", "right", NOW - HOUR)),
    )
    silent = msgspec.structs.replace(
        stopped(domain("d01.example"), domain("d02.example")), ours=ours
    )

    text = flat(silence.reporter(silent, CONTEXT, "google.com"))

    assert (
        "our intake works: the last test report took 41 s (today at 06:00Z (3 h ago)), and the"
        " last report came today at 04:00Z (5 h ago)"
    ) in text
    assert ("our records in place, and they name us (looked up today at 07:00Z (2 h ago))") in text


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ((), "our records not looked up from here; the command below shows them"),
        (
            (("shop.example", "none", NOW - HOUR),),
            (
                "our records not right at shop.example (looked up today at 08:00Z (1 h ago)):"
                " tlsrpt-mailer check"
            ),
        ),
        (
            (("shop.example", "right", NOW - HOUR),),
            "our records in place, and it names us (looked up today at 08:00Z (1 h ago))",
        ),
    ],
)
def test_of_a_silent_domain_the_record_decides_what_is_likely(
    records: tuple[tuple[str, str, Time], ...], said: str
):
    """Where the record is right nobody is sent to look for it."""
    silent = silence.SilentEverywhere(
        domain="shop.example",
        reporters=(("Google", ZERO),),
        ours=silence.OurSide(last_receipt=NOW, records=records),
    )

    text = flat(silence.domain(silent, CONTEXT))

    assert said in text
    is_right = bool(records) and records[0][1] == "right"
    assert is_right == ("most likely the domain gets no mail any more" in text)
    assert is_right != ("most likely the record of the domain is gone" in text)


def every_mail(name: str, context: Context) -> Iterator[Rendered]:
    """Each kind, with *name* for everything that a stranger may choose."""
    at = ZERO + 9 * DAY
    yield silence.reporter(
        msgspec.structs.replace(stopped(domain(name, 1, name)), reporter=name), context, name
    )
    yield silence.domain(
        silence.SilentEverywhere(
            domain=name,
            reporters=((name, at),),
            ours=silence.OurSide(last_receipt=at, records=((name, "none", at),)),
        ),
        context,
    )
    yield silence.intake(
        silence.SilentIntake(since=at, reporters=1, domains=1, sources=((name, "ok"),)), context
    )
    yield silence.intake_again(at, NOW, context)
    yield silence.resumed(
        silence.Resumed(reporter=name, domains=(name, "b.example"), still=(name,), since=at),
        context,
        name,
    )
    yield sources.trouble(msgspec.structs.replace(TROUBLE, source=name, error=name), context)
    yield sources.works_again(name, at, context)
    for kind in get_args(program.PartKind):
        part = program.Part(kind=kind, name=name, since=at, error=name, waiting=3)
        yield program.trouble(part, context, again=True)
        if kind != "given-up":
            yield program.over(part, context)
    yield first.first((begun(name, name),), context)


@pytest.mark.parametrize("name", [HOSTILE, "a" * 300, "mx." + "long-label." * 20 + "example", ""])
def test_whatever_a_report_says_stays_text(name: str):
    """No line too long, nothing but ASCII, no link, no header, no command but a harmless one."""
    for mail in every_mail(name, CONTEXT):
        message = message_from_bytes(mail.raw, policy=policy.default)
        assert mail.text.isascii()
        lines = mail.text.splitlines()
        # A command is never broken, however long the name in it.
        assert all(len(line) <= 78 for line in lines if "dig +short" not in line)
        assert "://" not in mail.text
        assert "Bcc" not in message
        assert "href" not in mail.html
        assert not [line for line in lines if "dig " in line and ";" in line]


def test_without_a_name_for_a_command_a_placeholder_stands():
    """Only strict host names enter a command."""
    mail = silence.reporter(stopped(domain(HOSTILE)), CONTEXT, "google.com")

    assert "dig +short TXT _smtp._tls.DOMAIN" in mail.text
    assert "still arrive for the domain?" in flat(mail)


def test_where_nobody_is_named_the_mails_say_so():
    """They go to the log then."""
    log = msgspec.structs.replace(CONTEXT, recipient="log")

    for mail in every_mail("example.com", log):
        assert "This is shown here because alerts.to names nobody." in mail.text
