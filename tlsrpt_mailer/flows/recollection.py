"""A memory in place of the store: what composing reads and writes, for a replay."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from tlsrpt_mailer.alerts.schedule import previous_fire
from tlsrpt_mailer.failures.identity import folding, rows_of
from tlsrpt_mailer.failures.model import Cause, Identity, Verdict, Window
from tlsrpt_mailer.failures.windows import effective
from tlsrpt_mailer.flows.compose import LOOKS_BACK, Audience
from tlsrpt_mailer.ports import (
    Backlog,
    Composed,
    Evidence,
    FailureRecord,
    History,
    Letter,
    Maintenance,
    Told,
)
from tlsrpt_mailer.report.times import Time

ENDED = frozenset({"resolved", "closed"})


class Recollection:
    """`ports.ComposeTxn` over what has been learned so far; nothing of it is written down."""

    def __init__(self, histories: Sequence[History], maintenance: Sequence[Maintenance]) -> None:
        self._windows = {one.domain: one.windows for one in histories}
        self._maintenance = {one.number: one for one in maintenance}
        self._numbers = {
            Identity(domain, policy_type, result_type, mx or None): number
            for one in histories
            for (domain, policy_type, result_type, mx), number in one.numbers.items()
        }
        self._top = max(self._numbers.values(), default=0)
        self._records: dict[int, FailureRecord] = {}
        self._open: set[int] = set()
        self._causes: dict[Cause, int] = {}
        self._of_cause: defaultdict[int, set[int]] = defaultdict(set)
        self._told: defaultdict[int, dict[str, Told]] = defaultdict(dict)
        self._believed: set[int] = set()
        self._letters: list[tuple[Time, Letter]] = []
        self._last_digest: dict[str, Composed] = {}
        self._now: Time = 0

    # ------------------------------------------------------------------ learning

    def learn(self, verdicts: Mapping[str, Sequence[Verdict]], now: Time) -> bool:
        """Take over what the judge says now, by domain; False where that can be no news."""
        is_news = False
        for said in verdicts.values():
            # A failure at an MX first: the cause is to have the number of the one that names it.
            for verdict in sorted(said, key=lambda one: one.identity.mx is None):
                is_news |= self._take(verdict, now)
        return is_news

    def _take(self, verdict: Verdict, now: Time) -> bool:
        number = self._numbers.get(verdict.identity)
        if number is None:
            number = self._numbers[verdict.identity] = self._next()
        cause, before = self._cause(verdict.cause, number), self._records.get(number)
        if before is not None and before.cause != cause:
            self._of_cause[before.cause].discard(number)
        self._of_cause[cause].add(number)
        self._records[number] = FailureRecord(number, cause, verdict, _ended(before, verdict, now))
        if verdict.is_open:
            self._open.add(number)
        else:
            self._open.discard(number)
        return before is None or _gist(before.verdict) != _gist(verdict)

    def _next(self) -> int:
        self._top += 1
        return self._top

    def _cause(self, cause: Cause, number: int) -> int:
        """Its number: that of its first failure, unless another cause goes by that."""
        if cause not in self._causes:
            self._causes[cause] = self._next() if number in self._of_cause else number
        return self._causes[cause]

    def look_at(self, audience: Audience, now: Time) -> None:
        """Move on to *now*; the digest, which no replay composes, counts as sent on time."""
        self._now = now
        fire = previous_fire(audience.schedule, audience.at, audience.zone, now)
        is_recent = fire is not None and fire > now - LOOKS_BACK
        self._last_digest = {
            address: Composed(last_digest=fire)
            for address in (audience.directory.addresses() if is_recent else ())
        }

    def forget_letters(self) -> None:
        """As if those mails had gone out long ago."""
        self._letters.clear()

    @property
    def has_anything(self) -> bool:
        """Whether anything is open, or believed to be."""
        return bool(self._open or self._believed)

    # ------------------------------------------------------------------- reading

    def failures(self) -> list[FailureRecord]:
        """See `ports.ComposeTxn.failures`; by number."""
        return [self._records[number] for number in sorted(self._open | self._believed)]

    def told(self) -> list[Told]:
        """See `ports.ComposeTxn.told`."""
        concerned = self._open | self._believed
        return [row for number in concerned for row in self._told.get(number, {}).values()]

    def evidence(self, failure: int, limit: int = 12) -> list[Evidence]:
        """See `ports.ComposeTxn.evidence`; the reporters' words stay in the store."""
        verdict = self._records[failure].verdict
        identity = verdict.identity
        names = {witness.reporter for witness in verdict.witnesses}
        received = (one for one in self._windows[identity.domain] if one.received <= self._now)
        counted = sorted(effective(received), key=lambda one: one.end, reverse=True)
        known = self._known(identity.domain)
        fold = folding(counted, known)
        found: list[Evidence] = []
        for window in counted:
            failed = sum(
                row.sessions
                for row in rows_of(window, fold.of(known=window.reporter in known))
                if (row.policy_type, row.result_type, row.mx)
                == (identity.policy_type, identity.result_type, identity.mx)
            )
            if window.reporter in names and (failed or any(s.successful for s in window.sessions)):
                found.append(_evidence(window, failed, identity.policy_type))
        return found[:limit]

    def _known(self, domain: str) -> frozenset[str]:
        """Those whom the verdicts on the domain's failures call known."""
        said = (record.verdict for record in self._records.values())
        return frozenset(
            witness.reporter
            for verdict in said
            if verdict.identity.domain == domain
            for witness in verdict.witnesses
            if witness.known
        )

    def looked(self, domain: str) -> None:  # noqa: ARG002 - as the port has it
        """See `ports.ComposeTxn.looked`: a replay is about reports alone."""
        return

    def composed(self, hour: Time, days: Time) -> dict[str, Composed]:
        """See `ports.ComposeTxn.composed`."""
        recent = self._since(min(hour, days))
        mine: defaultdict[str, list[tuple[Time, str]]] = defaultdict(list)
        for at, letter in recent:
            mine[letter.recipient].append((at, letter.event))
        return self._last_digest | {
            recipient: Composed(
                mails=sum(at >= hour for at, _ in sent),
                flooded=any(at >= hour and event == "flood" for at, event in sent),
                last_reminder=max((at for at, event in sent if event == "reminder"), default=None),
                last_digest=self._last_digest.get(recipient, Composed()).last_digest,
            )
            for recipient, sent in mine.items()
        }

    def _since(self, since: Time) -> Iterable[tuple[Time, Letter]]:
        for at, letter in reversed(self._letters):
            if at < since:
                return
            yield at, letter

    def last_composed(self) -> dict[tuple[str, int], Time]:
        """See `ports.ComposeTxn.last_composed`."""
        causes = {self._records[number].cause for number in self._open | self._believed}
        found: dict[tuple[str, int], Time] = {}
        for cause in causes:
            for number in self._of_cause[cause]:
                for recipient, row in self._told.get(number, {}).items():
                    found[recipient, cause] = max(row.at, found.get((recipient, cause), 0))
        return found

    def maintenances(self, numbers: Collection[int]) -> list[Maintenance]:
        """See `ports.ComposeTxn.maintenances`."""
        return [self._maintenance[one] for one in sorted(numbers) if one in self._maintenance]

    def domains(self) -> list[str]:
        """See `ports.ComposeTxn.domains`; only a summary's words need them."""
        return []

    def backlog(self, names: Collection[str]) -> Backlog | None:  # noqa: ARG002 - the port
        """See `ports.ComposeTxn.backlog`; likewise."""
        return None

    # ------------------------------------------------------------------- writing

    def save_letters(self, letters: Sequence[Letter], now: Time) -> None:
        """See `ports.ComposeTxn.save_letters`."""
        self._letters += [(now, letter) for letter in letters]
        self.save_told([row for letter in letters for row in letter.told])

    def save_told(self, rows: Sequence[Told]) -> None:
        """See `ports.ComposeTxn.save_told`."""
        for row in rows:
            self._told[row.failure][row.recipient] = row
            if any(one.event not in ENDED for one in self._told[row.failure].values()):
                self._believed.add(row.failure)
            else:
                self._believed.discard(row.failure)


def _gist(verdict: Verdict) -> tuple[object, ...]:
    """What may be told at once; all else can wait for the next hour."""
    return (
        verdict.state,
        verdict.severity,
        verdict.incident,
        verdict.resolved_at,
        verdict.steps,
        verdict.cause,
        verdict.is_quiet,
    )


def _ended(before: FailureRecord | None, verdict: Verdict, now: Time) -> Time | None:
    """What ended stays ended at the moment when that became known."""
    if verdict.is_open:
        return None
    if before is None or before.verdict.is_open or before.verdict.incident != verdict.incident:
        return now
    return before.ended_at


def _evidence(window: Window, failed: int, policy_type: str) -> Evidence:
    return Evidence(
        reporter=window.reporter,
        organization=None,
        start=window.start,
        end=window.end,
        received=window.received,
        sessions=sum(
            one.successful + one.failed for one in window.sessions if one.policy_type == policy_type
        ),
        failed=failed,
        report=window.report,
        mode=next((one.mode for one in window.sessions if one.policy_type == policy_type), None),
    )
