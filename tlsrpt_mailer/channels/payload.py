"""
The JSON that webhooks and commands are handed (docs/reference/webhook.md).

Keys are only ever added within a version; what reads it must pass over keys that it
does not know.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from tlsrpt_mailer.alerts.words import NAME_CHARS, safe
from tlsrpt_mailer.ports import Notice, NoticeFailure
from tlsrpt_mailer.report.times import iso, iso_or_none

VERSION: Literal[1] = 1

Moment: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
"""ISO 8601 in UTC: 2026-10-14T11:43:10Z."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """
    One failure. Domain, result type and MX come from a report: any text may stand there, in
    printable ASCII.
    """

    id: int
    event: str
    policy_domain: str
    policy_type: str
    result_type: str
    mx: str | None
    severity: str
    state: str
    first_seen: Moment
    last_seen: Moment
    resolved_at: Moment | None
    failed_sessions: int
    sessions: int


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One notice."""

    version: Literal[1]
    id: str
    """The same when the notice is sent again."""
    key: str
    """Names the cause, for ever."""
    event: str
    severity: str
    is_open: bool
    title: str
    text: str
    at: Moment
    host: str
    remote_ref: str | None
    """What an earlier notice of the same key brought back."""
    failures: tuple[Failure, ...]
    """What it tells."""
    open_failures: tuple[Failure, ...]
    """Everything of the cause that is open now."""


def payload(notice: Notice, remote_ref: str | None) -> Payload:
    """*notice* as it goes out."""
    return Payload(
        version=VERSION,
        id=notice.id,
        key=notice.key,
        event=notice.event,
        severity=notice.severity,
        is_open=notice.is_open,
        title=notice.title,
        text=notice.text,
        at=iso(notice.at),
        host=notice.host,
        remote_ref=remote_ref,
        failures=tuple(map(_failure, notice.failures)),
        open_failures=tuple(map(_failure, notice.open_failures)),
    )


def encode(notice: Notice, remote_ref: str | None) -> bytes:
    """The same as JSON."""
    return msgspec.json.encode(payload(notice, remote_ref))


def _failure(one: NoticeFailure) -> Failure:
    return Failure(
        id=one.failure,
        event=one.event,
        policy_domain=safe(one.policy_domain, NAME_CHARS),
        policy_type=safe(one.policy_type, NAME_CHARS),
        result_type=safe(one.result_type, NAME_CHARS),
        mx=None if one.mx is None else safe(one.mx, NAME_CHARS),
        severity=one.severity,
        state=one.state,
        first_seen=iso(one.first_seen),
        last_seen=iso(one.last_seen),
        resolved_at=iso_or_none(one.resolved_at),
        failed_sessions=one.failed_sessions,
        sessions=one.sessions,
    )
