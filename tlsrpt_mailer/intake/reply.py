"""
An answer to an alert: who sent it, which token it brings, what the person wrote.

What makes a mail one that no person wrote, and that must never be acted on or
answered: RFC 3834, sections 2 and 5.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from email import message_from_bytes
from email.message import Message
from typing import Final

import msgspec

from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.intake.hypertext import as_text
from tlsrpt_mailer.intake.mime import HEADER_BYTES, read_headers, walk
from tlsrpt_mailer.intake.said import said
from tlsrpt_mailer.report.text import storable

TOKEN_CHARS: Final = 26
"""128 bits in base32."""

NULL_SENDER: Final = "<>"
TEXT_BYTES: Final = 128 * 1024
"""How much of the text is read: what a person wrote stands at one of its ends."""

_MARK = b"+ack-"
_TOKEN = re.compile(rf"\+ack-([a-z2-7]{{{TOKEN_CHARS}}})@")
_ADDRESSED = ("to", "cc", "delivered-to", "x-original-to", "envelope-to")
_LINE = 998
_FIELD = 32 * 1024
_BULK = frozenset({"bulk", "list", "junk", "auto_reply"})
_ROBOTS = ("x-autoreply", "x-autorespond", "x-tlsrpt-mailer")
_PARTS = 50
_DEPTH = 20
_CHARSET = re.compile(
    r"utf-?8|utf-16|us-ascii|ascii|latin-?1|iso-8859-\d{1,2}|iso-2022-\w{2}|windows-\d{3,4}"
    r"|cp\d{3,4}|koi8-[ru]|gbk|gb2312|gb18030|big5|shift_jis|euc-\w{2}"
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_ANGLED = re.compile(r"<([^<>]*)>")
_COMMENT = re.compile(r"\([^()]*\)")
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"]+@[^\s@<>()\[\],;:\"]+")
_ID = re.compile(r"<[!-;=?-~]{1,500}>")


class Reply(msgspec.Struct, frozen=True):
    """What the headers of an answer say."""

    tokens: tuple[str, ...]
    """In lower case, in the order of the headers; at least one."""
    sender: str | None
    """The one address in From; None where there is none, or are several."""
    robot: str | None
    """Why no person can have written it, in words; None where one may have."""
    message_id: str | None = None
    """With its brackets."""
    subject: str | None = None
    references: tuple[str, ...] = ()
    """Message-IDs, with their brackets."""


def read_reply(
    raw: bytes, *, sender: str | None = None, recipients: Iterable[str] = ()
) -> Reply | None:
    """
    The headers of an answer; None where no token is among those who it is addressed to.

    Args:
        raw: The whole mail.
        sender: The envelope's sender, where the source knows it; ``<>`` for none.
        recipients: The envelope's recipients, likewise.

    """
    block = raw[: min(read_headers(raw)[1], HEADER_BYTES)]
    envelope = tuple(recipients)
    if _MARK not in block.lower() and not any("+ack-" in one.lower() for one in envelope):
        return None
    headers = message_from_bytes(block)
    fields = [*_values(headers, *_ADDRESSED), *(f"<{one}>" for one in envelope)]
    tokens = dict.fromkeys(
        token for field in fields for token in _TOKEN.findall(field[:_FIELD].lower())
    )
    if not tokens:
        return None
    return Reply(
        tokens=tuple(tokens),
        sender=_sender(headers),
        robot=_robot(headers, sender),
        message_id=_message_id(headers),
        subject=_one_line(headers, "subject"),
        references=tuple(_ID.findall(" ".join(_values(headers, "references"))[:_FIELD])[-20:]),
    )


def words_of(raw: bytes) -> list[str]:
    """
    The lines that the person wrote, without what they quote: from text/plain, else from HTML.

    Blank lines stay, as ``""``, between others; never raises for any bytes.
    """
    plain: list[str] = []
    rich: list[str] = []
    try:
        for part in walk(raw, parts=_PARTS, depth=_DEPTH):
            if part.is_nested or part.file_name is not None:
                continue
            if part.content_type == "text/plain":
                plain.append(_decoded(part.content, part.charset))
            elif part.content_type == "text/html" and not rich:
                rich.append(as_text(_decoded(part.content, part.charset)))
    except BadReport:
        pass  # past the limits: what came before is the text
    return said("\n".join(plain)) or said("\n".join(rich))


def _values(headers: Message, *names: str) -> Iterator[str]:
    for name in names:
        yield from (str(value) for value in headers.get_all(name, ()))


def _first(headers: Message, name: str) -> str | None:
    return next(_values(headers, name), None)


def _one_line(headers: Message, name: str) -> str | None:
    value = _first(headers, name)
    return None if value is None else " ".join(storable(value, _LINE).split()) or None


def _message_id(headers: Message) -> str | None:
    found = _ID.search(_first(headers, "message-id") or "")
    return found[0] if found else None


def _sender(headers: Message) -> str | None:
    values = list(_values(headers, "from"))
    if len(values) != 1:
        return None
    # The library's reader of addresses recurses into comments, without an end.
    bare = _QUOTED.sub(" ", values[0][:_LINE])
    angled = _ANGLED.findall(bare)
    around = _ANGLED.sub(" ", bare)
    # What two readers may take for two addresses is nobody's.
    if len(angled) > 1 or (angled and "," in around and "@" in around):
        return None
    found = angled[0] if angled else _COMMENT.sub(" ", bare)
    return storable(found.strip(), _LINE) if _ADDRESS.fullmatch(found.strip()) else None


def _robot(headers: Message, sender: str | None) -> str | None:
    if any(_word(value) != "no" for value in _values(headers, "auto-submitted")):
        return "sent by a program (Auto-Submitted)"
    returned = [value.strip() for value in _values(headers, "return-path")]
    if sender == NULL_SENDER or NULL_SENDER in returned:
        return "sent by a mail server (null sender)"
    if any(_word(value) in _BULK for value in _values(headers, "precedence")):
        return "sent to many (Precedence)"
    if "list-id" in headers:
        return "sent by way of a mailing list (List-Id)"
    kind = _word(_first(headers, "content-type") or "")
    if kind == "multipart/report" or any(name in headers for name in _ROBOTS):
        return "sent by a program"
    return None


def _word(value: str) -> str:
    """The first word of a field, without its comment (RFC 3834, 5)."""
    bare = _COMMENT.sub(" ", value[:_LINE]).split(";")[0].split()
    return bare[0].lower() if bare else ""


def _decoded(content: bytes, charset: str | None) -> str:
    if len(content) > TEXT_BYTES:
        half = TEXT_BYTES // 2
        content = content[:half] + b"\n" + content[-half:]
    name = (charset or "utf-8").strip().lower()
    # Python knows codecs that are no charset, and some that take long.
    if _CHARSET.fullmatch(name):
        with suppress(LookupError):  # it may be named as they are, and be none: iso-8859-0
            return content.decode(name, "replace")
    return content.decode("utf-8", "replace")
