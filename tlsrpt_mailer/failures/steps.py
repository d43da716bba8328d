"""
The steps by which a failure gets worse.

A step that came after an acknowledgement lifts it; a step that nobody was told
of is the event *worsened*. Steps only ever join: an incident that got better
and worse again has taken no new one.
"""

from collections.abc import Iterable

from tlsrpt_mailer.failures.severity import hit_severity
from tlsrpt_mailer.failures.timeline import Hit

SHARES = (1, 10, 50)
"""Per cent of one reporter's sessions in one window."""
MIN_SESSIONS = 20
MIN_FAILED = 3


def steps_of(hits: Iterable[Hit], last_mode: str | None) -> tuple[str, ...]:
    """
    The steps that these failing windows of one incident show, sorted.

    ``share-1``, ``share-10``, ``share-50``: that many per cent or more failed,
    of 20 sessions and 3 failures at least. ``enforce``: the policy's mode went
    from testing to enforce. ``reason-CLASS``: this reason class was given.
    ``reporters``: a second known reporter saw what was not critical by then.
    """
    ordered = sorted(hits, key=_by_start)
    found = {f"reason-{reason}" for hit in ordered for reason in hit.row.reasons}
    found |= _shares(ordered)
    modes = [hit.mode for hit in ordered if hit.mode is not None]
    if "testing" in modes and "enforce" in modes[modes.index("testing") :]:
        found.add("enforce")
    if _is_corroborated(ordered, last_mode):
        found.add("reporters")
    return tuple(sorted(found))


def _by_start(hit: Hit) -> tuple[int, int, str]:
    return hit.start, hit.end, hit.line.reporter


def _shares(hits: Iterable[Hit]) -> set[str]:
    return {
        f"share-{share}"
        for hit in hits
        if hit.sessions >= MIN_SESSIONS and hit.failed >= MIN_FAILED
        for share in SHARES
        if 100 * hit.failed >= share * hit.sessions
    }


def _is_corroborated(hits: Iterable[Hit], last_mode: str | None) -> bool:
    first: str | None = None
    for hit in hits:
        if not hit.line.known:
            continue
        if first is None:
            first = hit.line.reporter
        if hit.line.reporter != first:
            return True
        if hit_severity(hit, last_mode) == "critical":
            return False
    return False
