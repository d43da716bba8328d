"""Answers to alerts: who wrote them, whether a person did, and what the person wrote."""

import base64
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsrpt_mailer.intake.hypertext import as_text
from tlsrpt_mailer.intake.reply import TEXT_BYTES, read_reply, words_of
from tlsrpt_mailer.intake.said import said

TOKEN = "abcdefghijklmnopqrstuvwxy2"
OTHER = "zzzzzzzzzzzzzzzzzzzzzzzzz7"
TO = f"To: TLS reports <tlsrpt+ack-{TOKEN}@example.com>"


def mail(*headers: str, body: str = "ack\n") -> bytes:
    return ("\r\n".join(headers) + "\r\n\r\n" + body).encode()


# --------------------------------------------------------------------- headers


@pytest.mark.parametrize(
    "field",
    [
        TO,
        f"TO: tlsrpt+ack-{TOKEN}@example.com",
        f"To: TLS reports\r\n <TLSRPT+ACK-{TOKEN.upper()}@EXAMPLE.COM>",
        f"To: kim@example.com\r\nCc: <tlsrpt+ack-{TOKEN}@example.com>",
        f"To: a@example.com\r\nDelivered-To: x@y\r\nDelivered-To: tlsrpt+ack-{TOKEN}@example.com",
        f"X-Original-To: tlsrpt+ack-{TOKEN}@example.com",
        f"Envelope-To: tlsrpt+ack-{TOKEN}@example.com",
    ],
)
def test_a_token_is_found_wherever_the_address_may_stand(field: str):
    """Mail servers and clients move the address about, and change its capitals."""
    found = read_reply(mail("From: ana@example.com", field))

    assert found is not None
    assert (TOKEN,) == found.tokens


def test_a_token_is_found_in_the_envelope_alone():
    """An alias or a Bcc leaves it in no header; LMTP hands it over beside the mail."""
    raw = mail("From: ana@example.com", "To: undisclosed-recipients:;")

    found = read_reply(raw, recipients=[f"tlsrpt+ack-{TOKEN}@example.com"])

    assert found is not None
    assert (TOKEN,) == found.tokens


@pytest.mark.parametrize(
    "field",
    [
        "To: tlsrpt@example.com",
        f"To: tlsrpt+ack-{TOKEN[:-1]}@example.com",
        f"To: tlsrpt+ack-{TOKEN}a@example.com",
        f"To: tlsrpt+ack-{TOKEN[:-1]}1@example.com",
        f"Subject: tlsrpt+ack-{TOKEN}@example.com",
    ],
)
def test_a_mail_without_a_whole_token_is_no_answer(field: str):
    """26 characters of base32, in an address, or none."""
    assert read_reply(mail("From: ana@example.com", field)) is None


def test_what_the_body_quotes_is_no_token_of_the_mail():
    """A forwarded alert shows its Reply-To in the text: that is no permission to act."""
    raw = mail("To: tlsrpt@example.com", body=f"To: tlsrpt+ack-{TOKEN}@example.com\n")

    assert read_reply(raw) is None


def test_each_token_counts_once_in_their_order():
    """A reply to all of two alerts brings two."""
    raw = mail(f"To: x+ack-{OTHER}@a.example, x+ack-{TOKEN}@a.example", f"Cc: y+ack-{OTHER}@b.c")

    found = read_reply(raw)

    assert found is not None
    assert (OTHER, TOKEN) == found.tokens


def test_the_thread_is_read_for_the_answer_that_goes_back():
    """Message-ID, References and Subject go on."""
    found = read_reply(
        mail(
            TO,
            "From: Ana <ana@example.com>",
            "Message-ID: <r1@example.com>",
            "Subject: Re: CRITICAL\r\n example.com",
            "References: <a@x>\r\n <b@x> junk",
        )
    )

    assert found is not None
    assert "<r1@example.com>" == found.message_id
    assert "Re: CRITICAL example.com" == found.subject
    assert ("<a@x>", "<b@x>") == found.references


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("From: Ana <ana@example.com>",), "ana@example.com"),
        (("From: ana@example.com",), "ana@example.com"),
        (('From: "ana@example.com" <eve@evil.example>',), "eve@evil.example"),
        (("From: Ana <ana@example.com>, Eve <eve@evil.example>",), None),
        (("From: ana@example.com", "From: eve@evil.example"), None),
        (("From: Ana <ana@example.com> <eve@evil.example>",), None),
        (("From: ana@example.com (Ana)",), "ana@example.com"),
        (("From: Admin, Ana <ana@example.com>",), "ana@example.com"),
        (("From: ana@example.com, Eve <eve@evil.example>",), None),
        (("From: ana@example.com, eve@evil.example",), None),
        (("From: " + "(" * 900 + "ana@example.com",), None),
        (("From: " + "(" * 120_000,), None),
        (("From: ana",), None),
        (("From:",), None),
        ((), None),
    ],
)
def test_a_mail_has_one_sender_or_none(fields: tuple[str, ...], expected: str | None):
    """What one reader takes for Ana and another for Eve is nobody's."""
    found = read_reply(mail(TO, *fields))

    assert found is not None
    assert expected == found.sender


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated (vacation)",
        "auto-submitted:",
        "Return-Path: <>",
        "Return-Path:  <>  ",
        "Precedence: bulk",
        "Precedence: List",
        "precedence: junk",
        "List-Id: Team <team.example.com>",
        "X-Autoreply: yes",
        "Content-Type: multipart/report; report-type=disposition-notification",
        "X-TLSRPT-Mailer: event=new; failure=17",
    ],
)
def test_what_no_person_wrote_is_known(field: str):
    """Autoresponders, bounces, lists, and our own mails: nobody meant them as a command."""
    found = read_reply(mail(TO, "From: ana@example.com", field))

    assert found is not None
    assert found.robot


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: no",
        "Auto-Submitted: No (a person)",
        "Return-Path: <ana@example.com>",
        "Precedence: first-class",
        "X-Priority: 1",
    ],
)
def test_what_a_person_wrote_is_not_taken_for_a_robots(field: str):
    """RFC 3834, 5: the value ``no`` says that a person wrote it."""
    found = read_reply(mail(TO, "From: ana@example.com", field), sender="ana@example.com")

    assert found is not None
    assert found.robot is None


def test_a_bounce_by_lmtp_is_known_by_its_envelope():
    """LMTP hands the null sender over apart: no Return-Path stands in the mail yet."""
    found = read_reply(mail(TO, "From: ana@example.com"), sender="<>")

    assert found is not None
    assert "null sender" in (found.robot or "")


# ------------------------------------------------------------------------ text


def words(text: str) -> list[str]:
    return words_of(mail("Content-Type: text/plain; charset=utf-8", body=text))


GMAIL = """ack 17: renewing now

On Wed, Oct 14, 2026 at 1:43 PM TLS reports <tlsrpt-mailer@mail.example.com>
wrote:

> Senders refuse to deliver mail for example.com to mx1.example.com.
> ack          I have it. Quiet until it is over or gets worse.
"""
THUNDERBIRD = """Am 14.10.26 um 13:43 schrieb TLS reports:
> Senders refuse to deliver mail for example.com to mx1.example.com.
>
> fixed        It is mended.

ack

--\x20
Ana Admin
"""
OUTLOOK = """ack

________________________________
From: TLS reports <tlsrpt-mailer@mail.example.com>
Sent: Wednesday, 14 October 2026 13:43
To: ana@example.com
Subject: CRITICAL example.com

mute 7d      Quiet for a week, whatever happens.
"""
OUTLOOK_PLAIN = """fixed

Von: TLS reports <tlsrpt-mailer@mail.example.com>
Gesendet: Mittwoch, 14. Oktober 2026 13:43

ack          I have it.
"""
OLD = """ack on it

-----Original Message-----
From: TLS reports

fixed
"""
PHONE = """Fixed

Sent from my iPhone

> On 14 Oct 2026, at 13:43, TLS reports <tlsrpt-mailer@mail.example.com> wrote:
>
> text
"""
ZOHO = """ack

---- On Wed, 14 Oct 2026 13:43:10 +0200 TLS reports <t@mail.example.com> wrote ---

"""
BARS = """ack
| Senders refuse
\u2502 ack
"""
TWO_LINE_HEADING = """ack

On Wednesday, 14 October 2026, 13:43:10 CEST, TLS reports
<tlsrpt-mailer@mail.example.com> wrote:
Senders refuse to deliver
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GMAIL, ["ack 17: renewing now"]),
        (THUNDERBIRD, ["ack"]),
        (OUTLOOK, ["ack"]),
        (OUTLOOK_PLAIN, ["fixed"]),
        (OLD, ["ack on it"]),
        (PHONE, ["Fixed"]),
        (BARS, ["ack"]),
        (ZOHO, ["ack"]),
        (TWO_LINE_HEADING, ["ack", "", "Senders refuse to deliver"]),
        ("ack\u00a017\u200b,\u202f21\n", ["ack 17, 21"]),
        ("\n\n  ack \n\n\n\nthanks\n\n", ["ack", "", "thanks"]),
        ("--\nAna\nack\n", []),
        ("> ack\n", []),
        ("", []),
    ],
    ids=[
        *("gmail", "thunderbird", "outlook", "outlook-de", "original", "phone", "bars", "zoho"),
        *("heading", "blanks", "empty-lines", "signature", "quote-only", "nothing"),
    ],
)
def test_only_what_the_person_wrote_is_read(text: str, expected: list[str]):
    """Whatever the mail program quotes, and however, it is not a command."""
    assert expected == words(text)


def test_a_line_that_begins_like_a_heading_is_still_the_persons():
    """``On it`` is no "On ... wrote:"."""
    assert ["On it, ack later"] == words("On it, ack later\n")
    assert ["on it", "", "> x"][:1] == words("on it\n> x wrote:\n")
    assert ["On a", "b", "c", "d", "e wrote:"] == words("On a\nb\nc\nd\ne wrote:\n")


HTML_GMAIL = (
    '<div dir="ltr">ack 17<div><br></div><div>renewing&nbsp;now &amp; then</div></div><br>'
    '<div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Wed, TLS wrote:<br></div>'
    '<blockquote class="gmail_quote">Senders refuse<br>fixed It is mended.</blockquote></div>'
)
HTML_OUTLOOK = (
    "<html><head><title>x</title><style>p {margin: 0}</style></head><body>"
    "<!-- fixed --><p>mute 7d</p><script>fixed()</script>"
    '<hr><div id="divRplyFwdMsg"><b>From:</b> TLS reports<br><b>Sent:</b> today</div>'
    "<div>ack I have it.</div></body></html>"
)
HTML_THUNDERBIRD = (
    '<body><div class="moz-cite-prefix">Am 14.10. schrieb TLS:</div>'
    '<blockquote type="cite"><p>fixed</p></blockquote><p>ack</p></body>'
)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (HTML_GMAIL, ["ack 17", "", "renewing now & then"]),
        (HTML_OUTLOOK, ["mute 7d"]),
        (HTML_THUNDERBIRD, ["ack"]),
        ("ack<!-- never closed <p>fixed", ["ack"]),
        ("<p>ack</p></div></span><?xml x?><style/>", ["ack"]),
        ("<div class=gmail_quote><span>fixed</div><p>ack</p>", ["ack"]),
        ("<div>" * 500 + "<blockquote>ack</blockquote>", ["ack"]),
        ("a <b>c</b>k 17 < 21", ["a ck 17 < 21"]),
        ("<p>ack</p>\n<p>renewing</p>\n<p>&nbsp;</p><p>Ana</p>", ["ack", "renewing", "", "Ana"]),
    ],
    ids=[
        "gmail",
        "outlook",
        "thunderbird",
        "comment",
        "unbalanced",
        "open",
        "deep",
        "inline",
        "word",
    ],
)
def test_html_alone_is_read(html: str, expected: list[str]):
    """Many phones and web mailers send no plain text."""
    raw = mail("Content-Type: text/html; charset=utf-8", body=html)

    assert expected == words_of(raw)


def test_plain_text_is_read_before_html():
    """Both parts say the same; the plain one needs no guessing."""
    raw = multipart("text/plain", "ack\n", "text/html", "<p>fixed</p>")

    assert ["ack"] == words_of(raw)


def test_html_is_read_where_the_plain_text_is_empty():
    """Some programs send an empty plain part beside the real one."""
    assert ["fixed"] == words_of(multipart("text/plain", " \n", "text/html", "<p>fixed</p>"))


def test_attachments_and_forwarded_mails_are_not_read():
    """A text file and an attached mail are not what the person wrote."""
    first = multipart('text/plain; name="log.txt"', "ack\n", "message/rfc822", "To: a@b\r\n\r\nack")

    assert [] == words_of(first)


def test_of_several_html_parts_the_first_is_read():
    """Mailing list footers come as a part of their own."""
    assert ["ack"] == words_of(multipart("text/html", "<p>ack</p>", "text/html", "<p>fixed</p>"))


def multipart(*pairs: str) -> bytes:
    parts = "".join(
        f"--b\r\nContent-Type: {kind}\r\n\r\n{text}\r\n"
        for kind, text in zip(pairs[::2], pairs[1::2], strict=True)
    )
    return mail(TO, 'Content-Type: multipart/mixed; boundary="b"', body=f"{parts}--b--\r\n")


@pytest.mark.parametrize(
    ("charset", "encoding", "data"),
    [
        ("utf-8", "base64", base64.b64encode("ack für Grün".encode())),
        ("iso-8859-1", "quoted-printable", quopri.encodestring("ack für Grün".encode("latin-1"))),
        ("windows-1252", "8bit", "ack für Grün".encode("cp1252")),
        ("", "8bit", "ack für Grün".encode()),
    ],
)
def test_encodings_and_charsets_are_undone(charset: str, encoding: str, data: bytes):
    """Outlook writes base64 for a single word."""
    named = f"; charset={charset}" if charset else ""
    head = f"Content-Type: text/plain{named}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"

    assert ["ack für Grün"] == words_of(head.encode() + data)


@pytest.mark.parametrize(
    "charset",
    ["rot13", "idna", "unicode_escape", "no-such", "base64", "iso-8859-0", "cp9999"],
)
def test_a_charset_that_is_none_does_no_harm(charset: str):
    """Python's codecs that are no charset are not used."""
    raw = mail(f"Content-Type: text/plain; charset={charset}", body="ack\n")

    assert ["ack"] == words_of(raw)


def test_of_a_huge_text_both_ends_are_read():
    """What a person wrote stands above or below the quote."""
    huge = "> quoted line\n" * (TEXT_BYTES // 8)

    assert ["ack", "", "fixed"][:1] == words(f"ack\n{huge}")[:1]
    assert len(huge) > TEXT_BYTES


def test_past_the_limits_of_parts_what_came_before_counts():
    """A mail of very many parts is not read to its end."""
    pairs = ["text/plain", "ack\n"] + ["text/plain; name=a.txt", "x"] * 60

    assert ["ack"] == words_of(multipart(*pairs))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read_without_a_crash(raw: bytes):
    """Strangers can send anything to the address."""
    head = f"To: a+ack-{TOKEN}@b.example\r\n".encode()

    assert read_reply(head + raw) is None or words_of(head + raw) is not None


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="<>!-/ abdivblockquote=\"'\n&;>:|_", max_size=400))
def test_any_text_and_html_is_read_without_a_crash(text: str):
    """However malformed, some lines come out, and none with a line break."""
    assert all("\n" not in line for line in said(as_text(text)) + said(text))


@pytest.mark.parametrize(
    "piece", ["<", "<!--", "<div ", "<blockquote>", "</div>", "&", "<![", "On x\n", "From: a\n"]
)
def test_malformed_text_takes_no_time(piece: str):
    """128 KiB of anything is read in a moment: the store waits meanwhile."""
    raw = mail("Content-Type: text/html", body=piece * (TEXT_BYTES // len(piece)))

    assert isinstance(words_of(raw), list)
