"""Nothing that can arrive makes reading fail; what it may cost, tests/hostile sees to."""

import base64
import gzip

from hypothesis import given
from hypothesis import strategies as st

from tests.mails import document, mail, report
from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.intake.read import read

MAIL = mail(report())
pieces = st.sampled_from(
    [
        b"Content-Type: multipart/report; report-type=tlsrpt; boundary=b\n",
        b"Content-Type: message/rfc822\n",
        b"Content-Type: application/tlsrpt+gzip; name*0*=x''%\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: quoted-printable\n",
        b"TLS-Report-Domain: a\n",
        b"Subject: =?utf-8?b?gA?= Report Domain:\n",
        b"Date: Wed, 99 Foo 99999 25:61:61 +9999\n",
        b"\n",
        b"--b\n",
        b"--b--\n",
        b"\r\n",
        b" folded\n",
        b"{",
        document(report()),
        b'{"policies":',
        gzip.compress(document(report())),
        base64.encodebytes(gzip.compress(b"{}")),
        b"PK\x03\x04",
        b"PK\x05\x06" + b"\0" * 18,
        b"<feedback>",
        b"\x1f\x8b\x08",
    ]
)


def consistent(content: MailContent) -> bool:
    """Whether kind, reason and reports fit together."""
    is_report = content.kind == "tls-report"
    return bool(content.reports) == is_report and (content.reason is None) == is_report


@given(st.binary(max_size=300), st.sampled_from([None, "x.json", "x.gz", "x.zip", "a!b!c!d.json"]))
def test_any_bytes_are_read(raw, name):
    """Whatever comes in, an answer comes out."""
    assert consistent(read(raw, file_name=name))


@given(st.lists(pieces | st.binary(max_size=20), max_size=15))
def test_any_pieces_of_mails_are_read(parts):
    """Pieces of real mails in any order, too."""
    assert consistent(read(b"".join(parts)))


@given(st.integers(0, len(MAIL)), st.integers(0, 30), st.binary(max_size=30))
def test_any_damage_to_a_mail_is_survived(at, length, other):
    """A mail with a piece missing, or another in its place, is read or refused in words."""
    assert consistent(read(MAIL[:at] + other + MAIL[at + length :]))
