"""An owner's digest, as its reader sees it."""

import csv
import io
from email import message_from_bytes, policy

import pytest

from tests.alerts.digests import (
    ANA,
    BEN,
    CONTEXT,
    FIRE,
    MONDAY,
    POST,
    WEEK,
    digest,
    directory,
    domain,
    drawn,
    failure,
    fetch,
    mail,
    material,
    page,
    pair,
    rendered,
    words,
)
from tlsrpt_mailer.alerts.digest import name
from tlsrpt_mailer.alerts.digest_model import Period, Silence, Sum
from tlsrpt_mailer.alerts.model import Answer
from tlsrpt_mailer.failures.model import FOREVER
from tlsrpt_mailer.report.times import DAY, HOUR


def test_a_quiet_week_is_two_lines():
    """All well: how much of whose reports says so, and nothing else to read."""
    made = mail(material([domain("a.example"), domain("b.example")]))

    body = made.text.split("\n-- ")[0]
    assert "TLS week 12-18 Oct: all well, 2 domains [tlsrpt]" == made.subject
    assert (
        "All well: 1,200 sessions of 1 reporter to 2 domains, none failed.\n"
        "Nothing is open. The last report is about 18 Oct.\n"
    ) == body
    assert "ALL WELL" in made.html


def test_the_first_line_says_whether_mail_is_held_up():
    """Whoever reads one line knows whether somebody waits for mail."""
    here = [domain()]
    testing = failure(3, policy_type="sts", mode="testing", severity="warning")
    unclear = failure(4, mode=None, severity="warning")

    one = mail(material(here, [failure()])).text
    many = mail(material(here, [failure(), fetch(), fetch(22)])).text
    both = mail(material(here, [failure(), failure(18)])).text
    none = mail(material(here, [fetch()])).text
    they = mail(material(here, [fetch(), testing])).text
    maybe = mail(material(here, [unclear])).text
    perhaps = mail(material(here, [unclear, failure(5, mode=None, severity="warning")])).text
    small = mail(material(here, [failure(severity="notice")])).text

    assert one.startswith("1 failure is open, and senders hold up mail because of it.\n")
    assert many.startswith("3 failures are open; 1 of them holds up mail.\n")
    assert both.startswith("2 failures are open; 2 of them hold up mail.\n")
    assert none.startswith("1 failure is open; it holds up no mail.\n")
    assert they.startswith("2 failures are open; they hold up no mail.\n")
    assert maybe.startswith("1 failure is open; whether it holds up mail is not known.\n")
    assert perhaps.startswith("2 failures are open; whether they hold up mail is not known.\n")
    assert small.startswith("Nothing is open that needs you.\n")


def test_what_is_open_says_since_when_who_has_it_and_how_to_mend_it():
    """One open failure is three lines that need no other mail."""
    text = words(material([domain()], [fetch(21, "shop.example")]))

    assert "21 WARNING shop.example: MTA-STS policy cannot be fetched" in text
    assert "since 14 Oct, mail is not held up, only Google sees it, unanswered for 2 days" in text
    assert "mend: serve the policy file" in text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"told_at": None}, "not mailed yet"),
        ({"told_at": FIRE - 20 * HOUR}, "unanswered for 20 h"),
        (
            {
                "state": "acknowledged",
                "answer": Answer(kind="ack", who=ANA, at=FIRE - 3 * DAY, note="CHG 1"),
            },
            'acknowledged by ana@example.com on 16 Oct: "CHG 1"',
        ),
        (
            {"state": "fixed?", "answer": Answer(kind="fixed", who=ANA, at=FIRE - 3 * DAY)},
            "said to be mended by ana@example.com on 16 Oct",
        ),
        ({"state": "muted", "muted_until": FIRE + 3 * DAY}, "muted until 22 Oct"),
        ({"state": "muted", "muted_until": FOREVER}, "see it, muted YOUR"),
        ({"state": "muted", "muted_until": None}, "see it, muted YOUR"),
        (
            {"assigned": Answer(kind="assign", who=ANA, at=FIRE, assignee=BEN)},
            "assigned to ben@other.example, unanswered for 2 days",
        ),
        ({"is_quiet": True, "maintenance": 3}, "in maintenance 3"),
        ({"is_quiet": True}, "see it, in maintenance"),
        ({"state": "regressed"}, "back since 14 Oct"),
        ({"reporters": ()}, "36 % of sessions, unanswered"),
    ],
)
def test_who_has_it_is_said(fields, says: str):
    """An owner sees at once what is waiting for somebody, and what somebody has."""
    two = {"reporters": ("Google", "Microsoft")}

    assert says in words(material([domain()], [failure(**(two | fields))]))


def test_what_somebody_has_needs_no_mend():
    """Who has acknowledged it knows what to do; the line is for the others."""
    said = Answer(kind="ack", who=ANA, at=FIRE)

    assert "mend:" in words(material([domain()], [failure()]))
    assert "mend:" not in words(material([domain()], [failure(state="acknowledged", answer=said)]))


def test_domains_of_one_cause_are_one_entry():
    """A shared MX with an expired certificate is one line, not one a domain."""
    made = material(
        [domain("a.example"), domain("b.example")],
        [failure(1, "a.example", cause=1, failed=10), failure(2, "b.example", cause=1, failed=90)],
    )

    text = words(made)

    assert "2 CRITICAL 2 domains: certificate expired on mx1.example.com" in text
    assert "at b.example and a.example" in text
    assert 1 == text.count("certificate expired")


def test_one_domain_with_two_failures_of_a_cause_is_named_once():
    """The same certificate under MTA-STS and DANE is about one domain."""
    both = [failure(1, cause=1), failure(2, cause=1, policy_type="tlsa")]

    text = words(material([domain()], both))

    assert "1 CRITICAL example.com: certificate expired" in text
    assert " at example.com" not in text


def test_over_is_said_by_how_it_ended():
    """Mended, taken back, closed without a witness, gone stale: each in its own list."""
    ended = {"ended_at": FIRE - DAY, "state": "resolved", "resolved_at": MONDAY - DAY}
    made = material(
        [domain()],
        [
            failure(1, **ended),
            failure(2, taken_back=True, **ended),
            failure(3, told_at=None, **ended),
            failure(4, state="closed", ended_at=FIRE - DAY),
            failure(5, state="stale", stale_at=FIRE, closes_at=FIRE + 30 * DAY),
            failure(6, state="stale"),
            failure(7, told_at=None, last_seen=MONDAY - 300 * DAY, **ended),
            failure(8, state="resolved", ended_at=FIRE),
        ],
    )

    text = words(made)

    assert text.startswith(
        "Nothing is open. 3 were mended. 2 were over before a mail was due."
        " 1 was closed unconfirmed."
    )
    assert "1 example.com: certificate expired on mx1.example.com 14-16 Oct, 36 %" in text
    assert "resolved 18 Oct" in text
    assert "14-16 Oct, no report that counts says so any more" in text
    assert "BEGAN AND ENDED (no mail was due) 3 example.com:" in text
    assert "1 older one: tlsrpt-mailer failures --all" in text
    assert "CLOSED UNCONFIRMED 4 example.com" in text
    assert "nobody has confirmed that it is over" in text
    assert "whoever saw it reports no more, closed unconfirmed on 18 Nov" in text
    assert "3 were mended" in text
    assert "TLS week 12-18 Oct: 3 mended, 1 domain [tlsrpt]" == mail(made).subject


def test_small_failures_are_a_line_each():
    """What is not worth a mail is worth a line: it may be the beginning of something."""
    text = words(material([domain()], [failure(9, severity="low", failed=1, sessions=4000)]))

    assert (
        "TOO SMALL FOR A MAIL (notice and low) 9 example.com: certificate expired on"
        " mx1.example.com, under 0.1 % of sessions, last seen 16 Oct" in text
    )


def test_long_lists_are_cut_with_a_way_to_the_rest():
    """Fifty open causes do not make a mail of a hundred pages."""
    many = [failure(number) for number in range(1, 51)]
    gone = [
        failure(number, state="resolved", ended_at=FIRE, resolved_at=FIRE)
        for number in range(51, 80)
    ]

    text = words(material([domain()], [*many, *gone]))

    assert "and 30 more: tlsrpt-mailer failures" in text
    assert "and 9 more: tlsrpt-mailer failures" in text
    assert 40 == text.count("certificate expired")


def test_the_week_of_a_domain_is_seven_characters():
    """Each day has its own character; the letters above are those of the days."""
    made = material([domain("a.example", ".-+#@ ?", sessions=1000)])

    text = mail(made).text

    assert "sessions  worked  before  MTWTFSS" in text
    assert "a.example     5,000    75 %   100 %  .-+#@ ?\n" in text
    assert "Each day: . all worked" in text


def test_the_cells_of_the_week_are_coloured_and_have_their_character():
    """Who sees no colours reads the character; who hovers reads the words."""
    html = mail(material([domain("a.example", ".-+#@ ?", sessions=1000)])).html

    for char, words_ in (
        (".", "all worked"),
        ("#", "10 to 50 % failed"),
        ("@", "over half failed"),
    ):
        assert f'title="{words_}' in html
        assert f';">{char}</td>' in html
    assert "&nbsp;</td>" in html


@pytest.mark.parametrize(
    ("total", "shown"),
    [
        (Sum(100, 0, 1), "100 %"),
        (Sum(100, 100, 1), "0 %"),
        (Sum(100, 120, 1), "0 %"),
        (Sum(0, 0, 1), "100 %"),
        (Sum(), "-"),
        (Sum(1000, 3, 1), "99.7 %"),
        (Sum(1_000_000, 3, 1), "99.9 %"),
        (Sum(1000, 997, 1), "0.3 %"),
        (Sum(1_000_000, 999_999, 1), "0.1 %"),
        (Sum(200, 19, 1), "90 %"),
    ],
)
def test_worked_is_never_all_or_nothing_where_it_was_not(total: Sum, shown: str):
    """One failed session in a million keeps the 100 % away."""
    made = material([domain("a.example", ".....#.", before=total)])

    assert f" {shown}  .....#." in mail(made).text


def test_a_day_is_awaited_only_while_its_report_may_come():
    """A question mark for yesterday's report that comes at noon; a blank once it is overdue."""
    slow = [pair("a.example", delay=30 * HOUR)]
    gone = [pair("a.example", last=MONDAY - 9 * DAY)]

    assert ".....??" == page(material([domain("a.example", ".....", pairs=slow)])).domains[0].cells
    assert ".....  " == page(material([domain("a.example", ".....", pairs=gone)])).domains[0].cells


def test_a_week_without_a_report_is_not_all_well():
    """No news of broken TLS is no news of working TLS."""
    made = material([domain("a.example", "", pairs=[pair("a.example", last=MONDAY - 9 * DAY)])])
    with_one = material(made.domains.values(), [failure(1, "a.example")])

    text = words(made)

    assert text.startswith("No report came on your 1 domain in 7 days. So nobody knows")
    assert "No report at all in 7 days on a.example." in text
    assert "none since 9 Oct" in text
    assert "TLS week 12-18 Oct: no reports, 1 domain [tlsrpt]" == mail(made).subject
    assert "1 failure is open, and" in words(with_one)


def test_domains_that_nobody_ever_reported_on_are_counted_not_bewailed():
    """A parked domain without reports does not spoil a quiet week, every week."""
    parked = domain("parked.example", "", pairs=())

    some = words(material([domain(), parked]))
    none = words(material([parked]))

    assert "to 1 domain, none failed. Nothing is open." in some
    assert "On 1 more domain nobody reports." in some
    assert none.startswith("Nothing is open. No report has come on your 1 domain yet.")


def test_who_owns_failures_alone_has_no_table_of_domains():
    """A team that runs an MX reads what failed there, not whose domains there are."""
    text = words(material([], [failure()]))

    assert "YOUR DOMAINS" not in text
    assert "HOW YOU STAND" not in text
    assert text.startswith("1 failure is open, and senders hold up mail because of it. OPEN")


def test_an_owner_of_nothing_has_an_empty_page():
    """Nobody's page says that all is well, for want of anything to say."""
    made = page(material(), ANA)

    assert made.is_empty
    assert "All well: nothing of yours fails." in words(material(), ANA)
    assert (
        "TLS week 12-18 Oct: all well [tlsrpt]"
        == mail(material(), ANA, owns=False, operator=False).subject
    )


def test_habits_of_reporters_are_said():
    """Who reports how often and how late tells what a missing report means."""
    name_ = "a.example"
    pairs = [
        pair(name_),
        pair(name_, "Microsoft", days=20, delay=50 * HOUR),
        pair(name_, "Mail.ru", days=12, delay=10),
        pair(name_, "Rare", days=2),
        pair(name_, "New", days=3, first=MONDAY - 3 * DAY),
        pair(name_, "Spotty", days=2, first=MONDAY - 6 * DAY),
    ]

    lines = mail(material([domain(name_, "#......", pairs=pairs)])).text

    assert "Google     every day, about 12 h after it ends" in lines
    assert "Microsoft  most days, about 2 days after it ends" in lines
    assert "Mail.ru    about 3 days a week, at the end of the day" in lines
    assert "New        new, since 16 Oct, about 12 h after it ends" in lines
    assert "2 others   now and then" in lines


def test_one_rare_reporter_is_another():
    """Even a single stranger is said to be there."""
    pairs = [pair("a.example"), pair("a.example", "Rare", days=2)]

    assert "another now and then" in words(material([domain("a.example", "#", pairs=pairs)]))


def test_standing_is_what_reports_quote():
    """Modes and DANE as senders saw them, and the next step where they say that it is safe."""
    made = material(
        [
            domain("enforce.example", "#......"),
            domain(
                "ready.example",
                pairs=[pair("ready.example", policies=(("sts", "testing"),), sessions=9120)],
            ),
            domain(
                "soon.example", pairs=[pair("soon.example", policies=(("sts", "testing"),), days=3)]
            ),
            domain("dane.example", pairs=[pair("dane.example", policies=(("tlsa", None),))]),
            domain("bare.example", pairs=[pair("bare.example", policies=())]),
            domain("odd.example", pairs=[pair("odd.example", policies=(("sts", "mad"),))]),
            domain("mute.example", pairs=[pair("mute.example", policies=(("sts", None),))]),
        ]
    )

    text = words(made)

    assert "MTA-STS enforce enforce.example MTA-STS testing ready.example, soon.example" in text
    assert "MTA-STS not quoted mute.example MTA-STS other odd.example neither bare.example" in text
    assert "DANE dane.example" in text
    assert "Next step: ready.example looks ready for enforce. In four weeks none of 9,120" in text
    assert "soon.example looks ready" not in text


def test_a_mode_that_senders_cannot_learn_is_marked():
    """A policy that cannot be fetched stands beside its failure's number."""
    made = material([domain("a.example"), domain("b.example")], [fetch(21, "a.example")])

    assert "MTA-STS enforce a.example (see 21), b.example" in words(made)


def test_the_newest_report_says_which_mode_is_in_force():
    """A sender that still holds an old policy does not turn the clock back."""
    pairs = [
        pair("a.example", "Old", policies=(("sts", "testing"),), last=MONDAY - DAY),
        pair("a.example", "New", policies=(("tlsa", None), ("sts", "enforce"))),
    ]

    assert "enforce" == page(material([domain("a.example", pairs=pairs)])).domains[0].mode


def test_many_domains_are_the_worst_twenty_and_a_table():
    """From 30 domains on the mail has the worst, the attachment all; nothing is a formula."""
    made = [domain(f"d{number}.example") for number in range(40)]
    odd = domain("=cmd.example", "@......", sessions=1000)

    raw = mail(material([*made, odd])).raw

    message = message_from_bytes(raw, policy=policy.default)
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    (attached,) = message.iter_attachments()
    rows = list(csv.reader(io.StringIO(attached.get_content())))
    assert "and 21 more: see the attached domains.csv" in text
    assert "MTA-STS enforce  41 of 41" in text
    assert 42 == len(rows)
    assert ["'=cmd.example", "7000", "900", "1000", "0"] != rows[1]
    assert "'=cmd.example" == rows[1][0]
    assert "over-half-failed" == rows[1][5]
    assert "day_2026-10-12" == rows[0][5]


def test_twenty_nine_domains_are_all_in_the_mail():
    """Below thirty nothing is left out, and nothing is attached."""
    raw = mail(material([domain(f"d{at}.example", "#") for at in range(29)])).raw

    assert b"domains.csv" not in raw
    assert 29 == raw.split(b"text/html")[0].count(b"\n  d")


def test_silence_is_told_with_the_domains_it_is_about():
    """Who stopped, on what, since when; and who began again."""
    made = material(
        [domain("a.example"), domain("b.example")],
        silences=(
            Silence(reporter="Google", domains=("a.example",), last=MONDAY - 10 * DAY),
            Silence(reporter="Google", domains=("b.example",), last=MONDAY - 9 * DAY),
            Silence(
                reporter="Microsoft", domains=("a.example",), last=MONDAY - DAY, resumed_at=FIRE
            ),
        ),
    )

    text = words(made)

    assert "Google has stopped reporting on a.example and b.example" in text
    assert "its last report is about 9 Oct." in text
    assert "Microsoft reports again on a.example, since 19 Oct." in text
    assert not page(made).is_empty


def test_old_silence_is_no_reason_to_write():
    """A reporter that is gone for good does not make a mail of every quiet week."""
    gone = Silence(reporter="Google", domains=("a.example",), last=MONDAY - 30 * DAY)

    assert page(material([domain("a.example")], silences=(gone,))).is_empty


def test_an_answer_is_asked_for_where_something_is_open():
    """By mail where answers arrive, on the server in any case."""
    two = digest(material([domain()], [failure(), fetch()]))
    one = digest(material([domain()], [failure()]))
    none = digest(material([domain()]))

    by_mail = " ".join(rendered(two, reply_to="tlsrpt+ack-x@example.com").text.split())

    assert 'Answer this mail with "ack 17" or "ack all", fixed, mute 7d or assign.' in by_mail
    assert 'Answer this mail with "ack 17", fixed' in " ".join(
        rendered(one, reply_to="tlsrpt+ack-x@example.com").text.split()
    )
    assert "Answer this mail" not in rendered(one).text
    assert "tlsrpt-mailer failures ack 17" in rendered(one).text
    assert "WHO HAS IT?" not in rendered(none).text
    assert (17, 21) == two.failures


def test_the_footer_says_when_the_next_one_comes_and_why_this_one_came():
    """Whoever wants less knows which key to turn."""
    made = material([domain()])
    planned = words(made, rhythm="Weekly, Mondays at 07:00 (UTC)")
    team = words(made, why="platform")

    assert "Weekly, Mondays at 07:00 (UTC). This mail also tells you" in planned
    assert "You get this because alerts.to names you." in planned
    assert "You get this as an owner (platform)." in team
    assert "Weekly" not in team


def test_the_colour_is_that_of_the_worst_open_failure():
    """A glance at the bar tells critical from warning from nothing."""
    assert "DIGEST: CRITICAL" == drawn(digest(material([domain()], [fetch(), failure()]))).label
    assert "DIGEST: WARNING" == drawn(digest(material([domain()], [fetch()]))).label
    assert "DIGEST" == drawn(digest(material([domain("a.example", "#")]))).label
    assert "ALL WELL" == drawn(digest(material([domain()]))).label


def test_filters_read_a_header():
    """A filter sorts quiet digests away without reading a word."""
    assert b"X-TLSRPT-Mailer: event=digest; open=0; empty=yes" in mail(material([domain()])).raw
    assert b"event=digest; open=1; empty=no" in mail(material([domain()], [failure()])).raw


def test_one_recipient_and_moment_have_one_message_id():
    """A digest that is made twice is recognised; another's, or the next week's, is another."""
    first = mail(material([domain()])).message_id

    assert first == name(POST, FIRE, CONTEXT)
    assert first == mail(material([domain()], [failure()])).message_id
    assert first != name(ANA, FIRE, CONTEXT)
    assert first != name(POST, FIRE + 7 * DAY, CONTEXT)


def test_other_rhythms_are_no_week():
    """A daily digest looks at the last seven days as well; a monthly one at the month."""
    daily = Period(FIRE - DAY, FIRE)
    monthly = Period(FIRE - 30 * DAY, FIRE)
    yearly = Period(FIRE - 365 * DAY, FIRE)

    assert "TLS digest 12-18 Oct: all well" in mail(material([domain()], period=daily)).subject
    assert "TLS digest 19 Sep - 18 Oct:" in mail(material([domain()], period=monthly)).subject
    assert (7, 7, 30, 35) == (WEEK.days, daily.days, monthly.days, yearly.days)
    assert WEEK.week == monthly.week
    assert directory().default.addresses == (POST,)


def test_a_cause_is_in_maintenance_only_where_all_of_it_is():
    """Maintenance of one domain does not hide that nobody answers for the others."""
    quiet = {"is_quiet": True, "maintenance": 1, "cause": 1}
    rest = [failure(2, "brand.example", cause=1), failure(3, "pay.shop.example", cause=1)]
    muted = [failure(at, f"d{at}.example", state="muted", **quiet) for at in (1, 2)]

    some = words(material(failures=[failure(1, "shop.example", failed=900, **quiet), *rest]))
    every = words(material(failures=[failure(at, f"d{at}.example", **quiet) for at in (1, 2)]))
    silent = words(material(failures=muted))

    assert (
        "unanswered for 2 days at brand.example and pay.shop.example,"
        " in maintenance 1 at shop.example mend:" in some
    )
    assert "at d1.example and d2.example, in maintenance 1" in every
    assert "unanswered" not in every
    assert "mend:" not in every
    assert "at d1.example and d2.example, muted" in silent
    assert "maintenance" not in silent


def test_a_domain_with_two_answers_is_told_apart_by_number():
    """Of two failures of one cause at one domain, one acknowledged leaves one to answer."""
    said = Answer(kind="ack", who=ANA, at=FIRE - 3 * DAY)
    ben = Answer(kind="assign", who=ANA, at=FIRE, assignee=BEN)
    made = [
        failure(1, cause=1, state="acknowledged", answer=said),
        failure(2, cause=1, assigned=ben),
        failure(3, cause=1, told_at=None),
    ]

    text = words(material(failures=made))

    assert (
        "not mailed yet (3), assigned to ben@other.example, unanswered for 2 days (2),"
        " acknowledged by ana@example.com on 16 Oct (1)" in text
    )


def test_who_owns_no_domain_is_told_of_none():
    """A team that runs MX hosts has no count of domains in its subject."""
    assert "TLS week 12-18 Oct: 1 open [tlsrpt]" == mail(material(failures=[failure()])).subject


def test_only_whom_it_waits_for_is_asked_for_an_answer():
    """A failure that was handed to somebody asks him, not the others who read of it."""
    handed = Answer(kind="assign", who=ANA, at=FIRE, assignee="Ben@Other.Example")
    made = material(failures=[failure(1, assigned=handed)])

    assert "WHO HAS IT?" not in words(made)
    assert "failures ack 1" in words(made, BEN, directory({BEN: ["b.example"]}))
    assert "failures ack 2" in words(material(failures=[*made.failures, failure(2)]))
