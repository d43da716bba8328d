"""What the judge reads of a domain."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping

import msgspec

from tlsrpt_mailer.failures.model import (
    HumanAct,
    Sessions,
    Sighting,
    Verdict,
    Window,
)
from tlsrpt_mailer.ports import FailureRecord, History, Maintenance
from tlsrpt_mailer.report.times import DAY, Time
from tlsrpt_mailer.store.bind import select_in, text
from tlsrpt_mailer.store.checks import probed_at, spells
from tlsrpt_mailer.store.words import BELIEVED, said

ESTABLISHED_SPAN = 7 * DAY

Key = tuple[str, str, str, str]

_decode_sessions = msgspec.json.Decoder(tuple[Sessions, ...]).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_verdict = msgspec.json.Decoder(Verdict).decode


def record(id: int, cause: int, verdict: bytes, ended_at: Time | None = None) -> FailureRecord:
    """A row of ``failures``."""
    return FailureRecord(id, cause, _decode_verdict(verdict), ended_at)


def domains_to_judge(conn: sqlite3.Connection, domains: Collection[str]) -> list[str]:
    """See `ports.Txn.domains_to_judge`; sorted."""
    names = [text(domain) for domain in domains]
    found = select_in(conn, "SELECT DISTINCT domain FROM sightings WHERE domain IN ({keys})", names)
    return sorted({name for (name,) in found}.union(open_among(conn, domains)))


def open_among(conn: sqlite3.Connection, domains: Collection[str]) -> list[str]:
    """See `ports.Txn.open_among`."""
    rows = select_in(
        conn,
        "SELECT DISTINCT domain FROM failures"
        " WHERE is_open = 1 AND kind = 'report' AND domain IN ({keys})",
        [text(domain) for domain in domains],
    )
    return sorted(name for (name,) in rows)


def open_domains(conn: sqlite3.Connection) -> list[str]:
    """See `ports.Txn.open_domains`; sorted."""
    return [
        name
        for (name,) in conn.execute(
            "SELECT DISTINCT domain FROM failures WHERE is_open = 1 ORDER BY domain"
        )
    ]


def histories(conn: sqlite3.Connection, domains: Collection[str]) -> list[History]:
    """See `ports.Txn.histories`; one a domain, in the order given."""
    names = list(dict.fromkeys(text(domain) for domain in domains))
    found = windows(conn, names)
    numbers: dict[str, dict[Key, int]] = {name: {} for name in names}
    findings: dict[str, dict[tuple[str, str], int]] = {name: {} for name in names}
    rows = select_in(
        conn,
        "SELECT id, domain, policy_type, result_type, mx, kind FROM failures"
        " WHERE kind IN ('report', 'finding') AND domain IN ({keys})",
        names,
    )
    for number, domain, policy_type, result_type, mx, kind in rows:
        if kind == "finding":
            findings[domain][result_type, mx] = number
        else:
            numbers[domain][domain, policy_type, result_type, mx] = number
    known = [number for some in numbers.values() for number in some.values()]
    known += [number for some in findings.values() for number in some.values()]
    said = acts(conn, known)
    looked, probed = spells(conn, names), probed_at(conn)
    return [
        History(
            domain=name,
            windows=tuple(found[name]),
            acts={
                number: said[number]
                for number in (*numbers[name].values(), *findings[name].values())
                if number in said
            },
            numbers=numbers[name],
            spells=tuple(looked.get(name, ())),
            found=findings[name],
            shown=_probed(found[name], probed),
        )
        for name in names
    ]


def _probed(some: Collection[Window], probed: Mapping[str, Time]) -> dict[str, Time]:
    """Those of the MX hosts that these windows speak of."""
    if not probed:
        return {}
    hosts = {row.mx for window in some for row in window.sightings if row.mx in probed}
    return {host: probed[host] for host in hosts if host is not None}


def windows(
    conn: sqlite3.Connection, names: Collection[str], after: Time | None = None
) -> dict[str, list[Window]]:
    """
    All counted windows by domain, oldest first; every one of *names* is in it.

    Without those of reporters that somebody distrusts: all who judge or show read here.

    Args:
        conn: The database.
        names: The domains.
        after: Leave out those that ended by then.
    """
    recent = "" if after is None else f" AND end_at > {after:d}"
    sightings: defaultdict[int, list[Sighting]] = defaultdict(list)
    rows = select_in(
        conn,
        "SELECT window_id, policy_type, result_type, mx, sessions, reasons FROM sightings"
        " WHERE domain IN ({keys})",
        names,
    )
    for window, policy_type, result_type, mx, sessions, reasons in rows:
        sightings[window].append(
            Sighting(policy_type, result_type, mx or None, sessions, _decode_texts(reasons))
        )
    found: dict[str, list[Window]] = {name: [] for name in names}
    rows = select_in(
        conn,
        "SELECT id, domain, reporter, start_at, end_at, report_id, received_at, date, digest,"
        " sessions FROM windows WHERE domain IN ({keys})"
        f" AND {BELIEVED}{recent} ORDER BY domain, start_at, id",
        names,
    )
    for row in rows:
        window, domain, reporter, start, end, report, received, date, digest, sessions = row
        found[domain].append(
            Window(
                domain,
                reporter,
                start,
                end,
                report,
                received,
                date,
                digest,
                _decode_sessions(sessions),
                tuple(sightings.get(window, ())),
            )
        )
    return found


def acts(conn: sqlite3.Connection, failures: Collection[int]) -> dict[int, tuple[HumanAct, ...]]:
    """What people said of these failures, oldest first; those without a word are left out."""
    said: defaultdict[int, tuple[HumanAct, ...]] = defaultdict(tuple)
    rows = select_in(
        conn,
        "SELECT failure_id, kind, at, who, until, note, incident, assignee FROM acts"
        " WHERE failure_id IN ({keys}) ORDER BY id",
        failures,
    )
    for failure, *act in rows:
        said[failure] += (HumanAct(*act),)
    return said


def maintenance(conn: sqlite3.Connection) -> list[Maintenance]:
    """See `ports.Txn.maintenance`."""
    rows = conn.execute(
        "SELECT id, kind, value, start_at, end_at, who, note, made_at FROM maintenance ORDER BY id"
    )
    return [Maintenance(*row) for row in rows]


def established(conn: sqlite3.Connection, reporters: Collection[str]) -> frozenset[str]:
    """
    See `ports.Txn.established`.

    Only three look-ups a reporter, however many windows there are of it: the first
    with successes, the last, and whether there is one between them.
    """
    words = {name: one.word for name, one in said(conn).items()}
    return frozenset(
        name
        for name in reporters
        if (word := words.get(text(name))) == "trust"
        or (word is None and _is_established(conn, text(name)))
    )


class Edge(msgspec.Struct, frozen=True):
    """A reporter's first or last window with successes."""

    start: Time
    end: Time
    received: Time
    trust: str | None
    """Of its report; None where that is pruned."""


def spans_enough(first: Edge, last: Edge) -> bool:
    """
    Whether a reporter was there for long enough.

    What is signed says when it was by its writer's word alone: whoever makes up a week has to
    be here for one as well. A day less, since a day's report comes when the day is over.
    """
    if last.end - first.start < ESTABLISHED_SPAN:
        return False
    is_signed = first.trust == last.trust == "pass"
    return not is_signed or last.received - first.received >= ESTABLISHED_SPAN - DAY


def _is_established(conn: sqlite3.Connection, reporter: str) -> bool:
    ends = [
        conn.execute(
            "SELECT start_at, end_at, received_at,"
            " (SELECT trust FROM reports WHERE reports.id = windows.report_id)"
            " FROM windows WHERE reporter = ? AND successful > 0"
            f" ORDER BY start_at {order}, id {order} LIMIT 1",
            (reporter,),
        ).fetchone()
        for order in ("ASC", "DESC")
    ]
    if None in ends:
        return False
    first, last = (Edge(*row) for row in ends)
    if not spans_enough(first, last):
        return False
    between = conn.execute(
        "SELECT 1 FROM windows WHERE reporter = ? AND successful > 0"
        " AND start_at > ? AND start_at < ? LIMIT 1",
        (reporter, first.start, last.start),
    ).fetchone()
    return between is not None
