"""What a failure does to mail, and when it is too small to say so at once."""

import pytest

from tests.failures.builders import (
    GOOGLE,
    MICROSOFT,
    SMALL,
    failing,
    judged,
    on,
    row,
    story,
    window,
)
from tlsrpt_mailer.failures.model import Identity, Sessions, Window
from tlsrpt_mailer.failures.severity import row_severity
from tlsrpt_mailer.report.result_types import RESULT_TYPES

NEGOTIATION = [name for name, kind in RESULT_TYPES.items() if kind.family == "negotiation"]
POLICY = [name for name, kind in RESULT_TYPES.items() if kind.family == "MTA-STS"]
GENERAL = [*NEGOTIATION, "validation-failure", "unspecified", "never-heard-of"]


@pytest.mark.parametrize("result", [name for name in RESULT_TYPES if name != "dane-required"])
def test_any_dane_failure_holds_mail_up(result):
    """Senders that do DANE refuse to deliver, whatever went wrong."""
    assert row_severity("tlsa", result, None, False) == "critical"


@pytest.mark.parametrize("policy", ["tlsa", "sts", "no-policy-found"])
def test_a_senders_own_rule_is_a_warning(policy):
    """dane-required is what one sender insists on; the others deliver."""
    assert row_severity(policy, "dane-required", "enforce", True) == "warning"


@pytest.mark.parametrize("result", GENERAL)
@pytest.mark.parametrize(
    ("mode", "severity"), [("enforce", "critical"), ("testing", "warning"), (None, "warning")]
)
def test_under_mta_sts_the_mode_decides(result, mode, severity):
    """With enforce senders refuse, with testing they deliver and tell; unknown types alike."""
    assert row_severity("sts", result, mode, True) == severity


@pytest.mark.parametrize("result", [*POLICY, "sts-policy-brand-new"])
@pytest.mark.parametrize("mode", ["enforce", "testing", "none", None])
@pytest.mark.parametrize("policy", ["sts", "no-policy-found"])
def test_a_policy_that_cannot_be_had_costs_protection_not_mail(result, mode, policy):
    """Without a policy senders deliver as ever: a warning in any mode."""
    assert row_severity(policy, result, mode, True) == "warning"
    assert row_severity(policy, result, mode, False) == "warning"


@pytest.mark.parametrize("result", GENERAL)
@pytest.mark.parametrize(("policy", "mode"), [("no-policy-found", None), ("sts", "none")])
def test_without_a_policy_only_large_shares_warn(result, policy, mode):
    """Mail goes in the clear: worth a warning when half of it does, else a notice."""
    assert row_severity(policy, result, mode, True) == "warning"
    assert row_severity(policy, result, mode, False) == "notice"


def test_an_unknown_policy_type_is_a_warning():
    """Nobody knows what it does to mail, so somebody should look."""
    assert row_severity("dane-next", "validation-failure", None, False) == "warning"


@pytest.mark.parametrize(
    ("failed", "good", "severity"),
    [(50, 50, "warning"), (49, 51, "notice"), (1, 0, "warning"), (2, 0, "warning")],
)
def test_half_of_a_window_is_counted_by_its_policy_type(failed, good, severity):
    """50 % is of the sessions without a policy, whatever else the window holds."""
    identity = Identity(
        "example.com", "no-policy-found", "starttls-not-supported", "mx1.example.com"
    )
    sighting = row(failed, "starttls-not-supported", policy="no-policy-found")
    sessions = (Sessions("no-policy-found", good, failed), Sessions("sts", 0, 9999, "enforce"))

    verdict = judged([window(0, GOOGLE, sighting, sessions=sessions)], on(1), identity=identity)

    assert (verdict.severity, verdict.mode) == (severity, None)


def severity(*windows: Window) -> str:
    return judged(windows, on(30)).severity


def test_the_mode_last_seen_fills_in():
    """A report that quotes no policy is read with the mode in the domain's newest report."""
    bare = failing(1, mode=None)

    assert severity(bare) == "warning"
    assert severity(window(0, mode="testing"), bare, window(2, MICROSOFT)) == "critical"
    assert severity(window(0), bare, window(2, MICROSOFT, mode="testing")) == "warning"
    assert severity(bare, window(2, mode="testing"), window(2, MICROSOFT)) == "critical"
    assert severity(bare, window(2), window(2, MICROSOFT, mode="testing")) == "critical"
    assert judged([bare, window(2)], on(3)).mode == "enforce"


def test_the_worst_last_window_of_a_witness_counts():
    """Each witness speaks with its last failing window, and the worst of these is the severity."""
    enforce_then_testing = [failing(0), failing(1, mode="testing")]

    assert severity(*enforce_then_testing) == "warning"
    assert severity(*enforce_then_testing, failing(0, MICROSOFT)) == "critical"
    assert judged([*enforce_then_testing, failing(0, MICROSOFT)], on(3)).mode == "enforce"


def test_strangers_do_not_make_it_worse():
    """An unknown reporter's window raises nothing once a known one is a witness."""
    assert severity(failing(0, mode="testing"), failing(0, SMALL)) == "warning"


def test_one_failed_session_among_good_ones_is_low():
    """A single blip never mails at once."""
    assert severity(failing(0, failed=1, good=100)) == "low"


@pytest.mark.parametrize(
    "windows",
    [
        [failing(0, failed=1, good=0)],
        [failing(0, failed=2, good=100)],
        [failing(0, failed=1, good=100), failing(1, failed=1, good=100)],
        [failing(0, failed=1, good=100), failing(0, MICROSOFT, failed=1, good=100)],
    ],
    ids=["1 of 1", "two sessions", "a second window", "a second reporter"],
)
def test_a_blip_is_no_longer_low_once_confirmed(windows):
    """All sessions failing, a second one, a second window or a second reporter end it."""
    assert severity(*windows) == "critical"


def test_a_stranger_does_not_confirm_a_blip():
    """A second window of an unknown reporter corroborates nothing."""
    assert severity(failing(0, failed=1, good=100), failing(0, SMALL)) == "low"


def test_what_only_strangers_saw_stays_low():
    """However many unknown reporters say it, nobody is woken."""
    windows = [*story("####", SMALL), *story("####", "tiny.example")]

    assert severity(*windows) == "low"
    assert severity(*windows, failing(4)) == "critical"


def test_the_senders_own_trouble_is_low():
    """A sender without root certificates fails everywhere; nothing is to be mended here."""
    theirs = window(0, GOOGLE, row(reasons=["sender-side"]))
    both = window(0, GOOGLE, row(reasons=["expired", "sender-side"]))

    assert severity(theirs) == "low"
    assert severity(both) == "critical"
    assert severity(theirs, failing(0, MICROSOFT)) == "critical"
