"""Real certificates, as the probe describes them."""

import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from trustme import CA

from tlsrpt_mailer.domains.seen import Certificate


def issued(ca: CA, name: str) -> tuple[x509.Certificate, ...]:
    """A certificate for *name* and that of the CA, as a server sends them."""
    leaf = ca.issue_cert(name)
    own = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    return own, x509.load_pem_x509_certificate(ca.cert_pem.bytes())


def self_signed(name: str) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime(2026, 10, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
    )
    return made.sign(key, hashes.SHA256())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def key_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def described(certificate: x509.Certificate) -> Certificate:
    whole, key = der(certificate), key_of(certificate)
    return Certificate(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        cert_sha256=hashlib.sha256(whole).hexdigest(),
        cert_sha512=hashlib.sha512(whole).hexdigest(),
        key_sha256=hashlib.sha256(key).hexdigest(),
        key_sha512=hashlib.sha512(key).hexdigest(),
    )
