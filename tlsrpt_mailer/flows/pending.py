"""Verify again the mails whose key could not be asked for when they came."""

import time
from collections.abc import Callable, Collection

from tlsrpt_mailer.ports import Deliver, PendingMails
from tlsrpt_mailer.report.times import HOUR, MINUTE, Span, Time

BACK_OFF: tuple[Span, ...] = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)
"""From one try to the next, after the first that failed."""
LATER: Span = 6 * HOUR
"""And from then on, for as long as the mail is kept."""
AT_MOST = 200
"""Mails a run."""
SECONDS = 30.0
"""How long a run takes at most: other jobs wait for it. The rest is due at the next one."""


def verify_pending(
    pending: PendingMails,
    deliver: Deliver,
    now: Time,
    timer: Callable[[], float] = time.monotonic,
    organisational: Callable[[str], str | None] = str,
    known: Collection[str] = (),
) -> int:
    """
    Read again what is due; returns how many mails that was.

    Each is judged anew in one transaction of its own: what is verified counts, what still has
    no key waits longer the next time. The signing domains take turns: mails of one whose name
    servers are silent keep nobody else's waiting, however many they are.
    """
    until = timer() + SECONDS
    done = 0
    for number in pending.due(now, AT_MOST, organisational, known):
        if timer() >= until:
            break
        one = pending.mail(number)
        if one is None:
            continue
        [receipt] = deliver([one.mail])
        if receipt.outcome == "failed":
            # Trouble of ours, which the next mail would have as well.
            break
        pending.postpone(number, now + wait(one.tries))
        done += 1
    return done


def wait(tries: int) -> Span:
    """How long after a try that failed, of which *tries* went before, the next one follows."""
    return BACK_OFF[tries] if tries < len(BACK_OFF) else LATER
