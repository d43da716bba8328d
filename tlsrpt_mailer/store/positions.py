"""What an IMAP source remembers of its folders."""

from collections.abc import Collection, Sequence

from tlsrpt_mailer.ports import Noted, Position
from tlsrpt_mailer.store.bind import text
from tlsrpt_mailer.store.connection import Writer


class SqlitePositions:
    """`ports.Positions`; each call is its own small transaction."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def position(self, source: str, folder: str) -> Position | None:
        """See `ports.Positions.position`."""
        with self._writer.reading() as conn:
            row = conn.execute(
                "SELECT uidvalidity, uid FROM positions WHERE source = ? AND folder = ?",
                (text(source), text(folder)),
            ).fetchone()
        return None if row is None else Position(*row)

    def save_position(self, source: str, folder: str, position: Position) -> None:
        """See `ports.Positions.save_position`."""
        where = (text(source), text(folder))
        with self._writer.transaction() as conn:
            conn.execute(
                "INSERT OR REPLACE INTO positions (source, folder, uidvalidity, uid)"
                " VALUES (?, ?, ?, ?)",
                (*where, position.uidvalidity, position.uid),
            )
            conn.execute(
                "DELETE FROM notes WHERE source = ? AND folder = ? AND uidvalidity <> ?",
                (*where, position.uidvalidity),
            )

    def note(self, source: str, folder: str, uidvalidity: int, noted: Sequence[Noted]) -> None:
        """See `ports.Positions.note`."""
        if not noted:
            return
        with self._writer.transaction() as conn:
            conn.executemany(
                "INSERT OR REPLACE INTO notes (source, folder, uidvalidity, uid, outcome, at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (text(source), text(folder), uidvalidity, one.uid, text(one.outcome), one.at)
                    for one in noted
                ],
            )

    def noted(self, source: str, folder: str, uidvalidity: int) -> list[Noted]:
        """See `ports.Positions.noted`; by UID."""
        with self._writer.reading() as conn:
            rows = conn.execute(
                "SELECT uid, outcome, at FROM notes"
                " WHERE source = ? AND folder = ? AND uidvalidity = ? ORDER BY uid",
                (text(source), text(folder), uidvalidity),
            ).fetchall()
        return [Noted(*row) for row in rows]

    def forget(self, source: str, folder: str, uidvalidity: int, uids: Collection[int]) -> None:
        """See `ports.Positions.forget`."""
        if not uids:
            return
        with self._writer.transaction() as conn:
            conn.executemany(
                "DELETE FROM notes WHERE source = ? AND folder = ? AND uidvalidity = ? AND uid = ?",
                [(text(source), text(folder), uidvalidity, uid) for uid in uids],
            )
