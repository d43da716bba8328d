"""What waits for parts of the program that may be in trouble."""

import msgspec

from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.connection import Writer
from tlsrpt_mailer.store.outbox import CHANNELS


class Held(msgspec.Struct, frozen=True):
    """What waits, or was given up."""

    name: str
    count: int
    since: Time
    """Of the oldest."""
    last: Time
    """Of the newest."""
    error: str


class SqliteParts:
    """See `flows.watch_program.Parts`; each call is its own transaction."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def job_errors(self) -> dict[str, str]:
        """The jobs whose last run failed, with the error."""
        with self._writer.reading() as conn:
            rows = conn.execute("SELECT name, error FROM job_runs WHERE error IS NOT NULL")
            return dict(rows.fetchall())

    def stuck_channels(self) -> list[Held]:
        """What was tried and waits, by the name of the channel."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT substr(recipient, 9), count(*), min(coalesce(done_at, created_at)),"
                " max(created_at), answer FROM letters"
                f" WHERE state = 'waiting' AND attempts > 0 AND {CHANNELS}"
                " GROUP BY recipient ORDER BY recipient"
            ).fetchall()
        return [
            Held(name, count, since, last, answer or "")
            for name, count, since, last, answer in rows
        ]

    def given_up(self, since: Time) -> Held | None:
        """Mails (no notices, and none to the operator) that were given up after *since*."""
        with self._writer.reading() as conn:
            count, first, last = conn.execute(
                "SELECT count(*), min(done_at), max(done_at) FROM letters WHERE state = 'failed'"
                f" AND done_at > ? AND event <> 'operator' AND NOT ({CHANNELS})",
                (since,),
            ).fetchone()
            if not count:
                return None
            (answer, recipient) = conn.execute(
                "SELECT answer, recipient FROM letters WHERE state = 'failed' AND done_at = ?"
                f" AND event <> 'operator' AND NOT ({CHANNELS})",
                (last,),
            ).fetchone()
        return Held("", count, first, last, f"to {recipient}:\n{answer or ''}")

    def pending(self) -> Held | None:
        """Reports whose key could not be asked for, by when they were stored."""
        with self._writer.reading() as conn:
            row = conn.execute(
                "SELECT count(*), min(stored_at), max(stored_at), trust_reason FROM reports"
                " JOIN mails ON mails.id = reports.mail_id"
                " WHERE status = 'held' AND held_for = 'pending'"
            ).fetchone()
        return Held("", row[0], row[1], row[2], row[3] or "") if row[0] else None

    def dns_worked(self) -> Time | None:
        """When DNS last said something of a key, as far as is known."""
        with self._writer.reading() as conn:
            (at,) = conn.execute(
                "SELECT max(at) FROM (SELECT max(last_seen) AS at FROM keys UNION ALL"
                " SELECT * FROM (SELECT stored_at FROM mails JOIN reports"
                " ON reports.mail_id = mails.id WHERE trust IN ('pass', 'fail', 'history')"
                " ORDER BY mails.id DESC LIMIT 1))"
            ).fetchone()
        return None if at is None else int(at)
