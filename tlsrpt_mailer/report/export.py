"""Reports as JSON for other programs (docs/reference/json.md): absent is null, times have a Z."""

from collections.abc import Sequence
from typing import Any, Protocol

from tlsrpt_mailer.report.model import FailureDetail, Policy, Report
from tlsrpt_mailer.report.times import iso_or_none

Json = dict[str, Any]


class _Found(Protocol):
    @property
    def report(self) -> Report: ...


class _Content(Protocol):
    """What was found in a mail or file, as far as it is told here."""

    @property
    def kind(self) -> str: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def reports(self) -> Sequence[_Found]: ...


def document(content: _Content) -> Json:
    """Everything that a mail or file says: kind, reason, reports."""
    return {
        "kind": content.kind,
        "reason": content.reason,
        "reports": [as_json(found.report) for found in content.reports],
    }


def as_json(report: Report) -> Json:
    """One report."""
    return {
        "organization_name": report.organization_name,
        "submitter": report.submitter,
        "report_id": report.report_id,
        "start": iso_or_none(report.start),
        "end": iso_or_none(report.end),
        "contact_info": report.contact_info,
        "policies": [_policy(policy) for policy in report.policies],
        "deviations": list(report.deviations),
    }


def _policy(policy: Policy) -> Json:
    return {
        "policy_type": policy.policy_type or None,
        "policy_domain": policy.policy_domain or None,
        "policy_string": list(policy.policy_string),
        "mx_host": list(policy.mx_host),
        "successful_sessions": policy.successful_sessions,
        "failed_sessions": policy.failed_sessions,
        "failure_details": [_detail(detail) for detail in policy.failure_details],
    }


def _detail(detail: FailureDetail) -> Json:
    return {
        "result_type": detail.result_type or None,
        "sending_mta_ip": detail.sending_mta_ip,
        "receiving_mx_hostname": detail.receiving_mx_hostname,
        "receiving_mx_helo": detail.receiving_mx_helo,
        "receiving_ip": detail.receiving_ip,
        "failed_sessions": detail.failed_sessions,
        "additional_information": detail.additional_information,
        "failure_reason_code": detail.failure_reason_code,
    }
