"""
A mail as a signature sees it: header fields in order, untouched, and the body.

Bounded, since all of it is looked at once for each signature.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.report.hosts import normalise_host

Field: TypeAlias = tuple[bytes, bytes]
"""A name, and all behind the colon, with its line breaks as CRLF."""

HEADER_BYTES = 256 * 1024
MAX_FIELDS = 1_000
_CHUNK = 256 * 1024

_SINGLE = (b"Content-Type", b"Content-Transfer-Encoding", b"MIME-Version", b"From")

_NAME = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:")
_COMMENT = re.compile(r"\([^()\\]*\)")
_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')


class Message(msgspec.Struct, frozen=True):
    """A mail in two pieces."""

    fields: tuple[Field, ...]
    raw: bytes
    body_at: int
    """Where in *raw* the body begins."""

    def values(self, name: bytes) -> list[bytes]:
        """The values of a field, topmost first; *name* in lower case."""
        return [value for key, value in self.fields if key.lower() == name]


def message(raw: bytes) -> Message:
    """
    Take *raw* apart; line breaks are CRLF or LF.

    Raises:
        BadReport: Its header is too large, or no header.

    """
    start = len(raw) - len(raw.lstrip(b"\r\n")) if raw[:1] in (b"\r", b"\n") else 0
    fields: list[list[bytes]] = []
    at = start
    while at < len(raw):
        end = raw.find(b"\n", at, start + HEADER_BYTES)
        if end < 0 and len(raw) - start > HEADER_BYTES:
            raise BadReport("its header is too large to be verified")
        line = raw[at : len(raw) if end < 0 else end].removesuffix(b"\r")
        at = len(raw) if end < 0 else end + 1
        if not line:
            break
        if b"\r" in line:
            # Others may read a line break here, and so another body than was signed.
            raise BadReport("a bare CR stands in its header")
        _add(fields, line)
    return Message(tuple((name, value) for name, value in fields), raw, at)


def _add(fields: list[list[bytes]], line: bytes) -> None:
    if line[:1] in (b" ", b"\t") and fields:
        fields[-1][1] += line + b"\r\n"
    elif named := _NAME.match(line):
        if len(fields) >= MAX_FIELDS:
            raise BadReport(f"its header has more than {MAX_FIELDS} fields")
        fields.append([named[1], line[named.end() :] + b"\r\n"])
    elif not (line.startswith(b"From ") and not fields):
        raise BadReport("a line of its header is no header field")


def doubled(mail: Message) -> str | None:
    """
    The field that stands twice and may stand once: readers differ in which they take.

    A signature covers the lowest, and who takes the topmost reads another mail (RFC 6376, 8.15).
    """
    for name in _SINGLE:
        if len(mail.values(name.lower())) > 1:
            return name.decode("ascii")
    return None


def author_domain(mail: Message) -> str | None:
    """The domain in From, in lower case; None where there is not exactly one address."""
    found = author(mail)
    return None if found is None else found[1]


def author(mail: Message) -> tuple[str, str] | None:
    """The local part, in lower case, and the domain of the address in From, if it is just one."""
    values = mail.values(b"from")
    if len(values) != 1 or len(values[0]) > 2_000:
        return None
    text = _QUOTED.sub("", values[0].decode("utf-8", "replace"))
    while (bare := _COMMENT.sub(" ", text)) != text:
        text = bare
    if "<" in text:
        _, _, text = text.partition("<")
        text, closed, behind = text.partition(">")
        if not closed or behind.strip():
            return None
    if text.count("@") != 1 or set(text.strip()) & set(",:;<>() \t\r\n"):
        return None
    local, _, name = text.strip().rpartition("@")
    domain = normalise_host(name)
    return None if domain is None else (local.lower(), domain)


def body_hash(mail: Message, *, relaxed: bool) -> bytes:
    """
    The base64 of the SHA-256 of the body, canonicalised (RFC 6376, 3.4).

    Linear in time whatever the body; dkimpy's own expressions are not.
    """
    digest = hashlib.sha256()
    has_content = False
    breaks = 0
    blank = b""
    for piece in _pieces(mail.raw, mail.body_at):
        lines = piece.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if relaxed:
            lines = _single_blanks(blank + lines).replace(b" \r\n", b"\r\n")
            # Whether it stays, the next piece says.
            blank = b" " if lines.endswith(b" ") else b""
            lines = lines.removesuffix(b" ")
        content, behind = _without_breaks(lines)
        if content:
            _update_breaks(digest, breaks)
            digest.update(content)
            has_content, breaks = True, 0
        breaks += behind
    if has_content or not relaxed:
        digest.update(b"\r\n")
    return b64encode(digest.digest())


def _single_blanks(lines: bytes) -> bytes:
    # Quicker than an expression by ten times, for a body that is all blanks.
    lines = lines.replace(b"\t", b" ")
    while b"  " in lines:
        lines = lines.replace(b"  ", b" ")
    return lines


def _pieces(raw: bytes, at: int) -> Iterator[bytes]:
    """The body, some bytes at a time, never cut within a CRLF; its last line is ended."""
    while at < len(raw):
        end = at + _CHUNK
        if end < len(raw) and raw[end - 1 : end] == b"\r":
            end -= 1
        piece = raw[at:end]
        at = end
        yield piece if at < len(raw) or piece.endswith(b"\n") else piece + b"\r\n"


def _without_breaks(lines: bytes) -> tuple[bytes, int]:
    """*lines* without the CRLFs at their end, and how many those were."""
    if not lines.endswith(b"\n"):
        return lines, 0
    core = lines.rstrip(b"\r\n")
    # A CR without LF is no line break.
    bare = lines.rfind(b"\r\r", len(core))
    stop = len(core) if bare < 0 else bare + 1
    return lines[:stop], (len(lines) - stop) // 2


def _update_breaks(digest: "hashlib._Hash", count: int) -> None:
    while count:
        some = min(count, _CHUNK)
        digest.update(b"\r\n" * some)
        count -= some
