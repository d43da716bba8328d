"""Failures and mails as the tests of alerts make them: the story of MX mx1.example.com."""

from datetime import UTC, datetime

import msgspec

from tlsrpt_mailer.alerts.model import (
    Context,
    Event,
    Evidence,
    Group,
    Item,
    Kind,
    Told,
    Transition,
)
from tlsrpt_mailer.report.times import DAY, Time

ME = "postmaster@example.com"


def at(text: str) -> Time:
    """``2026-10-13`` or ``2026-10-13T11:42`` as seconds UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOW = at("2026-10-14T11:43")
BAD_DAY = at("2026-10-13")


def seen(
    reporter: str = "Google",
    day: str = "2026-10-13",
    failed: int = 1893,
    sessions: int = 5326,
    received: str = "2026-10-14T11:42",
    **more: object,
) -> Evidence:
    start = at(day)
    row = Evidence(
        reporter=reporter,
        start=start,
        end=start + DAY,
        received=at(received),
        sessions=sessions,
        failed=failed,
        trust="pass",
    )
    return msgspec.structs.replace(row, **more)


def item(failure: int = 17, **more: object) -> Item:
    """An expired certificate on mx1.example.com, seen by Google on 13 Oct for the first time."""
    made = Item(
        failure=failure,
        cause=17,
        domain="example.com",
        policy_type="sts",
        result_type="certificate-expired",
        mx="mx1.example.com",
        mode="enforce",
        severity="critical",
        state="new",
        first_seen=BAD_DAY,
        clean_before=BAD_DAY,
        first_failing_end=BAD_DAY + DAY,
        last_seen=BAD_DAY + DAY,
        last_start=BAD_DAY,
        first_received=at("2026-10-14T11:42"),
        failed=1893,
        sessions=5326,
        evidence=(
            seen(
                ips=(("192.0.2.10", 1210), ("2001:db8::10", 683)),
                mx_host=("mx1.example.com", "mx2.example.com"),
                mode="enforce",
            ),
            seen(day="2026-10-12", failed=0, sessions=5412, received="2026-10-13T11:40"),
        ),
    )
    return msgspec.structs.replace(made, **more)


def over(failure: int = 17, **more: object) -> Item:
    """The same failure, resolved at the end of 16 Oct."""
    clean = (
        seen("Microsoft", "2026-10-16", 0, 812, "2026-10-18T21:02"),
        seen("Google", "2026-10-16", 0, 5377, "2026-10-17T11:40"),
        seen("Google", "2026-10-15", 0, 5201, "2026-10-16T11:40"),
        seen(),
    )
    return item(
        failure,
        **{"state": "resolved", "resolved_at": at("2026-10-17"), "evidence": clean} | more,
    )


def told(failure: int = 17, event: str = "new", **more: object) -> Told:
    made = Told(
        failure=failure,
        incident=1,
        event=event,
        at=NOW,
        message_id=f"<tlsrpt.{failure}.new.1.abc@mail.example.com>",
    )
    return msgspec.structs.replace(made, **more)


def group(*items: Item, kind: Kind = "new", event: Event = "new", **more: object) -> Group:
    made = Group(
        recipient=ME,
        kind=kind,
        transitions=tuple(Transition(one, event, 1) for one in items),
    )
    return msgspec.structs.replace(made, **more)


def context(**more: object) -> Context:
    made = Context(
        now=NOW,
        host="mail.example.com",
        version="0.1.0",
        recipient=ME,
        sender="tlsrpt-mailer@mail.example.com",
    )
    return msgspec.structs.replace(made, **more)
