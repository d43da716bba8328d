"""
When the relay itself is the trouble: tell the operator by other ways.

Mails that were tried and wait for a quarter of an hour, or a relay that is not there
at the second try, make one notice to each channel of `alerts.fallback`, one more a
day, and one when mails flow again. Mails to the operator that wait take that
second route too; they go out by mail as well once that works.
"""

from collections.abc import Sequence
from email import message_from_bytes, policy

import msgspec
import structlog

from tlsrpt_mailer.alerts.relaying import RelayTrouble, began, over
from tlsrpt_mailer.flows.copies import notice_of
from tlsrpt_mailer.ports import CHANNEL, Letter, Notice, Outgoing, RelayNote, RelayNotes, Waiting
from tlsrpt_mailer.report.times import DAY, MINUTE, Span, Time

log = structlog.get_logger()

PATIENCE: Span = 15 * MINUTE
AGAIN: Span = DAY
OPERATOR = "tlsrpt-operator"
"""The key of notices about this program."""
KEY = "tlsrpt-relay"
"""Of every notice about the relay."""


class RelaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose relay, and who is told in place of it."""

    fallback: tuple[str, ...]
    """Names of channels."""
    relay: str
    host: str


def watch_relay(
    notes: RelayNotes, settings: RelaySettings, now: Time, *, is_cut_off: bool
) -> list[Letter]:
    """
    Compose what is due about the relay; returns it.

    Args:
        is_cut_off: The last try of a mail found no relay.
    """
    waiting, note = notes.waiting(), notes.note()
    letters: list[Letter] = []
    new = note
    if in_trouble(waiting, now, is_cut_off=is_cut_off):
        if note is None or note.ended_at is not None:
            new = RelayNote(since=waiting.since, told_at=now, answer=waiting.answer)
            letters = _tell(settings, new, waiting, now)
            log.error("relay.trouble", relay=settings.relay, waiting=waiting.count)
        elif now - note.told_at >= AGAIN:
            new = msgspec.structs.replace(note, told_at=now, answer=waiting.answer)
            letters = _tell(settings, new, waiting, now, again=True)
        letters += _second_route(settings, notes.of_operator())
    elif note is not None and note.ended_at is None and _flows(waiting, note):
        new = msgspec.structs.replace(note, ended_at=now)
        letters = _end(settings, new, now)
        log.info("relay.recovered", relay=settings.relay, after=now - note.since)
    if new is not None and (letters or new != note):
        notes.save(new, letters, now)
    return letters


def in_trouble(waiting: Waiting, now: Time, *, is_cut_off: bool) -> bool:
    """Whether mails that were tried wait for too long, or there is no relay to try."""
    if not waiting.count:
        return False
    return now - waiting.since >= PATIENCE or (is_cut_off and waiting.attempts >= 2)


def _flows(waiting: Waiting, note: RelayNote) -> bool:
    """Nothing waits, and that is not so because all was given up."""
    return not waiting.count and (waiting.last_sent or 0) >= note.since


def _trouble(settings: RelaySettings, note: RelayNote, count: int) -> RelayTrouble:
    return RelayTrouble(
        relay=settings.relay,
        host=settings.host,
        since=note.since,
        waiting=count,
        answer=note.answer,
    )


def _tell(
    settings: RelaySettings, note: RelayNote, waiting: Waiting, now: Time, *, again: bool = False
) -> list[Letter]:
    title, text = began(_trouble(settings, note, waiting.count), now, again=again)
    return _notices(settings, f"{note.since}.{now}", title, text, now, is_open=True)


def _end(settings: RelaySettings, note: RelayNote, now: Time) -> list[Letter]:
    title, text = over(_trouble(settings, note, 0), now)
    return _notices(settings, f"{note.since}.{now}.over", title, text, now, is_open=False)


def _notices(
    settings: RelaySettings, name: str, title: str, text: str, now: Time, *, is_open: bool
) -> list[Letter]:
    name = f"<tlsrpt.relay.{name}@{settings.host}>"
    notice = Notice(
        id=name,
        key=KEY,
        event="operator",
        severity="critical" if is_open else "notice",
        is_open=is_open,
        title=title,
        text=text,
        at=now,
        host=settings.host,
    )
    return _to_all(settings, notice)


def _second_route(settings: RelaySettings, waiting: Sequence[Outgoing]) -> list[Letter]:
    """What waits for the operator, as notices; the store keeps each of them once."""
    return [
        notice_of(one.letter, f"{CHANNEL}{name}", one.created, settings.host, OPERATOR)
        for one in waiting
        if one.letter.event == "operator" or _is_intake(one.letter.raw)
        for name in settings.fallback
    ]


def _to_all(settings: RelaySettings, notice: Notice) -> list[Letter]:
    raw = msgspec.json.encode(notice)
    return [
        Letter(notice.id, f"{CHANNEL}{name}", notice.title, notice.event, raw, key=notice.key)
        for name in settings.fallback
    ]


def _is_intake(raw: bytes) -> bool:
    """Whether a mail about silence is about our own intake: the operator's business."""
    facts = message_from_bytes(raw, policy=policy.default).get_all("X-TLSRPT-Mailer") or ()
    return any("cause=intake" in str(fact) for fact in facts)
