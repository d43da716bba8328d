"""What an operator sees of a database that is damaged."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests import mails
from tlsrpt_mailer.__main__ import run

NOW = "2026-11-23T12:00:00Z"
PAGE = 4096


class Place:
    """A configuration with a database of some reports."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.database = folder / "state" / "tlsrpt.db"
        self.config = folder / "config.toml"
        self.config.write_text(
            f'[storage]\npath = "{self.database}"\n[trust]\ndkim = "off"\n'
            f'[[source]]\nkind = "maildir"\npath = "{folder / "box"}"\n'
        )
        (folder / "mails").mkdir()
        for number in range(60):
            raw = mails.mail(mails.report(f"d{number}.example"))
            (folder / "mails" / f"{number}.eml").write_bytes(raw)
        self._capture = capture
        assert 0 == self("import", str(folder / "mails"))[0]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Run a command; its exit code, and what it printed, as if on one long line."""
        self._capture.readouterr()
        code = run(["-c", str(self.config), "--now", NOW, *words])
        out, err = self._capture.readouterr()
        return code, " ".join(out.split()), " ".join(err.split())

    def break_index(self) -> None:
        """Take an entry out of an index: nobody notices until the whole file is read."""
        with closing(sqlite3.connect(self.database)) as conn:
            conn.execute("PRAGMA writable_schema = ON")
            sql = "CREATE INDEX mails_taken ON mails (taken_at) WHERE id > 5"
            conn.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'mails_taken'", (sql,))
            conn.commit()
        with closing(sqlite3.connect(self.database)) as conn:
            conn.execute("PRAGMA writable_schema = ON")
            conn.execute("REINDEX mails_taken")
            sql = "CREATE INDEX mails_taken ON mails (taken_at)"
            conn.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'mails_taken'", (sql,))
            conn.commit()

    def break_page(self, table: str) -> None:
        """Put noise over a page of *table*."""
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        with closing(sqlite3.connect(self.database)) as conn:
            (page,) = conn.execute(query, (table,)).fetchone()
        with self.database.open("r+b") as file:
            file.seek((page - 1) * PAGE)
            file.write(os.urandom(PAGE))


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "box" / name).mkdir(parents=True)
    return Place(tmp_path, capsys)


def test_status_says_when_the_file_was_found_sound(place: Place) -> None:
    """The daily look at the whole file leaves its mark; --integrity looks now."""
    before = place("status")[1]
    place("once", "-q")
    after = place("status")[1]

    now = place("status", "--integrity")[1]

    assert "the file is sound" not in before
    assert "the file is sound, read just now" in after
    assert "the file is sound, read just now" in now


def test_damage_that_nobody_met_yet_is_found(place: Place) -> None:
    """An index that lost entries gives wrong answers without any error; a close look sees it."""
    place.break_index()

    code, out, _ = place("status", "--integrity")

    assert 1 == code
    assert "FAIL store" in out
    assert "corrupt, found just now" in out
    assert "restore a backup" in out


def test_the_daily_look_finds_a_page_of_noise(place: Place) -> None:
    """Old reports that nobody asks for are damaged as well: `status` says so within a day."""
    place.break_page("details")

    done = place("once", "-q")
    code, out, _ = place("status")

    assert "store.corrupt" in done[2]
    assert "Traceback" not in done[2]
    assert 1 == code
    assert "corrupt, found just now" in out
    assert "FAIL jobs integrity: the database is damaged" in out


@pytest.mark.parametrize("table", ["windows", "job_runs", "mails", "sqlite_schema"])
def test_status_of_a_damaged_database_is_fail_and_says_corrupt(place: Place, table: str) -> None:
    """Whichever page is noise, `status` says FAIL, and Nagios CRITICAL; no traceback."""
    if table == "sqlite_schema":
        place.database.write_bytes(bytes(PAGE) + place.database.read_bytes()[PAGE:])
    else:
        place.break_page("job_runs" if table == "job_runs" else table)

    code, out, err = place("status", "--integrity")
    check = place("status", "--integrity", "--check")
    document = place("status", "--integrity", "--json")

    assert (1, "") == (code, err)
    assert "FAIL store" in out
    assert "corrupt" in out
    assert 2 == check[0]
    assert check[1].startswith("TLSRPT CRITICAL - ")
    assert "corrupt" in check[1]
    assert json.loads(document[1])["ok"] is False


def test_commands_that_meet_damage_end_with_1_and_say_what_to_do(place: Place) -> None:
    """Not 75, "try again later": no time mends it. The pipe alone keeps the mail waiting."""
    place.break_page("reports")

    listing = place("reports")
    one = place("reports", "show", "1")

    assert [1, 1] == [listing[0], one[0]]
    said = listing[2] + one[2]
    assert "is damaged (corrupt)" in said
    assert "restore a backup" in said
    assert "Traceback" not in said


def test_a_damaged_database_makes_no_backup(place: Place, tmp_path: Path) -> None:
    """A backup of what is damaged would only take the place of a good one; it says which it is."""
    place.break_page("reports")

    code, _, err = place("backup", str(tmp_path / "b.db"))

    assert 1 == code
    assert "is damaged (corrupt)" in err
    assert [] == list(tmp_path.glob("b.db*"))


def test_a_pipe_never_bounces_a_mail_for_a_damaged_database(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Postfix keeps the mail in its queue until the database is restored."""
    place.break_page("mails")
    (tmp_path / "mail").write_bytes(mails.mail(mails.report("late.example")))

    with (tmp_path / "mail").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        code, _, err = place("import", "-")

    assert 75 == code
    assert "corrupt" in err
