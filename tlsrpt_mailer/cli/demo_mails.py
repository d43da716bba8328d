"""The mails of the demo: reports in the shape that Google and Microsoft send them."""

import gzip
import json
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import msgspec

from tlsrpt_mailer.report.times import DAY, HOUR, Time, iso

DOMAINS = ("example.com", "shop.example")
MX = ("mx1.example.com", "mx2.example.com")


class Reporter(msgspec.Struct, frozen=True):
    """Who sends reports, and how many sessions a day it has."""

    organization: str
    domain: str
    contact: str
    delay: int
    sessions: int


GOOGLE = Reporter("Google Inc.", "google.com", "smtp-tls-reporting@google.com", 11 * HOUR, 5326)
MICROSOFT = Reporter(
    "Microsoft Corporation", "microsoft.com", "tlsrpt-noreply@microsoft.com", 9 * HOUR, 802
)


class Story:
    """Eight days that end yesterday, as seen from *now*."""

    def __init__(self, now: Time) -> None:
        self._yesterday = now - now % DAY - DAY
        self._now = now

    def healthy_week(self) -> list[bytes]:
        """Two reporters, two domains, seven days without a failure."""
        return [
            self._mail(reporter, domain, self._yesterday - back * DAY, 0)
            for back in range(7, 0, -1)
            for reporter in (GOOGLE, MICROSOFT)
            for domain in DOMAINS
        ]

    def expired(self) -> list[bytes]:
        """Yesterday: the certificate of the first MX had expired, for both domains."""
        return [
            self._mail(GOOGLE, domain, self._yesterday, failed)
            for domain, failed in zip(DOMAINS, (1893, 640), strict=True)
        ]

    def _mail(self, reporter: Reporter, domain: str, day: Time, failed: int) -> bytes:
        mode = "enforce" if domain == DOMAINS[0] else "testing"
        sessions = reporter.sessions if domain == DOMAINS[0] else reporter.sessions // 3
        element: dict[str, object] = {
            "policy": {
                "policy-type": "sts",
                "policy-string": ["version: STSv1", f"mode: {mode}", *(f"mx: {mx}" for mx in MX)],
                "policy-domain": domain,
                "mx-host": list(MX),
            },
            "summary": {
                "total-successful-session-count": sessions - failed,
                "total-failure-session-count": failed,
            },
        }
        if failed:
            element["failure-details"] = [
                _row("192.0.2.10", failed - failed // 3),
                _row("2001:db8::10", failed // 3),
            ]
        report: dict[str, object] = {
            "organization-name": reporter.organization,
            "date-range": {"start-datetime": iso(day), "end-datetime": iso(day + DAY - 1)},
            "contact-info": reporter.contact,
            "report-id": f"{iso(day)}_{domain}",
            "policies": [element],
        }
        return _message(reporter, domain, day, min(day + DAY + reporter.delay, self._now), report)


def _row(ip: str, failed: int) -> dict[str, object]:
    return {
        "result-type": "certificate-expired",
        "sending-mta-ip": "198.51.100.7",
        "receiving-mx-hostname": MX[0],
        "receiving-ip": ip,
        "failed-session-count": failed,
    }


def _message(
    reporter: Reporter, domain: str, day: Time, sent: Time, report: dict[str, object]
) -> bytes:
    """RFC 8460, 5.3: multipart/report with a gzipped part."""
    message = EmailMessage(SMTP)
    name = f"{reporter.domain}!{domain}!{day}!{day + DAY - 1}!001.json.gz"
    message["From"] = f"noreply-smtp-tls-reporting@{reporter.domain}"
    message["To"] = "tlsrpt@example.com"
    message["Date"] = format_datetime(datetime.fromtimestamp(sent, UTC))
    message["Subject"] = (
        f"Report Domain: {domain} Submitter: {reporter.domain} Report-ID: <{day}.{domain}>"
    )
    message["Message-ID"] = f"<{day}.{domain}@{reporter.domain}>"
    message["TLS-Report-Domain"] = domain
    message["TLS-Report-Submitter"] = reporter.domain
    message.set_content(f"This is an aggregate TLS report from {reporter.domain}\n")
    message.add_attachment(
        gzip.compress(json.dumps(report).encode(), mtime=0),
        maintype="application",
        subtype="tlsrpt+gzip",
        filename=name,
    )
    message.set_type("multipart/report")
    message.set_param("report-type", "tlsrpt")
    return message.as_bytes()
