"""
Had senders enforced MTA-STS or DANE: which sessions would have been refused, and at which MX. Pure.

Computed from what reports say of the last weeks. A session stands under ``sts``
or ``no-policy-found``, never under both (RFC 8460, 4.2), so those two are added;
``tlsa`` is counted apart, since one session may stand under it as well.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.domains.inventory import DaneState, StsState
from tlsrpt_mailer.report.result_types import RESULT_TYPES
from tlsrpt_mailer.report.times import DAY, Span

OVER: Span = 30 * DAY
"""How far back readiness looks."""
ENOUGH = 50
"""Fewer sessions than this tell nothing."""
TOLERATED = 1_000
"""One refused session in so many is what every mail server sees: it stands in nobody's way."""

Verdict: TypeAlias = Literal["on", "ready", "not-ready", "blocked", "unknown"]
"""``on``: it is in force already. ``blocked``: not what senders saw, but what is published,
stands in the way."""

_TYPES = frozenset({"sts", "no-policy-found"})
_POLICY = frozenset(kind.name for kind in RESULT_TYPES.values() if kind.family == "MTA-STS")
_DANE = frozenset(kind.name for kind in RESULT_TYPES.values() if kind.family == "DANE")
_CERTIFICATE = frozenset(
    {"certificate-expired", "certificate-host-mismatch", "certificate-not-trusted"}
)

_LOOK = "see what is published now: tlsrpt-mailer check"
_TLSA: dict[DaneState | None, tuple[Verdict, str]] = {
    "partial": ("blocked", "give every MX its TLSA records: tlsrpt-mailer check"),
    "broken": ("blocked", "mend the TLSA records: tlsrpt-mailer check"),
    "unknown": ("unknown", "have TLSA records looked up by a resolver that validates: [dns]"),
}
"""What comes of TLSA records that are there, but are not all that they should be."""
_PUBLISH = 'publish an MTA-STS policy with "mode: testing"'


class Row(msgspec.Struct, frozen=True):
    """What failed in one way, in one window and under one policy type."""

    result_type: str
    mx: str | None
    sessions: int


class Counted(msgspec.Struct, frozen=True):
    """The sessions of one policy type in one window."""

    reporter: str
    policy_type: str
    successful: int
    failed: int
    rows: tuple[Row, ...] = ()

    @property
    def sessions(self) -> int:
        """All of them."""
        return self.successful + self.failed


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What the last look at the domain found; None where nobody knows."""

    sts: StsState | None = None
    dane: DaneState | None = None
    uncovered: tuple[str, ...] = ()
    """MX hosts that the MTA-STS policy does not list."""
    run_by: Mapping[str, str] = {}
    """MX hosts of the domain that somebody else runs, and whom to tell (`domains.hosted`)."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a domain is ready for one of the two, and what comes next."""

    verdict: Verdict
    sessions: int
    """Of all reporters, over the time that was looked at."""
    refused: int
    """Those of them that would not have been."""
    hosts: tuple[tuple[str | None, int], ...] = ()
    """(MX, refused sessions there), most first; None where no report names the MX."""
    reporters: int = 0
    step: str = ""
    """What to do next."""

    @property
    def share(self) -> float:
        """The refused ones of all, 0 to 1."""
        return min(1.0, self.refused / self.sessions) if self.sessions else 0.0


def mta_sts(counted: Sequence[Counted], published: Published) -> Readiness:
    """Whether the mode "enforce" would refuse mail."""
    found = _added([one for one in counted if one.policy_type in _TYPES], _refused_by_sts)
    if published.sts == "enforce":
        return _with(found, "on", _mend_or(found, "nothing: the policy says enforce"))
    if published.sts == "broken":
        return _with(found, "blocked", "mend the MTA-STS policy first: tlsrpt-mailer check")
    if published.uncovered:
        hosts = ", ".join(published.uncovered[:3])
        return _with(found, "blocked", f"list {hosts} in the policy, with a new id")
    if published.sts == "testing":
        # Senders that found no policy look at no certificate: that nothing failed tells nothing.
        checked = _added([one for one in counted if one.policy_type == "sts"], _refused_by_sts)
        step = 'set "mode: enforce", with a new id'
        return _by_sessions(found, "TLS", step, published, checked=checked)
    if published.sts is None:
        return _by_sessions(found, "TLS", _LOOK, published, _LOOK)
    return _by_sessions(found, "TLS", _PUBLISH, published, f"{_PUBLISH}, and wait for reports")


def dane(counted: Sequence[Counted], published: Published) -> Readiness:
    """Whether DANE would refuse mail, or does."""
    under = _added([one for one in counted if one.policy_type == "tlsa"], _all_refused)
    if published.dane == "full":
        return _with(under, "on", _mend_or(under, "nothing: every MX has TLSA records"))
    if published.dane in _TLSA:
        return _with(under, *_TLSA[published.dane])
    found = _added([one for one in counted if one.policy_type in _TYPES], _refused_by_dane)
    theirs = " and ".join(dict.fromkeys(published.run_by.values()))
    if published.dane == "unsigned":
        step = "sign the zones of the domain and its MX with DNSSEC"
        if theirs:
            step = f"sign the zone of the domain with DNSSEC; that of its MX is up to {theirs}"
        return _with(found, "blocked", step)
    if published.dane is None:
        return _by_sessions(found, "STARTTLS", _LOOK, published, _LOOK)
    step = "sign the zones with DNSSEC, then publish TLSA 3 1 1 for every MX"
    if theirs:
        step = f"sign the zone of the domain with DNSSEC, and ask {theirs} for MX with TLSA records"
    return _by_sessions(found, "STARTTLS", step, published)


def _by_sessions(
    found: Readiness,
    what: str,
    step: str,
    published: Published,
    meanwhile: str = "wait for more reports",
    *,
    checked: Readiness | None = None,
) -> Readiness:
    """
    The verdict of what reports have seen, where nothing that is published decides.

    Args:
        checked: Those of them that tell what would have been refused; None: all do.
    """
    checked = found if checked is None else checked
    if checked.sessions < ENOUGH:
        return _with(found, "unknown", meanwhile)
    in_the_way = _in_the_way(checked) or _in_the_way(found)
    if in_the_way:
        tell = published.run_by.get(in_the_way)
        mend = f"mend {what} at {in_the_way} first"
        return _with(found, "not-ready", f"tell {tell} of {what} at {in_the_way}" if tell else mend)
    return _with(found, "ready", step)


# ----------------------------------------------------------------------- parts


def _refused_by_sts(result_type: str) -> bool:
    """
    A policy that was not had refuses nothing (RFC 8461, 5); all else that a certificate or a
    handshake shows does. What names no result, or an unknown one, is taken for the worst.
    """
    return result_type not in _POLICY and result_type not in _DANE


def _refused_by_dane(result_type: str) -> bool:
    """With TLSA 3 x x no name, date or chain matters (RFC 7672, 3.1.1): STARTTLS does."""
    return _refused_by_sts(result_type) and result_type not in _CERTIFICATE


def _all_refused(_result_type: str) -> bool:
    return True


def _added(counted: Sequence[Counted], refused: Callable[[str], bool]) -> Readiness:
    hosts: Counter[str | None] = Counter()
    total = 0
    for one in counted:
        if not (one.failed or one.rows):
            continue
        mine: Counter[str | None] = Counter()
        for row in one.rows:
            if refused(row.result_type):
                mine[row.mx] += row.sessions
        # Rows need not add up (RFC 8460, 4): what the summary counts beyond them is unnamed.
        mine[None] += max(0, one.failed - sum(row.sessions for row in one.rows))
        total += min(one.failed, sum(mine.values()))
        hosts += mine
    ranked = sorted(hosts.items(), key=lambda item: (-item[1], item[0] or ""))
    return Readiness(
        verdict="unknown",
        sessions=sum(one.sessions for one in counted),
        refused=total,
        hosts=tuple((mx, count) for mx, count in ranked if count),
        reporters=len({one.reporter for one in counted}),
    )


def _mend_or(found: Readiness, nothing: str) -> str:
    """Where it is in force: what is refused is held up."""
    where = _in_the_way(found)
    return f"mend what refuses mail at {where}: tlsrpt-mailer failures" if where else nothing


def _in_the_way(found: Readiness) -> str:
    """The MX where most was refused; "" where it is too little to matter."""
    if found.refused * TOLERATED <= found.sessions:
        return ""
    named = [mx for mx, _ in found.hosts if mx is not None]
    return named[0] if named else "the MX (no report names which)"


def _with(found: Readiness, verdict: Verdict, step: str) -> Readiness:
    return msgspec.structs.replace(found, verdict=verdict, step=step)
