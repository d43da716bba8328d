"""What is held for want of a signature or of an owner, as watching it asks."""

from collections.abc import Collection

from tlsrpt_mailer.ports import Unbelieved, WaitingPair
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import unpack
from tlsrpt_mailer.store.connection import Writer
from tlsrpt_mailer.store.judging import established
from tlsrpt_mailer.store.words import BELIEVED

MOST = 5_000
"""Reports that are looked at; with more of them held, the newest tell enough."""


class SqlitePutAside:
    """`ports.PutAside`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def unbelieved(self, since: Time) -> list[Unbelieved]:
        """See `ports.PutAside.unbelieved`; by the index on what became of mails, newest first."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT m.id, r.reporter, r.trust, r.trust_reason, r.signed_by, r.taken_at,"
                " m.stored_at FROM mails AS m JOIN reports AS r ON r.mail_id = m.id"
                " WHERE m.outcome = 'held' AND m.stored_at > ? AND r.status = 'held'"
                f" AND r.held_for = 'signature' AND r.{BELIEVED}"
                " ORDER BY m.stored_at DESC, r.id DESC LIMIT ?",
                (since, MOST),
            )
            return [Unbelieved(*row) for row in rows]

    def believed(self, since: Time) -> dict[str, int]:
        """See `ports.PutAside.believed`."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT r.reporter, count(*) FROM mails AS m JOIN reports AS r ON r.mail_id = m.id"
                " WHERE m.outcome = 'stored' AND m.stored_at > ? AND r.trust = 'pass'"
                " AND r.status = 'counted' GROUP BY r.reporter ORDER BY r.reporter",
                (since,),
            )
            return dict(rows.fetchall())

    def raw(self, mail: int) -> bytes | None:
        """See `ports.PutAside.raw`."""
        with self._writer.reading() as conn:
            row = conn.execute("SELECT raw FROM kept WHERE mail_id = ?", (mail,)).fetchone()
        return None if row is None else unpack(row[0])

    def established(self, reporters: Collection[str]) -> frozenset[str]:
        """See `ports.PutAside.established`."""
        with self._writer.reading() as conn:
            return established(conn, reporters)

    def waiting(self) -> list[WaitingPair]:
        """See `ports.PutAside.waiting`."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT a.domain, r.reporter, count(DISTINCT r.id) FROM reports AS r"
                " JOIN policies AS p ON p.report_id = r.id"
                " JOIN adoptions AS a ON a.domain = p.policy_domain"
                " WHERE r.status = 'held' AND r.held_for = 'proposed'"
                f" AND a.state = 'proposed' AND a.tries > 0 AND r.{BELIEVED}"
                " GROUP BY a.domain, r.reporter ORDER BY a.domain, r.reporter"
            )
            return [WaitingPair(*row) for row in rows]
