"""A database of each older version is brought up to date with all that is in it."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.sink import Sink, relay
from tests.upgrade.old import VERSIONS, contents, restore, shape
from tlsrpt_mailer.__main__ import run
from tlsrpt_mailer.store.lock import hold
from tlsrpt_mailer.store.retention import check
from tlsrpt_mailer.store.sqlite import open_store
from tlsrpt_mailer.store.versions import NAMES

AT = "2026-11-23T11:05:00Z"
"""Minutes after the old version's last round."""
ROOT = Path(__file__).resolve().parents[2]

READING = (
    ("status",),
    ("reports",),
    ("reports", "show", "1"),
    ("failures",),
    ("failures", "list", "--all"),
    ("failures", "show", "1", "--why"),
    ("causes",),
    ("alerts", "list", "--all"),
    ("alerts", "show", "1"),
    ("quarantine",),
    ("maintenance", "list"),
    ("audit",),
    ("digest",),
    ("replay", "--since", "90d"),
)
WRITING = (
    ("failures", "ack", "3", "--note", "renewing"),
    ("failures", "reopen", "3"),
    ("failures", "fixed", "3"),
    ("maintenance", "add", "--mx", "mx.late.example", "--for", "2h"),
    ("quarantine", "retry", "--all"),
    ("prune",),
)


def config_of(folder: Path, port: int = 9) -> Path:
    """What an operator of the old version has in the configuration, but for a key that is new."""
    path = folder / "config.toml"
    path.write_text(
        f'[storage]\npath = "{folder / "tlsrpt.db"}"\n[trust]\ndkim = "off"\n'
        '[[channel]]\nkind = "command"\nname = "ticket"\ncommand = ["/bin/echo", "TICKET-1"]\n'
        '[alerts]\nto = ["postmaster@example.com"]\nfrom = "tlsrpt-mailer@mail.example.com"\n'
        f'group_wait = "0s"\nreply_to = "tlsrpt@example.com"\n[alerts.smtp]\nport = {port}\n'
    )
    return path


@pytest.fixture(params=VERSIONS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database of each older version in turn."""
    return restore(request.param, tmp_path / "tlsrpt.db")


def test_each_version_but_this_one_is_kept() -> None:
    """Whoever adds a migration keeps a database from before it."""
    assert NAMES[:-1] == VERSIONS


def test_nothing_is_lost_by_an_upgrade(old: Path) -> None:
    """Every row of every table is there afterwards as it was; columns that are new are added."""
    before = contents(old)

    open_store(old, create=True).close()

    after = contents(old)
    assert all(before[table] for table in before.keys() - {"acts"}), "a table to compare is empty"
    kept = {
        table: sorted(
            ({name: row[name] for name in before[table][0]} for row in after[table]), key=repr
        )
        for table in before
        if before[table]
    }
    assert {table: rows for table, rows in before.items() if rows} == kept
    assert check(old) == []


def test_an_upgraded_database_has_the_form_of_a_new_one(old: Path, tmp_path: Path) -> None:
    """Which way a database came to this version makes no difference to it."""
    fresh = tmp_path / "fresh.db"
    open_store(fresh, create=True).close()

    open_store(old, create=True).close()

    assert shape(fresh) == shape(old)


def test_the_next_number_goes_on_after_an_upgrade(old: Path) -> None:
    """People know failures by number: what comes new gets one that was never given."""
    with closing(sqlite3.connect(old)) as conn:
        (last,) = conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'failures'").fetchone()

    open_store(old, create=True).close()

    with closing(sqlite3.connect(old)) as conn:
        assert (last,) == conn.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'failures'"
        ).fetchone()


def test_nobody_is_mailed_again_by_an_upgrade(old: Path) -> None:
    """
    The first round after an upgrade tells nothing a second time; the mail that waited goes out
    as it was frozen, under its Message-ID. The first version knew neither reminders nor digests,
    so that they begin with the upgrade.
    """
    waiting = _waiting(old)
    with relay() as sink:
        code = run(["-c", str(config_of(old.parent, sink.port)), "--now", AT, "once"])

        assert code == 0
        assert waiting == _identities(sink)
        assert len(waiting) == 1


def _waiting(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as conn:
        return [
            str(name)
            for (name,) in conn.execute(
                "SELECT message_id FROM letters WHERE state = 'waiting' AND recipient NOT LIKE"
                " 'channel:%'"
            )
        ]


def _identities(sink: Sink) -> list[str]:
    found = [str(mail["Message-ID"]) for mail in sink.mails]
    return [one for one in found if ".reminder." not in one and ".digest." not in one]


@pytest.mark.parametrize("words", READING + WRITING, ids=" ".join)
def test_every_command_works_on_an_upgraded_database(
    old: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the old version wrote is read by the new one's commands, and can be worked on."""
    config = config_of(old.parent)
    open_store(old, create=True).close()

    code = run(["-c", str(config), "--now", AT, *words])

    out, err = capsys.readouterr()
    no = 1 if words == ("status",) else 0  # it says FAIL: nobody runs
    assert (no, "") == (code, err), out


def test_commands_of_the_new_version_wait_for_the_daemon(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    While the old daemon still runs on its tables, a new command changes nothing and says what
    to do; it does not work on half of a database.
    """
    before = contents(old)
    config = config_of(old.parent)

    codes = {run(["-c", str(config), *words]) for words in (("failures",), ("prune",))}

    assert codes == {1}
    assert 2 == capsys.readouterr().err.count("systemctl restart tlsrpt-mailer")
    assert contents(old) == before


def test_an_upgrade_beside_the_old_daemon_waits_for_its_end(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    While the old daemon has the lock nobody changes its tables: a new daemon ends with 75 and
    names it, an import says to restart it, a pipe keeps its mail waiting.
    """
    before = contents(old)
    config = str(config_of(old.parent))
    lock = hold(old)

    daemons = [run(["-c", config, word]) for word in ("run", "once")]
    said = capsys.readouterr().err
    imports = [run(["-c", config, "import", str(config)]), run(["-c", config, "import", "-"])]
    lock.release()

    assert [75, 75] == daemons
    assert 2 == said.count(f"(pid {os.getpid()}) is at work")
    assert [1, 75] == imports
    assert "systemctl restart tlsrpt-mailer" in capsys.readouterr().err
    assert before == contents(old)


_OLD_DAEMON = """
import sys
from pathlib import Path
import tlsrpt_mailer.store.versions as versions
import tlsrpt_mailer.store.connection as connection
connection.NAMES = versions.NAMES[:-1]
from tlsrpt_mailer.__main__ import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("words", [["failures"], ["prune"], ["once"]], ids=" ".join)
def test_an_older_program_keeps_off_newer_tables(tmp_path: Path, words: list[str]) -> None:
    """A downgrade is refused by the daemon and by commands, in words that say the way back."""
    path = tmp_path / "tlsrpt.db"
    open_store(path, create=True).close()
    before = contents(path)

    done = subprocess.run(
        [sys.executable, "-c", _OLD_DAEMON, "-c", config_of(tmp_path), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 1 == done.returncode
    assert f"was made by a newer tlsrpt-mailer (it has {NAMES[-1]})" in done.stderr
    assert contents(path) == before
