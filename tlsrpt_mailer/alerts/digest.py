"""From pages to the mail: subject, order of parts, footer, CSV (docs/how-to/digest.md)."""

import msgspec

from tlsrpt_mailer.alerts import digest_operator, digest_owner, footer, words
from tlsrpt_mailer.alerts.digest_fleet import OperatorPage
from tlsrpt_mailer.alerts.digest_model import Failure, Period
from tlsrpt_mailer.alerts.digest_pages import Page, is_handled
from tlsrpt_mailer.alerts.document import Document, Section, para, section
from tlsrpt_mailer.alerts.envelope import fact, mail, message_name
from tlsrpt_mailer.alerts.model import SEVERITIES, Context, Rendered
from tlsrpt_mailer.alerts.sheet import sheet
from tlsrpt_mailer.report.times import Time, iso

OWN = "YOUR OWN DOMAINS"


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """One mail: the operator's page, an owner's, or the one in front of the other."""

    recipient: str
    period: Period
    owner: Page | None = None
    operator: OperatorPage | None = None
    rhythm: str = ""
    """``Weekly, Mondays at 07:00 (UTC)``; empty where nothing is planned."""
    why: str = ""
    """The name of the owner whose digest it is; empty for the default recipients."""

    @property
    def is_empty(self) -> bool:
        """Whether it says no more than that all is well."""
        owner = self.owner is None or self.owner.is_empty
        return owner and (self.operator is None or self.operator.is_empty)

    @property
    def failures(self) -> tuple[int, ...]:
        """The open failures that it names: what an answer without numbers is about."""
        if self.owner is None:
            return ()
        return tuple(one.item.failure for one in self.owner.open_failures)


def render(digest: Digest, context: Context) -> Rendered:
    """The whole mail; the same digest and context give the same bytes."""
    rows = digest_owner.csv_rows(digest.owner) if digest.owner is not None else []
    attach = len(rows) > digest_owner.ATTACH_FROM
    return mail(
        document(digest, context),
        context,
        message_id=name(digest.recipient, digest.period.end, context),
        subject=subject(digest),
        facts=[_fact(digest)],
        attachment=sheet(rows) if attach else None,
    )


def name(recipient: str, fire: Time, context: Context) -> str:
    """The Message-ID: one a recipient and moment, so that a repeat is recognised."""
    return message_name("digest", [recipient, iso(fire)], context)


def subject(digest: Digest) -> str:
    """``TLS week 12-18 Oct: 1 open, 1 mended, 3 domains [tlsrpt]``."""
    period = digest.period
    kind = "week" if period.days == 7 and period.end - period.begin > 6 * 86400 else "digest"
    days = words.days(period.since, period.until, period.end)
    page = digest.owner
    if digest.operator is not None:
        causes = len(digest.operator.critical)
        what = f"{causes} critical" if causes else "none critical"
        domains = words.plural(digest.operator.domains, "domain")
        return f"TLS {kind} {days}, operator: {domains}, {what} [tlsrpt]"
    if page is None or page.is_empty:
        return f"TLS {kind} {days}: {', '.join(['all well', *_domains(page)])} [tlsrpt]"
    counts = [
        *([f"{len(page.open_failures)} open"] if page.open else []),
        *([f"{len(page.mended)} mended"] if page.mended else []),
    ]
    if page.is_blind:
        counts.append("no reports")
    what = ", ".join([*(counts or ["nothing open"]), *_domains(page)])
    return f"TLS {kind} {days}: {what} [tlsrpt]"


def _domains(page: Page | None) -> list[str]:
    """How many domains are the reader's; who owns MX hosts alone has none to be counted."""
    return [words.plural(len(page.domains), "domain")] if page is not None and page.domains else []


def document(digest: Digest, context: Context) -> Document:
    """The operator's part first, where there is one."""
    head: tuple[str, ...] = ()
    parts: tuple[Section, ...] = ()
    if digest.owner is not None:
        head = digest_owner.head(digest.owner)
        parts = digest_owner.sections(digest.owner)
    if digest.operator is not None:
        parts = _behind(
            digest, digest.operator, (section(OWN, para(*head)), *parts) if head else ()
        )
        head = digest_operator.head(digest.operator)
    parts += _answering(digest, context)
    return Document(_label(digest), head, parts, _footer(digest, context))


def _behind(
    digest: Digest, operator: OperatorPage, own: tuple[Section, ...]
) -> tuple[Section, ...]:
    """The operator's parts and his own; what is open stands in front, and but once."""
    found = digest_operator.sections(operator)
    critical = {one.item.failure for cause in operator.critical for one in cause}
    if not critical <= set(digest.failures):
        return (*found, *own)
    first = [one for one in own if one.title == digest_owner.OPEN]
    rest = [one for one in found if one.title != digest_operator.CAUSES]
    return (*first, *rest, *(one for one in own if one.title != digest_owner.OPEN))


def _label(digest: Digest) -> str:
    """Its last word gives the colour."""
    severities = [one.item.severity for one in digest.owner.open_failures] if digest.owner else []
    if digest.operator is not None and digest.operator.critical:
        severities.append("critical")
    if severities:
        return f"DIGEST: {min(severities, key=SEVERITIES.index).upper()}"
    return "ALL WELL" if digest.is_empty else "DIGEST"


def _answering(digest: Digest, context: Context) -> tuple[Section, ...]:
    opened = digest.owner.open_failures if digest.owner is not None else ()
    numbers = [one.item.failure for one in opened if _is_asked(one, digest.recipient)]
    if not numbers:
        return ()
    first = numbers[0]
    lines = [f"On the server: tlsrpt-mailer failures ack {first}"]
    if context.reply_to is not None:
        every = ' or "ack all"' if len(numbers) > 1 else ""
        lines.insert(0, f'Answer this mail with "ack {first}"{every}, fixed, mute 7d or assign.')
    return (section("WHO HAS IT?", para(*lines)),)


def _is_asked(failure: Failure, reader: str) -> bool:
    """Whether it waits for the reader: nobody has it, and nobody else was handed it."""
    assigned = failure.item.assigned
    whose = assigned.assignee if assigned is not None else None
    return not is_handled(failure) and (whose or reader).lower() == reader.lower()


def _footer(digest: Digest, context: Context) -> tuple[str, ...]:
    lines = []
    if digest.rhythm:
        lines.append(f"{digest.rhythm}. This mail also tells you that tlsrpt-mailer runs.")
    if digest.owner is None:
        lines.append("You get this because alerts.operator names you.")
    elif digest.why:
        lines.append(f"You get this as an owner ({words.safe(digest.why, 60)}).")
    else:
        lines.append("You get this because alerts.to names you.")
    lines.append("To get less: schedule and when_empty of [digest] in the configuration.")
    return (*lines, footer.version(context))


def _fact(digest: Digest) -> str:
    opened = len(digest.failures) if digest.owner is not None else 0
    empty = "yes" if digest.is_empty else "no"
    return fact({"event": "digest", "open": str(opened), "empty": empty})
