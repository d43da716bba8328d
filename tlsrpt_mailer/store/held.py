"""
The read side of what was put aside: mails whose bytes are kept, held reports, their reporters.

A held report is a row of ``reports`` without windows; the bytes of its mail lie in
``kept`` until it counts, its time is over, or there is no more room for it.
"""

import sqlite3
from collections.abc import Collection, Iterator

from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.report.marks import is_marked
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store import words
from tlsrpt_mailer.store.bind import select_in, unpack
from tlsrpt_mailer.store.judging import established
from tlsrpt_mailer.store.listing import HELD, KEPT, LAST_KEPT_FIRST, Page, page
from tlsrpt_mailer.store.rows import HeldMail, HeldTotals, KeptRow, ReporterRow
from tlsrpt_mailer.store.snapshots import Snapshots

PAGE = 50
SHARE_OF = 30 * DAY
"""How far back reports are counted for the share that is held."""

_HELD = (
    "SELECT r.mail_id, r.id, r.held_for, r.trust, m.source, m.taken_at, k.file_name, k.size"
    " FROM reports AS r JOIN mails AS m ON m.id = r.mail_id"
    " LEFT JOIN kept AS k ON k.mail_id = r.mail_id AND k.kind = 'held'"
    " WHERE r.status = 'held' AND r.held_for > ''"
)


class PutAsideReads(Snapshots):
    """What commands ask of mails and reports that do not count."""

    def kept(self, kind: str, *, limit: int | None = PAGE, offset: int = 0) -> Page[KeptRow]:
        """Mails whose raw bytes are kept (quarantine, held or ignored), last kept first."""
        with self._snapshot() as conn:
            return page(
                conn,
                (
                    f"SELECT {KEPT} WHERE k.kind = ? {LAST_KEPT_FIRST}",
                    "SELECT count(*) FROM kept WHERE kind = ?",
                ),
                [kind],
                (limit, offset),
                lambda rows: [KeptRow(*row) for row in rows],
            )

    def kept_one(self, id: int) -> KeptRow:
        """One of them; raises NoSuch."""
        with self._snapshot() as conn:
            row = conn.execute(f"SELECT {KEPT} WHERE k.mail_id = ?", (id,)).fetchone()
        if row is None:
            raise NoSuch(f"no mail {id} is kept")
        return KeptRow(*row)

    def kept_raw(self, id: int) -> bytes:
        """Its bytes as they came; raises NoSuch."""
        with self._snapshot() as conn:
            row = conn.execute("SELECT raw FROM kept WHERE mail_id = ?", (id,)).fetchone()
        if row is None:
            raise NoSuch(f"no mail {id} is kept")
        return unpack(row[0])

    def is_kept(self, id: int) -> bool:
        """Whether the bytes of a mail are still there."""
        with self._snapshot() as conn:
            row = conn.execute("SELECT 1 FROM kept WHERE mail_id = ?", (id,)).fetchone()
        return row is not None

    def held_mails(self, reports: Collection[int] | None = None) -> list[HeldMail]:
        """
        The mails of held reports, the first taken first; None is all of them.

        Raises:
            NoSuch: One of *reports* is not there, or is not held.
        """
        with self._snapshot() as conn:
            if reports is None:
                return _mails(conn.execute(_HELD))
            _must_be_held(conn, reports)
            mails = {
                mail
                for (mail,) in select_in(
                    conn, "SELECT mail_id FROM reports WHERE id IN ({keys})", reports
                )
            }
            return _mails(select_in(conn, f"{_HELD} AND r.mail_id IN ({{keys}})", mails))

    def still_held(self, mails: Collection[int]) -> list[tuple[str, str | None]]:
        """(what for, reason) of each report of these mails that is held."""
        with self._snapshot() as conn:
            return list(
                select_in(
                    conn,
                    "SELECT held_for, trust_reason FROM reports"
                    " WHERE status = 'held' AND mail_id IN ({keys})",
                    mails,
                )
            )

    def held_totals(self, now: Time) -> HeldTotals:
        """How much is held, and whether all of the last day is."""
        with self._snapshot() as conn:
            return held_totals(conn, now)

    def reporters(self, now: Time) -> list[ReporterRow]:
        """Everybody in whose name a report came or of whom something was said, by name."""
        with self._snapshot() as conn:
            return _reporters(conn, now)


def _must_be_held(conn: sqlite3.Connection, reports: Collection[int]) -> None:
    found = select_in(conn, "SELECT id, status FROM reports WHERE id IN ({keys})", reports)
    status = dict(found)
    for number in reports:
        if number not in status:
            raise NoSuch(f"no report {number}")
        if status[number] != "held":
            raise NoSuch(f"report {number} is not held; it is {status[number]}")


def _mails(
    rows: Iterator[tuple[int, int, str, str, str, Time, str | None, int | None]],
) -> list[HeldMail]:
    reports: dict[int, list[int]] = {}
    reasons: dict[int, set[str]] = {}
    vouched: set[int] = set()
    known: dict[int, tuple[str, Time, str | None, bool]] = {}
    for mail, report, held_for, trust, source, taken_at, file_name, size in rows:
        reports.setdefault(mail, []).append(report)
        reasons.setdefault(mail, set()).add(held_for)
        if trust == "operator":
            vouched.add(mail)
        known[mail] = (source, taken_at, file_name, size is not None)
    found = [
        HeldMail(mail, *facts, tuple(reports[mail]), frozenset(reasons[mail]), mail in vouched)
        for mail, facts in known.items()
    ]
    return sorted(found, key=lambda one: (one.taken_at, one.mail))


def held_totals(conn: sqlite3.Connection, now: Time) -> HeldTotals:
    """See `PutAsideReads.held_totals`."""
    counts = dict(
        conn.execute(
            f"SELECT held_for, count(*) FROM reports WHERE {HELD} GROUP BY held_for"
        ).fetchall()
    )
    (since,) = conn.execute(f"SELECT min(taken_at) FROM reports WHERE {HELD}").fetchone()
    # By when the mails were stored: an old mailbox that is read today is news of today.
    of_day = dict(
        conn.execute(
            "SELECT outcome, sum(reports) FROM mails WHERE outcome IN"
            " ('stored', 'superseded', 'held') AND stored_at > ? AND stored_at <= ?"
            " GROUP BY outcome",
            (now - DAY, now),
        ).fetchall()
    )
    return HeldTotals(
        counts=counts,
        since=since,
        day_held=of_day.get("held", 0),
        day_counted=of_day.get("stored", 0) + of_day.get("superseded", 0),
    )


def _reporters(conn: sqlite3.Connection, now: Time) -> list[ReporterRow]:
    counts = conn.execute("SELECT reporter, count(*) FROM pairs GROUP BY reporter")
    domains = dict(counts.fetchall())
    # A plus sign keeps SQLite from the index on reporters, which leads to all their reports.
    held = dict(
        conn.execute(
            f"SELECT reporter, count(*) FROM reports WHERE {HELD} GROUP BY +reporter"
        ).fetchall()
    )
    said = words.said(conn)
    names = sorted({*domains, *held, *said})
    solid = established(conn, [name for name in names if not is_marked(name)])
    idle = _not_counted(conn, now - SHARE_OF)
    found = []
    for name in names:
        taken, last = conn.execute(
            "SELECT count(*), max(taken_at) FROM reports WHERE reporter = ? AND taken_at > ?",
            (name, now - SHARE_OF),
        ).fetchone()
        if last is None:
            (last,) = conn.execute(
                "SELECT max(taken_at) FROM reports WHERE reporter = ?", (name,)
            ).fetchone()
        held_lately = idle.get((name, "held"), 0)
        found.append(
            ReporterRow(
                reporter=name,
                word=said.get(name),
                is_established=name in solid,
                domains=domains.get(name, 0),
                held=held.get(name, 0),
                counted_lately=taken - held_lately - idle.get((name, "superseded"), 0),
                held_lately=held_lately,
                last_report=last,
            )
        )
    return found


def _not_counted(conn: sqlite3.Connection, since: Time) -> dict[tuple[str, str], int]:
    """(reporter, status) to how many of its reports do not count, of those taken since then."""
    rows = conn.execute(
        "SELECT reporter, status, count(*) FROM reports WHERE status <> 'counted'"
        " AND status IN ('held', 'superseded') AND taken_at > ? GROUP BY +reporter, +status",
        (since,),
    )
    return {(reporter, status): count for reporter, status, count in rows}
