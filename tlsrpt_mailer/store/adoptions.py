"""
Domains that believed reports speak of and no ``[[domains]]`` names, and reports held for that.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec

from tlsrpt_mailer.domains.ours import State
from tlsrpt_mailer.ports import NOBODY, Adoption, AuditEntry, HeldReport, Proposer, RawMail
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import DAY, Span, Time
from tlsrpt_mailer.store import audit
from tlsrpt_mailer.store.bind import json, select_in, text, text_or_none, unpack
from tlsrpt_mailer.store.connection import Writer
from tlsrpt_mailer.store.turns import in_turns

MOST_PROPOSED = 10_000
"""Of which domains reports speak is for strangers to say; those of who says most leave."""
MOST_OF_ONE = 200
"""Domains that wait for their record on the word of one reporter that is not known."""
MOST_ADOPTED = 20_000
PROPOSED_KEEP: Span = 120 * DAY

COLUMNS = "domain, state, first_at, last_at, changed_at, next_try, tries, record, said"
_HELD = "status = 'held' AND held_for IN ('foreign', 'proposed')"

_texts = msgspec.json.Decoder(tuple[str, ...]).decode


def adoption(row: Sequence[Any]) -> Adoption:
    """One row of `COLUMNS`."""
    domain, state, first, last, changed, next_try, tries, record, said = row
    return Adoption(
        domain=domain,
        state=state,
        first_at=first,
        last_at=last,
        changed_at=changed,
        next_try=next_try,
        tries=tries,
        record=record,
        said=said,
    )


def propose(
    conn: sqlite3.Connection,
    domains: Collection[str],
    now: Time,
    by: Proposer = NOBODY,
    most: int = MOST_PROPOSED,
) -> None:
    """
    See `ports.Txn.propose`.

    A domain that several speak of stands for who is known, else for who has proposed less,
    so that nobody can have another's leave with his own.
    """
    names = [name for name in dict.fromkeys(domains) if is_strict_host(name)]
    if not names:
        # What is no name has no record that could say more.
        return
    count = dict(
        conn.execute(
            "SELECT proposer, count(*) FROM adoptions WHERE state = 'proposed' GROUP BY proposer"
        )
    )
    mine = count.get(by.name, 0)
    theirs = [who for who, proposed in count.items() if proposed > mine]
    conn.executemany(
        "INSERT INTO adoptions"
        " (domain, state, first_at, last_at, changed_at, next_try, proposer, by_known)"
        " VALUES (?1, 'proposed', ?2, ?2, ?2, ?2, ?3, ?4)"
        " ON CONFLICT (domain) DO UPDATE SET last_at = max(last_at, excluded.last_at)",
        [(name, now, by.name, by.is_known) for name in names],
    )
    conn.executemany(
        "UPDATE adoptions SET proposer = ?2, by_known = ?3 WHERE domain = ?1 AND by_known <= ?3"
        " AND (by_known < ?3 OR proposer IN (SELECT value FROM json_each(?4)))",
        [(name, by.name, by.is_known, json(theirs)) for name in names],
    )
    _make_room(conn, most)


def _make_room(conn: sqlite3.Connection, most: int) -> None:
    """Past their number those leave that were looked up, then those long not spoken of."""
    conn.execute(
        f"DELETE FROM adoptions WHERE domain IN (SELECT domain FROM ({_RANKED})"
        " WHERE by_known = 0 AND place > ?)",
        (MOST_OF_ONE,),
    )
    (count,) = conn.execute("SELECT count(*) FROM adoptions WHERE state = 'proposed'").fetchone()
    if count > most:
        conn.execute(
            f"DELETE FROM adoptions WHERE domain IN (SELECT domain FROM ({_RANKED})"
            " ORDER BY by_known, place DESC LIMIT ?)",
            (count - most,),
        )


_RANKED = (
    "SELECT domain, by_known, row_number() OVER (PARTITION BY proposer"
    " ORDER BY said IS NOT NULL, last_at DESC, first_at DESC, domain DESC) AS place"
    " FROM adoptions WHERE state = 'proposed'"
)


def prune_proposed(conn: sqlite3.Connection, now: Time) -> None:
    """Forget domains that nobody knew and that no report has spoken of for `PROPOSED_KEEP`."""
    conn.execute(
        "DELETE FROM adoptions WHERE state = 'proposed' AND last_at < ?", (now - PROPOSED_KEEP,)
    )


class SqliteAdoptions:
    """`ports.Adoptions`."""

    def __init__(self, writer: Writer, most_adopted: int = MOST_ADOPTED) -> None:
        self._writer = writer
        self._most_adopted = most_adopted

    def found_out(self) -> dict[str, State]:
        """See `ports.Adoptions.found_out`."""
        with self._writer.reading() as conn:
            rows = conn.execute("SELECT domain, state FROM adoptions WHERE state <> 'proposed'")
            return dict(rows.fetchall())

    def due(
        self, now: Time, limit: int, organisational: Callable[[str], str | None] = str
    ) -> list[Adoption]:
        """See `ports.Adoptions.due`."""
        with self._writer.reading() as conn:
            # Never looked up, looked up, never answered.
            rows = conn.execute(
                "SELECT domain, proposer FROM adoptions"
                " WHERE next_try <= ? AND state = 'proposed' ORDER BY NOT by_known,"
                " CASE WHEN said IS NULL THEN 0 WHEN tries > 0 THEN 1 ELSE 2 END,"
                " next_try, domain",
                (now,),
            ).fetchall()
            turns = in_turns(
                rows,
                lambda row: (row[1], organisational(row[0]) or row[0]),
                lambda row: row[1],
            )
            names = [name for name, _ in turns[:limit]]
            found = select_in(
                conn, f"SELECT {COLUMNS} FROM adoptions WHERE domain IN ({{keys}})", names
            )
            there = {one.domain: one for one in map(adoption, found)}
        return [there[name] for name in names]

    def save(self, rows: Sequence[Adoption]) -> None:
        """See `ports.Adoptions.save`."""
        with self._writer.transaction() as conn:
            conn.executemany(
                "UPDATE adoptions SET state = ?, changed_at = ?, next_try = ?, tries = ?,"
                " record = ?, said = ? WHERE domain = ?",
                [
                    (
                        one.state,
                        one.changed_at,
                        one.next_try,
                        one.tries,
                        text_or_none(one.record),
                        text_or_none(one.said),
                        text(one.domain),
                    )
                    for one in rows
                ],
            )

    def room(self) -> int:
        """See `ports.Adoptions.room`."""
        with self._writer.reading() as conn:
            (count,) = conn.execute(
                "SELECT count(*) FROM adoptions WHERE state = 'adopted'"
            ).fetchone()
        return max(0, self._most_adopted - int(count))

    def say(
        self,
        domains: Collection[str],
        state: State,
        now: Time,
        said: str,
        noted: Iterable[AuditEntry] = (),
    ) -> None:
        """Somebody knows whose these are, whatever their records say; *noted* for the audit."""
        with self._writer.transaction() as conn:
            for entry in noted:
                audit.add(conn, entry)
            conn.executemany(
                "INSERT INTO adoptions (domain, state, first_at, last_at, changed_at, said)"
                " VALUES (?1, ?2, ?3, ?3, ?3, ?4) ON CONFLICT (domain) DO UPDATE SET"
                " state = ?2, changed_at = ?3, next_try = NULL, said = ?4",
                [(text(domain), state, now, text(said)) for domain in domains],
            )

    def look_again(self, now: Time) -> None:
        """See `ports.Adoptions.look_again`."""
        with self._writer.transaction() as conn:
            conn.execute("UPDATE adoptions SET next_try = ? WHERE state = 'proposed'", (now,))

    def held(self, after: int, limit: int) -> list[HeldReport]:
        """See `ports.Adoptions.held`."""
        with self._writer.reading() as conn:
            # Of a large store the held ones are few: their own index has their numbers.
            rows = conn.execute(
                f"SELECT id, mail_id FROM reports INDEXED BY reports_held WHERE {_HELD}"
                " AND id > ? ORDER BY id LIMIT ?",
                (after, limit),
            ).fetchall()
            return _with_policies(conn, rows)

    def held_about(self, domain: str, after: int, limit: int) -> list[HeldReport]:
        """See `ports.Adoptions.held_about`."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT DISTINCT r.id, r.mail_id FROM policies AS p"
                " JOIN reports AS r ON r.id = p.report_id WHERE p.policy_domain = ?"
                " AND r.status = 'held' AND r.held_for IN ('foreign', 'proposed') AND r.id > ?"
                " ORDER BY r.id LIMIT ?",
                (text(domain), after, limit),
            ).fetchall()
            return _with_policies(conn, rows)

    def mails(self, numbers: Collection[int]) -> list[RawMail]:
        """See `ports.Adoptions.mails`."""
        with self._writer.reading() as conn:
            rows = select_in(
                conn,
                "SELECT k.raw, m.source, m.taken_at, k.file_name,"
                " EXISTS (SELECT 1 FROM reports AS r"
                " WHERE r.mail_id = m.id AND r.trust = 'operator')"
                " FROM kept AS k JOIN mails AS m ON m.id = k.mail_id"
                " WHERE k.kind = 'held' AND k.mail_id IN ({keys})",
                numbers,
            )
            return [
                RawMail(
                    unpack(raw),
                    source,
                    taken,
                    file_name=name,
                    keep_ignored=True,
                    again=True,
                    # Whoever vouched for it did so whatever domain it speaks of.
                    trusted=bool(vouched),
                )
                for raw, source, taken, name, vouched in rows
            ]


def _with_policies(conn: sqlite3.Connection, rows: Iterable[tuple[int, int]]) -> list[HeldReport]:
    mails = dict(rows)
    policies: dict[int, list[Policy]] = {report: [] for report in mails}
    named = select_in(
        conn,
        "SELECT report_id, policy_type, policy_domain, mx_host FROM policies"
        " WHERE report_id IN ({keys}) ORDER BY report_id, position",
        list(mails),
    )
    for report, kind, domain, hosts in named:
        policies[report].append(Policy(kind, domain, mx_host=_texts(hosts)))
    return [HeldReport(report, mail, tuple(policies[report])) for report, mail in mails.items()]
