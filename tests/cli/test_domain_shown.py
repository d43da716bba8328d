"""What MX hosts showed on port 25, as `domains show` has it."""

from tlsrpt_mailer.cli import domain_shown
from tlsrpt_mailer.domains.seen import Answer, Certificate, HostSeen, Seen, Shown
from tlsrpt_mailer.report.times import DAY

NOW = 1_795_435_200  # 2026-11-23T12:00:00Z
NONE = Answer("absent")


def certificate(*names: str, ends: int = NOW + 30 * DAY) -> Certificate:
    return Certificate(
        subject="CN=mx",
        issuer="CN=ca",
        names=names,
        not_before=0,
        not_after=ends,
        cert_sha256="",
        cert_sha512="",
        key_sha256="",
        key_sha512="",
    )


def shown(*rows: Shown) -> Seen:
    host = HostSeen(host="mx1.shop.example", addresses=NONE, tlsa=NONE, shown=rows)
    return Seen(
        domain="shop.example", at=NOW, mx=NONE, ns=NONE, record=NONE, sts=NONE, hosts=(host,)
    )


def test_each_address_is_shown_with_its_certificate_and_its_end() -> None:
    """An operator sees which address still has the old one."""
    seen = shown(
        Shown(
            ip="192.0.2.1",
            at=NOW,
            kind="tls",
            protocol="TLSv1.3",
            chain=(certificate("mx.a", "mx.b"),),
        ),
        Shown(ip="192.0.2.2", at=NOW, kind="tls", chain=(certificate(ends=NOW - DAY),)),
        Shown(ip="192.0.2.3", at=NOW, kind="no-starttls"),
        Shown(ip="192.0.2.4", at=NOW, kind="tls"),
    )

    text = " ".join(" ".join(domain_shown.lines(seen, NOW)).split())

    assert text.startswith("SHOWN on port 25 mx1.shop.example 192.0.2.1: TLSv1.3, certificate for")
    assert "certificate for mx.a and mx.b, ends 23 Dec 12:00Z" in text
    assert "192.0.2.2: TLS, certificate for CN=mx, ended 22 Nov 12:00Z" in text
    assert "192.0.2.3: STARTTLS not offered" in text
    assert text.endswith("192.0.2.4: no certificate")
    rows = domain_shown.form(seen)["shown"]
    assert [("192.0.2.1", "2026-12-23T12:00:00Z"), ("192.0.2.2", "2026-11-22T12:00:00Z")] == [
        (row["ip"], row["not_after"]) for row in rows[:2]
    ]
    assert [[], None] == [rows[2]["names"], rows[2]["not_after"]]


def test_without_a_probe_nothing_is_said() -> None:
    """No heading without a line."""
    assert [] == list(domain_shown.lines(shown(), NOW))
    assert {"records": [], "shown": []} == domain_shown.form(None)
