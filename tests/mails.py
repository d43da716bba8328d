"""
Reports and mails in the shape real senders give them, made from plain arguments.

Every function is deterministic: the same arguments give the same bytes, with
the same Message-ID. Nothing here needs pytest.
"""

import base64
import gzip as gz
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

Json = dict[str, Any]

TEXT_LINE = 76


def detail(
    result_type: str = "certificate-expired",
    mx: str | None = "mx1.example.com",
    failed: int | None = 1893,
    **more: Any,
) -> Json:
    """One row of failure-details; *more* are further members, with ``_`` for ``-``."""
    row: Json = {
        "result-type": result_type,
        "sending-mta-ip": "198.51.100.7",
        "receiving-mx-hostname": mx,
        "receiving-ip": "192.0.2.10",
        "failed-session-count": failed,
    }
    row |= {key.replace("_", "-"): value for key, value in more.items()}
    return {key: value for key, value in row.items() if value is not None}


def policy(
    domain: str = "example.com",
    *,
    policy_type: str = "sts",
    mode: str = "enforce",
    mx: Sequence[str] = ("mx1.example.com", "mx2.example.com"),
    successful: int = 3433,
    failed: int | None = None,
    details: Sequence[Mapping[str, Any]] = (),
) -> Json:
    """One element of policies; *failed* defaults to the sum over *details*."""
    if failed is None:
        failed = sum(int(row.get("failed-session-count", 1)) for row in details)
    about: Json = {"policy-type": policy_type, "policy-domain": domain}
    if policy_type == "sts":
        lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in mx)]
        about |= {"policy-string": [*lines, "max_age: 604800"], "mx-host": list(mx)}
    elif policy_type == "tlsa":
        about |= {"policy-string": ["3 1 1 " + "6007" * 16], "mx-host": list(mx)}
    element: Json = {
        "policy": about,
        "summary": {
            "total-successful-session-count": successful,
            "total-failure-session-count": failed,
        },
    }
    if details:
        element["failure-details"] = [dict(row) for row in details]
    return element


def report(
    domain: str = "example.com",
    day: str = "2026-10-13",
    *,
    organization: str = "Google Inc.",
    contact: str = "smtp-tls-reporting@google.com",
    policy_type: str = "sts",
    mode: str = "enforce",
    mx: Sequence[str] = ("mx1.example.com", "mx2.example.com"),
    successful: int = 3433,
    failed: int | None = None,
    details: Sequence[Mapping[str, Any]] | None = None,
    report_id: str | None = None,
    start: str | None = None,
    end: str | None = None,
    policies: Sequence[Mapping[str, Any]] | None = None,
) -> Json:
    """
    A report as RFC 8460, section 4 has it, about one whole day in UTC.

    Without *details* it has the one row of `detail`; ``details=()`` is a day on
    which all went well. *policies* replaces everything that makes one policy.
    """
    rows = (detail(),) if details is None else details
    only = policy(
        domain,
        policy_type=policy_type,
        mode=mode,
        mx=mx,
        successful=successful,
        failed=failed,
        details=rows,
    )
    return {
        "organization-name": organization,
        "date-range": {
            "start-datetime": start or f"{day}T00:00:00Z",
            "end-datetime": end or f"{day}T23:59:59Z",
        },
        "contact-info": contact,
        "report-id": f"{day}T00:00:00Z_{domain}" if report_id is None else report_id,
        "policies": [only] if policies is None else [dict(element) for element in policies],
    }


def document(body: Json | Sequence[Json] | bytes) -> bytes:
    """The JSON of a report as a sender writes it; bytes are taken as they are."""
    return body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()


def mail(
    body: Json | Sequence[Json] | bytes,
    *,
    sender: str = "noreply-smtp-tls-reporting@google.com",
    to: str = "tlsrpt@example.com",
    submitter: str | None = "google.com",
    domain: str | None = None,
    date: datetime | int | str | None = None,
    gzip: bool = True,
    message_id: str | None = None,
    subject: str | None = None,
    file_name: str | None = None,
    part_type: str | None = None,
    headers: Sequence[str] = (),
    newline: str = "\n",
) -> bytes:
    """
    A multipart/report as Google sends it (RFC 8460, 5.3), with one part a report.

    *body* is one report, several (one attachment each), or the bytes of the JSON.
    *submitter* makes TLS-Report-Submitter and the first field of the file name; None
    leaves the header out. *domain* is TLS-Report-Domain, by default that of the first
    policy. *date* is the Date header (epoch seconds will do), by default ten hours
    after the end of the report. *headers* are further lines, put on top as a relay does.
    """
    bodies = [body] if isinstance(body, dict | bytes) else list(body)
    first = bodies[0] if bodies and isinstance(bodies[0], dict) else {}
    domain = domain or _domain_of(first)
    name = file_name or f"{submitter or 'sender.example'}!{domain}!{_epochs(first)}!001.json"
    if gzip and file_name is None:
        name += ".gz"
    documents = [document(one) for one in bodies]
    facts = repr((sender, to, submitter, domain, str(date), subject, file_name, tuple(headers)))
    mark = hashlib.sha256(b"".join(documents) + facts.encode()).hexdigest()[:24]
    host = sender.rpartition("@")[2]
    identity = f"{domain}@{submitter or 'sender.example'}"
    top = [
        *headers,
        "MIME-Version: 1.0",
        f"Date: {_date(date, first)}",
        *(
            [f"TLS-Report-Domain: {domain}", f"TLS-Report-Submitter: {submitter}"]
            if submitter
            else []
        ),
        f"Message-ID: {message_id or f'<{mark}tls@{host}>'}",
        "Subject: "
        + (
            subject
            or f"Report Domain: {domain} Submitter: {submitter or 'sender.example'}"
            f" Report-ID: <{mark}+{identity}>"
        ),
        f"From: {sender}",
        f"To: {to}",
        f'Content-Type: multipart/report; boundary="={mark}"; report-type=tlsrpt',
    ]
    kind = part_type or f"application/tlsrpt+{'gzip' if gzip else 'json'}"
    text = f"This is an aggregate TLS report from {submitter or 'sender.example'}"
    parts = [f'Content-Type: text/plain; charset="UTF-8"\n\n{text}\n']
    # The same document many times is packed once.
    made = {one: attachment(one, name=name, kind=kind, gzip=gzip) for one in set(documents)}
    parts += [made[one] for one in documents]
    whole = "\n".join(top) + "\n\n" + "".join(f"--={mark}\n{part}\n" for part in parts)
    return (whole + f"--={mark}--\n").replace("\n", newline).encode()


def attachment(data: bytes, *, name: str, kind: str, gzip: bool = False) -> str:
    """One MIME part, base64 in lines of 76."""
    packed = base64.b64encode(gz.compress(data, mtime=0) if gzip else data).decode()
    lines = "\n".join(packed[at : at + TEXT_LINE] for at in range(0, len(packed), TEXT_LINE))
    return (
        f'Content-Type: {kind}; \n\tname="{name}"\n'
        f'Content-Disposition: attachment; \n\tfilename="{name}"\n'
        f"Content-Transfer-Encoding: base64\n\n{lines}\n"
    )


def dmarc_mail(*, to: str = "tlsrpt@example.com", day: str = "2026-10-13") -> bytes:
    """A DMARC aggregate report: the same Subject grammar, XML inside."""
    start = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())
    xml = (
        '<?xml version="1.0" encoding="UTF-8" ?>\n<feedback><report_metadata>'
        f"<org_name>google.com</org_name><report_id>{start}</report_id><date_range>"
        f"<begin>{start}</begin><end>{start + 86399}</end></date_range></report_metadata>"
        "<policy_published><domain>example.com</domain><p>none</p></policy_published></feedback>"
    ).encode()
    name = f"google.com!example.com!{start}!{start + 86399}.xml.gz"
    part = attachment(xml, name=name, kind="application/gzip", gzip=True)
    return (
        f"From: noreply-dmarc-support@google.com\nTo: {to}\nDate: {_date(None, report(day=day))}\n"
        f"Message-ID: <{start}.dmarc@google.com>\nMIME-Version: 1.0\n"
        f"Subject: Report domain: example.com Submitter: google.com Report-ID: {start}\n"
        f'Content-Type: multipart/mixed; boundary="=dmarc"\n\n--=dmarc\n{part}--=dmarc--\n'
    ).encode()


def letter(
    *,
    sender: str = "ana@example.com",
    to: str = "tlsrpt@example.com",
    subject: str = "Lunch",
    text: str = "Are you coming?",
    headers: Sequence[str] = (),
) -> bytes:
    """What a person writes."""
    mark = hashlib.sha256(repr((sender, to, subject, text, tuple(headers))).encode()).hexdigest()[
        :24
    ]
    extra = "".join(f"{line}\n" for line in headers)
    return (
        f"{extra}From: {sender}\nTo: {to}\nDate: Wed, 14 Oct 2026 09:00:00 +0000\n"
        f"Message-ID: <{mark}@example.com>\nSubject: {subject}\nMIME-Version: 1.0\n"
        f'Content-Type: text/plain; charset="UTF-8"\n\n{text}\n'
    ).encode()


def bounce(*, to: str = "tlsrpt@example.com", recipient: str = "gone@example.net") -> bytes:
    """A delivery status notification (RFC 3464) with the null return path."""
    mark = hashlib.sha256(f"{to} {recipient}".encode()).hexdigest()[:24]
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@example.net\nTo: {to}\n"
        f"Date: Wed, 14 Oct 2026 09:00:00 +0000\nMessage-ID: <{mark}@example.net>\n"
        "Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n"
        "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;"
        ' boundary="=d"\n\n--=d\nContent-Type: text/plain\n\n'
        "Your message could not be delivered\n\n--=d\n"
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: 5.1.1\n\n--=d--\n"
    ).encode()


def _domain_of(body: Json) -> str:
    for element in body.get("policies", ()):
        if isinstance(element, dict) and (name := element.get("policy", {}).get("policy-domain")):
            return str(name)
    return "example.com"


def _bounds(body: Json) -> tuple[datetime, datetime]:
    """The range of *body*; a fixed day where it is missing or not in the RFC's form."""
    span = body.get("date-range", {})
    try:
        start = datetime.fromisoformat(span["start-datetime"])
        end = datetime.fromisoformat(span["end-datetime"])
    except (KeyError, TypeError, ValueError):
        start = datetime(2026, 10, 13, tzinfo=UTC)
        end = start + timedelta(days=1)
    return tuple(at.replace(tzinfo=at.tzinfo or UTC) for at in (start, end))  # type: ignore[return-value]


def _epochs(body: Json) -> str:
    start, end = _bounds(body)
    return f"{int(start.timestamp())}!{int(end.timestamp())}"


def _date(date: datetime | int | str | None, body: Json) -> str:
    if isinstance(date, str):
        return date
    if isinstance(date, int):
        date = datetime.fromtimestamp(date, UTC)
    return format_datetime(date or _bounds(body)[1] + timedelta(hours=10))
