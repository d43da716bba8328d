"""
The read side, for the commands: listings by page, single rows, figures.

A `Reader` has a connection of its own that cannot write. What does not exist is
a `NoSuch`, never an empty answer.
"""

from collections.abc import Collection
from pathlib import Path

from tlsrpt_mailer.errors import NoSuch
from tlsrpt_mailer.failures.model import HumanAct
from tlsrpt_mailer.failures.telling import Mailed
from tlsrpt_mailer.ports import BY_MAIL, Evidence, FailureRecord, History, Maintenance, Told
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store import figures, judging, lanes, maintenance, pairs, replaying, telling
from tlsrpt_mailer.store.audit import AuditRow
from tlsrpt_mailer.store.audit import listed as listed_audit
from tlsrpt_mailer.store.bind import unpack
from tlsrpt_mailer.store.compose import told_of
from tlsrpt_mailer.store.connection import BUSY_SECONDS, open_reader
from tlsrpt_mailer.store.evidence import EvidenceReader
from tlsrpt_mailer.store.held import PAGE, PutAsideReads
from tlsrpt_mailer.store.inventory import InventoryReads
from tlsrpt_mailer.store.listing import (
    LETTER,
    MAIL,
    REPORT,
    WORST_FIRST,
    Page,
    letter_rows,
    page,
    report_rows,
    where,
)
from tlsrpt_mailer.store.outbox import CHANNELS
from tlsrpt_mailer.store.rows import (
    JobRow,
    LaneRow,
    LetterRow,
    MailRow,
    ReportRow,
    SourceRow,
    Totals,
)
from tlsrpt_mailer.store.whose import DomainRow, domain_rows


class Reader(PutAsideReads, InventoryReads):
    """Everything that commands ask of the database; close it, or use it in a ``with``."""

    def mails(
        self,
        *,
        outcome: str | None = None,
        limit: int | None = PAGE,
        offset: int = 0,
    ) -> Page[MailRow]:
        """The ledger, last stored first; *limit* None is all of it."""
        clause, values = where(("outcome = ?", outcome))
        order = "ORDER BY stored_at DESC, id DESC" if outcome else "ORDER BY id DESC"
        with self._snapshot() as conn:
            return page(
                conn,
                (
                    f"SELECT {MAIL} FROM mails {clause} {order}",
                    f"SELECT count(*) FROM mails {clause}",
                ),
                values,
                (limit, offset),
                lambda rows: [MailRow(*row) for row in rows],
            )

    def reports(
        self,
        *,
        domain: str | None = None,
        reporter: str | None = None,
        status: str | None = None,
        limit: int | None = PAGE,
        offset: int = 0,
    ) -> Page[ReportRow]:
        """Stored reports, last taken first; *domain* is a policy domain of theirs."""
        # A plus sign keeps SQLite from an index: that on the domain is the narrower one.
        plus = "+" if domain else ""
        clause, values = where(
            ("id IN (SELECT report_id FROM policies WHERE policy_domain = ?)", domain),
            (f"{plus}reporter = ?", reporter),
            # Spelled out so that the index of the few that do not count is used.
            ("status = ?" if status == "counted" else "status <> 'counted' AND status = ?", status),
        )
        total = f"SELECT count(*) FROM reports {clause}"
        if status == "counted" and not domain and not reporter:
            total = "SELECT count(*) - (SELECT count(*) FROM reports WHERE status <> 'counted')"
            total += " FROM reports WHERE ? IS NOT NULL"
        with self._snapshot() as conn:
            return page(
                conn,
                (f"SELECT {REPORT} FROM reports {clause} ORDER BY taken_at DESC, id DESC", total),
                values,
                (limit, offset),
                lambda rows: report_rows(conn, rows),
            )

    def report(self, id: int) -> tuple[ReportRow, bytes]:
        """One report and its JSON as it came; raises NoSuch."""
        with self._snapshot() as conn:
            row = conn.execute(f"SELECT {REPORT}, json FROM reports WHERE id = ?", (id,)).fetchone()
            if row is None:
                raise NoSuch(f"no report {id}")
            return report_rows(conn, [row[:-1]])[0], unpack(row[-1])

    def letters(
        self,
        *,
        state: str | None = None,
        forwards: bool = True,
        lane: str | None = None,
        limit: int | None = PAGE,
        offset: int = 0,
    ) -> Page[LetterRow]:
        """Mails and notices that went out or wait to, newest first; *forwards* were only
        handed on; *lane* is `BY_MAIL` or a recipient."""
        clause, values = where(
            ("state = ?", state),
            ("event <> ?", None if forwards else "forward"),
            (f"? AND NOT ({CHANNELS})", 1 if lane == BY_MAIL else None),
            ("recipient = ?", None if lane == BY_MAIL else lane),
        )
        with self._snapshot() as conn:
            return page(
                conn,
                (
                    f"SELECT {LETTER} FROM letters {clause} ORDER BY id DESC",
                    f"SELECT count(*) FROM letters {clause}",
                ),
                values,
                (limit, offset),
                lambda rows: letter_rows(conn, rows),
            )

    def letter(self, id: int) -> tuple[LetterRow, bytes]:
        """One of them and its bytes; raises NoSuch."""
        with self._snapshot() as conn:
            row = conn.execute(f"SELECT {LETTER}, raw FROM letters WHERE id = ?", (id,)).fetchone()
            if row is None:
                raise NoSuch(f"no alert {id}")
            return letter_rows(conn, [row[:-1]])[0], unpack(row[-1])

    def failures(
        self,
        *,
        open_only: bool = True,
        cause: int | None = None,
        domain: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> Page[FailureRecord]:
        """Failures, open ones and the worst first."""
        clause, values = where(
            ("is_open = ?", 1 if open_only else None),
            ("cause_id = ?", cause),
            ("domain = ?", domain),
        )
        with self._snapshot() as conn:
            return page(
                conn,
                (
                    f"SELECT id, cause_id, verdict FROM failures {clause} ORDER BY {WORST_FIRST}",
                    f"SELECT count(*) FROM failures {clause}",
                ),
                values,
                (limit, offset),
                lambda rows: [judging.record(*row) for row in rows],
            )

    def mended(self, since: Time, until: Time) -> int:
        """How many failures were resolved after *since*, up to *until*, and are so still."""
        with self._snapshot() as conn:
            # Fourteen windows of a month each are the longest way to an acquittal; failures
            # are indexed by when they were last seen.
            row = conn.execute(
                "SELECT count(*) FROM failures WHERE last_seen > ?"
                " AND state = 'resolved' AND resolved_at > ? AND resolved_at <= ?",
                (since - 15 * 32 * DAY, since, until),
            ).fetchone()
        return int(row[0])

    def failure(self, id: int) -> FailureRecord:
        """One failure; raises NoSuch."""
        with self._snapshot() as conn:
            row = conn.execute(
                "SELECT id, cause_id, verdict FROM failures WHERE id = ?", (id,)
            ).fetchone()
        if row is None:
            raise NoSuch(f"no failure {id}")
        return judging.record(*row)

    def evidence(self, failure: int, limit: int = 12) -> list[Evidence]:
        """The windows behind it, newest first (`ports.ComposeTxn.evidence`); raises NoSuch."""
        verdict = self.failure(failure).verdict
        with self._snapshot() as conn:
            return EvidenceReader(conn).of(verdict, limit)

    def told(self, failure: int) -> list[Told]:
        """What each recipient was last told of it."""
        with self._snapshot() as conn:
            return told_of(conn, failure)

    def maintenance(self) -> list[Maintenance]:
        """All planned quiet, past and future, by number."""
        return judging.maintenance(self._conn)

    def planned(self, *, limit: int | None = PAGE, offset: int = 0) -> Page[Maintenance]:
        """The same by page, the last to begin first."""
        with self._snapshot() as conn:
            return maintenance.listed(conn, limit, offset)

    def audit(
        self, *, who: str | None = None, limit: int | None = PAGE, offset: int = 0
    ) -> Page[AuditRow]:
        """Who did what, the last thing first."""
        with self._snapshot() as conn:
            return listed_audit(conn, who=who, limit=limit, offset=offset)

    def acts(self, failure: int) -> tuple[HumanAct, ...]:
        """What people said of it, oldest first."""
        with self._snapshot() as conn:
            return judging.acts(conn, [failure]).get(failure, ())

    def mailed(self, failure: int) -> tuple[Mailed, ...]:
        """Every mail and notice that named it, oldest first."""
        with self._snapshot() as conn:
            return telling.mailed(conn, failure)

    def ways(self, acts: Collection[HumanAct]) -> dict[tuple[Time, str], str]:
        """(moment, who) of an act to how it was done."""
        with self._snapshot() as conn:
            return telling.ways(conn, acts)

    def began(self) -> Time | None:
        """When the first mail was stored."""
        with self._snapshot() as conn:
            return pairs.began(conn)

    def history(self, domain: str) -> History:
        """All that the judge knows of a domain; without windows where nothing reports on it."""
        with self._snapshot() as conn:
            return judging.histories(conn, [domain])[0]

    def domains(self, *, with_failures: bool = False) -> list[str]:
        """Every domain that a window speaks of, or only those in which something ever failed."""
        with self._snapshot() as conn:
            return figures.domains(conn, "sightings" if with_failures else "windows")

    def whose(self) -> list[DomainRow]:
        """Domains of which it is not plain whose they are, by name."""
        with self._snapshot() as conn:
            return domain_rows(conn)

    def established(self, reporters: frozenset[str]) -> frozenset[str]:
        """See `ports.Txn.established`."""
        with self._snapshot() as conn:
            return judging.established(conn, reporters)

    def established_at(self, reporters: Collection[str]) -> dict[str, Time]:
        """When each of *reporters* gained standing by what it reported; others are left out."""
        with self._snapshot() as conn:
            return replaying.established_at(conn, reporters)

    def sources(self, now: Time) -> list[SourceRow]:
        """How each source is doing, by name."""
        with self._snapshot() as conn:
            return figures.sources(conn, now)

    def jobs(self) -> list[JobRow]:
        """When each job ran last, by name."""
        with self._snapshot() as conn:
            rows = conn.execute("SELECT name, last_at, error FROM job_runs ORDER BY name")
            return [JobRow(*row) for row in rows]

    def lanes(self, now: Time) -> list[LaneRow]:
        """How delivery to each channel goes, by name; those without a notice are not there."""
        with self._snapshot() as conn:
            return lanes.lanes(conn, now)

    def totals(self, now: Time) -> Totals:
        """The figures of `status`."""
        with self._snapshot() as conn:
            return figures.totals(conn, now)

    def fact(self, name: str) -> str | None:
        """A single thing that the daemon noted (`SqliteState.save_fact`)."""
        with self._snapshot() as conn:
            row = conn.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])


def open_queries(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> Reader:
    """
    Open the database for reading; it is neither made nor changed.

    Raises:
        NoSuch: It is missing, or this user may not read it.
        TlsrptError: It is damaged, of another program, or of another version of this one.
        Temporary: It is locked, or the disk is in trouble.

    """
    return Reader(open_reader(path, busy_seconds=busy_seconds), path)
