"""From a group to its mail: which words, which facts, which attachment."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from tlsrpt_mailer.alerts import (
    again,
    effects,
    envelope,
    joining,
    many,
    opening,
    over,
    planned,
    reminder,
    trouble,
    words,
    worse,
)
from tlsrpt_mailer.alerts.about import label, number, severity
from tlsrpt_mailer.alerts.document import Document, para, section
from tlsrpt_mailer.alerts.footer import footer
from tlsrpt_mailer.alerts.model import Context, Group, Item, Kind, Rendered, Transition
from tlsrpt_mailer.alerts.sheet import sheet
from tlsrpt_mailer.alerts.subject import subject
from tlsrpt_mailer.report.times import iso, iso_or_none

HEADERS_AT_MOST = 100


def render(group: Group, context: Context) -> Rendered:
    """
    The whole mail that tells *group*.

    The same group and context give the same bytes: nothing is drawn by lot, so a repeat is
    recognised by its Message-ID.
    """
    document = _document(group, context)
    attach = len(group.items) >= trouble.ATTACH_FROM
    return envelope.mail(
        document,
        context,
        message_id=message_id(group, context),
        subject=subject(group, context),
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
        footer=footer(None, context),
    )
    parts = [context.recipient, iso(context.now)]
    return envelope.mail(
        document,
        context,
        message_id=envelope.message_name(f"test.{context.now}", parts, context),
        subject="TEST: alerts of tlsrpt-mailer reach you [tlsrpt]",
        facts=["event=test"],
    )


def message_id(group: Group, context: Context) -> str:
    """``<tlsrpt.17.new.1.HASH@host>``; the hash is over recipient and [(failure, event, n)]."""
    told = sorted((row.item.failure, row.event, row.n) for row in group.transitions)
    parts = [group.recipient, *(f"{failure} {event} {n}" for failure, event, n in told)]
    about = "all" if group.kind in _WHOLE else str(number(group))
    count = max(row.n for row in group.transitions)
    return envelope.message_name(f"{about}.{group.kind}.{count}", parts, context)


# ---------------------------------------------------------------------- words


_WHOLE: dict[Kind, Callable[[Group, Context], Document]] = {
    "summary": many.summary,
    "flood": many.flood,
    "maintenance": planned.document,
    "reminder": reminder.document,
}
"""The mails about many causes."""

_HEADS: dict[Kind, Callable[[Group, Context], list[str]]] = {
    "new": opening.news,
    "joined": joining.head,
    "worsened": worse.head,
    "not-fixed": worse.refuted_head,
    "regressed": again.head,
    "resolved": over.head,
}


def _document(group: Group, context: Context) -> Document:
    if group.kind in _WHOLE:
        bare = _WHOLE[group.kind](group, context)
        return msgspec.structs.replace(bare, footer=footer(group, context))
    part = over.sections if group.kind == "resolved" else trouble.sections
    head = tuple(_HEADS[group.kind](group, context))
    return Document(_label(group), head, part(group, context), footer(group, context))


def _label(group: Group) -> str:
    """The word above the mail; its end is the severity, which gives it its colour."""
    if group.kind in {"worsened", "not-fixed"}:
        return f"{label(group)}, {severity(group.items)}"
    return label(group)


# -------------------------------------------------------------------- headers


def _facts(group: Group) -> list[str]:
    """One ``X-TLSRPT-Mailer`` a transition, so that filters need no text; 100 at most."""
    lines = [_fact(row, group.kind) for row in group.transitions[:HEADERS_AT_MOST]]
    more = len(group.transitions) - HEADERS_AT_MOST
    return [*lines, f"event=more; count={more}"] if more > 0 else lines


def _fact(row: Transition, kind: Kind) -> str:
    item = row.item
    # Who counts what is new must not count it again with each reminder.
    event = kind if kind == "reminder" else row.event
    return envelope.fact(
        {
            "event": event,
            "failure": str(item.failure),
            "domain": item.domain,
            "result": item.result_type,
            "mx": item.mx or "",
            "severity": item.severity,
        }
    )


# ------------------------------------------------------------------------ CSV


def _domains_csv(transitions: Sequence[Transition]) -> bytes:
    """Every failure of the mail, a line each."""
    causes = numbers_of_causes(row.item for row in transitions)
    rows = ((row.event, *_values(row.item, causes[row.item.cause])) for row in transitions)
    return sheet([_COLUMNS, *rows])


_COLUMNS = (
    *("event", "failure", "cause", "policy_domain", "policy_type", "mode", "result_type", "mx"),
    *("severity", "mail", "failed_sessions", "sessions", "first_seen", "last_seen", "resolved_at"),
)


def _values(item: Item, cause: int) -> tuple[str | int | None, ...]:
    failed, sessions = trouble.counts(item)
    return (
        *(item.failure, cause, item.domain, item.policy_type, item.mode, item.result_type),
        *(item.mx, item.severity, effects.held(item), failed, sessions),
        *(iso(item.first_seen), iso(item.last_seen), iso_or_none(item.resolved_at)),
    )


def numbers_of_causes(items: Iterable[Item]) -> dict[int, int]:
    """
    Each cause to the number that this recipient knows it by: that of its first failure here.

    The store's own number may be that of a failure of somebody else's.
    """
    found: dict[int, int] = {}
    for item in items:
        found[item.cause] = min(item.failure, found.get(item.cause, item.failure))
    return found
