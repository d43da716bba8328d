"""Sign a mail of our own with DKIM (RFC 6376, 8463), as a reporter has to (RFC 8460, 3). Pure."""

import base64

FIELDS = [b"from", b"to", b"subject", b"date", b"message-id", b"content-type", b"mime-version",
          b"tls-report-domain", b"tls-report-submitter", b"tls-required"]  # fmt: skip


def sign(raw: bytes, domain: str, selector: str, key: bytes) -> bytes:
    """
    *raw* with a DKIM-Signature in front.

    Args:
        raw: The mail, with CRLF.
        domain: The signing domain.
        selector: Where its key is published.
        key: PEM of an RSA key, or the base64 of an Ed25519 seed (`new_key`).

    Raises:
        ValueError: It is no such key.
    """
    import dkim  # noqa: PLC0415 - heavy, and only whoever sends test reports signs

    is_rsa = key.lstrip().startswith(b"-----BEGIN")
    try:
        header: bytes = dkim.sign(
            raw,
            selector.encode(),
            domain.encode(),
            key.strip(),
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[name for name in FIELDS if name + b":" in raw.lower()],
            signature_algorithm=b"rsa-sha256" if is_rsa else b"ed25519-sha256",
        )
    except (dkim.DKIMException, ValueError) as error:
        raise ValueError(f"it is no key that signs: {error}") from error
    return header + raw


def new_key() -> bytes:
    """A new Ed25519 key: the base64 of its seed, 44 bytes."""
    from nacl.signing import SigningKey  # noqa: PLC0415 - as above

    return base64.b64encode(bytes(SigningKey.generate()))


def public_record(key: bytes) -> str | None:
    """The TXT record of an Ed25519 *key*, for reports alone (s=tlsrpt); None for an RSA key."""
    from nacl.signing import SigningKey  # noqa: PLC0415 - as above

    if key.lstrip().startswith(b"-----BEGIN"):
        return None
    public = bytes(SigningKey(base64.b64decode(key)).verify_key)
    return f"v=DKIM1; k=ed25519; s=tlsrpt; p={base64.b64encode(public).decode()}"
