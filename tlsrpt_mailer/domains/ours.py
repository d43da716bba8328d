"""
Whose policy a report speaks of: ours, or a stranger's.

Ours are the domains of ``[[domains]]``, those that were adopted because their
record sends reports to us, and our MX hosts, which DANE reports name in place
of the domain (RFC 8460, 4.4).
"""

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.record import Record
from tlsrpt_mailer.report.hosts import normalise_host
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.patterns import Names

__all__ = ["Addresses", "Ours", "Ownership", "State", "judge_record", "nothing_found"]

Ownership: TypeAlias = Literal["ours", "foreign", "proposed"]
"""``proposed``: not known by now; the domain's record is looked up."""

State: TypeAlias = Literal["adopted", "proposed", "foreign"]
"""What was found out of a domain that the configuration does not name."""


def nothing_found(_domain: str) -> State | None:
    """Nothing is known but what the configuration says."""
    return None


class Ours:
    """
    What is ours, by the configuration and by what was found out.

    A look-up costs as much with ten thousand names as with ten.

    Args:
        domains: Names and patterns of all ``[[domains]]``.
        mx: Names and patterns of our MX hosts.
        found_out: What was found out of a domain; None where nothing was.
    """

    def __init__(
        self,
        domains: Iterable[str] = (),
        mx: Iterable[str] = (),
        found_out: Callable[[str], State | None] = nothing_found,
    ) -> None:
        names = tuple(domains)
        self._domains = Names([names])
        self._mx = Names([tuple(mx)])
        self._found_out = found_out
        self.is_configured = bool(names)
        """Whether there are any ``[[domains]]``: then nothing is adopted any more."""

    def ownership(self, policy: Policy) -> Ownership:
        """Whose *policy* is."""
        domain = policy.policy_domain
        if self._domains.find(domain) is not None or self._is_our_mx(policy):
            return "ours"
        state = self._found_out(domain)
        if state == "adopted":
            return "ours"
        return "foreign" if self.is_configured or state == "foreign" else "proposed"

    def names(self, domain: str) -> bool:
        """Whether the configuration names *domain*."""
        return self._domains.find(domain) is not None

    def runs(self, mx: str) -> bool:
        """Whether the configuration names *mx* as an MX host of ours."""
        return self._mx.find(mx) is not None

    def owns_host(self, host: str) -> bool:
        """
        Whether the configuration says that an MX host is ours: it, or a domain above it.

        Where there are no ``[[domains]]``, nothing says that it is not.
        """
        labels = host.split(".")
        names = (".".join(labels[at:]) for at in range(len(labels)))
        return not self.is_configured or self.runs(host) or any(map(self.names, names))

    def _is_our_mx(self, policy: Policy) -> bool:
        if policy.policy_type != "tlsa":
            return False
        hosts = (policy.policy_domain, *policy.mx_host)
        found = (normalise_host(host) for host in hosts)
        return any(host and self._mx.find(host) is not None for host in found)


def judge_record(record: Record, ours: Addresses) -> tuple[bool, str]:
    """
    Whether a domain is ours by its record, and why, in words for a person.

    The words may hold anything that DNS may.
    """
    named = next((one for one in record.addresses if ours.match(one)), None)
    if named is not None:
        return True, f"its record sends reports to {named}"
    if record.text is None:
        wrong = record.problems[0] if record.problems else "it publishes none"
        return False, f"no TLSRPT record: {wrong}"
    if record.rua:
        where = record.addresses[0] if record.addresses else record.rua[0]
        more = f" and {len(record.rua) - 1} more" if len(record.rua) > 1 else ""
        return False, f"its record sends reports to {where}{more}, which is not here"
    return False, f"its record is wrong: {record.problems[0]}"
