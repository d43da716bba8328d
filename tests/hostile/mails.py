"""Mails made to exhaust whoever reads them, of at most 16 MiB each. Nothing here needs pytest."""

import base64
import gzip
import io
import random
import zipfile
from collections.abc import Callable

from tests import mails

MOST = 16 * 1024 * 1024
MIB = 1 << 20
TOKEN = "abcdefghijklmnopqrstuvwxy2"

CLAIM = b"TLS-Report-Domain: example.com\n"
MIXED = CLAIM + b'Content-Type: multipart/mixed; boundary="b"\n\n'
ANSWER = f"From: ana@example.com\nTo: tlsrpt+ack-{TOKEN}@example.com\n".encode()
LETTERS = bytes(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" * 4)
"""Any byte to one of 64 letters."""
REPORT = mails.mail(mails.report())
EMPTY = b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
"""The hash of a body without a line, relaxed."""


def packed(data: bytes) -> bytes:
    """A mail with *data* gzipped."""
    return mails.mail(data, gzip=True)


def bare(head: bytes, unit: bytes = b"", tail: bytes = b"") -> bytes:
    """*head*, as many of *unit* as a mail has room for, *tail*."""
    room = MOST - len(head) - len(tail)
    return head + unit * (room // len(unit) if unit else 0) + tail


def details(count: int) -> bytes:
    """A report with so many equal rows."""
    row = mails.document(mails.detail())
    head = b'{"policies":[{"policy":{"policy-type":"sts","policy-domain":"example.com"},'
    return head + b'"summary":{},"failure-details":[' + b",".join([row] * count) + b"]}]}"


def domains(count: int, **more: object) -> bytes:
    """A report on so many domains."""
    policies = [mails.policy(f"d{n}.example", mx=(), **more) for n in range(count)]  # type: ignore[arg-type]
    return mails.document(mails.report(policies=policies))


def zipped(members: int, size: int, *, name: str = "a!b!{}!2.json") -> bytes:
    """A mail with a zip of *members* files, each of which unpacks to *size* bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(members):
            archive.writestr(name.format(number), b'{"policies":[],' + b" " * size)
    return mails.mail(out.getvalue(), gzip=False, file_name="r.zip", part_type="application/zip")


def nested(depth: int) -> bytes:
    """A report within so many forwarded messages."""
    return b"Content-Type: message/rfc822\n\n" * depth + mails.mail(mails.report())


def multiparts(depth: int) -> bytes:
    """A multipart in a multipart, so deep."""
    opened = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth)
    )
    return CLAIM + opened + b"\n{}"


def parts(count: int) -> bytes:
    """So many parts, and a report in the last one."""
    last = mails.attachment(mails.document(mails.report()), name="r.json", kind="application/json")
    return MIXED + b"--b\n\nx\n" * (count - 1) + b"--b\n" + last.encode() + b"--b--\n"


def signature(
    number: int, body: bytes = b"relaxed", *, signed: bytes = b"", value: bytes = b"AAAA"
) -> bytes:
    """A signature of Google's that is right in form."""
    return (
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/%s; d=google.com; s=s%d; h=%sfrom;"
        b" bh=%s; b=%s\n" % (body, number, signed, EMPTY, value)
    )


def noise(count: int) -> bytes:
    """Bytes that no packing makes smaller, the same each time."""
    return random.Random(8460).randbytes(count)


UNPACKED: dict[str, Callable[[], bytes]] = {
    "a gzip bomb": lambda: packed(b" " * 512 * MIB),
    "a bomb within a bomb": lambda: packed(gzip.compress(b" " * 512 * MIB)),
    "gzip of many members": lambda: (
        packed(b"")
        and mails.mail(
            gzip.compress(b"") * 500_000, gzip=False, part_type="application/tlsrpt+gzip"
        )
    ),
    "100 members that are bombs": lambda: mails.mail(
        gzip.compress(b" " * MIB) * 100, gzip=False, part_type="application/tlsrpt+gzip"
    ),
    "50 parts that are bombs": lambda: mails.mail([b" " * 15 * MIB] * 48),
    "a zip of many bombs": lambda: zipped(50, 16 * MIB),
    "a zip of 60,000 files": lambda: zipped(60_000, 1),
    "a zip in a zip in a zip": lambda: zipped(1, 30 * MIB, name="{}.zip"),
    "15 MiB of blanks before the object": lambda: packed(b" " * 15 * MIB + b'{"policies":[]}'),
    "15 MiB that no packing makes smaller": lambda: packed(
        b'{"policies":["' + noise(15 * MIB // 2).hex().encode() + b'"]}'
    ),
}

DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "empty arrays to the limit": lambda: packed(b'{"policies":[' + b"[]," * 133_000 + b"[]]}"),
    "32 MiB of empty arrays": lambda: packed(b'{"policies":[' + b"[]," * (11 * MIB)),
    "100,000 nested arrays": lambda: packed(b'{"policies":' + b"[" * 100_000),
    "900 nested arrays": lambda: packed(
        b'{"policies":[' + (b"[" * 900 + b"]" * 900 + b",") * 200 + b"0]}"
    ),
    "20,000 details": lambda: packed(details(20_000)),
    "160,000 departures": lambda: packed(
        b'{"policies":[{"failure-details":[' + b'{"x":[1]},' * 60_000 + b"0]}]}"
    ),
    "a string of 15 MiB": lambda: packed(b'{"policies":[],"report-id":"' + b"a" * 15 * MIB + b'"}'),
    "a string of 12 MiB of escapes": lambda: packed(
        b'{"policies":[],"report-id":"' + b"\\u00e9" * (2 * MIB) + b'"}'
    ),
    "a string of 12 MiB of wide characters": lambda: packed(
        b'{"policies":[],"report-id":"' + "\U0001f600".encode() * (3 * MIB) + b'"}'
    ),
    "one emoji in 15 MiB": lambda: packed(
        b'{"policies":"\xf0\x9f\x98\x80' + b"a" * 15 * MIB + b'"}'
    ),
    "60,000 members": lambda: packed(
        b'{"policies":[],' + b",".join(b'"k%d":%d' % (n, n) for n in range(60_000)) + b"}"
    ),
    "a number of a million digits": lambda: packed(b'{"policies":[],"x":' + b"9" * MIB + b"}"),
    "390,000 numbers of 40 digits": lambda: packed(
        b'{"policies":[' + b"9" * 40 + (b"," + b"9" * 40) * 390_000 + b"]}"
    ),
    "a count of 4,000 digits": lambda: packed(
        b'{"policies":[{"summary":{"total-failure-session-count":"' + b"9" * 4_000 + b'"}}]}'
    ),
    "backslashes without an end": lambda: packed(b'{"policies":[],"x":"' + b"\\" * (8 * MIB)),
    "lone surrogates": lambda: packed(b'{"policies":[],"x":"' + b"\\ud800" * 170_000 + b'"}'),
    "390,000 strings": lambda: packed(
        b'{"policies":[{"failure-details":[' + b'"%s",' % (b"a" * 39) * 390_000 + b"0]}]}"
    ),
    "reports behind reports": lambda: packed(mails.document(mails.report()) * 20_000),
    "objects behind one another": lambda: packed((b'{"policies":[]}' + b" " * 320_000) * 50),
    "16,000 domains": lambda: packed(domains(16_000)),
    "10,000 domains that all fail": lambda: packed(domains(10_000, details=[{"result-type": "x"}])),
    "10,000 domains by 1,000 mails' worth of rows": lambda: packed(
        domains(6_000, details=[{"result-type": "x"}] * 3)
    ),
    "19,900 result types": lambda: packed(
        mails.document(mails.report(details=[{"result-type": f"x{n}"} for n in range(19_900)]))
    ),
    "19,900 MX hosts": lambda: packed(
        mails.document(mails.report(details=[mails.detail(mx=f"m{n}.x") for n in range(19_900)]))
    ),
    "19,900 reasons of 700 characters": lambda: packed(
        mails.document(
            mails.report(
                details=[
                    {"result-type": "x", "failure-reason-code": f"{n} certificate " + "a b " * 170}
                    for n in range(19_900)
                ]
            )
        )
    ),
    "48 reports of 400 domains that fail": lambda: mails.mail(
        [domains(400, details=[{"result-type": f"x{n}"}]) for n in range(48)]
    ),
    "48 reports to the limit": lambda: mails.mail(
        [mails.report(f"d{n}.example", details=[mails.detail()] * 1_000) for n in range(48)]
    ),
    "48 reports of 15 MiB": lambda: mails.mail(
        [b'{"policies":[],"n":%d,"x":"' % n + b"a" * 15 * MIB + b'"}' for n in range(48)]
    ),
    "48 large reports of other objects": lambda: mails.mail(
        [b'{"policies":[],"n":%d,"x":[' % n + b"[]," * 130_000 + b"0]}" for n in range(48)]
    ),
}

SHAPES: dict[str, Callable[[], bytes]] = {
    "300 parts": lambda: parts(300),
    "depth 200": lambda: nested(200),
    "2,000 nested messages": lambda: nested(2_000),
    "500,000 nested messages": lambda: bare(CLAIM, b"Content-Type: message/rfc822\n\n"),
    "100,000 multiparts": lambda: multiparts(100_000),
    "a million header lines": lambda: b"X: y\n" * MIB + b"\n" + mails.mail(mails.report()),
    "a header of 16 MB": lambda: bare(CLAIM + b"X: ", b"a", b"\n\n"),
    "a header of folded lines": lambda: bare(CLAIM + b"X: ", b"a\n ", b"\n\n"),
    "a Subject of encoded words": lambda: bare(CLAIM + b"Subject: ", b"=?utf-8?q?=41?= ", b"\n\n"),
    "a Subject of encoded words, small": lambda: (
        CLAIM + b"Subject: " + b"=?utf-8?q?=41?= " * 4_000 + b"\n\n{}"
    ),
    "comments within comments": lambda: bare(CLAIM + b"From: ", b"(", b"\n\n"),
    "comments within comments, small": lambda: b"From: " + b"(" * 60_000 + b"a@b.example\n\n{}",
    "long References": lambda: bare(ANSWER + b"References: ", b"<a@b.example> ", b"\n\nack\n"),
    "many recipients": lambda: bare(
        b"From: a@b.example\nTo: ", f"<t+ack-{TOKEN}@b.example>, ".encode(), b"\n\nack\n"
    ),
    "a line without an end": lambda: bare(CLAIM + b"\n", b"a"),
    "carriage returns alone": lambda: bare(CLAIM.replace(b"\n", b"\r") + b"\r", b"a\r"),
    "a million parts": lambda: bare(MIXED, b"--b\n\n"),
    "a million false boundaries": lambda: bare(MIXED, b"--bx\n"),
    "a million boundaries of nobody": lambda: bare(MIXED, b"--x\n"),
    "a million seeming parts": lambda: bare(MIXED, b"--x\nContent-a\n"),
    "a parameter without an end": lambda: bare(
        CLAIM + b"Content-Type: multipart/mixed", b'; a="', b"\n\n"
    ),
    "16 MiB of NUL": lambda: b"\0" * MOST,
    "braces": lambda: bare(CLAIM + b'\n"policies"', b"{ "),
    "16 MiB of white space": lambda: bare(CLAIM + b"\n", b" \t"),
}

ENCODED: dict[str, Callable[[], bytes]] = {
    "base64 of JSON": lambda: (
        CLAIM
        + b"Content-Type: application/tlsrpt+json\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(b'{"policies":["' + b"a" * 11_000_000 + b'"]}')
    ),
    "base64 that nobody names": lambda: (
        b"Content-Type: application/tlsrpt+gzip\n\n"
        + base64.encodebytes(
            gzip.compress(b'{"policies":["' + noise(7_900_000).hex().encode() + b'"]}')
        )
    ),
    "broken base64": lambda: bare(
        b"Content-Transfer-Encoding: base64\nContent-Type: application/tlsrpt+gzip\n\n", b"A=?!"
    ),
    "base64 of 16 MiB without an end": lambda: bare(
        b"Content-Transfer-Encoding: base64\nContent-Type: application/tlsrpt+gzip\n\n", b"H4sI"
    ),
    "quoted-printable": lambda: bare(
        b"Content-Transfer-Encoding: quoted-printable\nContent-Type: application/tlsrpt+json\n\n",
        b"=4",
    ),
    "uuencode": lambda: bare(CLAIM + b"\nbegin 644 r.json\n", b"M" + b"!" * 60 + b"\n"),
    "base64 within base64": lambda: (
        b"Content-Type: message/rfc822\n"
        b"Content-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(
            b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
            + base64.encodebytes(CLAIM + b"\n" + b"{" * 8_000_000)
        )
    ),
}

NOISE: dict[str, Callable[[], bytes]] = {
    "16 MiB that no packing makes smaller": lambda: CLAIM + b"\n" + noise(MOST - 40),
    "16 MiB of a report that no packing makes smaller": lambda: packed(
        b'{"policies":["' + noise(47 * MIB // 4).translate(LETTERS) + b'"]}'
    ),
    "16 MiB of two reports that no packing makes smaller": lambda: mails.mail(
        [
            b'{"policies":["' + noise(47 * MIB // 8).translate(LETTERS[::way]) + b'"]}'
            for way in (1, -1)
        ]
    ),
    "16 MiB of a letter": lambda: b"Subject: x\n\n" + noise(MOST - 40),
}

SIGNATURES: dict[str, Callable[[], bytes]] = {
    "1,000 signatures": lambda: b"".join(signature(n) for n in range(1_000)) + REPORT,
    "10 signatures over 15 MB": lambda: (
        b"".join(signature(n, (b"simple", b"relaxed")[n % 2]) for n in range(10))
        + bare(REPORT + b"\n", b" \t \r\n a\r\n", b"a")[: MOST - 4_000]
    ),
    "a body of 15 MB in one line": lambda: (
        signature(1) + bare(REPORT + b"\n", b" \t")[: MOST - 4_000]
    ),
    "a body of 15 MB of empty lines": lambda: (
        signature(1) + bare(REPORT, b"\n", b"a")[: MOST - 4_000]
    ),
    "a body of 15 MB of CR": lambda: signature(1) + bare(REPORT, b"\r\r\n\r")[: MOST - 4_000],
    "a signature over 100,000 fields": lambda: signature(1, signed=b"from:" * 100_000) + REPORT,
    "a signature of blanks": lambda: signature(1, value=b" " * 200_000 + b"AAAA") + REPORT,
    "a signature of tags": lambda: signature(1, value=b"AAAA" + b";a=b" * 2_000) + REPORT,
    "900 fields that are signed": lambda: (
        b"".join(signature(n, signed=b"x:" * 199) for n in range(10))
        + (b"x: " + b"y " * 120 + b"\n") * 900
        + REPORT
    ),
    "one field of 250 KB": lambda: (
        (signature(1, signed=b"x:" * 199) + b"x:" + b" y\n" * 60_000 + b"\n" + REPORT)[: 250 * 1024]
        + REPORT
    ),
    "a From of comments": lambda: (
        signature(1) + b"From: " + b"(" * 900 + b")" * 900 + b" a@b.c\n\n"
    ),
    "100,000 clauses of results": lambda: (
        b"Authentication-Results: mx.example.com;"
        + b" dkim=pass header.d=google.com;" * 100_000
        + b"\n"
        + REPORT
    ),
    "900 results": lambda: (
        b"Authentication-Results: mx.example.com; dkim=pass header.d=a.b\n" * 900 + REPORT
    ),
    "50 results of 5 KB, and 50 signatures": lambda: (
        (b"Authentication-Results: mx.example.com;" + b" dkim=pass;" * 400 + b"\n") * 50
        + b"DKIM-Signature: v=1; d=google.com\n" * 50
        + REPORT
    ),
    "results of open comments": lambda: (
        b"Authentication-Results: mx.example.com; " + b"(" * 200_000 + b"\n" + REPORT
    ),
    "18 forwarded mails, each signed": lambda: (
        b"".join(
            signature(n) + b"From: a@google.com\nContent-Type: message/rfc822\n\n"
            for n in range(18)
        )
        + REPORT
        + b" \n" * 400_000
    ),
    "45 forwarded mails side by side": lambda: (
        MIXED
        + b"".join(
            b"--b\nContent-Type: message/rfc822\n\n" + signature(n) + REPORT + b"x \n" * 80_000
            for n in range(45)
        )
    ),
}

ANSWERS: dict[str, Callable[[], bytes]] = {
    "an answer of tags": lambda: bare(ANSWER + b"Content-Type: text/html\n\n", b"<blockquote>"),
    "an answer of open comments": lambda: bare(ANSWER + b"Content-Type: text/html\n\n", b"<!--"),
    "an answer of entities": lambda: bare(ANSWER + b"Content-Type: text/html\n\n", b"&#x1f600;"),
    "an answer of headings": lambda: bare(ANSWER + b"\n", b"On Mon, Ana wrote "),
    "an answer of lines": lambda: bare(ANSWER + b"\n", b"On a\n"),
    "an answer of underscores": lambda: bare(ANSWER + b"\n", b"_" * 19 + b"-"),
    "an answer in iso-2022-jp": lambda: bare(
        ANSWER + b"Content-Type: text/plain; charset=iso-2022-jp\n\n", b"\x1b$B"
    ),
}

HOSTILE: dict[str, Callable[[], bytes]] = (
    UNPACKED | DOCUMENTS | SHAPES | ENCODED | NOISE | SIGNATURES | ANSWERS
)
"""By name, in words of what each is made of."""
