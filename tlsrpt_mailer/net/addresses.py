"""The addresses of a host: found by DNS, and whether they lead out of our own network."""

import ipaddress
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import TypeAlias

from tlsrpt_mailer.domains.seen import Answer, RecordType
from tlsrpt_mailer.errors import Temporary

Ask: TypeAlias = Callable[[str, RecordType], Answer]
"""`ports.checking.Scout.ask`."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Where networks without IPv4 have it (RFC 6052, 2.1)."""


class NoAddress(Temporary):
    """DNS has no address for a host, or nobody knows; the text says which."""


BOTH: tuple[RecordType, ...] = ("A", "AAAA")
"""IPv4 and IPv6."""


def addresses_of(host: str, ask: Ask, most: int, kinds: Sequence[RecordType] = BOTH) -> list[str]:
    """
    The addresses of *host*, both families in turn, *most* of them.

    Args:
        host: Its name.
        ask: Who knows.
        most: Of all its addresses together.
        kinds: Those of one family alone.

    Raises:
        NoAddress: There are none.
    """
    answers = [ask(host, kind) for kind in kinds]
    both = chain.from_iterable(zip_longest(*(answer.values for answer in answers)))
    found = [one for one in both if one is not None]
    if found:
        return found[:most]
    for answer in answers:
        if answer.kind == "trouble":
            proof = "DNSSEC validation fails: " if answer.is_bogus else ""
            raise NoAddress(f"no address of {host}: {proof}{answer.error}")
    raise NoAddress(f"{host} has no address")


def is_public(text: str) -> bool:
    """
    Whether an address is one of the internet: no network of ours, nor this host.

    Names that strangers publish may lead to what only we can reach.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.is_site_local or address.teredo is not None:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
