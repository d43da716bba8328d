"""Nothing that can arrive makes reading fail, or cost much."""

import base64
import gzip
import subprocess
import sys
import textwrap

import pytest
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


HOSTILE = {
    "boundaries": """
        raw = b'Content-Type: multipart/mixed; boundary="b"\\n\\n' + b"--b\\n\\n" * 3_300_000""",
    "embedded messages": """
        raw = b"Content-Type: message/rfc822\\n\\n" * 500_000""",
    "nested multiparts": """
        raw = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\\n\\n--b%d\\n" % (i, i)
            for i in range(300_000))[:MOST]""",
    "headers": """
        raw = b"a:b\\n" * 4_000_000""",
    "encoded words": """
        raw = b"Subject: " + b"=?utf-8?q?a?= " * 1_100_000 + b"\\n\\n" """,
    "base64 of JSON": """
        raw = (b"Content-Type: application/tlsrpt+json\\nContent-Transfer-Encoding: base64\\n\\n"
            + base64.b64encode(b'{"policies":["' + b"a" * 11_000_000 + b'"]}'))""",
    "many strings": """
        raw = gzip.compress(
            b'{"policies":[{"failure-details":[' + b'"%s",' % (b"a" * 39) * 390_000 + b"0]}]}")""",
    "many rows": """
        raw = gzip.compress(b'{"policies":[{"failure-details":['
            + b'{"result-type":[1],"a":"b"},' * 49_000 + b"0]}]}")""",
    "brackets": """
        raw = gzip.compress(b'{"policies":[' + b"[]," * 5_000_000 + b"0]}")""",
    "one emoji": """
        raw = gzip.compress(b'{"policies":"\\xf0\\x9f\\x98\\x80' + b"a" * 16_000_000 + b'"}')""",
    "surrogates": """
        raw = b'{"policies":"' + b"\\\\ud800" * 170_000 + b'"}'""",
    "a bomb": """
        raw = gzip.compress(b"0" * 64_000_000)""",
    "base64 that nobody names": """
        raw = b"Content-Type: application/tlsrpt+gzip\\n\\n" + base64.encodebytes(gzip.compress(
            b'{"policies":["' + os.urandom(7_900_000).hex().encode() + b'"]}'))""",
    "braces": """
        raw = b'TLS-Report-Domain: a\\n\\n"policies"' + b"{ " * 8_000_000""",
    "boundaries of nobody": """
        raw = (b'TLS-Report-Domain: a\\nContent-Type: multipart/mixed; boundary="b"\\n\\n'
            + b"--x\\n" * 3_300_000)""",
    "objects behind one another": """
        raw = (b'{"policies":[]}' + b" " * 320_000) * 50""",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_mail_costs_little(case):
    """
    A mail made to exhaust us takes at most 64 MiB beside its own bytes. It takes a second at
    most, too; as other programs run beside the tests, they only see to it that it is no minute.
    """
    program = """
        import base64, gzip, os, resource, time
        import zipfile
        from tests.mails import mail, report
        from tlsrpt_mailer.intake.read import read
        MOST = 16 * 1024 * 1024
        read(mail(report()))
        {case}
        raw = raw[:MOST]
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")
        def memory(name):
            with open("/proc/self/status") as lines:
                return next(int(line.split()[1]) for line in lines if line.startswith(name))
        before = memory("VmRSS")
        started = time.process_time()
        read(raw)
        print((memory("VmHWM") - before) // 1024, time.process_time() - started)
    """
    source = textwrap.dedent(program).replace("{case}", textwrap.dedent(HOSTILE[case]).strip())

    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )

    mebibytes, seconds = done.stdout.split()
    assert int(mebibytes) <= 64
    assert float(seconds) < 5
