"""Figures for `status`: counted where an index answers, never by reading a whole table."""

import sqlite3
from collections import defaultdict

from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store.listing import HELD
from tlsrpt_mailer.store.outbox import CHANNELS
from tlsrpt_mailer.store.rows import SourceRow, Totals
from tlsrpt_mailer.store.words import BELIEVED

_MOST = 10**12
"""A count beyond belief is no more than this, so that a sum of them fits."""


def domains(conn: sqlite3.Connection, table: str) -> list[str]:
    """The domains of *table*, by jumping from one to the next in its index on them."""
    rows = conn.execute(
        f"WITH RECURSIVE next (domain) AS (SELECT min(domain) FROM {table} UNION ALL"
        f" SELECT (SELECT min(domain) FROM {table} WHERE domain > next.domain) FROM next"
        " WHERE next.domain IS NOT NULL) SELECT domain FROM next WHERE domain IS NOT NULL"
    )
    return [name for (name,) in rows]


def sources(conn: sqlite3.Connection, now: Time) -> list[SourceRow]:
    """How each source is doing, with its last day of mail, by name."""
    day: defaultdict[str, dict[str, int]] = defaultdict(dict)
    counted = conn.execute(
        "SELECT source, outcome, count(*) FROM mails WHERE outcome IN"
        " ('stored', 'superseded', 'duplicate', 'held', 'quarantined', 'ignored')"
        " AND stored_at > ? AND stored_at <= ? GROUP BY source, outcome ORDER BY outcome",
        (now - DAY, now),
    )
    for source, outcome, count in counted:
        day[source][outcome] = count
    # A test report of our own is over like a copy of something that is here already.
    came = conn.execute(
        "SELECT source, count(*) FROM canaries WHERE came_at > ? AND came_at <= ? GROUP BY source",
        (now - DAY, now),
    )
    for source, count in came:
        copies = day[source].pop("duplicate", 0) if source in day else 0
        found = {"canary": min(count, copies), "duplicate": max(0, copies - count)}
        day[source].update((key, number) for key, number in found.items() if number)
    rows = conn.execute(
        "SELECT name, state, since, detail, error, tries, next_try, warning, backlog,"
        " (SELECT at FROM last_reports WHERE source = sources.name)"
        " FROM sources ORDER BY name"
    )
    return [SourceRow(*(*row, day.get(row[0], {}))) for row in rows]


def totals(conn: sqlite3.Connection, now: Time) -> Totals:
    """The figures of `status` and of an empty failures list."""
    sessions, failed, reporters = conn.execute(
        f"SELECT coalesce(sum(min(w.total, {_MOST})), 0),"
        f" coalesce(sum(min(w.failed, {_MOST})), 0), count(DISTINCT w.reporter)"
        " FROM reports AS r JOIN windows AS w ON w.report_id = r.id"
        # A report is taken after the time it speaks of, and reports are indexed by that.
        f" WHERE r.taken_at > ?1 AND w.end_at > ?1 AND w.{BELIEVED}",
        (now - 7 * DAY,),
    ).fetchone()
    (held,) = conn.execute(f"SELECT count(*) FROM reports WHERE {HELD}").fetchone()
    kept = dict(conn.execute("SELECT kind, count(*) FROM kept GROUP BY kind").fetchall())
    letters = dict(
        conn.execute(
            "SELECT state, count(*) FROM letters WHERE state IN ('waiting', 'failed')"
            f" AND NOT ({CHANNELS})"
            " GROUP BY state"
        ).fetchall()
    )
    sent_today, last_sent = conn.execute(
        "SELECT coalesce(sum(done_at >= ?), 0), max(done_at) FROM letters"
        f" WHERE state = 'sent' AND event <> 'forward' AND NOT ({CHANNELS})",
        (now - now % DAY,),
    ).fetchone()
    return Totals(
        domains=len(domains(conn, "windows")),
        sessions=sessions,
        failed=failed,
        reporters=reporters,
        last_report=conn.execute("SELECT max(taken_at) FROM reports").fetchone()[0],
        held=held,
        quarantined=kept.get("quarantine", 0),
        ignored=kept.get("ignored", 0),
        waiting_letters=letters.get("waiting", 0),
        failed_letters=letters.get("failed", 0),
        sent_today=sent_today,
        last_sent=last_sent,
        open_failures=dict(
            conn.execute(
                "SELECT severity, count(*) FROM failures WHERE is_open = 1 GROUP BY severity"
            ).fetchall()
        ),
    )
