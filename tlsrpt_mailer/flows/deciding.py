"""
What becomes of each mail of a batch: pure, and the same in any order.

A report whose canonical JSON is stored already is a duplicate. One with the
reporter, report-id, range and domains of another is a revision of it: the later
Date header wins, else more sessions, else the greater hash, and only the winner
counts. Everything else is new; a report-id alone identifies nothing.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tlsrpt_mailer.intake.model import MailContent, MailFacts
from tlsrpt_mailer.intake.reply import Reply
from tlsrpt_mailer.ports import Entry, Known, NewReport, Outcome, RawMail, Receipt, StoredRevision
from tlsrpt_mailer.report.times import Time

Decision = tuple[Entry | None, Receipt]

_RANK: dict[Outcome, int] = {"stored": 0, "superseded": 1, "duplicate": 2}


class ReadMail(msgspec.Struct, frozen=True):
    """One mail, read; *content* is None where it is to be put aside unread."""

    mail: RawMail
    sha256: bytes
    content: MailContent | None
    reports: tuple[NewReport, ...] = ()
    reason: str | None = None
    reply: Reply | None = None
    """Of a mail without a report: the answer to an alert that it may be."""

    @property
    def date(self) -> Time:
        """The mail's own date, else when it was taken."""
        date = self.content.facts.date if self.content is not None else None
        return self.mail.taken_at if date is None else date


def decide(
    read: Sequence[ReadMail], known: Known, ignored: Callable[[], int], limit: int
) -> list[Decision]:
    """
    What to write for each mail, and the receipt that goes back; no entry where there is no room.

    Args:
        ignored: Says how many bytes of ignored mail are kept; asked only when one is to be kept.
        limit: How many may be.
    """
    newest = _newest(read, known)
    seen_mails = dict(known.mails)
    seen_digests = set(known.digests)
    room: int | None = None
    decided: list[Decision] = []
    for one in read:
        if one.sha256 in seen_mails and not _is_retried(one, seen_mails):
            receipt = seen_mails[one.sha256]
            decided.append((_entry(one, receipt.outcome, receipt.reason), receipt))
            continue
        if _is_kept_letter(one):
            room = (limit - ignored() if room is None else room) - len(one.mail.raw)
            if room < 0:
                decided.append((None, Receipt("failed", "no room for more mail that is no report")))
                continue
        decision = _decide_one(one, newest, known.revisions, seen_digests)
        seen_mails[one.sha256] = _repeat(decision[1])
        decided.append(decision)
    return decided


def _decide_one(
    one: ReadMail,
    newest: Mapping[bytes, bytes],
    revisions: Mapping[bytes, StoredRevision],
    seen_digests: set[bytes],
) -> tuple[Entry, Receipt]:
    if one.content is None or one.content.kind == "bad-report":
        return _quarantine(one)
    if one.content.kind == "not-a-report":
        return _ignore(one, one.content)
    return _store(one, newest, revisions, seen_digests)


def _newest(read: Sequence[ReadMail], known: Known) -> dict[bytes, bytes]:
    """For each revision key: the digest of the newest revision, stored or in this batch."""
    best = {key: (old.date, old.sessions, old.digest) for key, old in known.revisions.items()}
    for one in read:
        for new in one.reports:
            rank = (one.date, new.sessions, new.found.digest)
            best[new.revision_key] = max(best.get(new.revision_key, rank), rank)
    return {key: rank[2] for key, rank in best.items()}


def _store(
    one: ReadMail,
    newest: Mapping[bytes, bytes],
    revisions: Mapping[bytes, StoredRevision],
    seen_digests: set[bytes],
) -> tuple[Entry, Receipt]:
    kept: list[NewReport] = []
    outcomes: list[Outcome] = []
    for new in one.reports:
        if new.found.digest in seen_digests:
            outcomes.append("duplicate")
            continue
        seen_digests.add(new.found.digest)
        if newest[new.revision_key] == new.found.digest:
            old = revisions.get(new.revision_key)
            kept.append(msgspec.structs.replace(new, supersedes=old and old.report))
            outcomes.append("stored")
        else:
            kept.append(msgspec.structs.replace(new, status="superseded", windows=()))
            outcomes.append("superseded")
    outcome = min(outcomes, key=_RANK.__getitem__)
    entry = _entry(one, outcome, None)
    return (
        msgspec.structs.replace(entry, reports=tuple(kept)),
        Receipt(outcome, None, tuple(outcomes)),
    )


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


def _is_retried(one: ReadMail, seen: Mapping[bytes, Receipt]) -> bool:
    """Whether an operator wants it read anew: only what nobody could read is worth that."""
    return one.mail.again and seen[one.sha256].outcome == "quarantined"


def _repeat(receipt: Receipt) -> Receipt:
    """The receipt for the same bytes once more."""
    if receipt.outcome in ("quarantined", "ignored"):
        return receipt
    return Receipt("duplicate", None, tuple("duplicate" for _ in receipt.reports))
