"""
The way in: from the bytes of a mail, or of a bare report file, to its reports.

Content decides, never a media type or a name; those only tell whether
something that cannot be read was meant to be a report. Every report in a mail
is taken, and past a limit those that were found by then.
"""

import msgspec

from tlsrpt_mailer.errors import BadReport, TooLarge
from tlsrpt_mailer.intake import classify
from tlsrpt_mailer.intake.departures import ZIP, departures, other_domain
from tlsrpt_mailer.intake.extract import Mail
from tlsrpt_mailer.intake.facts import claims_report, facts_of, submitter_and_domain
from tlsrpt_mailer.intake.inflate import gunzip, unzip
from tlsrpt_mailer.intake.mime import MESSAGE_TYPES, Headers, Part
from tlsrpt_mailer.intake.model import Flavour, FoundReport, Limits, MailContent, MailFacts
from tlsrpt_mailer.intake.salvage import uncovered
from tlsrpt_mailer.report.decode import DocumentLimits, decode, digest_of, structural
from tlsrpt_mailer.report.hints import Hints, file_fields
from tlsrpt_mailer.report.model import Report
from tlsrpt_mailer.report.parse import build

_DEFAULT = Limits()
_DEFAULT_DOCUMENT = DocumentLimits()
_NOTHING = "it claims to be a TLS report, but there is none in it"
_WRONG_MIME = "it is put together wrongly (RFC 2045, RFC 2046), and was read with allowances"
_POLICIES = b'"policies"'
_PROBLEMS_TOLD = 10

_DEFLATE_MOST = 1_032
"""How many bytes deflate makes of one at most."""


def read(raw: bytes, *, file_name: str | None = None, limits: Limits = _DEFAULT) -> MailContent:
    """
    What *raw* holds: a mail, or the bare file of a report (JSON, gzip, zip).

    Never raises for any bytes (except MemoryError).

    Args:
        raw: A whole mail, or a whole file.
        file_name: The name of a bare file; helps to tell what it was meant to be, and its first
            field who submitted it. No folder in it.
        limits: How much of it is read.

    """
    return _Reading(limits).read(raw, file_name)


class _Context(msgspec.Struct, frozen=True):
    """Where a piece of data was found."""

    headers: Headers
    file_name: str | None
    is_claimed: bool
    """Whether anything says that it is a TLS report, so that it is a bad one if unreadable."""
    level: int
    """How many times it was unpacked."""
    depth: int
    """How many parts it lies within."""
    content_type: str | None = None
    """Of the part; None for a bare file."""
    notes: tuple[str, ...] = ()
    """What had to be taken off it."""
    within: int = 0
    """How many parts of its own mail it lies within."""


class _Reading:
    """One mail being read: what is found, what went wrong, and what may still be unpacked."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._document_limits = (
            _DEFAULT_DOCUMENT if limits is _DEFAULT else _document_limits(limits)
        )
        self._unpackable = limits.unpacked_bytes
        self._parts_left = limits.parts
        self._nestable = limits.nested_bytes
        self._structural_left = limits.structural_bytes
        self._found: list[FoundReport] = []
        self._problems: list[str] = []
        self._has_dmarc = False
        self._is_claimed = False
        self._is_damaged = False
        """Whether something could not be read that looked like a report."""
        self._is_second = False
        """Whether the mail is read again, in the hope that it is put together wrongly."""
        self._submitter: tuple[str | None, str | None] = (None, None)

    def read(self, raw: bytes, file_name: str | None) -> MailContent:
        is_large = len(raw) > self._limits.mail_bytes
        sort = classify.sort_of(raw)
        is_named = classify.is_file_name(file_name)
        if sort == "other" and (not is_named or classify.is_mail(raw)):
            if is_large:
                return self._too_large(raw)
            lines = _in_lines(raw)
            mail, types = self._mail(lines, 0)
            if not self._found and self._is_promising(mail, types):
                self._again(lines)
            return self._content(mail.headers, types)
        self._is_claimed = is_named or sort in {"json", "gzip"}
        if is_large:
            self._problems.append(str(TooLarge("the file", self._limits.mail_bytes)))
        else:
            # A zip may be anything; what in it has the name of a report claims to be one.
            claimed = self._is_claimed or sort == "zip"
            self._take(raw, _Context({}, file_name, claimed, 0, 0))
        return msgspec.structs.replace(self._content({}, frozenset()), is_file=True)

    def _too_large(self, raw: bytes) -> MailContent:
        """A mail that sources should not have taken: only its headers are looked at."""
        mail = Mail(raw[: self._limits.mail_bytes], parts=0, depth=0)
        self._is_claimed = claims_report(mail.headers) or mail.mentions_reports()
        content = self._content(mail.headers, frozenset())
        reason = str(TooLarge("the mail", self._limits.mail_bytes))
        return msgspec.structs.replace(content, reason=reason)

    def _is_promising(self, mail: Mail, types: frozenset[str]) -> bool:
        """Whether there may be a report in it after all; what a bounce quotes is none of ours."""
        is_meant = self._is_claimed or self._is_damaged or mail.mentions_reports()
        return is_meant and classify.flavour_of(mail.headers, types) == "other"

    def _again(self, raw: bytes) -> None:
        """Read a mail once more, with all allowances; what was found wrong first stands."""
        before = (self._problems, self._is_claimed, self._has_dmarc)
        self._problems = []
        self._parts_left = self._limits.parts
        self._nestable = self._limits.nested_bytes
        self._structural_left = self._limits.structural_bytes
        self._is_second = True
        self._mail(raw, 0)
        if self._found:
            self._problems.insert(0, _WRONG_MIME)
        else:
            self._problems, self._is_claimed, self._has_dmarc = before

    def _mail(self, raw: bytes, depth: int) -> tuple[Mail, frozenset[str]]:
        """Take every report in one mail, and say what types of parts it has."""
        limits = self._limits
        mail = Mail(
            raw,
            parts=self._parts_left,
            depth=limits.depth - depth,
            is_damaged=self._is_second,
        )
        self._is_claimed |= claims_report(mail.headers)
        is_bounce = classify.is_bounce(mail.headers)
        types: set[str] = set()
        try:
            for part in mail.parts():
                self._parts_left -= 1
                types.add(part.content_type)
                # A report in a mail that comes back is one that somebody here has sent:
                # it is about others.
                if not (is_bounce and part.content_type in MESSAGE_TYPES):
                    self._part(part, depth)
        except BadReport as stopped:
            if self._is_claimed or (not is_bounce and mail.mentions_reports()):
                self._is_claimed = True
                self._problems.append(str(stopped))
        return mail, frozenset(types)

    def _part(self, part: Part, depth: int) -> None:
        content = part.content
        if classify.is_mail_part(part.content_type, part.file_name, content):
            self._nested(content, depth + part.depth + 1)
            return
        is_report = classify.is_report_part(part.content_type, part.file_name)
        claimed = is_report or claims_report(part.headers)
        self._is_claimed |= claimed
        is_text = part.content_type == "text/plain" and _POLICIES in content
        if is_report or is_text or self._is_second or classify.sort_of(content) != "other":
            inside = depth + part.depth
            self._take(
                content,
                _Context(
                    part.headers,
                    part.file_name,
                    claimed,
                    0,
                    inside,
                    part.content_type,
                    within=part.depth,
                ),
            )

    def _nested(self, raw: bytes, depth: int) -> None:
        """Take the reports in a mail within the mail: by whom they are, its signature says."""
        if len(raw) > self._nestable:
            raise TooLarge("what mails hold within the mail", self._limits.nested_bytes)
        self._nestable -= len(raw)
        before = len(self._found)
        self._mail(raw, depth)
        self._found[before:] = [
            one if one.message is not None else msgspec.structs.replace(one, message=raw)
            for one in self._found[before:]
        ]

    def _take(self, data: bytes, context: _Context) -> None:
        """Take what *data* holds; a problem only where it claims to be a report."""
        try:
            self._take_sorted(data, context)
        except BadReport as error:
            self._is_damaged = True
            if context.is_claimed:
                self._problems.append(str(error))

    def _take_sorted(self, data: bytes, context: _Context) -> None:
        sort = classify.sort_of(data)
        if sort == "other" and context.level and classify.is_mail(data):
            self._nested(data, context.depth + 1)
            return
        if sort == "other" and (context.is_claimed or self._is_second or _POLICIES in data):
            data, note = uncovered(data)
            if note is not None:
                context = msgspec.structs.replace(context, notes=(*context.notes, note))
            sort = classify.sort_of(data)
        if sort == "dmarc":
            self._has_dmarc = True
        elif sort in {"gzip", "zip"}:
            self._unpack(data, sort == "zip", context)
        elif context.is_claimed or _POLICIES in data:
            self._documents(data, context)

    def _unpack(self, data: bytes, is_zip: bool, context: _Context) -> None:
        """Take what is packed in *data*; all of a mail together may unpack to one limit."""
        if context.level >= self._limits.compression_levels:
            raise BadReport(f"packed more than {self._limits.compression_levels} times")
        left = self._unpackable
        if left <= 0:
            raise TooLarge("what the mail unpacks to", self._limits.unpacked_bytes)
        inner = msgspec.structs.replace(context, level=context.level + 1)
        try:
            if is_zip:
                self._take_members(data, inner)
            else:
                self._take_gunzipped(data, min(left, self._limits.json_bytes), inner)
        except BadReport:
            # What was unpacked before it broke off has cost time as well.
            self._unpackable = min(self._unpackable, left - min(left, len(data) * _DEFLATE_MOST))
            raise

    def _take_gunzipped(self, data: bytes, limit: int, context: _Context) -> None:
        unpacked = gunzip(data, limit)
        self._unpackable -= len(unpacked)
        self._take(unpacked, context)

    def _take_members(self, data: bytes, context: _Context) -> None:
        limits = self._limits
        notes = context.notes if context.content_type is None else (*context.notes, ZIP)
        members = unzip(data, limit=self._unpackable, each=limits.json_bytes, most=limits.parts)
        for name, member in members:
            self._unpackable -= len(member)
            base = name.replace("\\", "/").rpartition("/")[2]
            own = base if file_fields(base) or not file_fields(context.file_name) else None
            claimed = context.is_claimed and classify.is_file_name(base)
            self._take(
                member,
                msgspec.structs.replace(
                    context,
                    file_name=own or context.file_name,
                    is_claimed=claimed,
                    notes=notes,
                ),
            )

    def _documents(self, data: bytes, context: _Context) -> None:
        """The report in *data*, and those that stand behind it."""
        submitter, domain = submitter_and_domain(context.headers)
        hints = Hints(submitter, domain, context.file_name)
        notes = context.notes
        if context.content_type is not None:
            notes = departures(context.headers, context.content_type, context.level) + notes
        self._count(data)
        work = 0
        for _ in range(self._limits.parts):
            work += len(data)
            if work > 2 * self._limits.json_bytes:
                raise TooLarge("what stands behind the report", self._limits.json_bytes)
            limits = self._document_limits
            decoded = decode(data, limits)
            report = build(decoded, limits, hints)
            self._document_limits = _left(limits, report)
            if around := notes + other_domain(domain, report):
                report = msgspec.structs.replace(report, deviations=around + report.deviations)
            self._found.append(
                FoundReport(
                    report,
                    decoded.json,
                    digest_of(decoded),
                    context.file_name,
                    media_type=context.content_type,
                    depth=context.within,
                )
            )
            if self._submitter == (None, None):
                self._submitter = (submitter, domain)
            # Commas where they are the elements of an array.
            data = decoded.rest.lstrip(b", \t\r\n")
            if classify.sort_of(data) != "json":
                return

    def _count(self, data: bytes) -> None:
        """Take *data* off what all reports of the mail may hold, whatever becomes of it."""
        most = self._limits.structural_bytes
        before = self._structural_left
        self._structural_left -= structural(data, most)
        # The first one alone is refused by the decoder.
        if before < most and self._structural_left < 0:
            raise BadReport(f"the mail's reports have more than {most} structural characters")

    def _content(self, headers: Headers, types: frozenset[str]) -> MailContent:
        facts = facts_of(headers) if headers else MailFacts()
        if self._found:
            return MailContent(
                "tls-report", "report", None, self._reports(), self._with_submitter(facts)
            )
        if self._problems or (self._is_claimed and not self._has_dmarc):
            reason = self._problems[0] if self._problems else _NOTHING
            return MailContent("bad-report", "report", reason, (), facts)
        flavour: Flavour = "dmarc" if self._has_dmarc else classify.flavour_of(headers, types)
        return MailContent("not-a-report", flavour, classify.REASONS[flavour], (), facts)

    def _reports(self) -> tuple[FoundReport, ...]:
        """What was found; the first one tells what else could not be read."""
        if not self._problems:
            return tuple(self._found)
        first = self._found[0]
        notes = tuple(f"mail: {problem}" for problem in self._problems[:_PROBLEMS_TOLD])
        report = msgspec.structs.replace(first.report, deviations=first.report.deviations + notes)
        return (msgspec.structs.replace(first, report=report), *self._found[1:])

    def _with_submitter(self, facts: MailFacts) -> MailFacts:
        """The facts; of a forwarded report, who submitted it stands in the mail within."""
        submitter, domain = self._submitter
        if facts.submitter is not None or submitter is None:
            return facts
        return msgspec.structs.replace(facts, submitter=submitter, domain=facts.domain or domain)


def _in_lines(raw: bytes) -> bytes:
    """*raw* without empty lines before the header, and with line breaks that are known."""
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    return raw.lstrip(b"\r\n") if raw.startswith((b"\r", b"\n")) else raw


def _document_limits(limits: Limits) -> DocumentLimits:
    return DocumentLimits(
        limits.json_bytes,
        limits.structural_bytes,
        limits.policies,
        limits.failure_details,
        limits.string_chars,
    )


def _left(limits: DocumentLimits, report: Report) -> DocumentLimits:
    """What the next report of the same mail may have."""
    rows = sum(len(policy.failure_details) for policy in report.policies)
    return DocumentLimits(
        limits.json_bytes,
        limits.structural_bytes,
        limits.policies - len(report.policies),
        limits.failure_details - rows,
        limits.string_chars,
    )
