"""The parts of the program that `status` looks at, each with how it is."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from tlsrpt_mailer import log, wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.ports import BY_MAIL
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time
from tlsrpt_mailer.store.queries import Reader
from tlsrpt_mailer.store.rows import HeldTotals, JobRow, LaneRow, LetterRow, SourceRow, Totals

MIB = 1 << 20
LITTLE_SPACE = 200 * MIB
SOME_SPACE = 1024 * MIB
FRESH = DAY + HOUR
"""How old the last round may be where `once` runs from cron."""
WAITS_LONG = HOUR
STUCK = 10 * MINUTE
"""Jobs run every minute; after so long the database is out of the daemon's reach."""
_STUCK = (
    "why: journalctl -u tlsrpt-mailer",
    "if the disk was full or the file replaced: systemctl restart tlsrpt-mailer",
)

_MAILS = {
    "stored": "with reports stored",
    "superseded": "superseded",
    "canary": "of the canary",
    "duplicate": "seen before",
    "held": "held",
    "quarantined": "unreadable",
    "ignored": "without a report",
}


_MODES = {
    "require": "require",
    "mark": "mark: reports without a signature count, as not authenticated",
    "off": "reports are not authenticated (trust.dkim is off)",
}
_HELD = {
    "signature": "without a valid signature",
    "pending": "not verified yet: DNS did not answer",
    "foreign": "about domains that are not yours",
    "proposed": "about domains that nobody has said are yours",
}


class Part(msgspec.Struct, frozen=True):
    """One part, in words."""

    level: Literal["ok", "warn", "FAIL"]
    name: str
    what: str
    more: tuple[str, ...] = ()
    is_standing: bool = False
    """A warning that will not go away by anything an operator does."""
    brief: str | None = None
    """What a person reads in place of `what`."""


def lines(part: Part) -> Iterator[str]:
    """The part as `status` prints it."""
    label, indent = f"  {part.level:<4}  {part.name:<13} ", " " * 22
    for number, text in enumerate([part.brief or part.what, *part.more]):
        yield from words.wrap(text, indent, indent if number else label)


def started(pid: int | None) -> Time | None:
    """When a process of this machine began; None where that cannot be seen."""
    try:
        return None if pid is None else int(Path(f"/proc/{pid}").stat().st_ctime)
    except OSError:
        return None


def daemon(
    pid: int | None,
    ran: Sequence[JobRow],
    config: Config,
    now: Time,
    worker: str | None,
    since: Time | None = None,
) -> Part:
    """
    Whether anybody does the work.

    Args:
        pid: Who holds the database.
        ran: The jobs; each notes in the database that it ran.
        config: The configuration.
        now: The time.
        worker: Who did it last (`run` or `once`).
        since: When *pid* began, if that is known.

    """
    last = max((job.last_at for job in ran), default=None)
    if pid is not None:
        idle = now - max(last or 0, now if since is None else since)
        if idle < STUCK:
            return Part("ok", "daemon", f"runs as process {pid}")
        what = (
            f"process {pid} has written nothing here for {words.length(idle)}: it takes no report"
        )
        return Part("FAIL", "daemon", what, _STUCK)
    if last is not None and now - last < FRESH and worker == "once":
        return Part("ok", "daemon", f"does not run; `once` ran {words.when(last, now)}")
    if not config.source:
        return Part("warn", "daemon", "does not run, and no source is configured")
    said = f"nothing has run since {words.moment(last, now)}" if last else "it never ran"
    return Part("FAIL", "daemon", f"does not run: {said}", ("systemctl start tlsrpt-mailer",))


def sources(rows: Sequence[SourceRow], config: Config, now: Time) -> list[Part]:
    """Each source, by what it said last."""
    if not rows:
        configured = len(config.source)
        what = f"{words.plural(configured, 'source')} configured, none has run yet"
        return [Part("warn", "source", what if configured else "none is configured")]
    return [_source(row, now) for row in rows]


def _source(row: SourceRow, now: Time) -> Part:
    kind, _, place = row.name.partition(":")
    name, place = f"source {kind}", log.safe(place, 60)
    if row.state == "trouble":
        return Part("FAIL", name, f"{place}: trouble since {_since(row, now)}", _trouble(row, now))
    if row.state == "starting":
        what = "connecting" if kind == "imap" else "starting"
        return Part("warn", name, f"{place}: {what} since {_since(row, now)}")
    if row.last_report is None:
        last = "no report yet"
    else:
        last = f"last report {words.when(row.last_report, now)}"
    more = [_day(row)] if row.day else []
    more += [f"{words.plural(row.backlog, 'mail')} to read"] if row.backlog else []
    if row.warning:
        return Part("warn", name, f"{place}: {log.safe(row.warning, 300)}", (last, *more))
    return Part("ok", name, f"{place}: {last}", tuple(more))


def _since(row: SourceRow, now: Time) -> str:
    return f"{words.moment(row.since, now)}, {words.age(now - row.since)}"


def _trouble(row: SourceRow, now: Time) -> tuple[str, ...]:
    tries = words.plural(row.tries, "try", "tries")
    again = (
        f", next in {words.length(row.next_try - now)}"
        if row.next_try and row.next_try > now
        else ""
    )
    waits = "; the mails wait where they are"
    said = [log.safe(line, 300) for line in (row.error or "").splitlines()[:6]]
    return (*said, f"{tries}{again}{waits}")


def _day(row: SourceRow) -> str:
    said = [
        f"{words.number(row.day[key])} {text}" for key, text in _MAILS.items() if row.day.get(key)
    ]
    return f"24 h: {words.plural(sum(row.day.values()), 'mail')}, {', '.join(said)}"


def trust(held: HeldTotals, config: Config, now: Time) -> Part:
    """Whether reports are checked before they count, and how many do not."""
    mode = config.trust.dkim
    total = sum(held.counts.values())
    what = _MODES[mode]
    if total and held.since is not None:
        since = words.moment(held.since, now)
        what += f"; {words.number(total)} held since {since}"
    reasons = [
        f"{words.number(held.counts[key])} {_HELD[key]}" for key in _HELD if held.counts.get(key)
    ]
    more = (", ".join(reasons), "tlsrpt-mailer reports --held") if reasons else ()
    if mode != "require":
        return Part("warn", "trust", what, more, is_standing=True)
    if held.day_held and not held.day_counted:
        all_ = words.plural(held.day_held, "report")
        are = "is" if held.day_held == 1 else "are all"
        return Part("warn", "trust", f"{all_} of the last 24 h {are} held", (what, *more))
    comes_in = config.source or held.counts.get("proposed")
    if comes_in and not (config.domains or wiring.our_addresses(config)):
        nobodys = "no domain can be known as ours; say checks.rua or [[domains]]"
        return Part("warn", "trust", nobodys, (what, *more), is_standing=True)
    return Part("ok", "trust", what, more)


def alerts(reader: Reader, totals: Totals, config: Config, now: Time) -> Part:
    """Whether alerts reach somebody."""
    sent = f"today {totals.sent_today} sent, {totals.waiting_letters} waiting"
    if totals.last_sent is not None:
        sent += f"; the last was taken {words.when(totals.last_sent, now)}"
    refused = reader.letters(state="failed", lane=BY_MAIL, limit=1).rows
    if refused and now - (refused[0].done_at or 0) < 7 * DAY:
        return Part("FAIL", "alerts", f"given up: {_about(refused[0])}", _answer(refused[0], sent))
    waiting = reader.letters(state="waiting", lane=BY_MAIL, limit=1).rows
    if waiting and waiting[0].attempts:
        asked = waiting[0].done_at or waiting[0].created_at  # done once, and to be sent again
        late = now - asked > WAITS_LONG
        what = f"the relay does not take: {_about(waiting[0])}"
        return Part("FAIL" if late else "warn", "alerts", what, _answer(waiting[0], sent))
    if not config.alerts.to:
        what = "alerts.to is empty: alerts go to the log and the terminal"
        return Part("warn", "alerts", what, (sent,), is_standing=True)
    return Part("ok", "alerts", sent)


def channels(rows: Sequence[LaneRow], config: Config, now: Time) -> list[Part]:
    """Each channel, by how its last notices fared."""
    by_name = {row.channel: row for row in rows}
    kinds = {one.name: one.kind for one in config.channel}
    found = [
        _channel(by_name.get(name) or LaneRow(name, 0, 0, None), kind, now)
        for name, kind in kinds.items()
    ]
    left = [row for row in rows if row.waiting and row.channel not in kinds]
    return found + [
        Part(
            "warn",
            "channel",
            f"{log.safe(row.channel, 40)}: {words.plural(row.waiting, 'notice')} wait,"
            " but no such channel is configured",
        )
        for row in left
    ]


def _channel(row: LaneRow, kind: str, now: Time) -> Part:
    name = f"{log.safe(row.channel, 40)} ({kind})"
    sent = f"today {row.sent_today} sent, {row.waiting} waiting"
    if row.last_sent is not None:
        sent += f"; the last was taken {words.when(row.last_sent, now)}"
    if row.tried is not None and row.since is not None:
        late = now - row.since > WAITS_LONG
        what = f"{name}: does not take notices, since {words.moment(row.since, now)}"
        return Part("FAIL" if late else "warn", "channel", what, _said(row.answer, row.tried, sent))
    given_up = row.failed is not None and row.failed_at is not None
    if given_up and (row.last_sent or 0) < (row.failed_at or 0):
        what = f"{name}: given up {words.when(row.failed_at or 0, now)}"
        recent = now - (row.failed_at or 0) < 7 * DAY
        more = _said(row.failed_answer, row.failed or 0, sent)
        return Part("FAIL" if recent else "ok", "channel", what, more)
    return Part("ok", "channel", f"{name}: {sent}")


def _about(row: LetterRow) -> str:
    return f"{log.safe(row.recipient, 60)}: {log.safe(row.subject, 60)}"


def _answer(row: LetterRow, sent: str) -> tuple[str, ...]:
    return _said(row.answer, row.id, sent)


def _said(answer: str | None, letter: int, sent: str) -> tuple[str, ...]:
    return (log.safe(answer or "no answer", 300), f"tlsrpt-mailer alerts show {letter}", sent)


def store(path: Path) -> Part:
    """How large the database is, and whether it can grow."""
    size = sum(
        os.stat(file).st_size  # noqa: PTH116  of three names, two of which may not be there
        for file in (f"{path}", f"{path}-wal")
        if Path(file).exists()
    )
    free = shutil.disk_usage(path.parent).free
    what = f"{path}, {_mib(size)}, {_mib(free)} free"
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return Part("FAIL", "store", f"{what}, on a disk that is read-only", ("mails must wait",))
    if free < LITTLE_SPACE:
        return Part("FAIL", "store", what, ("free space, or mails must wait",))
    return Part("warn" if free < SOME_SPACE else "ok", "store", what)


def _mib(size: int) -> str:
    return f"{size / MIB:,.1f} MiB" if size < 1024 * MIB else f"{size / MIB / 1024:,.0f} GiB"
