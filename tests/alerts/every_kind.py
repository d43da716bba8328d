"""One mail of each kind, as its reader gets it: for the reference page, and to be looked at."""

import msgspec

from tests.alerts.examples import DAY, ME, NOW, at, context, group, item, over, seen, told
from tlsrpt_mailer.alerts.model import (
    Answer,
    Backlog,
    Context,
    Drift,
    Group,
    Item,
    Planned,
    Previous,
    Served,
    ShownAddress,
    Transition,
    View,
)

REPLY_TO = "tlsrpt+ack-7f3k9qpd2m4x8tr2mzab5c6d7e@example.com"
PLATFORM = "platform-mail@example.net"
MX = "mx1.mail.example.net"
ACK = Answer(
    kind="ack",
    who="ana@example.com",
    at=at("2026-10-14T12:05"),
    until=at("2026-11-13T12:05"),
    note="renewing now",
)
FIXED = Answer(
    kind="fixed",
    who="ana@example.com",
    at=at("2026-10-14T12:31"),
    note="mailserver not reloaded after renewal",
)


def rows(*items: Item, event: str = "new", **more: object) -> tuple[Transition, ...]:
    return tuple(Transition(one, event, 2, told(one.failure, **more)) for one in items)


def tenants(count: int = 12, refused: int = 4, start: int = 41, **more: object) -> list[Item]:
    """Domains behind one MX, the first of them under enforce, the last only testing."""
    names = ("shop", "bakery", "garden", "books", "toys", "music", "shoes", "tea", "lamps", "ink")
    made = []
    for n in range(count):
        enforced = n < refused
        name = names[n] if n < len(names) else f"d{n}"
        failed, sessions = 1742 // (n + 1), 4120 // (n + 1)
        made.append(
            item(
                start + n,
                cause=41,
                domain=f"{name}{'' if start == 41 else start}.example",
                mx=MX,
                mode="enforce" if enforced else "testing",
                severity="critical" if enforced else "warning",
                failed=failed,
                sessions=sessions,
                evidence=(seen(failed=failed, sessions=sessions),),
                role="mx",
                role_of="platform",
                **more,
            )
        )
    return made


def dane(**more: object) -> Item:
    """A TLSA roll gone wrong: 31 % of Microsoft's sessions on 16 Oct, 62 % on 17 Oct."""
    days = (
        seen("Microsoft", "2026-10-17", 310, 500, "2026-10-18T21:02"),
        seen("Microsoft", "2026-10-16", 155, 500, "2026-10-17T21:02"),
        seen("Microsoft", "2026-10-15", 0, 480, "2026-10-16T21:02"),
    )
    made = item(
        77,
        cause=77,
        domain="dane.example",
        policy_type="tlsa",
        result_type="tlsa-invalid",
        mx="mx2.dane.example",
        mode=None,
        state="ongoing",
        first_seen=at("2026-10-16"),
        clean_before=at("2026-10-16"),
        first_failing_end=at("2026-10-17"),
        last_seen=at("2026-10-18"),
        last_start=at("2026-10-17"),
        first_received=at("2026-10-17T21:02"),
        failed=465,
        sessions=1000,
        steps=("share-1", "share-10", "share-50"),
        evidence=days,
        role="domain",
    )
    return msgspec.structs.replace(made, **more)


def fetch(**more: object) -> Item:
    """A policy that Microsoft alone cannot fetch."""
    made = item(
        21,
        cause=21,
        domain="shop.example",
        mx=None,
        result_type="sts-policy-fetch-error",
        severity="warning",
        state="new",
        first_seen=at("2026-10-15"),
        clean_before=at("2026-10-15"),
        first_failing_end=at("2026-10-16"),
        last_seen=at("2026-10-16"),
        last_start=at("2026-10-15"),
        first_received=at("2026-10-17T03:12"),
        failed=38,
        sessions=38,
        evidence=(
            seen("Microsoft", "2026-10-15", 38, 38, "2026-10-17T03:12"),
            seen("Google", "2026-10-15", 0, 57, "2026-10-16T11:40"),
        ),
        role="domain",
    )
    return msgspec.structs.replace(made, **more)


def now(text: str, **more: object) -> Context:
    return context(now=at(text), reply_to=REPLY_TO, **more)


def shown(ip: str, trouble: str = "", end: str = "2026-12-30", **more: object) -> ShownAddress:
    """What an address of mx1.example.com shows a minute before the first alert."""
    made = ShownAddress(
        host="mx1.example.com",
        ip=ip,
        at=at("2026-10-14T11:42"),
        trouble=trouble,
        is_same=bool(trouble),
        not_after=at(end),
    )
    return msgspec.structs.replace(made, **more)


def view(*addresses: ShownAddress, **more: object) -> View:
    """What a look has found, a minute before the first alert."""
    made = View(
        at=at("2026-10-14T11:42"),
        unseen=None if addresses else "off",
        shown=addresses,
        mx=("mx1.example.com", "mx2.example.com"),
        still_since=at("2026-09-02"),
        looked_since=at("2026-06-01"),
    )
    return msgspec.structs.replace(made, **more)


def new() -> tuple[Group, Context]:
    looked = view(
        shown("192.0.2.20", host="mx2.example.com"),
        shown("192.0.2.10", "expired", "2026-10-12T23:59"),
        shown("2001:db8::10", "expired", "2026-10-12T23:59"),
    )
    return group(item(role="domain", view=looked)), now("2026-10-14T11:43")


def moved() -> tuple[Group, Context]:
    """The MX has moved, and the sender still holds the policy of before."""
    served = Served(
        lines=("version: STSv1", "mode: enforce", "mx: mx.new.example", "max_age: 604800"),
        mode="enforce",
        max_age=604_800,
        mx=("mx.new.example",),
        id="20261012",
        since=at("2026-10-12T03:10"),
    )
    span = {"after": at("2026-10-11T03:10"), "before": at("2026-10-12T03:10")}
    looked = view(
        shown("192.0.2.30", host="mx.new.example"),
        mx=("mx.new.example",),
        policy=served,
        old_until=at("2026-10-11T03:10"),
        drift=(
            Drift(kind="mx", about="", old="10 mx1.example.com", new="10 mx.new.example", **span),
            Drift(
                kind="policy",
                about="",
                old="version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: 604800",
                new="\n".join(served.lines),
                **span,
            ),
        ),
    )
    held = ("version: STSv1", "mode: enforce", "mx: mx1.example.com", "max_age: 604800")
    one = item(
        result_type="validation-failure",
        mx="mx.new.example",
        view=looked,
        evidence=(seen(policy_string=held, mx_host=("mx1.example.com",), mode="enforce"),),
        role="domain",
    )
    return group(one), now("2026-10-14T11:43")


def mended() -> tuple[Group, Context]:
    """The certificate was renewed before the report about it came."""
    looked = view(shown("192.0.2.10"), shown("2001:db8::10"))
    one = item(severity="warning", mended_at=looked.at, view=looked, role="domain")
    return group(one), now("2026-10-14T11:43")


RECORD = '_smtp._tls.shop.example. IN TXT "v=TLSRPTv1; rua=mailto:tlsrpt@example.com"'


def finding(failure: int = 21, **more: object) -> Item:
    """The TLSRPT record of shop.example is gone since the look of 12 Oct."""
    made = item(
        failure,
        cause=failure,
        kind="finding",
        domain="shop.example",
        policy_type="",
        result_type="tlsrpt-gone",
        mx=None,
        mode=None,
        severity="warning",
        first_seen=at("2026-10-12T03:10"),
        clean_before=at("2026-10-11T03:10"),
        first_failing_end=at("2026-10-12T03:10"),
        last_seen=at("2026-10-12T03:25"),
        last_start=at("2026-10-12T03:25"),
        first_received=at("2026-10-12T03:10"),
        failed=0,
        sessions=0,
        evidence=(),
        facts={"line": RECORD, "seen_right_until": "2026-10-11T03:10:00Z"},
        view=view(
            drift=(
                Drift(
                    kind="ns",
                    about="",
                    old="ns1.example.net\nns2.example.net",
                    new="ns1.hoster.example",
                    after=at("2026-10-11T03:10"),
                    before=at("2026-10-12T03:10"),
                ),
            )
        ),
        role="domain",
    )
    return msgspec.structs.replace(made, **more)


def found() -> tuple[Group, Context]:
    return group(finding()), now("2026-10-12T03:26")


def found_at_many() -> tuple[Group, Context]:
    """One MX host whose certificate ends soon, and the domains behind it."""
    items = [
        finding(
            50 + n,
            cause=50,
            domain=f"d{n}.example",
            result_type="mx-certificate-expiring",
            mx=MX,
            facts={
                "not_after": "2026-10-26T03:10:00Z",
                "addresses": "192.0.2.10, 2001:db8::10",
                "mode": "enforce",
            },
            view=None,
            role="mx",
            role_of="platform",
        )
        for n in range(25)
    ]
    return group(*items, recipient=PLATFORM), now("2026-10-12T03:26", recipient=PLATFORM)


def found_over() -> tuple[Group, Context]:
    one = finding(state="resolved", resolved_at=at("2026-10-12T09:26"))
    first = at("2026-10-12T03:26")
    made = group(one, kind="resolved", transitions=rows(one, event="resolved", first_at=first))
    return made, now("2026-10-12T09:27")


def new_merged() -> tuple[Group, Context]:
    items = tenants(also_told=("head-of-mail@example.net",))
    return (
        group(*items, recipient=PLATFORM),
        now("2026-10-14T11:52", recipient=PLATFORM),
    )


def joined() -> tuple[Group, Context]:
    known = [
        msgspec.structs.replace(
            one, state="acknowledged", answer=msgspec.structs.replace(ACK, who="ana@example.net")
        )
        for one in tenants()
    ]
    others = tuple(Transition(one, "left", 2, told(one.failure)) for one in known)
    made = group(*tenants(9, 2, 60), kind="joined", others=others, recipient=PLATFORM)
    return made, now("2026-10-15T11:52", recipient=PLATFORM)


def worsened() -> tuple[Group, Context]:
    one = dane()
    before = rows(one, event="worsened", steps=("share-1", "share-10"), at=at("2026-10-17T21:03"))
    return group(one, kind="worsened", transitions=before), now("2026-10-18T21:03")


def worsened_after_ack() -> tuple[Group, Context]:
    answer = Answer(kind="ack", who=ME, at=at("2026-10-17T21:10"), until=at("2026-11-16T21:10"))
    one = item(
        81,
        domain="example.com",
        result_type="validation-failure",
        state="ongoing",
        reasons=("mx-not-in-policy", "protocol-version"),
        steps=("reason-mx-not-in-policy", "reason-protocol-version", "share-10"),
        answer=answer,
        evidence=(
            seen(
                "Microsoft",
                "2026-10-17",
                120,
                900,
                "2026-10-18T21:02",
                reasons=(("tls-remote-alert-70", "protocol-version"),),
            ),
        ),
        role="domain",
    )
    known = ("reason-mx-not-in-policy", "share-10")
    before = rows(one, event="worsened", steps=known)
    return group(one, kind="worsened", transitions=before), now("2026-10-18T21:03")


def not_fixed() -> tuple[Group, Context]:
    one = item(
        state="ongoing",
        last_seen=at("2026-10-16"),
        last_start=at("2026-10-15"),
        answer=FIXED,
        steps=("share-1", "share-10", f"not-fixed-{FIXED.at}"),
        evidence=(seen(day="2026-10-15", failed=903, received="2026-10-16T11:40"), seen()),
        role="domain",
    )
    before = rows(one, event="not-fixed", steps=("share-1", "share-10"))
    return group(one, kind="not-fixed", transitions=before), now("2026-10-16T11:41")


def regressed() -> tuple[Group, Context]:
    last = Previous(
        incident=1,
        severity="critical",
        first_seen=at("2026-10-13"),
        last_seen=at("2026-10-15"),
        first_received=at("2026-10-14T11:42"),
        resolved_at=at("2026-10-17"),
        failed_sessions=3514,
        sessions=12117,
        answer=FIXED,
    )
    one = item(
        incident=2,
        previous=last,
        first_seen=at("2027-01-12"),
        clean_before=at("2027-01-12"),
        first_failing_end=at("2027-01-13"),
        last_seen=at("2027-01-13"),
        last_start=at("2027-01-12"),
        evidence=(seen(day="2027-01-12", failed=2104, sessions=5518, received="2027-01-13T11:42"),),
        role="domain",
    )
    before = told(
        event="resolved",
        at=at("2026-10-18T21:03"),
        resolved_at=at("2026-10-17"),
        first_at=NOW,
        opened_at=NOW,
    )
    made = group(one, kind="regressed", transitions=(Transition(one, "regressed", 3, before),))
    return made, now("2027-01-13T11:43")


def resolved() -> tuple[Group, Context]:
    looked = view(shown("192.0.2.10", end="2027-01-11"))
    one = over(answer=FIXED, last_start=BAD_START, role="domain", view=looked)
    made = group(one, kind="resolved", transitions=rows(one, event="resolved", first_at=NOW))
    return made, now("2026-10-18T21:03")


BAD_START = at("2026-10-13")


def partly_resolved() -> tuple[Group, Context]:
    items = tenants()
    done = [
        over(one.failure, domain=one.domain, cause=41, mx=MX, answer=ACK, role="mx")
        for one in items[:9]
    ]
    left = tuple(Transition(one, "left", 2, told(one.failure)) for one in items[9:])
    made = group(
        *done,
        kind="resolved",
        transitions=rows(*done, event="resolved"),
        others=left,
        recipient=PLATFORM,
    )
    return made, now("2026-10-18T21:03", recipient=PLATFORM)


def maintenance() -> tuple[Group, Context]:
    one = item(maintenance=3, role="domain")
    two = item(
        22,
        cause=22,
        domain="example.net",
        result_type="certificate-host-mismatch",
        mode="testing",
        severity="warning",
        maintenance=3,
        evidence=(seen(failed=80, sessions=210),),
        role="domain",
    )
    planned = Planned(
        number=3,
        kind="mx",
        value="mx1.example.com",
        start=at("2026-10-13T20:00"),
        end=at("2026-10-14T02:00"),
        note="new certificates",
    )
    made = group(one, two, kind="maintenance")
    return made, now("2026-10-15T11:43", planned=(planned,))


def reminder() -> tuple[Group, Context]:
    made = group(
        dane(),
        fetch(),
        kind="reminder",
        transitions=(
            *rows(dane(), event="worsened", at=at("2026-10-18T21:03"), first_at=at("2026-10-17")),
            *rows(fetch(), at=at("2026-10-17T03:15")),
        ),
    )
    return made, now("2026-10-20T08:00")


def reminder_of_one() -> tuple[Group, Context]:
    lapsed = msgspec.structs.replace(ACK, at=at("2026-10-17T09:00"), until=at("2026-10-19T09:00"))
    one = dane(answer=lapsed)
    made = group(
        one, kind="reminder", transitions=rows(one, event="worsened", at=at("2026-10-18T21:03"))
    )
    return made, context(now=at("2026-10-20T08:00"))


def summary() -> tuple[Group, Context]:
    read = Backlog(
        reports=1214,
        reporters=6,
        domains=3,
        first=at("2025-08-09"),
        last=at("2026-10-14"),
        ended=10,
    )
    more = [
        item(30 + n, cause=30 + n, domain=f"d{n}.example", mx=f"mx{n}.example", role="domain")
        for n in range(4)
    ]
    old = fetch(
        first_seen=at("2026-10-02"),
        last_seen=at("2026-10-10"),
        evidence=(seen("Microsoft", "2026-10-09", 38, 38, "2026-10-10T03:12"),),
    )
    made = group(item(role="domain"), *more, old, kind="summary")
    return made, now("2026-10-14T11:43", backlog=read)


def flood() -> tuple[Group, Context]:
    back = item(50, cause=50, domain="back.example", role="domain")
    made = group(
        *tenants(),
        kind="flood",
        transitions=(
            *(Transition(one, "new", 1) for one in tenants()),
            Transition(back, "regressed", 2, told(50)),
            Transition(over(60, cause=60, domain="over.example"), "resolved", 2, told(60)),
        ),
    )
    return made, now("2026-10-14T11:43")


def escalated() -> tuple[Group, Context]:
    boss = "head-of-mail@example.net"
    one = item(
        role="escalation", role_of="platform", asked_at=NOW, also_told=(ME,), state="ongoing"
    )
    return group(one, recipient=boss), now("2026-10-16T11:43", recipient=boss)


def assigned() -> tuple[Group, Context]:
    kim = "kim@example.com"
    act = Answer(
        kind="assign", who="ana@example.com", at=at("2026-10-14T12:40"), assignee=kim, note="yours"
    )
    one = item(role="assigned", role_of="ana@example.com", assigned=act, also_told=(ME,))
    return group(one, recipient=kim), now("2026-10-14T12:41", recipient=kim)


def channel() -> tuple[Group, Context]:
    made = group(item(role="channel", also_told=(ME,)), recipient="channel:webhook")
    return made, context(recipient="channel:webhook")


EVERY = {
    "new": new,
    "new, mended by now": mended,
    "new, after a move": moved,
    "found": found,
    "found, at many": found_at_many,
    "found, over": found_over,
    "new, merged": new_merged,
    "joined": joined,
    "worsened": worsened,
    "worsened, after an ack": worsened_after_ack,
    "not-fixed": not_fixed,
    "regressed": regressed,
    "resolved": resolved,
    "partly resolved": partly_resolved,
    "maintenance": maintenance,
    "reminder": reminder,
    "reminder of one": reminder_of_one,
    "summary": summary,
    "flood": flood,
    "escalated": escalated,
    "assigned": assigned,
    "channel": channel,
}

__all__ = ["DAY", "EVERY"]
