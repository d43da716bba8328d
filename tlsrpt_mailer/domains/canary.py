"""
The test report that goes the way of a real one, and how it is known again. Pure.

It speaks of a domain that nobody can have (RFC 2606, 2), so that no receiver
takes it for news; ours counts no report about it, whoever wrote it.
"""

import base64
import gzip
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

import msgspec

from tlsrpt_mailer import __version__
from tlsrpt_mailer.report.model import Report
from tlsrpt_mailer.report.times import DAY, Time, iso

DOMAIN = "tlsrpt-canary.invalid"
"""What it speaks of."""
HEADER = "X-TLSRPT-Mailer-Canary"
TEXT = (
    "This is a test report of tlsrpt-mailer to itself: it shows that TLS reports\n"
    "reach this address. Nothing is to be done with it.\n"
)


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """One test report."""

    token: str
    """What it is known by: its report-id."""
    sender: str
    recipient: str
    at: Time


def token_of(reports: Sequence[Report]) -> str | None:
    """What a mail with these reports is known by, if it is a test report; "" for one without."""
    policies = [policy for report in reports for policy in report.policies]
    if not policies or any(policy.policy_domain != DOMAIN for policy in policies):
        return None
    return next((report.report_id for report in reports if report.report_id), "")


def mail(canary: Canary) -> bytes:
    """The mail, unsigned, with CRLF (RFC 8460, 5.3)."""
    ours = canary.sender.rpartition("@")[2]
    start = (canary.at // DAY - 1) * DAY
    name = f"{ours}!{DOMAIN}!{start}!{start + DAY - 1}.json.gz"
    packed = gzip.compress(_json(canary, ours, start), mtime=0)
    # Put together here, since the library folds the file's name in a way (RFC 2231) that not
    # every receiver reads.
    lines = [
        f"From: {canary.sender}",
        f"To: {canary.recipient}",
        f"Date: {format_datetime(datetime.fromtimestamp(canary.at, UTC))}",
        f"Subject: Report Domain: {DOMAIN} Submitter: {ours}",
        f" Report-ID: <{canary.token}@{ours}>",
        f"Message-ID: <tlsrpt.canary.{canary.token}@{ours}>",
        f"TLS-Report-Domain: {DOMAIN}",
        f"TLS-Report-Submitter: {ours}",
        "TLS-Required: No",
        "Auto-Submitted: auto-generated",
        f"{HEADER}: {canary.token}",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=tlsrpt;",
        f' boundary="{canary.token}"',
        "",
        f"--{canary.token}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        *TEXT.splitlines(),
        "",
        f"--{canary.token}",
        "Content-Type: application/tlsrpt+gzip;",
        f' name="{name}"',
        "Content-Transfer-Encoding: base64",
        "Content-Disposition: attachment;",
        f' filename="{name}"',
        "",
        *base64.encodebytes(packed).decode("ascii").splitlines(),
        "",
        f"--{canary.token}--",
        "",
    ]
    return "\r\n".join(lines).encode("ascii")


def _json(canary: Canary, ours: str, start: Time) -> bytes:
    return msgspec.json.encode(
        {
            "organization-name": f"tlsrpt-mailer {__version__} on {ours}",
            "date-range": {
                "start-datetime": iso(start),
                "end-datetime": iso(start + DAY - 1),
            },
            "contact-info": canary.sender,
            "report-id": canary.token,
            "policies": [
                {
                    "policy": {"policy-type": "no-policy-found", "policy-domain": DOMAIN},
                    "summary": {
                        "total-successful-session-count": 1,
                        "total-failure-session-count": 0,
                    },
                }
            ],
        }
    )
