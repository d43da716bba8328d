"""
Tell the operator when a part of the program is in trouble for long, and when it works again.

Sources have `flows.watch_sources`, the relay `flows.relay`. Here are jobs that fail, channels
that take nothing, DNS that does not answer, a clock that jumped, and mails that were given up.
Each is mailed once it has lasted, again once a day, and once when it is over.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec
import structlog

from tlsrpt_mailer.alerts import program as words
from tlsrpt_mailer.alerts.program import Part, PartKind
from tlsrpt_mailer.flows.announcing import Announcements, Key
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.copies import copies, notice_of
from tlsrpt_mailer.flows.relay import OPERATOR
from tlsrpt_mailer.ports import CHANNEL, Announced, Letter, SentCanary, Watching
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

log = structlog.get_logger()

KIND = "program"
AGAIN: Span = DAY
PATIENCE: dict[PartKind, Span] = {
    "job": 15 * MINUTE,
    "channel": HOUR,
    "dns": 6 * HOUR,
    "clock": HOUR,
    "given-up": 0,
    # It is overdue by then.
    "canary": 0,
}
"""How long each may last before it is told."""


class Held(Protocol):
    """What waits, or was given up."""

    @property
    def name(self) -> str:
        """Of the channel."""

    @property
    def count(self) -> int:
        """How much."""

    @property
    def since(self) -> Time:
        """Of the oldest."""

    @property
    def last(self) -> Time:
        """Of the newest."""

    @property
    def error(self) -> str:
        """What was said of it last."""


class Parts(Protocol):
    """What is known of each part; each call is its own transaction."""

    def job_errors(self) -> dict[str, str]:
        """The jobs whose last run failed, with the error."""

    def stuck_channels(self) -> Sequence[Held]:
        """What was tried and waits, by the name of the channel."""

    def given_up(self, since: Time) -> Held | None:
        """Mails that were given up after *since*."""

    def pending(self) -> Held | None:
        """Reports whose key could not be asked for."""

    def dns_worked(self) -> Time | None:
        """When DNS last said something of a key, as far as is known."""


def watch_program(
    parts: Parts,
    watching: Watching,
    audience: Audience,
    now: Time,
    *,
    clock_doubt: Span | None = None,
    fallback: Sequence[str] = (),
    lost: Sequence[SentCanary] = (),
) -> list[Letter]:
    """
    Compose what is due about parts of the program; returns the mails.

    Args:
        clock_doubt: By how much the clock has jumped, while it is in doubt.
        fallback: Channels that hear of mails that were given up, as mail may be the trouble.
        lost: Test reports that did not come back.

    Raises:
        Temporary: The database cannot be used now; nothing was composed.
    """
    said = Announcements(watching.announced([KIND]), audience, now)
    found = {_key(part): part for part in _troubles(parts, now, clock_doubt, lost)}
    for key, part in found.items():
        for recipient in audience.operator:
            _trouble(said, key, part, recipient)
    for row in said.on():
        if row.key not in found:
            _over(said, row)
    copied = copies(said.letters, audience, now)
    there = {(one.recipient, one.message_id) for one in copied}
    second = _second_route(said.letters, audience, fallback, now)
    copied += [one for one in second if (one.recipient, one.message_id) not in there]
    watching.announce(said.changed, [*said.letters, *copied], now)
    for letter in said.letters:
        log.info(
            "program.told",
            recipient=letter.recipient,
            subject=letter.subject,
            message_id=letter.message_id,
        )
    return said.letters


def _troubles(
    parts: Parts, now: Time, clock_doubt: Span | None, lost: Iterable[SentCanary]
) -> Iterable[Part]:
    for name, error in sorted(parts.job_errors().items()):
        yield Part(kind="job", name=name, since=now, error=error)
    for one in parts.stuck_channels():
        yield Part(
            kind="channel", name=one.name, since=one.since, error=one.error, waiting=one.count
        )
    if (pending := parts.pending()) is not None:
        # One domain whose servers are lame for ever is not our trouble.
        worked = parts.dns_worked()
        if worked is None or worked <= now - PATIENCE["dns"]:
            since = max(pending.since, worked or 0)
            yield Part(kind="dns", since=since, error=pending.error, waiting=pending.count)
    if clock_doubt is not None:
        hours = f"{abs(clock_doubt) // HOUR:,} h {'ahead' if clock_doubt > 0 else 'back'}"
        yield Part(kind="clock", since=now, error=f"It went {hours} at once.")
    if (failed := parts.given_up(now - AGAIN)) is not None:
        yield Part(kind="given-up", since=failed.since, error=failed.error, waiting=failed.count)
    for sent in lost:
        error = sent.answer or "The MX has not answered yet."
        yield Part(kind="canary", name=sent.address, since=sent.sent_at, error=error)


def _key(part: Part) -> str:
    return f"{part.kind} {part.name}".strip()


def _trouble(said: Announcements, key: str, part: Part, recipient: str) -> None:
    """
    Say that it does not work, once it has not for a while, and again each day.

    The row remembers since when; of jobs and the clock nothing else does.
    """
    row = said.row(Key(KIND, key, recipient))
    if row is None:
        row = Announced(kind=KIND, key=key, recipient=recipient, since=part.since)
        said.put(row)
    told_at = row.told_at
    wait = PATIENCE[part.kind] if told_at is None else AGAIN
    if said.now - (row.since if told_at is None else told_at) < wait:
        return
    said.put(msgspec.structs.replace(row, told_at=said.now))
    since = part.since if part.kind == "given-up" else row.since
    shown = msgspec.structs.replace(part, since=since)
    rendered = words.trouble(shown, said.context(recipient), again=_goes_on(part, told_at))
    said.send(rendered, recipient, "operator")


def _goes_on(part: Part, told_at: Time | None) -> bool:
    return told_at is not None and part.kind != "given-up"


def _over(said: Announcements, row: Announced) -> None:
    said.end(row, ())
    kind, _, name = row.key.partition(" ")
    if row.told_at is None or kind == "given-up":
        return
    part = msgspec.convert({"kind": kind, "name": name, "since": row.since, "error": ""}, Part)
    said.send(words.over(part, said.context(row.recipient)), row.recipient, "operator")


def _second_route(
    letters: Sequence[Letter], audience: Audience, fallback: Sequence[str], now: Time
) -> list[Letter]:
    """That mails were given up, once to each of *fallback*: this mail may be the next."""
    return [
        notice_of(one, f"{CHANNEL}{name}", now, audience.context.host, OPERATOR)
        for one in letters
        if one.recipient == audience.operator[0] and b"part=given-up" in one.raw
        for name in fallback
    ]
