"""What all read sides of the database have in common: answers out of one state of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tlsrpt_mailer.store.trouble import translated


class Snapshots:
    """A connection that cannot write; close it, or use it in a ``with``."""

    def __init__(self, conn: sqlite3.Connection, path: Path) -> None:
        self._conn = conn
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._conn.close()

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """One state of the database for all queries of an answer, whoever writes meanwhile."""
        with translated(self.path):
            self._conn.execute("BEGIN")
            try:
                yield self._conn
            finally:
                # Nothing was written, and a second error must not hide the first.
                with suppress(sqlite3.Error):
                    self._conn.execute("COMMIT")
