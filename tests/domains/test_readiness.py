"""Whether a domain is ready for enforce, and for DANE."""

import msgspec
import pytest

from tlsrpt_mailer.domains.inventory import DaneState, StsState
from tlsrpt_mailer.domains.readiness import Counted, Published, Readiness, Row, dane, mta_sts

MX1, MX2 = "mx1.example.com", "mx2.example.com"
TESTING = Published(sts="testing", dane="none")


def day(
    kind: str = "sts",
    good: int = 1_000,
    *rows: Row,
    failed: int | None = None,
    by: str = "google.com",
) -> Counted:
    total = sum(row.sessions for row in rows) if failed is None else failed
    return Counted(by, kind, good, total, rows)


def test_figures_equal_those_computed_by_hand() -> None:
    """
    Three days of two reporters: 1,000 + 12 + 2,000 + 40 under sts, 500 + 5 in the clear, and a
    day under tlsa, which is another look at the same sessions and is left aside.
    """
    found = mta_sts(
        [
            day("sts", 1_000, Row("certificate-expired", MX1, 12)),
            # No policy was had: those 30 were delivered, and would be.
            day(
                "sts",
                2_000,
                Row("sts-policy-fetch-error", None, 30),
                Row("certificate-host-mismatch", MX2, 10),
            ),
            day("no-policy-found", 500, Row("starttls-not-supported", MX1, 5), by="microsoft.com"),
            day("tlsa", 0, Row("tlsa-invalid", MX1, 9_000)),
        ],
        TESTING,
    )

    assert (
        Readiness(
            verdict="not-ready",
            sessions=3_557,
            refused=27,
            hosts=((MX1, 17), (MX2, 10)),
            reporters=2,
            step=f"mend TLS at {MX1} first",
        )
        == found
    )
    assert round(27 / 3_557, 6) == round(found.share, 6)


def test_what_the_summary_counts_and_no_row_explains_is_refused() -> None:
    """A report without details is no reason to believe that all is well."""
    found = mta_sts([day("sts", 100, failed=40)], TESTING)

    assert ("not-ready", 40, ((None, 40),)) == (found.verdict, found.refused, found.hosts)
    assert "mend TLS at the MX (no report names which) first" == found.step


def test_rows_that_add_up_to_more_than_the_summary_count_once() -> None:
    """One session can fail in two ways (RFC 8460, section 4)."""
    rows = (Row("certificate-expired", MX1, 10), Row("certificate-host-mismatch", MX1, 10))

    assert 10 == mta_sts([day("sts", 990, *rows, failed=10)], TESTING).refused


def test_senders_without_the_policy_do_not_make_a_policy_in_testing_ready() -> None:
    """They deliver to any certificate: of their sessions one that is wrong fails nowhere."""
    others = day("no-policy-found", 1_000_000)
    expired = day("sts", 900, Row("certificate-expired", MX1, 100))

    nobody = mta_sts([others], TESTING)
    some = mta_sts([others, expired], TESTING)

    assert ("unknown", "wait for more reports") == (nobody.verdict, nobody.step)
    assert ("not-ready", f"mend TLS at {MX1} first") == (some.verdict, some.step)
    assert (1_001_000, 100) == (some.sessions, some.refused)


@pytest.mark.parametrize(("refused", "verdict"), [(0, "ready"), (1, "ready"), (2, "not-ready")])
def test_one_in_a_thousand_stands_in_nobodys_way(refused: int, verdict: str) -> None:
    """A single broken handshake a month keeps nobody from enforce."""
    rows = (Row("validation-failure", MX1, refused),) if refused else ()

    assert verdict == mta_sts([day("sts", 1_000 - refused, *rows)], TESTING).verdict


@pytest.mark.parametrize(
    ("published", "verdict", "step"),
    [
        (Published(sts="enforce"), "on", "nothing: the policy says enforce"),
        (Published(sts="testing"), "ready", 'set "mode: enforce", with a new id'),
        (Published(sts="none"), "ready", 'publish an MTA-STS policy with "mode: testing"'),
        (Published(sts="off"), "ready", 'publish an MTA-STS policy with "mode: testing"'),
        (Published(), "ready", "see what is published now: tlsrpt-mailer check"),
        (
            Published(sts="broken"),
            "blocked",
            "mend the MTA-STS policy first: tlsrpt-mailer check",
        ),
        (
            Published(sts="testing", uncovered=(MX2,)),
            "blocked",
            f"list {MX2} in the policy, with a new id",
        ),
    ],
)
def test_the_next_step_follows_from_what_is_published(
    published: Published, verdict: str, step: str
) -> None:
    """Reports that are all well do not make a policy right that is wrong now."""
    found = mta_sts([day()], published)

    assert (verdict, step) == (found.verdict, found.step)


def test_what_is_in_force_and_refuses_mail_is_to_be_mended() -> None:
    """Under enforce those sessions were not counted only: their mail waits."""
    found = mta_sts(
        [day("sts", 900, Row("certificate-expired", MX1, 100))], Published(sts="enforce")
    )
    under = dane([day("tlsa", 900, Row("tlsa-invalid", MX2, 100))], Published(dane="full"))

    assert ("on", f"mend what refuses mail at {MX1}: tlsrpt-mailer failures") == (
        found.verdict,
        found.step,
    )
    assert ("on", f"mend what refuses mail at {MX2}: tlsrpt-mailer failures") == (
        under.verdict,
        under.step,
    )


@pytest.mark.parametrize(
    ("sts", "step"),
    [
        ("testing", "wait for more reports"),
        ("none", 'publish an MTA-STS policy with "mode: testing", and wait for reports'),
        (None, "see what is published now: tlsrpt-mailer check"),
    ],
)
def test_few_sessions_tell_nothing(sts: StsState | None, step: str) -> None:
    """Nobody enforces because of 49 sessions, or of none; 50 are enough."""
    few = mta_sts([day("sts", 49)], Published(sts=sts))
    none = mta_sts([], Published(sts=sts))

    assert ("unknown", step) == (few.verdict, few.step)
    assert ("unknown", 0, 0.0) == (none.verdict, none.sessions, none.share)
    assert "ready" == mta_sts([day("sts", 50)], Published(sts=sts)).verdict


HOSTED = Published(
    sts="none", dane="none", run_by={MX1: "Microsoft (admin.microsoft.com, Help & support)"}
)
TELL = "Microsoft (admin.microsoft.com, Help & support)"


def test_where_others_run_the_mx_the_step_is_one_that_can_be_taken() -> None:
    """Nobody publishes TLSA records below outlook.com but Microsoft, nor mends TLS there."""
    bad = [day("sts", 900, Row("certificate-expired", MX1, 100))]
    unsigned = msgspec.structs.replace(HOSTED, dane="unsigned")

    assert (
        f"sign the zone of the domain with DNSSEC, and ask {TELL} for MX with TLSA records"
        == dane([day()], HOSTED).step
    )
    assert (
        f"sign the zone of the domain with DNSSEC; that of its MX is up to {TELL}"
        == dane([day()], unsigned).step
    )
    assert f"tell {TELL} of TLS at {MX1}" == mta_sts(bad, HOSTED).step
    assert f"mend TLS at {MX1} first" == mta_sts(bad, Published(sts="none")).step


def test_dane_needs_starttls_and_no_name_in_the_certificate() -> None:
    """With TLSA 3 1 1 an expired certificate refuses nothing; an MX without STARTTLS does."""
    days = [
        day("sts", 1_000, Row("certificate-expired", MX1, 100)),
        day("no-policy-found", 400, Row("starttls-not-supported", MX2, 20)),
    ]

    found = dane(days, Published(dane="none"))

    assert ("not-ready", 1_520, 20, ((MX2, 20),)) == (
        found.verdict,
        found.sessions,
        found.refused,
        found.hosts,
    )
    assert f"mend STARTTLS at {MX2} first" == found.step


@pytest.mark.parametrize(
    ("state", "verdict", "sessions"),
    [
        ("full", "on", 90),
        ("partial", "blocked", 90),
        ("broken", "blocked", 90),
        ("unsigned", "blocked", 1_000),
        ("none", "ready", 1_000),
        ("unknown", "unknown", 90),
        (None, "ready", 1_000),
    ],
)
def test_where_dane_is_on_its_own_sessions_count(
    state: DaneState | None, verdict: str, sessions: int
) -> None:
    """Who publishes TLSA sees what senders that do DANE have seen; others what they would see."""
    days = [day("sts", 1_000), day("tlsa", 80, Row("tlsa-invalid", MX1, 10))]

    found = dane(days, Published(dane=state))

    assert (verdict, sessions) == (found.verdict, found.sessions)
    assert (10 if sessions == 90 else 0) == found.refused
    if state == "unknown":
        assert "have TLSA records looked up by a resolver that validates: [dns]" == found.step


def test_dane_waits_for_enough_sessions() -> None:
    """As for MTA-STS."""
    assert "unknown" == dane([day("sts", 10)], Published(dane="none")).verdict
