"""
The database as the flows see it: SQLite behind `ports.Store` and its siblings.

docs/reference/database.md names the tables, docs/explanation/delivery-guarantees.md
says what a commit promises.
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tlsrpt_mailer.failures.model import Spell, Verdict
from tlsrpt_mailer.ports import (
    NOBODY,
    Entry,
    History,
    Known,
    Look,
    Maintenance,
    Proposer,
    SentCanary,
    Trusted,
)
from tlsrpt_mailer.report.times import Span, Time
from tlsrpt_mailer.store import adoptions, canaries, checks, holding, judging, ledger
from tlsrpt_mailer.store.acts import SqlitePeople
from tlsrpt_mailer.store.aside import SqlitePutAside
from tlsrpt_mailer.store.compose import SqliteComposeTxn
from tlsrpt_mailer.store.connection import BUSY_SECONDS, Writer, open_writer
from tlsrpt_mailer.store.faults import SqliteFaults
from tlsrpt_mailer.store.holding import SqlitePending
from tlsrpt_mailer.store.keys import SqliteKeys
from tlsrpt_mailer.store.notices import SqliteWatching
from tlsrpt_mailer.store.outbox import SqliteOutbox
from tlsrpt_mailer.store.parts import SqliteParts
from tlsrpt_mailer.store.positions import SqlitePositions
from tlsrpt_mailer.store.relaying import SqliteRelayNotes
from tlsrpt_mailer.store.state import SqliteState
from tlsrpt_mailer.store.verdicts import save_verdicts as save


def _clock() -> Time:
    return int(time.time())


class SqliteTxn:
    """`ports.Txn`, on a connection with a transaction begun."""

    def __init__(self, conn: sqlite3.Connection, clock: Callable[[], Time]) -> None:
        self._conn = conn
        self._clock = clock
        self._judged: set[str] = set()
        self._reopened: dict[bytes, dict[bytes, int]] = {}
        self._people = SqlitePeople(conn)

    @property
    def people(self) -> SqlitePeople:
        """See `ports.Txn.people`."""
        return self._people

    def known(
        self, mails: Collection[bytes], digests: Collection[bytes], keys: Collection[bytes]
    ) -> Known:
        """See `ports.Txn.known`."""
        return ledger.known(self._conn, mails, digests, keys)

    def reopen(self, mails: Collection[bytes]) -> dict[bytes, dict[bytes, Trusted]]:
        """See `ports.Txn.reopen`."""
        found = holding.reopen(self._conn, mails)
        for mail, old in found.items():
            self._reopened[mail] = {digest: one.number for digest, one in old.items()}
        return {
            mail: {digest: one.trust for digest, one in old.items()} for mail, old in found.items()
        }

    def ignored_bytes(self) -> int:
        """See `ports.Txn.ignored_bytes`."""
        return ledger.ignored_bytes(self._conn)

    def put(self, entries: Sequence[Entry]) -> None:
        """See `ports.Txn.put`."""
        ledger.put(self._conn, entries, self._clock(), self._reopened)

    def propose(self, domains: Collection[str], now: Time, by: Proposer = NOBODY) -> None:
        """See `ports.Txn.propose`."""
        adoptions.propose(self._conn, domains, now, by)

    def domains_to_judge(self, domains: Collection[str]) -> list[str]:
        """See `ports.Txn.domains_to_judge`."""
        return judging.domains_to_judge(self._conn, domains)

    def open_domains(self) -> list[str]:
        """See `ports.Txn.open_domains`."""
        return judging.open_domains(self._conn)

    def histories(self, domains: Collection[str]) -> list[History]:
        """See `ports.Txn.histories`."""
        self._judged.update(domains)
        return judging.histories(self._conn, domains)

    def established(self, reporters: Collection[str]) -> frozenset[str]:
        """See `ports.Txn.established`."""
        return judging.established(self._conn, reporters)

    def maintenance(self) -> list[Maintenance]:
        """See `ports.Txn.maintenance`."""
        return judging.maintenance(self._conn)

    def save_looks(self, looks: Sequence[Look]) -> None:
        """See `ports.Txn.save_looks`."""
        checks.save_looks(self._conn, looks)

    def save_spells(self, domain: str, spells: Sequence[Spell]) -> None:
        """See `ports.Txn.save_spells`."""
        checks.save_spells(self._conn, domain, spells)

    def canary_came(self, token: str, at: Time, source: str, signature: str) -> SentCanary | None:
        """See `ports.Txn.canary_came`."""
        return canaries.arrived(self._conn, token, at, source, signature)

    def look_soon(self, domains: Collection[str], at: Time, rest: Span = 0) -> None:
        """See `ports.Txn.look_soon`."""
        checks.look_soon(self._conn, domains, at, rest)

    def open_among(self, domains: Collection[str]) -> list[str]:
        """See `ports.Txn.open_among`."""
        return judging.open_among(self._conn, domains)

    def save_verdicts(self, verdicts: Iterable[Verdict], now: Time) -> None:
        """
        See `ports.Txn.save_verdicts`.

        Open failures of a domain whose history was read in this transaction, and
        that have no verdict, are ended: no counted report speaks of them any more.
        """
        save(self._conn, verdicts, self._judged, now)
        self._judged.clear()


class SqliteStore:
    """`ports.Store`, with the adapters that share its connection."""

    def __init__(self, writer: Writer, clock: Callable[[], Time] = _clock) -> None:
        self._writer = writer
        self._clock = clock
        self.path = writer.path
        self.positions = SqlitePositions(writer)
        self.outbox = SqliteOutbox(writer)
        self.parts = SqliteParts(writer)
        self.relay_notes = SqliteRelayNotes(writer)
        self.state = SqliteState(writer)
        self.watching = SqliteWatching(writer)
        self.aside = SqlitePutAside(writer)
        self.adoptions = adoptions.SqliteAdoptions(writer)
        self.canaries = canaries.SqliteCanaries(writer)
        self.checks = checks.SqliteChecks(writer)
        self._faults = SqliteFaults(writer)
        self.keys = SqliteKeys(writer)
        self.pending = SqlitePending(writer)

    @property
    def writer(self) -> Writer:
        """The connection, for `store.retention`."""
        return self._writer

    @property
    def faults(self) -> SqliteFaults:
        """See `ports.Store.faults`."""
        return self._faults

    @contextmanager
    def write(self) -> Iterator[SqliteTxn]:
        """See `ports.Store.write`."""
        with self._writer.transaction() as conn:
            yield SqliteTxn(conn, self._clock)

    @contextmanager
    def compose(self) -> Iterator[SqliteComposeTxn]:
        """See `ports.Store.compose`."""
        with self._writer.transaction() as conn:
            yield SqliteComposeTxn(conn)

    def use_clock(self, clock: Callable[[], Time]) -> None:
        """Say by *clock* from now on when a mail was stored."""
        self._clock = clock

    def data_version(self) -> int:
        """Moves when another process has written: whoever keeps a copy drops it then."""
        with self._writer.reading() as conn:
            return int(conn.execute("PRAGMA data_version").fetchone()[0])

    def close(self, timeout: float = -1) -> bool:
        """Close, once no transaction is under way; False if that takes over *timeout* seconds."""
        return self._writer.close(timeout)


def open_store(
    path: Path,
    *,
    create: bool,
    clock: Callable[[], Time] = _clock,
    busy_seconds: float = BUSY_SECONDS,
) -> SqliteStore:
    """
    Open the database for writing.

    Args:
        create: True only for the holder of the lock (`store.lock.hold`): the file is made
            where it is missing, and the tables are brought up to date.
        clock: Says when a mail was stored.

    Raises:
        NoSuch: It is missing (and not to be made), or this user may not use it.
        CannotWrite: It cannot be made.
        TlsrptError: It is damaged, of another program, or of another version of this one.
        Temporary: It is locked, or the disk is full.

    """
    return SqliteStore(open_writer(path, create=create, busy_seconds=busy_seconds), clock)
