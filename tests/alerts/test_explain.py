"""The catalogue: every result type and reason class is explained, whole and pasteable."""

import pytest

from tlsrpt_mailer.alerts import catalogue, commands, found
from tlsrpt_mailer.alerts.explain import explain
from tlsrpt_mailer.report.dialects import REASON_CLASSES
from tlsrpt_mailer.report.result_types import RESULT_TYPES


@pytest.mark.parametrize(
    "result_type", [*RESULT_TYPES, "unspecified", "some-new-type", "x" * 300, "a\x1b[1m\nb"]
)
def test_every_type_is_explained_at_eighty_columns(result_type):
    """Known or not, `explain` says what it does to mail, why, how to see and how to mend it."""
    text = explain(result_type)

    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80
    assert "{" not in text.replace("%{http_code} %{content_type}", "")
    for title in ("EFFECT ON MAIL", "LIKELY CAUSES", "SHOW IT", "MEND IT"):
        assert f"\n{title}" in text


@pytest.mark.parametrize("code", found.known_codes())
def test_every_finding_is_explained_at_eighty_columns(code):
    """What `check` finds has its page as well, with no place left open."""
    text = explain(code)

    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 80
    assert "{" not in text.replace("%{http_code} %{content_type}", "").replace(
        "%{content_type}", ""
    )
    assert text.startswith(f"{code} ")
    assert "\nMEND IT\n  1. " in text
    assert "\nSHOW IT\n  " in text
    assert "..." not in text.partition("\nSHOW IT")[0]
    assert " below" not in text.partition("\nSHOW IT")[0].replace("the check below", "")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("tlsrpt-gone", "The TLSRPT record of DOMAIN is gone.\n\n"),
        ("tlsrpt-gone", "1. Publish again the record that tlsrpt-mailer record DOMAIN prints, and"),
        ("tlsrpt-elsewhere", "1. Are those addresses yours, or a service that you chose?"),
        ("mta-sts-gone", "remember your last policy keep to it until its max_age is over. A new"),
        ("mta-sts-policy-risky", "2. Then publish the record that tlsrpt-mailer check DOMAIN"),
        ("dane-mismatch", "the record that tlsrpt-mailer check --probe DOMAIN prints, with"),
        ("mx-tls-handshake", "MX offers STARTTLS, but the handshake fails.\n\n"),
        ("mx-tls-handshake", "1. Read the mail log of the host at the time of the check."),
    ],
)
def test_what_needs_a_fact_is_left_out_in_general(code, words):
    """Sentences read whole, and what a finding brings along is named by the command."""
    assert " ".join(words.split()) in " ".join(explain(code).split())


def test_a_finding_says_what_it_does_under_every_policy():
    """Also by what the TLSA records of the host say of its certificate."""
    text = explain("mx-certificate-expiring")

    for row in ("MTA-STS enforce", "MTA-STS testing", "no policy", "DANE 3 x x", "DANE 2 x x"):
        assert f"\n  {row}  " in text


def test_the_types_are_those_of_the_registry():
    """The command can list what it knows, in the order of RFC 8460."""
    assert tuple(RESULT_TYPES) == catalogue.known_types()
    assert 11 == len(catalogue.known_types())


@pytest.mark.parametrize("result_type", RESULT_TYPES)
def test_every_type_says_what_it_does_under_every_policy(result_type):
    """Whatever policy a report names, the alert has a line on what happens to mail."""
    effect = catalogue.entry(result_type).effect

    assert {"dane", "none"} <= set(effect)
    assert {"enforce", "testing"} <= set(effect) or "sts" in effect


def test_a_type_is_known_in_any_case():
    """A report that shouts names the same type."""
    assert catalogue.entry("certificate-expired") == catalogue.entry("Certificate-Expired")
    assert not catalogue.entry("some-new-type").is_known


def test_an_unknown_type_is_shown_as_one():
    """It is not passed off as something else, and the general check is offered."""
    text = explain("some-new-type")

    assert text.startswith("some-new-type ")
    assert text.splitlines()[0].endswith(" unknown")
    assert "openssl s_client" in text


@pytest.mark.parametrize("reason_class", sorted(REASON_CLASSES))
def test_every_reason_class_has_its_words(reason_class):
    """Whatever a sender's text comes down to, the alert can say what that means."""
    found = catalogue.reason(reason_class)

    assert found is not None
    assert found.says.endswith(".")


def test_a_class_that_nobody_defined_has_no_words():
    """A reason from a newer store does not stop a mail."""
    assert catalogue.reason("no-such-class") is None


def test_the_text_is_the_one_that_the_admin_needs():
    """The expired certificate: the two causes that matter, the command, both outcomes."""
    text = explain("certificate-expired")

    assert "mail server was not reloaded" in text
    assert "openssl s_client -starttls smtp -connect MX:25 -servername MX" in text
    assert "broken:  Verification error: certificate has expired" in text
    assert "mended:  Verification: OK" in text


# ---------------------------------------------------------------------- commands


def lines_of(result_type, domain="example.com", mx="mx1.example.com", ip=None):
    names = commands.names(domain, mx, ip)
    return [
        line
        for check in catalogue.entry(result_type).check
        for line in commands.shell(check, names)
    ]


def test_a_command_has_the_real_names():
    """What stands in the mail can be pasted as it is."""
    assert [
        "openssl s_client -starttls smtp -connect mx1.example.com:25 \\",
        "    -servername mx1.example.com -verify_hostname mx1.example.com \\",
        "    -brief </dev/null",
    ] == lines_of("certificate-expired")[:3]


def test_a_long_name_goes_into_a_variable():
    """The command stays whole at 80 columns: the name is set once, on a line of its own."""
    domain = f"{'long-name-' * 5}x.example.com"

    lines = lines_of("sts-policy-fetch-error", domain)

    assert f"DOMAIN={domain}" == lines[0]
    assert "https://mta-sts.$DOMAIN/.well-known/mta-sts.txt" in lines[-2] + lines[-3] + lines[3]
    assert max(map(len, lines)) <= 74


def test_a_name_too_long_for_a_line_is_a_placeholder():
    """A host name of 253 characters is no name that anybody pastes."""
    mx = ".".join(["a" * 60] * 4)

    assert "MX_HOST:25" in lines_of("certificate-expired", mx=mx)[0]


@pytest.mark.parametrize(
    "bad", ["$(id)", "-oProxy", "a b", "a;b", "a\nb", "ex\u00e4mple.com", "", "mx1.example.com."]
)
def test_only_strict_names_enter_a_command(bad):
    """What could be an option, a substitution or a second command is a placeholder."""
    assert commands.Names("DOMAIN", "MX_HOST", "IP") == commands.names(bad, bad, bad)


def test_the_log_is_searched_for_the_sender():
    """With the sender's address known, the grep can be pasted; without one, it says IP."""
    assert "grep -F 192.0.2.1 /var/log/mail.log" in lines_of("validation-failure", ip="192.0.2.1")
    assert "grep -F IP /var/log/mail.log" in lines_of("validation-failure")
