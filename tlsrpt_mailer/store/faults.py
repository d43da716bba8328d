"""
Notes about mails that trouble the process; they outlive a crash.

A batch is noted before it is read and dropped when it is stored. A note of
another process that is still there says that this process died, or reads the
mail right now; either way the mail is taken singly, and the note counts as one
death when the mail is begun again. Nobody has to tell the dead from the living.

What ends a process by its bytes does so while it is read. A process that was ended
later, while the mail was written, was more likely ended by somebody else: that counts
a quarter of a death, so that one is never put aside by a machine that fails often.
"""

import secrets
from collections.abc import Sequence

from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.store.bind import text
from tlsrpt_mailer.store.connection import Writer

_NOBODY = 0
_DEATH = 4
"""`taking.deaths` counts in quarters."""
_WORTH = f"CASE WHEN holder IN (0, ?1, -?1) THEN 0 WHEN holder < 0 THEN 1 ELSE {_DEATH} END"
"""What the end of the process that noted the mail counts; ours (?1) goes on."""
_ERROR_CHARS = 500


class SqliteFaults:
    """`ports.Faults`; each call commits at once."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._me = secrets.randbits(62) + 1

    def begin(self, mails: Sequence[bytes], now: Time) -> None:
        """See `ports.Faults.begin`."""
        # A mail can end this process, not the machine, so the note need not wait for the disk.
        with self._writer.transaction(durable=False) as conn:
            conn.executemany(
                "INSERT INTO taking (sha256, begun_at, holder) VALUES (?2, ?3, ?1)"
                " ON CONFLICT (sha256) DO UPDATE SET"
                f" deaths = deaths + {_WORTH}, begun_at = ?3, holder = ?1",
                [(self._me, mail, now) for mail in mails],
            )

    def survived(self, mails: Sequence[bytes]) -> None:
        """See `ports.Faults.survived`."""
        with self._writer.transaction(durable=False) as conn:
            conn.executemany(
                "UPDATE taking SET holder = -?1 WHERE sha256 = ?2 AND holder = ?1",
                [(self._me, mail) for mail in mails],
            )

    def suspects(self) -> dict[bytes, int]:
        """See `ports.Faults.suspects`."""
        with self._writer.reading() as conn:
            return dict(
                conn.execute(
                    f"SELECT sha256, (deaths + {_WORTH}) / {_DEATH} FROM taking"
                    f" WHERE deaths + {_WORTH} > 0",
                    (self._me,),
                ).fetchall()
            )

    def failed(self, mail: bytes, error: str) -> int:
        """See `ports.Faults.failed`."""
        with self._writer.transaction() as conn:
            (count,) = conn.execute(
                "INSERT INTO faults (sha256, count, error) VALUES (?, 1, ?) ON CONFLICT (sha256)"
                " DO UPDATE SET count = count + 1, error = excluded.error RETURNING count",
                (mail, text(error[:_ERROR_CHARS])),
            ).fetchone()
        return int(count)

    def done(self, mails: Sequence[bytes]) -> None:
        """See `ports.Faults.done`: the deaths counted before are not forgotten."""
        with self._writer.transaction() as conn:
            conn.executemany(
                "UPDATE taking SET holder = ? WHERE sha256 = ?",
                [(_NOBODY, mail) for mail in mails],
            )
            conn.execute("DELETE FROM taking WHERE holder = ? AND deaths = 0", (_NOBODY,))
