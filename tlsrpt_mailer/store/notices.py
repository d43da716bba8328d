"""What is told beside failures: silence, trouble of sources, first reports."""

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from tlsrpt_mailer.failures.silence import Seen
from tlsrpt_mailer.ports import (
    Announced,
    FirstReport,
    Letter,
    LookedUp,
    SentCanary,
    SilentPair,
    SourceTrouble,
)
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store import bind, canaries, pairs
from tlsrpt_mailer.store.bind import select_in, text
from tlsrpt_mailer.store.connection import Writer
from tlsrpt_mailer.store.outbox import add_letters


class _Detail(msgspec.Struct, omit_defaults=True):
    pairs: tuple[SilentPair, ...] = ()
    domains: tuple[str, ...] = ()


_decode = msgspec.json.Decoder(_Detail).decode
_COLUMNS = "kind, key, recipient, since, told_at, ended_at, end_told_at, detail"


class SqliteWatching:
    """`ports.Watching`; each call is its own transaction."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def pairs(self, since: Time) -> list[tuple[str, str, Time]]:
        """See `ports.Watching.pairs`."""
        with self._writer.reading() as conn:
            return pairs.pairs(conn, since)

    def seen(self, domain: str, since: Time) -> list[Seen]:
        """See `ports.Watching.seen`."""
        with self._writer.reading() as conn:
            return pairs.seen(conn, domain, since)

    def receipts(self, since: Time) -> list[Time]:
        """See `ports.Watching.receipts`."""
        with self._writer.reading() as conn:
            return pairs.receipts(conn, since)

    def last_receipt(self, now: Time) -> Time | None:
        """See `ports.Watching.last_receipt`."""
        with self._writer.reading() as conn:
            return pairs.last_receipt(conn, now)

    def began(self) -> Time | None:
        """See `ports.Watching.began`."""
        with self._writer.reading() as conn:
            return pairs.began(conn)

    def first(self, domain: str) -> list[FirstReport]:
        """See `ports.Watching.first`."""
        with self._writer.reading() as conn:
            return pairs.first(conn, domain)

    def was_alerted(self, recipient: str) -> bool:
        """See `ports.Watching.was_alerted`."""
        with self._writer.reading() as conn:
            row = conn.execute(
                "SELECT 1 FROM told WHERE recipient = ? LIMIT 1", (text(recipient),)
            ).fetchone()
        return row is not None

    def looked_up(self, domains: Collection[str]) -> dict[str, LookedUp]:
        """See `ports.Watching.looked_up`."""
        sql = (
            "SELECT domain, ok_at, record, EXISTS (SELECT 1 FROM failures AS f"
            " WHERE f.domain = looks.domain AND f.kind = 'finding' AND f.is_open = 1"
            " AND f.result_type LIKE 'tlsrpt-%' AND f.severity IN ('critical', 'warning'))"
            " FROM looks WHERE record IS NOT NULL AND domain IN ({keys})"
        )
        with self._writer.reading() as conn:
            rows = select_in(conn, sql, [text(domain) for domain in domains])
            return {name: LookedUp(at, state, bool(told)) for name, at, state, told in rows}

    def canary(self) -> SentCanary | None:
        """See `ports.Watching.canary`."""
        with self._writer.reading() as conn:
            return canaries.came(conn)

    def sources(self) -> list[SourceTrouble]:
        """See `ports.Watching.sources`; by name."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT name, state, since, error, tries, next_try, at FROM sources"
                " LEFT JOIN last_reports ON last_reports.source = sources.name ORDER BY name"
            ).fetchall()
        return [SourceTrouble(*row) for row in rows]

    def announced(self, kinds: Collection[str]) -> list[Announced]:
        """See `ports.Watching.announced`."""
        with self._writer.reading() as conn:
            return announced(conn, kinds)

    def announce(self, rows: Sequence[Announced], letters: Sequence[Letter], now: Time) -> None:
        """See `ports.Watching.announce`."""
        if not rows and not letters:
            return
        with self._writer.transaction() as conn:
            add_letters(conn, letters, now)
            conn.executemany(
                f"INSERT OR REPLACE INTO notices ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        one.kind,
                        text(one.key),
                        text(one.recipient),
                        one.since,
                        one.told_at,
                        one.ended_at,
                        one.end_told_at,
                        bind.json(_Detail(one.pairs, tuple(map(text, one.domains)))),
                    )
                    for one in rows
                ],
            )


def announced(conn: sqlite3.Connection, kinds: Collection[str]) -> list[Announced]:
    """See `ports.Watching.announced`; by kind, key and recipient."""
    rows = select_in(conn, f"SELECT {_COLUMNS} FROM notices WHERE kind IN ({{keys}})", kinds)
    found = []
    for kind, key, recipient, since, told_at, ended_at, end_told_at, text_of_detail in sorted(rows):
        detail = _decode(text_of_detail.encode())
        found.append(
            Announced(
                kind=kind,
                key=key,
                recipient=recipient,
                since=since,
                told_at=told_at,
                ended_at=ended_at,
                end_told_at=end_told_at,
                pairs=detail.pairs,
                domains=detail.domains,
            )
        )
    return found


def silent_pairs(conn: sqlite3.Connection, since: Time) -> list[SilentPair]:
    """
    Who is silent about what, or was until after *since*; for the digest, told by mail or not.

    By domain and reporter; of all recipients together, so pick those of a reader's domains.
    """
    found = {
        (one.domain, one.reporter): one
        for row in announced(conn, ("silent-reporter", "silent-domain"))
        for one in row.pairs
        if one.back is None or one.back > since
    }
    return [found[key] for key in sorted(found)]
