"""Authentication-Results of MTAs that the operator trusts (RFC 8601)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.signing import mail, organisational, sign
from tlsrpt_mailer.trust.message import message
from tlsrpt_mailer.trust.results import read_results, said_instead, vouched, vouching
from tlsrpt_mailer.trust.signature import covers_type

GOOD = b"dkim=pass header.d=sender.example header.s=sel"
MICROSOFT = (
    b"spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=sender.example; dkim=pass (signature was"
    b" verified)\r\n header.d=sender.example;dmarc=pass action=none header.from=sender.example;"
    b"compauth=pass reason=100"
)


def says(*fields: bytes, ids: tuple[str, ...] = ("mx.example.com",), raw: bytes | None = None):  # type: ignore[no-untyped-def]
    top = b"".join(b"Authentication-Results: " + field + b"\r\n" for field in fields)
    return vouched(message(top + (raw or mail())), ids, organisational)


def test_a_trusted_mta_is_believed():
    """What our own MX verified before a gateway changed the mail counts as signed."""
    found = says(b"mx.example.com; " + GOOD)

    assert found is not None
    assert ("pass", "sender.example") == (found.word, found.domain)
    assert "mx.example.com" in found.reason


def test_all_fields_with_a_trusted_id_are_considered():
    """The field that counts may stand below others."""
    assert says(b"mx.example.com; spf=pass", b"mx.example.com; " + GOOD) is not None


@pytest.mark.parametrize(
    "field",
    [
        b"evil.example; " + GOOD,
        GOOD,
        b"mx.example.com; dkim=fail header.d=sender.example",
        b"mx.example.com; dkim=pass header.d=other.example",
        b"mx.example.com; dkim=pass",
        b'mx.example.com; spf=pass reason="; dkim=pass header.d=sender.example"',
        b"mx.example.com; spf=pass (; dkim=pass header.d=sender.example)",
        b"mx.example.com (a (b; dkim=pass header.d=sender.example) c); none",
        b"mx.example.com; none",
        b"",
        b";;;",
    ],
)
def test_what_is_not_believed(field: bytes):
    """Other hosts, other domains, and texts in quotes or comments vouch for nobody."""
    assert says(field) is None


@pytest.mark.parametrize(
    "field",
    [
        b"MX.example.com. 1; DKIM=Pass Header.D=Sender.Example",
        b"mx.example.com;\r\n\tdkim=pass (2048-bit key) header.i=@sender.example header.b=abc",
        b"(us) mx.example.com; spf=none; dkim/1 = pass header.d = sender.example;",
        b"mx.example.com; dkim=fail header.d=a.example; dkim=pass header.d=sender.example",
        b'mx.example.com; dkim=pass header.d=sender.example; spf=none reason="cut of',
    ],
)
def test_other_ways_to_write_it(field: bytes):
    """Case, folding, comments, versions and Google's header.i make no difference."""
    assert says(field) is not None


def test_microsoft_writes_no_id():
    """The id "-" believes the topmost field without an id, and none below it."""
    assert says(MICROSOFT, ids=("-",)) is not None
    assert says(b"spf=fail smtp.mailfrom=a.example", MICROSOFT, ids=("-",)) is None
    assert says(MICROSOFT, ids=("mx.example.com",)) is None


def test_a_signature_in_part_is_not_believed_through_an_mta():
    """An MTA may accept l=; RFC 8460 does not."""
    raw = sign(mail(), length=True)

    assert says(b"mx.example.com; " + GOOD, raw=raw) is None
    assert says(b"mx.example.com; " + GOOD, raw=sign(mail())) is not None


def test_the_notice_can_propose_whom_to_trust():
    """The id of the topmost field is what an operator would add."""

    def proposed(field: bytes) -> str | None:
        return vouching(
            message(b"Authentication-Results: " + field + b"\r\n" + mail()), organisational
        )

    assert "mx.example.com" == proposed(b"mx.example.com; " + GOOD)
    assert "-" == proposed(MICROSOFT)
    assert None is proposed(b"mx.example.com; spf=pass")


@pytest.mark.parametrize(
    ("fields", "ids", "said"),
    [
        (
            [b"mx.example.com; dkim=fail (body hash) header.d=sender.example header.s=a"],
            ("mx.example.com",),
            "mx.example.com says dkim=fail for sender.example",
        ),
        (
            [
                (
                    b"mx.example.com; dkim=fail header.i=@sender.example;"
                    b" dkim=pass header.d=list.example"
                )
            ],
            ("mx.example.com",),
            "mx.example.com says dkim=fail for sender.example and dkim=pass for list.example",
        ),
        (
            [b"evil.example; " + GOOD, b"MX.example.com; dkim=none; spf=pass"],
            ("mx.example.com",),
            "mx.example.com says dkim=none",
        ),
        (
            [b"mx.example.com; spf=pass smtp.mailfrom=sender.example"],
            ("mx.example.com",),
            "mx.example.com says nothing of dkim",
        ),
        (
            [b"evil.example; " + GOOD],
            ("mx.example.com",),
            "no Authentication-Results is by mx.example.com",
        ),
        (
            [b"a.example; " + GOOD],
            ("b", "c"),
            "no Authentication-Results is by any of authserv_ids",
        ),
        ([b"a.example; " + GOOD], ("-",), "no Authentication-Results is without a name"),
        (
            [MICROSOFT.replace(b"dkim=pass", b"dkim=fail")],
            ("-",),
            "the topmost without a name says dkim=fail for sender.example",
        ),
        (
            [b"a.example; dkim=fail header.d=x.example", b"b.example; dkim=temperror"],
            ("a.example", "b.example"),
            "a.example says dkim=fail for x.example, b.example says dkim=temperror",
        ),
        (
            [b"a.example; " + b"; ".join(b"dkim=fail header.d=d%d.example" % n for n in range(9))],
            ("a.example",),
            (
                "a.example says dkim=fail for d0.example and dkim=fail for d1.example"
                " and dkim=fail for d2.example"
            ),
        ),
        (
            [b"a.example; dkim=<b>\x1b[2J</b> header.d=sender.example; dkim=fail header.d=<i>"],
            ("a.example",),
            "a.example says dkim=fail",
        ),
    ],
)
def test_what_a_trusted_mta_said_instead_is_told(
    fields: list[bytes], ids: tuple[str, ...], said: str
):
    """
    Who named an MTA, and finds reports held all the same, reads what that MTA has found.

    Only words and host names of the field are repeated, and only of one that is believed.
    """
    top = b"".join(b"Authentication-Results: " + field + b"\r\n" for field in fields)

    assert said == said_instead(message(top + mail()), ids)


def test_why_a_finding_does_not_help_is_told():
    """The MTA may have looked at another field than we, so its pass is not repeated."""
    twice = b"From: a@b.example\r\n" + mail()
    raw = b"Authentication-Results: mx.example.com; " + GOOD + b"\r\n" + twice

    assert "with two From fields, what an MTA found proves nothing" == (
        said_instead(message(raw), ("mx.example.com",))
    )


@given(st.binary(max_size=400))
def test_any_bytes_can_be_read(value: bytes):
    """Whatever stands in the field, reading it ends, and raises nothing."""
    read_results(value)
    one_line = value.replace(b"\r", b"").replace(b"\n", b"")
    raw = b"Authentication-Results: mx; dkim=" + one_line + b"\r\n" + mail()

    assert said_instead(message(raw), ("mx",)).startswith("mx says ")
    assert said_instead(message(raw), ("mx",)).isprintable()


def test_what_the_verified_signature_covers():
    """Its field tells no more than the domain: all signatures of it must cover Content-Type."""
    trusted = b"mx.example.com; " + GOOD
    less = [b"from", b"date"]

    def covers(raw: bytes) -> bool:
        found = says(trusted, raw=raw)
        assert found is not None
        return found.covers_type

    assert covers(sign(mail()))
    assert not covers(sign(sign(mail()), include_headers=less))
    assert not covers(mail())
    assert not covers_type(b"d=sender.example; h=content-type; h=from")


def test_no_finding_holds_for_a_mail_with_two_content_types():
    """The MTA may have looked at the other one."""
    twice = b"Content-Type: multipart/mixed\r\n" + mail()

    assert says(b"mx.example.com; " + GOOD, raw=twice) is None
