"""
Who is told of which failure: whoever can mend it, and who else wants to know.

Everything is by recipient: nobody is handed a failure that is not theirs, so what is made of
their list, counts included, cannot give another's domain away.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from tlsrpt_mailer.alerts.directory import Directory, Owner, Tell
from tlsrpt_mailer.alerts.model import SEVERITIES, Item, Role, Settings, Severity, Told
from tlsrpt_mailer.alerts.unanswered import (
    answered_causes,
    first_told,
    is_asking,
    unanswered_since,
)
from tlsrpt_mailer.report.times import Time

CHANNEL = "channel:"
"""Recipients that begin so are no addresses."""
SHARED_BY = 3
"""Past so many owners at one MX that is nobody's, the default recipients are told, once."""

ToldBy: TypeAlias = Mapping[str, Mapping[int, Told]]
"""Recipient to failure to what was told last."""


class ChannelRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel lets through."""

    name: str
    min_severity: Severity = "warning"
    events: frozenset[str] = frozenset()
    """Events and kinds; empty: all."""
    owners: frozenset[str] = frozenset()
    """Names of owners; empty: all."""
    groups: frozenset[str] = frozenset()
    """Groups of domains; empty: all."""

    @property
    def recipient(self) -> str:
        """How `Told` and `Group` call it."""
        return CHANNEL + self.name


class Charge(msgspec.Struct, frozen=True):
    """Whose trouble a failure is."""

    mending: tuple[Owner, ...]
    role: Role
    watching: tuple[Owner, ...] = ()
    """The domain's owners, where others are to mend it."""
    tell: Tell = "alert"
    """How much those hear of it."""

    @property
    def told(self) -> tuple[tuple[Owner, Role], ...]:
        """Who is mailed."""
        first = tuple((owner, _role(owner, self.role)) for owner in self.mending)
        if self.tell != "alert":
            return first
        return first + tuple((owner, _role(owner, "domain")) for owner in self.watching)


def charge(domain: str, result_type: str, mx: str | None, directory: Directory) -> Charge:
    """Whose trouble a failure of this domain is; *mx* is that of its cause, if it has one."""
    owners = directory.owners_of(domain)
    if is_of_policy_host(result_type):
        block = directory.block_of(domain)
        if block is not None and block.policy_host_owners:
            return Charge(block.policy_host_owners, "policy-host", owners, block.tell_domain_owners)
        return Charge(owners, "domain")
    run_by = directory.mx_block_of(mx) if mx else None
    if run_by is not None and run_by.owners:
        return Charge(run_by.owners, "mx", owners, run_by.tell_domain_owners)
    return Charge(owners, "domain")


def is_of_policy_host(result_type: str) -> bool:
    """Whether it is about the policy's web host, not about an MX (RFC 8460, section 4.3.2.2)."""
    return result_type.startswith("sts-policy-") or result_type == "sts-webpki-invalid"


def owns(address: str, domain: str, result_type: str, mx: str | None, directory: Directory) -> bool:
    """
    Whether *address* may see such a failure, and act on it.

    The domain's owners may, unless ``tell_domain_owners = "none"``; so may whoever mends it,
    and those that either escalates to.
    """
    found = charge(domain, result_type, mx, directory)
    owners = found.mending + (found.watching if found.tell != "none" else ())
    mine = address.lower()
    return any(
        mine == one.lower() for owner in owners for one in (*owner.addresses, *owner.escalate_to)
    )


def route(
    items: Sequence[Item], told: ToldBy, directory: Directory, settings: Settings
) -> dict[str, list[Item]]:
    """
    Each recipient's failures, with `Item.role`, `role_of`, `asked_at` and `also_told` filled in.

    *items* are all that are open, or that somebody believes to be.
    """
    router = _Router(items, told, directory, settings)
    found: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        seats = router.seats(item)
        names = [name for name, seat in seats.items() if seat.role != "told"]
        for name, seat in seats.items():
            found[name].append(
                msgspec.structs.replace(
                    item,
                    role=seat.role,
                    role_of=seat.of,
                    asked_at=seat.asked_at,
                    also_told=tuple(other for other in names if other != name),
                )
            )
    return dict(found)


def route_channels(
    items: Iterable[Item], rules: Sequence[ChannelRule], directory: Directory
) -> dict[str, list[Item]]:
    """What each channel lets through, whatever its severity (`plan` looks at that)."""
    found: dict[str, list[Item]] = {rule.recipient: [] for rule in rules}
    if not rules:
        return found
    for item in items:
        group = directory.group_of(item.domain)
        whose = charge(item.domain, item.result_type, item.cause_mx or item.mx, directory)
        names = {owner.name for owner in whose.mending + whose.watching}
        for rule in rules:
            if (not rule.groups or group in rule.groups) and (
                not rule.owners or not names.isdisjoint(rule.owners)
            ):
                found[rule.recipient].append(
                    msgspec.structs.replace(item, role="channel", role_of=rule.name)
                )
    return found


class _Seat(msgspec.Struct, frozen=True):
    role: Role
    of: str = ""
    asked_at: Time | None = None


class _Router:
    """What is asked of all items at once, so that each is quick."""

    def __init__(
        self, items: Sequence[Item], told: ToldBy, directory: Directory, settings: Settings
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._charges: dict[tuple[str, bool, str | None], Charge] = {}
        self._rows: defaultdict[int, dict[str, Told]] = defaultdict(dict)
        for recipient, rows in told.items():
            if not recipient.startswith(CHANNEL):
                for row in rows.values():
                    self._rows[row.failure][recipient] = row
        self._shared = self._shared_causes(items)
        by_owner: defaultdict[str, list[Item]] = defaultdict(list)
        for item in items:
            for owner, _ in self._charge(item).told:
                if owner.escalate_to:
                    by_owner[owner.name].append(item)
        told_at = {
            failure: min(map(first_told, mine))
            for failure, rows in self._rows.items()
            if (mine := [row for row in rows.values() if row.is_open])
        }
        self._answered = {name: answered_causes(mine, told_at) for name, mine in by_owner.items()}

    def seats(self, item: Item) -> dict[str, _Seat]:
        """Recipient to why; the first reason found is the one that is said."""
        rows = self._rows.get(item.failure, {})
        found: dict[str, _Seat] = {}
        if item.is_open and item.assigned is not None and item.assigned.assignee:
            assignee = self._directory.spelled(item.assigned.assignee)
            found[assignee] = _Seat("assigned", item.assigned.who)
        owners = self._told_owners(item, rows)
        for owner, role in owners:
            for address in owner.addresses:
                found.setdefault(self._directory.spelled(address), _Seat(role, owner.name))
        for owner, _ in owners:
            if owner.escalate_to:
                self._escalate(item, owner, rows, found)
        for recipient, row in rows.items():
            # The log, where nobody was named at first, is no address.
            if row.is_open and "@" in recipient:
                found.setdefault(recipient, _Seat("told"))
        return found

    def _charge(self, item: Item) -> Charge:
        mx = item.cause_mx or item.mx
        kind = is_of_policy_host(item.result_type)
        key = (item.domain, kind, mx)
        if key not in self._charges:
            self._charges[key] = charge(item.domain, item.result_type, mx, self._directory)
        return self._charges[key]

    def _told_owners(self, item: Item, rows: Mapping[str, Told]) -> tuple[tuple[Owner, Role], ...]:
        owners = self._charge(item).told
        if item.cause not in self._shared:
            return owners
        # Whoever was told before the fourth owner came stays with it to the end.
        kept = tuple(
            (owner, role)
            for owner, role in owners
            if any(address in rows and rows[address].is_open for address in owner.addresses)
        )
        return ((self._directory.default, "default"), *kept)

    def _shared_causes(self, items: Iterable[Item]) -> set[int]:
        """Causes at an MX that is nobody's, spread over more owners than should each be told."""
        owners: defaultdict[int, set[tuple[str, ...]]] = defaultdict(set)
        kept: set[int] = set()
        default = {address.lower() for address in self._directory.default.addresses}
        for item in items:
            found = self._charge(item)
            mx = item.cause_mx or item.mx
            if mx is None or found.role != "domain" or is_of_policy_host(item.result_type):
                continue
            if item.severity != SEVERITIES[-1] and not item.is_quiet:
                owners[item.cause].add(tuple(sorted(owner.name for owner in found.mending)))
            rows = self._rows.get(item.failure, {})
            is_theirs = any(owner.is_default for owner in found.mending)
            if not is_theirs and any(
                row.is_open and name.lower() in default for name, row in rows.items()
            ):
                kept.add(item.cause)
        return kept | {cause for cause, names in owners.items() if len(names) > SHARED_BY}

    def _escalate(
        self, item: Item, owner: Owner, rows: Mapping[str, Told], found: dict[str, _Seat]
    ) -> None:
        """Past `escalate_after` without an answer, and from then on to the end."""
        mine = [
            rows[address]
            for address in map(self._directory.spelled, owner.addresses)
            if address in rows and rows[address].incident == item.incident
        ]
        since = unanswered_since(item, mine, self._settings.now)
        is_late = (
            since is not None
            and self._settings.now >= since + self._settings.escalate_after
            and is_asking(item, self._settings.now)
            and item.assigned is None
            and item.cause not in self._answered.get(owner.name, ())
        )
        for address in map(self._directory.spelled, owner.escalate_to):
            if is_late or (address in rows and rows[address].is_open):
                found.setdefault(address, _Seat("escalation", owner.name, since))


def _role(owner: Owner, role: Role) -> Role:
    return "default" if owner.is_default else role
