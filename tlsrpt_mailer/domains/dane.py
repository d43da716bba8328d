"""TLSA records of MX hosts: which can be used, and which fit a certificate (RFC 6698, RFC 7672)."""

import hashlib
import re
from collections.abc import Iterable, Sequence

import msgspec

from tlsrpt_mailer.domains.flaw import Flaw, fatal
from tlsrpt_mailer.domains.seen import Certificate, Shown
from tlsrpt_mailer.report.times import Time

PLACE = "_25._tcp."
"""In front of the MX host: where its TLSA records stand."""

TA, EE = 2, 3
"""DANE-TA and DANE-EE: the certificate of a CA, or of the server (RFC 7672, 3.1)."""
FULL, SHA_256, SHA_512 = 0, 1, 2
_HASH_DIGITS = {SHA_256: 64, SHA_512: 128}

_TLSA = re.compile(r"([0-9]{1,3}) ([0-9]{1,3}) ([0-9]{1,3}) ((?:[0-9a-f]{2})+)", re.ASCII)


class Tlsa(msgspec.Struct, frozen=True):
    """One TLSA record (RFC 6698, 2.1)."""

    usage: int
    selector: int
    """0: the whole certificate; 1: its key."""
    matching: int
    data: str
    """Lower-case hexadecimal digits."""

    @property
    def text(self) -> str:
        """As a zone file has it."""
        return f"{self.usage} {self.selector} {self.matching} {self.data}"


def parse_tlsa(value: str) -> Tlsa | None:
    """The record that *value*, as `seen.Answer` has it, states; None where it is none."""
    found = _TLSA.fullmatch(value)
    if found is None:
        return None
    return Tlsa(int(found[1]), int(found[2]), int(found[3]), found[4])


def flaw_of(value: str) -> Flaw | None:
    """What keeps mail servers from using the record in *value*; None where they can."""
    one = parse_tlsa(value)
    if one is None:
        return fatal("tlsa-broken", value)
    # RFC 7672, 3.1.3: SMTP clients do not know the CAs that usages 0 and 1 rely on.
    if one.usage not in {TA, EE}:
        return fatal("tlsa-usage", value, number=str(one.usage))
    if one.selector not in {0, 1}:
        return fatal("tlsa-selector", value, number=str(one.selector))
    if one.matching not in {FULL, SHA_256, SHA_512}:
        return fatal("tlsa-matching", value, number=str(one.matching))
    if len(one.data) != _HASH_DIGITS.get(one.matching, len(one.data)):
        return fatal("tlsa-length", value)
    return None


def usable(values: Iterable[str]) -> tuple[Tlsa, ...]:
    """The records among *values* that a sender can use."""
    found = (parse_tlsa(value) for value in values if flaw_of(value) is None)
    return tuple(one for one in found if one is not None)


def matching(record: Tlsa, chain: Sequence[Certificate]) -> int | None:
    """
    The place in *chain* of the certificate that *record* names; None where it names none.

    Args:
        record: A usable one.
        chain: As the server sent it, its own certificate first.
    """
    looked_at = chain[:1] if record.usage == EE else chain
    places = (at for at, one in enumerate(looked_at) if _names(record, one))
    return next(places, None)


def _names(record: Tlsa, one: Certificate) -> bool:
    if record.matching == SHA_512:
        return record.data == (one.key_sha512 if record.selector else one.cert_sha512)
    data = record.data
    if record.matching == FULL:
        data = hashlib.sha256(bytes.fromhex(data)).hexdigest()
    return data == (one.key_sha256 if record.selector else one.cert_sha256)


def fits(records: Iterable[Tlsa], shown: Shown, names_fit: bool, now: Time) -> bool | None:
    """
    Whether a sender that does DANE delivers to what an address showed.

    A record of usage 3 asks for nothing but the key or certificate; one of usage 2 for names
    and dates as well (RFC 7672, 3.1.1 and 3.1.2). None where it cannot be told: a CA's
    certificate may stand in DNS as a whole (2 0 0), and need not be sent by the server then.

    Args:
        records: The usable ones.
        shown: With a chain.
        names_fit: Whether the certificate bears the name of the MX host or of the domain.
        now: For the dates of the certificate.
    """
    cannot_tell = False
    for record in records:
        found = matching(record, shown.chain)
        if record.usage == EE and found is not None:
            return True
        if record.usage == TA and found is not None and names_fit and _in_time(shown.chain, now):
            return True
        cannot_tell = cannot_tell or (
            record.usage == TA and record.matching == FULL and found is None and names_fit
        )
    return None if cannot_tell else False


def _in_time(chain: Sequence[Certificate], now: Time) -> bool:
    return chain[0].not_before <= now < chain[0].not_after


def tlsa_line(host: str, key_sha256: str) -> str:
    """The line of a zone file for the key in use; ``3 1 1`` is what RFC 7672, 3.1 advises."""
    return f"{PLACE}{host}. IN TLSA {EE} 1 {SHA_256} {key_sha256}"
