"""
From bytes to one JSON object, within limits of memory and time.

Sizes and structural bytes are counted before anything is decoded: msgspec
makes 739 MiB of objects out of 32 MiB of ``[],``. Harmless damage (a BOM, lone
surrogates, bytes that are not UTF-8, raw control characters, something behind
the object) is mended and noted; everything else is a `BadReport`.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec

from tlsrpt_mailer.errors import BadReport, TooLarge


class DocumentLimits(msgspec.Struct, frozen=True):
    """How much of one JSON document is read."""

    json_bytes: int = 16 * 1024 * 1024
    structural_bytes: int = 400_000
    """How many of ``{}[]:,`` it may hold."""
    policies: int = 1_000
    failure_details: int = 10_000
    string_chars: int = 4096


class Decoded(msgspec.Struct, frozen=True):
    """One JSON object, as it was found at the beginning of some bytes."""

    value: dict[str, Any]
    """Untyped: every member may have any JSON type."""
    json: bytes
    """The bytes of this object, untouched."""
    rest: bytes
    """What stands behind it, without blanks and NULs at its edges."""
    notes: tuple[str, ...]
    """What had to be mended."""


STRUCTURAL = b"{}[]:,"
LARGE = 1024 * 1024
"""Up to here memory and time are no matter, whatever the bytes."""

_WHOLE = 4 * 1024 * 1024
"""Up to here the canonical JSON is made in one piece, as that is the quicker way."""
_STRING_STEP = 64 * 1024

_BOM = b"\xef\xbb\xbf"
_PADDING = b" \t\r\n\0"

_MENDABLE = 1024 * 1024
"""Larger documents are not searched for damage."""

_WIDE_FROM = 4 * 1024 * 1024
_WIDE_MOST = 64
_WIDE_STRING = 48 * 1024

_FLAT_MOST = 16
_TOO_DEEP = "the JSON is nested too deeply"

_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_HIGH_ALONE = re.compile(
    rb"((?<!\\)(?:\\\\)*+)\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_LOW_ALONE = re.compile(
    rb"(?<!\\u[dD][89abAB][0-9a-fA-F]{2})((?<!\\)(?:\\\\)*+)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_CONTROLS_TO_BLANKS = bytes(32 if code < 32 else code for code in range(256))


def decode(document: bytes, limits: DocumentLimits) -> Decoded:
    """
    The JSON object at the beginning of *document*.

    Raises:
        TooLarge: It passes a limit.
        BadReport: There is none, or it has no policies.

    """
    if len(document) > limits.json_bytes:
        raise TooLarge("the JSON", limits.json_bytes)
    _check_size(document, limits.structural_bytes)
    text = document
    notes: tuple[str, ...] = ()
    if document.startswith(_BOM):
        text, notes = document[3:], ("begins with a byte order mark",)
    try:
        value, end = _load(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        value, text, end = _load_mended(text, error)
        notes += ("characters that are not valid JSON or UTF-8 were replaced",)
    if not isinstance(value, dict):
        raise BadReport(f"the JSON is {json_type(value)}, not an object with policies")
    if "policies" not in value:
        raise BadReport("the JSON has no policies, so it is no TLS report")
    if end == len(text):
        return Decoded(value, document, b"", notes)
    rest = text[end:].strip(_PADDING)
    notes += ("something stands behind the JSON object",)
    # Where the object ends is known in the mended text only.
    return Decoded(value, document if not rest else text[:end], rest, notes)


def digest_of(decoded: Decoded) -> bytes:
    """
    SHA-256 of the canonical JSON: sorted keys, no blanks. 32 bytes.

    Raises:
        BadReport: It is nested too deeply to be written down again.

    """
    try:
        if len(decoded.json) <= _WHOLE:
            return hashlib.sha256(msgspec.json.encode(decoded.value, order="sorted")).digest()
        canonical = hashlib.sha256()
        _feed(canonical.update, decoded.value)
    except RecursionError as error:
        raise BadReport(_TOO_DEEP) from error
    return canonical.digest()


def json_type(value: object) -> str:
    """What JSON calls *value*, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    for kind, name in ((str, "a string"), (dict, "an object"), (list, "an array")):
        if isinstance(value, kind):
            return name
    return "a number"


def _load(text: bytes) -> tuple[Any, int]:
    """The first JSON value of *text*, and where it ends."""
    try:
        return msgspec.json.decode(text), len(text)
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))
        if found is None:
            raise
        # msgspec counts the byte after the one that it stopped at.
        end = int(found[1]) - 1
    return msgspec.json.decode(text[:end]), end


def _load_mended(text: bytes, error: Exception) -> tuple[Any, bytes, int]:
    if isinstance(error, RecursionError):
        raise BadReport(_TOO_DEEP) from error
    if b"\0" in text[:4]:
        raise BadReport("the JSON is not UTF-8: it looks like UTF-16 or UTF-32") from error
    mended = _mend(text) if len(text) <= _MENDABLE else text
    if mended == text:
        raise BadReport(f"not JSON: {_reason(error)}") from error
    try:
        value, end = _load(mended)
    except (msgspec.DecodeError, RecursionError) as still:
        raise BadReport(f"not JSON: {_reason(still)}") from still
    return value, mended, end


def _reason(error: Exception) -> str:
    text = str(error).removeprefix("JSON is malformed: ")
    return text[:1].lower() + text[1:]


def _mend(text: bytes) -> bytes:
    if not text.isascii():
        text = text.decode("utf-8", "replace").encode()
    if b"\\u" in text:
        text = _LOW_ALONE.sub(rb"\1\\ufffd", _HIGH_ALONE.sub(rb"\1\\ufffd", text))
    return text.translate(_CONTROLS_TO_BLANKS)


def _check_size(document: bytes, most: int) -> None:
    """Refuse what would take too much memory or time to decode."""
    if len(document) > most and structural(document, most) > most:
        raise BadReport(
            f"the JSON has more than {most} structural characters ({STRUCTURAL.decode()})"
        )
    if len(document) > _WIDE_FROM and not _is_narrow(document, most):
        raise BadReport(
            f"more than {_WIDE_FROM} bytes of JSON, with long strings or many characters"
            " outside ASCII"
        )


def structural(document: bytes, most: int) -> int:
    """How many structural characters *document* has; where that passes *most*, some greater one."""
    found = 0
    for at in range(0, len(document), LARGE):
        piece = document[at : at + LARGE]
        found += len(piece) - len(piece.translate(None, STRUCTURAL))
        if found > most:
            break
    return found


def _is_narrow(document: bytes, strings: int) -> bool:
    """
    Whether its strings take about as much memory as its bytes.

    Python gives every character of a string as many bytes as the widest needs,
    so one emoji makes a string of 16 MiB take 64.
    """
    if document.isascii() and b"\\u" not in document:
        return True
    wide = document.count(b"\\u")
    for at in range(0, len(document), LARGE):
        piece = document[at : at + LARGE]
        wide += len(piece) - len(piece.translate(None, bytes(range(128, 256))))
    if wide > _WIDE_MOST:
        return False
    return all(
        number <= strings and found.end() - found.start() <= _WIDE_STRING
        for number, found in enumerate(_STRING.finditer(document))
    )


def _feed(update: Callable[[bytes], object], value: Any) -> None:
    """Hand on the canonical JSON of *value* piece by piece, so that it is never all in memory."""
    if isinstance(value, str) and len(value) > _STRING_STEP:
        update(b'"')
        for at in range(0, len(value), _STRING_STEP):
            update(msgspec.json.encode(value[at : at + _STRING_STEP])[1:-1])
        update(b'"')
    elif not isinstance(value, dict | list) or _is_flat(value):
        update(msgspec.json.encode(value, order="sorted"))
    elif isinstance(value, dict):
        for number, key in enumerate(sorted(value)):
            update((b"," if number else b"{") + msgspec.json.encode(key) + b":")
            _feed(update, value[key])
        update(b"}")
    else:
        for number, element in enumerate(value):
            update(b"," if number else b"[")
            _feed(update, element)
        update(b"]")


def _is_flat(value: dict[str, Any] | list[Any]) -> bool:
    """Whether *value* has few short members, and none has members: such as a row of a report."""
    if len(value) > _FLAT_MOST:
        return False
    members = value.values() if isinstance(value, dict) else value
    return not any(
        isinstance(member, dict | list) or (isinstance(member, str) and len(member) > _STRING_STEP)
        for member in members
    )
