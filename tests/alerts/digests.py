"""Material for digests, made from plain arguments: a week that ends on Monday, 19 October 2026."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tlsrpt_mailer.alerts.digest import Digest, document, render
from tlsrpt_mailer.alerts.digest_fleet import operator_page
from tlsrpt_mailer.alerts.digest_model import Domain, Failure, Material, Pair, Period, Sum
from tlsrpt_mailer.alerts.digest_pages import Page, Shares
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock, MxBlock, Owner
from tlsrpt_mailer.alerts.document import Document
from tlsrpt_mailer.alerts.model import Context, Item, Rendered
from tlsrpt_mailer.report.times import DAY, HOUR, Time

FIRE: Time = 1_792_393_200  # 2026-10-19T07:00:00Z, a Monday
MONDAY: Time = FIRE - FIRE % DAY
WEEK = Period(FIRE - 7 * DAY, FIRE)
ANA, BEN, POST = "ana@example.com", "ben@other.example", "postmaster@example.com"

CONTEXT = Context(
    now=FIRE, host="mail.example.com", version="1.0.0", recipient="", sender="tls@mail.example.com"
)


def owner(address: str, name: str | None = None, **more: Any) -> Owner:
    return Owner(name=name or address, addresses=(address,), **more)


def directory(
    blocks: Mapping[str, Sequence[str]] | None = None,
    mx: Sequence[MxBlock] = (),
    **more: Any,
) -> Directory:
    """Addresses to the patterns of their domains; *more* are fields of each block."""
    owned = [
        DomainBlock(match=tuple(match), owners=(owner(address),), **more)
        for address, match in (blocks or {}).items()
    ]
    default = owner(POST, "default", is_default=True, skips_empty=False)
    return Directory(default, (), owned, mx)


def pair(domain: str, reporter: str = "Google", **more: Any) -> Pair:
    values: dict[str, Any] = {
        "days": 28,
        "first": MONDAY - 28 * DAY,
        "last": MONDAY,
        "delay": 12 * HOUR,
        "sessions": 400,
        "failed": 0,
        "policies": (("sts", "enforce"),),
    }
    return Pair(domain=domain, reporter=reporter, **(values | more))


def domain(
    name: str = "example.com",
    week: str = "......?",
    *,
    before: Sum | None = None,
    sessions: int = 100,
    pairs: Sequence[Pair] | None = None,
) -> Domain:
    """A domain whose days of the week fail by as much as the characters say."""
    failed = {".": 0, "-": 5, "+": 50, "#": 300, "@": 900}
    days = {
        WEEK.week[at]: Sum(sessions, failed[char] * sessions // 1000, 1)
        for at, char in enumerate(week)
        if char in failed
    }
    days[WEEK.before] = before or Sum(sessions, 0, 1)
    return Domain(name, days, (pair(name),) if pairs is None else tuple(pairs))


def item(number: int = 17, name: str = "example.com", **more: Any) -> Item:
    values: dict[str, Any] = {
        "cause": number,
        "policy_type": "sts",
        "result_type": "certificate-expired",
        "mx": "mx1.example.com",
        "mode": "enforce",
        "severity": "critical",
        "state": "ongoing",
        "first_seen": MONDAY - 5 * DAY,
        "first_failing_end": MONDAY - 4 * DAY,
        "last_seen": MONDAY - 2 * DAY,
        "last_start": MONDAY - 3 * DAY,
        "first_received": MONDAY - 4 * DAY,
        "failed": 360,
        "sessions": 1000,
    }
    return Item(failure=number, domain=name, **(values | more))


def failure(number: int = 17, name: str = "example.com", **more: Any) -> Failure:
    """Fields of `Failure` and of `Item`, by name."""
    own = {key: more.pop(key) for key in list(more) if key in Failure.__struct_fields__}
    values: dict[str, Any] = {"reporters": ("Google",), "told_at": FIRE - 2 * DAY}
    return Failure(item=item(number, name, **more), **(values | own))


def fetch(number: int = 21, name: str = "example.com", **more: Any) -> Failure:
    """A policy that cannot be fetched: mail is not held up."""
    values: dict[str, Any] = {
        "result_type": "sts-policy-fetch-error",
        "mx": None,
        "severity": "warning",
    }
    return failure(number, name, **(values | more))


def material(domains: Sequence[Domain] = (), failures: Sequence[Failure] = (), **more: Any):
    values: dict[str, Any] = {"now": FIRE, "period": WEEK}
    return Material(
        domains={one.name: one for one in domains}, failures=tuple(failures), **(values | more)
    )


def page(made: Material, address: str = POST, whose: Directory | None = None) -> Page:
    return Shares(made, whose or directory()).page(address)


def digest(
    made: Material,
    address: str = POST,
    whose: Directory | None = None,
    *,
    operator: bool = False,
    owns: bool = True,
    **more: Any,
) -> Digest:
    whose = whose or directory()
    return Digest(
        recipient=address,
        period=made.period,
        owner=page(made, address, whose) if owns else None,
        operator=operator_page(made, whose) if operator else None,
        **more,
    )


def mail(made: Material, address: str = POST, whose: Directory | None = None, **more: Any):
    """The mail that is sent."""
    return rendered(digest(made, address, whose, **more))


def rendered(one: Digest, **context: Any) -> Rendered:
    replaced = msgspec.structs.replace(CONTEXT, recipient=one.recipient, **context)
    return render(one, replaced)


def words(made: Material, address: str = POST, whose: Directory | None = None, **more: Any) -> str:
    """The text of the mail, its lines joined by single blanks."""
    return " ".join(mail(made, address, whose, **more).text.split())


def drawn(one: Digest) -> Document:
    return document(one, CONTEXT)
