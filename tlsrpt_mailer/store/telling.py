"""Which mails named a failure, and by which way people answered: for ``--why``."""

import sqlite3
from collections.abc import Iterable

from tlsrpt_mailer.failures.model import HumanAct
from tlsrpt_mailer.failures.telling import Mailed
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import text


def mailed(conn: sqlite3.Connection, failure: int) -> tuple[Mailed, ...]:
    """Every mail and notice that named a failure, oldest first; digests too."""
    rows = conn.execute(
        "SELECT letters.created_at, letters.recipient, letter_failures.event, letters.event"
        " FROM letter_failures JOIN letters ON letters.id = letter_failures.letter_id"
        " WHERE letter_failures.failure_id = ? ORDER BY letters.created_at, letters.id",
        (failure,),
    )
    return tuple(Mailed(*row) for row in rows)


def ways(conn: sqlite3.Connection, acts: Iterable[HumanAct]) -> dict[tuple[Time, str], str]:
    """(moment, who) of an act to the way it was done, as far as the audit knows it."""
    found: dict[tuple[Time, str], str] = {}
    for act in acts:
        row = conn.execute(
            "SELECT way FROM audit WHERE at = ? AND who = ? ORDER BY id LIMIT 1",
            (act.at, text(act.who)),
        ).fetchone()
        if row is not None:
            found[act.at, act.who] = str(row[0])
    return found
