"""What a channel that is no mail is handed: a group, as data beside its words."""

from collections.abc import Iterable

from tlsrpt_mailer.alerts.causes import rank
from tlsrpt_mailer.alerts.model import Group, Item, Rendered, Settings
from tlsrpt_mailer.alerts.unanswered import is_muted, mails_at_once
from tlsrpt_mailer.ports import Notice, NoticeFailure


def notice_of(
    group: Group, items: Iterable[Item], rendered: Rendered, host: str, settings: Settings
) -> Notice:
    """
    The notice that tells *group*.

    Args:
        items: All that the channel may see, for what of the cause is open.
    """
    cause = group.items[0].cause
    still = [
        item
        for item in items
        if item.cause == cause
        and item.is_open
        and not item.is_quiet
        and not is_muted(item, settings.now)
        and mails_at_once(item, settings)
    ]
    # What a group tells as over may go on as something smaller (`alerts.due.as_told`).
    worst = min(group.items, key=rank)
    return Notice(
        id=rendered.message_id,
        key=group.key,
        event=group.kind,
        severity=worst.severity,
        is_open=bool(still),
        title=rendered.subject.rpartition(" [tlsrpt")[0] or rendered.subject,
        text=rendered.text,
        at=settings.now,
        host=host,
        failures=tuple(_failure(row.item, row.event) for row in group.transitions),
        open_failures=tuple(_failure(item, item.state) for item in sorted(still, key=rank)),
    )


def _failure(item: Item, event: str) -> NoticeFailure:
    return NoticeFailure(
        failure=item.failure,
        event=event,
        policy_domain=item.domain,
        policy_type=item.policy_type,
        result_type=item.result_type,
        mx=item.mx,
        severity=item.severity,
        state=item.state,
        first_seen=item.first_seen,
        last_seen=item.last_seen,
        resolved_at=item.resolved_at,
        failed_sessions=item.failed,
        sessions=item.sessions,
    )
