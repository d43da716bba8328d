"""
The TLSRPT record at ``_smtp._tls.DOMAIN`` (RFC 8460, 3): where a domain wants its reports.

It is read as kindly as it can be without guessing: what is wrong is said, and
what can be read beside it is kept.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote

import msgspec

from tlsrpt_mailer.report.hosts import domain_text, normalise_host

PLACE = "_smtp._tls."
"""In front of the domain: where its record stands."""

MOST_URIS = 50
"""Addresses of one record that are looked at."""
_SHOWN = 60

# Case-sensitive, and the ";" may have blanks before it (RFC 8460, 3; the ABNF of "field-delim").
_BEGIN = re.compile(r"v=TLSRPTv1[ \t]*(?:;|$)", re.ASCII)
_NEARLY = re.compile(r"[ \t]*v[ \t]*=[ \t]*tlsrpt", re.ASCII | re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.ASCII | re.IGNORECASE)
# A leftover of old DMARC records; here a "!" must be written %21.
_SIZE = re.compile(r"![0-9]+[kmgt]?$", re.ASCII | re.IGNORECASE)


class Record(msgspec.Struct, frozen=True):
    """What a domain publishes; *text* is None where that is no record, or more than one."""

    text: str | None
    rua: tuple[str, ...] = ()
    """URIs as they stand there, ``mailto:`` and ``https:`` alone."""
    problems: tuple[str, ...] = ()
    """What is wrong with it, in words; may hold anything that DNS may."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The mail addresses among `rua`, decoded, each domain in normal form."""
        found = [one for uri in self.rua for one in _addresses_of(uri)]
        return tuple(dict.fromkeys(found))


def parse_record(texts: Iterable[bytes]) -> Record:
    """
    Find the one record among the TXT records of a name, and read it.

    Args:
        texts: Each TXT record, its strings put together.
    """
    decoded = [text.decode("utf-8", "replace") for text in texts]
    found = [text for text in decoded if _BEGIN.match(text)]
    if len(found) > 1:
        return Record(None, (), (f"{len(found)} records begin with v=TLSRPTv1; only one may",))
    if not found:
        nearly = [
            f'"{text[:_SHOWN]}" does not begin with "v=TLSRPTv1;"'
            for text in decoded
            if _NEARLY.match(text)
        ]
        return Record(None, (), tuple(nearly[:1]))
    problems: list[str] = []
    rua = tuple(_rua(found[0], problems))
    if not rua:
        problems.append("it names no address in rua=")
    return Record(found[0], rua, tuple(problems))


def _rua(text: str, problems: list[str]) -> Iterator[str]:
    """The URIs of all ``rua`` fields; unknown fields are left alone, as the RFC wants it."""
    values = _values(text.split(";")[1:], problems)
    uris = [uri for value in values if value.strip(" \t") for uri in value.split(",")]
    if len(uris) > MOST_URIS:
        problems.append(f"it names more than {MOST_URIS} addresses")
    for part in uris[:MOST_URIS]:
        uri = part.strip(" \t")
        scheme = _SCHEME.match(uri)
        if scheme is None:
            what = (
                f'"{uri[:_SHOWN]}" has no mailto: in front' if uri else "a comma too many in rua="
            )
            problems.append(what)
        elif scheme[0].lower() not in {"mailto:", "https:"}:
            problems.append(f'"{uri[:_SHOWN]}" is neither mailto: nor https:')
        else:
            if _SIZE.search(uri):
                problems.append(f'"{uri[:_SHOWN]}" ends in a size, which belongs to DMARC')
            yield uri


def _values(fields: Sequence[str], problems: list[str]) -> Iterator[str]:
    """The values of the fields called ``rua`` (in lower case, RFC 8460, 3)."""
    for at, field in enumerate(fields):
        name, equals, value = field.strip(" \t").partition("=")
        if name == "rua":
            yield value
        elif name.strip().lower() == "rua":
            problems.append(f'"{name}=" is written "rua="')
        elif not equals and (name or at < len(fields) - 1):
            problems.append(f'"{name[:_SHOWN]}" is no field' if name else "an empty field")


def _addresses_of(uri: str) -> Iterator[str]:
    """The addresses of a ``mailto:`` URI (RFC 6068): without header fields, decoded."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "mailto":
        return
    for one in _SIZE.sub("", rest.partition("?")[0]).split(","):
        local, at, domain = unquote(one).rpartition("@")
        if at and local:
            yield f"{local}@{normalise_host(domain) or domain_text(domain)}"
