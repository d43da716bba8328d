"""Domains as a look sees them, all of it real: signed zones, a resolver, a host of policies."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers.knot import Knot, knot
from tests.servers.policyhost import PolicyHost, policy_host
from tests.servers.unbound import Unbound, unbound

LIMITLESS = 100_000
"""Questions a second: nobody minds how fast they come."""


class Land:
    """Zones on a server of their own, a validating resolver before it, and a host of policies."""

    def __init__(self, root: Knot, resolver: Unbound, policies: PolicyHost) -> None:
        self.root = root
        self.resolver = resolver
        self.policies = policies

    def settings(self, checks: str = "") -> str:
        """``[dns]`` and ``[checks]``, with more keys of the latter."""
        return (
            f'[dns]\nnameservers = ["{self.resolver.address}"]\n'
            f'[checks]\nca_file = "{self.policies.ca_file}"\n'
            f"queries_per_second = {LIMITLESS}\n{checks}\n"
        )

    def change(self, zone: str, records: str) -> None:
        """From now on *zone* has these records, for everybody who asks."""
        self.root.change(zone, records)
        self.resolver.forget()

    def add(self, zone: str, records: str) -> None:
        """*zone* has these records as well."""
        self.change(zone, f"{self.root.records(zone)}\n{records}\n")


@contextmanager
def land(folder: Path, zones: Mapping[str, str], *, unsigned: str = "") -> Iterator[Land]:
    """Servers that run; every zone is signed, but for those that *unsigned* lists."""
    place = folder / "land"
    place.mkdir()
    signed = set(zones) - set(unsigned.split())
    with (
        policy_host(place) as policies,
        knot(place, zones, signed=signed) as root,
        unbound(place, root) as resolver,
    ):
        yield Land(root, resolver, policies)
    shutil.rmtree(place)


def txt(name: str, *strings: str) -> str:
    """
    A line of a zone file with one TXT record of these strings, each byte by its number.

    Nothing of it is what the program itself writes: this is how a slip gets into a zone.
    """
    words = ('"' + "".join(f"\\{byte:03}" for byte in one.encode()) + '"' for one in strings)
    return f"{name} TXT {' '.join(words)}"
