"""Mails, reports, windows and verdicts as the flows hand them to the store."""

import hashlib
import json
from typing import Any

from tlsrpt_mailer.failures.model import (
    Cause,
    Identity,
    Sessions,
    Sighting,
    Verdict,
    Window,
    Witness,
)
from tlsrpt_mailer.intake.model import FoundReport, MailFacts
from tlsrpt_mailer.ports import Entry, NewReport, RawMail
from tlsrpt_mailer.report.model import FailureDetail, Policy, Report
from tlsrpt_mailer.report.times import DAY, HOUR, Time

DAY_ONE: Time = 1_790_812_800  # 2026-10-01T00:00:00Z
NOW: Time = DAY_ONE + 30 * DAY
MX = "mx1.example.com"


def sha(*parts: object) -> bytes:
    """A hash that depends on *parts* alone."""
    return hashlib.sha256(repr(parts).encode()).digest()


def report_of(
    domain: str = "example.com",
    day: int = 0,
    *,
    reporter: str = "google.com",
    ok: int = 100,
    failed: int = 0,
    result: str = "certificate-expired",
    mx: str | None = MX,
    version: int = 1,
    status: str = "counted",
    supersedes: int | None = None,
) -> NewReport:
    """One report about one domain and one day; *version* tells revisions apart."""
    start = DAY_ONE + day * DAY
    details = (
        (
            FailureDetail(
                result,
                failed,
                sending_mta_ip="192.0.2.9",
                receiving_mx_hostname=mx,
                receiving_ip="198.51.100.1",
                failure_reason_code="certificate has expired",
            ),
        )
        if failed
        else ()
    )
    policy = Policy(
        "sts",
        domain,
        ("version: STSv1", "mode: enforce"),
        ("mx1.example.com",),
        ok,
        failed,
        details,
        "enforce",
    )
    digest = sha(domain, day, reporter, ok, failed, result, mx, version)
    seen = (Sighting("sts", result, mx, failed, ("expired",)),) if failed else ()
    window = Window(
        domain=domain,
        reporter=reporter,
        start=start,
        end=start + DAY,
        report=0,
        received=start + DAY + 10 * HOUR,
        date=start + DAY + version,
        digest=digest,
        sessions=(Sessions("sts", ok, failed, "enforce"),),
        sightings=seen,
    )
    report = Report(
        organization_name=reporter.title(),
        submitter=reporter,
        report_id=f"{day}@{reporter}",
        start=start,
        end=start + DAY - 1,
        contact_info=f"tls@{reporter}",
        policies=(policy,),
    )
    found = FoundReport(report, json.dumps({"organization-name": reporter}).encode(), digest)
    return NewReport(
        found=found,
        reporter=reporter,
        revision_key=sha("key", reporter, day, domain),
        status=status,  # type: ignore[arg-type]
        supersedes=supersedes,
        windows=(window,) if status == "counted" else (),
        sessions=ok + failed,
        reason_classes=(("expired",) if failed else (),),
    )


def entry_of(*reports: NewReport, raw: bytes | None = None, **fields: Any) -> Entry:
    """One mail with these reports; other fields of `Entry`, or *taken_at* and *source*, by name."""
    body = raw if raw is not None else b"mail " + b"".join(r.found.digest for r in reports)
    window_end = reports[0].found.report.end if reports else None
    taken_at = fields.pop("taken_at", (window_end or DAY_ONE) + 10 * HOUR)
    mail = RawMail(body, fields.pop("source", "imap:test"), taken_at, fields.pop("file_name", None))
    values: dict[str, Any] = {
        "mail": mail,
        "sha256": hashlib.sha256(body).digest(),
        "facts": MailFacts(
            "<id@example.net>", "tls@example.net", "Report Domain: example.com", taken_at
        ),
        "outcome": "stored" if reports else "ignored",
        "reason": None if reports else "no report in it",
        "reports": reports,
        "found": len(reports),
    }
    return Entry(**(values | fields))


def verdict_of(
    domain: str = "example.com",
    *,
    mx: str | None = MX,
    result: str = "certificate-expired",
    state: str = "new",
    cause: Cause | None = None,
    **fields: Any,
) -> Verdict:
    """What the judge says of a failure that Google saw on day 0."""
    values: dict[str, Any] = {
        "identity": Identity(domain, "sts", result, mx),
        "cause": cause or Cause(result, mx, None if mx else domain),
        "state": state,
        "severity": "critical",
        "incident": 1,
        "first_seen": DAY_ONE,
        "clean_before": None,
        "first_failing_end": DAY_ONE + DAY,
        "last_seen": DAY_ONE + DAY,
        "last_start": DAY_ONE,
        "first_received": DAY_ONE + DAY,
        "last_received": DAY_ONE + DAY,
        "resolved_at": None,
        "stale_at": None,
        "closed_at": None,
        "failed_sessions": 3,
        "sessions": 103,
        "peak_share": 0.03,
        "mode": "enforce",
        "reasons": ("expired",),
        "witnesses": (
            Witness(
                reporter="google.com",
                known=True,
                has_say=True,
                failing_windows=1,
                failed_sessions=3,
                sessions=103,
                last_failing_end=DAY_ONE + DAY,
                clean_windows=0,
                acquitted_at=None,
                still_reports=True,
            ),
        ),
    }
    return Verdict(**(values | fields))
