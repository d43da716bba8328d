"""Every report in a mail or file is found; everything else is told apart."""

import base64
import binascii
import gzip
import io
import quopri
import zipfile
from email.message import EmailMessage

import pytest

from tests.mails import (
    attachment,
    bounce,
    dmarc_mail,
    document,
    letter,
    mail,
    report,
)
from tlsrpt_mailer.intake import extract
from tlsrpt_mailer.intake.model import Limits, MailContent
from tlsrpt_mailer.intake.read import read

JSON = document(report())
GZ = gzip.compress(JSON, mtime=0)
NAME = "google.com!example.com!1791849600!1791935999!001.json.gz"
NOT_CLAIMED = ["From: ana@example.com", "Subject: FYI"]


@pytest.fixture(params=["small", "large"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything here holds for small mails and for those that our own walker reads."""
    if request.param == "large":
        monkeypatch.setattr(extract, "SMALL", 0)
    return str(request.param)


def multipart(*parts: str, top: tuple[str, ...] = tuple(NOT_CLAIMED), kind: str = "mixed") -> bytes:
    body = "".join(f"--b\n{part}\n" for part in parts)
    return "\n".join(
        [*top, f"Content-Type: multipart/{kind}; boundary=b", "", f"{body}--b--\n"]
    ).encode()


def part(data: bytes, kind: str = "application/octet-stream", name: str = "data") -> str:
    return attachment(data, name=name, kind=kind)


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def domains(content: MailContent) -> list[str]:
    return [found.report.policies[0].policy_domain for found in content.reports]


def test_a_report_as_google_sends_it():
    """The report comes out with what the headers say, its bytes, digest and name."""
    content = read(mail(report()))

    assert ("tls-report", "report", None) == (content.kind, content.flavour, content.reason)
    assert [JSON] == [found.json for found in content.reports]
    assert NAME == content.reports[0].file_name
    assert len(content.reports[0].digest) == 32
    assert content.facts.submitter == "google.com"
    assert content.facts.domain == "example.com"
    assert content.facts.sender == "noreply-smtp-tls-reporting@google.com"
    assert content.facts.date == 1791971999
    assert content.facts.subject is not None
    assert content.facts.subject.startswith("Report Domain: example.com")
    assert content.facts.message_id is not None


@pytest.mark.parametrize(
    "raw",
    [
        mail(report(), gzip=False),
        mail(report(), newline="\r\n"),
        mail(report(), part_type="application/octet-stream"),
        mail(report(), part_type="application/tlsrpt+json"),
        mail(report(), part_type="application/tlsrpt+gzip", gzip=False),
        mail(report(), submitter=None, subject="hello", file_name="x"),
        b"Content-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n\n"
        + base64.b64encode(GZ),
        b"Content-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: binary\n\n"
        + GZ
        + b"\r\n",
        b"Subject: TLS-RPT for example.com (2026-10-13)\n\n" + JSON,
        b"Subject: x\nContent-Type: text/plain\n\nHello, here it is:\n" + JSON + b"\n-- \nfooter\n",
        b"From x@example.com Wed Oct 14 09:00:00 2026\n" + mail(report()),
        b"From: a@b.example\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\n"
        + base64.b64encode(zipped(**{"../../etc/report.json": JSON})),
        b"From: a@b.example\nContent-Type: application/zip\nContent-Transfer-Encoding: base64\n\n"
        + base64.b64encode(zipped(a=GZ)),
        multipart(part(gzip.compress(GZ))),
        multipart(part(GZ[:200] + GZ[200:] + b"trailing junk")),
        multipart(part(gzip.compress(JSON[:100]) + gzip.compress(JSON[100:]))),
        multipart(part(b"\xef\xbb\xbf" + JSON)),
        multipart(part(b" " * 5000 + JSON)),
        multipart("Content-Type: message/rfc822\n\n" + mail(report()).decode()),
        multipart(part(mail(report()), kind="message/rfc822")),
        multipart(part(mail(report()), name="forwarded.EML")),
        multipart(part(gzip.compress(mail(report())), name="forwarded.eml.gz")),
        multipart(part(JSON)).replace(b"--b--\n", b""),
        multipart(part(JSON)).replace(b"boundary=b", b'boundary="b"; x=y'),
    ],
)
def test_content_decides(raw):
    """Whatever the media type, the name and the wrapping say, the report is found."""
    content = read(raw)

    assert content.kind == "tls-report"
    assert ["example.com"] == domains(content)


AS_IT_SHOULD = {"top": ("Subject: x",), "kind": "report; report-type=tlsrpt"}


@pytest.mark.parametrize(
    ("raw", "notes"),
    [
        (mail(report()), []),
        (mail(report(), gzip=False), []),
        (mail(report(), submitter=None), []),
        (multipart("Content-Type: message/rfc822\n\n" + mail(report()).decode()), []),
        (
            mail(report()).replace(b"report-type=tlsrpt", b"x=y"),
            ["mail: not multipart/report with report-type=tlsrpt (RFC 8460, 5.3)"],
        ),
        (
            mail(report(), part_type="application/octet-stream"),
            ["mail: the report came as application/octet-stream, not application/tlsrpt+gzip"],
        ),
        (
            mail(report(), part_type="application/tlsrpt+json"),
            ["mail: packed, though its type is application/tlsrpt+json"],
        ),
        (
            mail(report(), part_type="application/tlsrpt+gzip", gzip=False),
            ["mail: not packed, though its type is application/tlsrpt+gzip"],
        ),
        (multipart(part(gzip.compress(GZ), "application/tlsrpt+gzip"), **AS_IT_SHOULD), ["twice"]),
        (
            multipart(part(zipped(a=JSON), "application/tlsrpt+zip"), **AS_IT_SHOULD),
            ["mail: packed as zip, not as gzip (RFC 8460, 5.2)"],
        ),
        (
            mail(report(), domain="other.example"),
            ["mail: its headers say that the report is about other.example"],
        ),
        (mail(report(), domain="EXAMPLE.com."), []),
    ],
)
def test_what_departs_around_a_report_is_noted(raw, notes):
    """How the mail departs from RFC 8460 is told with the report; a good one has no notes."""
    deviations = read(raw).reports[0].report.deviations

    assert len(notes) == len(deviations)
    assert all(note in said for note, said in zip(notes, deviations, strict=True))


def test_an_archive_of_the_operators_own_departs_from_nothing():
    """A zip that somebody packed for `import` is no departure of the sender."""
    assert () == read(zipped(a=JSON), file_name="a.zip").reports[0].report.deviations


def test_damaged_base64():
    """Base64 without padding, on one line, or with a list's footer behind it is read."""
    head = b"Content-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n\n"
    body = base64.b64encode(GZ).rstrip(b"=")
    footer = b"\n\n____________\nlist mailing list\nhttps://lists.example/\n"

    assert read(head + body).kind == "tls-report"
    assert read(head + body + footer).kind == "tls-report"
    assert read(head + base64.encodebytes(GZ).replace(b"\n", b"!\n")).kind == "tls-report"


def test_quoted_printable():
    """A sender may encode the JSON as text."""
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content(JSON.decode(), cte="quoted-printable")

    assert read(message.as_bytes()).kind == "tls-report"


def uuencoded(data: bytes) -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    return b"begin 644 report.json.gz\n" + b"".join(lines) + b"`\nend\n"


def claiming(body: bytes, encoding: str | None = None) -> bytes:
    """A mail that is nothing but a part that says that it is a report."""
    line = f"Content-Transfer-Encoding: {encoding}\n" if encoding else ""
    return f"Content-Type: application/tlsrpt+gzip\n{line}\n".encode() + body


FORWARDED = b"---- Forwarded message ----\n" + mail(report())
AS_BYTES = b"".join(b"=%02X" % byte for byte in GZ)


@pytest.mark.parametrize(
    ("raw", "note"),
    [
        (claiming(base64.encodebytes(GZ)), "in base64, and no header says so"),
        (claiming(base64.encodebytes(GZ), "7bit"), "in base64, and no header says so"),
        (claiming(base64.encodebytes(JSON), "8bit"), "in base64, and no header says so"),
        (claiming(base64.encodebytes(base64.encodebytes(GZ)), "base64"), "in base64"),
        (claiming(base64.encodebytes(GZ), '"base64"'), None),
        (claiming(base64.encodebytes(GZ), "BASE64 (as usual)"), None),
        (claiming(uuencoded(GZ), "x-uuencode"), "uuencoded"),
        (b"TLS-Report-Domain: example.com\n\nHello\n" + uuencoded(GZ), "uuencoded"),
        (claiming(AS_BYTES, "quoted-printable"), None),
        (claiming(b"\r\n" + GZ, "binary"), "something stands before the report"),
        (claiming(base64.encodebytes(b"\r\n" + zipped(a=JSON)), "base64"), "stands before"),
        (claiming(uuencoded(GZ) + b"M\x60\x60\nM!!!\xff\n"), "uuencoded"),
        (b"Subject: x\n\nDear {name},\n" + JSON, "something stands before the report"),
        (b"Subject: x\n\n" + FORWARDED, "in base64, and no header says so"),
    ],
)
def test_what_hides_a_report_is_taken_off(raw, note):
    """A wrong or missing transfer encoding, and text before the report, do not lose it."""
    content = read(raw)

    assert ["example.com"] == domains(content)
    assert note is None or any(note in line for line in content.reports[0].report.deviations)


def test_quoted_printable_that_keeps_line_feeds():
    """Python's own encoder leaves a line feed of the gzip data as it is; so it stays."""
    packed = b"\x1f\x8b\x08\x00\n\n\n\n\x02\xff" + GZ[10:]

    content = read(claiming(quopri.encodestring(packed), "quoted-printable"))

    assert ["example.com"] == domains(content)


@pytest.mark.parametrize(
    "raw",
    [
        mail(report()).replace(b"; boundary=", b"; boundary=x"),
        mail(report()).replace(b"; boundary=", b"; limit="),
        mail(report(), newline="\r\n").replace(b"; boundary=", b"; boundary=x"),
        mail(report(), newline="\r"),
        b"\n\n" + mail(report()),
        b"\r\n" + mail(report(), newline="\r\n"),
        mail(report(), headers=["this line is no header field"]),
        mail(report()).replace(b"\nContent-Type: multipart", b"\nContent-Type : multipart"),
        mail(report(), headers=["Content-Type: text/plain"]),
        mail(report(), submitter=None, subject="hello")
        .replace(b"tlsrpt;", b"")
        .replace(b"; boundary=", b"; boundary=x"),
    ],
)
def test_a_mail_that_is_put_together_wrongly(raw):
    """Broken boundaries, headers and line breaks around a report do not lose it."""
    content = read(raw)

    assert "tls-report" == content.kind
    assert ["example.com"] == domains(content)


def test_a_mail_without_a_name_or_type_is_a_mail():
    """A forwarded mail is opened even if it comes as a nameless attachment."""
    inner = mail(report())
    raw = multipart(
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(inner).decode()
    )

    assert ["example.com"] == domains(read(raw))


def test_an_array_of_reports():
    """Reports in an array are taken one by one; something else in it ends them."""
    other = document(report("example.org"))

    content = read(b"[" + JSON + b",\n" + other + b", 5]", file_name="reports.json")

    assert ["example.com", "example.org"] == domains(content)


def test_an_unlucky_second_look_changes_nothing():
    """A mail that cannot be read keeps the reason that was found first."""
    content = read(claiming(base64.encodebytes(GZ[:-40]), "base64"))

    assert ("bad-report", "the gzip data stops halfway") == (content.kind, content.reason)


def test_all_reports_of_a_mail_are_taken():
    """Several attachments, and several objects in one, are reports of their own."""
    three = document(report("c.example")) + b"\n" + document(report("d.example"))
    raw = multipart(
        part(document(report("a.example"))),
        part(zipped(one=document(report("b.example")), two=three)),
    )

    assert ["a.example", "b.example", "c.example", "d.example"] == domains(read(raw))
    assert ["c.example", "d.example"] == domains(read(mail(three)))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("report.json", JSON),
        (None, b"\n " + JSON),
        ("report.json.gz", GZ),
        (None, GZ),
        ("reports.zip", zipped(a=JSON)),
        (None, zipped(a=JSON)),
        ("report.eml", mail(report())),
        ("misnamed.json", mail(report())),
        ("mail.gz", gzip.compress(mail(report()))),
    ],
)
def test_bare_files(name, data):
    """Files for import and show are told apart by what is in them."""
    content = read(data, file_name=name)

    assert content.kind == "tls-report"
    assert ["example.com"] == domains(content)


def test_the_name_of_a_bare_file_says_who_submitted_it():
    """A saved attachment still tells its submitter, and the mail has no facts to add."""
    content = read(JSON, file_name="sender.example!example.com!1!2.json")

    assert content.reports[0].report.submitter == "sender.example"
    assert content.facts.submitter is None


def test_the_names_of_files_in_a_zip():
    """A member's own name counts where it is a report's, else that of the zip."""
    zip_name = "outer.example!example.com!1!2.zip"
    named = read(zipped(**{"x/inner.example!d!1!2.json": JSON}), file_name=zip_name)
    unnamed = read(zipped(**{"report.json": JSON}), file_name=zip_name)

    assert named.reports[0].file_name == "inner.example!d!1!2.json"
    assert zip_name == unnamed.reports[0].file_name


def test_a_forwarded_report_keeps_its_submitter():
    """The headers within tell who wrote a report that an admin forwarded."""
    raw = multipart("Content-Type: message/rfc822\n\n" + mail(report(), file_name="x").decode())

    content = read(raw)

    assert content.facts.submitter == "google.com"
    assert content.facts.sender == "ana@example.com"
    assert content.reports[0].report.submitter == "google.com"


def test_headers_fill_in_the_domain():
    """TLS-Report-Domain, or else the Subject, names the domain that the report does not."""
    body = report(policies=[{"policy": {"policy-type": "no-policy-found"}, "summary": {}}])
    body["report-id"] = "1"

    by_header = read(mail(body, domain="head.example", file_name="x"))
    by_subject = read(
        mail(
            body,
            submitter=None,
            file_name="x",
            subject="Report Domain: Subject.example Submitter: y",
        )
    )
    by_nothing = read(mail(body, submitter=None, file_name="x", subject="Report Domain:"))

    assert ["head.example"] == domains(by_header)
    assert ["subject.example"] == domains(by_subject)
    assert [""] == domains(by_nothing)


@pytest.mark.parametrize(
    ("raw", "flavour", "reason"),
    [
        (dmarc_mail(), "dmarc", "DMARC"),
        (multipart(part(zipped(a=b"<?xml version='1.0'?><feedback>"))), "dmarc", "DMARC"),
        (bounce(), "dsn", "bounce"),
        (letter(headers=["Return-Path: <>"]), "dsn", "bounce"),
        (letter(sender="MAILER-DAEMON@a.example"), "dsn", "bounce"),
        (letter(to="tlsrpt+ack-7f3k9qpd2m@example.com"), "reply", "answer"),
        (letter(headers=["Delivered-To: tlsrpt+ack-x@example.com"]), "reply", "answer"),
        (letter(headers=["In-Reply-To: <tlsrpt.17.new.1@mail.example.com>"]), "reply", "answer"),
        (letter(headers=["References: <a@b> <tlsrpt.17.new.1@m.example>"]), "reply", "answer"),
        (letter(headers=["X-TLSRPT-Mailer-Canary: 1"]), "canary", "test mail"),
        (letter(), "other", "no TLS report"),
        (letter(text='{"policies are": "a JSON object"}'), "other", "no TLS report"),
        (letter(text='what does "policies" mean?'), "other", "no TLS report"),
        (multipart(part(b"{}", name="data.json")), "other", "no TLS report"),
        (multipart(part(gzip.compress(b"%PDF"), name="a.pdf.gz")), "other", "no TLS report"),
        (multipart(part(b"PK\x03\x04 damaged", name="a.docx")), "other", "no TLS report"),
        (b"", "other", "no TLS report"),
        (b"\x00\xff" * 100, "other", "no TLS report"),
        (b"Content-Type: multipart/mixed\n\n{}", "other", "no TLS report"),
    ],
)
def test_what_is_no_report(raw, flavour, reason):
    """DMARC reports, bounces, answers and letters are left alone, and the reason says what."""
    content = read(raw)

    assert ("not-a-report", flavour) == (content.kind, content.flavour)
    assert content.reason is not None
    assert reason in content.reason


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (mail(b"not json"), "not JSON"),
        (mail(b"{}"), "no policies"),
        (
            mail(JSON, gzip=False, part_type="application/octet-stream", file_name="x")[:-500],
            "not JSON",
        ),
        (multipart(part(GZ[:50], kind="application/tlsrpt+gzip")), "stops halfway"),
        (multipart(part(GZ[:-9] + b"x" * 9, kind="application/tlsrpt+gzip")), "damaged"),
        (multipart(part(b"<html>", name=NAME)), "not JSON"),
        (
            multipart(part(b"PK\x03\x04x", kind="application/tlsrpt+zip")),
            "the zip has no directory",
        ),
        (multipart(part(gzip.compress(gzip.compress(GZ)), kind="application/tlsrpt")), "2 times"),
        (
            b"TLS-Report-Domain: example.com\nSubject: x\n\nThe attachment was removed.",
            "but there is none in it",
        ),
        (
            b"Content-Type: multipart/report; report-type=tlsrpt; boundary=b\n\n",
            "but there is none in it",
        ),
        (multipart("Content-Type: message/rfc822\n\n" + mail(b"{}").decode()), "no policies"),
    ],
)
def test_what_claims_to_be_a_report(raw, reason):
    """A report that nobody can read is told from a letter, with the reason in words."""
    content = read(raw)

    assert ("bad-report", "report") == (content.kind, content.flavour)
    assert content.reason is not None
    assert reason in content.reason


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("x.json", b"null", "bad-report"),
        ("x.json", b"{}", "bad-report"),
        (None, b"{'policies': []}", "bad-report"),
        ("x.JSON", '{"policies":[]}'.encode("utf-16"), "bad-report"),
        ("x.gz", GZ[:100], "bad-report"),
        ("x.json.gz", b"", "bad-report"),
        (None, GZ[:100], "bad-report"),
        (None, zipped(**{"x.json": b"{}"}), "bad-report"),
        ("x.zip", zipped(a=b"text"), "bad-report"),
        ("letter.docx", zipped(**{"word/document.xml": b"<xml/>"}), "not-a-report"),
        ("x.xml.gz", gzip.compress(b"<?xml version='1.0'?><feedback/>"), "not-a-report"),
        ("x.xml", b"<feedback/>", "not-a-report"),
        ("README", b"Just some text", "not-a-report"),
        (None, b"null", "not-a-report"),
    ],
)
def test_bare_files_that_are_no_readable_report(name, data, kind):
    """JSON and gzip that cannot be read were meant to be reports; other files were not."""
    content = read(data, file_name=name)

    assert kind == content.kind
    assert content.reason
    assert () == content.reports


def returning(inner: bytes) -> bytes:
    """A bounce with the whole mail that it returns."""
    behind = b"--=d\nContent-Type: message/rfc822\n\n" + inner + b"\n--=d--"
    raw = bounce().replace(b"--=d--", behind)
    assert inner in raw
    return raw


def test_a_bounce_of_a_broken_report_is_a_bounce():
    """What a returned mail claims is not claimed by the bounce."""
    content = read(returning(mail(b"{}")))

    assert ("not-a-report", "dsn") == (content.kind, content.flavour)


def test_a_report_in_a_bounce_is_not_ours():
    """
    A bounce returns what somebody here has sent: a report about other people's domains. It
    must never alert.
    """
    inner = mail(report("elsewhere.example"))
    quoted = letter(sender="MAILER-DAEMON@mx.example.net", text="A copy:\n\n" + inner.decode())

    flavours = [read(raw).flavour for raw in (returning(inner), quoted)]

    assert ["dsn", "dsn"] == flavours


def test_what_else_could_not_be_read_is_told_with_the_report():
    """One good attachment beside a bad one is stored, and the bad one is noted."""
    raw = mail([report()]).replace(b"\n\nThis is", b"\n\n{ This is")

    content = read(raw)

    assert content.kind == "tls-report"
    assert content.reports[0].report.deviations[0].startswith("mail: not JSON")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(json_bytes=100), "is larger than 100 bytes"),
        (Limits(unpacked_bytes=100), "is larger than 100 bytes"),
        (Limits(structural_bytes=10), "more than 10 structural characters"),
        (Limits(compression_levels=0), "packed more than 0 times"),
        (Limits(parts=1), "more than 1 parts"),
        (Limits(depth=0), "nested deeper than 0 levels"),
        (Limits(mail_bytes=100), "the mail is larger than 100 bytes"),
    ],
)
def test_each_limit(limits, reason):
    """A report past a limit is refused, and the reason names the limit."""
    content = read(mail(report()), limits=limits)

    assert content.kind == "bad-report"
    assert content.reason is not None
    assert reason in content.reason


def test_a_letter_past_a_limit_is_still_a_letter():
    """Only what says that it is a report is quarantined for its size."""
    raw = multipart(part(b"a"), part(b"b"), part(b"c"))

    assert read(raw, limits=Limits(parts=2)).kind == "not-a-report"
    assert read(raw, limits=Limits(mail_bytes=10)).kind == "not-a-report"
    assert "larger than 10 bytes" in str(read(raw, limits=Limits(mail_bytes=10)).reason)


def test_a_bare_file_past_the_limit():
    """A bare file larger than a mail may be is refused."""
    content = read(JSON, limits=Limits(mail_bytes=100))

    assert ("bad-report", "the file is larger than 100 bytes") == (content.kind, content.reason)


def test_past_a_limit_the_reports_found_by_then_are_taken():
    """A mail with a report and a bomb behind it gives the report, and tells of the bomb."""
    bomb = part(gzip.compress(b"0" * 100_000), kind="application/tlsrpt+gzip")
    raw = multipart(part(GZ), bomb, bomb)

    content = read(raw, limits=Limits(unpacked_bytes=50_000))

    assert ["example.com"] == domains(content)
    assert [
        "mail: what this unpacks to is larger than 49268 bytes",
        "mail: what the mail unpacks to is larger than 50000 bytes",
    ] == list(content.reports[0].report.deviations[-2:])


def test_parts_past_the_limit_are_told():
    """The fiftieth part is read, the fifty-first is not."""
    raw = multipart(part(GZ), *[part(b"x", kind="application/tlsrpt")] * 3)

    content = read(raw, limits=Limits(parts=2))

    assert "mail: the mail has more than 2 parts" == content.reports[0].report.deviations[-1]


def test_limits_hold_across_mails_within_mails():
    """A mail in a mail gets no new limits of parts and depth."""
    onion = mail(report())
    for _ in range(6):
        onion = multipart(part(onion, name="x.eml"))

    assert read(onion).kind == "tls-report"
    assert read(onion, limits=Limits(depth=5)).kind == "not-a-report"
    assert read(onion, limits=Limits(parts=5)).kind == "not-a-report"


def test_a_zip_with_too_many_files_gives_the_first():
    """A zip is read as far as a mail would be."""
    files = {f"{number}.json": document(report(f"d{number}.example")) for number in range(4)}

    content = read(zipped(**files), file_name="x.zip", limits=Limits(parts=2))

    assert ["d0.example", "d1.example"] == domains(content)
    assert ["mail: the zip holds more than 2 files"] == list(content.reports[0].report.deviations)


def test_reports_behind_one_another_end_at_the_limit():
    """A file of very many objects is read for as long as a mail of very many parts."""
    assert len(read(JSON * 9, file_name="x.json", limits=Limits(parts=3)).reports) == 3
    content = read(JSON * 9, file_name="x.json", limits=Limits(json_bytes=len(JSON) * 9))
    assert len(content.reports) == 2
    assert "what stands behind the report" in content.reports[0].report.deviations[-1]


def test_a_file_without_a_date_or_sender():
    """Headers that are missing or empty are absent, not empty."""
    content = read(b"From: \nDate: never\nSubject:\n\n" + JSON)

    assert content.facts.sender is None
    assert content.facts.date is None
    assert content.facts.subject is None
    assert content.facts.message_id is None


@pytest.mark.parametrize(
    "header", [b"ana@example.com", b"Ana <ana@example.com>", b'"<x>" <ana@example.com> (work)']
)
def test_the_sender_is_the_address_alone(header):
    """The display name of a sender is not part of who wrote."""
    assert read(b"From: " + header + b"\n\n" + JSON).facts.sender == "ana@example.com"


def test_a_forwarded_report_comes_with_the_mail_that_was_signed():
    """
    Of a report that somebody forwarded, as an attached mail of either kind, the very
    bytes of that mail are handed on: its own signature is the only one that can say whose
    report it is.
    """
    inner = mail(report(), newline="\r\n")
    outer = (
        b"From: ana@example.com\r\nSubject: FYI\r\n"
        b"Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n"
    )
    as_message = outer + b"Content-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--out--\r\n"
    as_file = (
        outer + b"Content-Type: application/octet-stream; name=a.eml\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(inner)
        + b"\r\n--out--\r\n"
    )
    large = as_message.replace(b"Subject: FYI", b"Subject: FYI\r\nX-Filler: " + b"x" * 70_000)

    found = [read(raw).reports[0].message for raw in (as_message, as_file, large)]

    assert [inner.rstrip()] * 3 == [one and one.rstrip() for one in found]
    assert read(inner).reports[0].message is None
    assert not read(inner).is_file
    assert read(document(report())).is_file


def test_mails_within_mails_are_copied_within_a_limit():
    """A mail of mails of mails is opened only as far as memory is meant for it."""
    inner = mail(report())
    raw = b"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n"
    raw += inner + b"\n--o\nContent-Type: message/rfc822\n\n" + inner + b"\n--o--\n"

    content = read(raw, limits=Limits(nested_bytes=len(inner) + 10))

    assert 1 == len(content.reports)
    assert any("mails hold within" in note for note in content.reports[0].report.deviations)


def test_where_a_report_was_found() -> None:
    """Its part's type and depth, in the mail that its author sent: what is signed depends on it."""
    inner = mail(report())
    outer = multipart("Content-Type: message/rfc822\n\n" + inner.decode())
    plain = letter(text=JSON.decode())
    raws = (inner, outer, plain, GZ)
    found = [read(raw).reports[0] for raw in raws]

    assert [
        ("application/tlsrpt+gzip", 1),
        ("application/tlsrpt+gzip", 1),
        ("text/plain", 0),
        (None, 0),
    ] == [(one.media_type, one.depth) for one in found]
