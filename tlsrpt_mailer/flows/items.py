"""
The judge's words, as alerts know them.

What is said stays apart from how it is judged (docs/explanation/architecture.md), so each
verdict is mapped onto an `Item` here, and nowhere else.
"""

from collections.abc import Collection, Mapping

import msgspec

from tlsrpt_mailer.alerts.directory import Directory
from tlsrpt_mailer.alerts.model import Answer, Item, Previous
from tlsrpt_mailer.alerts.model import Evidence as Shown
from tlsrpt_mailer.alerts.model import Told as Remembered
from tlsrpt_mailer.domains.hosted import Hosted, hosted
from tlsrpt_mailer.failures.model import Answer as Said
from tlsrpt_mailer.failures.model import Verdict
from tlsrpt_mailer.ports import Evidence, FailureRecord, Told
from tlsrpt_mailer.report.marks import bare


def item_of(record: FailureRecord, directory: Directory) -> Item:
    """One failure, without its evidence; who is told of it is filled in by `alerts.route`."""
    verdict = record.verdict
    theirs = _theirs(verdict.identity.mx or verdict.cause.mx, directory)
    return Item(
        failure=record.id,
        cause=record.cause,
        cause_mx=verdict.cause.mx,
        domain=verdict.identity.domain,
        policy_type=verdict.identity.policy_type,
        result_type=verdict.identity.result_type,
        mx=verdict.identity.mx,
        mode=verdict.mode,
        severity=verdict.severity,
        state=verdict.state,
        incident=verdict.incident,
        first_seen=verdict.first_seen,
        clean_before=verdict.clean_before,
        first_failing_end=verdict.first_failing_end,
        last_seen=verdict.last_seen,
        last_start=verdict.last_start,
        first_received=verdict.first_received,
        last_received=verdict.last_received,
        resolved_at=verdict.resolved_at,
        noticed_at=record.ended_at,
        failed=verdict.failed_sessions,
        sessions=verdict.sessions,
        reasons=verdict.reasons,
        previous=_previous(verdict),
        taken_back=verdict.taken_back,
        steps=verdict.steps,
        muted_until=verdict.muted_until,
        is_quiet=verdict.is_quiet,
        maintenance=verdict.maintenance,
        answer=_answer(verdict.answer),
        assigned=_answer(verdict.assigned),
        kind=verdict.identity.kind,
        facts=verdict.facts,
        mended_at=verdict.mended_at,
        run_by="" if theirs is None else theirs.name,
        tell="" if theirs is None else theirs.tell,
    )


def _theirs(mx: str | None, directory: Directory) -> Hosted | None:
    """Who runs an MX host, where that is a provider and nobody of ours owns it."""
    if mx is None or directory.mx_block_of(mx) is not None:
        return None
    return hosted(mx)


def shown(one: Evidence, names: Mapping[str, str], strangers: Collection[str] = ()) -> Shown:
    """
    One window, its reporter by the name that people know.

    *strangers* are those of the failure's reporters whose word confirms nothing.
    """
    return Shown(
        reporter=called(one.reporter, names),
        start=one.start,
        end=one.end,
        received=one.received,
        sessions=one.sessions,
        failed=one.failed,
        ips=one.ips,
        sending_ips=one.sending_ips,
        reasons=one.reasons,
        mode=one.mode,
        policy_string=one.policy_string,
        mx_host=one.mx_host,
        trust=one.trust,
        is_strangers=one.reporter in strangers,
    )


def strangers_of(verdict: Verdict) -> frozenset[str]:
    """Reporters that nobody knows, of a failure that somebody known sees as well."""
    if not any(one.known for one in verdict.witnesses):
        return frozenset()
    return frozenset(one.reporter for one in verdict.witnesses if not one.known)


def called(reporter: str, names: Mapping[str, str]) -> str:
    """
    The name that people know it by, else its own.

    Never what the report calls itself: whoever signs one may write Google there.
    """
    name, mark = bare(reporter)
    return f"{names.get(name) or name}{mark}"


def remembered(row: Told) -> Remembered:
    """A `told` row, of a recipient that is known from elsewhere."""
    return Remembered(
        failure=row.failure,
        incident=row.incident,
        event=row.event,
        at=row.at,
        resolved_at=row.resolved_at,
        mails=row.mails,
        message_id=row.message_id,
        steps=row.steps,
        opened_at=row.opened_at,
        reminded_at=row.reminded_at,
        first_at=row.first_at,
    )


def kept(row: Remembered, recipient: str) -> Told:
    """The other way round."""
    return Told(recipient=recipient, **msgspec.structs.asdict(row))


def _answer(answer: Said | None) -> Answer | None:
    return None if answer is None else Answer(**msgspec.structs.asdict(answer))


def _previous(verdict: Verdict) -> Previous | None:
    before = verdict.previous
    if before is None:
        return None
    answer = _answer(before.answer)
    return Previous(**(msgspec.structs.asdict(before) | {"answer": answer}))
