"""
The result types of RFC 8460, section 4.3.

They are the whole of IANA's registry "STARTTLS Validation Result Types",
eleven since 2018. What they mean and how to mend them is told elsewhere; here
stands only what a report can be sorted by.
"""

from typing import Literal, TypeAlias

import msgspec

Family: TypeAlias = Literal["negotiation", "general", "DANE", "MTA-STS"]


class ResultType(msgspec.Struct, frozen=True):
    """One registered result type."""

    name: str
    family: Family
    short: str
    """For subjects and lists, to be followed by where it happened."""


_ALL = (
    ResultType("starttls-not-supported", "negotiation", "STARTTLS not offered"),
    ResultType("certificate-host-mismatch", "negotiation", "certificate for another name"),
    ResultType("certificate-expired", "negotiation", "certificate expired"),
    ResultType("certificate-not-trusted", "negotiation", "certificate not trusted"),
    ResultType("validation-failure", "general", "TLS or policy check failed"),
    ResultType("tlsa-invalid", "DANE", "TLSA matches no certificate"),
    ResultType("dnssec-invalid", "DANE", "DNSSEC does not validate"),
    ResultType("dane-required", "DANE", "one sender insists on DANE"),
    ResultType("sts-policy-fetch-error", "MTA-STS", "MTA-STS policy cannot be fetched"),
    ResultType("sts-policy-invalid", "MTA-STS", "MTA-STS policy is not valid"),
    ResultType("sts-webpki-invalid", "MTA-STS", "policy host's web certificate is not valid"),
)

RESULT_TYPES: dict[str, ResultType] = {known.name: known for known in _ALL}
"""By name, in the order of RFC 8460."""

POLICY_TYPES = frozenset({"sts", "tlsa", "no-policy-found"})
"""The policy types of RFC 8460, section 4.4."""
