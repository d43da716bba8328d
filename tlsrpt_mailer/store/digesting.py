"""
What a digest reads: sums over the windows of the last weeks, by an index on their ends.

A `DigestReader` has a connection of its own, so that mails are taken while it adds up: with
ten thousand domains that takes some seconds.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tlsrpt_mailer.alerts.digest_model import (
    HABIT_DAYS,
    AnswerTime,
    Domain,
    Intake,
    Looked,
    Pair,
    Period,
    Sum,
)
from tlsrpt_mailer.domains.seen import Shown
from tlsrpt_mailer.failures.model import Sessions
from tlsrpt_mailer.ports import DigestFigures, FailureRecord, Told
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time
from tlsrpt_mailer.store.bind import select_in
from tlsrpt_mailer.store.connection import BUSY_SECONDS, open_reader
from tlsrpt_mailer.store.judging import record
from tlsrpt_mailer.store.notices import silent_pairs
from tlsrpt_mailer.store.snapshots import Snapshots
from tlsrpt_mailer.store.words import BELIEVED

LONG: Span = 36 * HOUR
FRESH: Span = 8 * DAY
"""What an MX host showed longer ago, it may not show any more."""
LATE: Span = 7 * DAY
"""A report that came later tells nothing of its reporter's habits."""
_MOST = 10**12
"""A count beyond belief is no more than this, so that a sum of them fits."""

_DAY = f"(start_at + end_at) / 2 / {DAY} * {DAY}"
_COUNTS = f"min(total, {_MOST}), min(failed, {_MOST})"
_ALERTS = (
    "'new', 'joined', 'worsened', 'not-fixed', 'regressed', 'resolved', 'maintenance',"
    " 'reminder', 'summary', 'flood'"
)

_decode = msgspec.json.Decoder(tuple[Sessions, ...]).decode
_decode_shown = msgspec.json.Decoder(Shown).decode
_texts = msgspec.json.Decoder(tuple[str, ...]).decode


class DigestReader(Snapshots):
    """`ports.DigestReads`; close it, or use it in a ``with``."""

    def first_report(self) -> Time | None:
        """See `ports.DigestReads.first_report`."""
        with self._snapshot() as conn:
            (first,) = conn.execute(
                "SELECT min(stored_at) FROM mails WHERE outcome = 'stored'"
            ).fetchone()
        return None if first is None else int(first)

    def figures(self, period: Period) -> DigestFigures:
        """See `ports.DigestReads.figures`."""
        with self._snapshot() as conn:
            failures = _failures(conn, period)
            return DigestFigures(
                domains=_domains(conn, period),
                certificates=_certificates(conn, period),
                failures=failures,
                told=_told(conn, failures),
                intake=_intake(conn, period),
                answered=_answered(conn, period),
                mails=_mails(conn, period),
                refused=_refused(conn, period),
                silent=silent_pairs(conn, period.begin),
            )


def open_digest_reader(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> DigestReader:
    """Open the database for `DigestReader`; raises what `open_reader` does."""
    return DigestReader(open_reader(path, busy_seconds=busy_seconds), path)


# --------------------------------------------------------------------- windows


def _domains(conn: sqlite3.Connection, period: Period) -> dict[str, Domain]:
    days = _days(conn, period)
    pairs = _pairs(conn, period)
    looked = _looked(conn)
    return {
        name: Domain(name, days.get(name, {}), tuple(pairs.get(name, ())), looked.get(name))
        for name in sorted({*days, *pairs, *looked})
    }


def _looked(conn: sqlite3.Connection) -> dict[str, Looked]:
    """The domains of ours that were looked at; an MX host is none."""
    rows = conn.execute(
        "SELECT domain, record, sts, dane, mx FROM looks"
        " WHERE next_at IS NOT NULL AND at IS NOT NULL AND is_host = 0"
    )
    return {
        domain: Looked(record=record, sts=sts, dane=dane, mx=_texts(mx))
        for domain, record, sts, dane, mx in rows
    }


def _certificates(conn: sqlite3.Connection, period: Period) -> dict[str, Time]:
    found: dict[str, Time] = {}
    rows = conn.execute("SELECT host, shown FROM shown WHERE at > ?", (period.end - FRESH,))
    for host, raw in rows:
        for certificate in _decode_shown(raw).chain[:1]:
            end = certificate.not_after
            found[host] = min(end, found.get(host, end))
    return found


def _days(conn: sqlite3.Connection, period: Period) -> dict[str, dict[Time, Sum]]:
    """By domain and UTC day of the window's middle, two lengths of the period back."""
    found: defaultdict[str, dict[Time, Sum]] = defaultdict(dict)
    rows = conn.execute(
        f"SELECT domain, {_DAY} AS day, sum(min(total, {_MOST})), sum(min(failed, {_MOST})),"
        " count(*) FROM windows WHERE end_at > ?1 AND end_at <= ?2"
        f" AND end_at - start_at <= {LONG} AND {BELIEVED} GROUP BY domain, day",
        (period.before, period.until + DAY),
    )
    for domain, day, *counts in rows:
        found[domain][day] = Sum(*counts)
    for domain, day, one in _long(conn, period):
        found[domain][day] = found[domain].get(day, Sum()) + one
    return found


def _long(conn: sqlite3.Connection, period: Period) -> Iterator[tuple[str, Time, Sum]]:
    """Windows of several days, spread evenly over these; what cannot be halved goes in front."""
    rows = conn.execute(
        f"SELECT domain, start_at, end_at, {_COUNTS} FROM windows WHERE end_at > ?1"
        f" AND start_at < ?2 AND end_at - start_at > {LONG} AND {BELIEVED}",
        (period.before, period.until),
    )
    for domain, start, end, total, failed in rows:
        days = range(start - start % DAY, end, DAY)
        for at, day in enumerate(days):
            yield domain, day, Sum(_part(total, at, len(days)), _part(failed, at, len(days)), 1)


def _part(count: int, at: int, of: int) -> int:
    return count // of + (at < count % of)


def _pairs(conn: sqlite3.Connection, period: Period) -> dict[str, list[Pair]]:
    """Each reporter about each domain, over four weeks, with the policies it quoted last."""
    between = (period.until - HABIT_DAYS * DAY, period.end + DAY)
    last = _last(conn, *between)
    rows = conn.execute(
        f"SELECT domain, reporter, count(DISTINCT {_DAY}), min(start_at),"
        f" avg(CASE WHEN received_at - end_at < {LATE} THEN received_at - end_at END),"
        f" sum(min(total, {_MOST})), sum(min(failed, {_MOST})) FROM windows"
        f" WHERE end_at > ?1 AND end_at <= ?2 AND {BELIEVED}"
        " GROUP BY domain, reporter ORDER BY domain, reporter",
        between,
    )
    policies: dict[str, tuple[tuple[str, str | None], ...]] = {}
    found: defaultdict[str, list[Pair]] = defaultdict(list)
    for domain, reporter, days, first, delay, sessions, failed in rows:
        end, quoted = last[domain, reporter]
        if quoted not in policies and len(policies) < 10_000:
            policies[quoted] = _policies(quoted)
        found[domain].append(
            Pair(
                domain=domain,
                reporter=reporter,
                days=days,
                first=first,
                last=end,
                delay=max(0, round(delay if delay is not None else LATE)),
                sessions=sessions,
                failed=failed,
                policies=policies.get(quoted) or _policies(quoted),
            )
        )
    return found


def _last(
    conn: sqlite3.Connection, since: Time, until: Time
) -> dict[tuple[str, str], tuple[Time, str]]:
    """(domain, reporter) to the end of the last window, and its sessions as JSON."""
    rows = conn.execute(
        "SELECT domain, reporter, max(end_at), sessions FROM windows"
        " WHERE end_at > ? AND end_at <= ? GROUP BY domain, reporter",
        (since, until),
    )
    return {(domain, reporter): (end, sessions) for domain, reporter, end, sessions in rows}


def _policies(sessions: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((one.policy_type, one.mode) for one in _decode(sessions))


# -------------------------------------------------------------------- failures


def _failures(conn: sqlite3.Connection, period: Period) -> list[FailureRecord]:
    rows = conn.execute(
        "SELECT id, cause_id, verdict, ended_at FROM failures WHERE is_open = 1"
        " UNION ALL SELECT id, cause_id, verdict, ended_at FROM failures"
        " WHERE ended_at > ?1 AND ended_at <= ?2 AND is_open = 0 ORDER BY id",
        (period.begin, period.end),
    )
    return [record(*row) for row in rows]


def _told(conn: sqlite3.Connection, failures: list[FailureRecord]) -> list[Told]:
    rows = select_in(
        conn,
        "SELECT failure_id, recipient, incident, event, at, coalesce(first_at, opened_at, at)"
        " FROM told WHERE failure_id IN ({keys}) ORDER BY failure_id, recipient",
        [one.id for one in failures],
    )
    return [
        Told(failure, recipient, incident, event, at, first_at=first)
        for failure, recipient, incident, event, at, first in rows
    ]


def _answered(conn: sqlite3.Connection, period: Period) -> tuple[AnswerTime, ...]:
    """First answers given in the period, to incidents that somebody had been told of."""
    rows = conn.execute(
        "SELECT f.severity, a.at, (SELECT min(coalesce(t.first_at, t.opened_at, t.at)) FROM told"
        " AS t WHERE t.failure_id = a.failure_id AND t.incident = a.incident)"
        " FROM (SELECT failure_id, incident, min(at) AS at FROM acts WHERE kind <> 'reopen'"
        " GROUP BY failure_id, incident) AS a JOIN failures AS f ON f.id = a.failure_id"
        " WHERE a.at > ?1 AND a.at <= ?2 ORDER BY a.at",
        (period.begin, period.end),
    )
    return tuple(
        AnswerTime(severity=severity, after=at - told)
        for severity, at, told in rows
        if told is not None and told <= at
    )


# ------------------------------------------------------------------ the program


def _intake(conn: sqlite3.Connection, period: Period) -> Intake:
    mails = conn.execute(
        "SELECT outcome, count(*) FROM mails WHERE outcome IN"
        " ('stored', 'superseded', 'duplicate', 'held', 'quarantined', 'ignored')"
        " AND stored_at > ? AND stored_at <= ? GROUP BY outcome ORDER BY outcome",
        (period.begin, period.end),
    ).fetchall()
    sources: list[tuple[Any, ...]] = conn.execute(
        "SELECT name, state, backlog FROM sources ORDER BY name"
    ).fetchall()
    return Intake(
        mails=dict(mails),
        waiting=sum(backlog for _, _, backlog in sources),
        trouble=tuple(name for name, state, _ in sources if state == "trouble"),
        last_report=conn.execute("SELECT max(taken_at) FROM reports").fetchone()[0],
    )


def _mails(conn: sqlite3.Connection, period: Period) -> dict[str, int]:
    rows = conn.execute(
        f"SELECT recipient FROM letters WHERE created_at > ? AND created_at <= ?"
        f" AND event IN ({_ALERTS}) AND recipient NOT LIKE 'channel:%'",
        (period.begin, period.end),
    )
    return dict(Counter(recipient for (recipient,) in rows))


def _refused(conn: sqlite3.Connection, period: Period) -> frozenset[str]:
    """Addresses whose newest mail was given up, of those given up in the period."""
    failed = dict(
        conn.execute(
            "SELECT recipient, max(done_at) FROM letters WHERE state = 'failed' AND done_at > ?"
            " GROUP BY recipient",
            (period.begin,),
        ).fetchall()
    )
    sent = dict(
        select_in(
            conn,
            "SELECT recipient, max(done_at) FROM letters WHERE state = 'sent'"
            " AND recipient IN ({keys}) GROUP BY recipient",
            list(failed),
        )
    )
    return frozenset(name for name, at in failed.items() if at > sent.get(name, 0))
