"""Failures and causes as rows: writing what the judge says."""

import sqlite3
from collections.abc import Collection, Iterable

import msgspec

from tlsrpt_mailer.failures.model import Cause, Identity, Verdict
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store import bind
from tlsrpt_mailer.store.bind import select_in, text

Key = tuple[str, str, str, str]

# What ended stays ended at the moment when that became known, whatever is found of it later.
_UPDATE = """
UPDATE failures SET state = ?1, severity = ?2, is_open = ?3, incident = ?4, first_seen = ?5,
  last_seen = ?6, resolved_at = ?7, judged_at = ?8, verdict = ?9,
  ended_at = CASE WHEN ?3 = 1 THEN NULL WHEN is_open = 1 OR incident <> ?4 THEN ?8
  ELSE ended_at END
WHERE id = ?10
"""

FINDING = " check"
"""What stands in the column for the policy type of a finding. A report's policy type never begins
with a blank (`report.values`), so none of its failures can be taken for a finding."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Verdict).decode


class _Stored(msgspec.Struct, frozen=True):
    id: int
    cause: Cause
    is_open: int
    verdict: bytes


def save_verdicts(
    conn: sqlite3.Connection,
    verdicts: Iterable[Verdict],
    judged: Collection[str],
    now: Time,
) -> None:
    """
    Write each failure's state; a verdict that is as it was writes nothing.

    Args:
        judged: Domains of which every failure has been judged. An open one without
            a verdict is ended: the only report that spoke of it was superseded by a
            revision that does not.

    """
    # A failure at an MX first: one of no MX may be of the same cause, and the
    # cause is to have the number of the one that names it.
    new = sorted(verdicts, key=lambda one: (one.identity.mx is None, _key(one.identity)))
    complete = {text(domain) for domain in judged}
    stored = _stored(conn, complete | {text(one.identity.domain) for one in new})
    for verdict in new:
        old = stored.pop(_key(verdict.identity), None)
        if old is None:
            _insert(conn, verdict, now)
        else:
            _update(conn, old, verdict, now)
    for key, left in stored.items():
        if left.is_open and key[0] in complete:
            _withdraw(conn, left, now)


def _key(identity: Identity) -> Key:
    return (
        text(identity.domain),
        FINDING if identity.kind == "finding" else text(identity.policy_type),
        text(identity.result_type),
        text(identity.mx or ""),
    )


def _stored(conn: sqlite3.Connection, domains: Collection[str]) -> dict[Key, _Stored]:
    rows = select_in(
        conn,
        "SELECT f.domain, f.policy_type, f.result_type, f.mx, f.id, f.is_open, f.verdict,"
        " c.result_type, c.mx, c.domain FROM failures AS f JOIN causes AS c ON c.id = f.cause_id"
        " WHERE f.kind IN ('report', 'finding') AND f.domain IN ({keys})",
        domains,
    )
    return {
        (row[0], row[1], row[2], row[3]): _Stored(
            id=row[4],
            cause=Cause(row[7], row[8] or None, row[9] or None),
            is_open=row[5],
            verdict=row[6],
        )
        for row in rows
    }


def _insert(conn: sqlite3.Connection, verdict: Verdict, now: Time) -> None:
    cursor = conn.execute(
        "INSERT INTO failures (domain, policy_type, result_type, mx, kind, cause_id, state,"
        " severity, is_open, incident, first_seen, last_seen, resolved_at, judged_at, verdict,"
        " ended_at) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *_key(verdict.identity),
            verdict.identity.kind,
            *_columns(verdict, now),
            None if verdict.is_open else now,
        ),
    )
    _set_cause(conn, int(cursor.lastrowid or 0), verdict.cause)


def _update(conn: sqlite3.Connection, old: _Stored, verdict: Verdict, now: Time) -> None:
    columns = _columns(verdict, now)
    if columns[-1] == old.verdict:
        return
    conn.execute(_UPDATE, (*columns, old.id))
    if verdict.cause != old.cause:
        _set_cause(conn, old.id, verdict.cause)


def _columns(verdict: Verdict, now: Time) -> tuple[object, ...]:
    clamped = msgspec.structs.replace(
        verdict,
        failed_sessions=bind.number(verdict.failed_sessions),
        sessions=bind.number(verdict.sessions),
    )
    return (
        verdict.state,
        verdict.severity,
        int(verdict.is_open),
        verdict.incident,
        verdict.first_seen,
        verdict.last_seen,
        verdict.resolved_at,
        now,
        _encode(clamped),
    )


def _set_cause(conn: sqlite3.Connection, failure: int, cause: Cause) -> None:
    key = (text(cause.result_type), text(cause.mx or ""), text(cause.domain or ""))
    row = conn.execute(
        "SELECT id FROM causes WHERE result_type = ? AND mx = ? AND domain = ?", key
    ).fetchone()
    number = int(row[0]) if row else _new_cause(conn, failure, key)
    conn.execute("UPDATE failures SET cause_id = ? WHERE id = ?", (number, failure))


def _new_cause(conn: sqlite3.Connection, failure: int, key: tuple[str, str, str]) -> int:
    """Make a cause with the number of its first failure, if that number is free."""
    taken = conn.execute("SELECT 1 FROM causes WHERE id = ?", (failure,)).fetchone()
    if taken:
        others = conn.execute(
            "SELECT 1 FROM failures WHERE cause_id = ?1 AND id <> ?1 LIMIT 1", (failure,)
        ).fetchone()
        if not others:
            conn.execute(
                "UPDATE causes SET result_type = ?, mx = ?, domain = ? WHERE id = ?",
                (*key, failure),
            )
            return failure
        # The failure has left a cause that others remain in and that goes by
        # its number: take the next number of a failure, and use it up.
        conn.execute("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'failures'")
        (failure,) = conn.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'failures'"
        ).fetchone()
    conn.execute(
        "INSERT INTO causes (id, result_type, mx, domain) VALUES (?, ?, ?, ?)", (failure, *key)
    )
    return failure


def _withdraw(conn: sqlite3.Connection, old: _Stored, now: Time) -> None:
    """End a failure that no report speaks of any more; one that nobody heard of never was."""
    known = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM told WHERE failure_id = ?1)"
        " OR EXISTS (SELECT 1 FROM acts WHERE failure_id = ?1)",
        (old.id,),
    ).fetchone()[0]
    if not known:
        conn.execute("DELETE FROM failures WHERE id = ?", (old.id,))
        return
    verdict = _decode(old.verdict)
    ended = msgspec.structs.replace(
        verdict, state="resolved", resolved_at=verdict.last_seen, taken_back=True
    )
    conn.execute(_UPDATE, (*_columns(ended, now), old.id))
