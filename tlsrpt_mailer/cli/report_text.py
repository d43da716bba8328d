"""A report as people read it."""

from collections.abc import Collection, Iterator

from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.report.model import FailureDetail, Policy, Report
from tlsrpt_mailer.report.times import iso_or_none

NO_NAME = "(not named)"
LEFT_OUT = "not counted: its domain was not known to be yours when the report was read"


def report_lines(report: Report, left_out: Collection[int] = ()) -> list[str]:
    """The whole report, failures in full; *left_out* are positions of policies not counted."""
    who = words.safe(report.organization_name or report.submitter or "an unnamed organisation")
    lines = [
        f"TLS report of {who}",
        *_facts(report),
    ]
    for position, policy in enumerate(report.policies):
        lines += ["", *_policy(policy, is_left_out=position in left_out)]
    if not report.policies:
        lines += ["", "  It has no policies: it says nothing."]
    if report.deviations:
        lines += ["", "  Departs from RFC 8460:"]
        lines += [line for one in report.deviations for line in _wrapped(one, "    ")]
    return lines


def left_out_line(count: int, total: int) -> str:
    """``1 of 3 policies is not counted``, and where more stands."""
    verb = "is" if count == 1 else "are"
    which = f"{words.number(count)} of {words.plural(total, 'policy', 'policies')}"
    return f"{which} {verb} not counted; whose they are: tlsrpt-mailer domains"


def _facts(report: Report) -> Iterator[str]:
    span = f"{iso_or_none(report.start) or '?'} to {iso_or_none(report.end) or '?'}"
    facts = {
        "range": span,
        "submitter": report.submitter,
        "report-id": report.report_id,
        "contact": report.contact_info,
    }
    for name, value in facts.items():
        if value is not None:
            yield f"  {name:<10} {words.safe(value)}"


def _policy(policy: Policy, *, is_left_out: bool) -> Iterator[str]:
    kind = words.safe(policy.policy_type) or NO_NAME
    mode = f" ({policy.mode})" if policy.mode else ""
    sessions = policy.successful_sessions + policy.failed_sessions
    result = f"{words.plural(sessions, 'session')}, {words.number(policy.failed_sessions)} failed"
    if policy.failed_sessions:
        result += f" ({words.share(policy.failed_sessions, sessions)})"
    yield f"  {words.name(policy.policy_domain or None)}, policy {kind}{mode}: {result}"
    if is_left_out:
        yield f"    {LEFT_OUT}"
    if policy.mx_host:
        yield from _wrapped("mx-host " + ", ".join(map(words.name, policy.mx_host)), "    ")
    for detail in policy.failure_details:
        yield from _detail(detail)
    stated = sum(detail.failed_sessions for detail in policy.failure_details)
    if policy.failed_sessions > stated:
        missing = words.number(policy.failed_sessions - stated)
        yield f"    {missing:>9}  for no stated reason"


def _detail(detail: FailureDetail) -> Iterator[str]:
    where = (
        f" at {words.name(detail.receiving_mx_hostname)}" if detail.receiving_mx_hostname else ""
    )
    count = words.number(detail.failed_sessions)
    yield from _wrapped(
        f"{words.safe(detail.result_type, 80)}{where}", " " * 15, f"    {count:>9}  "
    )
    more = {
        "to": detail.receiving_ip,
        "greeted as": detail.receiving_mx_helo,
        "from": detail.sending_mta_ip,
        "reason": detail.failure_reason_code,
        "more at": detail.additional_information,
    }
    said = [f"{name} {words.safe(value)}" for name, value in more.items() if value]
    if said:
        yield from _wrapped("; ".join(said), " " * 15)


def _wrapped(text: str, indent: str, first: str | None = None) -> list[str]:
    return words.wrap(words.safe(text, 1_000), indent, first)
