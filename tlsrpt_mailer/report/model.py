"""
A TLS report as this program keeps it: normalised, frozen, complete.

The words are those of RFC 8460, section 4. Everything a sender may leave out
is None or empty; what departed from the RFC is named in `Report.deviations`.
"""

from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.times import Time

Mode: TypeAlias = Literal["enforce", "testing", "none"]


class FailureDetail(msgspec.Struct, frozen=True):
    """One row of ``failure-details`` (RFC 8460, 4.4)."""

    result_type: str
    """A value of the IANA registry in lower case, or what else came, as it came."""
    failed_sessions: int
    """0 to 2**63-1; 1 where the row named no count."""
    sending_mta_ip: str | None = None
    receiving_mx_hostname: str | None = None
    """Lower case, A-labels, no dot at the end."""
    receiving_mx_helo: str | None = None
    receiving_ip: str | None = None
    additional_information: str | None = None
    failure_reason_code: str | None = None


class Policy(msgspec.Struct, frozen=True):
    """One element of ``policies``: what was applied, how often it worked."""

    policy_type: str
    """``sts``, ``tlsa``, ``no-policy-found``, or what else came; "" where none came."""
    policy_domain: str
    """Lower case, A-labels, no dot at the end; "" where nothing names it."""
    policy_string: tuple[str, ...] = ()
    mx_host: tuple[str, ...] = ()
    successful_sessions: int = 0
    failed_sessions: int = 0
    failure_details: tuple[FailureDetail, ...] = ()
    mode: Mode | None = None
    """The ``mode`` that the policy string of an MTA-STS policy quotes."""


class Report(msgspec.Struct, frozen=True):
    """One report: one JSON object with policies."""

    organization_name: str | None
    submitter: str | None
    """TLS-Report-Submitter, else the file name's first field, else the domain of contact-info."""
    report_id: str | None
    start: Time | None
    end: Time | None
    """The report's own end, not yet made half-open; None where it cannot be read."""
    contact_info: str | None
    policies: tuple[Policy, ...]
    deviations: tuple[str, ...] = ()
