"""
Who wrote a report, and which reports are revisions of one another.

The reporter is who signed the mail; where nobody has looked, who it says it is
(docs/explanation/what-counts-as-new.md).
"""

import hashlib
from collections.abc import Callable, Collection

import msgspec

from tlsrpt_mailer.report.dialects import (
    KNOWN_REPORTERS,
    MACHINES,
    MAILBOX_PROVIDERS,
    REPORTING_ADDRESSES,
    REPORTING_BELOW,
    SOUNDS_LIKE_REPORTS,
)
from tlsrpt_mailer.report.hints import contact_domain, file_fields
from tlsrpt_mailer.report.hosts import normalise_host
from tlsrpt_mailer.report.marks import unverified
from tlsrpt_mailer.report.model import Report
from tlsrpt_mailer.trust.place import Place

NOBODY = "unknown"
"""The reporter of a report that names none."""


def reporter_of(
    submitter_header: str | None,
    file_name: str | None,
    contact_info: str | None,
    organization_name: str | None,
    organisational: Callable[[str], str | None],
) -> str:
    """
    The organisational domain of who wrote the report, else the organisation's name.

    Args:
        submitter_header: TLS-Report-Submitter.
        file_name: Of the attachment.
        contact_info: Of the report.
        organization_name: Of the report.
        organisational: A host name to its organisational domain, None where there is none.

    """
    fields = file_fields(file_name)
    # tlsrpt-reporter 0.5.0 writes the name of the organisation, blanks and all,
    # where a domain belongs: such a text is passed over.
    for text in (submitter_header, fields and fields[0], contact_domain(contact_info)):
        if text and (host := normalise_host(text)) and (domain := organisational(host)):
            return domain
    return organization_name or NOBODY


def signing_reporter(
    domain: str,
    author: str | None,
    place: Place,
    organisational: Callable[[str], str | None],
    listed: Collection[str] = (),
) -> str:
    """
    Who wrote a report that *domain* signed: its organisational domain.

    Who is known to everybody signs also what strangers have put into mails of its services and
    customers: what is not surely its report is marked.

    Args:
        domain: d= of a signature that is valid.
        author: The local part in From, in lower case.
        place: Where in the mail the report stands.
        organisational: A host name to its organisational domain, None where there is none.
        listed: Reporters whom the operator believes, from whatever address they write.

    """
    name = organisational(domain) or domain
    if name not in KNOWN_REPORTERS:
        return name
    is_own = name in listed or _reports_from(name, domain, author or "", place)
    return name if is_own and not place.is_text else unverified(name)


def _reports_from(name: str, domain: str, author: str, place: Place) -> bool:
    """Whether *author* is an address that this known reporter sends its reports from."""
    if name in REPORTING_ADDRESSES:
        return REPORTING_ADDRESSES[name].fullmatch(author) is not None
    is_below = domain != name
    if is_below and name in REPORTING_BELOW and REPORTING_BELOW[name].fullmatch(author):
        return True
    is_chosen = name in MAILBOX_PROVIDERS and not is_below
    sounds = not is_chosen and SOUNDS_LIKE_REPORTS.fullmatch(author) is not None
    return (sounds or author in MACHINES) and place.is_report_part


def revision_key(reporter: str, report: Report, regenerates: bool) -> bytes:
    """
    What two revisions of one report have in common, and no other reports. 32 bytes.

    That is reporter, report-id, range and set of policy domains. A report without an id and
    without a range is its own revision only.

    Args:
        reporter: Who wrote it.
        report: What it says.
        regenerates: Whether the reporter gives a report made anew another id.

    """
    identity: list[object] = [
        reporter,
        None if regenerates else report.report_id,
        report.start,
        report.end,
        sorted({policy.policy_domain for policy in report.policies}),
    ]
    has_range = report.start is not None and report.end is not None
    if not has_range and (regenerates or report.report_id is None):
        identity.append(report)
    return hashlib.sha256(msgspec.json.encode(identity)).digest()
