"""What our own look at an MX host says of a failure that senders report there."""

import pytest

from tests.failures.builders import GOOGLE, SMALL, failing, judged, on, row, window
from tlsrpt_mailer.failures.findings import CONFIRMED, judge_findings
from tlsrpt_mailer.failures.model import Identity, Spell, Verdict
from tlsrpt_mailer.failures.probed import (
    EXPIRED,
    HANDSHAKE,
    MISMATCH,
    NO_STARTTLS,
    OLD_TLS,
    OTHER_NAME,
    TROUBLE,
    UNCOVERED,
    UNREACHABLE,
    UNTRUSTED,
    is_same_trouble,
    told_once,
    with_probe,
)
from tlsrpt_mailer.report.times import HOUR, Time

MX = "mx1.example.com"
NOW = on(2)


def spell(code: str = EXPIRED, mx: str | None = MX, **more: object) -> Spell:
    """A confirmed finding that is there since day 0."""
    fields = {
        "code": code,
        "mx": mx,
        "severity": "critical",
        "clean_at": None,
        "first_at": on(0),
        "last_at": NOW,
        "looks": CONFIRMED,
        "critical_at": None,
        "facts": {},
    }
    return Spell(**(fields | more))  # type: ignore[arg-type]


def left(verdict: Verdict, *spells: Spell, at: Time = NOW, host: str = MX) -> Verdict:
    """*verdict* after a look at *host*."""
    (found,) = with_probe([verdict], spells, {host: at})
    return found


CRITICAL = judged([failing(0)], NOW)
LOW = judged([window(0, SMALL, row(1), good=5)], NOW)
"""One session at a reporter without standing."""


def test_what_looks_mended_wakes_nobody() -> None:
    """A sender speaks of yesterday: where the host is well now, critical becomes a warning."""
    found = left(CRITICAL)

    assert ("critical", "warning", NOW) == (CRITICAL.severity, found.severity, found.mended_at)


def test_a_look_before_the_senders_last_sight_mends_nothing() -> None:
    """What was well before it was seen failing proves nothing."""
    assert CRITICAL is left(CRITICAL, at=CRITICAL.last_seen - 1)
    assert "warning" == left(CRITICAL, at=CRITICAL.last_seen).severity


@pytest.mark.parametrize("code", sorted(TROUBLE))
def test_any_trouble_at_the_host_keeps_it_critical(code: str) -> None:
    """Even another trouble than the sender's: nobody says "mended" of a host that is not well."""
    assert CRITICAL is left(CRITICAL, spell(code))
    assert UNREACHABLE in TROUBLE, "who does not answer has shown nothing that is mended"


def test_an_mx_that_the_policy_does_not_list_is_not_mended_by_a_good_certificate() -> None:
    """What the host shows is well, and senders refuse it all the same."""
    assert CRITICAL is left(CRITICAL, spell(UNCOVERED))


def test_trouble_that_is_over_or_elsewhere_does_not() -> None:
    """Only what is open, at this very host, and about what it shows."""
    for other in (
        spell(ended_at=NOW),
        spell(mx="mx2.example.com"),
        spell(mx=None),
        spell("mx-certificate-expiring"),
    ):
        assert "warning" == left(CRITICAL, other).severity


def test_a_host_that_nobody_looked_at_changes_nothing() -> None:
    """Not where probing is off, not where only another host was seen, not without an MX."""
    assert [CRITICAL] == with_probe([CRITICAL], [], {})
    assert CRITICAL is left(CRITICAL, host="mx2.example.com")
    fetch = judged(
        [window(0, GOOGLE, row(9, "validation-failure", None))],
        NOW,
        identity=Identity("example.com", "sts", "validation-failure", None),
    )
    assert fetch is left(fetch)


def test_what_is_over_stays_as_it_was() -> None:
    """The mail on its end speaks of the severity that it had."""
    over = judged([failing(0), window(1), window(2), window(3)], on(4))
    assert ("resolved", "critical") == (over.state, over.severity)

    assert over is left(over, at=on(4))


def test_one_session_that_the_probe_confirms_is_no_accident() -> None:
    """What would wait for a second witness has one: the host itself."""
    assert "low" == LOW.severity

    assert "critical" == left(LOW, spell()).severity


@pytest.mark.parametrize(("good", "severity"), [(1, "warning"), (2, "notice")])
def test_without_a_policy_it_weighs_by_the_share_that_failed(good: int, severity: str) -> None:
    """From half of the sessions on."""
    identity = Identity("example.com", "no-policy-found", "certificate-expired", MX)
    rows = row(1, policy="no-policy-found")
    one = judged(
        [window(0, SMALL, rows, good=good, mode=None, policy="no-policy-found")],
        NOW,
        identity=identity,
    )

    assert "low" == one.severity
    assert severity == left(one, spell()).severity


@pytest.mark.parametrize(
    "other",
    [
        spell(NO_STARTTLS),
        spell(looks=CONFIRMED - 1),
        spell(last_at=LOW.first_seen - HOUR),
        spell(ended_at=NOW),
    ],
    ids=["another trouble", "seen once", "before", "over"],
)
def test_nothing_else_confirms_it(other: Spell) -> None:
    """Another trouble, a single look, or one from before."""
    assert LOW is left(LOW, other)


@pytest.mark.parametrize(("reason", "severity"), [("sender-side", "low"), ("generic", "critical")])
def test_a_fault_of_the_senders_own_network_is_not_confirmed(reason: str, severity: str) -> None:
    """Where all reasons speak of the sender's side, ours is not the host that is ill."""
    own = judged(
        [window(0, SMALL, row(1, "validation-failure", reasons=[reason]), good=5)],
        NOW,
        identity=Identity("example.com", "sts", "validation-failure", MX),
    )

    assert "low" == own.severity
    assert severity == left(own, spell()).severity


# ------------------------------------------------------------------- one trouble, one mail

LATER = CRITICAL.first_received
"""A look when reports of it had come."""


def severity_of(found: Spell, reported: Verdict = CRITICAL) -> str:
    """What is left of a finding beside what senders report of the same domain."""
    verdicts = judge_findings("example.com", [found], {}, NOW)
    (one,) = told_once(verdicts, [reported])
    return one.severity


def test_what_senders_report_already_is_mailed_once() -> None:
    """One expired certificate is one mail, and one answer to it is enough."""
    assert "low" == severity_of(spell(first_at=LATER))


@pytest.mark.parametrize(
    ("found", "reported"),
    [
        (spell(first_at=LATER - 1), CRITICAL),
        (spell(OTHER_NAME, first_at=LATER), CRITICAL),
        (spell(mx="mx2.example.com", first_at=LATER), CRITICAL),
        (spell(first_at=LATER), LOW),
        (spell(first_at=on(4)), judged([failing(0), window(1), window(2), window(3)], on(4))),
    ],
    ids=["it was found first", "another trouble", "another host", "nobody is told", "it is over"],
)
def test_it_is_told_where_no_mail_of_senders_speaks_of_it(found: Spell, reported: Verdict) -> None:
    """No failure keeps it back that is another, that is over, or that nobody hears of."""
    assert "critical" == severity_of(found, reported)


@pytest.mark.parametrize(
    ("result", "codes"),
    [
        ("starttls-not-supported", {NO_STARTTLS}),
        ("certificate-expired", {EXPIRED}),
        ("certificate-host-mismatch", {OTHER_NAME}),
        ("certificate-not-trusted", {UNTRUSTED}),
        ("tlsa-invalid", {MISMATCH}),
        (
            "validation-failure",
            {NO_STARTTLS, HANDSHAKE, EXPIRED, OTHER_NAME, UNTRUSTED, OLD_TLS, MISMATCH},
        ),
        ("dnssec-invalid", set()),
        ("sts-policy-fetch-error", set()),
        ("never-heard-of", set()),
    ],
)
def test_what_senders_call_what_the_probe_finds(result: str, codes: set[str]) -> None:
    """It is "the same trouble" only where it is; not to reach a host from here never is."""
    assert codes == {code for code in TROUBLE if is_same_trouble(result, code)}
    assert UNREACHABLE not in codes
