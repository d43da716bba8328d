"""
Every limit on what a stranger may send, with a check that sees it at work.

Each check is run as it is, and once more with its limit taken away: then it has to fail. What
the limits are for stands in docs/explanation/limits.md.
"""

import base64
import binascii
import gzip
import importlib
import io
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from tests import mails
from tests.hostile.mails import ANSWER, CLAIM, MIXED, REPORT, TOKEN, nested, noise, packed, parts
from tests.trust import signing
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.domains.record import parse_record
from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.failures.windows import not_counted, windows_of
from tlsrpt_mailer.flows.trusting import Patience, Trust, opinions
from tlsrpt_mailer.intake import extract, inflate, mime, reply, salvage
from tlsrpt_mailer.intake.hypertext import as_text
from tlsrpt_mailer.intake.model import Limits, MailContent
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.intake.said import said
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.report import dialects
from tlsrpt_mailer.report.dates import read_date
from tlsrpt_mailer.report.dialects import ReasonClasses
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.model import FailureDetail, Policy, Report
from tlsrpt_mailer.report.parse import parse
from tlsrpt_mailer.trust.message import message
from tlsrpt_mailer.trust.model import Verdict
from tlsrpt_mailer.trust.results import said_instead, vouched

MIB = 1024 * 1024
ENDLESS = 1 << 60
NEVER = re.compile(rb"(?!)")
EXPIRED = "certificate has expired"


class Limit(msgspec.Struct, frozen=True):
    """A constant of the program, and what shows that it holds."""

    module: str
    name: str
    check: Callable[[], bool]
    """Whether the limit is at work."""
    without: Any = ENDLESS
    """What stands for its absence."""

    @property
    def value(self) -> Any:
        return getattr(importlib.import_module(f"tlsrpt_mailer.{self.module}"), self.name)


def _reports(raw: bytes, limits: Limits) -> int:
    return len(read(raw, limits=limits).reports)


def _first(raw: bytes, limits: Limits) -> Report:
    return read(raw, limits=limits).reports[0].report


def _blanks(mebibytes: int) -> bytes:
    return b'{"policies":[],"x":%d}' % mebibytes + b" " * mebibytes * MIB


def _forwarded(inner: bytes) -> bytes:
    return b"Content-Type: message/rfc822\n\n" + inner


def _rows(count: int) -> bytes:
    return mails.document(mails.report(details=[mails.detail()] * count))


def _policies(count: int) -> bytes:
    return mails.document(mails.report(policies=[mails.policy(mx=())] * count))


def _arrays(count: int, number: int = 0) -> bytes:
    return b'{"policies":[],"n":%d,"x":[' % number + b"[]," * count + b"0]}"


FIELDS: dict[str, Callable[[Limits], bool]] = {
    "mail_bytes": lambda some: read(REPORT + b"\n" * 16 * MIB, limits=some).kind == "bad-report",
    "unpacked_bytes": lambda some: (
        _reports(mails.mail([_blanks(n) for n in (13, 14, 15)]), some) < 3
    ),
    "nested_bytes": lambda some: not _reports(
        _forwarded(_forwarded(_forwarded(REPORT + b"\n" * 7 * MIB))), some
    ),
    "json_bytes": lambda some: not _reports(packed(_blanks(16)), some),
    "structural_bytes": lambda some: (
        not _reports(packed(_arrays(134_000)), some)
        and _reports(mails.mail([_arrays(100_000, 1), _arrays(100_000, 2)]), some) == 1
    ),
    "compression_levels": lambda some: not _reports(
        packed(gzip.compress(gzip.compress(mails.document(mails.report())))), some
    ),
    "parts": lambda some: not _reports(parts(300), some),
    "depth": lambda some: not _reports(nested(30), some),
    "policies": lambda some: (
        len(_first(packed(_policies(1_100)), some).policies) == 1_000
        and [700, 300] == [
            len(found.report.policies)
            for found in read(mails.mail([_policies(700), _policies(701)]), limits=some).reports
        ]
    ),
    "failure_details": lambda some: (
        len(_first(packed(_rows(10_100)), some).policies[0].failure_details) == 10_000
        and [6_000, 4_000] == [
            len(found.report.policies[0].failure_details)
            for found in read(mails.mail([_rows(6_000), _rows(6_001)]), limits=some).reports
        ]
    ),
    "string_chars": lambda some: len(
        _first(mails.mail(mails.report(report_id="x" * 5_000)), some).report_id or ""
    ) == 4_096,
}  # fmt: skip
"""By the name of the field of `Limits`."""


def _refuses(run: Callable[[], object], word: str) -> bool:
    try:
        run()
    except BadReport as error:
        return word in str(error)
    return False


def _header(count: int, width: int) -> dict[str, str]:
    filler = (b"x: " + b"y" * (width - 4) + b"\n") * count
    return mime.read_headers(filler + b"tls-report-domain: example.com\n\n")[0]


def _parts(raw: bytes) -> list[mime.Part]:
    return list(mime.walk(raw, parts=50, depth=20))


def _directory(files: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(files):
            archive.writestr(f"{number}.json", b"{}")
    return out.getvalue()


def _unzip(data: bytes) -> list[object]:
    return list(inflate.unzip(data, limit=MIB, each=MIB, most=ENDLESS))


def _uu(data: bytes) -> bytes:
    lines = b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"begin 644 r.json\n" + lines + b"`\nend\n"


def _words(body: bytes, head: bytes = b"") -> list[str]:
    return reply.words_of(ANSWER + head + b"\n" + body)


def _texts(count: int) -> bytes:
    part = b"--b\nContent-Type: text/plain\n\nword%d\n"
    return b"".join(part % number for number in range(count)) + b"--b--\n"


def _deep_text(depth: int) -> bytes:
    levels = range(depth)
    opened = b"".join(
        b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1) for n in levels
    )
    return opened + b"--b%d\n\nack\n" % depth


def _read_json(body: object) -> Report:
    return parse(msgspec.json.encode(body))


def _about(policy: object) -> Policy:
    return _read_json({"policies": [{"policy": policy}]}).policies[0]


def _failed(count: object) -> int:
    summary = {"total-failure-session-count": count}
    return _read_json({"policies": [{"summary": summary}]}).policies[0].failed_sessions


def _notes(body: object) -> int:
    return len(_read_json(body).deviations)


def _subject(raw: bytes) -> int:
    found = reply.read_reply(raw)
    return len(found.subject or "") if found else 0


def _span(start: int, end: int, received: int = signing.TAKEN) -> bool:
    return not_counted(Report(None, None, None, start, end, None, ()), received) is None


def _hosts(count: int) -> bool:
    rows = tuple(
        FailureDetail("certificate-expired", 1, receiving_mx_hostname=f"mx{n}.example.com")
        for n in range(count)
    )
    policy = Policy("sts", "example.com", failed_sessions=count, failure_details=rows)
    day = signing.TAKEN - signing.TAKEN % 86_400
    report = Report(None, None, None, day - 86_400, day, None, (policy,))
    (window,) = windows_of(report, reporter="r", received=day, date=day, digest=b"")
    return any(seen.mx == "other" for seen in window.sightings)


def _classed(count: int) -> str | None:
    classes = ReasonClasses()
    for number in range(count):
        classes.of(f"{EXPIRED} {number}")
    return classes.of(EXPIRED)


def _class(before: str) -> str | None:
    dialects._class_of.cache_clear()
    return dialects.reason_class(before + EXPIRED)


def _why(raw: bytes, record: str | None = None) -> str:
    """What is said of a mail, with this key in DNS in place of the right one."""
    return signing.judge(raw, None if record is None else signing.found(record)).reason


def _findings(count: int) -> int:
    """How many of what an MTA says of so many signatures are told."""
    found = b"; ".join(b"dkim=fail header.d=d%d.example" % number for number in range(count))
    mail = message(b"Authentication-Results: mx; " + found + b"\r\n\r\n")
    return said_instead(mail, ("mx",)).count("dkim=")


def _looked_at(count: int) -> int:
    """How many mails are verified, where a mail holds a report in each of so many."""
    looked: list[bytes] = []

    def verify(raw: bytes, _taken: int, _forwarded: bool, _within: float) -> Verdict:
        looked.append(raw)
        return Verdict("unsigned", "it is not signed")

    (one,) = read(mails.mail(mails.report())).reports
    reports = [msgspec.structs.replace(one, message=b"%d" % number) for number in range(count)]
    content = MailContent("tls-report", "report", None, tuple(reports))
    trust = Trust("require", verify)
    opinions(RawMail(b"", "test", 0), content, trust, Patience(lambda: 0.0, 15.0))
    return len(looked)


def _eleventh() -> bytes:
    """A good signature below ten that are not."""
    bad = b"DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=no; h=from; bh=AAAA; b=AAAA\r\n"
    return bad * 10 + signing.sign(signing.mail())


def rsa_record(bits: int, exponent: int = 65_537) -> str:
    """A public key that nobody has the private one of."""

    def number(value: int) -> bytes:
        raw = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return b"\x02" + _length(len(raw)) + raw

    inner = number((1 << (bits - 1)) + 1) + number(exponent)
    sequence = b"\x30" + _length(len(inner)) + inner
    string = b"\x03" + _length(len(sequence) + 1) + b"\x00" + sequence
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    whole = b"\x30" + _length(len(algorithm) + len(string)) + algorithm + string
    return f"v=DKIM1; k=rsa; p={base64.b64encode(whole).decode()}"


def _length(count: int) -> bytes:
    if count < 128:
        return bytes([count])
    raw = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([128 + len(raw)]) + raw


def _signed(**tags: bytes) -> bytes:
    """A mail whose signature has these tags in place of its own."""
    raw = signing.sign(signing.mail())
    for name, value in tags.items():
        raw = re.sub(
            rb"(?s)([\s;]%s=)[^;]*?(?=;|\r\n\S)" % name.encode(), rb"\g<1>" + value, raw, count=1
        )
    return raw


def _results(count: int, clauses: int = 1) -> bool:
    """Whether the last clause of the last field is looked at."""
    other = b"Authentication-Results: mx.example.com; spf=pass\r\n" * (count - 1)
    filler = b" x=y;" * (clauses - 1)
    last = (
        b"Authentication-Results: mx.example.com;"
        + filler
        + b" dkim=pass header.d=sender.example\r\n"
    )
    mail = message(other + last + signing.mail())
    return vouched(mail, ["mx.example.com"], signing.organisational) is not None


def _uris(count: int) -> tuple[str, ...]:
    return parse_record([b"v=TLSRPTv1; rua=" + b",".join([b"mailto:a@b.example"] * count)]).rua


def _problems() -> int:
    bad = [mails.attachment(b"{", name="r.json", kind="application/tlsrpt+json")] * 20
    good = mails.attachment(
        mails.document(mails.report()), name="r.json", kind="application/tlsrpt+json"
    )
    raw = MIXED + b"".join(b"--b\n" + one.encode() for one in (*bad, good)) + b"--b--\n"
    return sum("mail: not JSON" in note for note in read(raw).reports[0].report.deviations)


def _content(body: bytes, kind: bytes = b"application/tlsrpt+gzip") -> MailContent:
    return read(CLAIM + b"Content-Type: " + kind + b"\n\n" + body)


_DAY = datetime(2026, 10, 13, tzinfo=UTC)
_START = int(_DAY.timestamp())
_HIDDEN = gzip.compress(b'{"policies":["' + noise(7 * MIB // 2).hex().encode() + b'"]}')
_WIDE = '{"policies":[],"x":"\U0001f600'.encode() + b"a" * 5 * MIB + b'"}'

CONSTANTS: tuple[Limit, ...] = (
    Limit("intake.mime", "HEADER_BYTES", lambda: "tls-report-domain" not in _header(300, 500)),
    Limit("intake.mime", "_HEADER_LINES", lambda: "tls-report-domain" not in _header(2_500, 5)),
    Limit(
        "intake.mime",
        "_PARAMETERS",
        lambda: (
            _parts(b"Content-Type: a/b; x=" + b"y" * 5_000 + b"; name=n\n\n")[0].file_name is None
        ),
    ),
    Limit(
        "intake.mime",
        "_LOOKALIKES",
        lambda: _refuses(lambda: _parts(MIXED + b"--bX\n" * 20_000), "look like a boundary"),
    ),
    Limit(
        "intake.extract",
        "SMALL",
        lambda: extract.Mail(b"a: b\n" * 20_000, parts=1, depth=1)._tree is None,
    ),
    Limit(
        "intake.inflate",
        "_MEMBERS_MOST",
        lambda: _refuses(lambda: inflate.gunzip(gzip.compress(b"") * 200, 9), "gzip members"),
    ),
    Limit(
        "intake.inflate",
        "_ZIP_DIRECTORY_MOST",
        lambda: _refuses(lambda: _unzip(_directory(2_000)), "very large"),
    ),
    Limit(
        "intake.salvage",
        "HIDDEN_BYTES",
        lambda: (
            _content(base64.encodebytes(_HIDDEN)).kind == "bad-report"
            and _content(_uu(_HIDDEN + noise(3 * MIB))).kind == "bad-report"
        ),
    ),
    Limit(
        "intake.salvage",
        "_NEAR",
        lambda: salvage.uncovered(b"x\n" * 3_000 + gzip.compress(b"{}"))[1] is None,
    ),
    Limit("intake.read", "_PROBLEMS_TOLD", lambda: _problems() == 10),
    Limit(
        "intake.facts",
        "_LONGEST",
        lambda: len(read(b"Subject: " + b"x" * 2_000 + b"\n\n").facts.subject or "") == 998,
    ),
    Limit(
        "intake.reply",
        "TEXT_BYTES",
        lambda: len(_words(b"".join(b"%d " % n + b"y" * 900 + b"\n" for n in range(200)))) < 160,
    ),
    Limit(
        "intake.reply",
        "_PARTS",
        lambda: (
            "word60" not in _words(_texts(70), b'Content-Type: multipart/mixed; boundary="b"\n')
        ),
    ),
    Limit(
        "intake.reply",
        "_DEPTH",
        lambda: [] == _words(_deep_text(30), b"Content-Type: multipart/mixed; boundary=b0\n"),
    ),
    Limit(
        "intake.reply",
        "_FIELD",
        lambda: (
            reply.read_reply(
                b"To: " + b"x@y.example, " * 3_000 + f"t+ack-{TOKEN}@example.com\n\nack\n".encode()
            )
            is None
        ),
    ),
    Limit(
        "intake.reply",
        "_LINE",
        lambda: _subject(ANSWER + b"Subject: " + b"x" * 2_000 + b"\n\n") == 998,  # type: ignore[union-attr]
    ),
    Limit("intake.said", "_LINES", lambda: len(said("word\n" * 500)) == 400),
    Limit("intake.said", "_CHARS", lambda: len(said("x" * 2_000)[0]) == 1_000),
    Limit("intake.hypertext", "_DEPTH", lambda: as_text("<div>" * 150 + "<blockquote>x") == "x"),
    Limit(
        "report.decode",
        "_MENDABLE",
        lambda: _refuses(lambda: parse(b'{"policies":[],"x":"\x01"}' + b" " * MIB), "not JSON"),
    ),
    Limit("report.decode", "_WIDE_FROM", lambda: _refuses(lambda: parse(_WIDE), "outside ASCII")),
    Limit("report.decode", "_WIDE_STRING", lambda: _refuses(lambda: parse(_WIDE), "outside ASCII")),
    Limit(
        "report.decode",
        "_WIDE_MOST",
        lambda: _refuses(
            lambda: parse(
                b'{"policies":[],"x":["\xc3\xbc' + b'","\xc3\xbc' * 99 + b'"]}' + b" " * 5 * MIB
            ),
            "outside ASCII",
        ),
    ),
    Limit("report.notes", "NOTES_MOST", lambda: _notes({"policies": [0] * 500}) == 101),
    Limit(
        "report.values",
        "LIST_MOST",
        lambda: (
            len(
                _read_json({"policies": [{"policy": {"mx-host": ["a"] * 1_500}}]})
                .policies[0]
                .mx_host
            )
            == 1_000
        ),
    ),
    Limit(
        "report.values",
        "COUNT_MOST",
        lambda: (
            _read_json({"policies": [{"summary": {"total-failure-session-count": "9" * 30}}]})
            .policies[0]
            .failed_sessions
            == 2**63 - 1
        ),
    ),
    Limit(
        "report.policy_text",
        "_LONGEST_FILE",
        lambda: (
            len(
                _read_json({"policies": [{"policy": {"policy-string": ("x" * 199 + "\n") * 500}}]})
                .policies[0]
                .policy_string
            )
            < 400
        ),
    ),
    Limit(
        "report.dates",
        "_LONGEST",
        lambda: read_date("2026-10-13T00:00:00." + "0" * 60 + "Z")[0] is None,
    ),
    Limit("report.hosts", "MAX_HOST", lambda: not is_strict_host("a." * 130 + "example")),
    Limit(
        "report.dialects",
        "_LONGEST",
        lambda: _class("x" * 600 + " ") == "unclassified",
    ),
    Limit("report.dialects", "_WORDS", lambda: _class("x " * 80) == "unclassified"),
    Limit("report.dialects", "MOST_REASONS", lambda: _classed(200) == "unclassified"),
    Limit("failures.windows", "LONGEST", lambda: not _span(_START - 33 * 86_400, _START)),
    Limit("failures.windows", "AHEAD", lambda: not _span(_START, _START + 86_400, _START - 10_800)),
    Limit("failures.windows", "MOST_NAMES", lambda: _hosts(60)),
    Limit(
        "trust.verify", "MAX_SIGNATURES", lambda: _why(_eleventh()) != "signed by sender.example"
    ),
    Limit(
        "trust.verify", "MIN_RSA_BITS", lambda: "too short" in _why(_signed(), rsa_record(768)), 1
    ),
    Limit("trust.verify", "MAX_RSA_BITS", lambda: "too long" in _why(_signed(), rsa_record(9_000))),
    Limit(
        "trust.verify",
        "MAX_EXPONENT_BITS",
        lambda: "too long" in _why(_signed(), rsa_record(2_048, (1 << 100) + 1)),
        4_096,
    ),
    Limit(
        "trust.signature",
        "MAX_SIGNED_FIELDS",
        lambda: "more than 200 fields" in _why(_signed(h=b"from" + b":to" * 300)),
    ),
    Limit(
        "trust.signature",
        "_LONG_BLANK",
        lambda: _why(_signed(v=b" " * 100 + b"1")) == "its signature is malformed",
        NEVER,
    ),
    Limit(
        "trust.tags",
        "MAX_BYTES",
        lambda: "too long" in _why(_signed(h=b"from" + b":x" * 5_000)),
    ),
    Limit(
        "trust.key",
        "MAX_KEY_BYTES",
        lambda: _why(_signed(), "p=" + "AAAA" * 1_000) == "its key is too long",
    ),
    Limit(
        "trust.message",
        "HEADER_BYTES",
        lambda: "too large" in _why(b"x: " + b"y" * 300_000 + b"\r\n" + _signed()),
    ),
    Limit(
        "trust.message",
        "MAX_FIELDS",
        lambda: "more than 1000 fields" in _why(b"x: y\r\n" * 1_100 + _signed()),
    ),
    Limit("trust.results", "_LONGEST", lambda: not _results(1, 5_000)),
    Limit("trust.results", "_MOST", lambda: not _results(60)),
    Limit("trust.results", "_TOLD", lambda: _findings(5) == 3),
    Limit("flows.trusting", "MOST_MESSAGES", lambda: _looked_at(12) == 10),
    Limit("domains.record", "MOST_URIS", lambda: len(_uris(60)) == 50),
    Limit("alerts.words", "NAME_CHARS", lambda: len(words.token("x" * 500)) == 253),
)
