"""A digest as JSON (docs/reference/json.md)."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from tlsrpt_mailer.alerts.digest import Digest, subject
from tlsrpt_mailer.alerts.digest_fleet import OperatorPage
from tlsrpt_mailer.alerts.digest_lines import DomainLine, ReporterLine
from tlsrpt_mailer.alerts.digest_model import Failure, Silence
from tlsrpt_mailer.alerts.digest_pages import Cause, Page
from tlsrpt_mailer.report.times import iso, iso_or_none

Form: TypeAlias = dict[str, Any]  # a JSON object


def digest(one: Digest) -> Form:
    """The whole of it."""
    period = one.period
    return {
        "recipient": one.recipient,
        "subject": subject(one),
        "empty": one.is_empty,
        "begin": iso(period.begin),
        "end": iso(period.end),
        "first_day": iso(period.since)[:10],
        "days": period.days,
        "owner": None if one.owner is None else _page(one.owner),
        "operator": None if one.operator is None else _operator(one.operator),
    }


def _page(page: Page) -> Form:
    return {
        "domains": [_domain(line) for line in page.domains],
        "open": _causes(page.open),
        "small": _causes(page.small),
        "stale": [_failure(one) for one in page.stale],
        "closed": [_failure(one) for one in page.closed],
        "mended": [_failure(one) for one in page.mended],
        "untold": [_failure(one) for one in page.untold],
        "silent": [_silence(one) for one in page.silences],
        "reporters": [_reporter(line) for line in page.reporters],
        "certificates": [{"mx": mx, "not_after": iso(end)} for mx, end in page.certificates],
    }


def _causes(causes: Iterable[Cause]) -> list[Form]:
    return [_failure(one) for cause in causes for one in cause]


def _failure(one: Failure) -> Form:
    item = one.item
    return {
        "id": item.failure,
        "cause": item.cause,
        "policy_domain": item.domain,
        "result_type": item.result_type,
        "mx": item.mx,
        "severity": item.severity,
        "state": item.state,
        "first_seen": iso(item.first_seen),
        "last_seen": iso(item.last_seen),
        "resolved_at": iso_or_none(item.resolved_at),
        "closes_at": iso_or_none(one.closes_at),
        "told_at": iso_or_none(one.told_at),
        "failed_sessions": item.failed,
        "sessions": item.sessions,
        "reporters": list(one.reporters),
    }


def _domain(line: DomainLine) -> Form:
    return {
        "policy_domain": line.name,
        "sessions": line.total.sessions,
        "failed_sessions": line.total.failed,
        "sessions_before": line.before.sessions,
        "failed_before": line.before.failed,
        "week": line.cells,
        "record_state": line.looked and line.looked.record,
        "mta_sts_mode": line.mode,
        "dane": line.dane,
        "reporters": line.reporters,
    }


def _silence(one: Silence) -> Form:
    return {
        "reporter": one.reporter,
        "policy_domains": list(one.domains),
        "last_seen": iso(one.last),
        "resumed_at": iso_or_none(one.resumed_at),
    }


def _reporter(line: ReporterLine) -> Form:
    return {
        "reporter": line.name,
        "share_of_days": round(line.regularity, 2),
        "delay_seconds": line.delay,
        "last_seen": iso(line.last),
        "domains": line.domains,
    }


def _operator(page: OperatorPage) -> Form:
    return {
        "critical": _causes(page.critical),
        "warnings": page.warnings,
        "notices": page.small,
        "groups": [
            {
                "group": line.name,
                "domains": line.domains,
                "record": line.record,
                "reporting": line.reporting,
                "mta_sts": line.mta_sts,
                "enforce": line.enforce,
                "dane": line.dane,
            }
            for line in page.groups
        ],
        "nobodys": list(page.nobodys),
        "mails": dict(page.intake.mails),
        "waiting": page.intake.waiting,
        "in_trouble": list(page.intake.trouble),
        "answered_after_seconds": dict(page.to_answer),
        "over_after_seconds": page.to_end,
        "alerts": dict(page.mails),
    }
