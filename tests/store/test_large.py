"""Values of many megabytes reach the database whole, and without copies of them in memory."""

import random

from tlsrpt_mailer.store import bind, large
from tlsrpt_mailer.store.sqlite import SqliteStore

NOISE = bytes(range(256)) * 8_000


def test_large_values_are_written_whole(store: SqliteStore):
    """A value that is written piece by piece is the one that came, beside small ones."""
    rows = [(1, b"small", "x"), (2, NOISE, "y"), (3, NOISE[:-1], None)]
    with store.write() as txn:
        conn = txn._conn
        before = conn.execute("PRAGMA cache_size").fetchone()
        conn.execute("CREATE TABLE odd (id INTEGER PRIMARY KEY, value BLOB, word TEXT) STRICT")
        large.insert(conn, "INSERT INTO odd", "id, value, word", rows, 1)

        assert rows == conn.execute("SELECT id, value, word FROM odd ORDER BY id").fetchall()
        assert before == conn.execute("PRAGMA cache_size").fetchone()


def test_what_is_packed_comes_back():
    """Small and large, whether packing makes it smaller or not."""
    noise = random.Random(1).randbytes(1_200_000)
    for raw in (b"", b"x", NOISE, noise, noise.hex().encode(), b" " * 2_000_000):
        packed = bind.pack(raw)

        assert raw == bind.unpack(packed)
        assert len(packed) <= len(raw) + 1_000
