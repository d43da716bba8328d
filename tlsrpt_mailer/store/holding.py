"""
Reports that are held, and mails that wait for a key.

All but `SqlitePending` works inside a write transaction that the caller began.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence

import msgspec

from tlsrpt_mailer.ports import CountedCopy, HeldCopy, PendingMail, RawMail, Trusted
from tlsrpt_mailer.report.marks import is_marked
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store import bind
from tlsrpt_mailer.store.bind import select_in
from tlsrpt_mailer.store.connection import Writer
from tlsrpt_mailer.store.turns import in_turns


class Copies(msgspec.Struct):
    """What is stored of some JSON, by digest; see `ports.Known`."""

    counted: dict[bytes, list[CountedCopy]] = {}
    unproven: dict[bytes, list[int]] = {}
    held: dict[bytes, list[HeldCopy]] = {}


def known_copies(conn: sqlite3.Connection, digests: Collection[bytes]) -> Copies:
    """What is stored of these."""
    found = Copies()
    rows = select_in(
        conn,
        "SELECT digest, id, status, held_for, reporter, trust, vouched_by FROM reports"
        " WHERE digest IN ({keys}) ORDER BY id",
        digests,
    )
    for digest, number, status, held_for, reporter, trust, vouched_by in rows:
        if status == "held":
            copy = HeldCopy(number, held_for or "signature", reporter, trust, vouched_by)
            found.held.setdefault(digest, []).append(copy)
        elif is_marked(reporter):
            counted = found.unproven.setdefault(digest, [])
            counted += [number] if status == "counted" else []
        elif trust in _BELIEVED:
            copy_of = CountedCopy(number, reporter, trust, status == "counted")
            found.counted.setdefault(digest, []).append(copy_of)
    return found


_BELIEVED = frozenset({"unchecked", "operator", "pass"})
"""The trust of what counts under the name of its reporter. Others, without a mark, were held."""


class Reopened(msgspec.Struct, frozen=True):
    """A held report that was taken out."""

    number: int
    trust: Trusted


def reopen(
    conn: sqlite3.Connection, mails: Collection[bytes]
) -> dict[bytes, dict[bytes, Reopened]]:
    """Take out the held reports of these mails; what they were, by mail and by digest."""
    found: dict[bytes, dict[bytes, Reopened]] = {}
    rows = select_in(
        conn,
        "SELECT mails.sha256, reports.digest, reports.id, reports.trust FROM mails"
        " JOIN reports ON reports.mail_id = mails.id"
        " WHERE reports.status = 'held' AND mails.sha256 IN ({keys})",
        mails,
    )
    for mail, digest, number, trust in rows:
        found.setdefault(mail, {})[digest] = Reopened(number, trust)
    going = [(one.number,) for old in found.values() for one in old.values()]
    conn.executemany("DELETE FROM reports WHERE id = ?", going)
    return found


def let_go(conn: sqlite3.Connection, replaced: Sequence[int]) -> None:
    """Forget the raw bytes of mails of which nothing is held now that these are replaced."""
    for number in replaced:
        mail = (
            "(SELECT mail_id FROM reports WHERE id = ?1) AND NOT EXISTS (SELECT 1 FROM reports"
            " WHERE status = 'held' AND mail_id = (SELECT mail_id FROM reports WHERE id = ?1))"
        )
        conn.execute(f"DELETE FROM kept WHERE kind = 'held' AND mail_id = {mail}", (number,))
        conn.execute(
            "UPDATE mails SET outcome = 'duplicate', reason = NULL"
            f" WHERE outcome = 'held' AND id = {mail}",
            (number,),
        )


class SqlitePending:
    """`ports.PendingMails`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def due(
        self,
        now: Time,
        limit: int,
        organisational: Callable[[str], str | None] = str,
        known: Collection[str] = (),
    ) -> list[int]:
        """See `ports.PendingMails.due`."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT mail_id, coalesce((SELECT coalesce(signed_by, reporter) FROM reports"
                " WHERE reports.mail_id = kept.mail_id ORDER BY id LIMIT 1), '')"
                " FROM kept WHERE next_try <= ? ORDER BY next_try, mail_id",
                (now,),
            ).fetchall()
        signers = {signer for _, signer in rows}
        whose = {signer: organisational(signer) or signer for signer in signers}

        def last(row: tuple[int, str]) -> tuple[bool, bool]:
            of = whose[row[1]]
            return of not in known, of in known and of != row[1]

        turns = in_turns(sorted(rows, key=last), lambda row: str(row[1]), lambda row: whose[row[1]])
        return [number for number, _ in turns[:limit]]

    def mail(self, number: int) -> PendingMail | None:
        """See `ports.PendingMails.mail`."""
        with self._writer.reading() as conn:
            row = conn.execute(
                "SELECT kept.tries, kept.raw, kept.file_name, mails.source, mails.taken_at"
                " FROM kept JOIN mails ON mails.id = kept.mail_id"
                " WHERE kept.mail_id = ? AND kept.next_try IS NOT NULL",
                (number,),
            ).fetchone()
        if row is None:
            return None
        tries, packed, file_name, source, taken_at = row
        raw = RawMail(
            bind.unpack(packed), source, taken_at, file_name, keep_ignored=True, again=True
        )
        return PendingMail(number, tries, raw)

    def postpone(self, number: int, next_try: Time) -> None:
        """See `ports.PendingMails.postpone`."""
        with self._writer.transaction() as conn:
            conn.execute(
                "UPDATE kept SET next_try = ? WHERE mail_id = ? AND next_try IS NOT NULL",
                (next_try, number),
            )
