"""Tell each recipient once that reports on his domains have begun to come in."""

from collections import defaultdict
from collections.abc import Sequence

import structlog

from tlsrpt_mailer.alerts.first import Beginning, first
from tlsrpt_mailer.flows.announcing import context_for, letter_of
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.ports import Announced, FirstReport, Letter, Watching
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

log = structlog.get_logger()

KIND = "first"
GATHER: Span = HOUR
"""How long the mail waits for the first reports of other reporters and domains."""
FRESH: Span = 7 * DAY
"""What is about an earlier day came with an old mailbox: that is no beginning."""


def watch_beginnings(watching: Watching, audience: Audience, now: Time) -> list[Letter]:
    """
    Compose the first-report mails that are due; returns them.

    Raises:
        Temporary: The database cannot be used now; nothing was composed.
    """
    told = {row.recipient for row in watching.announced([KIND])}
    waiting = [address for address in _addresses(audience) if address not in told]
    if not waiting:
        return []
    rows: list[Announced] = []
    letters: list[Letter] = []
    domains = _domains(watching, audience, frozenset(waiting))
    for recipient in waiting:
        begun = _begun(watching, domains.get(recipient, ()))
        if not begun:
            continue
        oldest = [windows[0] for windows in begun.values()]
        is_new = min(one.end for one in oldest) > now - FRESH
        since = min(one.received for one in oldest)
        if is_new and now - since < GATHER:
            continue
        # Who has had an alert knows that it works.
        is_new = is_new and not watching.was_alerted(recipient)
        rows.append(
            Announced(
                kind=KIND,
                key="",
                recipient=recipient,
                since=since,
                told_at=now if is_new else None,
            )
        )
        if is_new:
            rendered = first(_beginnings(begun, audience), context_for(audience, recipient, now))
            letters.append(letter_of(rendered, recipient, KIND))
    watching.announce(rows, letters, now)
    for letter in letters:
        log.info(
            "first.told",
            recipient=letter.recipient,
            subject=letter.subject,
            message_id=letter.message_id,
        )
    return letters


def _addresses(audience: Audience) -> list[str]:
    owners = audience.directory.all_owners()
    return sorted({address for owner in owners for address in owner.addresses})


def _domains(
    watching: Watching, audience: Audience, waiting: frozenset[str]
) -> defaultdict[str, list[str]]:
    """Address to the domains with reports that it owns, of those who were not told yet."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for domain in sorted({domain for domain, _, _ in watching.pairs(0)}):
        for owner in audience.directory.owners_of(domain):
            for address in waiting.intersection(owner.addresses):
                found[address].append(domain)
    return found


def _begun(watching: Watching, domains: Sequence[str]) -> dict[str, Sequence[FirstReport]]:
    windows = ((domain, watching.first(domain)) for domain in domains)
    return {domain: found for domain, found in windows if found}


def _beginnings(
    begun: dict[str, Sequence[FirstReport]], audience: Audience
) -> tuple[Beginning, ...]:
    views = [
        Beginning(
            domain=domain,
            reporters=tuple(
                dict.fromkeys(audience.names.get(one.reporter) or one.reporter for one in windows)
            ),
            start=min(one.start for one in windows),
            end=max(one.end for one in windows),
            sessions=sum(one.sessions for one in windows),
            failed=sum(one.failed for one in windows),
        )
        for domain, windows in begun.items()
    ]
    return tuple(sorted(views, key=_busiest))


def _busiest(one: Beginning) -> tuple[int, str]:
    return -one.sessions, one.domain
