"""What a failure does to mail."""

from collections.abc import Sequence

from tlsrpt_mailer.failures.model import SEVERITIES, Identity, Severity
from tlsrpt_mailer.failures.timeline import Hit
from tlsrpt_mailer.failures.windows import STRICTEST, STS_POLICY

SENDER_SIDE = "sender-side"
"""The reason class for trouble of the sender's own, which nobody here can mend."""
ORDER: dict[Severity, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def row_severity(
    policy_type: str, result_type: str, mode: str | None, half_failed: bool
) -> Severity:
    """
    What one row says of mail, before anything makes it low.

    Args:
        policy_type: As in RFC 8460, 4.4: ``sts``, ``tlsa``, ``no-policy-found``, or else.
        result_type: In lower case; unknown ones count as ``validation-failure``, the
            general category of RFC 8460, 4.3.3.
        mode: The MTA-STS mode, None where nobody knows it.
        half_failed: Whether half of the window's sessions or more failed.
    """
    if result_type == "dane-required":
        # One sender's own rule: others deliver.
        return "warning"
    if policy_type == "tlsa":
        return "critical"
    if result_type in STS_POLICY or result_type.startswith("sts-policy-"):
        return "warning"
    if policy_type == "no-policy-found" or (policy_type == "sts" and mode == "none"):
        return "warning" if half_failed else "notice"
    return "critical" if policy_type == "sts" and mode == "enforce" else "warning"


def hit_severity(hit: Hit, last_mode: str | None) -> Severity:
    """
    What one failing window says of mail.

    Args:
        hit: The failing window.
        last_mode: The mode last quoted for the domain, for a report that quotes none.
    """
    if hit.row.reasons == (SENDER_SIDE,):
        return "low"
    half_failed = 2 * hit.failed >= hit.sessions
    mode = hit.mode or last_mode
    return row_severity(hit.row.policy_type, hit.row.result_type, mode, half_failed)


def severity(hits: Sequence[Hit], last: Sequence[Hit], last_mode: str | None) -> Severity:
    """
    The severity of an incident.

    Args:
        hits: Its failing windows: those of known reporters, or all where none is known.
        last: The last one of each witness.
        last_mode: The mode last quoted for the domain.
    """
    if not any(hit.line.known for hit in hits) or _is_single(hits):
        return "low"
    return min((hit_severity(hit, last_mode) for hit in last), key=ORDER.__getitem__)


def mode_of(identity: Identity, last: Sequence[Hit], last_mode: str | None) -> str | None:
    """
    The MTA-STS mode to show for a failure, None where the policy type has none.

    The strictest that the last window of a witness quotes, as the severity is the worst.
    """
    if identity.policy_type != "sts":
        return None
    quoted = {hit.mode for hit in last}
    return next((mode for mode in STRICTEST if mode in quoted), last_mode)


def _is_single(hits: Sequence[Hit]) -> bool:
    """One failed session in all, with successes beside it."""
    return len(hits) == 1 and hits[0].failed == 1 and hits[0].line.good[hits[0].place] > 0
