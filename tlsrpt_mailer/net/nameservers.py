"""Which name servers are asked, and what their answers mean: for both who ask DNS."""

import ipaddress
from collections.abc import Sequence
from contextlib import suppress

import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

PORT = 53
HERE = "127.0.0.1"
SYSTEM = "/etc/resolv.conf"

NO_NAME = (dns.name.EmptyLabel, dns.name.LabelTooLong, dns.name.NameTooLong)
"""What nobody can publish anything at."""


def configured(nameservers: Sequence[str], system: str = SYSTEM) -> dns.resolver.Resolver:
    """With the *nameservers*, else those of the *system*: on this host, where it says nothing."""
    made = dns.resolver.Resolver(configure=False)
    made.nameservers = [
        dns.nameserver.Do53Nameserver(*address_of(text)) for text in nameservers or [HERE]
    ]
    if not nameservers:
        with suppress(dns.resolver.NoResolverConfiguration):
            made = dns.resolver.Resolver(system)
    return made


def endpoints(nameservers: Sequence[str], system: str = SYSTEM) -> list[tuple[str, int]]:
    """Address and port of those that `configured` has."""
    made = configured(nameservers, system)
    return [
        (one.address, one.port)
        if isinstance(one, dns.nameserver.Do53Nameserver)
        else (str(one), made.port)
        for one in made.nameservers
    ]


def address_of(text: str) -> tuple[str, int]:
    """``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1``, ``[2001:db8::1]:5353``."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return address, int(port.removeprefix(":") or PORT)
    address, colon, port = text.partition(":")
    return (address, int(port)) if colon and ":" not in port else (text, PORT)


def is_loopback(address: str) -> bool:
    """Whether nobody can stand between here and *address*."""
    with suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return False


def is_lame(response: dns.message.Message) -> bool:
    """Whether it only names other servers: it says nothing of the name (RFC 2308, 2.2)."""
    kinds = {found.rdtype for found in response.authority}
    refers = dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds
    return refers and not response.flags & dns.flags.AA
