"""
Find out whose domains are of which reports come in and that the configuration does not name.

Where there are no ``[[domains]]``, a domain is ours when its TLSRPT record sends
reports to one of our addresses. What was held until that was known is read
again then, and counts.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol

import msgspec
import structlog

from tlsrpt_mailer.domains.ours import Addresses, Ours, State, judge_record
from tlsrpt_mailer.domains.record import PLACE, parse_record
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.ports import (
    Adoption,
    Adoptions,
    Deliver,
    Entry,
    HeldReport,
    Proposer,
    RawMail,
    Txn,
)
from tlsrpt_mailer.report.marks import is_marked
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time
from tlsrpt_mailer.trust.model import KeyAnswer

log = structlog.get_logger()

NO_ADDRESS = "no address of ours is known: say checks.rua or [[domains]]"
AT_ONCE = 50
"""Records that are looked up in one run."""
SECONDS = 10.0
"""How long one run may look up records, or read mails again: alerts wait behind it."""
QUESTION_SECONDS = 2.0
TROUBLES = 3
"""After so many questions in a row without an answer, DNS is left alone until the next run."""
SOONEST: Span = 5 * MINUTE
LATEST: Span = 6 * HOUR
"""Without an answer a name is asked for again after half the time that it waits already."""
MOST_BELOW = 1_000
"""Domains that are adopted below one organisational domain: a wildcard record names us for all."""
DAILY = 14
"""So often a record that does not name us is looked up daily; from then on weekly."""
SCANNED = 2_000
"""Held reports that are looked at in one run."""
MAILS = 200
"""Held mails that are read again in one run, more or less."""
PORTION = 200
BATCH = 20
BATCH_BYTES = 8 * 1024 * 1024


class Lookup(Protocol):
    """Who asks DNS."""

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        """What stands at *name*, asked for *within* seconds at most. Never raises."""


class Findings:
    """What was found out of domains, remembered; `Ours` asks it of every policy."""

    def __init__(self, adoptions: Adoptions) -> None:
        self._adoptions = adoptions
        self._states: dict[str, State] | None = None

    def of(self, domain: str) -> State | None:
        """What is known of *domain*; None where that is nothing. Raises Temporary."""
        if self._states is None:
            self._states = self._adoptions.found_out()
        return self._states.get(domain)

    def forget(self) -> None:
        """Somebody has written: ask the store again."""
        self._states = None


def propose(txn: Txn, entries: Iterable[Entry], standing: Standing, now: Time) -> None:
    """Have the records looked up of the domains that these reports speak of and nobody knows."""
    proposed: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for one in entries:
        for new in one.reports:
            by = "" if is_marked(new.reporter) else new.reporter
            proposed[by].update(dict.fromkeys(sorted(new.proposed)))
    known = standing.shipped | standing.configured
    for by, names in proposed.items():
        if names:
            txn.propose(names, now, Proposer(by, is_known=by in known))


def adopt(
    adoptions: Adoptions,
    lookup: Lookup,
    addresses: Addresses,
    now: Time,
    clock: Callable[[], float] = time.monotonic,
    organisational: Callable[[str], str | None] = str,
) -> list[str]:
    """
    Look up the records that are due, and adopt the domains that send their reports to us.

    Where one domain of an organisation has no answer, its others wait for the next run.

    Returns:
        The domains that are ours from now on.

    """
    until = clock() + SECONDS
    looked_at: list[Adoption] = []
    room, troubles, silent = _Room(adoptions), 0, set[str]()
    for one in adoptions.due(now, AT_ONCE, organisational):
        if troubles >= TROUBLES or clock() >= until:
            break
        whose = organisational(one.domain) or one.domain
        if whose in silent:
            continue
        answer = lookup.txt(PLACE + one.domain, min(until - clock(), QUESTION_SECONDS))
        if answer.kind == "trouble":
            silent.add(whose)
            troubles += 1
        else:
            troubles = 0
        looked_at.append(_after(one, answer, addresses, now, partial(room.lacks, whose)))
        if looked_at[-1].state == "adopted":
            room.take(whose)
    if looked_at:
        adoptions.save(looked_at)
    adopted = [one for one in looked_at if one.state == "adopted"]
    for one in adopted:
        log.info("domain.adopted", domain=one.domain, why=one.said)
    return [one.domain for one in adopted]


class _Room:
    """How many more domains may be adopted: in all, and of one organisation."""

    def __init__(self, adoptions: Adoptions) -> None:
        self._adoptions = adoptions
        self._left = adoptions.room()
        self._below: dict[str, int] = {}

    def lacks(self, whose: str) -> str | None:
        """Why there is none for one of *whose*, in words; None where there is."""
        if self._left <= 0:
            return "too many domains are adopted"
        if whose not in self._below:
            self._below[whose] = sum(
                state == "adopted" and (name == whose or name.endswith(f".{whose}"))
                for name, state in self._adoptions.found_out().items()
            )
        if self._below[whose] >= MOST_BELOW:
            return f"{MOST_BELOW:,} domains of {whose} are adopted"
        return None

    def take(self, whose: str) -> None:
        """One of *whose* was adopted, after `lacks` was asked."""
        self._left -= 1
        self._below[whose] += 1


def nothing_to_compare(adoptions: Adoptions, now: Time) -> None:
    """Say of the domains that wait that no record can tell: no address of ours is known."""
    adoptions.save(
        [
            msgspec.structs.replace(one, next_try=now + DAY, tries=one.tries + 1, said=NO_ADDRESS)
            for one in adoptions.due(now, AT_ONCE)
        ]
    )


def _after(
    one: Adoption,
    answer: KeyAnswer,
    addresses: Addresses,
    now: Time,
    lacks_room: Callable[[], str | None],
) -> Adoption:
    """*one* as it stands after this answer."""
    if answer.kind == "trouble":
        wait = min(max((now - one.first_at) // 2, SOONEST), LATEST)
        said = f"DNS does not answer: {answer.error}"
        return msgspec.structs.replace(one, next_try=now + wait, said=said)
    tries = one.tries + 1
    record = parse_record(answer.texts)
    is_ours, said = judge_record(record, addresses)
    changed = msgspec.structs.replace(one, tries=tries, record=record.text, said=said)
    full = lacks_room() if is_ours else None
    if is_ours and full is None:
        return msgspec.structs.replace(changed, state="adopted", changed_at=now, next_try=None)
    if full is not None:
        said = f"{said}, but {full}: name yours in [[domains]]"
    wait = DAY if tries < DAILY else 7 * DAY
    return msgspec.structs.replace(changed, next_try=now + wait, said=said)


class Reclaimer:
    """
    Has mails read again that were held for domains that are ours by now.

    It walks over the held reports in portions, from the oldest on, and then only
    over those that come; a new one begins with the oldest again.
    """

    def __init__(
        self,
        adoptions: Adoptions,
        deliver: Deliver,
        ours: Ours,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._adoptions = adoptions
        self._deliver = deliver
        self._ours = ours
        self._clock = clock
        self._seen = 0
        self._fresh: dict[str, int] = {}
        self.has_more = False
        """The last turn ended before all was looked at."""

    def reclaim(self, fresh: Collection[str] = ()) -> int:
        """
        Read again what counts now; returns how many mails were.

        What cannot be stored now is tried again at the next turn.

        Args:
            fresh: Domains that have just become ours.
        """
        self._fresh.update(dict.fromkeys(fresh, 0))
        turn = _Turn(self._clock() + SECONDS)
        for domain in list(self._fresh):
            while domain in self._fresh and self._goes_on(turn):
                found = self._adoptions.held_about(domain, self._fresh[domain], BATCH)
                if not found:
                    del self._fresh[domain]
                elif self._read_again(found, turn):
                    self._fresh[domain] = found[-1].id
        self.has_more = True
        while self.has_more and self._goes_on(turn):
            found = self._adoptions.held(self._seen, PORTION)
            turn.scanned += len(found)
            if not found:
                self.has_more = bool(self._fresh)
            elif self._read_again(list(filter(self._is_ours, found)), turn):
                self._seen = found[-1].id
        if turn.is_stuck:
            self.has_more = False
        if turn.mails:
            log.info("held.read_again", mails=turn.mails)
        return turn.mails

    def _goes_on(self, turn: "_Turn") -> bool:
        return (
            turn.mails < MAILS
            and turn.scanned < SCANNED
            and not turn.is_stuck
            and self._clock() < turn.until
        )

    def _is_ours(self, report: HeldReport) -> bool:
        return any(self._ours.ownership(policy) == "ours" for policy in report.policies)

    def _read_again(self, reports: Sequence[HeldReport], turn: "_Turn") -> bool:
        """Deliver their mails; False where none of a batch could be stored now."""
        for batch in self._batches(dict.fromkeys(one.mail for one in reports)):
            outcomes = [receipt.outcome for receipt in self._deliver(batch)]
            turn.mails += sum(outcome != "failed" for outcome in outcomes)
            if set(outcomes) == {"failed"}:
                turn.is_stuck = True
                return False
        return True

    def _batches(self, numbers: Iterable[int]) -> Iterator[list[RawMail]]:
        """The mails in portions of `BATCH` mails and `BATCH_BYTES`, and of one at least."""
        batch: list[RawMail] = []
        for number in numbers:
            batch += self._adoptions.mails([number])
            if len(batch) >= BATCH or sum(len(mail.raw) for mail in batch) >= BATCH_BYTES:
                yield batch
                batch = []
        if batch:
            yield batch


class _Turn(msgspec.Struct):
    """How far one run of a `Reclaimer` has come."""

    until: float
    mails: int = 0
    scanned: int = 0
    is_stuck: bool = False
