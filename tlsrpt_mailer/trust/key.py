"""Keys as DNS has them (RFC 6376, 3.6.1), and which of them cover reports (RFC 8460, 3)."""

import base64
import binascii
from collections.abc import Sequence

import msgspec

from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.trust.tags import tags

MAX_KEY_BYTES = 2_048
"""Of the base64: RSA of 8192 bits, with room."""
_ED25519_BYTES = 32


class Key(msgspec.Struct, frozen=True):
    """A key that covers reports."""

    kind: str
    """``rsa`` or ``ed25519``."""
    data: bytes
    """Base64, without blanks."""
    strict_identity: bool
    """t=s: the domain of i= must be d= itself."""


def key_of(texts: Sequence[bytes]) -> Key:
    """
    The key in the TXT records of one name; the first that covers reports counts.

    Raises:
        BadReport: None does; says why not.

    """
    refused: BadReport | None = None
    for text in texts[:5]:
        try:
            return _key(text)
        except BadReport as error:
            refused = refused or error
    raise refused or BadReport("there is no key in its record")


def _key(text: bytes) -> Key:
    found = tags(text, "its key record")
    if found.get("v", "DKIM1") != "DKIM1":
        raise BadReport("its key record is of another version")
    data = "".join(found.get("p", "").split())
    if not data:
        raise BadReport("its key was revoked" if "p" in found else "its key record holds no key")
    kind = found.get("k", "rsa").lower()
    if kind not in {"rsa", "ed25519"}:
        raise BadReport("its key is of an unknown kind")
    services = _words(found.get("s", "*"))
    if not services & {"*", "tlsrpt"}:
        raise BadReport("its key is not for reports (s= allows neither * nor tlsrpt)")
    if "h" in found and "sha256" not in _words(found["h"]):
        raise BadReport("its key does not allow SHA-256")
    return Key(kind, _checked(kind, data), "s" in _words(found.get("t", "")))


def _checked(kind: str, data: str) -> bytes:
    if len(data) > MAX_KEY_BYTES:
        raise BadReport("its key is too long")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadReport("its key is damaged") from None
    if kind == "ed25519" and len(raw) != _ED25519_BYTES:
        raise BadReport("its key is damaged")
    return data.encode("ascii")


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(":")}
