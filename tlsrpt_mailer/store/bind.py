"""
Values on their way into SQLite and out of it.

What a stranger's mail says may not fit a column: text with halves of surrogate
pairs cannot be bound, and sums of counts may pass 64 bits. Both are mended here,
so that no mail can make the store raise.
"""

import sqlite3
import zlib
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

MOST = 2**63 - 1
"""The greatest integer of SQLite."""

_SIZES = (1, 16, 256)
_FAST_OVER_BYTES = 1024 * 1024
_SAMPLE_BYTES = 64 * 1024

_encoder = msgspec.json.Encoder()

T = TypeVar("T")


def text(value: str) -> str:
    """*value* as SQLite can store it: half a surrogate pair becomes a question mark."""
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


def text_or_none(value: str | None) -> str | None:
    """The same for what may be missing."""
    return None if value is None else text(value)


def number(value: int) -> int:
    """*value*, no greater than a column holds."""
    return min(value, MOST)


def json(value: object) -> str:
    """*value* as JSON text."""
    return _encoder.encode(value).decode("utf-8")


def json_texts(values: Sequence[str]) -> str:
    """A list of strings as JSON text."""
    return json([text(value) for value in values]) if values else "[]"


def pack(raw: bytes) -> bytes:
    """Compress raw mail or JSON; attachments of big mails are packed already, so be quick there."""
    if len(raw) <= _FAST_OVER_BYTES:
        return zlib.compress(raw, 6)
    middle = len(raw) // 2
    sample = zlib.compress(raw[middle : middle + _SAMPLE_BYTES], 1)
    # Of base64 only the eighth bits can be saved; to look for repeats takes four times as long.
    is_packed = len(sample) > _SAMPLE_BYTES // 2
    strategy = zlib.Z_HUFFMAN_ONLY if is_packed else zlib.Z_DEFAULT_STRATEGY
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    return packer.compress(raw) + packer.flush()


def unpack(packed: bytes) -> bytes:
    """The bytes that went into `pack`."""
    return zlib.decompress(packed)


def select_in(
    conn: sqlite3.Connection, sql: str, keys: Collection[Any]
) -> Iterator[tuple[Any, ...]]:
    """
    Run *sql*, in which ``{keys}`` stands for a list of values, once for each 256 of them.

    Lists are filled up with NULL, which equals nothing, to one of three sizes: so
    there are three statements to keep prepared, not one for each length.
    """
    rest = iter(dict.fromkeys(keys))
    while chunk := list(islice(rest, _SIZES[-1])):
        size = next(size for size in _SIZES if size >= len(chunk))
        chunk += [None] * (size - len(chunk))
        yield from conn.execute(sql.replace("{keys}", ",".join("?" * size)), chunk)


def next_id(conn: sqlite3.Connection, table: str) -> int:
    """A number no row of *table* has; only within a write transaction."""
    (last,) = conn.execute(f"SELECT max(id) FROM {table}").fetchone()
    return (last or 0) + 1
