"""Everything about one report that can be said without looking at the others. Pure."""

from collections.abc import Callable

import msgspec

from tlsrpt_mailer.failures.model import Window
from tlsrpt_mailer.failures.windows import windows_of
from tlsrpt_mailer.flows.trusting import Opinion, Standing, Trust, reporter, standing_of
from tlsrpt_mailer.intake.model import FoundReport, MailContent
from tlsrpt_mailer.ports import HeldFor, NewReport, RawMail
from tlsrpt_mailer.report.dialects import REGENERATES, ReasonClasses
from tlsrpt_mailer.report.marks import bare, history, unverified
from tlsrpt_mailer.trust.reporter import reporter_of, revision_key

Organisational = Callable[[str], str | None]


def prepare(
    found: FoundReport,
    content: MailContent,
    mail: RawMail,
    opinion: Opinion,
    trust: Trust,
    organisational: Organisational,
) -> NewReport:
    """
    What is to be stored of a report, and what it says of each domain if it counts.

    Args:
        found: The report.
        content: The mail that it was found in, read.
        mail: The same, as it came.
        opinion: Whose word it is.
        trust: What is believed.
        organisational: A host name to its organisational domain, None where there is none.

    """
    report, classes = found.report, ReasonClasses()
    standing = standing_of(opinion, report.policies, trust)
    name = _reporter(found, content, opinion, standing.held_for, trust, organisational)
    is_held = standing.held_for is not None
    base = bare(name)[0]

    def key(reporter: str) -> bytes:
        return revision_key(reporter, report, base in REGENERATES)

    return NewReport(
        found=found,
        reporter=name,
        revision_key=key(name),
        status="held" if is_held else "counted",
        supersedes=None,
        windows=() if is_held else _windows(found, content, mail, standing, name),
        sessions=sum(p.successful_sessions + p.failed_sessions for p in report.policies),
        reason_classes=tuple(
            tuple(classes.of(row.failure_reason_code) for row in policy.failure_details)
            for policy in report.policies
        ),
        trust=opinion.trust,
        trust_reason=opinion.reason,
        signed_by=opinion.domain,
        held_for=standing.held_for,
        foreign=standing.foreign,
        proposed=standing.proposed,
        rivals=() if opinion.trust == "unchecked" else tuple(map(key, _rivals(name))),
    )


def _rivals(name: str) -> tuple[str, ...]:
    """The other names under which the same report may count."""
    base, mark = bare(name)
    return (base,) if mark else (unverified(base), history(base))


def _windows(
    found: FoundReport, content: MailContent, mail: RawMail, standing: Standing, name: str
) -> tuple[Window, ...]:
    """What it says of each domain of ours."""
    report = found.report
    if standing.foreign:
        ours = [one for at, one in enumerate(report.policies) if at not in standing.foreign]
        report = msgspec.structs.replace(report, policies=tuple(ours))
    date = content.facts.date
    return tuple(
        windows_of(
            report,
            reporter=name,
            received=mail.taken_at,
            date=mail.taken_at if date is None else date,
            digest=found.digest,
        )
    )


def _reporter(
    found: FoundReport,
    content: MailContent,
    opinion: Opinion,
    held_for: HeldFor | None,
    trust: Trust,
    organisational: Organisational,
) -> str:
    report = found.report
    claimed = reporter_of(
        content.facts.submitter,
        found.file_name,
        report.contact_info,
        report.organization_name,
        organisational,
    )
    counts = held_for not in ("signature", "pending")
    return reporter(
        opinion,
        claimed,
        counts=counts,
        organisational=organisational,
        listed=trust.reporters,
    )
