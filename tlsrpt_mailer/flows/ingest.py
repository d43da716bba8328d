"""
Take mails into the store: read outside the transaction, then one transaction a batch.

What holds (docs/explanation/delivery-guarantees.md): a receipt is returned only
after the commit; trouble of ours (disk, database, memory) is never a mail's
fault; a mail that makes the core raise three times, or that kills the process
three times, is quarantined, and the mails behind it go on.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from threading import Lock

import msgspec
import structlog

from tlsrpt_mailer.domains.canary import token_of
from tlsrpt_mailer.errors import Rejected, Temporary
from tlsrpt_mailer.flows.adopting import propose
from tlsrpt_mailer.flows.canaries_back import came_back, canary
from tlsrpt_mailer.flows.deciding import Decision, ReadMail, as_before, decide, may_reopen
from tlsrpt_mailer.flows.judging import Standing, judge_domains
from tlsrpt_mailer.flows.preparing import prepare
from tlsrpt_mailer.flows.replies import Answers
from tlsrpt_mailer.flows.trusting import (
    BATCH_SECONDS,
    MAIL_SECONDS,
    Patience,
    Trust,
    opinions,
    why_held,
)
from tlsrpt_mailer.flows.vouching import with_voucher
from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.intake.reply import read_reply
from tlsrpt_mailer.ports import Entry, RawMail, Receipt, Store, Txn
from tlsrpt_mailer.report.times import MINUTE, Span, Time

log = structlog.get_logger()

TRIES = 3
"""How often a mail may make us raise, or die, before it is put aside unread."""

UNWRITTEN_BYTES = 8 * 1024 * 1024
"""How much JSON of several mails is in memory at once: 20 KB of mail may unpack to 32 MiB of it."""

LOOK_REST: Span = 10 * MINUTE
"""What a failing domain was looked at less long ago is not looked at anew for one more report."""
IGNORED_BYTES = 1024 * 1024 * 1024
"""How much mail that is no report is kept for people to look at; past it, senders wait."""


_AGAIN = Receipt("failed", "an internal error: it is read again later")


class Settings(msgspec.Struct, frozen=True):
    """What ingesting needs to know beside the mails."""

    read: Callable[[bytes, str | None], MailContent]
    organisational: Callable[[str], str | None]
    """A host name to its organisational domain (public suffix list), None where there is none."""
    standing: Standing
    ignored_bytes: int = IGNORED_BYTES
    answers: Answers | None = None
    """Who takes answers to alerts; None: nobody."""
    trust: Trust = Trust()


class Ingest:
    """The one way into the store; `deliver` is what sources are handed."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], Time]) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._suspects: dict[bytes, int] | None = None
        self._lock = Lock()
        self._trouble: str | None = None

    def deliver(self, mails: Sequence[RawMail]) -> list[Receipt]:
        """Take these mails; one receipt a mail, in order. See `ports.Deliver`."""
        hashes = [hashlib.sha256(mail.raw).digest() for mail in mails]
        try:
            with self._lock:
                if self._suspects is None:
                    self._suspects = self._store.faults.suspects()
            return self._deliver(list(mails), hashes)
        except (Temporary, OSError, MemoryError) as error:
            return self._failed(mails, error)

    def _deliver(self, mails: list[RawMail], hashes: list[bytes]) -> list[Receipt]:
        """Split off the mails that were being read when the process died, then take the rest."""
        suspects = self._suspects or {}
        if not any(sha in suspects for sha in hashes):
            return self._take(mails, hashes)
        receipts: dict[int, Receipt] = {}
        # Who was in hand most often comes last: what ends the program then is not always the same.
        for at in sorted(range(len(mails)), key=lambda at: suspects.get(hashes[at], 0)):
            sha = hashes[at]
            unread = suspects.get(sha, 0) >= TRIES
            (receipts[at],) = self._take(
                [mails[at]], [sha], unread=unread, is_suspect=sha in suspects
            )
            if receipts[at].outcome != "failed":
                suspects.pop(sha, None)
        return [receipts[at] for at in range(len(mails))]

    def _take(
        self,
        mails: list[RawMail],
        hashes: list[bytes],
        *,
        unread: bool = False,
        is_suspect: bool = False,
    ) -> list[Receipt]:
        """One receipt a mail; those whose reports are large are committed before the next."""
        # Where somebody waits for an answer, all of a batch wait no longer than one mail may.
        is_awaited = any(mail.keep_ignored for mail in mails)
        seconds = MAIL_SECONDS if is_awaited else BATCH_SECONDS
        patience = Patience(self._settings.trust.timer, seconds)
        receipts: list[Receipt] = []
        while len(receipts) < len(mails):
            at = len(receipts)
            receipts += self._take_some(
                mails[at:], hashes[at:], patience, unread=unread, is_suspect=is_suspect
            )
        return receipts

    def _take_some(
        self,
        mails: list[RawMail],
        hashes: list[bytes],
        patience: Patience,
        *,
        unread: bool,
        is_suspect: bool,
    ) -> list[Receipt]:
        """As `_take`, for the first of them: as many as there is room for in memory."""
        self._store.faults.begin(hashes, self._clock())
        try:
            read: list[ReadMail | None] = []
            room = UNWRITTEN_BYTES
            for mail, sha in zip(mails, hashes, strict=True):
                one = (
                    ReadMail(mail, sha, None, reason=f"reading it ended the program {TRIES} times")
                    if unread
                    else self._read(mail, sha, patience)
                )
                read.append(one)
                room -= sum(len(new.found.json) for new in one.reports) if one else 0
                if room < 0:
                    break
            if is_suspect:
                self._store.faults.survived(hashes)
            receipts = self._commit([one for one in read if one is not None])
        except Rejected as error:
            return self._one_by_one(mails, hashes, error)
        except (Temporary, OSError) as error:
            self._store.faults.done(hashes)
            return self._failed(mails, error)
        except Exception as error:  # noqa: BLE001 - the edge: one mail's bytes stop no other mail
            return self._one_by_one(mails, hashes, error)
        return self._in_order(read, receipts)

    def _one_by_one(
        self, mails: list[RawMail], hashes: list[bytes], error: Exception
    ) -> list[Receipt]:
        """A batch failed for a reason that some mail in it must have: find out which."""
        if len(mails) > 1:
            receipts: list[Receipt] = []
            for mail, sha in zip(mails, hashes, strict=True):
                receipts += self._take([mail], [sha])
            return receipts
        if isinstance(error, MemoryError | Rejected):
            self._store.faults.done(hashes)
            return self._failed(mails, error)
        return [self._blame(mails[0], hashes[0], error)]

    def _blame(self, mail: RawMail, sha: bytes, error: Exception) -> Receipt:
        """The core raised on this mail alone: defer it, and quarantine it the third time."""
        unread = self._count(mail, sha, error)
        if unread is None:
            return _AGAIN
        try:
            return self._commit([unread])[0]
        except (Temporary, OSError, MemoryError):
            raise
        except Exception as trouble:
            # The edge: it cannot even be put aside.
            log.error("mail.troubles", source=mail.source, times=TRIES, exc_info=trouble)
            self._store.faults.done([sha])
            return _AGAIN

    def _count(self, mail: RawMail, sha: bytes, error: Exception) -> ReadMail | None:
        """Count that the core raised; what to put aside when it was once too often."""
        count = self._store.faults.failed(sha, f"{type(error).__name__}: {error}")
        log.error("mail.troubles", source=mail.source, times=count, exc_info=error)
        if count < TRIES:
            self._store.faults.done([sha])
            return None
        reason = f"an internal error, {TRIES} times: {type(error).__name__}"
        return ReadMail(mail, sha, None, reason=reason)

    def _read(self, mail: RawMail, sha: bytes, patience: Patience) -> ReadMail | None:
        """Everything that needs no database; None where the core raised for the first times."""
        try:
            content = self._settings.read(mail.raw, mail.file_name)
            trust = self._settings.trust
            believed = opinions(mail, content, trust, patience)
            token = token_of([found.report for found in content.reports])
            if token is not None:
                return canary(mail, sha, content, token, believed)
            reports = tuple(
                prepare(found, content, mail, opinion, trust, self._settings.organisational)
                for found, opinion in zip(content.reports, believed, strict=True)
            )
            reports = with_voucher(mail.raw, reports, self._settings.organisational)
        except (Temporary, OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - the edge, as in _take
            return self._count(mail, sha, error)
        reply = None
        if content.kind == "not-a-report" and self._settings.answers is not None:
            reply = read_reply(mail.raw, sender=mail.sender, recipients=mail.recipients)
        return ReadMail(mail, sha, content, reports, reply=reply)

    def _commit(self, read: list[ReadMail]) -> list[Receipt]:
        """One transaction: what is known, what is new, what follows from it for the failures."""
        if not read:
            return []
        now = self._clock()
        with self._store.write() as txn:
            reopened = txn.reopen(
                [one.sha256 for one in read if may_reopen(one) and one.content is not None]
            )
            read = [as_before(one, reopened.get(one.sha256, {})) for one in read]
            known = txn.known(
                [one.sha256 for one in read],
                [new.found.digest for one in read for new in one.reports],
                [
                    key
                    for one in read
                    for new in one.reports
                    for key in (new.revision_key, *new.rivals)
                ],
            )
            decided = [
                self._settle(txn, one, decision, now)
                for one, decision in zip(
                    read,
                    decide(
                        read,
                        known,
                        txn.ignored_bytes,
                        self._settings.ignored_bytes,
                        is_known=self._settings.standing.from_the_start,
                        reopened=reopened,
                        now=now,
                    ),
                    strict=True,
                )
            ]
            entries = [entry for entry, _ in decided if entry is not None]
            txn.put(entries)
            propose(txn, entries, self._settings.standing, now)
            self._judge(txn, entries, now)
        if self._trouble is not None:
            log.info("mails.taken_again")
        self._trouble = None
        receipts = [receipt for _, receipt in decided]
        for one, receipt in zip(read, receipts, strict=True):
            _log_mail(one, receipt)
        return receipts

    def _settle(self, txn: Txn, one: ReadMail, decision: Decision, now: Time) -> Decision:
        """Act on an answer to an alert; it stays a mail without a report, but one of ours."""
        entry, receipt = decision
        if one.canary is not None and entry is not None:
            return came_back(txn, one, entry, receipt, one.canary, now)
        answers = self._settings.answers
        if answers is None or one.reply is None or entry is None:
            return decision
        kind = answers.settle(txn, one.mail, one.sha256, one.reply, now)
        if kind is None:
            return decision
        reason = f"an answer to an alert: {kind}"
        # Whoever it were handed on to could answer as well: it holds the token.
        mail = one.mail
        if mail.keep_ignored and entry.forward_to == mail.forward_ignored_to:
            entry = msgspec.structs.replace(entry, forward_to=None, keep="ignored")
        return (
            msgspec.structs.replace(entry, reason=reason),
            msgspec.structs.replace(receipt, reason=reason),
        )

    def _judge(self, txn: Txn, entries: Collection[Entry], now: Time) -> None:
        touched = {
            window.domain
            for entry in entries
            for new in entry.reports
            if new.status == "counted"
            for window in new.windows
        }
        touched |= {
            policy.policy_domain
            for entry in entries
            for new in entry.reports
            if new.supersedes is not None or new.replaces
            for policy in new.found.report.policies
        }
        judge_domains(txn, txn.domains_to_judge(touched), self._settings.standing, now)
        # So that an alert, which waits for company, can say how it is now.
        failing = {
            window.domain
            for entry in entries
            for new in entry.reports
            if new.status == "counted"
            for window in new.windows
            if window.sightings
        }
        txn.look_soon(sorted(failing), now, LOOK_REST)

    def _failed(self, mails: Sequence[RawMail], error: BaseException) -> list[Receipt]:
        text = str(error) or type(error).__name__
        if self._trouble != text:
            log.warning("mails.deferred", mails=len(mails), error=text)
        self._trouble = text
        return [Receipt("failed", text) for _ in mails]

    @staticmethod
    def _in_order(read: Sequence[ReadMail | None], receipts: list[Receipt]) -> list[Receipt]:
        """Receipts of all mails, with a `failed` one for those that could not be read this time."""
        rest = iter(receipts)
        return [_AGAIN if one is None else next(rest) for one in read]


def _log_mail(one: ReadMail, receipt: Receipt) -> None:
    first = one.reports[0] if one.reports else None
    if "held" in receipt.reports and first is not None and not one.mail.again:
        held = next((new for new in one.reports if new.held_for is not None), first)
        log.info(
            "report.held",
            why=held.held_for,
            reason=why_held(held),
            reporter=held.reporter,
            source=one.mail.source,
        )
    elif one.mail.again and {"stored", "superseded"} & set(receipt.reports) and first is not None:
        log.info(
            "report.believed",
            reporter=first.reporter,
            trust=first.trust,
            source=one.mail.source,
        )
    log.info(
        "mail.taken",
        outcome=receipt.outcome,
        source=one.mail.source,
        reports=len(one.reports),
        reporter=first.reporter if first else None,
        failed_sessions=sum(
            policy.failed_sessions for new in one.reports for policy in new.found.report.policies
        ),
        reason=receipt.reason,
    )
