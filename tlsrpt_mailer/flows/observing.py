"""Read from the store who reports, and who may have stopped."""

import msgspec

from tlsrpt_mailer.failures.silence import Gap, Pair, Seen, gaps_in, habits, merged
from tlsrpt_mailer.ports import Watching
from tlsrpt_mailer.report.times import DAY, Span, Time

LOOK_BACK: Span = 75 * DAY
"""28 days that show a habit, and the 39 after which the rarest regular reporter is silent."""
RECEIPTS: Span = 28 * DAY
"""How much further the receipts go that say what is normal."""
SOONEST: Span = 4 * DAY
"""No pair is silent before."""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What the store says of who reports."""

    last_end: dict[tuple[str, str], Time]
    """(domain, reporter) to the end of the last window."""
    pairs: tuple[Pair, ...]
    others_report: bool
    gaps: tuple[Gap, ...]
    last_receipt: Time | None
    began: Time | None


def observe(watching: Watching, now: Time) -> Observed:
    """Read who reports; the windows only of domains on which somebody may be silent."""
    since = now - LOOK_BACK
    last_end = {(domain, reporter): end for domain, reporter, end in watching.pairs(since)}
    late = {domain for (domain, _), end in last_end.items() if end <= now - SOONEST}
    seen: list[Seen] = []
    for domain in sorted(late):
        seen += watching.seen(domain, since)
    pairs = tuple(habits(one for one in seen if one.end <= now))
    fresh = sorted({domain for domain, _ in last_end} - late)
    regular = (
        any(pair.is_regular for pair in habits(watching.seen(domain, since))) for domain in fresh
    )
    return Observed(
        last_end=last_end,
        pairs=pairs,
        others_report=any(regular),
        gaps=tuple(_gaps(watching, now)),
        last_receipt=watching.last_receipt(now),
        began=watching.began(),
    )


def _gaps(watching: Watching, now: Time) -> list[Gap]:
    """When nothing came in, or a source of ours did not work."""
    receipts = watching.receipts(now - LOOK_BACK - RECEIPTS)
    broken = [
        (one.since, now)
        for one in watching.sources()
        if one.state == "trouble" and one.last_report is not None
    ]
    told = [(row.since, row.ended_at or now) for row in watching.announced(("source",))]
    return merged([*gaps_in(receipts, now), *broken, *told])
