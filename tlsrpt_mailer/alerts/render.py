"""From a group to the bytes of a mail (RFC 5322): words, headers, parts."""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr

from tlsrpt_mailer.alerts import effects, many, opening, over, trouble, words
from tlsrpt_mailer.alerts.document import Document, para, section
from tlsrpt_mailer.alerts.model import Context, Group, Item, Rendered, Transition
from tlsrpt_mailer.alerts.page import as_html, as_text
from tlsrpt_mailer.report.times import iso, iso_or_none

HEADERS_AT_MOST = 100
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(group: Group, context: Context) -> Rendered:
    """
    The whole mail that tells *group*.

    The same group and context give the same bytes: nothing is drawn by lot, so a repeat is
    recognised by its Message-ID.
    """
    document = _document(group, context)
    attach = len(group.items) >= trouble.ATTACH_FROM
    return _mail(
        document,
        context,
        message_id=message_id(group, context),
        subject=opening.subject(group, context),
        facts=_facts(group),
        references=group.references,
        attachment=_domains_csv(group.transitions) if attach else None,
    )


def render_test(context: Context) -> Rendered:
    """The mail of ``alerts test``: proves the way to the recipient, says nothing of TLS."""
    moment = words.moment(context.now, context.now)
    document = Document(
        label="TEST",
        head=(
            "This is a test: nothing is broken.",
            f"tlsrpt-mailer on {words.safe(context.host)} can send you alerts.",
            f"Asked for on {moment}.",
        ),
        sections=(
            section(
                "WHAT COMES NEXT",
                para(
                    "A mail when senders report that TLS to one of your domains fails in a new"
                    " way, and one when that is over. Look now that this mail was not sorted"
                    " away as spam: the real ones come from the same address."
                ),
            ),
        ),
        footer=_footer(None, context),
    )
    digest = _digest([context.recipient, iso(context.now)])
    return _mail(
        document,
        context,
        message_id=f"<tlsrpt.test.{context.now}.{digest}@{_host(context)}>",
        subject="TEST: alerts of tlsrpt-mailer reach you [tlsrpt]",
        facts=["event=test"],
    )


def message_id(group: Group, context: Context) -> str:
    """``<tlsrpt.17.new.1.HASH@host>``; the hash is over recipient and [(failure, event, n)]."""
    told = sorted((row.item.failure, row.event, row.n) for row in group.transitions)
    digest = _digest([group.recipient, *(f"{failure} {event} {n}" for failure, event, n in told)])
    about = "all" if group.kind in {"summary", "flood"} else str(opening.number(group))
    count = max(row.n for row in group.transitions)
    return f"<tlsrpt.{about}.{group.kind}.{count}.{digest}@{_host(context)}>"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _host(context: Context) -> str:
    """The right side of our Message-IDs: the sender's domain; a host may have no full name."""
    domain = parseaddr(context.sender)[1].partition("@")[2]
    return words.token(domain) or words.token(context.host) or "localhost"


# ---------------------------------------------------------------------- words


def _document(group: Group, context: Context) -> Document:
    footer = _footer(group, context)
    if group.kind in {"summary", "flood"}:
        bare = (
            many.summary(group, context) if group.kind == "summary" else many.flood(group, context)
        )
        return Document(bare.label, bare.head, bare.sections, footer)
    part = over.sections if group.kind == "resolved" else trouble.sections
    head = opening.head(group, context)
    return Document(opening.label(group), head, part(group, context), footer)


def _footer(group: Group | None, context: Context) -> tuple[str, ...]:
    others = [words.safe(address) for address in context.also_told]
    who = f"Also told: {words.listed(others, 10)}." if others else "Nobody else got it."
    why = f"You get this because alerts.to names {words.safe(context.recipient)}."
    if "@" not in context.recipient:
        why, who = "This is shown here because alerts.to names nobody.", "Nobody was mailed."
    lines = [why, who]
    if group is not None and group.kind not in {"summary", "flood"}:
        lines.append(f"All about it: tlsrpt-mailer failures show {opening.number(group)}")
    lines += [
        "To get less: alerts.to and alerts.min_severity in the configuration.",
        f"tlsrpt-mailer {words.safe(context.version)} on {words.safe(context.host)}",
    ]
    return tuple(lines)


# -------------------------------------------------------------------- headers


def _facts(group: Group) -> list[str]:
    """One ``X-TLSRPT-Mailer`` a transition, so that filters need no text; 100 at most."""
    lines = [_fact(row) for row in group.transitions[:HEADERS_AT_MOST]]
    more = len(group.transitions) - HEADERS_AT_MOST
    return [*lines, f"event=more; count={more}"] if more > 0 else lines


def _fact(row: Transition) -> str:
    item = row.item
    pairs = {
        "event": row.event,
        "failure": str(item.failure),
        "domain": words.token(item.domain),
        "result": words.token(item.result_type),
        "mx": words.token(item.mx or ""),
        "severity": item.severity,
    }
    return "; ".join(f"{key}={value}" for key, value in pairs.items())


class _Folding(EmailPolicy):
    """SMTP's policy, but a Subject is folded between its words from the first line on."""

    def fold_binary(self, name: str, value: str) -> bytes:
        """As `EmailPolicy.fold_binary`, which leaves the first line of a long Subject empty."""
        if name.lower() != "subject":
            folded: bytes = super().fold_binary(name, value)
            return folded
        lines = words.wrap(f"{name}: {value}", " ", "", break_long_words=False)
        if lines[0] == f"{name}:":
            # One word fills the line: readers would take the blank before it for a part of it.
            lines[:2] = [f"{lines[0]} {lines[1].strip()}"]
        return "".join(line + self.linesep for line in lines).encode("ascii")


_POLICY = _Folding(linesep="\r\n")


def _mail(
    document: Document,
    context: Context,
    *,
    message_id: str,
    subject: str,
    facts: Sequence[str],
    references: Sequence[str] = (),
    attachment: bytes | None = None,
) -> Rendered:
    text, html = as_text(document), as_html(document, subject)
    message = EmailMessage(policy=_POLICY)
    message["From"] = context.sender if "<" in context.sender else f"TLS reports <{context.sender}>"
    message["To"] = context.recipient
    message["Date"] = format_datetime(datetime.fromtimestamp(context.now, UTC))
    message["Subject"] = subject
    message["Message-ID"] = message_id
    if references:
        message["References"] = " ".join(references)
    if context.auto_submitted:
        message["Auto-Submitted"] = "auto-generated"
    message["List-Id"] = f"TLS reports <{context.list_id or f'tlsrpt-mailer.{_host(context)}'}>"
    if context.tls_required_no:
        # RFC 8689, section 5: the news that TLS is broken must not wait for TLS.
        message["TLS-Required"] = "No"
    for fact in facts:
        message["X-TLSRPT-Mailer"] = fact
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    if attachment is not None:
        message.add_attachment(attachment, "text", "csv", filename="domains.csv")
    return Rendered(message_id, subject, text, html, _bytes(message, message_id))


def _bytes(message: EmailMessage, message_id: str) -> bytes:
    """The mail with boundaries that follow from its name, where the library would draw lots."""
    digest = _digest([message_id])
    for at, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{digest}_{at}")
    return message.as_bytes()


# ------------------------------------------------------------------------ CSV


def _domains_csv(transitions: Sequence[Transition]) -> bytes:
    """Every failure of the mail, a line each; no cell is a formula to a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in transitions:
        writer.writerow([_cell(value) for value in (row.event, *_values(row.item))])
    return out.getvalue().encode("ascii")


_COLUMNS = (
    *("event", "failure", "cause", "policy_domain", "policy_type", "mode", "result_type", "mx"),
    *("severity", "mail", "failed_sessions", "sessions", "first_seen", "last_seen", "resolved_at"),
)


def _values(item: Item) -> tuple[str | int | None, ...]:
    failed, sessions = trouble.counts(item)
    return (
        *(item.failure, item.cause, item.domain, item.policy_type, item.mode, item.result_type),
        *(item.mx, item.severity, effects.held(item), failed, sessions),
        *(iso(item.first_seen), iso(item.last_seen), iso_or_none(item.resolved_at)),
    )


def _cell(value: str | int | None) -> str:
    text = words.safe(str(value), words.NAME_CHARS) if value is not None else ""
    return f"'{text}" if text.startswith(FORMULA) else text
