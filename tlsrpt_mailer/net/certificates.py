"""What certificates say, whether they lead to a root, and to whom they are made out."""

import hashlib
import ssl
from collections.abc import Sequence
from datetime import datetime

import service_identity
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto
from service_identity.cryptography import verify_certificate_hostname

from tlsrpt_mailer.domains.seen import Certificate
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.net.dialogue import shown
from tlsrpt_mailer.report.times import Time

MOST_NAMES = 100
"""Names of one certificate that are kept; all of them count for whom it is made out to."""
MOST_CHAIN = 20

NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: when a certificate ends is told apart from whose it is."""

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises for parts that are not as RFC 5280 has them."""


class Roots:
    """
    The certificates that are trusted without more; thread-safe.

    Args:
        ca_file: Those in this PEM file; None: those that the system trusts.

    Raises:
        ConfigError: The file cannot be used.
    """

    def __init__(self, ca_file: str | None = None) -> None:
        system = ssl.get_default_verify_paths()
        store = crypto.X509Store()
        try:
            if ca_file is not None:
                store.load_locations(ca_file)
            elif system.cafile or system.capath:
                store.load_locations(system.cafile, system.capath)
        except crypto.Error as error:
            raise ConfigError(f"{ca_file or system.cafile}: no certificates in PEM") from error
        store.set_flags(NO_CHECK_TIME)
        self._store = store

    def distrust(self, chain: Sequence[crypto.X509]) -> str:
        """Why *chain* leads to no root, in OpenSSL's words; empty where it does."""
        try:
            crypto.X509StoreContext(self._store, chain[0], list(chain[1:])).verify_certificate()
        except crypto.X509StoreContextError as error:
            return shown(str(error))
        return "" if _is_for_servers(chain[0].to_cryptography()) else "unsuitable purpose"


def read_chain(chain: Sequence[crypto.X509]) -> tuple[Certificate, ...]:
    """Each certificate, as sent; up to the first one that cannot be read."""
    found = []
    for one in chain[:MOST_CHAIN]:
        try:
            found.append(_certificate(one.to_cryptography()))
        except _UNREADABLE:
            break
    return tuple(found)


def fits(certificate: crypto.X509, host: str) -> bool:
    """Whether *certificate* is made out to *host* (RFC 6125)."""
    try:
        verify_certificate_hostname(certificate.to_cryptography(), host)
    except (service_identity.VerificationError, service_identity.CertificateError, *_UNREADABLE):
        return False
    return True


def key_info(certificate: x509.Certificate) -> bytes:
    """
    The SubjectPublicKeyInfo, byte for byte (RFC 6698, 2.1.2; RFC 5280, 4.1).

    cryptography writes the key anew, which for some kinds (RSASSA-PSS) gives other bytes.
    """
    data = certificate.tbs_certificate_bytes
    at, _ = _part(data, 0)
    if data[at] == 0xA0:  # [0], the version
        _, at = _part(data, at)
    for _ in range(5):  # serial number, signature, issuer, validity, subject
        _, at = _part(data, at)
    return data[at : _part(data, at)[1]]


def _part(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER element at *at* begins and ends; it was parsed before."""
    length, begin = data[at + 1], at + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(data[at + 2 : begin])
    return begin, begin + length


def _certificate(one: x509.Certificate) -> Certificate:
    whole, key = one.public_bytes(Encoding.DER), key_info(one)
    return Certificate(
        subject=shown(one.subject.rfc4514_string()),
        issuer=shown(one.issuer.rfc4514_string()),
        names=_names(one),
        not_before=_time(one.not_valid_before_utc),
        not_after=_time(one.not_valid_after_utc),
        cert_sha256=hashlib.sha256(whole).hexdigest(),
        cert_sha512=hashlib.sha512(whole).hexdigest(),
        key_sha256=hashlib.sha256(key).hexdigest(),
        key_sha512=hashlib.sha512(key).hexdigest(),
        is_self_signed=_is_self_signed(one),
    )


def _names(one: x509.Certificate) -> tuple[str, ...]:
    try:
        found = one.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except _UNREADABLE:
        return ()
    names = found.value.get_values_for_type(x509.DNSName)
    return tuple(shown(name).lower() for name in names[:MOST_NAMES])


def _is_for_servers(one: x509.Certificate) -> bool:
    """Whether its extended key usage, if it has any, allows for it (RFC 5280, 4.2.1.12)."""
    try:
        found = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except _UNREADABLE:  # OpenSSL has refused it already, where this is what it cannot read
        return True
    return (
        ExtendedKeyUsageOID.SERVER_AUTH in found
        or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in found
    )


def _is_self_signed(one: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(one)
    except (InvalidSignature, *_UNREADABLE):
        return False
    return True


def _time(moment: datetime) -> Time:
    return int(moment.timestamp())
