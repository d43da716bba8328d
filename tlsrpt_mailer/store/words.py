"""What operators say of reporters: whose windows are believed, and whose are left out."""

import sqlite3
from collections.abc import Collection

from tlsrpt_mailer.ports import ReporterWord, SaidOfReporter
from tlsrpt_mailer.report.marks import history, unverified
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import text, text_or_none

_WORDS = "SELECT reporter FROM reporter_words WHERE word = 'distrust'"
_MARKED = "SELECT reporter || '{mark}' FROM reporter_words WHERE word = 'distrust'"

_DISTRUSTED = " UNION ALL ".join(
    [_WORDS, *(_MARKED.format(mark=mark) for mark in (unverified(""), history("")))]
)
BELIEVED = f"reporter NOT IN ({_DISTRUSTED})"
"""A condition on rows with a ``reporter``: nobody distrusts it, under whatever name it counts."""


def said(conn: sqlite3.Connection) -> dict[str, SaidOfReporter]:
    """By reporter, sorted: what is said of it."""
    rows = conn.execute("SELECT reporter, word, at, who, note FROM reporter_words ORDER BY 1")
    return {reporter: SaidOfReporter(word, at, who, note) for reporter, word, at, who, note in rows}


def save(
    conn: sqlite3.Connection,
    reporter: str,
    word: ReporterWord | None,
    at: Time,
    who: str,
    note: str | None,
) -> None:
    """See `ports.People.save_reporter_word`."""
    conn.execute("DELETE FROM reporter_words WHERE reporter = ?", (text(reporter),))
    if word is not None:
        conn.execute(
            "INSERT INTO reporter_words (reporter, word, at, who, note) VALUES (?, ?, ?, ?, ?)",
            (text(reporter), word, at, text(who), text_or_none(note)),
        )


def domains_of(conn: sqlite3.Connection, reporters: Collection[str]) -> list[str]:
    """See `ports.People.domains_of_reporters`; sorted."""
    names = {text(name) for one in reporters for name in (one, unverified(one), history(one))}
    # Windows have no index that leads from any reporter to its domains; pairs are few.
    rows = conn.execute("SELECT domain, reporter FROM pairs")
    return sorted({domain for domain, reporter in rows if reporter in names})
