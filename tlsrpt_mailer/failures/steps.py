"""
The steps by which a failure gets worse.

A step that came after an acknowledgement lifts it; a step that nobody was told
of is the event *worsened*. Steps only ever join: an incident that got better
and worse again has taken no new one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from tlsrpt_mailer.failures.severity import SENDER_SIDE, hit_severity
from tlsrpt_mailer.failures.timeline import Hit
from tlsrpt_mailer.failures.witnesses import heard
from tlsrpt_mailer.report.times import Time

SHARES = (1, 10, 50)
"""Per cent of one reporter's sessions in one window."""
MIN_SESSIONS = 20
MIN_FAILED = 3
NOT_FIXED = "not-fixed-"
"""Begins the step of a ``fixed`` that was refuted; what follows is when it was said."""

OWN: Mapping[str, frozenset[str]] = {
    "certificate-expired": frozenset({"expired"}),
    "certificate-host-mismatch": frozenset({"name-mismatch"}),
    # OpenSSL tells a certificate that signed itself from a chain without an end, Go does not.
    "certificate-not-trusted": frozenset({"untrusted-chain", "self-signed"}),
    "tlsa-invalid": frozenset({"dane-mismatch"}),
    "dnssec-invalid": frozenset({"dns"}),
}
"""Reason classes that say no more than the result type does: one reporter names them,
another leaves them out, and nothing has become worse."""
VAGUE = frozenset({"generic", "unclassified", SENDER_SIDE})
"""Reason classes that name no cause that somebody here could look for."""


def steps_of(hits: Sequence[Hit], last_mode: str | None) -> tuple[str, ...]:
    """
    The steps that these failing windows of one incident show, sorted.

    ``share-1``, ``share-10``, ``share-50``: that many per cent or more failed,
    of 20 sessions and 3 failures at least. ``enforce``: the policy's mode went
    from testing to enforce. ``reason-CLASS``: this reason class was given, and
    it is another cause than the result type names. ``reporters``: a second
    known reporter saw what was not critical by then. Windows in planned
    maintenance show none while there are others.
    """
    ordered = sorted(heard(hits), key=_by_start)
    found = {f"reason-{reason}" for reason in _causes(ordered)}
    found |= _shares(ordered)
    modes = [hit.mode for hit in ordered if hit.mode is not None]
    if "testing" in modes and "enforce" in modes[modes.index("testing") :]:
        found.add("enforce")
    if _is_corroborated(ordered, last_mode):
        found.add("reporters")
    return tuple(sorted(found))


def refutations(said: Iterable[Time]) -> tuple[str, ...]:
    """The steps of each ``fixed``, by when it was *said*, that a later window refuted."""
    return tuple(f"{NOT_FIXED}{at}" for at in sorted(set(said)))


def _by_start(hit: Hit) -> tuple[int, int, str]:
    return hit.start, hit.end, hit.line.reporter


def _causes(hits: Sequence[Hit]) -> Collection[str]:
    """The reason classes that name another cause."""
    own = OWN.get(hits[0].row.result_type, frozenset())
    named = [set(hit.row.reasons) - VAGUE for hit in hits]
    others = set().union(*named) - own
    # "validation-failure" names no cause. Google leaves it at that, Microsoft says one day
    # later which it is: the first word on the cause is not yet another cause.
    if len(others) == 1 and not own and not all(named):
        return ()
    return others


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
