"""Certificates that no well-behaved CA issues: trustme makes the others."""

import datetime as dt
import re
import ssl

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

DAY = dt.timedelta(days=1)


def self_signed(name: str) -> bytes:
    """Key and certificate (PEM) that nobody vouches for but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    return _pem(key, _begun(whose, whose, key).add_extension(names, critical=False), key)


def issued(ca: trustme.CA, name: str, *extensions: x509.ExtensionType) -> bytes:
    """Key and certificate (PEM) with *name* as its common name, and only these extensions."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes()).subject
    signing = load_pem_private_key(ca.private_key_pem.bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    builder = _begun(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), issuer, key)
    for one in extensions:
        builder = builder.add_extension(one, critical=False)
    return _pem(key, builder, signing)


def without_dates(pem: bytes) -> bytes:
    """*pem*, a certificate alone, with dates that are none: some libraries do not look at them."""
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    spoilt = re.sub(rb"\x17\x0d[0-9]{12}Z", b"\x17\x0d" + b"?" * 13, der)
    assert spoilt != der
    return ssl.DER_cert_to_PEM_cert(spoilt).encode()


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 30 * DAY)
    )


def _pem(
    key: ec.EllipticCurvePrivateKey,
    builder: x509.CertificateBuilder,
    signing: ec.EllipticCurvePrivateKey,
) -> bytes:
    made = builder.sign(signing, hashes.SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + made.public_bytes(Encoding.PEM)
