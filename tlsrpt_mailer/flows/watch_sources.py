"""Tell the operator when a source does not work, once a day, and when it works again."""

import msgspec
import structlog

from tlsrpt_mailer.alerts import sources as words
from tlsrpt_mailer.flows.announcing import Announcements, Key
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
    sources = watching.sources()
    said = Announcements(watching.announced([KIND]), audience, now)
    is_only = all(one.state == "trouble" for one in sources)
    for found in sources:
        if found.state == "trouble":
            for recipient in audience.operator:
                _trouble(said, found, recipient, is_only=is_only)
    states = {one.name: one.state for one in sources}
    for row in said.on():
        # A source that is configured no more is not said to work again.
        if states.get(row.key, "gone") in {"ok", "gone"}:
            _over(said, row, works=row.key in states)
    watching.announce(said.changed, [*said.letters, *copies(said.letters, audience, now)], now)
    for letter in said.letters:
        log.info(
            "source.told",
            recipient=letter.recipient,
            subject=letter.subject,
            message_id=letter.message_id,
        )
    return said.letters


def _trouble(said: Announcements, found: SourceTrouble, recipient: str, *, is_only: bool) -> None:
    """
    Say that it does not work, once it has not for a while, and again each day.

    The row remembers since when: a run that ends (`once`) and a restart count anew.
    """
    row = said.row(Key(KIND, found.name, recipient))
    if row is None:
        row = Announced(kind=KIND, key=found.name, recipient=recipient, since=found.since)
        said.put(row)
    told_at = row.told_at
    if said.now - (row.since if told_at is None else told_at) < (
        PATIENCE if told_at is None else AGAIN
    ):
        return
    said.put(msgspec.structs.replace(row, told_at=said.now))
    view = _view(found, row.since, is_only=is_only)
    rendered = words.trouble(view, said.context(recipient), again=told_at is not None)
    said.send(rendered, recipient, "operator")


def _over(said: Announcements, row: Announced, *, works: bool) -> None:
    said.end(row, ())
    if works and row.told_at is not None:
        rendered = words.works_again(row.key, row.since, said.context(row.recipient))
        said.send(rendered, row.recipient, "operator")


def _view(found: SourceTrouble, since: Time, *, is_only: bool) -> words.Trouble:
    return words.Trouble(
        source=found.name,
        since=since,
        error=found.error or "",
        tries=found.tries,
        next_try=found.next_try,
        is_only=is_only,
    )
