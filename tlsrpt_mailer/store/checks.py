"""The looks at domains: what is due, what they found, and since when it is so."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from tlsrpt_mailer.domains.drift import Known
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.seen import HostSeen, Seen, Shown
from tlsrpt_mailer.failures.model import Spell
from tlsrpt_mailer.ports import Due, Look, Past
from tlsrpt_mailer.report.times import Span, Time
from tlsrpt_mailer.store.bind import json, json_texts, pack, select_in, text, unpack
from tlsrpt_mailer.store.connection import Writer

MOST_KNOWN = 500
"""Values of the past that are kept of one domain; a zone may have new ones for each look."""

SPELL = (
    "code, mx, severity, clean_at, first_at, last_at, looks, critical_at, ended_at, facts, domain"
)

_KNOWN = (
    "SELECT domain, kind, about, value, first_at, last_at FROM known"
    " WHERE domain IN ({keys}) ORDER BY first_at, kind, about"
)

_decode_facts = msgspec.json.Decoder(dict[str, str]).decode
_decode_findings = msgspec.json.Decoder(tuple[Finding, ...]).decode
_decode_seen = msgspec.json.Decoder(Seen).decode
_decode_shown = msgspec.json.Decoder(Shown).decode
_encode = msgspec.json.Encoder().encode


class SqliteChecks:
    """`ports.Checks`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def enrol(self, domains: Collection[str], now: Time) -> int:
        """See `ports.Checks.enrol`."""
        wanted = sorted({text(domain) for domain in domains})
        with self._writer.transaction() as conn:
            there = dict(
                conn.execute("SELECT domain, next_at IS NOT NULL FROM looks WHERE is_host = 0")
            )
            on = {name for name, is_on in there.items() if is_on}
            gone = sorted(on.difference(wanted))
            new = [name for name in wanted if not there.get(name)]
            conn.executemany(
                "UPDATE looks SET next_at = NULL WHERE domain = ?", [(name,) for name in gone]
            )
            conn.executemany(
                "INSERT INTO looks (domain, next_at) VALUES (?1, ?2) ON CONFLICT (domain)"
                " DO UPDATE SET next_at = excluded.next_at, is_host = 0",
                [(name, now) for name in new],
            )
            _drop_hosts(conn)
        return len(new)

    def reported(self) -> list[str]:
        """Every domain that counted reports speak of, by name."""
        with self._writer.reading() as conn:
            rows = conn.execute("SELECT DISTINCT domain FROM pairs ORDER BY domain")
            return [domain for (domain,) in rows]

    def all(self) -> list[Due]:
        """All that are looked at, by name."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT domain, is_host FROM looks WHERE next_at IS NOT NULL ORDER BY domain"
            ).fetchall()
        return [Due(domain, bool(is_host)) for domain, is_host in rows]

    def due(self, now: Time, limit: int) -> list[Due]:
        """See `ports.Checks.due`."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT domain, is_host FROM looks WHERE next_at <= ? ORDER BY next_at, domain"
                " LIMIT ?",
                (now, limit),
            ).fetchall()
        return [Due(domain, bool(is_host)) for domain, is_host in rows]

    def past(self, domains: Collection[str]) -> dict[str, Past]:
        """See `ports.Checks.past`."""
        names = [text(domain) for domain in domains]
        with self._writer.reading() as conn:
            kept: defaultdict[str, list[Known]] = defaultdict(list)
            for domain, *row in select_in(conn, _KNOWN, names):
                kept[domain].append(Known(*row))
            last = last_spells(conn, names)
            at = dict(
                select_in(conn, "SELECT domain, at FROM looks WHERE domain IN ({keys})", names)
            )
        return {
            name: Past(at.get(name), tuple(kept[name]), tuple(last.get(name, ()))) for name in names
        }

    def postpone(self, domains: Collection[str], at: Time) -> None:
        """See `ports.Checks.postpone`."""
        if not domains:
            return
        with self._writer.transaction() as conn:
            conn.executemany(
                "UPDATE looks SET next_at = ?1 WHERE domain = ?2 AND next_at < ?1",
                [(at, text(domain)) for domain in sorted(domains)],
            )

    def soon(self, domains: Collection[str], at: Time) -> None:
        """See `ports.Checks.soon`."""
        with self._writer.transaction() as conn:
            look_soon(conn, domains, at)


def look_soon(conn: sqlite3.Connection, domains: Iterable[str], at: Time, rest: Span = 0) -> None:
    """See `ports.Txn.look_soon`."""
    conn.executemany(
        "UPDATE looks SET next_at = ?1 WHERE domain = ?2 AND next_at > ?1"
        " AND coalesce(at, 0) <= ?1 - ?3",
        [(at, text(domain), rest) for domain in domains],
    )


def probed_at(conn: sqlite3.Connection) -> dict[str, Time]:
    """When each MX host was probed last, all of its addresses."""
    return dict(conn.execute("SELECT host, min(at) FROM shown GROUP BY host").fetchall())


def last_shown(conn: sqlite3.Connection, domain: str) -> Iterable[tuple[str, tuple[Shown, ...]]]:
    """What the MX hosts of *domain* showed the last time, by host; those of the last answer."""
    rows = conn.execute(
        "SELECT shown.host, shown.shown FROM looks, json_each(looks.mx) AS one"
        " JOIN shown ON shown.host = one.value WHERE looks.domain = ? ORDER BY one.key, shown.ip",
        (text(domain),),
    )
    found: defaultdict[str, list[Shown]] = defaultdict(list)
    for host, shown in rows:
        found[host].append(_decode_shown(shown))
    return ((host, tuple(shown)) for host, shown in found.items())


def last_spells(conn: sqlite3.Connection, domains: Collection[str]) -> dict[str, list[Spell]]:
    """The last spell of each finding, by domain."""
    last: dict[tuple[str, str, str | None], Spell] = {}
    for domain, one in _spells(conn, domains):
        last[domain, one.code, one.mx] = one
    found: defaultdict[str, list[Spell]] = defaultdict(list)
    for (domain, _, _), one in last.items():
        found[domain].append(one)
    return dict(found)


def spells(conn: sqlite3.Connection, domains: Collection[str]) -> dict[str, list[Spell]]:
    """All spells, by domain, oldest first."""
    found: defaultdict[str, list[Spell]] = defaultdict(list)
    for domain, one in _spells(conn, domains):
        found[domain].append(one)
    return dict(found)


def _spells(conn: sqlite3.Connection, domains: Collection[str]) -> Iterable[tuple[str, Spell]]:
    rows = select_in(
        conn,
        f"SELECT {SPELL} FROM spells WHERE domain IN ({{keys}}) ORDER BY first_at",
        [text(domain) for domain in domains],
    )
    for code, mx, severity, clean, first, last, looks, critical, ended, facts, domain in rows:
        yield (
            domain,
            Spell(
                code=code,
                mx=mx or None,
                severity=severity,
                clean_at=clean,
                first_at=first,
                last_at=last,
                looks=looks,
                critical_at=critical,
                ended_at=ended,
                facts=_decode_facts(facts),
            ),
        )


# --------------------------------------------------------------------- writing


def save_looks(conn: sqlite3.Connection, looks: Sequence[Look]) -> None:
    """See `ports.Txn.save_looks`."""
    there = dict(
        select_in(
            conn,
            "SELECT domain, at FROM looks WHERE domain IN ({keys})",
            [text(one.seen.domain) for one in looks],
        )
    )
    for one in looks:
        if (there.get(text(one.seen.domain)) or 0) < one.seen.at:
            _save(conn, one)


def _save(conn: sqlite3.Connection, look: Look) -> None:
    domain, at = text(look.seen.domain), look.seen.at
    _save_summary(conn, domain, look)
    conn.execute(
        "INSERT OR REPLACE INTO seen (domain, seen, findings) VALUES (?, ?, ?)",
        (domain, pack(_encode(look.seen)), pack(_encode(look.findings))),
    )
    conn.executemany(
        "INSERT OR REPLACE INTO known (domain, kind, about, first_at, last_at, value)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (domain, one.kind, text(one.about), one.first_at, one.last_at, text(one.value))
            for one in look.known
        ],
    )
    if any(one.first_at == at for one in look.known):
        _forget_oldest(conn, domain)
    save_spells(conn, domain, look.spells)
    for host in look.hosts:
        conn.execute(
            "INSERT INTO looks (domain, is_host, next_at) VALUES (?1, 1, ?2) ON CONFLICT (domain)"
            " DO UPDATE SET next_at = ?2 WHERE next_at IS NULL AND is_host = 1",
            (text(host), at),
        )
    for shown_ in look.seen.hosts:
        _save_host(conn, shown_)


def _forget_oldest(conn: sqlite3.Connection, domain: str) -> None:
    """Keep the newest `MOST_KNOWN` values of what stood at a domain."""
    conn.execute(
        "DELETE FROM known WHERE domain = ?1 AND (kind, about, first_at) IN (SELECT kind, about,"
        " first_at FROM known WHERE domain = ?1 ORDER BY last_at DESC, first_at DESC"
        " LIMIT -1 OFFSET ?2)",
        (domain, MOST_KNOWN),
    )


def save_spells(conn: sqlite3.Connection, domain: str, some: Iterable[Spell]) -> None:
    """See `ports.Txn.save_spells`."""
    conn.executemany(
        f"INSERT OR REPLACE INTO spells ({SPELL}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_spell_row(text(domain), one) for one in some],
    )


def _save_summary(conn: sqlite3.Connection, domain: str, look: Look) -> None:
    """What could not be told stays as it was."""
    summary, at = look.summary, look.seen.at
    conn.execute(
        "INSERT INTO looks (domain, is_host, next_at, at, ok_at, record, record_at, sts, sts_id,"
        " dane, mx) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, coalesce(?11, '[]'))"
        " ON CONFLICT (domain) DO UPDATE SET"
        " next_at = iif(next_at IS NULL, NULL, excluded.next_at), at = excluded.at,"
        " ok_at = coalesce(excluded.ok_at, ok_at),"
        " record_at = iif(excluded.record IS NULL OR record IS excluded.record, record_at, ?4),"
        " record = coalesce(excluded.record, record),"
        " sts_id = iif(excluded.sts IS NULL, sts_id, excluded.sts_id),"
        " sts = coalesce(excluded.sts, sts), dane = coalesce(excluded.dane, dane),"
        " mx = coalesce(?11, mx)",
        (
            domain,
            int(look.is_host),
            look.next_at,
            at,
            None if summary.record is None else at,
            summary.record,
            None if summary.record is None else at,
            summary.sts,
            None if summary.sts_id is None else text(summary.sts_id),
            summary.dane,
            None if summary.mx is None else json_texts(summary.mx),
        ),
    )


def _spell_row(domain: str, one: Spell) -> tuple[Any, ...]:
    return (
        one.code,
        text(one.mx or ""),
        one.severity,
        one.clean_at,
        one.first_at,
        one.last_at,
        one.looks,
        one.critical_at,
        one.ended_at,
        json({text(key): text(value) for key, value in one.facts.items()}),
        domain,
    )


def _save_host(conn: sqlite3.Connection, host: HostSeen) -> None:
    """What its addresses showed, in place of what they showed before."""
    name = text(host.host)
    if not host.shown:
        return
    conn.execute("DELETE FROM shown WHERE host = ?", (name,))
    conn.executemany(
        "INSERT OR REPLACE INTO shown (host, ip, at, shown) VALUES (?, ?, ?, ?)",
        [(name, text(one.ip), one.at, _encode(one)) for one in host.shown],
    )


def prune_findings(conn: sqlite3.Connection, before: Time, limit: int) -> list[tuple[int]]:
    """
    Forget the looks that found what is over since then; returns the failures that this leaves.

    All of a finding or nothing: how often it came back is counted by them.
    """
    old = conn.execute(
        "SELECT id, domain, result_type, mx FROM failures WHERE kind = 'finding' AND is_open = 0"
        " AND last_seen < ?1 AND coalesce(resolved_at, 0) < ?1 LIMIT ?2",
        (before, limit),
    ).fetchall()
    conn.executemany(
        "DELETE FROM spells WHERE domain = ? AND code = ? AND mx = ?", [row[1:] for row in old]
    )
    return [(row[0],) for row in old]


def prune_looks(conn: sqlite3.Connection, before: Time) -> None:
    """Forget what was published before then and no more, and domains that were ours till then."""
    conn.execute("DELETE FROM known WHERE last_at < ?", (before,))
    conn.execute("DELETE FROM shown WHERE at < ?", (before,))
    gone = "SELECT domain FROM looks WHERE next_at IS NULL AND coalesce(at, 0) < ?"
    for table in ("seen", "looks"):
        conn.execute(f"DELETE FROM {table} WHERE domain IN ({gone})", (before,))


def _drop_hosts(conn: sqlite3.Connection) -> None:
    """MX hosts that no domain of ours names any more are looked at no more."""
    conn.execute(
        "UPDATE looks SET next_at = NULL WHERE is_host = 1 AND next_at IS NOT NULL"
        " AND domain NOT IN (SELECT host.value FROM looks AS l, json_each(l.mx) AS host"
        " WHERE l.is_host = 0 AND l.next_at IS NOT NULL)"
    )


# --------------------------------------------------------------------- reading


def last_look(conn: sqlite3.Connection, domain: str) -> tuple[Seen, tuple[Finding, ...]] | None:
    """The last look at a domain, and what was wrong; None where it was never looked at."""
    row = conn.execute(
        "SELECT seen, findings FROM seen WHERE domain = ?", (text(domain),)
    ).fetchone()
    return None if row is None else (_decode_seen(unpack(row[0])), _decode_findings(unpack(row[1])))


def known(conn: sqlite3.Connection, domain: str) -> list[Known]:
    """What stood where at a domain, and since when; oldest first."""
    return [Known(*row) for _, *row in select_in(conn, _KNOWN, [text(domain)])]
