"""``[trust]`` and ``[dns]`` reach the parts that they are about."""

from pathlib import Path

from tests.mails import mail, report
from tests.place import app_in
from tests.trust.signing import sign
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.report.times import DAY
from tlsrpt_mailer.wiring.trusting import trust, trusted_before

NOW = 1_791_979_200  # 2026-10-14T12:00:00Z

REQUIRE = """
[trust]
dkim = "require"
[dns]
nameservers = ["127.0.0.1:9"]
timeout = "1s"
[[domains]]
match = ["example.com"]
[[source]]
kind = "imap"
host = "imap.example.com"
username = "tlsrpt@example.com"
password_env = "PASSWORD"
trust_before = "2026-10-14"
[[source]]
kind = "maildir"
path = "/var/mail/tlsrpt"
[[source]]
kind = "lmtp"
listen = "127.0.0.1:8825"
recipients = ["tlsrpt@example.com"]
"""
IMAP = "imap:tlsrpt@example.com@imap.example.com"


def test_trust_before_holds_for_its_source_alone(tmp_path: Path) -> None:
    """By the name under which that source delivers."""
    first, second = (mail(report(day=f"2026-10-{day}")) for day in (11, 12))
    with app_in(tmp_path, REQUIRE, now=NOW) as app:
        receipts = app.deliver(
            [
                RawMail(first, "maildir:/var/mail/tlsrpt", NOW - DAY),
                RawMail(second, IMAP, NOW - DAY),
            ]
        )

        assert {IMAP: NOW - DAY // 2} == trusted_before(app.config)

    assert ["held", "stored"] == [one.outcome for one in receipts]


def test_dns_is_not_even_loaded_until_there_is_a_key_to_ask_for(tmp_path: Path) -> None:
    """Unsigned mail, and a look for what waits, need none of it."""
    with app_in(tmp_path, REQUIRE, now=NOW) as app:
        app.deliver([RawMail(mail(report()), IMAP, NOW)])
        waiting = app.verify_pending(NOW)

        assert (0, None) == (waiting, app._resolver)


def test_what_waits_is_verified_by_the_job(tmp_path: Path) -> None:
    """With [dns] as it is configured: here nobody answers, so it waits longer."""
    raw = sign(mail(report(), newline="\r\n"), domain="google.com", at=NOW - DAY)
    with app_in(tmp_path, REQUIRE, now=NOW) as app:
        (receipt,) = app.deliver([RawMail(raw, IMAP, NOW)])
        done = app.verify_pending(NOW + 60)
        due = app.store.pending.due(NOW + 60, 9)

    assert ("held", 1, []) == (receipt.outcome, done, due)
    assert "sel._domainkey.google.com" in str(receipt.reason)


def test_trust_reporters_are_believed_from_any_address(tmp_path: Path) -> None:
    """What the operator lists reaches the part that names who wrote a report."""
    listed = REQUIRE.replace('"require"', '"require"\nreporters = ["Comcast.net"]')
    with app_in(tmp_path, listed, now=NOW) as app:
        made = trust(
            app.config,
            app.store.keys,
            lambda: app.resolver,
            lambda _policy: "ours",
            lambda: NOW,
        )

    assert frozenset({"comcast.net"}) == made.reporters
