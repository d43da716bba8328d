"""Where a domain stands, from the last look at it and from the reports about it."""

import pytest

from tests.domains.looks import answer, host, seen
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.inventory import (
    GAPS,
    WORST_FIRST,
    Heard,
    Standing,
    State,
    Summary,
    standing,
    summary,
)
from tlsrpt_mailer.domains.seen import Answer, Page, Seen
from tlsrpt_mailer.report.times import DAY, Time

NOW: Time = 1_795_435_200


def found(*codes: str, mx: str | None = None) -> list[Finding]:
    return [Finding(code=code, weight="notice", mx=mx) for code in codes]


# -------------------------------------------------------------------- standing


def heard(**facts: object) -> Standing:
    return standing(Heard(**facts), NOW)  # type: ignore[arg-type]  # each is of Heard


@pytest.mark.parametrize(
    ("facts", "state", "since"),
    [
        ({}, "unknown", None),
        ({"record": "none", "record_at": NOW - DAY}, "no-record", NOW - DAY),
        ({"record": "broken", "record_at": NOW - DAY}, "record-broken", NOW - DAY),
        ({"record": "elsewhere", "record_at": NOW - DAY}, "record-broken", NOW - DAY),
        ({"record": "right", "record_at": NOW - DAY}, "published", NOW - DAY),
        ({"record": "unneeded", "record_at": NOW - DAY}, "no-mail", NOW - DAY),
        (
            {"record": "right", "first_report": NOW - 2 * DAY, "last_report": NOW - DAY},
            "first-report",
            NOW - 2 * DAY,
        ),
        (
            {"record": "right", "first_report": NOW - 7 * DAY, "last_report": NOW - DAY},
            "reporting",
            NOW - 7 * DAY,
        ),
        (
            {"first_report": NOW - 7 * DAY + 1, "last_report": NOW - DAY},
            "first-report",
            NOW - 7 * DAY + 1,
        ),
        ({"last_report": NOW - 7 * DAY - 1}, "reporting", NOW - 7 * DAY - 1),
        ({"last_report": NOW - 35 * DAY + 1}, "reporting", NOW - 35 * DAY + 1),
        (
            {"record": "right", "last_report": NOW - 9 * DAY, "silent_since": NOW - 9 * DAY},
            "silent",
            NOW - 9 * DAY,
        ),
        (
            {"first_report": NOW - 99 * DAY, "last_report": NOW - 35 * DAY},
            "silent",
            NOW - 35 * DAY,
        ),
        # What explains the silence comes before it.
        (
            {"record": "none", "last_report": NOW - 9 * DAY, "silent_since": NOW - 9 * DAY},
            "no-record",
            None,
        ),
    ],
)
def test_the_way_of_a_domain(facts: dict[str, object], state: State, since: Time | None) -> None:
    """No record, record broken, published, first report, reporting, silent: with dates."""
    assert (state, since) == (heard(**facts).state, heard(**facts).since)


def test_each_state_says_why() -> None:
    """A record that is gone is told from one that never was, a foreign one from a broken one."""
    why = [
        heard(record="none").why,
        heard(record="none", last_report=NOW).why,
        heard(record="unneeded").why,
        heard(record="broken").why,
        heard(record="elsewhere").why,
        heard(record="right", last_report=NOW, first_report=0).why,
        heard(last_report=NOW, first_report=0).why,
    ]

    assert [
        "it publishes no TLSRPT record",
        "its TLSRPT record is gone",
        "it takes no mail, so it needs no record",
        "senders ignore its record",
        "its record sends the reports to somebody else",
        "reports come in, its record is right",
        "reports come in, its record was not looked up",
    ] == why


def test_gaps_are_the_worst_states() -> None:
    """What nobody learns anything of stands at the top of the listing."""
    assert ("no-record", "record-broken", "silent") == WORST_FIRST[:3]
    assert set(WORST_FIRST[:3]) == GAPS
    assert set(State.__args__) == set(WORST_FIRST)


# --------------------------------------------------------------------- summary

POLICY = "version: STSv1\nmode: {}\nmx: mx1.example.com\nmax_age: 86400\n"


def with_policy(mode: str) -> Seen:
    return seen(
        sts=answer("v=STSv1; id=20261012;"), page=Page(kind="found", text=POLICY.format(mode))
    )


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        ((), "right"),
        (("tlsrpt-risky",), "right"),
        (("tlsrpt-missing",), "none"),
        (("tlsrpt-gone",), "none"),
        (("tlsrpt-misplaced",), "none"),
        (("tlsrpt-invalid",), "broken"),
        (("tlsrpt-several",), "broken"),
        (("tlsrpt-elsewhere",), "elsewhere"),
    ],
)
def test_what_is_wrong_with_a_record_is_its_state(codes: tuple[str, ...], state: str) -> None:
    """The listing says in a word what `check` says in full."""
    assert state == summary(seen(), found(*codes)).record


def test_a_domain_that_takes_no_mail_needs_no_record() -> None:
    """What `check` has nothing to say of is no gap in the inventory either."""
    parked = Finding(code="tlsrpt-missing", weight="note", facts={"form": "no-mail"})

    assert "unneeded" == summary(seen(), [parked]).record
    assert "no-mail" not in GAPS


def test_an_mx_hosts_record_is_not_the_domains() -> None:
    """What is wrong with the record of an MX host makes no gap of the domain."""
    assert "right" == summary(seen(), found("tlsrpt-missing", mx="mx1.example.com")).record


def test_what_nobody_could_look_up_stays_as_it_was() -> None:
    """DNS that is away for an hour makes no domain look as if it had nothing."""
    silent = Answer("trouble", error="no answer in time")
    dark = seen(record=silent, sts=silent, mx=silent, hosts=())

    assert Summary(record=None, sts=None, sts_id=None, dane=None, mx=None) == summary(dark, [])


@pytest.mark.parametrize(
    ("look", "codes", "state"),
    [
        (seen(), (), "none"),
        (seen(), ("mta-sts-gone",), "none"),
        (with_policy("enforce"), (), "enforce"),
        (with_policy("testing"), (), "testing"),
        (with_policy("none"), ("mta-sts-none",), "off"),
        (with_policy("enforce"), ("mta-sts-policy-invalid",), "broken"),
        (with_policy("enforce"), ("mta-sts-record-several",), "broken"),
        (with_policy("enforce"), ("mta-sts-uncovered-mx",), "enforce"),
    ],
)
def test_the_state_of_mta_sts(look: Seen, codes: tuple[str, ...], state: str) -> None:
    """The mode that senders find, or that they find nothing they can use."""
    assert state == summary(look, found(*codes)).sts


def test_the_id_of_the_policy_is_kept() -> None:
    """Whoever compares two looks sees that it was raised."""
    assert "20261012" == summary(with_policy("enforce"), []).sts_id


TLSA = "3 1 1 " + "ab" * 32


@pytest.mark.parametrize(
    ("tlsa", "secure_mx", "codes", "state"),
    [
        ((Answer("absent"), Answer("absent")), True, (), "none"),
        ((answer(TLSA, secure=True), answer(TLSA, secure=True)), True, (), "full"),
        ((answer(TLSA, secure=True), Answer("absent", secure=True)), True, (), "partial"),
        ((answer(TLSA, secure=False), answer(TLSA, secure=True)), True, (), "unsigned"),
        ((answer(TLSA, secure=True), answer(TLSA, secure=True)), False, (), "unsigned"),
        ((answer(TLSA), answer(TLSA, secure=True)), None, (), "unknown"),
        ((answer(TLSA, secure=True), Answer("trouble")), True, (), None),
        ((answer(TLSA, secure=True), Answer("trouble")), True, ("dane-bogus",), "broken"),
        (
            (answer(TLSA, secure=True), answer(TLSA, secure=True)),
            True,
            ("dane-mismatch",),
            "broken",
        ),
    ],
)
def test_the_state_of_dane(
    tlsa: tuple[Answer, Answer],
    secure_mx: bool | None,
    codes: tuple[str, ...],
    state: str | None,
) -> None:
    """Full only where every MX has records that DNSSEC proves."""
    hosts = tuple(host(f"mx{at}.example.com", tlsa=one) for at, one in enumerate(tlsa, 1))
    mx = answer("10 mx1.example.com", "20 mx2.example.com", secure=secure_mx)

    assert state == summary(seen(mx=mx, hosts=hosts), found(*codes)).dane


def test_an_mx_host_alone_has_a_record_and_nothing_else() -> None:
    """What is looked at of it is its TLSRPT record."""
    look = seen(mx=Answer("absent"), hosts=())

    assert Summary(record="none") == summary(look, found("tlsrpt-missing"), is_host=True)


def test_the_mx_hosts_are_kept_by_preference() -> None:
    """The listing shows them, and finds the MX hosts that need a record of their own."""
    look = seen(hosts=(host("mx2.example.com"), host("mx1.example.com")))

    assert ("mx2.example.com", "mx1.example.com") == summary(look, []).mx
