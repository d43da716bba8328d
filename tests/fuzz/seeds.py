"""What the fuzzers begin with: mails as senders write them, and what tests knew to be odd."""

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import dkim

from tests.domains.records import CASES
from tests.fuzz.keys import DOMAIN
from tests.fuzz.targets import SEPARATOR
from tests.mails import bounce, dmarc_mail, document, letter, mail, report
from tests.trust import signing

FINDINGS = Path(__file__).parent / "findings"
"""Inputs that broke a promise once, a folder a target."""

TOKEN = "abcdefghijklmnopqrstuvwxyz"

DICTIONARY = [
    *("Content-Type: ", "multipart/report; report-type=tlsrpt; boundary=b", "message/rfc822"),
    *("Content-Transfer-Encoding: ", "base64", "quoted-printable", "application/tlsrpt+gzip"),
    *("TLS-Report-Domain: ", "TLS-Report-Submitter: ", "Subject: Report Domain: ", "=?utf-8?q?"),
    *("--b", "--b--", "{", '"policies"', '"policy"', '"failure-details"', '"summary"', "[],"),
    *('"date-range"', '"start-datetime"', "2026-10-13T00:00:00Z", '"policy-domain"', "\\ud800"),
    *("DKIM-Signature: ", "v=1;", "a=rsa-sha256;", "c=relaxed/simple;", "d=sender.example;"),
    *("h=from:to;", "bh=", "l=0;", "s=own;", "x=1;", "t=1;", "i=@sender.example", "From: "),
    *("Authentication-Results: ", "dkim=pass", "header.d=", "header.i=@", "mx.example.com;"),
    *("v=TLSRPTv1;", "rua=", "mailto:", "https://", "%2C", "!10m", "v=STSv1;", "id=", "mode: none"),
    *("version: STSv1", "mx: *.", "max_age: ", "3 1 1 ", "v=spf1 -all", "v=DMARC1;"),
    *("v=DKIM1;", "k=ed25519;", "p=", "t=s", "+ack-" + TOKEN + "@", "Auto-Submitted: no"),
    *("<blockquote>", "<div class=gmail_quote>", "<!--", "-->", "begin 644 x", "H4sI", "UEsDB"),
    *("PK\\x03\\x04", "PK\\x05\\x06", "\\x1f\\x8b\\x08", "\\xff\\xff", "<feedback", "certificate"),
]
"""Words of these formats, for the fuzzer to put in."""


def seeds(target: str) -> list[bytes]:
    """The inputs that *target* begins with."""
    made = list({"extract": _mails, "inflate": _packed, "parse": _reports}.get(target, _mails)())
    if target == "extract":
        made = [b"\0" + one for one in made]
    if target == "classes":
        made = [one[:2_000] for one in made] + list(_reasons())
    if target == "published":
        made = list(_published())
    if target == "reply":
        made = list(_replies())
    if target == "dkim":
        made = list(_signed())
    if target == "traps":
        made = list(_traps())
    return made + [path.read_bytes() for path in sorted((FINDINGS / target).glob("*"))]


def write(target: str, folder: Path) -> None:
    """Write them down, a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(target)):
        (folder / f"seed-{number}").write_bytes(data)


def dictionary() -> str:
    """`DICTIONARY` as libFuzzer reads it."""
    lines = [
        word.replace("\\x", "\0").replace("\\", "\\\\").replace('"', '\\"') for word in DICTIONARY
    ]
    return "".join(f'"{line}"\n'.replace("\0", "\\x") for line in lines)


def _mails() -> Iterator[bytes]:
    small = report(details=(), mx=())
    yield mail(report())
    yield mail(report(), gzip=False)
    yield mail([small, report("b.example")], gzip=False)
    yield mail(small, gzip=False, newline="\r\n", part_type="application/octet-stream")
    yield b"Content-Type: message/rfc822\n\n" + mail(small, gzip=False)
    yield from (bounce(), dmarc_mail(), letter(), document(small))
    yield b"Subject: Fwd\n\n> " + base64.encodebytes(gzip.compress(document(small)))
    yield b"TLS-Report-Domain: a.example\n\nbegin 644 r.json\n" + document(small)
    yield (
        b"From: a\nContent-Type: multipart/mixed; boundary*0=b; boundary*1*=%62\n\n--bb\n"
        b"Content-Type: application/json; name*=utf-8''r%21.json\n"
        b"Content-Transfer-Encoding: quoted-printable\n\n=7B=22policies=22:[]}\n--bb--\n"
    )


def _packed() -> Iterator[bytes]:
    data = document(report(details=()))
    yield data
    yield gzip.compress(data)
    yield gzip.compress(gzip.compress(data)) + b"\r\n"
    yield gzip.compress(data[:50]) + gzip.compress(data[50:])
    yield b"PK\x03\x04" + b"\0" * 40 + b"PK\x05\x06" + b"\0" * 18


def _reports() -> Iterator[bytes]:
    yield document(report())
    yield document(report(policy_type="tlsa"))
    yield document(report(details=(), successful=2**70)) * 2
    odd = report()
    odd["policies"][0]["policy"]["policy-string"] = '[\\"3 1 1 ab\\"]'
    odd["policies"][0]["summary"] = {"total-failure-session-count": "12"}
    odd["date-range"] = {"start-datetime": 1_791_936_000, "end-datetime": "2026-10-13T24:00:00"}
    yield json.dumps(odd, ensure_ascii=False).encode()
    yield b'\xef\xbb\xbf{"policies":[{"a":"\\ud800\x01"}],"x":1e999}'


def _reasons() -> Iterator[bytes]:
    yield b"x509: certificate is valid for mx.example, not mx1.example.com"
    yield b"v=TLSRPTv1; rua=mailto:tlsrpt%2Bx@example.com!10m,https://a.example/r; x=y"
    yield b"MTA-STS MX mismatch [192.0.2.1]:25: 2026-10-13T00:00:00Z"


def _published() -> Iterator[bytes]:
    policy = b"version: STSv1\nmode: enforce\nmx: *.sender.example\nmax_age: 604800\n"
    tlsa = b"3 1 1 " + b"ab" * 32
    for case in CASES:
        texts = "\n".join(case.texts).encode("utf-8", "surrogatepass")
        yield texts + b"\nv=STSv1; id=20261014;\n" + tlsa + SEPARATOR + policy
    yield b"v=STSv1; id=1" + SEPARATOR + policy.replace(b"\n", b"\r\n").replace(b"enforce", b"test")
    yield tlsa + b"\n0 0 0 " + SEPARATOR + b"<html>"


def _replies() -> Iterator[bytes]:
    to = f"tlsrpt+ack-{TOKEN}@example.com"
    yield letter(to=to, subject="Re: CRITICAL", text="fixed\n\nOn Mon, Ana wrote:\n> ack 7d")
    yield letter(to=to, headers=["Auto-Submitted: auto-replied", "References: <a@b> <c@d>"])
    html = "<html><p>ack</p><blockquote type=cite>fixed<br>&#8203;</blockquote></html>"
    body = f'Content-Type: text/html; charset="iso-8859-1"\n\n{html}'
    yield f"From: Ana (x) <ana@example.com>\nTo: {to}\n{body}".encode()
    yield b"Content-Type: multipart/alternative; boundary=b\n\n--b\n" + body.encode() + b"\n--b--\n"


def _signed() -> Iterator[bytes]:
    record = b"v=DKIM1; k=rsa; s=email:tlsrpt; t=s; p=" + signing.rsa_key()[1].encode()
    raw = signing.mail()
    yield signing.sign(raw) + SEPARATOR + record
    yield signing.sign(raw, canonicalize=(b"simple", b"simple")) + SEPARATOR + record
    yield _by(b"own", raw, signing.rsa_key()[0], b"rsa-sha256") + SEPARATOR + record
    key, public = signing.ed25519_key()
    yield _by(b"ed", raw, key, b"ed25519-sha256") + SEPARATOR + b"v=DKIM1; k=ed25519; p=x"
    yield _by(b"own", raw, key, b"ed25519-sha256") + SEPARATOR + b"k=ed25519;p=" + public.encode()
    yield (
        b"Authentication-Results: mx.example.com; dkim=pass (good) header.d=sender.example\r\n"
        b'Authentication-Results: spf=pass; dkim=pass header.i="@sender.example"\r\n' + raw
    )


def _by(selector: bytes, raw: bytes, key: bytes, algorithm: bytes) -> bytes:
    signer = dkim.DKIM(raw, signature_algorithm=algorithm)
    made: bytes = signer.sign(
        selector, DOMAIN.encode(), key, canonicalize=(b"relaxed", b"relaxed"),
        include_headers=signing.HEADERS,
    )  # fmt: skip
    return made + raw


def _traps() -> Iterator[bytes]:
    to = f"To: tlsrpt+ack-{TOKEN}@example.com\n".encode()
    html = b"Content-Type: text/html\n\n"
    boundary = b'TLS-Report-Domain: a\nContent-Type: multipart/mixed; boundary="b"\n\n'
    for head, unit, tail in (
        (b"Subject: ", b"=?utf-8?q?a?= ", b"\n\n"),
        (b"From: ", b"(", b"\n\n"),
        (b"", b"Content-Type: message/rfc822\n\n", b""),
        (boundary, b"--b\n\n", b""),
        (boundary, b"--x\n", b""),
        (b"", b"Authentication-Results: mx.example.com; dkim=pass header.d=a.b\n", b"\n"),
        (b"From: a@a.b\nAuthentication-Results: mx.example.com;", b" dkim=pass;", b"\n\n"),
        (b"From: a@sender.example\nDKIM-Signature: v=1; h=from", b":from", b"\n\n"),
        (b"", b"DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=sel\n", b"\n"),
        (to + b"References: ", b"<a@b> ", b"\n\n"),
        (to + html, b"<blockquote>", b""),
        (to + html, b"<!--", b""),
        (to + b"\n", b"On ", b"wrote:"),
        (b'{"policies":[', b"[],", b"]}"),
        (b'{"policies":', b"[", b""),
        (b'{"policies":"', b"\\ud800", b'"}'),
        (b'{"policies":[{"failure-details":[', b'{"a":1},', b"0]}]}"),
        (b"TLS-Report-Domain: a\n\n", b" \t", b"eyJw"),
        (b"TLS-Report-Domain: a\n\nbegin 644 a\n", b"M \n", b"\n"),
    ):
        yield SEPARATOR.join((head, unit, tail))
