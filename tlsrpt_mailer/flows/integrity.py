"""
Whether the database is whole: looked at once a day, before somebody needs what is lost.

What was found is kept for `status`; damage is said in the log, and is an error of the job.
"""

from collections.abc import Callable, Sequence

import msgspec
import structlog

from tlsrpt_mailer.errors import Temporary, TlsrptError
from tlsrpt_mailer.report.times import HOUR, Time

log = structlog.get_logger()

FACT = "integrity"
"""The fact that says what was found last: the JSON of `Looked`."""

MOST = 5


class Looked(msgspec.Struct, frozen=True):
    """What a look at the whole file found."""

    at: Time
    problems: tuple[str, ...] = ()
    """In SQLite's words; empty: it is sound."""


def looked(fact: str | None) -> Looked | None:
    """What `Integrity` has kept; None where it has never looked."""
    return None if fact is None else msgspec.json.decode(fact, type=Looked)


class Integrity:
    """
    Looks, and keeps what it found.

    Args:
        check: What is wrong in the file, in words; raises Temporary where it cannot be read.
        save: Keeps the fact.
        seconds: A clock that never goes back: the whole file is not read again and again where
            what was found cannot be kept.
    """

    def __init__(
        self,
        check: Callable[[], Sequence[str]],
        save: Callable[[str], None],
        seconds: Callable[[], float],
    ) -> None:
        self._check = check
        self._save = save
        self._seconds = seconds
        self._found: tuple[str, ...] | None = None
        self._until = 0.0

    def look(self, now: Time) -> None:
        """
        Read the whole file and keep what was found.

        Raises:
            TlsrptError: It is damaged.
            Temporary: What was found cannot be kept now.
        """
        if self._found is None or self._seconds() > self._until:
            self._found = self._problems()
            self._until = self._seconds() + HOUR
        found = self._found
        self._save(msgspec.json.encode(Looked(now, found)).decode())
        self._found = None
        if found:
            raise TlsrptError("the database is damaged (corrupt); see: tlsrpt-mailer status")

    def _problems(self) -> tuple[str, ...]:
        try:
            found = tuple(self._check())[:MOST]
        except Temporary as error:
            # Any reader may read while others write: that it cannot be read is the finding.
            found = (str(error).partition("\n")[0],)
        if found:
            log.error("store.corrupt", problems=list(found))
        return found
