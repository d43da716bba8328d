"""
The digest: once a moment of its schedule, one mail to everybody who owns something.

What it says is drawn from the store as it is (`alerts.digest_pages`), so nothing is queued: a
daemon that was down catches up with the last moment alone. The moment that was dealt with last
is a fact in the store, and a Message-ID is made of recipient and moment, so none comes twice.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec
import structlog

from tlsrpt_mailer.alerts.digest import Digest, render
from tlsrpt_mailer.alerts.digest_fleet import operator_page
from tlsrpt_mailer.alerts.digest_model import Domain, Failure, Material, Period, Silence
from tlsrpt_mailer.alerts.digest_pages import Shares
from tlsrpt_mailer.alerts.directory import Directory, Owner
from tlsrpt_mailer.alerts.model import Rendered
from tlsrpt_mailer.alerts.schedule import DAILY, OFF, WEEKLY, in_words, period, previous_fire
from tlsrpt_mailer.failures.incidents import CLOSE_AFTER
from tlsrpt_mailer.flows.compose import Audience, with_token
from tlsrpt_mailer.flows.items import item_of
from tlsrpt_mailer.ports import (
    CHANNEL,
    DigestFigures,
    DigestReads,
    FailureRecord,
    Letter,
    Store,
    Told,
)
from tlsrpt_mailer.report.times import DAY, Span, Time

log = structlog.get_logger()

FACT = "digest"
"""The moment that was dealt with last, in the store's facts."""
SILENT: Span = 42 * DAY
"""How long ago a reporter may have stopped to be named: the rarest is known after 39 days."""
LENGTHS: dict[str, Span] = {WEEKLY: 7 * DAY, DAILY: DAY, OFF: 7 * DAY}


class Facts(Protocol):
    """Where a single thing is remembered."""

    def fact(self, name: str) -> str | None:
        """What was remembered under *name*."""

    def save_fact(self, name: str, value: str) -> None:
        """Remember *value* under *name*."""


Open = Callable[[], AbstractContextManager[DigestReads]]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``[digest]`` with what it needs of ``[alerts]``."""

    schedule: str
    zone: str
    """The name of `Audience.zone`."""
    operator: tuple[str, ...] = ()
    """Who gets the operator's page."""
    skips_empty: bool = False
    """To the operator; owners have a word of their own in `Owner.skips_empty`."""


def due(audience: Audience, plan: Plan, facts: Facts, now: Time) -> Period | None:
    """What the digest that is due at *now* speaks of; None where it was dealt with."""
    fire = previous_fire(plan.schedule, audience.at, audience.zone, now)
    last = int(facts.fact(FACT) or 0)
    # A moment to come was noted by a clock that went wrong: it silences nothing.
    if fire is None or fire <= last <= now:
        return None
    found = period(plan.schedule, audience.at, audience.zone, now)
    return None if found is None else Period(*found)


def until_now(audience: Audience, plan: Plan, now: Time) -> Period:
    """As `due`, as if the digest came now: one length of the schedule back."""
    length = LENGTHS.get(plan.schedule)
    found = period(plan.schedule, audience.at, audience.zone, now)
    if length is None:
        length = 7 * DAY if found is None else found[1] - found[0]
    return Period(now - length, now)


def send_digests(
    store: Store, facts: Facts, opened: Open, audience: Audience, plan: Plan, now: Time
) -> list[Letter]:
    """
    Freeze the digests that are due at *now*; most of the time there are none.

    Raises:
        Temporary: The database cannot be used now; the digest stays due.
    """
    found = due(audience, plan, facts, now)
    if found is None:
        return []
    with opened() as reads:
        first = reads.first_report()
        if first is None or first > found.end:
            # Nothing to say yet; once there is, it is for the next digest to say.
            return []
        material = gather(reads, audience, found, now)
    letters = freeze(store, digests(material, audience, plan), audience, now)
    facts.save_fact(FACT, str(found.end))
    return letters


def gather(reads: DigestReads, audience: Audience, found: Period, now: Time) -> Material:
    """The material of one period."""
    figures = reads.figures(found)
    return Material(
        now=now,
        period=found,
        domains=_domains(figures, audience),
        certificates=figures.certificates,
        failures=_failures(figures, audience),
        silences=_silences(figures, audience, found),
        intake=figures.intake,
        answered=figures.answered,
        mails=figures.mails,
        refused=figures.refused,
    )


def digests(material: Material, audience: Audience, plan: Plan) -> list[Digest]:
    """One a recipient who is to get it, sorted by address."""
    shares = Shares(material, audience.directory)
    owners = owners_by_address(audience.directory)
    found = []
    for address in sorted({*owners, *map(audience.directory.spelled, plan.operator)}):
        mine = owners.get(address, ())
        one = draw(address, mine, shares, audience, plan)
        if one is not None and _is_wanted(one, mine, plan):
            found.append(one)
    return found


def draw(
    address: str, owners: Sequence[Owner], shares: Shares, audience: Audience, plan: Plan
) -> Digest | None:
    """The digest of one address that stands for *owners*; None where nothing concerns it."""
    material = shares.material
    page = shares.page(address) if owners else None
    if page is not None and not page.domains and page.is_empty:
        page = None
    is_operator = address.lower() in {one.lower() for one in plan.operator}
    if page is None and not is_operator:
        return None
    named = next((one.name for one in owners if not one.is_default), "")
    rhythm = "" if plan.schedule == OFF else in_words(plan.schedule, audience.at, plan.zone)
    return Digest(
        recipient=address,
        period=material.period,
        owner=page,
        operator=operator_page(material, audience.directory) if is_operator else None,
        rhythm=rhythm,
        why=named,
    )


def _is_wanted(digest: Digest, owners: Sequence[Owner], plan: Plan) -> bool:
    if not digest.is_empty:
        return True
    if digest.operator is not None and not plan.skips_empty:
        return True
    return digest.owner is not None and any(not owner.skips_empty for owner in owners)


def freeze(store: Store, found: Iterable[Digest], audience: Audience, now: Time) -> list[Letter]:
    """Write these digests into the outbox, in one transaction."""
    letters = [letter_of(one, audience, now) for one in found]
    if letters:
        with store.compose() as txn:
            txn.save_letters(letters, now)
    for letter in letters:
        log.info(
            "alert.composed",
            recipient=letter.recipient,
            about=letter.event,
            subject=letter.subject,
            message_id=letter.message_id,
            failures=list(letter.failures),
        )
    return letters


def letter_of(digest: Digest, audience: Audience, now: Time) -> Letter:
    """The mail of one digest; with an address for answers where it names what can be answered."""
    context, token = audience.context, None
    if digest.failures:
        context, token = with_token(audience, context)
    rendered = rendered_of(digest, msgspec.structs.replace(audience, context=context), now)
    return Letter(
        message_id=rendered.message_id,
        recipient=digest.recipient,
        subject=rendered.subject,
        event="digest",
        raw=rendered.raw,
        token=token,
        failures=digest.failures,
    )


def rendered_of(digest: Digest, audience: Audience, now: Time) -> Rendered:
    """The words of one digest."""
    context = msgspec.structs.replace(
        audience.context,
        now=now,
        recipient=digest.recipient,
        zone=audience.zone,
        tls_required_no=audience.tls_required_no == "always" or _is_in_trouble(digest, audience),
    )
    return render(digest, context)


def _is_in_trouble(digest: Digest, audience: Audience) -> bool:
    """Whether the recipient's own domain is among what is broken (RFC 8689)."""
    if audience.tls_required_no != "auto" or digest.owner is None:
        return False
    domain = digest.recipient.rpartition("@")[2].lower()
    items = [one.item for one in digest.owner.open_failures]
    hosts = {item.mx for item in items if item.mx}
    return any(item.domain == domain for item in items) or any(
        host == domain or host.endswith(f".{domain}") for host in hosts
    )


def owners_by_address(directory: Directory) -> dict[str, tuple[Owner, ...]]:
    """Every address that owns by itself; the log and the terminal get no digest."""
    found: dict[str, tuple[Owner, ...]] = {}
    for owner in directory.all_owners():
        for address in map(directory.spelled, owner.addresses):
            if "@" in address:
                found[address] = (*found.get(address, ()), owner)
    return found


# -------------------------------------------------------------------- material


def _domains(figures: DigestFigures, audience: Audience) -> dict[str, Domain]:
    """Those that reports speak of, and those that the configuration names."""
    found = dict(figures.domains)
    for block in audience.directory.domains:
        for name in block.match:
            if "*" not in name and name not in found:
                found[name] = Domain(name)
    for name, domain in found.items():
        pairs = tuple(
            msgspec.structs.replace(pair, reporter=audience.names.get(pair.reporter, pair.reporter))
            for pair in domain.pairs
        )
        found[name] = msgspec.structs.replace(domain, pairs=pairs)
    return found


def _failures(figures: DigestFigures, audience: Audience) -> tuple[Failure, ...]:
    told: dict[int, list[Told]] = {}
    for row in figures.told:
        told.setdefault(row.failure, []).append(row)
    return tuple(_failure(record, told.get(record.id, ()), audience) for record in figures.failures)


def _failure(record: FailureRecord, told: Sequence[Told], audience: Audience) -> Failure:
    verdict = record.verdict
    rows = [
        row
        for row in told
        if row.incident == verdict.incident and not row.recipient.startswith(CHANNEL)
    ]
    stale = verdict.stale_at
    seen = [one for one in verdict.witnesses if one.has_say] or list(verdict.witnesses)
    return Failure(
        item=item_of(record, audience.directory),
        reporters=tuple(
            audience.names.get(one.reporter, one.reporter)
            for one in sorted(seen, key=lambda one: (-one.failed_sessions, one.reporter))
        ),
        stale_at=stale,
        closes_at=None if stale is None else stale + CLOSE_AFTER,
        ended_at=record.ended_at,
        told_at=min((row.first_at or row.at for row in rows), default=None),
        told_to=tuple(row.recipient for row in rows),
    )


def _silences(figures: DigestFigures, audience: Audience, found: Period) -> tuple[Silence, ...]:
    """One a reporter and domain; who stopped long ago is no news any more."""
    return tuple(
        Silence(
            reporter=audience.names.get(one.reporter, one.reporter),
            domains=(one.domain,),
            last=one.since,
            resumed_at=one.back,
        )
        for one in figures.silent
        if one.since > found.begin - SILENT or one.back is not None
    )
