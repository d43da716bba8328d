"""
A report behind what hides it: an encoding that no header names, or text before it.

Gateways and hand-made forwards were seen to drop or to misspell a
Content-Transfer-Encoding, and to put a line of text before the attachment. A
person still sees the report in such a part, so it is looked for by its content.
"""

import binascii
import re
from contextlib import suppress

from tlsrpt_mailer.errors import TooLarge
from tlsrpt_mailer.intake.inflate import GZIP, ZIP
from tlsrpt_mailer.intake.mime import unbase64

BASE64 = "the report is in base64, and no header says so"
UUENCODED = "the report is uuencoded"
BEFORE = "something stands before the report"

HIDDEN_BYTES = 4 * 1024 * 1024
"""How much is decoded on a guess. Packed reports are a hundredth of it."""

_NEAR = 4_096
"""How far behind the beginning of a part packed data is looked for."""

# What gzip, zip and a JSON object begin with once they are in base64, and enough
# behind it to be no word of a text.
_BASE64 = re.compile(rb"^[ \t]*+(?=H4sI|UEsDB|eyJ|ewog|ewoJ|ew0K|eyAi)[A-Za-z0-9+/]{40}", re.M)
_BASE64_LINES = re.compile(rb"(?:[ \t]*+[A-Za-z0-9+/]++={0,2}[ \t]*+(?:\r?\n|\Z))++")
_UU = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*\r?\n", re.M)
_UU_LINE = re.compile(rb"([!-M][ -`]*+)\r?\n")
_OBJECT = re.compile(rb'\{\s*+"')
_GZIP_DEFLATE = GZIP + b"\x08"


def uncovered(data: bytes) -> tuple[bytes, str | None]:
    """
    What *data* holds behind what hides it, and what that was; *data* itself where nothing is.

    Raises:
        TooLarge: More is hidden than is decoded on a guess.

    """
    if found := _UU.search(data):
        return _uudecoded(data, found.end()), UUENCODED
    if found := _BASE64.search(data):
        lines = _BASE64_LINES.match(data, found.start())
        # Words behind the first line leave only what was found for certain.
        end = lines.end() if lines else found.end()
        if end - found.start() > HIDDEN_BYTES:
            raise TooLarge("base64 that no header names", HIDDEN_BYTES)
        return unbase64(memoryview(data)[found.start() : end]), BASE64
    for magic in (_GZIP_DEFLATE, ZIP):
        if (at := data.find(magic, 0, _NEAR)) > 0:
            return data[at:], BEFORE
    if b'"policies"' in data and (found := _OBJECT.search(data)):
        return data[found.start() :], BEFORE
    return data, None


def _uudecoded(data: bytes, at: int) -> bytes:
    """The lines of uuencode from *at* on, up to the first that is none."""
    decoded = bytearray()
    with suppress(binascii.Error):
        while line := _UU_LINE.match(data, at):
            decoded += binascii.a2b_uu(line[1])
            at = line.end()
            if len(decoded) > HIDDEN_BYTES:
                raise TooLarge("what is uuencoded", HIDDEN_BYTES)
    return bytes(decoded)
