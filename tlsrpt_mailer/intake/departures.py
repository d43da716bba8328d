"""How the mail around a report departs from RFC 8460: noted, and never held against it."""

from tlsrpt_mailer.intake.mime import Headers
from tlsrpt_mailer.report.hosts import normalise_host
from tlsrpt_mailer.report.model import Report

ZIP = "mail: packed as zip, not as gzip (RFC 8460, 5.2)"
TWICE = "mail: packed twice"

_TYPE = "application/tlsrpt"
_NO_REPORT = "mail: not multipart/report with report-type=tlsrpt (RFC 8460, 5.3)"


def departures(headers: Headers, content_type: str, level: int) -> tuple[str, ...]:
    """
    What is odd about a part with a report in it.

    Args:
        headers: Of the message that the part belongs to.
        content_type: Of the part, in lower case.
        level: How many times the report was packed.

    """
    notes: list[str] = []
    whole = headers.get("content-type", "").lower()
    if not ("report-type" in whole and "tlsrpt" in whole):
        notes.append(_NO_REPORT)
    if not content_type.startswith(_TYPE):
        notes.append(f"mail: the report came as {content_type}, not {_TYPE}+gzip or +json")
    elif content_type.endswith("+json") and level:
        notes.append(f"mail: packed, though its type is {content_type}")
    elif content_type.endswith("gzip") and not level:
        notes.append(f"mail: not packed, though its type is {content_type}")
    if level > 1:
        notes.append(TWICE)
    return tuple(notes)


def other_domain(told: str | None, report: Report) -> tuple[str, ...]:
    """A note where the headers name another domain; the report is right (RFC 8460, 5.6)."""
    named = normalise_host(told) if told else None
    if named is None or any(policy.policy_domain == named for policy in report.policies):
        return ()
    return (f"mail: its headers say that the report is about {named}",)
