"""Who did what, as rows."""

import sqlite3

import msgspec

from tlsrpt_mailer.ports import AuditEntry, JsonValue
from tlsrpt_mailer.store.bind import json, text, text_or_none
from tlsrpt_mailer.store.listing import Page, page, where


class AuditRow(AuditEntry, frozen=True, kw_only=True):
    """One thing that a person did, as the listing has it."""

    id: int


_decode = msgspec.json.Decoder(dict[str, str | int | list[int] | None]).decode


def add(conn: sqlite3.Connection, entry: AuditEntry) -> None:
    """Write down who did what."""
    conn.execute(
        "INSERT INTO audit (at, who, way, action, target, note) VALUES (?, ?, ?, ?, ?, ?)",
        (
            entry.at,
            text(entry.who),
            text(entry.way),
            entry.action,
            json({key: _storable(value) for key, value in entry.target.items()}),
            text_or_none(entry.note),
        ),
    )


def listed(
    conn: sqlite3.Connection, *, who: str | None, limit: int | None, offset: int
) -> Page[AuditRow]:
    """The last thing first; *who* narrows it to one person."""
    clause, values = where(("who = ?", who))
    return page(
        conn,
        (
            f"SELECT at, who, way, action, target, note, id FROM audit {clause} ORDER BY id DESC",
            f"SELECT count(*) FROM audit {clause}",
        ),
        values,
        (limit, offset),
        lambda rows: [
            AuditRow(at, by, way, action, _decode(target), note, id=number)
            for at, by, way, action, target, note, number in rows
        ],
    )


def _storable(value: JsonValue) -> JsonValue:
    return text(value) if isinstance(value, str) else value
