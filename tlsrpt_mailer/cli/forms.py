"""
Rows as JSON: the one place that knows the keys (docs/reference/json.md).

Times are ISO 8601 with Z, what is absent is null, an absent list is [].
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from tlsrpt_mailer.cli.causes_of import CauseGroup
from tlsrpt_mailer.ports import Evidence, FailureRecord, Maintenance, Told
from tlsrpt_mailer.report.times import Time, iso, iso_or_none
from tlsrpt_mailer.store.audit import AuditRow
from tlsrpt_mailer.store.rows import KeptRow, LetterRow, ReportRow

Form: TypeAlias = dict[str, Any]  # a JSON object


def failure(record: FailureRecord, owners: Sequence[str]) -> Form:
    """One failure."""
    verdict = record.verdict
    return {
        "id": record.id,
        "cause": record.cause,
        "policy_domain": verdict.identity.domain,
        "policy_type": verdict.identity.policy_type,
        "result_type": verdict.identity.result_type,
        "mx": verdict.identity.mx,
        "state": verdict.state,
        "severity": verdict.severity,
        "first_seen": iso(verdict.first_seen),
        "last_seen": iso(verdict.last_seen),
        "resolved_at": iso_or_none(verdict.resolved_at),
        "failed_sessions": verdict.failed_sessions,
        "share": None if verdict.is_finding else round(verdict.share, 4),
        "reporters": [witness.reporter for witness in verdict.witnesses],
        "owners": list(owners),
        "acknowledged_by": verdict.acknowledged_by,
        "acknowledged_until": iso_or_none(verdict.acknowledged_until),
    }


def evidence(one: Evidence) -> Form:
    """One window behind a failure."""
    return {
        "reporter": one.reporter,
        "organization_name": one.organization,
        "report": one.report,
        "start": iso(one.start),
        "end": iso(one.end),
        "received": iso(one.received),
        "sessions": one.sessions,
        "failed_sessions": one.failed,
        "receiving_ips": [{"ip": ip, "failed_sessions": count} for ip, count in one.ips],
        "sending_mta_ips": [{"ip": ip, "failed_sessions": count} for ip, count in one.sending_ips],
        "reasons": [{"text": text, "class": kind} for text, kind in one.reasons],
        "mode": one.mode,
    }


def told(one: Told) -> Form:
    """What a recipient was last told."""
    return {"recipient": one.recipient, "event": one.event, "at": iso(one.at), "mails": one.mails}


def cause(group: CauseGroup) -> Form:
    """One cause, with the failures that have it."""
    return {
        "cause": group.cause,
        "result_type": group.result_type,
        "mx": group.mx,
        "severity": group.worst.severity,
        "state": group.worst.state,
        "first_seen": iso(group.first_seen),
        "last_seen": iso(group.last_seen),
        "failed_sessions": group.failed,
        "share": None if group.worst.is_finding else round(group.share, 4),
        "domains": group.domains,
        "failures": [record.id for record in group.records],
    }


def report(row: ReportRow) -> Form:
    """One stored report, as a listing has it."""
    return {
        "id": row.id,
        "mail": row.mail,
        "status": row.status,
        "superseded_by": row.superseded_by,
        "reporter": row.reporter,
        "organization_name": row.organization_name,
        "submitter": row.submitter,
        "report_id": row.report_id,
        "contact_info": row.contact_info,
        "start": iso_or_none(row.start),
        "end": iso_or_none(row.end),
        "received": iso(row.taken_at),
        "policy_domains": list(row.domains),
        "successful_sessions": row.successful_sessions,
        "failed_sessions": row.failed_sessions,
        "trust": row.trust,
        "trust_reason": row.trust_reason,
        "signed_by": row.signed_by,
        "held_for": row.held_for,
        "left_out": list(row.left_out),
        "deviations": list(row.deviations),
    }


def kept(row: KeptRow) -> Form:
    """One mail in quarantine, or kept though it is no report."""
    return {
        "id": row.id,
        "kind": row.kind,
        "source": row.source,
        "received": iso(row.taken_at),
        "bytes": row.size,
        "from": row.sender,
        "subject": row.subject,
        "file_name": row.file_name,
        "reason": row.reason,
    }


def letter(row: LetterRow) -> Form:
    """One mail that went out, or waits to."""
    return {
        "id": row.id,
        "message_id": row.message_id,
        "recipient": row.recipient,
        "subject": row.subject,
        "event": row.event,
        "failures": list(row.failures),
        "created_at": iso(row.created_at),
        "state": row.state,
        "attempts": row.attempts,
        "next_try": iso_or_none(row.next_try),
        "answer": row.answer,
        "done_at": iso_or_none(row.done_at),
    }


def maintenance_state(one: Maintenance, now: Time) -> str:
    """planned, now or over."""
    if one.end <= now:
        return "over"
    return "now" if one.start <= now else "planned"


def maintenance(one: Maintenance, now: Time) -> Form:
    """One planned quiet."""
    return {
        "id": one.number,
        "state": maintenance_state(one, now),
        "kind": one.kind,
        "value": one.value,
        "from": iso(one.start),
        "until": iso(one.end),
        "who": one.who,
        "note": one.note,
        "made_at": iso(one.made_at),
    }


def audit(row: AuditRow) -> Form:
    """One thing that somebody did."""
    times = {"from", "until", "at"}
    return {
        "id": row.id,
        "at": iso(row.at),
        "who": row.who,
        "way": row.way,
        "action": row.action,
        "target": {
            key: iso(value) if key in times and isinstance(value, int) else value
            for key, value in row.target.items()
        },
        "note": row.note,
    }
