"""A damaged database is noticed within a day, and said in one place."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from tlsrpt_mailer.errors import Corrupt, Temporary, TlsrptError
from tlsrpt_mailer.flows.integrity import Integrity, Looked, looked

NOW = 1_791_979_200
DAMAGE = "row 3 missing from index mails_taken"


class Database:
    """What it finds when it is looked at; counts the looks."""

    def __init__(self, *found: Sequence[str] | Temporary) -> None:
        self.found = list(found)
        self.saved: str | None = None
        self.is_writable = True
        self.seconds = 0.0
        self.integrity = Integrity(self.check, self.save, lambda: self.seconds)

    def check(self) -> Sequence[str]:
        found = self.found.pop(0)
        if isinstance(found, Temporary):
            raise found
        return found

    def save(self, fact: str) -> None:
        if not self.is_writable:
            raise Temporary("no space left")
        self.saved = fact


def test_a_sound_database_is_noted() -> None:
    """`status` can say when it was looked at last; nothing is logged."""
    database = Database([])

    with capture_logs() as logs:
        database.integrity.look(NOW)

    assert Looked(NOW) == looked(database.saved)
    assert [] == logs
    assert looked(None) is None


@pytest.mark.parametrize("found", [[DAMAGE], Corrupt(DAMAGE + "\nRestore it.")])
def test_damage_is_kept_logged_and_an_error_of_the_job(found: Sequence[str] | Temporary) -> None:
    """Whether SQLite lists the damage or stumbles over it, `status` and the log say so."""
    database = Database(found)

    with capture_logs() as logs, pytest.raises(TlsrptError, match="corrupt") as caught:
        database.integrity.look(NOW)

    # Temporary would leave the job due, and the whole file be read at each tick.
    assert not isinstance(caught.value, Temporary)
    assert Looked(NOW, (DAMAGE,)) == looked(database.saved)
    assert [("store.corrupt", [DAMAGE])] == [(one["event"], one["problems"]) for one in logs]


def test_the_file_is_not_read_again_and_again() -> None:
    """
    Where what was found cannot be written, the next tick does not read gigabytes once more: the
    finding of the last hour is kept as soon as it can be.
    """
    database = Database([DAMAGE], [])
    database.is_writable = False
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(Temporary):
                database.integrity.look(NOW)
    database.is_writable = True

    with capture_logs(), pytest.raises(TlsrptError, match="corrupt"):
        database.integrity.look(NOW + 60)

    assert 1 == len(logs)
    assert Looked(NOW + 60, (DAMAGE,)) == looked(database.saved)
    assert [[]] == database.found


def test_after_an_hour_the_file_is_read_anew() -> None:
    """What was found long ago is not passed off as what is."""
    database = Database([DAMAGE], [])
    database.is_writable = False
    with capture_logs(), pytest.raises(Temporary):
        database.integrity.look(NOW)
    database.is_writable = True
    database.seconds = 3601.0

    database.integrity.look(NOW + 3601)

    assert Looked(NOW + 3601) == looked(database.saved)
