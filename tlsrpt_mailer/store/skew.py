"""Times that a wrong clock noted: what lies in the future is made the present moment."""

from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time
from tlsrpt_mailer.store.connection import Writer

# Each column, and how far ahead of now a right clock may have put it.
_COLUMNS: tuple[tuple[str, str, Span], ...] = (
    ("acts", "at", 0),
    ("answers", "at", 0),
    ("adoptions", "next_try", 8 * DAY),
    ("adoptions", "first_at", 0),
    ("adoptions", "last_at", 0),
    ("adoptions", "changed_at", 0),
    ("kept", "kept_at", 0),
    ("kept", "next_try", 2 * DAY),
    ("keys", "last_seen", 0),
    ("letters", "created_at", 0),
    ("letters", "done_at", 0),
    ("letters", "next_try", HOUR),
    ("mails", "stored_at", 0),
    ("notes", "at", 0),
    ("notices", "since", 0),
    ("notices", "told_at", 0),
    ("notices", "ended_at", 0),
    ("reports", "taken_at", 0),
    ("told", "at", 0),
    ("told", "opened_at", 0),
    ("told", "reminded_at", 0),
    ("told", "first_at", 0),
    ("windows", "received_at", 0),
)


def settle(writer: Writer, now: Time) -> None:
    """
    Bring back to *now* what lies after it, and open again what ended then.

    Windows and what reports say of themselves stay as they are; what ended is for the
    next review to judge.

    Raises:
        Temporary: The database cannot be written now; nothing was changed.
    """
    with writer.transaction() as conn:
        for table, column, ahead in _COLUMNS:
            conn.execute(f"UPDATE {table} SET {column} = ? WHERE {column} > ?", (now, now + ahead))
        conn.execute(
            "UPDATE failures SET is_open = 1, ended_at = NULL WHERE is_open = 0 AND ended_at > ?",
            (now,),
        )
