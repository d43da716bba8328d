"""
What becomes of each mail of a batch: pure, and the same in any order.

A report whose canonical JSON is stored already is a duplicate, unless its reporter
has a higher standing: then it takes the place of that copy. One with the
reporter, report-id, range and domains of another is a revision of it: the one
that is believed more wins, else the later Date header, else more sessions, else
the greater hash, and only the winner counts. Everything else is new; a
report-id alone identifies nothing.

A held report makes no other one a duplicate but those of its own kind. One that
counts takes the place of copies that are held, unless these claim a higher
standing, and of revisions that count without proof.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from tlsrpt_mailer.flows.trusting import why_held
from tlsrpt_mailer.intake.model import MailContent, MailFacts
from tlsrpt_mailer.intake.reply import Reply
from tlsrpt_mailer.ports import (
    Entry,
    HeldCopy,
    Known,
    NewReport,
    Outcome,
    RawMail,
    Receipt,
    StoredRevision,
    Trusted,
)
from tlsrpt_mailer.report.marks import bare, is_marked
from tlsrpt_mailer.report.times import MINUTE, Span, Time

Decision = tuple[Entry | None, Receipt]

RETRY: Span = MINUTE
"""When a mail that waits for DNS is verified for the second time."""

_RANK: dict[Outcome, int] = {"stored": 0, "superseded": 1, "held": 2, "duplicate": 3}
_BELIEVED: dict[Trusted, int] = {"pass": 3, "operator": 2, "unchecked": 1}
"""Between revisions under one name; all others have names of their own."""
_SETTLED: frozenset[Trusted] = frozenset({"unsigned", "third-party", "fail"})

_Standing = tuple[int, int]
_NOTHING: _Standing = (-1, 0)
_UNPROVEN: _Standing = (0, 0)
_ABOVE_ALL: _Standing = (2, 0)
_Kind = tuple[str, Trusted, str | None]
"""Of what is held one copy is kept of each: reporter, whose word, who vouches for it."""


class CanaryBack(msgspec.Struct, frozen=True):
    """A test report of our own that has come in."""

    token: str
    signature: str
    """What was made of it: ``pass``, or in words why not."""


class ReadMail(msgspec.Struct, frozen=True):
    """One mail, read; *content* is None where it is to be put aside unread."""

    mail: RawMail
    sha256: bytes
    content: MailContent | None
    reports: tuple[NewReport, ...] = ()
    reason: str | None = None
    reply: Reply | None = None
    """Of a mail without a report: the answer to an alert that it may be."""
    canary: CanaryBack | None = None

    @property
    def date(self) -> Time:
        """The mail's own date, else when it was taken."""
        date = self.content.facts.date if self.content is not None else None
        return self.mail.taken_at if date is None else date


class _Copies:
    """What there is of each JSON: in the store, and taken from this batch so far."""

    def __init__(
        self, read: Sequence[ReadMail], known: Known, is_known: Callable[[str], bool]
    ) -> None:
        self._is_known = is_known
        self._known = known
        self._counts: dict[bytes, _Standing] = dict.fromkeys(known.unproven, _UNPROVEN)
        for digest in known.digests:
            stored = (self._rank(one.reporter, one.trust) for one in known.counted.get(digest, ()))
            # What is only in the roll-ups cannot be taken out of them.
            self._counts[digest] = max(stored, default=_ABOVE_ALL)
        self._held: dict[bytes, set[_Kind]] = {
            digest: {_kind(one) for one in copies} for digest, copies in known.held.items()
        }
        self._best: dict[bytes, _Standing] = {}
        for one in read:
            for new in one.reports:
                if new.status != "held":
                    rank, digest = self._rank(new.reporter, new.trust), new.found.digest
                    self._best[digest] = max(self._best.get(digest, rank), rank)

    def take(self, new: NewReport) -> NewReport | None:
        """*new* with what it takes the place of; None where it is a duplicate."""
        return self._hold(new) if new.status == "held" else self._count(new)

    def _rank(self, reporter: str, trust: Trusted) -> _Standing:
        """Who is known before who is not, then by whose word it is; a mark is below all."""
        if is_marked(reporter):
            return _UNPROVEN
        return int(self._is_known(reporter)), _BELIEVED.get(trust, 0)

    def _count(self, new: NewReport) -> NewReport | None:
        digest, rank = new.found.digest, self._rank(new.reporter, new.trust)
        there = self._known.counted.get(digest, ())
        if (
            rank < self._best[digest]
            or rank <= self._counts.get(digest, _NOTHING)
            or any(new.reporter == one.reporter for one in there)
        ):
            return None
        self._counts[digest] = rank
        numbers = [one.report for one in there if one.counts]
        numbers += self._known.unproven.get(digest, ())
        held = self._known.held.get(digest, ())
        numbers += [one.report for one in held if self._is_settled(one, rank)]
        return msgspec.structs.replace(new, replaces=tuple(numbers))

    def _hold(self, new: NewReport) -> NewReport | None:
        digest, kind = new.found.digest, _kind(new)
        counts = max(self._counts.get(digest, _NOTHING), self._best.get(digest, _NOTHING))
        if counts != _NOTHING and self._is_settled(new, counts):
            return None
        kinds = self._held.setdefault(digest, set())
        # Of what waits for DNS nobody knows which one is genuine.
        if new.held_for != "pending" and kind in kinds:
            return None
        kinds.add(kind)
        return new

    def _is_settled(self, held: NewReport | HeldCopy, counts: _Standing) -> bool:
        """Whether it could have no better standing than what *counts*, were it believed one day."""
        if counts == _UNPROVEN:
            return held.held_for == "signature" and held.vouched_by is None
        return counts[0] == 1 or not self._is_known(held.reporter)


def _kind(one: NewReport | HeldCopy) -> _Kind:
    return one.reporter, one.trust, one.vouched_by


def decide(
    read: Sequence[ReadMail],
    known: Known,
    ignored: Callable[[], int],
    limit: int,
    *,
    is_known: Callable[[str], bool],
    reopened: Collection[bytes] = (),
    now: Time = 0,
) -> list[Decision]:
    """
    What to write for each mail, and the receipt that goes back; no entry where there is no room.

    Args:
        ignored: Says how many bytes of ignored mail are kept; asked only when one is to be kept.
        limit: How many may be.
        is_known: Whether a reporter is known from the start, whatever it has reported.
        reopened: Mails that are put in anew (`ports.Txn.reopen`).
        now: The time.
    """
    anew = {one.sha256 for one in read if _is_retried(one, known.mails, reopened)}
    seen_mails = {sha: one for sha, one in known.mails.items() if sha not in anew}
    fresh = [one for one in read if one.sha256 not in seen_mails]
    newest, copies = _newest(fresh, known), _Copies(fresh, known, is_known)
    room: int | None = None
    decided: list[Decision] = []
    for one in read:
        if one.sha256 in seen_mails:
            receipt = _repeat(seen_mails[one.sha256])
            decided.append((_entry(one, receipt.outcome, receipt.reason), receipt))
            continue
        if _is_kept_letter(one):
            room = (limit - ignored() if room is None else room) - len(one.mail.raw)
            if room < 0:
                decided.append((None, Receipt("failed", "no room for more mail that is no report")))
                continue
        decision = _decide_one(one, newest, known.revisions, copies, now)
        seen_mails[one.sha256] = decision[1]
        decided.append(decision)
    return decided


def _decide_one(
    one: ReadMail,
    newest: Mapping[bytes, bytes],
    revisions: Mapping[bytes, StoredRevision],
    copies: _Copies,
    now: Time,
) -> tuple[Entry, Receipt]:
    if one.content is None or one.content.kind == "bad-report":
        return _quarantine(one)
    if one.content.kind == "not-a-report":
        return _ignore(one, one.content)
    return _store(one, newest, revisions, copies, now)


def _newest(read: Sequence[ReadMail], known: Known) -> dict[bytes, bytes]:
    """For each revision key: the digest of the revision that counts, stored or in this batch."""
    best = {
        key: (_BELIEVED.get(old.trust, 0), old.date, old.sessions, old.digest)
        for key, old in known.revisions.items()
    }
    for one in read:
        for new in one.reports:
            if new.status != "held":
                rank = (
                    _BELIEVED.get(new.trust, 0),
                    one.date,
                    new.sessions,
                    new.found.digest,
                )
                best[new.revision_key] = max(best.get(new.revision_key, rank), rank)
    return {key: rank[-1] for key, rank in best.items()}


def _is_outdone(new: NewReport, newest: Mapping[bytes, bytes]) -> bool:
    """Whether it lacks proof, and the reporter's own word on the same range is there."""
    return is_marked(new.reporter) and any(key in newest for key in new.rivals)


def _store(
    one: ReadMail,
    newest: Mapping[bytes, bytes],
    revisions: Mapping[bytes, StoredRevision],
    copies: _Copies,
    now: Time,
) -> tuple[Entry, Receipt]:
    kept: list[NewReport] = []
    outcomes: list[Outcome] = []
    for found in one.reports:
        new = copies.take(found)
        if new is None:
            outcomes.append("duplicate")
        elif new.status == "held":
            kept.append(new)
            outcomes.append("held")
        elif newest[new.revision_key] == new.found.digest and not _is_outdone(new, newest):
            old = revisions.get(new.revision_key)
            less = [revisions[key].report for key in new.rivals if key in revisions]
            replaces = tuple(dict.fromkeys((*new.replaces, *less)))
            kept.append(
                msgspec.structs.replace(new, supersedes=old and old.report, replaces=replaces)
            )
            outcomes.append("stored")
        else:
            kept.append(msgspec.structs.replace(new, status="superseded", windows=()))
            outcomes.append("superseded")
    outcome = min(outcomes, key=_RANK.__getitem__)
    held = [new for new in kept if new.status == "held"]
    reason = why_held(held[0]) if outcome == "held" else None
    entry = msgspec.structs.replace(_entry(one, outcome, reason), reports=tuple(kept))
    if held:
        waits = any(new.held_for == "pending" for new in held)
        entry = msgspec.structs.replace(entry, keep="held", next_try=now + RETRY if waits else None)
    return entry, Receipt(outcome, reason, tuple(outcomes))


def _entry(one: ReadMail, outcome: Outcome, reason: str | None) -> Entry:
    return Entry(
        mail=one.mail,
        sha256=one.sha256,
        facts=MailFacts() if one.content is None else one.content.facts,
        outcome=outcome,
        reason=reason,
        found=len(one.reports),
        forward_to=one.mail.forward_to,
    )


def _quarantine(one: ReadMail) -> tuple[Entry, Receipt]:
    reason = one.reason if one.content is None else one.content.reason
    entry = msgspec.structs.replace(_entry(one, "quarantined", reason), keep="quarantine")
    return entry, Receipt("quarantined", reason)


def _ignore(one: ReadMail, content: MailContent) -> tuple[Entry, Receipt]:
    entry = _entry(one, "ignored", content.reason)
    forward = one.mail.forward_to or one.mail.forward_ignored_to
    if forward:
        entry = msgspec.structs.replace(entry, forward_to=forward)
    elif one.mail.keep_ignored:
        entry = msgspec.structs.replace(entry, keep="ignored")
    return entry, Receipt("ignored", content.reason)


def _is_kept_letter(one: ReadMail) -> bool:
    """Whether this mail is no report, and nobody else keeps it."""
    mail = one.mail
    return (
        one.content is not None
        and one.content.kind == "not-a-report"
        and mail.keep_ignored
        and not (mail.forward_to or mail.forward_ignored_to)
    )


def may_reopen(one: ReadMail) -> bool:
    """Whether it is judged anew where it is held: somebody wants that, or vouches for it now."""
    return one.mail.again or one.mail.trusted


def as_before(one: ReadMail, before: Mapping[bytes, Trusted]) -> ReadMail:
    """
    *one*, whose reports were held *before* (by digest), with no more history than there was.

    A forged mail whose key never was in DNS does not become history by being kept for a week.
    """
    if not any(new.trust == "history" for new in one.reports):
        return one
    reports = tuple(
        msgspec.structs.replace(
            new,
            status="held",
            reporter=bare(new.reporter)[0],
            held_for="signature",
            trust="fail",
            windows=(),
            foreign=frozenset(),
        )
        if new.trust == "history" and before.get(new.found.digest) in _SETTLED
        else new
        for new in one.reports
    )
    return msgspec.structs.replace(one, reports=reports)


def _is_retried(one: ReadMail, seen: Mapping[bytes, Receipt], reopened: Collection[bytes]) -> bool:
    """Whether it is read anew: only what nobody could read, or what is held, is worth that."""
    if one.sha256 not in seen:
        return False
    if one.mail.again and seen[one.sha256].outcome == "quarantined":
        return True
    return may_reopen(one) and one.sha256 in reopened


def _repeat(receipt: Receipt) -> Receipt:
    """The receipt for the same bytes once more."""
    if receipt.outcome in ("quarantined", "ignored"):
        return receipt
    return Receipt("duplicate", None, tuple("duplicate" for _ in receipt.reports))
