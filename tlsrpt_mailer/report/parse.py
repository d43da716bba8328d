"""
From JSON to a `Report`: everything normalised, every departure noted.

RFC 8460, section 4 says what a report holds; real senders leave out, rename
and retype nearly all of it. Nothing is required but an object with policies.
"""

import msgspec

from tlsrpt_mailer.report.dates import read_date
from tlsrpt_mailer.report.decode import Decoded, DocumentLimits, decode, digest_of, json_type
from tlsrpt_mailer.report.hints import Hints, submitter_of
from tlsrpt_mailer.report.model import FailureDetail, Policy, Report
from tlsrpt_mailer.report.notes import Notes
from tlsrpt_mailer.report.policy_text import mode_of, mx_hosts, policy_lines
from tlsrpt_mailer.report.result_types import POLICY_TYPES, RESULT_TYPES
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.report.values import Object, Place, Reader

_SUCCESSFUL = "total-successful-session-count"
_FAILED = "total-failure-session-count"

# Other names under which a member was seen, after the one of RFC 8460, 4.4.
_HOSTNAME = ("receiving-mx-hostname", "receiving-mx-host-name")
_INFORMATION = ("additional-information", "additional-info-uri", "additional-information-uri")
_REASON = ("failure-reason-code", "failure-error-code")

_ENDS = ("start-datetime", "end-datetime")
_RESULTS = frozenset(RESULT_TYPES)


def parse(
    document: bytes,
    *,
    limits: DocumentLimits | None = None,
    submitter: str | None = None,
    domain: str | None = None,
    file_name: str | None = None,
) -> Report:
    """
    The report at the beginning of *document*.

    Args:
        document: JSON, unpacked.
        limits: How much of it is read.
        submitter: TLS-Report-Submitter.
        domain: What headers call the policy domain; fills in where the report names none.
        file_name: Of the attachment; fills in what the headers leave open.

    Raises:
        TooLarge: It passes a limit.
        BadReport: It is no JSON object with policies.

    """
    limits = limits or DocumentLimits()
    return build(decode(document, limits), limits, Hints(submitter, domain, file_name))


def digest(document: bytes, limits: DocumentLimits | None = None) -> bytes:
    """
    SHA-256 of the canonical JSON of the report at the beginning of *document*.

    Raises:
        BadReport: It is no JSON object with policies, or passes a limit.

    """
    return digest_of(decode(document, limits or DocumentLimits()))


def build(decoded: Decoded, limits: DocumentLimits, hints: Hints) -> Report:
    """The report that *decoded* holds; takes anything that `decode` returned."""
    notes = Notes(decoded.notes)
    reader = Reader(notes, limits.string_chars)
    value = decoded.value
    organization = reader.text(value, "organization-name", ())
    start, end = _range(reader, value)
    contact = reader.text(value, "contact-info", ())
    report_id = reader.text(value, "report-id", ())
    policies = _Policies(reader, limits).read(value)
    if any(not policy.policy_domain for policy in policies):
        policies = _with_domains(policies, hints.domain_of(report_id))
    return Report(
        organization_name=organization,
        submitter=submitter_of(hints, contact, limits.string_chars),
        report_id=report_id,
        start=start,
        end=end,
        contact_info=contact,
        policies=policies,
        deviations=notes.all(),
    )


def _range(reader: Reader, value: Object) -> tuple[Time | None, Time | None]:
    if "date-range" not in value and not value.keys().isdisjoint(_ENDS):
        reader.note((), "date-range", "its members stand directly in the report")
        span = value
    else:
        span = reader.member(value, "date-range", ())
    start, end = (_date(reader, span, name) for name in _ENDS)
    if start is not None and end is not None and end < start:
        reader.note((), "date-range", "ends before it starts")
    return start, end


def _date(reader: Reader, span: Object, name: str) -> Time | None:
    time, wrong = read_date(span.get(name))
    if wrong is not None and span:
        reader.note(("date-range",), name, wrong)
    return time


def _with_domains(policies: tuple[Policy, ...], hint: str | None) -> tuple[Policy, ...]:
    """Fill in the domain where it is missing: from outside the report, else from its neighbours."""
    named = {policy.policy_domain for policy in policies if policy.policy_domain}
    domain = hint or (named.pop() if len(named) == 1 else "")
    return tuple(
        policy if policy.policy_domain else msgspec.structs.replace(policy, policy_domain=domain)
        for policy in policies
    )


class _Policies:
    """Reads the policies of one report, which share one limit of failure details."""

    def __init__(self, reader: Reader, limits: DocumentLimits) -> None:
        self._reader = reader
        self._policies_most = limits.policies
        self._most = limits.failure_details
        self._room = limits.failure_details

    def read(self, value: Object) -> tuple[Policy, ...]:
        reader = self._reader
        elements = reader.elements(value, "policies", ())
        most = self._policies_most
        if len(elements) > most:
            reader.note((), "policies", f"only the first {most} of {len(elements)} are kept")
        policies: list[Policy] = []
        for number, element in enumerate(elements[:most]):
            if isinstance(element, dict):
                policies.append(self._policy(element, ("policies", number)))
            else:
                reader.note(("policies",), number, f"{json_type(element)}, not an object")
        return tuple(policies)

    def _policy(self, element: Object, at: Place) -> Policy:
        reader = self._reader
        about, where = self._half(element, "policy", at, ("policy-type", "policy-domain"))
        summary, summed = self._half(element, "summary", at, (_SUCCESSFUL, _FAILED))
        kind = reader.word(about, "policy-type", where, POLICY_TYPES)
        lines = policy_lines(reader, about, where, kind)
        return Policy(
            policy_type=kind,
            policy_domain=reader.domain(about, "policy-domain", where) or "",
            policy_string=lines,
            mx_host=mx_hosts(reader, about, where, kind),
            successful_sessions=reader.count(summary, _SUCCESSFUL, summed, 0),
            failed_sessions=reader.count(summary, _FAILED, summed, 0),
            failure_details=self._details(element, at),
            mode=mode_of(kind, lines),
        )

    def _half(
        self, element: Object, name: str, at: Place, members: tuple[str, str]
    ) -> tuple[Object, Place]:
        """The object about the policy or the counts; some programs believe the element is both."""
        if name not in element and not element.keys().isdisjoint(members):
            self._reader.note(at[:-1], at[-1], f"the members of {name} stand directly in it")
            return element, at
        return self._reader.member(element, name, at), (*at, name)

    def _details(self, element: Object, at: Place) -> tuple[FailureDetail, ...]:
        if "failure-details" not in element:
            return ()
        rows = self._reader.elements(element, "failure-details", at)
        taken = rows[: self._room]
        self._room -= len(taken)
        if len(rows) > len(taken):
            what = f"{len(rows) - len(taken)} rows past the first {self._most} dropped"
            self._reader.note(at, "failure-details", what)
        place = (*at, "failure-details")
        details: list[FailureDetail] = []
        for number, row in enumerate(taken):
            if isinstance(row, dict):
                details.append(self._detail(row, (*place, number)))
            else:
                self._reader.note(place, number, f"{json_type(row)}, not an object")
        return tuple(details)

    def _detail(self, row: Object, at: Place) -> FailureDetail:
        reader = self._reader
        # Microsoft and Mail.ru name no addresses and no host when they could not
        # fetch the policy: no connection was made. RFC 8460, 4.4 marks only the
        # HELO, the information and the reason optional, so the rest is noted.
        return FailureDetail(
            result_type=reader.word(row, "result-type", at, _RESULTS),
            failed_sessions=reader.count(row, "failed-session-count", at, 1),
            sending_mta_ip=reader.text(row, "sending-mta-ip", at),
            receiving_mx_hostname=reader.domain(row, self._name(row, _HOSTNAME, at), at),
            receiving_mx_helo=reader.text(row, "receiving-mx-helo", at, optional=True),
            receiving_ip=reader.text(row, "receiving-ip", at),
            additional_information=reader.text(
                row, self._name(row, _INFORMATION, at), at, optional=True
            ),
            failure_reason_code=reader.text(row, self._name(row, _REASON, at), at, optional=True),
        )

    def _name(self, row: Object, names: tuple[str, ...], at: Place) -> str:
        """Under which of its *names* a member has a value; the right one where it has none."""
        if not row.get(names[0]):
            for other in names[1:]:
                if row.get(other):
                    self._reader.note(at, other, f"should be called {names[0]}")
                    return other
        return names[0]
