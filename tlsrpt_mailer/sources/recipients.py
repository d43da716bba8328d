"""Whose mail a listener takes."""

import contextlib
from collections.abc import Sequence

POSTMASTER = "postmaster"


class Recipients:
    """
    The addresses of the setting `recipients`.

    An address matches its ``+detail`` forms as well; ``@example.com`` and
    ``*@example.com`` stand for a whole domain. Case does not matter: RFC 5321,
    2.4 allows for local parts that differ by case alone, nobody uses them.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._addresses: set[tuple[str, str]] = set()
        self._domains: set[str] = set()
        for pattern in patterns:
            local, domain = split_address(pattern)
            if not domain or " " in pattern:
                raise ValueError(f'"{pattern}" must be an address or "@domain"')
            if local in {"", "*"}:
                self._domains.add(domain)
            else:
                self._addresses.add((local, domain))
        if not patterns:
            raise ValueError("must name at least one address")

    def match(self, address: str) -> bool:
        """Whether mail for *address* is taken."""
        local, domain = split_address(address)
        if not local or not domain:
            return False
        return (
            domain in self._domains
            or (local, domain) in self._addresses
            or (local.partition("+")[0], domain) in self._addresses
        )

    def is_postmaster(self, address: str) -> bool:
        """
        Whether *address* is the postmaster of one of our domains, or just ``postmaster``.

        Not if it is among our addresses by name: then reports go there.
        """
        local, domain = split_address(address)
        if not domain:
            return local == POSTMASTER
        if (POSTMASTER, domain) in self._addresses:
            return False
        ours = self._domains | {own for _, own in self._addresses}
        return local.partition("+")[0] == POSTMASTER and domain in ours


def split_address(address: str) -> tuple[str, str]:
    """Local part (unquoted) and domain (A-labels) in lower case; "" where there is none."""
    local, _, domain = address.rpartition("@") if "@" in address else (address, "", "")
    if local.startswith('"') and local.endswith('"') and len(local) > 1:
        local = local[1:-1].replace("\\", "")
    domain = domain.rstrip(".").lower()
    # What is no host name matches itself at most.
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode("ascii")
    return local.lower(), domain
