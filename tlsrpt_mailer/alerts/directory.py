"""
Whose is what: owners, domains, MX hosts and policy hosts, as the configuration names them.

Everything here is data and look-up; `alerts.route` says who is told of which failure.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.patterns import Names

Tell: TypeAlias = Literal["digest", "alert", "none"]


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """A team with a name, or one address that stands for itself."""

    name: str
    addresses: tuple[str, ...]
    escalate_to: tuple[str, ...] = ()
    answer_from: tuple[str, ...] = ()
    skips_empty: bool = True
    """No digest where there is nothing to say."""
    is_default: bool = False
    """``alerts.to``: owns what nobody owns."""


class DomainBlock(msgspec.Struct, frozen=True, kw_only=True):
    """Domains that are treated alike."""

    match: tuple[str, ...]
    """Names and patterns such as ``*.example.com`` (A-labels, lower case)."""
    owners: tuple[Owner, ...] = ()
    group: str | None = None
    policy_host_owners: tuple[Owner, ...] = ()
    tell_domain_owners: Tell = "digest"


class MxBlock(msgspec.Struct, frozen=True, kw_only=True):
    """MX hosts that somebody runs."""

    match: tuple[str, ...]
    owners: tuple[Owner, ...]
    tell_domain_owners: Tell = "digest"


class Directory:
    """All owners and blocks; made once, when the configuration is read."""

    def __init__(
        self,
        default: Owner,
        owners: Sequence[Owner] = (),
        domains: Sequence[DomainBlock] = (),
        mx: Sequence[MxBlock] = (),
    ) -> None:
        self.default = default
        self.owners = tuple(owners)
        self.domains = tuple(domains)
        self.mx = tuple(mx)
        self._domain_names = Names(block.match for block in domains)
        self._mx_names = Names(block.match for block in mx)
        self._named = {owner.name: owner for owner in owners}
        found = [address for owner in self.all_owners() for address in _addresses(owner)]
        self._spelled = {address.lower(): address for address in reversed(found)}

    def block_of(self, domain: str) -> DomainBlock | None:
        """The first block that *domain* stands in."""
        at = self._domain_names.find(domain)
        return None if at is None else self.domains[at]

    def mx_block_of(self, mx: str) -> MxBlock | None:
        """The first block that *mx* stands in."""
        at = self._mx_names.find(mx)
        return None if at is None else self.mx[at]

    def owners_of(self, domain: str) -> tuple[Owner, ...]:
        """Whose *domain* is; the default owner's where it is nobody's."""
        block = self.block_of(domain)
        return block.owners if block is not None and block.owners else (self.default,)

    def is_nobodys(self, domain: str) -> bool:
        """Whether no block gives *domain* an owner."""
        block = self.block_of(domain)
        return block is None or not block.owners

    def group_of(self, domain: str) -> str | None:
        """The group that *domain* is counted in."""
        block = self.block_of(domain)
        return None if block is None else block.group

    def owner_named(self, name: str) -> Owner | None:
        """The ``[[owner]]`` of that name."""
        return self._named.get(name)

    def all_owners(self) -> tuple[Owner, ...]:
        """The default owner, the named ones, and addresses that stand in blocks; each once."""
        found = [self.default, *self.owners]
        for block in self.domains:
            found += [*block.owners, *block.policy_host_owners]
        found += [owner for block in self.mx for owner in block.owners]
        return tuple(dict.fromkeys(found))

    def addresses(self) -> tuple[str, ...]:
        """Every address that anybody may be told at, sorted."""
        return tuple(sorted(self._spelled.values()))

    def spelled(self, address: str) -> str:
        """*address* as the configuration writes it, whatever its capitals."""
        return self._spelled.get(address.lower(), address)


def _addresses(owner: Owner) -> tuple[str, ...]:
    return owner.addresses + owner.escalate_to
