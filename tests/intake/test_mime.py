"""Our own walker, which reads what is too large or too damaged for the parser."""

import base64
import email

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mails import bounce, dmarc_mail, letter, mail, report
from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.intake.extract import SMALL, Mail
from tlsrpt_mailer.intake.mime import Part, read_headers, unbase64, walk

FORWARDED = (
    b"Subject: FYI\nContent-Type: multipart/mixed; boundary=out\n\npreamble\n--out\n\nsee below\n"
    b"--out\nContent-Type: message/rfc822\n\n" + mail(report()) + b"\n--out--\nepilogue\n"
)


def leaves(raw: bytes, parts: int = 50, depth: int = 20, *, opens_mails: bool = True) -> list[Part]:
    return list(walk(raw, parts=parts, depth=depth, opens_mails=opens_mails))


def facts(part: Part) -> tuple[object, ...]:
    subject = part.headers.get("subject")
    return (
        part.content_type,
        part.file_name,
        part.content.rstrip(),
        subject,
        part.is_nested,
        part.depth,
    )


@pytest.mark.parametrize(
    "raw",
    [
        mail(report()),
        mail([report(), report("b.example")], gzip=False),
        mail(report(), newline="\r\n"),
        dmarc_mail(),
        bounce(),
        letter(),
        FORWARDED,
    ],
)
def test_both_readers_agree(raw):
    """Which of the two readers takes a mail makes no difference to what is found in it."""
    library = list(Mail(raw, parts=50, depth=20).parts())

    walked = leaves(raw, opens_mails=False)
    assert [facts(part) for part in library] == [facts(part) for part in walked]
    assert dict(read_headers(raw)[0]) == dict(Mail(raw, parts=50, depth=20).headers)


def test_large_mails_are_read_by_the_walker():
    """A mail that could be dangerous to the parser never reaches it."""
    raw = letter(text="x" * SMALL)

    [part] = Mail(raw, parts=50, depth=20).parts()

    assert part.content.startswith(b"xxx")
    assert part.headers["subject"] == "Lunch"


def test_what_the_parser_refuses_is_read_by_the_walker():
    """A part with damaged base64 does not cost the mail."""
    raw = b"Content-Transfer-Encoding: base64\nContent-Type: a/b\n\nQUJD\nR"

    [part] = Mail(raw, parts=50, depth=20).parts()

    assert part.content == b"ABC"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b'Content-Type: a/b; name="plain.json"', "plain.json"),
        (b"Content-Type: a/b; name=plain.json", "plain.json"),
        (b'Content-Type: a/b; name="a\\"b"', 'a"b'),
        (
            b'Content-Disposition: attachment;\n filename="d.json"\nContent-Type: a/b; name=t',
            "d.json",
        ),
        (b"Content-Disposition: attachment; filename*=utf-8''m%C3%BC.json", "mü.json"),
        (b'Content-Type: a/b; name*0="one"; name*1="two.json"', "onetwo.json"),
        (b"Content-Type: a/b; name*0*=utf-8''m%C3%BC; name*1=.json", "mü.json"),
        (b"Content-Type: a/b", None),
    ],
)
def test_file_names(header, name):
    """Names come out of every form that RFC 2231 knows, and SES writes."""
    [part] = leaves(header + b"\n\nx")

    assert name == part.file_name


def test_headers():
    """Fields are unfolded, the first of several counts, what is no field is passed over."""
    raw = (
        b"From x Wed Oct 14 09:00:00 2026\nSubject: one\r\n two\n\tthree\nSubject: four\n"
        b"no field\nB :c\n\nbody"
    )

    headers, body = read_headers(raw)

    assert {"subject": "one two three", "b": "c"} == headers
    assert raw[body:] == b"body"


@pytest.mark.parametrize("raw", [b"\nbody", b"\r\nbody"])
def test_a_mail_without_headers(raw):
    """A mail may begin with its body."""
    [part] = leaves(raw)

    assert (b"body", "text/plain") == (part.content, part.content_type)


def test_headers_without_a_body():
    """A mail may end with its headers."""
    assert [b""] == [part.content for part in leaves(b"Subject: x\nContent-Type: a/b")]


def multipart(body: bytes, boundary: bytes = b"b") -> bytes:
    return b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\n\n' + body


@pytest.mark.parametrize(
    ("raw", "contents"),
    [
        (multipart(b"--b\n\none\n--b\n\ntwo\n--b--\n"), [b"one", b"two"]),
        (multipart(b"--b\n\none\n--b\n\ntwo"), [b"one", b"two"]),
        (multipart(b"--b\r\n\r\none\r\n--b--"), [b"one"]),
        (multipart(b"--b \t\n\none\n--b-- \n"), [b"one"]),
        (multipart(b"preamble\n--b\n\none\n--b--\nepilogue\n--b\n\ntwo"), [b"one"]),
        (multipart(b"--b\n--b\n\none\n--b--"), [b"", b"one"]),
        (multipart(b"--b\n\none\n--b--"), [b"one"]),
        (multipart(b"--b\n\none --b\n--bc\n-- b\n--b--"), [b"one --b\n--bc\n-- b"]),
        (multipart(b"--b(\n\none\n--b(--", b"b("), [b"one"]),
        (multipart(b"nothing"), [b"nothing"]),
        (multipart(b"--x\nno field: 1\n\none"), [b"--x\nno field: 1\n\none"]),
        (multipart(b"--x\r\nContent-Type: a/b\r\n\r\none\r\n--x--"), [b"one"]),
        (b"Content-Type: multipart/mixed\n\nnothing", [b"nothing"]),
        (b'Content-Type: multipart/mixed; boundary=""\n\nnothing', [b"nothing"]),
        (b"--b\n\none", [b"one"]),
    ],
)
def test_boundaries(raw, contents):
    """Parts end where their boundary stands alone on a line, with or without a last one."""
    assert contents == [part.content for part in leaves(raw)]


def test_parts_of_an_embedded_mail_that_is_encoded():
    """A forwarded mail in base64 is opened like any other."""
    raw = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + base64.b64encode(
        b"Subject: inner\n\nbody"
    )

    [part] = leaves(raw)

    assert (b"body", "inner", True, 1) == (
        part.content,
        part.headers["subject"],
        part.is_nested,
        part.depth,
    )


def test_limits():
    """Parts and depth end where they are told to, and the reason names the limit."""
    two = multipart(b"--b\n\none\n--b\n\ntwo\n--b--\n")
    deep = b"Content-Type: message/rfc822\n\n" * 30

    assert len(leaves(two, parts=3, depth=1)) == 2
    with pytest.raises(BadReport, match="more than 2 parts"):
        leaves(two, parts=2)
    with pytest.raises(BadReport, match="nested deeper than 20 levels"):
        leaves(deep)


def test_lines_that_only_look_like_a_boundary_are_counted():
    """A mail made of false boundaries is given up."""
    with pytest.raises(BadReport, match="look like a boundary"):
        leaves(multipart(b"--bX\n" * 20_000))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", b""),
        (b"QUJD", b"ABC"),
        (b"QUI=", b"AB"),
        (b"QUI", b"AB"),
        (b"QQ", b"A"),
        (b"QUJDR", b"ABC"),
        (b"QU\nJD", b"ABC"),
        (b"Q U J D", b"ABC"),
        (b"QUI\n\n_____\nfooter-\n", b"AB"),
        (b"?QUI", b"AB"),
        (b"!!!", b""),
        (b"R", b""),
    ],
)
def test_base64_in_every_state(text, expected):
    """What can be decoded is decoded."""
    assert expected == unbase64(text)


@given(st.binary())
def test_base64_never_raises(data):
    """No bytes make decoding fail, and what is right comes out right."""
    assert isinstance(unbase64(data), bytes)
    assert data == unbase64(memoryview(base64.b64encode(data)))
    assert data == unbase64(base64.encodebytes(data).replace(b"=", b""))


@given(st.lists(st.text(alphabet="abc \n-", max_size=30), min_size=1, max_size=4))
def test_multiparts_as_the_standard_library_reads_them(texts):
    """The walker finds the parts that Python's own parser finds."""
    raw = multipart(
        b"".join(f"--xyz\n\n{text}\n".encode() for text in texts) + b"--xyz--\n", b"xyz"
    )

    standard = [
        part.get_payload(decode=True) for part in email.message_from_bytes(raw).get_payload()
    ]

    assert standard == [part.content for part in leaves(raw)]


def test_the_boundary_of_parts_that_name_none_is_the_line_before_their_header():
    """Of lines that begin like a part's header only those count that a boundary stands before."""
    raw = (
        b"Content-Type: multipart/mixed\n\nwords\nContent-Type: is what this is about\n"
        b"--b\nContent-Type: text/plain\n\nhello\n--b--\n"
    )

    (part,) = walk(raw, parts=9, depth=9)

    assert b"hello" == part.content
