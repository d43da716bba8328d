"""
Mails that come one by one, committed together.

While one batch is being committed, what arrives waits and makes the next one, so
that twenty connections cost one fsync, not twenty. Each mail waits for its own
receipt.
"""

import queue
from collections.abc import Callable
from time import monotonic
from typing import TypeAlias

import msgspec
import structlog

from tlsrpt_mailer.ports import Deliver, RawMail, Receipt

log = structlog.get_logger()

BATCH_MAILS = 200
BATCH_BYTES = 8 * 1024 * 1024

Settle: TypeAlias = Callable[[Receipt], None]


class Waiting(msgspec.Struct, frozen=True):
    """One mail, and who wants to know what becomes of it."""

    mail: RawMail
    settle: Settle
    """Called once, from the thread that delivers."""
    is_wanted: Callable[[], bool] = lambda: True
    """Whether its sender waits still; asked from that thread, before it is delivered."""


class Batcher:
    """Where connections put mails, and the source's own thread takes them from."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._kept: Waiting | None = None

    def put(self, waiting: Waiting) -> None:
        """From any thread."""
        self._queue.put(waiting)

    def wake(self) -> None:
        """End the wait of `deliver_next`, from any thread."""
        self._queue.put(None)

    def deliver_next(self, deliver: Deliver, patience: float) -> int:
        """
        Deliver all that waits, up to a batch; wait for the first at most *patience* seconds.

        Returns:
            How many mails that were.
        """
        batch = self._next_batch(patience)
        if not batch:
            return 0
        receipts = _receipts(deliver, [one.mail for one in batch])
        for one, receipt in zip(batch, receipts, strict=True):
            one.settle(receipt)
        return len(batch)

    def refuse_rest(self, reason: str) -> None:
        """Tell all that wait that nothing came of it."""
        while batch := self._next_batch(0):
            for one in batch:
                one.settle(Receipt("failed", reason))

    def _next_batch(self, patience: float) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        until = monotonic() + patience
        while len(batch) < BATCH_MAILS:
            one = self._take(0 if batch else until - monotonic())
            if one is None:
                break
            if not one.is_wanted():
                # Nobody was told that it is stored, so it comes again. A flood of mails whose
                # senders are gone would else make those wait who are not.
                one.settle(Receipt("failed", "its sender is gone"))
                continue
            size += len(one.mail.raw)
            if batch and size > BATCH_BYTES:
                self._kept = one
                break
            batch.append(one)
        return batch

    def _take(self, patience: float) -> Waiting | None:
        kept, self._kept = self._kept, None
        if kept is not None:
            return kept
        try:
            if patience <= 0:
                return self._queue.get_nowait()
            return self._queue.get(timeout=patience)
        except queue.Empty:
            return None


def _receipts(deliver: Deliver, mails: list[RawMail]) -> list[Receipt]:
    try:
        receipts = deliver(mails)
    except Exception:
        # `deliver` does not raise; were it to, the senders keep their mails.
        log.exception("batch.failed", mails=len(mails))
        return [Receipt("failed", "internal error")] * len(mails)
    return receipts
