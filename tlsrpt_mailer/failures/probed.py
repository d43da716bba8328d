"""
What our own look at an MX host says of a failure that senders report there.

A sender speaks of yesterday, the probe of now. Where it finds the host well, a
critical failure is a warning; where it finds the same trouble, one session of
one sender was no accident.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from tlsrpt_mailer.failures.findings import CONFIRMED
from tlsrpt_mailer.failures.model import Spell, Verdict
from tlsrpt_mailer.failures.severity import SENDER_SIDE, row_severity
from tlsrpt_mailer.report.times import Time

NO_STARTTLS = "mx-no-starttls"
HANDSHAKE = "mx-tls-handshake"
EXPIRED = "mx-certificate-expired"
OTHER_NAME = "mx-certificate-name"
UNTRUSTED = "mx-certificate-untrusted"
OLD_TLS = "mx-old-tls"
UNREACHABLE = "mx-unreachable"
MISMATCH = "dane-mismatch"

UNCOVERED = "mta-sts-uncovered-mx"
"""The finding that the policy does not list the MX host: whatever that shows, senders refuse it."""
BLOCKED = "probe-blocked"
"""The finding that port 25 of nobody can be reached from here: it is about this host alone."""

TROUBLE = frozenset(
    {
        NO_STARTTLS,
        HANDSHAKE,
        EXPIRED,
        OTHER_NAME,
        UNTRUSTED,
        OLD_TLS,
        UNREACHABLE,
        MISMATCH,
    }
)
"""Findings that say that something is wrong with what an MX host shows."""
_SAME: Mapping[str, frozenset[str]] = {
    "starttls-not-supported": frozenset({NO_STARTTLS}),
    "certificate-expired": frozenset({EXPIRED}),
    "certificate-host-mismatch": frozenset({OTHER_NAME}),
    "certificate-not-trusted": frozenset({UNTRUSTED}),
    "tlsa-invalid": frozenset({MISMATCH}),
    "validation-failure": TROUBLE - {UNREACHABLE},
}


def is_same_trouble(result_type: str, code: str) -> bool:
    """Whether a finding with this *code* is what senders call *result_type*."""
    return code in _SAME.get(result_type, ())


def with_probe(
    verdicts: Iterable[Verdict], spells: Collection[Spell], shown: Mapping[str, Time]
) -> list[Verdict]:
    """
    *verdicts* on one domain, with the severity that the probe leaves them.

    Args:
        spells: The findings of the domain.
        shown: When each MX host was last looked at, all of its addresses.
    """
    if not shown:
        return list(verdicts)
    ill: dict[str, list[Spell]] = {}
    for spell in spells:
        if spell.mx is not None and spell.ended_at is None and spell.code in TROUBLE | {UNCOVERED}:
            ill.setdefault(spell.mx, []).append(spell)
    return [_one(verdict, ill, shown) for verdict in verdicts]


def told_once(found: Iterable[Verdict], reported: Collection[Verdict]) -> list[Verdict]:
    """
    *found*, where what senders report as well is low: one trouble makes one mail.

    That of the failure says what is seen from here, and an answer to it is an answer to both.
    A finding that was there before the first report keeps its weight, since it may be told.
    """
    return [
        msgspec.structs.replace(one, severity="low")
        if any(_tells(other, one) for other in reported)
        else one
        for one in found
    ]


def _tells(reported: Verdict, found: Verdict) -> bool:
    """Whether the mail about a failure of the same domain speaks of this finding."""
    mx = reported.identity.mx or reported.cause.mx
    return (
        reported.is_open
        and reported.severity in {"critical", "warning"}
        and mx is not None
        and mx == found.identity.mx
        and is_same_trouble(reported.identity.result_type, found.identity.result_type)
        and reported.first_received <= found.first_seen
    )


def _one(
    verdict: Verdict, ill: Mapping[str, Collection[Spell]], shown: Mapping[str, Time]
) -> Verdict:
    mx = verdict.identity.mx or verdict.cause.mx
    if mx is None or mx not in shown or not verdict.is_open:
        return verdict
    found = ill.get(mx, ())
    if verdict.severity == "critical" and not found and shown[mx] >= verdict.last_seen:
        return msgspec.structs.replace(verdict, severity="warning", mended_at=shown[mx])
    if verdict.severity == "low" and _is_confirmed(verdict, found):
        half = verdict.share >= 0.5
        kind, result = verdict.identity.policy_type, verdict.identity.result_type
        severity = row_severity(kind, result, verdict.mode, half)
        return msgspec.structs.replace(verdict, severity=severity)
    return verdict


def _is_confirmed(verdict: Verdict, found: Iterable[Spell]) -> bool:
    """Whether what the probe finds is what the sender saw, and no slip."""
    return verdict.reasons != (SENDER_SIDE,) and any(
        is_same_trouble(verdict.identity.result_type, one.code)
        and one.looks >= CONFIRMED
        and one.last_at >= verdict.first_seen
        for one in found
    )
