"""
The tables, as numbered migrations (sqlite-utils' Migrations). All STRICT.

Times are seconds since 1970 UTC; raw mails and JSON are zlib-compressed. Only
the holder of the lock runs these (docs/explanation/delivery-guarantees.md). A
migration that has been released is never edited again: a change is a new one.
docs/reference/database.md says what each table is for.
"""

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from tlsrpt_mailer.store.schema import checks as checks_
from tlsrpt_mailer.store.schema import first as first_
from tlsrpt_mailer.store.schema import people as people_
from tlsrpt_mailer.store.schema import trust as trust_

migrations = Migrations("tlsrpt_mailer")


@migrations(name="0001_first")
def first(db: Database) -> None:
    """Reports, failures, and the mails about them."""
    _run(db, first_.SQL)


@migrations(name="0002_people")
def people(db: Database) -> None:
    """Answers, maintenance, channels, reminders, silence."""
    _run(db, people_.SQL)


@migrations(name="0003_trust")
def trust(db: Database) -> None:
    """Signatures, held reports, reporters that are trusted, domains that are adopted."""
    _run(db, trust_.SQL)


@migrations(name="0004_checks")
def checks(db: Database) -> None:
    """What looks at domains found."""
    _run(db, checks_.SQL)


def _run(db: Database, script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            db.conn.execute(statement)
