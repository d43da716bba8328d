"""Commands, and the digest, killed at any step: what they began is completed the next time."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests import mails
from tests.kill.harness import seed
from tests.ports import free_port
from tests.store.build import DAY_ONE, entry_of, report_of
from tests.upgrade.old import contents
from tlsrpt_mailer.report.times import DAY, iso
from tlsrpt_mailer.store.sqlite import open_store

ROOT = Path(__file__).resolve().parents[2]
SIGKILL = -9
KILLS = 5
MANY = 100
"""With --long."""
LATER = DAY_ONE + 800 * DAY
ALERTS = '[alerts]\nto = ["postmaster@example.com"]\noperator = ["root@example.com"]\n'

few_and_many = pytest.mark.parametrize(
    "kills", [KILLS, pytest.param(MANY, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)


class Killed(msgspec.Struct, frozen=True):
    """What a child left, and what came of another try."""

    step: int
    place: Path
    done: Path
    again: int
    """The exit code of the second try."""


class Ended(msgspec.Struct, frozen=True):
    """A command, undisturbed and killed."""

    undisturbed: Path
    code: int
    killed: Sequence[Killed]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A place with a configuration, and without a database."""
    folder = tmp_path / "whole"
    (folder / "state").mkdir(parents=True)
    return folder


def configure(folder: Path, more: str) -> None:
    """The database lies in the place, wherever that is copied to."""
    (folder / "config.toml").write_text(f'[storage]\npath = "state/tlsrpt.db"\n{more}')


def database(place: Path) -> Path:
    """Of a place."""
    return place / "state/tlsrpt.db"


def kill(whole: Path, kills: int, *words: str) -> Ended:
    """Kill that command at so many steps, and try once more."""
    chosen = seed()
    print(f"TLSRPT_SEED={chosen}")  # noqa: T201
    done = subprocess.run(
        [sys.executable, "-m", "tests.kill.dying", str(whole.parent), str(kills), *words],
        cwd=ROOT,
        env=os.environ | {"TLSRPT_SEED": str(chosen)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *rest = (line.split() for line in done.stdout.splitlines())
    assert len(rest) == min(kills, int(first[2]))
    # The last steps may not be there each time.
    alive = [int(step) for step, died, _ in rest if died != str(SIGKILL)]
    assert all(step >= int(first[2]) * 9 // 10 for step in alive), (first, alive)
    folder = whole.parent
    killed = [
        Killed(int(step), folder / f"{step}.killed", folder / f"{step}.done", int(again))
        for step, _, again in rest
    ]
    return Ended(folder / "undisturbed", int(first[1]), killed)


def command(place: Path, *words: str, code: int = 0) -> None:
    """Run it there, to its end, and expect *code*."""
    head = [sys.executable, "-m", "tlsrpt_mailer", "-c", str(place / "config.toml")]
    done = subprocess.run([*head, *words], cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr


def rows(place: Path, without: Mapping[str, str] = {}) -> dict[str, list[Any]]:
    """All that the database holds, but for tables and for columns that a try may change."""
    found = contents(database(place))
    return {
        table: sorted(
            (
                {key: one for key, one in row.items() if key not in without.get(table, "").split()}
                for row in there
            ),
            key=repr,
        )
        for table, there in found.items()
        if without.get(table) != "*"
    }


# ------------------------------------------------------------------------------- prune

REPORTS = 700
"""More than go in one transaction."""


def fill_with_old_reports(place: Path) -> None:
    """Reports on as many domains, every tenth with a failure, and letters and spoilt mails."""
    with closing(open_store(database(place), create=True, clock=lambda: DAY_ONE)) as store:
        for first in range(0, REPORTS, 350):
            with store.write() as txn:
                txn.put(
                    [
                        entry_of(report_of(f"d{n}.example", n % 3, failed=(n % 10 == 0) * 7))
                        for n in range(first, first + 350)
                    ]
                )
        with store.write() as txn:
            txn.put(
                [
                    entry_of(raw=b"%s %d" % (kind.encode(), n), keep=kind, taken_at=DAY_ONE)
                    for kind in ("ignored", "quarantine")
                    for n in range(40)
                ]
            )


def sessions(place: Path) -> int:
    """Of all reports that are there, and of all that are in the sums."""
    with closing(sqlite3.connect(database(place))) as conn:
        return sum(
            conn.execute(query).fetchone()[0] or 0
            for query in (
                "SELECT sum(successful_sessions + failed_sessions) FROM policies",
                "SELECT sum(successful + failed) FROM rollups WHERE result_type = ''",
            )
        )


@few_and_many
def test_a_prune_is_completed_by_the_next(whole: Path, kills: int) -> None:
    """
    Wherever it is killed, each session stands in a report or in the sums, never in both; the next
    one leaves what one that nobody disturbed leaves.
    """
    configure(whole, "")
    fill_with_old_reports(whole)
    before = sessions(whole)

    ended = kill(whole, kills, "--now", iso(LATER), "prune", "--force")

    assert before == REPORTS * 100 + REPORTS // 10 * 7
    assert [before] * len(ended.killed) == [sessions(one.place) for one in ended.killed]
    assert {0} == {ended.code, *(one.again for one in ended.killed)}
    left = rows(ended.undisturbed, {"facts": "*"})
    assert [] == left["reports"] == left["kept"]
    assert [] == [one.step for one in ended.killed if rows(one.done, {"facts": "*"}) != left]


# ------------------------------------------------------------------------------ backup


@few_and_many
def test_a_backup_is_whole_or_not_there(whole: Path, kills: int) -> None:
    """
    Wherever it is killed, nothing bears the name of the backup but a whole one; the next one
    succeeds, unless the first did, and nothing is left beside it.
    """
    configure(whole, "")
    fill_with_old_reports(whole)
    expected = contents(database(whole))

    ended = kill(whole, kills, "backup", "PLACE/copy.db")

    assert expected == contents(ended.undisturbed / "copy.db")
    for one in ended.killed:
        there = (one.place / "copy.db").exists()
        assert there == (one.again == 73), one
        assert not there or contents(one.place / "copy.db") == expected, one
        assert contents(one.done / "copy.db") == expected, one
        assert {"copy.db", "config.toml", "state", "said"} == {it.name for it in one.done.iterdir()}
    assert {0, 73} >= {ended.code, *(one.again for one in ended.killed)}


# ----------------------------------------------------------------------------- release

HELD = 45
"""More mails than are read again at once, and twice as many."""


@few_and_many
def test_a_release_is_completed_by_the_next(whole: Path, kills: int) -> None:
    """
    Wherever it is killed, each report is held or counts, never both, and no mail is lost; the next
    one releases the rest, and what follows from them is the same.
    """
    configure(whole, f'[trust]\ndkim = "require"\n[[domains]]\nmatch = ["*.example"]\n{ALERTS}')
    (whole / "mails").mkdir()
    for number in range(HELD):
        details = [mails.detail()] if number % 3 == 0 else []
        report = mails.report(f"d{number}.example", "2026-11-20", details=details)
        (whole / f"mails/{number}.eml").write_bytes(mails.mail(report))
    now = ("--now", "2026-11-22T12:00:00Z")
    command(whole, *now, "import", "--verify", str(whole / "mails"))

    ended = kill(whole, kills, *now, "reports", "release", "--all", "--as-is")

    for one in ended.killed:
        assert statuses(one.place) == dict.fromkeys(statuses(whole), 1), one
    # Each try is in the audit, and reports get their numbers as they are read again.
    moving = {"audit": "*", "facts": "*", "mails": "seen"}
    assert {0} == {ended.code, *(one.again for one in ended.killed)}
    expected = rows(ended.undisturbed, moving)
    assert HELD == len(expected["windows"])
    assert [] == expected["kept"] == expected["taking"]
    assert [] == [one.step for one in ended.killed if rows(one.done, moving) != expected]


def statuses(place: Path) -> dict[str, int]:
    """Each domain with how many reports there are on it, those that are held among them."""
    with closing(sqlite3.connect(database(place))) as conn:
        return dict(
            conn.execute("SELECT policy_domain, count(*) FROM policies GROUP BY policy_domain")
        )


# ------------------------------------------------------------------------------ digest


@few_and_many
def test_a_digest_is_written_once(whole: Path, kills: int) -> None:
    """
    Wherever the round is killed in which it is due, the next one writes it: one mail for each
    reader, with the bytes that it has where nothing was killed, and so every other mail.
    """
    relay = f'[alerts.smtp]\nhost = "127.0.0.1"\nport = {free_port()}\n'
    teams = '[[domains]]\nmatch = ["*.example"]\nowners = ["ana@example.com", "bob@example.com"]\n'
    configure(whole, f'[trust]\ndkim = "off"\n{teams}{ALERTS}group_wait = "0s"\n{relay}')
    (whole / "mails").mkdir()
    for number in range(20):
        details = [mails.detail()] if number % 3 == 0 else []
        report = mails.report(f"d{number}.example", "2026-11-20", details=details)
        (whole / f"mails/{number}.eml").write_bytes(mails.mail(report))
    command(whole, "--now", "2026-11-21T12:00:00Z", "import", str(whole / "mails"))
    command(whole, "--now", "2026-11-21T12:05:00Z", "once", code=69)

    ended = kill(whole, kills, "--now", "2026-11-23T08:05:00Z", "once")

    assert {69} == {ended.code, *(one.again for one in ended.killed)}  # there is no relay
    expected = letters(ended.undisturbed)
    readers = ["ana@example.com", "bob@example.com", "root@example.com"]
    assert readers == sorted(to for to, event, _ in expected.values() if event == "digest")
    for one in ended.killed:
        assert letters(one.place).items() <= expected.items(), one
        assert letters(one.done) == expected, one


def letters(place: Path) -> dict[str, tuple[str, str, bytes]]:
    """The mails that wait, by Message-ID: to whom, about what, and how they are written."""
    with closing(sqlite3.connect(database(place))) as conn:
        found = conn.execute("SELECT message_id, recipient, event, raw FROM letters").fetchall()
    by_name = {name: (recipient, event, raw) for name, recipient, event, raw in found}
    assert len(found) == len(by_name)
    return by_name
