"""Verifying a mail: which keys are asked for, which are kept, and how long that may take."""

import time

import pytest

from tests.trust.signing import DAY, found, mail, organisational, sign
from tlsrpt_mailer.flows.verify import Settings, verify
from tlsrpt_mailer.trust.model import KeyAnswer

NOW = int(time.time())
NAME = "sel._domainkey.sender.example"
ABSENT = KeyAnswer("absent")
TROUBLE = KeyAnswer("trouble", error="timed out")


class Dns:
    """A lookup that takes a second a question."""

    def __init__(self, answer: KeyAnswer) -> None:
        self.answer = answer
        self.now = 0.0
        self.asked: list[float | None] = []

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        self.asked.append(within)
        self.now += 1
        return self.answer


class Keys:
    def __init__(self, kept: KeyAnswer | None = None) -> None:
        self.key = kept
        self.noted: list[str] = []

    def kept(self, name: str) -> KeyAnswer | None:
        return self.key

    def seen(self, name: str, texts: tuple[bytes, ...], now: int) -> None:
        self.noted.append(name)


def settings(dns: Dns, keys: Keys, *ids: str) -> Settings:
    return Settings(dns, keys, organisational, ids, clock=lambda: dns.now)


def test_a_key_that_is_in_dns_is_kept():
    """What verifies today can verify this week's mail after the key has gone."""
    keys = Keys()

    said = verify(sign(mail()), NOW, NOW, settings(Dns(found()), keys))

    assert "pass" == said.word
    assert [NAME] == keys.noted


def test_only_keys_that_verified_are_kept():
    """Made-up selectors, and keys that a broken signature names, are not written down."""
    keys = Keys()
    good = sign(mail(sender="tlsrpt@x.sender.example"))
    forged = good.replace(b"Subject:", b"Subject: x", 1)
    both = sign(good, domain="x.sender.example")

    assert "fail" == verify(forged, NOW, NOW, settings(Dns(found()), keys)).word
    assert [] == keys.noted
    assert "pass" == verify(both, NOW, NOW, settings(Dns(found()), keys)).word
    assert 1 == len(keys.noted)


@pytest.mark.parametrize(
    ("answer", "age", "word"),
    [
        (ABSENT, 1, "pass"),
        (TROUBLE, 1, "pass"),
        (ABSENT, 8, "fail"),
        (TROUBLE, 8, "pending"),
    ],
)
def test_kept_keys_verify_for_a_week(answer: KeyAnswer, age: int, word: str):
    """A kept key stands in for a week, also while DNS is in trouble; then DNS must answer."""
    keys = Keys(found(last_seen=NOW - age * DAY))

    assert word == verify(sign(mail()), NOW, NOW, settings(Dns(answer), keys)).word


def test_all_questions_of_a_mail_share_three_seconds():
    """Many signatures make no mail wait longer."""
    raw = sign(mail(sender="a@x.sender.example"))
    raw = sign(raw, domain="x.sender.example")
    dns = Dns(TROUBLE)

    assert "pending" == verify(raw, NOW, NOW, settings(dns, Keys())).word
    assert [3.0, 2.0] == dns.asked


def test_a_trusted_mta_needs_no_dns_but_not_within_a_forwarded_mail():
    """Our MX's word is taken for the mail it handled; anybody can write it into one within."""
    top = b"Authentication-Results: mx.example.com; dkim=pass header.d=sender.example\r\n"
    dns = Dns(ABSENT)
    trusting = settings(dns, Keys(), "mx.example.com")

    assert "pass" == verify(top + mail(), NOW, NOW, trusting).word
    assert [] == dns.asked
    assert "unsigned" == verify(top + mail(), NOW, NOW, trusting, forwarded=True).word
    assert "fail" == verify(b"no header\r\n" + top + mail(), NOW, NOW, trusting).word


@pytest.mark.parametrize(
    ("raw", "answer", "reason"),
    [
        (mail(), ABSENT, "it is not signed; mx.example.com says dkim=fail for sender.example"),
        (
            sign(mail(), domain="list.example"),
            ABSENT,
            (
                "list.example signed it, not sender.example of From;"
                " mx.example.com says dkim=fail for sender.example"
            ),
        ),
        (
            sign(mail()) + b"a banner",
            found(),
            "body hash did not verify; mx.example.com says dkim=fail for sender.example",
        ),
        (sign(mail()), TROUBLE, f"DNS did not answer for {NAME}: timed out"),
    ],
)
def test_a_refusal_says_what_the_trusted_mta_found(raw: bytes, answer: KeyAnswer, reason: str):
    """Who believes an MTA and finds reports held all the same need not look into the mails."""
    top = b"Authentication-Results: mx.example.com; dkim=fail header.d=sender.example\r\n"
    trusting = settings(Dns(answer), Keys(), "mx.example.com")

    assert reason == verify(top + raw, NOW, NOW, trusting).reason
    assert "says" not in verify(top + raw, NOW, NOW, trusting, forwarded=True).reason
    assert "says" not in verify(top + raw, NOW, NOW, settings(Dns(answer), Keys())).reason
