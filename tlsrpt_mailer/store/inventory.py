"""What is stored of each domain, for the inventory: the last look, reports, volumes, failures."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from tlsrpt_mailer.domains.drift import Known
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.inventory import DaneState, Heard, StsState
from tlsrpt_mailer.domains.readiness import Counted, Row
from tlsrpt_mailer.domains.seen import Seen
from tlsrpt_mailer.failures.model import Window
from tlsrpt_mailer.failures.probed import BLOCKED
from tlsrpt_mailer.failures.windows import LONGEST, effective
from tlsrpt_mailer.ports import SentCanary
from tlsrpt_mailer.report.times import DAY, Span, Time
from tlsrpt_mailer.store import canaries, checks, judging
from tlsrpt_mailer.store.bind import text
from tlsrpt_mailer.store.connection import Writer, open_reader
from tlsrpt_mailer.store.snapshots import Snapshots
from tlsrpt_mailer.store.trouble import translated
from tlsrpt_mailer.store.words import BELIEVED

VOLUME: Span = 28 * DAY
"""What volumes are counted over."""
_MOST = 10**12
"""A count beyond belief is no more than this, so that a sum of them fits."""

_texts = msgspec.json.Decoder(tuple[str, ...]).decode


class StoredDomain(msgspec.Struct, frozen=True, kw_only=True):
    """One domain that was looked at, or that reports speak of."""

    domain: str
    is_host: bool = False
    """Only an MX host with TLSA records."""
    looked_at: Time | None = None
    heard: Heard = Heard()
    sts: StsState | None = None
    sts_id: str | None = None
    dane: DaneState | None = None
    mx: tuple[str, ...] = ()
    sessions: int = 0
    """Over `VOLUME`, as far as they were added up."""
    failed: int = 0
    reporters: int = 0
    open: int = 0
    """Open failures and findings."""
    critical: int = 0


class LookTotals(msgspec.Struct, frozen=True, kw_only=True):
    """How far the looks at our domains are."""

    domains: int
    """That are looked at by themselves, MX hosts among them."""
    hosts: int = 0
    """Of these, those that are looked at only as MX hosts with TLSA records."""
    never: int
    """Of these, those that nobody has looked at yet."""
    silent: int
    """Of these, those for which DNS did not answer at the last look."""
    right: int
    """Domains whose TLSRPT record is right, MX hosts left out."""
    known: int
    """Domains of which it is known whether it is, MX hosts left out."""
    last_at: Time | None
    next_at: Time | None
    is_blocked: bool
    """Whether port 25 of nobody can be reached from here."""


class InventoryReads(Snapshots):
    """The part of `queries.Reader` that is about the inventory."""

    def inventory(self) -> list[StoredDomain]:
        """Every domain that was looked at, or that counted reports speak of; by name."""
        with self._snapshot() as conn:
            return _inventory(conn)

    def look_totals(self) -> LookTotals:
        """How far the looks are."""
        with self._snapshot() as conn:
            row = conn.execute(
                "SELECT count(*), coalesce(sum(at IS NULL), 0),"
                " coalesce(sum(at IS NOT NULL AND ok_at IS NOT at), 0),"
                " coalesce(sum(record = 'right' AND is_host = 0), 0),"
                " coalesce(sum(record IS NOT NULL AND is_host = 0), 0), max(at), min(next_at),"
                " coalesce(sum(is_host), 0)"
                " FROM looks WHERE next_at IS NOT NULL"
            ).fetchone()
            (blocked,) = conn.execute(
                "SELECT EXISTS (SELECT 1 FROM failures WHERE kind = 'finding' AND is_open = 1"
                " AND result_type = ?)",
                (BLOCKED,),
            ).fetchone()
        domains, never, silent, right, known, last_at, next_at, hosts = row
        return LookTotals(
            hosts=hosts,
            domains=domains,
            never=never,
            silent=silent,
            right=right,
            known=known,
            last_at=last_at,
            next_at=next_at,
            is_blocked=bool(blocked),
        )

    def look(self, domain: str) -> tuple[Seen, tuple[Finding, ...]] | None:
        """The last look at a domain, and what was wrong; None where it was never looked at."""
        with self._snapshot() as conn:
            return checks.last_look(conn, domain)

    def counted(self, domain: str, since: Time) -> list[Counted]:
        """What the windows about a domain that began after *since* count, by policy type."""
        with self._snapshot() as conn:
            # One that began before may keep out one that came after it.
            found = judging.windows(conn, [text(domain)], since - LONGEST)[text(domain)]
        recent = [one for one in effective(found) if one.start >= since]
        return [one for window in recent for one in _counted(window)]

    def drifted(self, domain: str) -> list[Known]:
        """What stood where, and since when; oldest first."""
        with self._snapshot() as conn:
            return checks.known(conn, domain)

    def canaries(self, limit: int) -> list[SentCanary]:
        """The last test reports, newest first."""
        with self._snapshot() as conn:
            return canaries.listed(conn, limit)


def _counted(window: Window) -> Iterator[Counted]:
    for one in window.sessions:
        rows = tuple(
            Row(row.result_type, row.mx, row.sessions)
            for row in window.sightings
            if row.policy_type == one.policy_type
        )
        yield Counted(window.reporter, one.policy_type, one.successful, one.failed, rows)


def _inventory(conn: sqlite3.Connection) -> list[StoredDomain]:
    last = dict(
        conn.execute(f"SELECT domain, max(last_end) FROM pairs WHERE {BELIEVED} GROUP BY domain")
    )
    # Of domains that are ours no more only what reports say is left.
    looks = _by_domain(conn, f"{_LOOKS} WHERE next_at IS NOT NULL")
    volumes = _by_domain(conn, "SELECT domain, sessions, failed, reporters FROM volumes")
    broken = _by_domain(conn, _OPEN)
    silent, first = dict(conn.execute(_SILENT)), _first(conn, last)
    found = []
    for domain in sorted({*last, *looks}):
        is_host, at, record, record_at, sts, sts_id, dane, mx = looks.get(domain, _NEVER)
        sessions, failed, reporters = volumes.get(domain, (0, 0, 0))
        open_, critical = broken.get(domain, (0, 0))
        heard = Heard(
            record=record,
            record_at=record_at,
            first_report=first.get(domain),
            last_report=last.get(domain),
            silent_since=silent.get(domain),
        )
        found.append(
            StoredDomain(
                domain=domain,
                is_host=bool(is_host),
                looked_at=at,
                heard=heard,
                sts=sts,
                sts_id=sts_id,
                dane=dane,
                mx=_texts(mx),
                sessions=sessions,
                failed=failed,
                reporters=reporters,
                open=open_,
                critical=critical,
            )
        )
    return found


_LOOKS = "SELECT domain, is_host, at, record, record_at, sts, sts_id, dane, mx FROM looks"
_OPEN = (
    "SELECT domain, count(*), sum(severity = 'critical') FROM failures WHERE is_open = 1"
    " GROUP BY domain"
)
_SILENT = (
    "SELECT key, min(since) FROM notices WHERE kind = 'silent-domain' AND ended_at IS NULL"
    " GROUP BY key"
)


def _by_domain(conn: sqlite3.Connection, sql: str) -> dict[str, tuple[Any, ...]]:
    """The rows of *sql* by their first column."""
    return {domain: tuple(rest) for domain, *rest in conn.execute(sql)}


_NEVER = (0, None, None, None, None, None, None, "[]")


def _first(conn: sqlite3.Connection, domains: dict[str, Time]) -> dict[str, Time]:
    """Where the first window of each domain begins: one step into an index for each."""
    rows = conn.execute(
        "SELECT value, (SELECT min(start_at) FROM windows WHERE domain = value) FROM json_each(?)",
        (msgspec.json.encode(list(domains)).decode(),),
    )
    return {domain: start for domain, start in rows if start is not None}


def newest_window(writer: Writer) -> int:
    """A number that changes with each report that counts; 0 while there is none."""
    with writer.reading() as conn:
        (number,) = conn.execute("SELECT max(id) FROM windows").fetchone()
    return number or 0


def refresh_volumes(path: Path, writer: Writer, now: Time) -> int:
    """
    Add up the sessions of each domain anew; returns how many domains have any.

    Read by a connection of its own: with ten thousand domains that takes a second.
    """
    with closing(open_reader(path)) as reads, translated(path):
        rows = reads.execute(
            f"SELECT domain, sum(min(total, {_MOST})), sum(min(failed, {_MOST})),"
            " count(DISTINCT reporter) FROM windows"
            f" WHERE end_at > ? AND end_at <= ? AND {BELIEVED} GROUP BY domain",
            (now - VOLUME, now + DAY),
        ).fetchall()
    with writer.transaction() as conn:
        conn.execute("DELETE FROM volumes")
        conn.executemany(
            "INSERT INTO volumes (domain, sessions, failed, reporters) VALUES (?, ?, ?, ?)", rows
        )
    return len(rows)
