"""What a signature says of the place where a report stands in the mail."""

import pytest

from tlsrpt_mailer.trust.message import doubled, message
from tlsrpt_mailer.trust.place import NOT_COVERED, QUOTED, Place, is_report_mail, no_proof

MEANT = b'Content-Type: multipart/report; boundary="x"; report-type="TLSRPT"\r\n\r\n'
OTHER = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
REPORT = Place("application/tlsrpt+gzip", 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"multipart/report; report-type=tlsrpt; boundary=x", True),
        (b"\r\n Multipart/Report ;\r\n boundary=x;\r\n Report-Type = TLSRPT", True),
        (b"multipart/report; report-type=tlsrpt2", False),
        (b"multipart/report; report-type=delivery-status; boundary=tlsrpt", False),
        (b"multipart/mixed; report-type=tlsrpt", False),
    ],
)
def test_a_mail_that_says_it_is_a_report(value: bytes, expected: bool) -> None:
    """By its Content-Type, in whatever case, order and lines."""
    assert expected is is_report_mail(message(b"Content-Type: " + value + b"\r\n\r\n"))


def test_a_mail_without_a_type_does_not_say_so() -> None:
    """RFC 2045, 5.2: it is plain text."""
    assert not is_report_mail(message(b"Subject: a report\r\n\r\n"))


@pytest.mark.parametrize(
    ("head", "author", "place", "expected"),
    [
        (MEANT, "tlsrpt", REPORT, None),
        (MEANT, "tlsrpt", Place("application/json", 1), None),
        (OTHER, "tlsrpt", REPORT, None),
        (OTHER, "tlsrpt", Place("application/json", 1), NOT_COVERED),
        (MEANT, "tlsrpt", Place("application/tlsrpt+gzip", 2), NOT_COVERED),
        (MEANT, "tlsrpt", Place("text/html", 1), NOT_COVERED),
        (MEANT, "tlsrpt", Place("message/global", 1), NOT_COVERED),
        (MEANT, "tlsrpt", Place(), NOT_COVERED),
        (MEANT, "mailer-daemon", REPORT, NOT_COVERED),
        (MEANT, "postmaster", REPORT, NOT_COVERED),
    ],
)
def test_a_signature_without_content_type(
    head: bytes, author: str, place: Place, expected: str | None
) -> None:
    """
    Proves a report only where a report should stand, in a mail that is no other thing: who
    hands the mail on can write another Content-Type, and make a part of what was quoted.
    """
    assert expected == no_proof(message(head), author, place, covers_type=False)


@pytest.mark.parametrize(
    ("author", "place", "expected"),
    [
        ("tlsrpt", Place("text/plain"), None),
        ("postmaster", REPORT, None),
        ("mailer-daemon", Place("text/plain"), QUOTED),
        (None, Place("application/json", 3), None),
    ],
)
def test_a_signature_with_content_type(
    author: str | None, place: Place, expected: str | None
) -> None:
    """The mail is as it was sent; but what a bounce quotes is not its sender's word."""
    assert expected == no_proof(message(OTHER), author, place, covers_type=True)


@pytest.mark.parametrize("name", ["Content-Type", "content-transfer-encoding", "MIME-VERSION"])
def test_a_field_that_stands_twice(name: str) -> None:
    """Readers differ in which of them they take, whatever the case and blanks of its name."""
    head = f"From: a@b.example\r\n{name}: x\r\nTo: c@d.example\r\n"

    assert doubled(message(head.encode())) is None
    said = doubled(message(f"{head}{name.upper()} : y\r\n".encode()))
    assert said is not None
    assert name.lower() == said.lower()
