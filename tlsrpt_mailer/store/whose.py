"""What is known of domains that nobody named, for the listing: states, and reports that wait."""

import sqlite3

import msgspec

from tlsrpt_mailer.domains.ours import State
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.adoptions import COLUMNS, adoption

_HELD = """
SELECT p.policy_domain, count(DISTINCT r.id), max(r.taken_at)
FROM reports AS r INDEXED BY reports_held JOIN policies AS p ON p.report_id = r.id
WHERE r.status = 'held' AND r.held_for IN ('foreign', 'proposed') GROUP BY p.policy_domain
"""
_LEFT_OUT = """
SELECT p.policy_domain, count(DISTINCT r.id), max(r.taken_at)
FROM policies AS p INDEXED BY policies_foreign JOIN reports AS r ON r.id = p.report_id
WHERE p.is_foreign = 1 AND r.status = 'counted' GROUP BY p.policy_domain
"""


class DomainRow(msgspec.Struct, frozen=True, kw_only=True):
    """One domain that reports speak of."""

    domain: str
    state: State | None = None
    """What was found out; None where nothing was asked."""
    held: int = 0
    """Reports held for it: not one of their policies is ours."""
    left_out: int = 0
    """Counted reports in which it stands beside a domain of ours, and is not counted."""
    last_at: Time | None = None
    """The last report about it, as far as it was noted here."""
    record: str | None = None
    said: str | None = None
    next_try: Time | None = None


def domain_rows(conn: sqlite3.Connection) -> list[DomainRow]:
    """All that were looked up or wait for that, and all whose reports are not counted; by name."""
    found: dict[str, DomainRow] = {}
    for row in conn.execute(f"SELECT {COLUMNS} FROM adoptions"):
        one = adoption(row)
        found[one.domain] = DomainRow(
            domain=one.domain,
            state=one.state,
            last_at=one.last_at,
            record=one.record,
            said=one.said,
            next_try=one.next_try,
        )
    for key, sql in (("held", _HELD), ("left_out", _LEFT_OUT)):
        for domain, count, last in conn.execute(sql):
            there = found.get(domain) or DomainRow(domain=domain)
            last_at = max(last, there.last_at or last)
            found[domain] = msgspec.structs.replace(there, last_at=last_at, **{key: count})
    return [found[domain] for domain in sorted(found)]
