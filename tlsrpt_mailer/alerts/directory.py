"""
Whose is what: owners, domains, MX hosts and policy hosts, as the configuration names them.

Everything here is data and look-up; `alerts.route` says who is told of which failure.
"""

from typing import Literal, TypeAlias

import msgspec

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
