"""
The TLSRPT record at ``_smtp._tls.DOMAIN`` (RFC 8460, 3): where a domain wants its reports.

It is read as kindly as it can be without guessing: what is wrong is said, and
what can be read beside it is kept.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tlsrpt_mailer.domains import uri
from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.fields import BLANKS, Candidates, candidates, read_fields
from tlsrpt_mailer.domains.flaw import Flaw, fatal, first, risky
from tlsrpt_mailer.report.hosts import MAX_HOST

PLACE = "_smtp._tls."
"""In front of the domain: where its record stands."""
VERSION = "TLSRPTv1"

MOST_URIS = 50
"""Addresses of one record that are looked at."""

_KNOWN = ("rua",)
_OF_DMARC = frozenset({"ruf", "p", "sp", "pct", "fo", "rf", "ri", "adkim", "aspf"})
_OTHER_KINDS = frozenset({"dmarc", "sts"})
"""Records of another kind at this name: what their rua= names is not for TLS reports."""

# As a record that is broken may have it: any capitals, blanks around, no ";" in front.
_RUA = re.compile(r"(?:(?<![\w.-])|(?<=v1))rua\s*[=:]\s*([^;]*)", re.ASCII | re.IGNORECASE)
_ASTRAY = re.compile(r";\s*((?:mailto|https):[^;]*)", re.ASCII | re.IGNORECASE)
"""A URI behind a ";" that should be a comma."""
_HARMLESS = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}=[a-z0-9._:/@%+-]{1,100}", re.I | re.ASCII)
MOST_KEPT = 5
"""Unknown fields that stay when a record is mended."""
STRING_BYTES = 255
"""RFC 1035, 3.3: <character-string>."""
_BETWEEN = re.compile(r"[,\s]+")
_GLUED = re.compile(r"(?<=[a-z])(?=mailto:)", re.ASCII | re.IGNORECASE)
"""Between two addresses, where the comma is missing: two strings of a record were put together."""


class Record(msgspec.Struct, frozen=True):
    """What a domain publishes; *text* is None where that is no record, or more than one."""

    text: str | None
    rua: tuple[str, ...] = ()
    """URIs as they stand there, ``mailto:`` and ``https:`` alone."""
    flaws: tuple[Flaw, ...] = ()
    near: tuple[str, ...] = ()
    """Where there is no *text*: those that were meant as one, and those that are too many."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with it, in words; may hold anything that DNS may."""
        return tuple(flaw.words for flaw in self.flaws)

    @property
    def is_valid(self) -> bool:
        """Whether a sender that keeps to the RFC reports by it."""
        return self.text is not None and not any(flaw.is_fatal for flaw in self.flaws)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The mail addresses among `rua`, decoded, each domain in normal form."""
        found = [one for each in self.rua for one in uri.addresses_of(each)]
        return tuple(dict.fromkeys(found))


def parse_record(texts: Iterable[bytes | str]) -> Record:
    """
    Find the one record among the TXT records of a name, and read it.

    Args:
        texts: Each TXT record, its strings put together.
    """
    there = candidates(_decoded(texts), VERSION, _KNOWN)
    text = _the_one(there)
    if text is None:
        return _none(there)
    flaws: list[Flaw] = []
    rua = tuple(_read(text, flaws))
    if there.loose and there.loose != (text,):
        flaws.append(risky("second", there.loose[0]))
    return Record(text, rua, first(flaws))


def is_meant(text: str) -> bool:
    """Whether *text* is a TLSRPT record, or was meant to be one."""
    there = candidates([text], VERSION, _KNOWN)
    return bool(there.found or there.loose or _meant(there))


def _decoded(texts: Iterable[bytes | str]) -> list[str]:
    return [one if isinstance(one, str) else one.decode("utf-8", "replace") for one in texts]


def _the_one(there: Candidates) -> str | None:
    """The record that counts: "if the number of resulting records is not one", none does."""
    counted = there.found or there.loose
    return counted[0] if len(counted) == 1 else None


def _none(there: Candidates) -> Record:
    counted = there.found or there.loose
    if counted:
        many = fatal("several", count=str(len(counted)), version=VERSION)
        return Record(None, flaws=(many,), near=tuple(sorted(counted)))
    return Record(None, flaws=first(flaw for _, flaw in there.near), near=_meant(there))


def _meant(there: Candidates) -> tuple[str, ...]:
    near = (text for text, flaw in there.near if flaw.code not in _OTHER_KINDS)
    return tuple(sorted(near))


def _read(text: str, flaws: list[Flaw]) -> Iterator[str]:
    """The URIs of all ``rua`` fields; unknown fields are left alone, as the RFC wants it."""
    fields = read_fields(text, VERSION, _KNOWN)
    flaws += fields.flaws
    flaws += [risky("dmarc-field", name) for name, _ in fields.pairs if name in _OF_DMARC]
    values = [value for name, value in fields.pairs if name in _KNOWN]
    uris = [part for value in values if value.strip(BLANKS) for part in _listed(value)]
    if len(uris) > MOST_URIS:
        flaws.append(risky("many", count=str(MOST_URIS)))
    if not uris:
        flaws.append(fatal("no-rua"))
    for one in uris[:MOST_URIS]:
        flaws += uri.flaws_of(one)
        bare = one.strip(BLANKS)
        if uri.is_reportable(bare):
            yield bare
    is_usable = any(uri.is_usable(one) for one in uris[:MOST_URIS])
    if not is_usable and not any(flaw.is_fatal for flaw in flaws):
        flaws.append(fatal("unusable"))


def _listed(value: str) -> list[str]:
    """The URIs of a list: blanks around its commas count for nothing, one in front of it does."""
    lead, *more = value.split(",")
    return [lead.rstrip(BLANKS) if more else lead, *(one.strip(BLANKS) for one in more)]


# --------------------------------------------------------------------- publish


def wrong_places(domain: str) -> tuple[str, ...]:
    """The names where people put the record of *domain* by mistake; no sender looks there."""
    names = (
        f"smtp._tls.{domain}",
        f"_smtp-tls.{domain}",
        f"_tlsrpt.{domain}",
        f"_tls.{domain}",
        f"_smtp.{domain}",
        f"_tls._smtp.{domain}",
        # A provider's form adds the name of the zone once more.
        f"{PLACE}{domain}.{domain}",
        domain,
    )
    return tuple(name for name in names if len(name) <= MAX_HOST)


def led_to(record: Record, addresses: Addresses, ours: Sequence[str] = ()) -> str | None:
    """
    The first destination of *record* that is ours; None where none is.

    Args:
        record: What a domain publishes.
        addresses: Our mail addresses.
        ours: Our URIs, for those that are no mail addresses.
    """
    named = next((one for one in record.addresses if addresses.match(one)), None)
    return named or next((one for one in record.rua if one in ours), None)


def mended(
    found: Record | Iterable[bytes | str],
    ours: Sequence[str],
    addresses: Addresses | None = None,
) -> str:
    """
    The record to publish: what can be used of *found*, written as it should be, and a way to us.

    Only printable ASCII without quotes and backslashes stands in it, whatever stood in *found*;
    it is read by `parse_record` without a problem. Empty where no destination is left.

    Args:
        found: What stands there, or what was meant to.
        ours: The URIs that records should name; added where nothing leads to us.
        addresses: Our mail addresses; by default those of *ours*.
    """
    record = found if isinstance(found, Record) else parse_record(found)
    texts = record.near if record.text is None else (record.text,)
    there = [one for text in texts for one in _written_anew(text)]
    own = [one for one in map(uri.mended, ours) if one is not None]
    if addresses is None:
        addresses = Addresses(one for each in own for one in uri.addresses_of(each))
    if led_to(Record(None, rua=tuple(there)), addresses, own) is None:
        there = [*there[: MOST_URIS - len(own)], *own]
    rua = list({one.lower(): one for one in there[:MOST_URIS]}.values())
    kept = [f"; {field}" for field in _kept(record)]
    return f"v={VERSION}; rua={','.join(rua)}{''.join(kept)}" if rua else ""


def _written_anew(text: str) -> Iterator[str]:
    for value in (*_RUA.findall(text), *_ASTRAY.findall(text)):
        parts = [one for part in _BETWEEN.split(value)[: 2 * MOST_URIS] for one in _unglued(part)]
        yield from (one for one in map(uri.mended, parts) if one is not None)


def _unglued(part: str) -> list[str]:
    if part[:7].lower() != "mailto:" or next(uri.flaws_of(part), None) is None:
        return [part]
    return _GLUED.split(part, MOST_URIS)


def _kept(record: Record) -> list[str]:
    """The fields of a later version of the RFC, which a sender of today passes over."""
    if record.text is None:
        return []
    pairs = read_fields(record.text, VERSION, _KNOWN).pairs
    fields = {
        f"{name}={value}"
        for name, value in pairs
        if name.lower() not in _OF_DMARC | {"rua", "v"} and _HARMLESS.fullmatch(f"{name}={value}")
    }
    return sorted(fields)[:MOST_KEPT]


def zone_line(domain: str, text: str, ttl: int | None = None) -> str:
    """
    The line of a zone file that publishes *text* for *domain* (RFC 1035, 5.1).

    A text over 255 bytes is cut into strings, which readers put together again.
    """
    return txt_line(f"{PLACE}{domain}", text, ttl)


def txt_line(name: str, text: str, ttl: int | None = None) -> str:
    """As `zone_line`, of a TXT record at any *name*."""
    raw = text.encode("utf-8", "replace")
    strings = [raw[at : at + STRING_BYTES] for at in range(0, len(raw), STRING_BYTES)] or [b""]
    shown = " ".join(f'"{"".join(map(_escaped, one))}"' for one in strings)
    between = "" if ttl is None else f"{ttl} "
    return f"{name}. {between}IN TXT {shown}"


def _escaped(byte: int) -> str:
    if chr(byte) in '"\\':
        return f"\\{chr(byte)}"
    return chr(byte) if 0x20 <= byte <= 0x7E else f"\\{byte:03}"
