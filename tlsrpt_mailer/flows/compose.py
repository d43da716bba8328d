"""
Say what is due: compare what is with what each recipient was told, and freeze the mails.

One transaction: bytes, Message-ID and `told` rows are written together, so a
crash before it loses nothing (the difference is still there) and a crash after
it repeats nothing (the difference is gone).
"""

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from tlsrpt_mailer.alerts.model import Context, Group, Item, Past, Previous, Settings, Told
from tlsrpt_mailer.alerts.model import Evidence as Shown
from tlsrpt_mailer.alerts.plan import hour_start, plan, told_after
from tlsrpt_mailer.alerts.render import render
from tlsrpt_mailer.failures.model import Verdict
from tlsrpt_mailer.ports import ComposeTxn, Evidence, FailureRecord, Letter, Store
from tlsrpt_mailer.ports import Told as Kept
from tlsrpt_mailer.report.times import Time

log = structlog.get_logger()


class Audience(msgspec.Struct, frozen=True):
    """Who is told, and how: ``[alerts]`` without the moment."""

    recipients: tuple[str, ...]
    settings: Settings
    """`now` and `close_groups` are filled in by `compose`."""
    context: Context
    """`now`, `recipient`, `also_told` and `tls_required_no` likewise."""
    names: Mapping[str, str]
    """Organisational domain to the name that people know (Google)."""
    tls_required_no: str = "auto"


def compose(
    store: Store, audience: Audience, now: Time, *, close_groups: bool = False
) -> list[Letter]:
    """
    Freeze every mail that is due at *now*.

    Args:
        close_groups: For a run that ends: no group waits for company.

    Raises:
        Temporary: The database cannot be written now; nothing was composed.
    """
    settings = msgspec.structs.replace(audience.settings, now=now, close_groups=close_groups)
    with store.compose() as txn:
        records = txn.failures()
        letters = [
            letter
            for recipient in audience.recipients
            for letter in _for_recipient(txn, records, recipient, audience, settings)
        ]
        if letters:
            txn.save_letters(letters, now)
    for letter in letters:
        log.info(
            "alert.composed",
            recipient=letter.recipient,
            about=letter.event,
            subject=letter.subject,
            message_id=letter.message_id,
            failures=[row.failure for row in letter.told],
        )
    return letters


def _for_recipient(
    txn: ComposeTxn,
    records: Sequence[FailureRecord],
    recipient: str,
    audience: Audience,
    settings: Settings,
) -> list[Letter]:
    told = [_told(row) for row in txn.told() if row.recipient == recipient]
    items = [_item(txn, record) for record in records]
    mails, flooded = txn.composed_since(recipient, hour_start(settings.now))
    last = {
        cause: at
        for cause in {record.cause for record in records}
        if (at := txn.last_composed(cause, recipient)) is not None
    }
    groups = plan(
        recipient, items, told, settings, Past(mails=mails, flooded=flooded, last_mail=last)
    )
    numbered = {record.id: record for record in records}
    return [
        _letter(_with_evidence(txn, group, numbered, audience), records, audience, settings)
        for group in groups
    ]


def _letter(
    group: Group, records: Sequence[FailureRecord], audience: Audience, settings: Settings
) -> Letter:
    recipient = group.recipient
    context = msgspec.structs.replace(
        audience.context,
        now=settings.now,
        recipient=recipient,
        also_told=tuple(name for name in audience.recipients if name != recipient),
        tls_required_no=_tls_required_no(recipient, records, audience.tls_required_no),
    )
    rendered = render(group, context)
    rows = told_after(group, settings.now, rendered.message_id)
    return Letter(
        message_id=rendered.message_id,
        recipient=recipient,
        subject=rendered.subject,
        event=group.kind,
        raw=rendered.raw,
        told=tuple(
            Kept(
                failure=row.failure,
                recipient=recipient,
                incident=row.incident,
                event=row.event,
                at=row.at,
                resolved_at=row.resolved_at,
                mails=row.mails,
                message_id=row.message_id,
            )
            for row in rows
        ),
    )


def _tls_required_no(recipient: str, records: Sequence[FailureRecord], knob: str) -> bool:
    """
    Whether relays are asked to deliver whatever TLS says (RFC 8689).

    An alert about the recipient's own mail servers must pass through the very
    servers that it is about.
    """
    if knob != "auto":
        return knob == "always"
    domain = recipient.rpartition("@")[2].lower()
    return any(record.verdict.is_open and _touches(domain, record.verdict) for record in records)


def _touches(domain: str, verdict: Verdict) -> bool:
    identity = verdict.identity
    mx = identity.mx or ""
    return domain in (identity.domain, mx) or mx.endswith("." + domain)


def _told(row: Kept) -> Told:
    return Told(
        failure=row.failure,
        incident=row.incident,
        event=row.event,
        at=row.at,
        resolved_at=row.resolved_at,
        mails=row.mails,
        message_id=row.message_id,
    )


def _item(txn: ComposeTxn, record: FailureRecord) -> Item:
    verdict = record.verdict
    return Item(
        failure=record.id,
        cause=record.cause,
        domain=verdict.identity.domain,
        policy_type=verdict.identity.policy_type,
        result_type=verdict.identity.result_type,
        mx=verdict.identity.mx,
        mode=verdict.mode,
        severity=verdict.severity,
        state=verdict.state,
        incident=verdict.incident,
        first_seen=verdict.first_seen,
        clean_before=verdict.clean_before,
        first_failing_end=verdict.first_failing_end,
        last_seen=verdict.last_seen,
        last_start=verdict.last_start,
        first_received=verdict.first_received,
        resolved_at=verdict.resolved_at,
        noticed_at=_noticed_at(txn, record),
        failed=verdict.failed_sessions,
        sessions=verdict.sessions,
        reasons=verdict.reasons,
        previous=_previous(verdict),
        taken_back=verdict.taken_back,
    )


def _previous(verdict: Verdict) -> Previous | None:
    before = verdict.previous
    return None if before is None else Previous(**msgspec.structs.asdict(before))


def _noticed_at(txn: ComposeTxn, record: FailureRecord) -> Time | None:
    """When the report came whose clean window ended the failure."""
    if record.verdict.is_open:
        return None
    return max(
        (
            one.received
            for one in txn.evidence(record.id)
            if not one.failed and one.end == record.verdict.resolved_at
        ),
        default=None,
    )


def _with_evidence(
    txn: ComposeTxn, group: Group, records: Mapping[int, FailureRecord], audience: Audience
) -> Group:
    """Read the evidence only for what is rendered."""
    return msgspec.structs.replace(
        group,
        transitions=tuple(
            msgspec.structs.replace(
                row,
                item=msgspec.structs.replace(
                    row.item,
                    evidence=tuple(
                        _shown(one, audience.names)
                        for one in txn.evidence(records[row.item.failure].id)
                    ),
                ),
            )
            for row in group.transitions
        ),
    )


def _shown(one: Evidence, names: Mapping[str, str]) -> Shown:
    return Shown(
        reporter=names.get(one.reporter) or one.organization or one.reporter,
        start=one.start,
        end=one.end,
        received=one.received,
        sessions=one.sessions,
        failed=one.failed,
        ips=one.ips,
        sending_ips=one.sending_ips,
        reasons=one.reasons,
        mode=one.mode,
        policy_string=one.policy_string,
        mx_host=one.mx_host,
    )
