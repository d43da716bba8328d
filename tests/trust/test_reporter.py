"""Who wrote a report, and which reports are revisions of one another."""

import pytest

from tests.mails import document, report
from tlsrpt_mailer.report.parse import parse
from tlsrpt_mailer.trust.place import Place
from tlsrpt_mailer.trust.reporter import NOBODY, reporter_of, revision_key, signing_reporter


def organisational(host: str) -> str | None:
    """The last two labels, and none for a single one."""
    labels = host.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


@pytest.mark.parametrize(
    ("submitter", "file_name", "contact", "organization", "expected"),
    [
        ("Mail.RU.", "corp.b.example!d!1!2.json", "x@c.example", "O", "mail.ru"),
        ("corp.mail.ru", None, None, None, "mail.ru"),
        ("Sys Four GmbH", "host.b.example!d!1!2.json", "x@c.example", "O", "b.example"),
        (None, "Sys Four GmbH!d!1!2.json", "mailto:x@y.c.example", "O", "c.example"),
        ("localhost", "report.json", "nobody", "O Inc.", "O Inc."),
        ("192.0.2.1", None, "x@[192.0.2.1]", "O Inc.", "O Inc."),
        (None, None, None, None, NOBODY),
    ],
)
def test_the_reporter(submitter, file_name, contact, organization, expected):
    """One organisation is one reporter, whatever host and name its reports come under."""
    assert expected == reporter_of(submitter, file_name, contact, organization, organisational)


def key(reporter: str = "google.com", *, regenerates: bool = False, **changes: object) -> bytes:
    body = report()
    for name, value in changes.items():
        body[name.replace("_", "-")] = value
    return revision_key(reporter, parse(document(body)), regenerates)


def test_a_revision_has_other_content_only():
    """The same reporter, id, range and domains make a revision; one of them else makes none."""
    other_counts = report(successful=1)["policies"]
    other_domain = report(domain="b.example")["policies"]
    other_range = report(day="2026-10-14")["date-range"]

    assert key() == key(policies=other_counts)
    assert key() == key(policies=other_counts + other_counts)
    assert key() != key(policies=other_domain)
    assert key() != key(policies=other_counts + other_domain)
    assert key() != key(date_range=other_range)
    assert key() != key(report_id="other")
    assert key() != key("mail.ru")
    assert len(key()) == 32


def test_a_reporter_that_makes_new_ids():
    """Microsoft's report, made anew under a new id, is a revision of the first."""
    assert key(regenerates=True) == key(report_id="other", regenerates=True)


def test_reports_that_say_nothing_of_themselves_are_no_revisions():
    """Without id and range, only the same content is the same report."""
    policies = report(successful=1)["policies"]
    empty = {"report_id": None, "date_range": {}}

    assert key(**empty) == key(**empty)
    assert key(**empty) != key(**empty, policies=policies)
    assert key(date_range={}, regenerates=True) != key(
        date_range={}, regenerates=True, policies=policies
    )
    assert key(date_range={}) == key(date_range={}, policies=policies)
    assert key(report_id=None) == key(report_id=None, policies=policies)


REPORT = Place("application/tlsrpt+gzip", 1)
OTHER = Place("application/json", 1)
TEXT = Place("text/plain")
BOUNCE = Place("message/delivery-status", 1)


@pytest.mark.parametrize(
    ("domain", "author", "place", "expected"),
    [
        ("google.com", "noreply-smtp-tls-reporting", OTHER, "google.com"),
        ("google.com", "noreply-smtp-tls-reporting", TEXT, "google.com (unverified)"),
        ("google.com", "noreply-smtp-tls-reporting", BOUNCE, "google.com (unverified)"),
        ("google.com", "noreply-smtp-tls-reporting2", REPORT, "google.com (unverified)"),
        ("google.com", "drive-shares-dm-noreply", REPORT, "google.com (unverified)"),
        ("reports.google.com", None, REPORT, "google.com (unverified)"),
        ("microsoft.com", "tlsrpt-noreply", OTHER, "microsoft.com"),
        ("microsoft.com", "tls-reporting", OTHER, "microsoft.com"),
        ("microsoft.com", "flow-noreply", REPORT, "microsoft.com (unverified)"),
        ("yahoo.com", "noreply", REPORT, "yahoo.com"),
        ("yahoo.com", "noreply", OTHER, "yahoo.com (unverified)"),
        ("yahoo.com", "noreply2", REPORT, "yahoo.com (unverified)"),
        ("yahoo.com", "my-tls-reports", REPORT, "yahoo.com (unverified)"),
        ("yahoo.com", "mailer-daemon", REPORT, "yahoo.com (unverified)"),
        ("yahoo.com", "postmaster", REPORT, "yahoo.com (unverified)"),
        ("mx.yahoo.com", "my-tls-reports", REPORT, "yahoo.com"),
        ("yahooinc.com", "smtp-tlsrpt", REPORT, "yahooinc.com"),
        ("yahooinc.com", "reporter", REPORT, "yahooinc.com (unverified)"),
        ("corp.mail.ru", "noreply-42", OTHER, "mail.ru"),
        ("corp.mail.ru", "no-reply", OTHER, "mail.ru"),
        ("corp.mail.ru", "tls_support", OTHER, "mail.ru"),
        ("corp.mail.ru", "eve", REPORT, "mail.ru (unverified)"),
        ("mail.ru", "noreply-42", REPORT, "mail.ru (unverified)"),
        ("mail.ru", "noreply", REPORT, "mail.ru"),
        ("small.example", "eve", TEXT, "small.example"),
        ("localhost", "x", Place(), "localhost"),
    ],
)
def test_who_signed_wrote_it(domain: str, author: str | None, place: Place, expected: str):
    """
    Except where a domain that is known to everybody signs what strangers wrote as well:
    there its reporting addresses count, and nothing that stands in a text.
    """
    assert expected == signing_reporter(domain, author, place, organisational)


def test_whom_the_operator_lists_may_write_from_any_address():
    """But a text is a text: anybody may be quoted in it."""
    listed = frozenset({"yahoo.com"})

    assert "yahoo.com" == signing_reporter("yahoo.com", "eve", OTHER, organisational, listed)
    assert "yahoo.com (unverified)" == (
        signing_reporter("yahoo.com", "eve", TEXT, organisational, listed)
    )
