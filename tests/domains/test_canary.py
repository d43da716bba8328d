"""The test report that goes the way of a real one."""

from email import message_from_bytes
from email.policy import default

import pytest

from tests import mails
from tests.trust.signing import found, judge
from tlsrpt_mailer.domains.canary import DOMAIN, Canary, mail, token_of
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.trust.signing import new_key, public_record, sign

CANARY = Canary(
    token="0123456789abcdef0123456789abcdef",
    sender="tlsrpt-mailer@mail.example.com",
    recipient="tlsrpt@example.com",
    at=1_790_000_000,
)


def test_it_is_a_report_to_the_letter() -> None:
    """What takes it differently from a reporter's mail would prove nothing."""
    content = read(mail(CANARY))
    found = message_from_bytes(mail(CANARY), policy=default)

    assert "tls-report" == content.kind
    assert () == content.reports[0].report.deviations
    assert "mail.example.com" == content.reports[0].report.submitter
    assert "multipart/report" == found.get_content_type()
    # Nothing that answers mail by itself answers, and no failure of TLS keeps it back.
    assert ("auto-generated", "No") == (found["Auto-Submitted"], found["TLS-Required"])
    assert (
        f"Report Domain: {DOMAIN} Submitter: mail.example.com"
        f" Report-ID: <{CANARY.token}@mail.example.com>"
    ) == found["Subject"]
    attached = next(part for part in found.walk() if part.get_filename())
    assert "application/tlsrpt+gzip" == attached.get_content_type()
    assert f"mail.example.com!{DOMAIN}!1789862400!1789948799.json.gz" == attached.get_filename()
    assert all(len(line) <= 998 for line in mail(CANARY).split(b"\r\n"))


def test_it_is_known_by_what_it_speaks_of_alone() -> None:
    """Headers can be lost on the way, and anybody can write them into a real report."""
    ours = read(mail(CANARY))
    real = read(mails.mail(mails.report()).replace(b"MIME", b"X-TLSRPT-Mailer-Canary: x\nMIME", 1))
    both = mails.report(policies=[mails.policy("example.com"), mails.policy(DOMAIN)])

    assert CANARY.token == token_of([one.report for one in ours.reports])
    assert token_of([one.report for one in real.reports]) is None
    assert token_of([one.report for one in read(mails.mail(both)).reports]) is None
    assert token_of([]) is None


def test_one_without_a_number_is_nobodys() -> None:
    """It is no canary of ours, but it counts as little as one."""
    nameless = mails.report(DOMAIN) | {"report-id": ""}

    assert "" == token_of([one.report for one in read(mails.mail(nameless)).reports])


def test_it_is_signed_so_that_reporters_rules_hold_for_it() -> None:
    """The signature verifies by the record that is to be published, and covers the report."""
    key = new_key()
    record = public_record(key)
    raw = sign(mail(CANARY), "mail.example.com", "tlsrpt-canary", key)

    assert record is not None
    assert record.startswith("v=DKIM1; k=ed25519; s=tlsrpt; p=")
    name = "tlsrpt-canary._domainkey.mail.example.com"
    said = judge(raw, found(record), name=name)
    assert ("pass", "mail.example.com", True) == (said.word, said.domain, said.covers_type)
    assert "fail" == judge(raw.replace(b"Sep", b"Oct"), found(record), name=name).word


def test_two_keys_are_never_the_same() -> None:
    """A key that everybody has would let everybody sign."""
    assert new_key() != new_key()


@pytest.mark.parametrize("key", [b"", b"short", b"-----BEGIN RSA PRIVATE KEY-----\nx"])
def test_what_is_no_key_is_refused_in_words(key: bytes) -> None:
    """An operator learns that it is the key."""
    with pytest.raises(ValueError, match="it is no key that signs"):
        sign(mail(CANARY), "mail.example.com", "s", key)
