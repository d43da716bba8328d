"""What stands around a report and fills in what it leaves out (RFC 8460, 5.6: the JSON wins)."""

import re

import msgspec

from tlsrpt_mailer.report.hosts import domain_text, is_strict_host
from tlsrpt_mailer.report.text import storable

# The domain at the end of report-ids: 2026-10-01T00:00:00Z_example.com (Google,
# tlsrpt-reporter), 133198585438131172+example.com (Microsoft), and
# 20240225.example.com@host (mox) in the middle.
_ID_DOMAIN = re.compile(r"(?:_|\+|^\d{8}\.)([A-Za-z0-9.-]+\.[A-Za-z0-9-]+)\.?(?:@[^@]*)?$")


class Hints(msgspec.Struct, frozen=True):
    """What the mail says about the report in it."""

    submitter: str | None = None
    """TLS-Report-Submitter."""
    domain: str | None = None
    """TLS-Report-Domain, else the domain that the Subject names."""
    file_name: str | None = None
    """Of the attachment: submitter!domain!start!end!id.json.gz (RFC 8460, 5.1)."""

    def domain_of(self, report_id: str | None) -> str | None:
        """The policy domain where the report names none."""
        fields = file_fields(self.file_name)
        found = None
        if report_id is not None and len(report_id) <= 400:
            found = _ID_DOMAIN.search(report_id)
        for text in (self.domain, found and found[1], fields and fields[1]):
            if text and is_strict_host(name := domain_text(text)):
                return name
        return None


def submitter_of(hints: Hints, contact_info: str | None, chars: int) -> str | None:
    """TLS-Report-Submitter, else the file name's first field, else the domain of contact-info."""
    fields = file_fields(hints.file_name)
    for text in (hints.submitter, fields and fields[0], contact_domain(contact_info)):
        if text and (kept := storable(text, chars).strip()):
            return kept
    return None


def file_fields(name: str | None) -> list[str] | None:
    """The fields of a report's file name; None where it is none (RFC 8460, 5.1)."""
    if name is None or "!" not in name:
        return None
    fields = name.split("!", 5)
    return fields if len(fields) >= 4 else None


def contact_domain(contact_info: str | None) -> str | None:
    """The domain of an address, also in a mailto: URI; None where there is none."""
    if contact_info is None or "@" not in contact_info:
        return None
    domain = domain_text(contact_info.rpartition("@")[2].partition("?")[0].strip("<> "))
    return domain if is_strict_host(domain) else None
