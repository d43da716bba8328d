"""Hosts, dates, texts, result types, reason classes, and the JSON for other programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mails import detail, document, report
from tlsrpt_mailer.intake.model import FoundReport, MailContent
from tlsrpt_mailer.report import export
from tlsrpt_mailer.report.dates import read_date, read_mail_date
from tlsrpt_mailer.report.dialects import (
    KNOWN_REPORTERS,
    REASON_CLASSES,
    REGENERATES,
    reason_class,
)
from tlsrpt_mailer.report.hosts import domain_text, is_ip, is_strict_host, normalise_host
from tlsrpt_mailer.report.parse import parse
from tlsrpt_mailer.report.result_types import POLICY_TYPES, RESULT_TYPES
from tlsrpt_mailer.report.text import storable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mx1.example.com", True),
        ("MX1.Example.COM", True),
        ("localhost", True),
        ("xn--mller-kva.example", True),
        ("a-b.c--d.example", True),
        ("a" * 63 + ".example", True),
        ("a" * 64 + ".example", False),
        (".".join(["a" * 49] * 6), False),
        ("-oProxyCommand.example", False),
        ("a-.example", False),
        ("mx_1.example", False),
        ("mx1.example.com.", False),
        ("*.example.com", False),
        ("mx1.example.com;reboot", False),
        ("mx1.example.com\n", False),
        ("mx\u0661.example", False),
        ("192.0.2.1", False),
        ("example.123", False),
        ("", False),
    ],
)
def test_only_strict_names_may_enter_a_command(text, expected):
    """A name passes only if it is letters, digits, hyphens and dots, and cannot be an option."""
    assert expected == is_strict_host(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("::ffff:192.0.2.1", True),
        ("fe80::1%eth0;reboot", False),
        ("[2001:db8::1]", False),
        ("192.0.2.1 ", False),
        ("x.x.x.x", False),
        ("1" * 50, False),
    ],
)
def test_only_bare_addresses_may_enter_a_command(text, expected):
    """An address passes without scope, brackets and blanks."""
    assert expected == is_ip(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MX1.Example.COM.", "mx1.example.com"),
        (" mx1.example.com ", "mx1.example.com"),
        ("müller.example", "xn--mller-kva.example"),
        ("mx\u3002müller.example\u3002", "mx.xn--mller-kva.example"),
        ("192.0.2.1", None),
        ("[192.0.2.1]", None),
        ("not a host", None),
        ("ü a.example", None),
        ("ü" * 300, None),
        ("ü" * 70, None),
        ("", None),
        (".", None),
    ],
)
def test_normal_hosts(text, expected):
    """Two spellings of one host are one; what is no host is none."""
    assert expected == normalise_host(text)


@given(st.text())
def test_any_text_has_a_domain_text(text):
    """No text makes the normalising of names fail."""
    assert isinstance(domain_text(text), str)


def test_texts_are_made_storable():
    """Control characters and lone surrogates go, and what is too long is cut."""
    assert storable("a\tb\x00c\x85d\ud800e", 100) == "a b\ufffdc\ufffdd\ufffde"
    assert storable("abcdef", 3) == "abc"
    assert storable("a\u202eb", 10) == "a\u202eb"


@pytest.mark.parametrize(
    ("value", "time", "note"),
    [
        ("2026-05-20T00:00:00Z", 1779235200, None),
        ("2026-05-20T00:00:00.500Z", 1779235200, None),
        ("2026-05-20t00:00:00z", 1779235200, None),
        ("2026-05-20 00:00:00Z", 1779235200, None),
        ("2026-05-20T00:00:00+00:00", 1779235200, None),
        ("2026-05-20T02:00:00+02:00", 1779235200, "not in UTC"),
        ("2026-05-20T00:00:00", 1779235200, "no zone, read as UTC"),
        ("2026-05-20", 1779235200, "a date without a time"),
        ("2026-05-19T24:00:00Z", 1779235200, "hour 24"),
        ("2026-05-19T23:59:60Z", 1779235200, None),
        ("9999-12-31T24:00:00Z", None, "hour 24"),
        ("Wed, 20 May 2026 00:00:00 GMT", 1779235200, "not RFC 3339"),
        ("2026-05-20 00:00:00 UTC", 1779235200, "not RFC 3339"),
        ("2026-05-20 00:00:00 +0000 UTC", 1779235200, "not RFC 3339"),
        ("today GMT", None, "not a date"),
        (1779235200, 1779235200, "a number, not RFC 3339"),
        (1779235200.5, 1779235200, "a number, not RFC 3339"),
        (1779235200000, 1779235200, "a number, not RFC 3339"),
        ("1779235200", 1779235200, "a number, not RFC 3339"),
        ("20260520", None, "not a date"),
        ("0001-01-01T00:00:00Z", None, "not a date"),
        ("2026-02-30T00:00:00Z", None, "not a date"),
        ("2026-02-30T24:00:00Z", None, "not a date"),
        ("0001-01-01T24:00:00+01:00", None, "hour 24"),
        ("yesterday", None, "not a date"),
        ("x" * 100, None, "not a date"),
        ("", None, "missing"),
        (None, None, "missing"),
        (-1, None, "not a date"),
        (10**30, None, "not a date"),
        (True, None, "not a date"),
        ([], None, "not a date"),
    ],
)
def test_dates_of_reports(value, time, note):
    """Every form of date that was seen means what its sender meant, and departures are named."""
    assert (time, note) == read_date(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wed, 20 May 2026 02:00:00 +0200", 1779235200),
        ("20 May 2026 00:00:00 GMT", 1779235200),
        ("Fri, May 09 2017 16:54:30 -0800", 1494377670),
        ("Wed, 20 May 99999999999 00:00:00 GMT", None),
        ("Wed, 20 May 1969 00:00:00 GMT", None),
        ("nonsense", None),
        ("x" * 1000, None),
    ],
)
def test_dates_of_mails(text, expected):
    """The Date header is read as leniently as mail is written; RFC 8460's own example is wrong."""
    assert expected == read_mail_date(text)


@given(st.text(max_size=140))
def test_no_date_makes_reading_fail(text):
    """Whatever stands where a date should stand, reading goes on."""
    time, _ = read_date(text)

    assert time is None or time >= 0
    assert read_mail_date(text) is None or read_mail_date(text) >= 0


def test_the_registry_is_complete():
    """All eleven result types of the IANA registry are known, each with its family and a name."""
    families = [known.family for known in RESULT_TYPES.values()]

    assert len(RESULT_TYPES) == 11
    assert {"negotiation": 4, "general": 1, "DANE": 3, "MTA-STS": 3} == {
        family: families.count(family) for family in families
    }
    assert {"sts", "tlsa", "no-policy-found"} == POLICY_TYPES


REASONS = {
    "MX_HOSTS_MISMATCH": "mx-not-in-policy",
    "4.4.8 MX hosts of shop.example failed MTA-STS validation": "mx-not-in-policy",
    "VALIDATION_FAILURE": "generic",
    "5.7.5 Remote certificate failed MTA-STS validation. Reason: certificate expired": "expired",
    "5.7.5 Remote certificate failed MTA-STS validation.": "generic",
    "bad https response code: 404": "http-status",
    'unable to do http request: Get "https://mta-sts.a.example/.well-known/mta-sts.txt":'
    " context deadline exceeded": "http-unreachable",
    "unable to do http request: dial tcp [2001:db8::1]:443: connection refused": "http-unreachable",
    "unable to do http request: dial tcp: lookup mta-sts.a.example: no such host": "dns",
    "unable to do http request: EOF": "http-unreachable",
    "x509: certificate has expired or is not yet valid": "expired",
    "x509: certificate is valid for a.example, not b.example": "name-mismatch",
    "x509: certificate signed by unknown authority": "untrusted-chain",
    "tls: handshake failure": "no-common-cipher",
    "remote error: tls: protocol version not supported": "protocol-version",
    "remote error: tls: bad certificate": "client-certificate",
    "remote error: something else, timeout": "handshake-timeout",
    "tls-remote-alert-70-protocol-version-not-supported": "protocol-version",
    "tls-remote-alert-40-handshake-failure": "no-common-cipher",
    "tls-remote-alert-71-insufficient-security": "no-common-cipher",
    "tls-remote-alert-42-bad-certificate": "client-certificate",
    "tls-remote-alert-48-unknown-certificate-authority": "client-certificate",
    "tls-remote-alert-116-certificate-required": "client-certificate",
    "tls-remote-alert-80-internal-error": "connection-closed",
    "tls-remote-alert-112-unrecognized-name": "name-mismatch",
    "tls-remote-alert-10-unexpected-message": "unclassified",
    "tls-local-alert-42-bad-certificate": "untrusted-chain",
    "tls-local-alert-48-unknown-certificate-authority": "untrusted-chain",
    "tls-local-alert-45-expired-certificate": "expired",
    "tls-local-alert-70-protocol-version-not-supported": "protocol-version",
    "io-timeout-during-handshake": "handshake-timeout",
    "connection-closed-during-handshake": "connection-closed",
    "tls-record-header-error": "not-tls",
    "not-authorized-to-sign": "ca-rules",
    "too-many-intermediates": "ca-rules",
    "name-constraint-without-sans": "ca-rules",
    "no-system-roots": "sender-side",
    "unknown-go-certificate-verification-error": "generic",
    "X509_V_ERR_CERT_HAS_EXPIRED": "expired",
    "certificate has expired": "expired",
    "CERT_NOT_YET_VALID": "not-yet-valid",
    "certificate is not yet valid": "not-yet-valid",
    "X509_V_ERR_HOSTNAME_MISMATCH": "name-mismatch",
    "X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT": "self-signed",
    "SELF_SIGNED_CERT_IN_CHAIN": "self-signed",
    "self-signed certificate in certificate chain": "self-signed",
    "X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT": "untrusted-chain",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY": "untrusted-chain",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE": "untrusted-chain",
    "CERT_UNTRUSTED": "untrusted-chain",
    "CERT_REVOKED": "revoked",
    "X509_V_ERR_EE_KEY_TOO_SMALL": "weak",
    "CA_KEY_TOO_SMALL": "weak",
    "CA_MD_TOO_WEAK": "weak",
    "CERT_CHAIN_TOO_LONG": "ca-rules",
    "INVALID_CA": "ca-rules",
    "INVALID_PURPOSE": "ca-rules",
    "PERMITTED_VIOLATION": "ca-rules",
    "EXCLUDED_VIOLATION": "ca-rules",
    "DANE_NO_MATCH": "dane-mismatch",
    "4.7.5 [internal] SSL certificate subject does not match host": "name-mismatch",
    "InvalidCertificate(UnknownIssuer)": "untrusted-chain",
    "gremlins": "unclassified",
    "mail for expired.example at revoked@b.example via https://timeout/": "unclassified",
}


@pytest.mark.parametrize(("text", "expected"), REASONS.items())
def test_reason_classes(text, expected):
    """Each text that senders are known to write falls into its class, in any letter case."""
    assert expected == reason_class(text)
    assert expected == reason_class(text.upper()) or "Unknown" in text
    assert expected in REASON_CLASSES


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_no_reason_has_no_class(text):
    """Where a reporter says nothing, nothing is made up."""
    assert reason_class(text) is None


@given(st.text(max_size=1000))
def test_any_text_has_a_class(text):
    """Free text of any kind is put into the closed list."""
    assert reason_class(text) in (*REASON_CLASSES, None)


def test_known_reporters():
    """The big senders are known by name; Microsoft's ids change when a report is made anew."""
    assert {"google.com": "Google", "microsoft.com": "Microsoft"}.items() <= KNOWN_REPORTERS.items()
    assert {"microsoft.com"} == REGENERATES


def test_the_json_for_other_programs():
    """The document has every member always: null, [] and 0 where there is nothing."""
    body = report(
        details=[{"result-type": "", "failed-session-count": 1}], report_id="", contact=""
    )
    found = parse(document(body))
    content = MailContent("tls-report", "report", None, (FoundReport(found, b"", b""),))

    told = export.document(content)

    assert {
        "kind": "tls-report",
        "reason": None,
        "reports": [
            {
                "organization_name": "Google Inc.",
                "submitter": None,
                "report_id": None,
                "start": "2026-10-13T00:00:00Z",
                "end": "2026-10-13T23:59:59Z",
                "contact_info": None,
                "policies": [
                    {
                        "policy_type": "sts",
                        "policy_domain": "example.com",
                        "policy_string": [
                            "version: STSv1",
                            "mode: enforce",
                            "mx: mx1.example.com",
                            "mx: mx2.example.com",
                            "max_age: 604800",
                        ],
                        "mx_host": ["mx1.example.com", "mx2.example.com"],
                        "successful_sessions": 3433,
                        "failed_sessions": 1,
                        "failure_details": [
                            {
                                "result_type": None,
                                "sending_mta_ip": None,
                                "receiving_mx_hostname": None,
                                "receiving_mx_helo": None,
                                "receiving_ip": None,
                                "failed_sessions": 1,
                                "additional_information": None,
                                "failure_reason_code": None,
                            }
                        ],
                    }
                ],
                "deviations": list(found.deviations),
            }
        ],
    } == told


def test_the_json_of_what_cannot_be_read():
    """A file that is no report is told in the same shape."""
    content = MailContent("bad-report", "report", "not JSON")

    assert {"kind": "bad-report", "reason": "not JSON", "reports": []} == export.document(content)


def test_a_detail_row_is_told_in_full():
    """Nothing of a row is left out of the JSON."""
    row = detail(receiving_mx_helo="helo", failure_reason_code="code")

    told = export.as_json(parse(document(report(details=[row]))))

    assert {
        "result_type": "certificate-expired",
        "sending_mta_ip": "198.51.100.7",
        "receiving_mx_hostname": "mx1.example.com",
        "receiving_mx_helo": "helo",
        "receiving_ip": "192.0.2.10",
        "failed_sessions": 1893,
        "additional_information": None,
        "failure_reason_code": "code",
    } == told["policies"][0]["failure_details"][0]
