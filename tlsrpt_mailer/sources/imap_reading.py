"""
One look at an IMAP folder: read what is new, hand it over, then act on each receipt.

What is remembered (`ports.Positions`): a position, below which every UID is over
or noted, and notes for the exceptions: a mail to be offered again, one that is
too large, one that waits to be moved or deleted. Notes are written before the
position moves past them, and the position moves only after the commit (and after
the act), so a kill at any instant means at most that a mail is read twice.
"""

from collections.abc import Callable, Iterable, Sequence

import structlog

from tlsrpt_mailer.ports import (
    Deliver,
    Health,
    Noted,
    Outcome,
    Position,
    Positions,
    RawMail,
    Receipt,
)
from tlsrpt_mailer.report.times import MINUTE, Span, Time
from tlsrpt_mailer.sources.imap_acts import Acts
from tlsrpt_mailer.sources.imap_batches import (
    BATCH_MAILS,
    SMALL,
    Batch,
    Listed,
    batches,
    mails,
    named,
)
from tlsrpt_mailer.sources.imap_failing import Declined
from tlsrpt_mailer.sources.imap_fetching import Fetcher, Memory
from tlsrpt_mailer.sources.imap_session import (
    CROWDED,
    LONGEST,
    Message,
    Selected,
    Session,
)
from tlsrpt_mailer.sources.imap_settings import Settings

log = structlog.get_logger()

PATIENCE: Span = LONGEST + 5 * MINUTE
"""How long one batch may take, fetching, storing and acting, before the thread counts as hung."""
DONE: frozenset[Outcome] = frozenset({"stored", "superseded", "duplicate", "held"})
TOO_LARGE = "too-large"
WITHHELD = "withheld"
"""The server lists the mail but does not hand it out."""


class Look:
    """One look at the folder, over one session."""

    def __init__(
        self,
        source: str,
        settings: Settings,
        positions: Positions,
        clock: Callable[[], Time],
        memory: Memory,
        session: Session,
    ) -> None:
        self._source = source
        self._settings = settings
        self._positions = positions
        self._clock = clock
        self._session = session
        self._acts = Acts(settings, session)
        self._memory = memory
        self._fetcher = Fetcher(session, memory)
        self._validity = 0
        self._at = 0
        self._said: dict[str, str] = {}

    def run(
        self, deliver: Deliver, health: Health, mail_limit: int, stopped: Callable[[], bool]
    ) -> int:
        """
        Read everything that is new; returns how many mails the folder holds.

        Raises:
            Unreachable: The connection is over, or the folder cannot be opened.
            Declined: The server refuses what every server has to grant.
            Temporary: The positions cannot be read or written.
        """
        selected = self._select(health)
        notes = self._notes()
        self._settle(notes)
        for batch in batches(self._offered_again(notes), mail_limit):
            self._take(batch, deliver, fresh=False)
        # What comes in meanwhile is announced in the answer to any command, and never
        # again: so the folder is selected anew until a look at it finds nothing.
        while self._read_new(selected, deliver, health, mail_limit, stopped):
            selected = self._select(health)
        health.warn(self._warnings(selected.exists))
        return selected.exists

    def _select(self, health: Health) -> Selected:
        health.beat(PATIENCE)
        keep = self._settings.after == "keep"
        selected = self._session.select(self._settings.folder, readonly=keep)
        self._find_place(selected.uidvalidity)
        return selected

    def _read_new(
        self,
        selected: Selected,
        deliver: Deliver,
        health: Health,
        mail_limit: int,
        stopped: Callable[[], bool],
    ) -> bool:
        """Take what is past the position; returns whether it makes sense to look again."""
        some = False
        before = self._acts.gone
        for page in self._session.pages(self._at + 1, selected, min(SMALL, mail_limit)):
            gone = self._acts.gone - before
            for batch in batches(page, mail_limit):
                if stopped():
                    return False
                health.beat(PATIENCE)
                behind = selected.exists - gone - batch.last.number
                health.backlog(max(0, behind) + len(batch.read))
                if not self._take(batch, deliver, fresh=True):
                    return False
                some = True
        if not some:
            health.backlog(0)
        return some

    # -------------------------------------------------------------- what is remembered

    def _find_place(self, uidvalidity: int) -> None:
        folder = self._settings.folder
        known = self._positions.position(self._source, folder)
        self._validity = self._fetcher.uidvalidity = uidvalidity
        if known is not None and known.uidvalidity == uidvalidity:
            self._at = known.uid
            return
        if known is not None:
            # The server numbers its mails anew (RFC 3501, 2.3.1.1), as after a restore:
            # all are read again, and the store knows the ones it has.
            log.info("folder.renumbered", source=self._source, folder=folder)
        self._save(0)

    def _save(self, uid: int) -> None:
        self._at = uid
        position = Position(self._validity, uid)
        self._positions.save_position(self._source, self._settings.folder, position)

    def _notes(self) -> list[Noted]:
        return self._positions.noted(self._source, self._settings.folder, self._validity)

    def _note(self, outcomes: Iterable[tuple[int, str]]) -> None:
        now = self._clock()
        if noted := [Noted(uid, outcome, now) for uid, outcome in outcomes]:
            self._positions.note(self._source, self._settings.folder, self._validity, noted)

    def _forget(self, uids: Sequence[int]) -> None:
        if uids:
            self._positions.forget(self._source, self._settings.folder, self._validity, uids)

    # -------------------------------------------------------------- older mails

    def _settle(self, notes: Sequence[Noted]) -> None:
        """Act on what waits for it and is due; forget what is too large and gone."""
        large = [note.uid for note in notes if note.outcome == TOO_LARGE]
        if large:
            there = {mail.uid for mail in self._session.sizes(large)}
            self._forget([uid for uid in large if uid not in there])
        if self._settings.after == "keep":
            return
        due = self._clock() - (
            self._settings.delete_after if self._settings.after == "delete" else 0
        )
        done = [n.uid for n in notes if n.outcome in DONE and n.at <= due]
        unreadable = [n.uid for n in notes if n.outcome == "quarantined"]
        for start in range(0, max(len(done), len(unreadable)), BATCH_MAILS):
            part = slice(start, start + BATCH_MAILS)
            if self._tried(done[part], unreadable[part]):
                self._forget(done[part] + unreadable[part])

    def _offered_again(self, notes: Sequence[Noted]) -> list[Listed]:
        """The mails that could not be stored or fetched last time, as far as they are there."""
        again = [
            note.uid
            for note in notes
            if note.outcome == "failed"
            or (note.outcome == WITHHELD and not self._fetcher.breaks_off(note.uid))
        ]
        if not again:
            return []
        listed = self._session.sizes(again)
        there = {mail.uid for mail in listed}
        self._forget([uid for uid in again if uid not in there])
        return listed

    # -------------------------------------------------------------- a batch

    def _take(self, batch: Batch, deliver: Deliver, *, fresh: bool) -> bool:
        """
        Read one batch and act on its receipts.

        Returns:
            False when the store took none of several new mails: it is in trouble, so all
            of them wait for the next look.
        """
        self._note((mail.uid, TOO_LARGE) for mail in batch.large)
        for mail in batch.large:
            log.warning("mail.too_large", source=self._source, uid=mail.uid, size=mail.size)
        messages, withheld = self._fetcher.fetch([mail.uid for mail in batch.read])
        receipts = deliver([self._raw(m) for m in messages]) if messages else []
        uids: dict[Outcome, list[int]] = {}
        for message, receipt in zip(messages, receipts, strict=True):
            uids.setdefault(receipt.outcome, []).append(message.uid)
        failed = uids.pop("failed", [])
        if failed:
            self._say_failed(receipts)
            if fresh and len(failed) == len(messages) > 1:
                return False
        self._note([(uid, WITHHELD) for uid in withheld] + [(uid, "failed") for uid in failed])
        waiting = self._act(uids)
        if fresh:
            self._save(batch.last.uid)
        else:
            over = {m.uid for m in messages} - set(failed) - waiting
            self._forget(sorted(over))
        return True

    def _raw(self, message: Message) -> RawMail:
        now = self._clock()
        taken = now if message.internal_date is None else min(now, message.internal_date)
        return RawMail(message.raw, self._source, taken)

    def _act(self, uids: dict[Outcome, list[int]]) -> set[int]:
        """Act on a batch's receipts; returns the UIDs that are noted as waiting for it."""
        if self._settings.after == "keep":
            return set()
        done = sorted(uid for outcome in DONE for uid in uids.get(outcome, ()))
        unreadable = uids.get("quarantined", [])
        waits = self._settings.after == "delete" and self._settings.delete_after > 0
        acted = self._tried([] if waits else done, unreadable)
        waiting = (set(done) if waits or not acted else set()) | (
            set() if acted else set(unreadable)
        )
        self._note((u, outcome) for outcome in uids for u in uids[outcome] if u in waiting)
        return waiting

    def _tried(self, done: Sequence[int], unreadable: Sequence[int]) -> bool:
        try:
            self._acts.act(done, unreadable)
        except Declined as refusal:
            self._said["act"] = str(refusal)
            if self._memory.not_moved != str(refusal):
                log.warning("mails.not_moved", source=self._source, error=str(refusal))
            self._memory.not_moved = str(refusal)
            return False
        if done or unreadable:
            self._memory.not_moved = ""
        return True

    # -------------------------------------------------------------- what to say

    def _say_failed(self, receipts: Sequence[Receipt]) -> None:
        reasons = [r.reason for r in receipts if r.outcome == "failed" and r.reason]
        failed = sum(r.outcome == "failed" for r in receipts)
        self._said["failed"] = (
            f"{mails(failed)} could not be stored, and will be offered again: "
            + (reasons[0] if reasons else "no reason given")
        )

    def _warnings(self, exists: int) -> str | None:
        """What the operator should mend, on one line."""
        by: dict[str, list[int]] = {}
        for note in self._notes():
            by.setdefault(note.outcome, []).append(note.uid)
        said = []
        if large := by.get(TOO_LARGE):
            said.append(f"{named(large)} too large to be read; look at them and delete them")
        if withheld := by.get(WITHHELD):
            why = self._fetcher.said or "fetching ends the connection"
            said.append(f"{named(withheld)} not handed out by the server: {why}")
        if "failed" in self._said:
            said.append(self._said["failed"])
        if "act" in self._said:
            said.append(f"mails stay in {self._settings.folder}: {self._said['act']}")
        if self._acts.left_marked:
            said.append("the server has no UIDPLUS, so mails are marked as deleted but stay")
        if exists > CROWDED and self._settings.after in ("keep", "seen"):
            said.append(
                f"{self._settings.folder} holds {exists:,} mails and keeps growing; "
                'consider after = "move" or "delete"'
            )
        return "; ".join(said) or None
