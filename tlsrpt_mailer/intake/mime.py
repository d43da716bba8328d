"""
A MIME walker for mails that are large or damaged, bounded in memory and time.

fast-mail-parser is quicker and knows more, but was seen to need 6 GiB for 250
nested messages in 16 MiB, minutes for a Subject of encoded words, and to end
the process on a deep enough multipart; ``email`` keeps every line as an
object. So they read only what is small (`extract`). This one copies nothing
but the part it hands out, and looks no further than its limits.
"""

import binascii
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from urllib.parse import unquote_to_bytes

import msgspec

from tlsrpt_mailer.errors import BadReport

Headers = Mapping[str, str]
"""The first value of each header field, unfolded, by its name in lower case."""

HEADER_BYTES = 128 * 1024
_HEADER_LINES = 2_000
_PARAMETERS = 4_096
_LOOKALIKES = 10_000

MESSAGE_TYPES = frozenset({"message/rfc822", "message/global"})

_PARAMETER = re.compile(r';\s*([\w*!.-]+)\s*=\s*("(?:[^"\\]|\\.)*+"|[^;\s]*+)')
_BEHIND_BOUNDARY = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\Z)")
# A line that begins a part whose first field is about the content (RFC 2045, 3).
_SEEMING = re.compile(rb"--([^\s\0-\x1f\x7f-\xff]{1,200})[ \t]*+\r?\n")
_CONTENT = re.compile(rb"\ncontent-", re.I)
_SEEMING_LINE = 256
_ESCAPED = re.compile(r"\\(.)")
_BASE64_LINES = re.compile(rb"(?:[ \t]*+[A-Za-z0-9+/]++={0,2}[ \t]*+(?:\r?\n|\Z)|\r?\n)*+")
_NOT_BASE64 = bytes(
    code
    for code in range(256)
    if code not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)


class Part(msgspec.Struct, frozen=True):
    """One leaf of a mail, decoded."""

    content_type: str
    """In lower case, without parameters."""
    file_name: str | None
    content: bytes
    headers: Headers
    """Of the message that the part belongs to."""
    is_nested: bool
    """Whether that message is itself part of another."""
    depth: int
    charset: str | None = None
    """Of a text, as it was declared; only `walk` says it."""


class _Entity(msgspec.Struct, frozen=True):
    """A part not yet looked at: a stretch of some bytes."""

    raw: bytes
    start: int
    end: int
    depth: int
    message: Headers | None
    """None where the part is itself a message."""
    is_nested: bool = False


def walk(raw: bytes, *, parts: int, depth: int, opens_mails: bool = True) -> Iterator[Part]:
    """
    All leaves of a mail, in order; *opens_mails*: also those of the mails within it.

    Raises:
        BadReport: There are more than *parts*, or they are nested deeper than *depth*; what
            came before was handed out.

    """
    waiting = [_Entity(raw, 0, len(raw), 0, None)]
    seen = 0
    while waiting:
        entity = waiting.pop()
        if entity.depth > depth:
            raise BadReport(f"parts are nested deeper than {depth} levels")
        seen += 1
        if seen > parts:
            raise BadReport(f"the mail has more than {parts} parts")
        headers, body = read_headers(entity.raw, entity.start, entity.end)
        message = headers if entity.message is None else entity.message
        content_type, parameters = _typed(headers)
        children: list[_Entity] = []
        if content_type.startswith("multipart/"):
            boundary = parameters.get("boundary")
            children = _parted(entity, body, boundary, message, parts)
        if children:
            waiting += reversed(children)
        elif content_type in MESSAGE_TYPES:
            inner = _embedded(entity, body, headers)
            if opens_mails:
                waiting.append(inner)
            else:
                yield _as_part(inner, content_type, headers, message)
        else:
            content = _decoded(entity.raw, body, entity.end, headers)
            name = _file_name(headers, parameters)
            yield Part(
                content_type,
                name,
                content,
                message,
                entity.is_nested,
                entity.depth,
                parameters.get("charset"),
            )


def read_headers(raw: bytes, start: int = 0, end: int | None = None) -> tuple[dict[str, str], int]:
    """The header fields of the part that begins at *start*, and where its body begins."""
    end = len(raw) if end is None else end
    # A part may begin with the blank line: it has no header then.
    for blank in (b"\n", b"\r\n"):
        if raw.startswith(blank, start, end):
            return {}, start + len(blank)
    stop = body = end
    for blank in (b"\n\n", b"\n\r\n"):
        found = raw.find(blank, start, stop)
        if found >= 0:
            stop, body = found, found + len(blank)
    return _fields(raw[start : min(stop, start + HEADER_BYTES)]), body


def _fields(block: bytes) -> dict[str, str]:
    fields: dict[str, list[str]] = {}
    value: list[str] = []
    for line in block.decode("utf-8", "replace").split("\n", _HEADER_LINES)[:_HEADER_LINES]:
        if line[:1] in (" ", "\t"):
            value.append(line.strip())
            continue
        name, colon, text = line.partition(":")
        value = [text.strip()]
        # The line "From someone date" of an mbox has a colon in its time.
        if colon and " " not in name.rstrip():
            fields.setdefault(name.rstrip().lower(), value)
    return {name: " ".join(lines) for name, lines in fields.items()}


def _typed(headers: Headers) -> tuple[str, dict[str, str]]:
    value = headers.get("content-type", "")
    return value.partition(";")[0].strip().lower() or "text/plain", _parameters(value)


def _parameters(value: str) -> dict[str, str]:
    """The parameters of a header field, also those of RFC 2231 that come in pieces."""
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(value[:_PARAMETERS]):
        name, text = match[1].lower(), match[2]
        if text.startswith('"'):
            text = _ESCAPED.sub(r"\1", text[1:-1])
        base, star, number = name.partition("*")
        if not star:
            found.setdefault(name, text)
            continue
        if number.endswith("*") or not number:
            text = unquote_to_bytes(text.rpartition("'")[2]).decode("utf-8", "replace")
        found[base] = found.get(base, "") + text
    return found


def _file_name(headers: Headers, parameters: Mapping[str, str]) -> str | None:
    disposed = _parameters(headers.get("content-disposition", ""))
    return disposed.get("filename") or parameters.get("name") or None


def _parted(
    entity: _Entity, body: int, boundary: str | None, message: Headers, most: int
) -> list[_Entity]:
    """The parts of a multipart, by the boundary that it seems to have where its own is wrong."""
    children = _children(entity, body, boundary, message, most) if boundary else []
    if not children and (seen := _seeming(entity, body)):
        children = _children(entity, body, seen, message, most)
    return children


def _seeming(entity: _Entity, body: int) -> str | None:
    """The boundary that the parts of a multipart seem to have."""
    raw = entity.raw
    lines = islice(_CONTENT.finditer(raw, body, entity.end), _LOOKALIKES)
    for line in lines:
        least = max(body, line.start() - _SEEMING_LINE)
        start = raw.rfind(b"\n", least, line.start()) + 1 or least
        if found := _SEEMING.fullmatch(raw, start, line.start() + 1):
            return found[1].decode("ascii")
    return None


def _children(
    entity: _Entity, body: int, boundary: str, message: Headers, most: int
) -> list[_Entity]:
    """The stretches between the lines of *boundary* (RFC 2046, 5.1.1), one more than *most*."""
    mark = b"--" + boundary.encode("utf-8", "replace")
    found = _boundary(entity.raw, mark, body, entity.end)
    children: list[_Entity] = []
    while found is not None and not found.is_last and len(children) <= most:
        start = found.end
        found = _boundary(entity.raw, mark, start, entity.end)
        stop = entity.end if found is None else max(start, found.start)
        children.append(
            _Entity(entity.raw, start, stop, entity.depth + 1, message, entity.is_nested)
        )
    return children


class _Boundary(msgspec.Struct, frozen=True):
    start: int
    """Of the line break before it, which belongs to it."""
    end: int
    is_last: bool


def _boundary(raw: bytes, mark: bytes, start: int, end: int) -> _Boundary | None:
    """The first line in a stretch that is a boundary and nothing else."""
    line = b"\n" + mark
    at = start if raw.startswith(mark, start, end) else raw.find(line, start, end) + 1
    for _ in range(_LOOKALIKES):
        if at == 0 and not raw.startswith(mark):
            return None
        behind = _BEHIND_BOUNDARY.match(raw, at + len(mark), end)
        if behind is not None:
            before = at - 2 if raw.startswith(b"\r\n", at - 2) else at - 1
            return _Boundary(max(start, before), behind.end(), is_last=behind[1] is not None)
        at = raw.find(line, at, end) + 1
    raise BadReport(f"more than {_LOOKALIKES} lines look like a boundary and are none")


def _encoding(headers: Headers) -> str:
    """The transfer encoding, also in quotes or with a comment behind it."""
    words = headers.get("content-transfer-encoding", "").lower().replace('"', " ").split(None, 1)
    return words[0].rstrip(";") if words else ""


def _embedded(entity: _Entity, body: int, headers: Headers) -> _Entity:
    encoding = _encoding(headers)
    if encoding in {"base64", "quoted-printable"}:
        raw = _decoded(entity.raw, body, entity.end, headers)
        return _Entity(raw, 0, len(raw), entity.depth + 1, None, is_nested=True)
    return _Entity(entity.raw, body, entity.end, entity.depth + 1, None, is_nested=True)


def _as_part(inner: _Entity, content_type: str, headers: Headers, message: Headers) -> Part:
    content = inner.raw[inner.start : inner.end]
    name = _file_name(headers, _typed(headers)[1])
    return Part(content_type, name, content, message, is_nested=False, depth=inner.depth - 1)


def _decoded(raw: bytes, start: int, end: int, headers: Headers) -> bytes:
    encoding = _encoding(headers)
    view = memoryview(raw)[start:end]
    if encoding == "base64":
        return unbase64(view)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(view)
    return bytes(view)


def unbase64(data: bytes | memoryview) -> bytes:
    """What *data* encodes: other characters are skipped, padding may be missing. Never raises."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        pass
    # Without padding, the letters of a list's footer are read as data. So take
    # the lines that are base64 and nothing else, from the first on.
    lines = _BASE64_LINES.match(data)
    digits = (lines[0] if lines else b"").translate(None, _NOT_BASE64)
    if not digits:
        digits = bytes(data).translate(None, _NOT_BASE64)
    whole = len(digits) - (len(digits) % 4 == 1)
    return binascii.a2b_base64(digits[:whole] + b"=" * (-whole % 4))
