"""The operator's page: over all domains, by cause, group and recipient."""

import pytest

from tests.alerts.digests import (
    ANA,
    BEN,
    FIRE,
    MONDAY,
    POST,
    digest,
    directory,
    domain,
    drawn,
    failure,
    fetch,
    mail,
    material,
    pair,
    rendered,
    words,
)
from tlsrpt_mailer.alerts.digest_model import AnswerTime, Intake, Material
from tlsrpt_mailer.alerts.directory import Directory
from tlsrpt_mailer.alerts.model import Answer
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE

ROOT = "root@mail.example.com"


def read(made: Material, whose: Directory | None = None) -> str:
    """The operator's page alone."""
    return words(made, ROOT, whose, operator=True, owns=False)


def test_the_first_line_counts_what_is_critical_and_unanswered():
    """The operator learns first how much is on fire, and how much of it nobody has."""
    said = Answer(kind="ack", who=ANA, at=FIRE)
    mine = failure(1, state="acknowledged", answer=said)

    one = read(material(failures=[failure(1)]))
    some = read(material(failures=[mine, failure(2), failure(3, told_at=None)]))
    none = read(material(failures=[fetch(), failure(5, severity="notice")]))
    had = read(material(failures=[mine]))
    each = read(material(failures=[mine, failure(2, state="fixed?", answer=said, result_type="x")]))
    untold = read(material(failures=[failure(1, told_at=None)]))

    assert one.startswith("1 critical failure is open, without an answer for 2 days.")
    assert some.startswith("3 critical failures are open, 2 of them without an answer for 2 days.")
    assert none.startswith("No critical failure is open, but 1 warning and 1 notice.")
    assert had.startswith("1 critical failure is open; somebody has it.")
    assert each.startswith("2 critical failures are open; somebody has each of them.")
    assert untold.startswith("1 critical failure is open, without an answer.")
    assert read(material()).startswith("No critical failure is open.")


def test_causes_are_a_line_each_with_who_has_them():
    """Twenty-one domains behind one certificate are one line, with its number and its keeper."""
    ana = Answer(kind="ack", who=ANA, at=MONDAY - 5 * DAY)
    ben = Answer(kind="assign", who=ANA, at=FIRE, assignee=BEN)
    made = material(
        failures=[
            *(failure(at, f"d{at}.example", cause=41) for at in range(41, 62)),
            failure(77, cause=77, mx="mx2.example.net", state="acknowledged", answer=ana),
            failure(78, cause=78, mx="mx3.example.net", assigned=ben),
            failure(79, cause=79, mx="mx4.example.net", state="muted"),
            failure(80, cause=80, mx="mx5.example.net", is_quiet=True),
            fetch(81),
        ]
    )

    text = mail(made, ROOT, operator=True, owns=False).text

    assert "41  certificate expired on mx1.example.com\n" in text
    assert "21 domains, since 14 Oct; NOBODY has it\n" in text
    assert "1 domain, since 14 Oct; acknowledged by ana@example.com on 14 Oct\n" in text
    assert "1 domain, since 14 Oct; assigned to ben@other.example\n" in text
    assert "1 domain, since 14 Oct; muted\n" in text
    assert "1 domain, since 14 Oct; in maintenance\n" in text
    assert text.startswith("25 critical failures of 5 causes are open, 1 cause without an answer")
    assert "and 1 warning: tlsrpt-mailer failures" in text


def test_a_cause_that_is_answered_in_part_says_where_nobody_has_it():
    """Maintenance of one domain does not hide a critical failure at another."""
    quiet = failure(1, "shop.example", cause=1, failed=900, is_quiet=True, maintenance=1)
    alone = failure(2, "brand.example", cause=1)

    one = read(material(failures=[quiet, alone]))
    two = read(material(failures=[quiet, alone, failure(3, "x.example", mx="mx3.example")]))

    assert one.startswith("2 critical failures are open, 1 of them without an answer for 2 days.")
    assert (
        "2 domains, since 14 Oct; NOBODY has it at brand.example, in maintenance at shop.example"
        in one
    )
    assert two.startswith("3 critical failures of 2 causes are open, 2 of them without an answer")


def test_many_causes_are_cut():
    """The twenty worst, and how many more."""
    made = material(failures=[failure(at, mx=f"mx{at}.example") for at in range(1, 26)])

    text = read(made)

    assert 20 == text.count("certificate expired")
    assert "and 5 more causes: tlsrpt-mailer failures" in text


def test_coverage_is_by_group():
    """Which part of the fleet reports, and how far its policies have come, as reports tell."""
    whose = directory({ANA: ["*.a.example"]}, group="retail")
    dane = [pair("y.a.example", policies=(("tlsa", None),))]
    testing = [pair("b.example", policies=(("sts", "testing"),))]
    made = material(
        [
            domain("x.a.example"),
            domain("y.a.example", pairs=dane),
            domain("z.a.example", "", pairs=()),
            domain("b.example", pairs=testing),
            domain("c.example", pairs=[pair("c.example", policies=(("sts", "none"),))]),
        ]
    )

    lines = mail(made, ROOT, whose, operator=True, owns=False).text.splitlines()

    rows = [line.split() for line in lines if " %" in line]
    assert ["retail", "3", "67", "%", "33", "%", "33", "%", "33", "%"] == rows[0]
    assert ["(no", "group)", "2", "100", "%", "50", "%", "0", "%", "0", "%"] == rows[1]
    assert ["together", "5", "80", "%", "40", "%", "20", "%", "20", "%"] == rows[2]


def test_without_groups_there_is_one_line():
    """A fleet without groups is not told that it has none."""
    text = read(material([domain()]))

    assert "COVERAGE" in text
    assert "no group" not in text
    assert "COVERAGE" not in read(material())


def test_nobodys_domains_are_named_where_others_have_owners():
    """A domain without an owner, or whose owner's address bounces, is somebody's to find."""
    whose = directory({ANA: ["a.example"], BEN: ["b.example"]})
    made = material(
        [domain("a.example"), domain("b.example"), domain("c.example")], refused=frozenset({BEN})
    )

    text = read(made, whose)

    assert "NOBODY'S: 2 domains no owner, or the relay refuses the owner's address" in text
    assert "b.example and c.example." in text
    assert "NOBODY'S" not in read(made)
    assert "NOBODY'S" not in read(material([domain("a.example")]), whose)


def test_the_intake_is_counted():
    """What came in, what could not be read, and what waits."""
    full = Intake(
        mails={"stored": 40_977, "duplicate": 204, "quarantined": 8},
        waiting=12,
        trouble=("imap:tlsrpt@imap.example.com",),
        last_report=FIRE - HOUR,
    )

    text = read(material(intake=full))

    assert text.startswith("1 source of reports in trouble now. No critical failure is open.")
    assert (
        "41,189 mails: 40,977 with reports stored, 204 seen before, 8 unreadable. 12 mails not"
        " read yet. In trouble now: imap:tlsrpt@imap.example.com" in text
    )
    assert "The last report came today at 06:00Z (1 h ago)." in text
    assert "1 mail, with reports stored." in read(material(intake=Intake(mails={"stored": 1})))
    assert "2 mails, all seen before." in read(material(intake=Intake(mails={"duplicate": 2})))
    assert "No mail came in." in read(material())
    held = read(material(intake=Intake(mails={"held": 3, "stored": 1})))
    assert "1 with reports stored, 3 held. Why, and what helps: tlsrpt-mailer reports" in held


@pytest.mark.parametrize(
    ("spans", "says"),
    [
        ([24 * MINUTE], "24 min (critical)"),
        ([30 * MINUTE, 30 * HOUR], "15 h (critical)"),
        ([9 * HOUR, 10 * HOUR, 11 * HOUR], "10 h (critical)"),
        ([DAY + 14 * HOUR], "1 day 14 h (critical)"),
        ([2 * DAY], "2 days (critical)"),
    ],
)
def test_answers_take_a_median(spans, says: str):
    """One failure that lay over a holiday does not spoil the figure."""
    made = material(answered=tuple(AnswerTime(severity="critical", after=one) for one in spans))

    assert f"Answered after a median of {says}." in read(made)


def test_both_severities_are_answered_apart_and_the_end_is_counted():
    """Critical failures are to be answered sooner, so they are counted for themselves."""
    times = (
        AnswerTime(severity="warning", after=9 * HOUR),
        AnswerTime(severity="critical", after=24 * MINUTE),
        AnswerTime(severity="notice", after=1),
    )
    over = failure(3, state="resolved", ended_at=FIRE, told_at=FIRE - 38 * HOUR)

    text = read(material(failures=[over], answered=times))

    assert "Answered after a median of 24 min (critical), 9 h (warning)." in text
    assert "Known to be over after a median of 1 day 14 h." in text


def test_alerts_are_counted_by_recipient():
    """Who gets most of the mail is the one to talk to."""
    made = material(mails={ANA: 7, BEN: 54})

    assert "61 alerts to 2 recipients; most to ben@other.example (54)." in read(made)
    assert "No alert went out." in read(material())


def test_who_is_operator_and_owner_reads_one_mail():
    """The operator's page in front, his own domains behind, and one subject."""
    whose = directory({ANA: ["a.example"]})
    made = material([domain()], [failure(17), failure(18, "a.example")])

    one = digest(made, POST, whose, operator=True)
    text = " ".join(rendered(one).text.split())

    assert "TLS week 12-18 Oct, operator: 1 domain, 2 critical [tlsrpt]" == rendered(one).subject
    assert text.index("OPEN BY CAUSE") < text.index("YOUR OWN DOMAINS") < text.index("MTWTFSS")
    assert "DIGEST: CRITICAL" == drawn(one).label
    assert (17,) == one.failures


def test_what_is_open_is_listed_once_and_first():
    """Who owns all that is open reads his own list, which says more, before the figures."""
    made = material([domain()], [failure(17)])

    text = words(made, POST, operator=True)

    assert "OPEN BY CAUSE" not in text
    assert text.index("17 CRITICAL") < text.index("COVERAGE") < text.index("YOUR OWN DOMAINS")


def test_the_operator_alone_answers_for_nothing():
    """His page names no failure to be answered by a word: they are all the owners'."""
    one = digest(material([domain()], [failure()]), ROOT, operator=True, owns=False)

    assert () == one.failures
    assert "You get this because alerts.operator names you." in rendered(one).text
    assert "none critical" in mail(material(), ROOT, operator=True, owns=False).subject


@pytest.mark.parametrize(
    ("more", "empty"),
    [
        ({}, True),
        ({"failures": [fetch()]}, False),
        ({"failures": [failure()]}, False),
        ({"intake": Intake(mails={"quarantined": 1})}, False),
        ({"intake": Intake(trouble=("imap:x",))}, False),
        ({"failures": [failure(severity="low")]}, True),
    ],
)
def test_an_operators_page_is_empty_where_nobody_must_do_anything(more, empty: bool):
    """when_empty = "skip" keeps quiet only where there is nothing to do."""
    assert empty == digest(material(**more), ROOT, operator=True, owns=False).is_empty
