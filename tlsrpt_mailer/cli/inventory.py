"""The inventory as commands see it: what is stored of each domain, and whose it is."""

import gc
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from tlsrpt_mailer import wiring
from tlsrpt_mailer.alerts.directory import Directory
from tlsrpt_mailer.cli import whose
from tlsrpt_mailer.cli.whose import Found
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.domains.inventory import GAPS, WORST_FIRST, Standing, standing
from tlsrpt_mailer.domains.ours import Ours
from tlsrpt_mailer.report.times import DAY, Time, iso_or_none
from tlsrpt_mailer.store.inventory import VOLUME, StoredDomain
from tlsrpt_mailer.store.queries import Reader

NOT_OURS = frozenset({"proposed", "foreign"})
NO_GROUP = "(no group)"
MOST_FAILURES = 20
"""Open failures that are named with a domain."""


class Entry(msgspec.Struct, frozen=True):
    """One domain of the inventory."""

    stored: StoredDomain
    found: Found
    """Whose it is."""
    standing: Standing
    owners: tuple[str, ...]
    """The addresses of those it belongs to."""
    group: str | None
    owner_names: tuple[str, ...] = ()
    """What the configuration calls them."""
    is_others: bool = False
    """Whether it is an MX host that nothing says to be ours."""
    is_counted: bool = True
    """Whether the sessions of its reports have been added up."""

    @property
    def domain(self) -> str:
        """Its name."""
        return self.stored.domain

    @property
    def is_ours(self) -> bool:
        """Whether it is ours, as far as is known."""
        return self.found.whose not in NOT_OURS

    @property
    def is_gap(self) -> bool:
        """Whether nobody learns of failures there."""
        return self.is_ours and not self.is_others and self.standing.state in GAPS


class Wanted(msgspec.Struct, frozen=True):
    """Which of them are asked for."""

    whose: str | None = None
    states: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    owners: frozenset[str] = frozenset()
    """What the configuration calls them."""

    def takes(self, one: Entry) -> bool:
        """Whether *one* is among them."""
        return (
            self.whose in (None, one.found.whose)
            and (not self.states or (one.is_ours and one.standing.state in self.states))
            and (not self.groups or (one.group or NO_GROUP) in self.groups)
            and (not self.owners or not self.owners.isdisjoint(one.owner_names))
        )

    def names(self, domain: str, directory: Directory) -> bool:
        """Whether *domain* is among them, of which no more than its name is known."""
        owners = {owner.name for owner in directory.owners_of(domain)}
        return (
            not self.states
            and (not self.groups or (directory.group_of(domain) or NO_GROUP) in self.groups)
            and (not self.owners or not self.owners.isdisjoint(owners))
        )


@contextmanager
def uncollected() -> Iterator[None]:
    """Without searches for garbage: a long listing makes none, and ten thousand rows cost many."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@uncollected()
def entries(config: Config, reader: Reader, now: Time) -> list[Entry]:
    """Every domain that the configuration names, that was looked at or that reports speak of;
    those that are not known to be ours first, then the worst."""
    stored = {one.domain: one for one in reader.inventory()}
    directory, ours = wiring.directory(config), wiring.ours(config)
    found = whose.found(config, reader, stored, ours)
    mine = {one.row.domain for one in found if one.whose not in NOT_OURS} - {
        one.domain for one in stored.values() if one.is_host
    }
    rows = []
    for one in found:
        known = stored.get(one.row.domain) or StoredDomain(domain=one.row.domain)
        row = _entry(known, one, directory, now)
        rows.append(_as_host(row, ours, mine) if known.is_host else row)
    return sorted(rows, key=_worst_first)


def _entry(stored: StoredDomain, found: Found, directory: Directory, now: Time) -> Entry:
    domain = stored.domain
    owners = directory.owners_of(domain)
    addresses = tuple(address for owner in owners for address in owner.addresses)
    names = tuple(owner.name for owner in owners)
    group, state = directory.group_of(domain), standing(stored.heard, now)
    last = stored.heard.last_report
    is_counted = bool(stored.reporters) or last is None or not now - VOLUME < last <= now + DAY
    return Entry(stored, found, state, addresses, group, names, is_counted=is_counted)


def _as_host(row: Entry, ours: Ours, mine: Container[str]) -> Entry:
    """An MX host with TLSA records: ours where the configuration or its name says so."""
    labels = row.domain.split(".")
    above = (".".join(labels[at:]) for at in range(1, len(labels)))
    is_own = ours.runs(row.domain) or ours.names(row.domain) or any(name in mine for name in above)
    why = "an MX host of yours" if is_own else "an MX host that others may run"
    said = Found(row.found.row, "ours" if is_own else "unchecked", why)
    return msgspec.structs.replace(row, found=said, is_others=not is_own)


def _worst_first(one: Entry) -> tuple[bool, int, int, int, float, str]:
    """What is not known to be ours, then gaps, then what is broken."""
    stored = one.stored
    share = stored.failed / stored.sessions if stored.sessions else 0.0
    rank = whose.ORDER.index(one.found.whose)
    if one.is_ours:
        rank = len(WORST_FIRST) if one.is_others else WORST_FIRST.index(one.standing.state)
    return one.is_ours, rank, -stored.critical, -stored.open, -share, one.domain


def form(one: Entry) -> dict[str, Any]:  # a JSON object
    """One domain, for JSON."""
    stored, heard = one.stored, one.stored.heard
    said = whose.form(one.found)
    return {
        **said,
        "last_report": iso_or_none(heard.last_report) or said["last_report"],
        "state": one.standing.state if one.is_ours else None,
        "since": iso_or_none(one.standing.since) if one.is_ours else None,
        "reason": one.standing.why if one.is_ours else None,
        "is_mx_host": stored.is_host,
        "looked_at": iso_or_none(stored.looked_at),
        "record_state": heard.record,
        "record_since": iso_or_none(heard.record_at),
        "first_report": iso_or_none(heard.first_report),
        "mta_sts": stored.sts,
        "mta_sts_id": stored.sts_id,
        "dane": stored.dane,
        "mx": list(stored.mx),
        "owners": list(one.owners),
        "group": one.group,
        "sessions": stored.sessions if one.is_counted else None,
        "failed_sessions": stored.failed if one.is_counted else None,
        "reporters": stored.reporters if one.is_counted else None,
        "open_failures": stored.open,
        "open_critical": stored.critical,
    }


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far the domains of one group have come."""

    group: str
    domains: int
    record: int
    """With a right record that leads to us."""
    reporting: int
    mta_sts: int
    """With a policy in mode testing or enforce."""
    enforce: int
    dane: int
    """With TLSA records that count at every MX."""


def coverage(found: Iterable[Entry]) -> list[Coverage]:
    """
    By group, the largest first; those in no group last.

    Neither MX hosts are counted nor domains that take no mail.
    """
    groups: dict[str, list[Entry]] = {}
    for one in found:
        if one.is_ours and not one.stored.is_host and one.standing.state != "no-mail":
            groups.setdefault(one.group or NO_GROUP, []).append(one)
    rows = [_coverage(name, members) for name, members in groups.items()]
    return sorted(rows, key=lambda row: (row.group == NO_GROUP, -row.domains, row.group))


def _coverage(group: str, members: Sequence[Entry]) -> Coverage:
    return Coverage(
        group=group,
        domains=len(members),
        record=sum(one.stored.heard.record == "right" for one in members),
        reporting=sum(one.standing.state in {"first-report", "reporting"} for one in members),
        mta_sts=sum(one.stored.sts in {"testing", "enforce"} for one in members),
        enforce=sum(one.stored.sts == "enforce" for one in members),
        dane=sum(one.stored.dane == "full" for one in members),
    )
