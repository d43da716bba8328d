"""Say that reports come again, to who was told that they did not."""

from collections.abc import Sequence

import msgspec

from tlsrpt_mailer.alerts import silence as words
from tlsrpt_mailer.flows.announcing import Announcements, Key, key_of
from tlsrpt_mailer.flows.observing import Observed
from tlsrpt_mailer.ports import Announced, SilentPair
from tlsrpt_mailer.report.times import DAY, Span

GATHER: Span = 3 * DAY
"""How long a mail about reports that come again waits for the other domains."""


def resume(said: Announcements, observed: Observed) -> None:
    """Look for what was announced and is over."""
    for before in said.on():
        # What one row hands over may have changed the next one.
        row = said.row(key_of(before)) or before
        if row.kind == "intake":
            _intake(said, observed, row)
        else:
            _pairs(said, observed, row)


def _intake(said: Announcements, observed: Observed, row: Announced) -> None:
    came = observed.last_receipt
    if came is not None and came > row.since:
        said.end(row, row.pairs)
        context = said.context(row.recipient)
        said.send(words.intake_again(row.since, came, context), row.recipient, "operator")


def _pairs(said: Announcements, observed: Observed, row: Announced) -> None:
    pairs = tuple(_noted(said, observed, one) for one in row.pairs)
    back = [one for one in pairs if one.back is not None]
    left = [one for one in pairs if one.back is None]
    if row.kind == "silent-domain":
        if back:
            _hand_over(said, row, left)
            said.end(row, pairs)
            _tell(said, row, back, tuple(said.name(one.reporter) for one in left))
    elif not left:
        said.end(row, pairs)
        _tell(said, row, back, ())
    elif row.told_at is not None and any(said.now - (one.back or 0) >= GATHER for one in back):
        since = min(one.since for one in left)
        said.put(msgspec.structs.replace(row, since=since, pairs=tuple(left)))
        _tell(said, row, back, tuple(one.domain for one in left))
    elif pairs != row.pairs:
        said.put(msgspec.structs.replace(row, pairs=pairs))


def _noted(said: Announcements, observed: Observed, one: SilentPair) -> SilentPair:
    end = observed.last_end.get((one.domain, one.reporter), one.since)
    if one.back is None and end > one.since:
        return msgspec.structs.replace(one, back=said.now)
    return one


def _hand_over(said: Announcements, row: Announced, left: Sequence[SilentPair]) -> None:
    """Reporters that stay silent while others speak of the domain again: known already."""
    for one in left:
        there = said.row(Key("silent-reporter", one.reporter, row.recipient))
        there = there or Announced(
            kind="silent-reporter",
            key=one.reporter,
            recipient=row.recipient,
            since=one.since,
            told_at=row.told_at,
        )
        kept = (old for old in there.pairs if old.domain != one.domain)
        said.put(msgspec.structs.replace(there, pairs=(*kept, one)))


def _tell(
    said: Announcements, row: Announced, back: Sequence[SilentPair], still: tuple[str, ...]
) -> None:
    if row.told_at is None:
        return
    view = words.Resumed(
        reporter=said.name(row.key) if row.kind == "silent-reporter" else None,
        domains=tuple(dict.fromkeys(one.domain for one in back)),
        still=still,
        since=max(one.since for one in back),
    )
    said.send(words.resumed(view, said.context(row.recipient), row.key), row.recipient, "silent")
