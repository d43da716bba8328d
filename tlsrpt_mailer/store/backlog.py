"""What was read before the first mail, for the summary of an old mailbox."""

import sqlite3
from collections.abc import Collection

from tlsrpt_mailer.failures.model import Identity
from tlsrpt_mailer.ports import Backlog
from tlsrpt_mailer.store.bind import select_in, text

# One look-up a domain, however many windows there are of it.
_DOMAINS = (
    "WITH RECURSIVE known (name) AS (SELECT min(domain) FROM windows UNION ALL"
    " SELECT (SELECT min(domain) FROM windows WHERE domain > name) FROM known"
    " WHERE name IS NOT NULL) SELECT name FROM known WHERE name IS NOT NULL"
)


def domains(conn: sqlite3.Connection) -> list[str]:
    """Every domain that a counted window speaks of, sorted."""
    return [name for (name,) in conn.execute(_DOMAINS)]


def backlog(conn: sqlite3.Connection, names: Collection[str]) -> Backlog | None:
    """See `ports.ComposeTxn.backlog`."""
    wanted = [text(name) for name in names]
    reports: set[int] = set()
    reporters: set[str] = set()
    found: set[str] = set()
    starts, ends = [], []
    rows = select_in(
        conn,
        "SELECT domain, reporter, report_id, start_at, end_at FROM windows"
        " WHERE domain IN ({keys})",
        wanted,
    )
    for domain, reporter, report, start, end in rows:
        found.add(domain)
        reporters.add(reporter)
        reports.add(report)
        starts.append(start)
        ends.append(end)
    if not found:
        return None
    ended = select_in(
        conn,
        "SELECT domain, policy_type, result_type, mx FROM failures"
        " WHERE is_open = 0 AND domain IN ({keys})"
        " AND NOT EXISTS (SELECT 1 FROM told WHERE told.failure_id = failures.id)",
        wanted,
    )
    return Backlog(
        reports=len(reports),
        reporters=len(reporters),
        domains=len(found),
        first=min(starts),
        last=max(ends),
        ended=tuple(
            Identity(domain, policy_type, result_type, mx or None)
            for domain, policy_type, result_type, mx in ended
        ),
    )
