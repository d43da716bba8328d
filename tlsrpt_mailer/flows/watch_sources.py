"""Tell the operator when a source does not work, once a day, and when it works again."""

import msgspec
import structlog

from tlsrpt_mailer.alerts import sources as words
from tlsrpt_mailer.alerts.model import Rendered
from tlsrpt_mailer.flows.announcing import context_for, letter_of
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.copies import copies
from tlsrpt_mailer.ports import Announced, Letter, SourceTrouble, Watching
from tlsrpt_mailer.report.times import DAY, MINUTE, Span, Time

log = structlog.get_logger()

PATIENCE: Span = 15 * MINUTE
"""A server that restarts is no news."""
AGAIN: Span = DAY
KIND = "source"


def watch_sources(watching: Watching, audience: Audience, now: Time) -> list[Letter]:
    """
    Compose what is due about sources; returns the mails.

    Raises:
        Temporary: The database cannot be used now; nothing was composed.
    """
    sources = {one.name: one for one in watching.sources()}
    rows = {(row.key, row.recipient): row for row in watching.announced([KIND])}
    changed: list[Announced] = []
    letters: list[Letter] = []

    def tell(row: Announced, rendered: Rendered | None) -> None:
        changed.append(row)
        if rendered is not None:
            letters.append(letter_of(rendered, row.recipient, "operator"))

    is_only = all(one.state == "trouble" for one in sources.values())
    for found in sources.values():
        if found.state != "trouble" or now - found.since < PATIENCE:
            continue
        for recipient in audience.operator:
            row = _due(rows.get((found.name, recipient)), found, recipient, now)
            if row is not None:
                told = rows.get((found.name, recipient))
                again = told is not None and told.ended_at is None
                view = _view(found, row.since, is_only=is_only)
                context = context_for(audience, recipient, now)
                tell(row, words.trouble(view, context, again=again))
    for row in rows.values():
        known = sources.get(row.key)
        if row.ended_at is None and (known is None or known.state == "ok"):
            # A source that is configured no more is not said to work again.
            ended = msgspec.structs.replace(row, ended_at=now, end_told_at=known and now)
            context = context_for(audience, row.recipient, now)
            tell(ended, words.works_again(row.key, row.since, context) if known else None)
    watching.announce(changed, [*letters, *copies(letters, audience, now)], now)
    for letter in letters:
        log.info(
            "source.told",
            recipient=letter.recipient,
            subject=letter.subject,
            message_id=letter.message_id,
        )
    return letters


def _due(
    row: Announced | None, found: SourceTrouble, recipient: str, now: Time
) -> Announced | None:
    """What is noted when a mail is due; None while it is not."""
    if row is None or row.ended_at is not None:
        return Announced(
            kind=KIND, key=found.name, recipient=recipient, since=found.since, told_at=now
        )
    if row.told_at is not None and now - row.told_at < AGAIN:
        return None
    return msgspec.structs.replace(row, told_at=now)


def _view(found: SourceTrouble, since: Time, *, is_only: bool) -> words.Trouble:
    return words.Trouble(
        source=found.name,
        since=since,
        error=found.error or "",
        tries=found.tries,
        next_try=found.next_try,
        is_only=is_only,
    )
