"""Keys that tests make, and mails signed with them by dkimpy."""

import base64
import time
from functools import cache
from types import SimpleNamespace
from unittest.mock import patch

import dkim
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from nacl.encoding import Base64Encoder
from nacl.signing import SigningKey

from tlsrpt_mailer.trust.model import KeyAnswer, Verdict
from tlsrpt_mailer.trust.verify import read_signatures, verdict

TAKEN = 1_791_979_200  # 2026-10-14T12:00:00Z
DAY = 86_400
HEADERS = [b"from", b"to", b"subject", b"date", b"content-type"]


def organisational(name: str) -> str | None:
    """Enough of a public suffix list for these tests."""
    labels = name.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


@cache
def rsa_key(bits: int = 2048) -> tuple[bytes, str]:
    """A private key as dkimpy wants it, and the public one as DNS has it."""
    key = rsa.generate_private_key(65537, bits)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return pem, base64.b64encode(public).decode()


def ed25519_key() -> tuple[bytes, str]:
    key = SigningKey(b"k" * 32)
    return key.encode(Base64Encoder), key.verify_key.encode(Base64Encoder).decode()


def mail(body: bytes = b"hello \r\n\r\n", sender: str = "tlsrpt@sender.example") -> bytes:
    return (
        b"From: " + sender.encode() + b"\r\nTo: tlsrpt@example.com\r\nSubject: a report\r\n"
        b"Date: Wed, 14 Oct 2026 11:00:00 +0000\r\nContent-Type: text/plain\r\n\r\n" + body
    )


def sign(
    raw: bytes,
    *,
    domain: str = "sender.example",
    key: bytes | None = None,
    at: int | None = None,
    **more: object,
) -> bytes:
    """*raw* with a signature on top, made *at* that time; *more*: of `dkim.DKIM.sign`."""
    algorithm = b"rsa-sha256" if key is None or key.startswith(b"-") else b"ed25519-sha256"
    signer = dkim.DKIM(raw, signature_algorithm=algorithm)
    options: dict[str, object] = {
        "canonicalize": (b"relaxed", b"relaxed"),
        "include_headers": HEADERS,
        **more,
    }
    clock = SimpleNamespace(time=time.time if at is None else lambda: at)
    with patch.object(dkim, "time", clock):
        return signer.sign(b"sel", domain.encode(), key or rsa_key()[0], **options) + raw  # type: ignore[no-any-return]


def found(record: str | None = None, last_seen: int | None = None) -> KeyAnswer:
    text = f"v=DKIM1; k=rsa; p={rsa_key()[1]}" if record is None else record
    return KeyAnswer("found", (text.encode(),), last_seen=last_seen)


def judge(
    raw: bytes,
    answer: KeyAnswer | None = None,
    *,
    taken_at: int | None = None,
    now: int | None = None,
    name: str = "sel._domainkey.sender.example",
) -> Verdict:
    """What is said of *raw* when that key is in DNS, and no other."""
    taken = int(time.time()) if taken_at is None else taken_at
    signed = read_signatures(raw, taken, organisational)
    keys = {wanted: KeyAnswer("absent") for wanted in signed.wanted}
    if name in keys:
        keys[name] = found() if answer is None else answer
    return verdict(signed, keys, taken if now is None else now)
