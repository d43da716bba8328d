"""Commands of several users beside a daemon that is busy."""

import json
import os
import shutil
import smtplib
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.bad_days.lmtp import OFF, TAKEN, answer
from tests.e2e.daemon import RECIPIENT, SENDER, Site, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import clean, failing, many
from tests.e2e.waiting import PATIENCE, until
from tlsrpt_mailer.store.retention import check

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65_534

COMMANDS = (
    ("failures", "--json"),
    ("failures", "ack", "1", "--note", "on it"),
    ("failures", "fixed", "1"),
    ("failures", "reopen", "1"),
    ("failures", "show", "1", "--why"),
    ("reports", "--json"),
    ("reports", "--held"),
    ("maintenance", "add", "--mx", "mx1.example.com", "--for", "2h"),
    ("quarantine", "retry", "--all"),
    ("prune",),
    ("digest",),
    ("alerts", "list"),
    ("status", "--integrity"),
)

AS_THE_USER = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    # Python may lie where only root may read. What is written is checked all the same.
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
"""The daemon's own user, who is nobody else's."""


class Load:
    """Mails over LMTP, one after the other, as a busy MTA hands them over."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self.refused: list[str] = []
        self._port = port
        self._stop = Event()
        self._thread = Thread(target=self._run)

    def _run(self) -> None:
        with smtplib.LMTP("127.0.0.1", self._port, timeout=PATIENCE) as client:
            while not self._stop.is_set():
                raw = clean(3, f"load{self.sent}.example")
                try:
                    client.sendmail(SENDER, RECIPIENT, raw)
                except smtplib.SMTPException as error:
                    self.refused.append(str(error))
                self.sent += 1

    @contextmanager
    def on(self) -> Iterator["Load"]:
        """Within, the daemon is busy."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(PATIENCE)


@pytest.mark.timeout(240)
def test_every_command_works_beside_a_busy_daemon(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    Acts, imports, backups and listings while mail pours in: each command does what it says, no
    mail is put off, none is lost, and nobody ever reads "locked".
    """
    site = Site(tmp_path, OFF + lmtp_source(port), sink.port)
    folder = _files(tmp_path / "files", [failing(2, f"i{n}.example", "mx.i") for n in range(100)])
    with running(site) as daemon:
        assert answer(port, failing()) == answer(port, _unreadable()) == TAKEN
        sink.wait()
        with Load(port).on() as load:
            done = [site.command(*words) for words in COMMANDS]
            copy = site.command("backup", str(tmp_path / "copy.db"))
            imported = site.command("import", "--json", str(folder))
            until(lambda: load.sent > 50, "some load")
        log = daemon.log

    everything = [*done, copy, imported]
    assert [] == [one.stderr for one in everything if one.returncode], everything
    assert [] == load.refused
    assert {"stored": 100, "failed": 0}.items() <= json.loads(imported.stdout).items()
    assert 1 + load.sent + 100 == site.count("reports WHERE status = 'counted'")
    assert [] == check(tmp_path / "copy.db", thorough=True) == check(site.database, thorough=True)
    assert "locked" not in log + "".join(one.stderr for one in everything)
    assert "SNAPSHOT" not in log


@pytest.mark.timeout(180)
def test_held_reports_are_released_beside_a_busy_daemon(
    tmp_path: Path, sink: Sink, port: int
) -> None:
    """
    `reports release` reads held mails again while others come in and are held: those that it was
    told of count, each once, and the alert about them goes out.
    """
    site = Site(tmp_path, '[trust]\ndkim = "require"\n' + lmtp_source(port), sink.port)
    with running(site):
        assert {TAKEN} == {answer(port, raw) for raw in [failing(), *many(10)]}
        held = [str(one["id"]) for one in site.json("reports", "--held")]
        with Load(port).on() as load:
            released = site.command("reports", "release", "--as-is", *held)
            until(lambda: load.sent > 20, "some load")
        sink.wait()

    assert 11 == len(held)
    assert 0 == released.returncode, released.stderr
    assert [] == load.refused
    assert 11 == site.count("reports WHERE status = 'counted'")
    assert load.sent == site.count("reports WHERE status = 'held'")
    assert [] == check(site.database, thorough=True)


def _unreadable() -> bytes:
    return b"Content-Type: application/tlsrpt+gzip\n\n\x1f\x8b\x08garbage"


def _files(folder: Path, raws: Sequence[bytes]) -> Path:
    folder.mkdir()
    for number, raw in enumerate(raws):
        (folder / f"{number}.eml").write_bytes(raw)
    return folder


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of the daemon's user, that everybody can reach."""
    folder = Path(tempfile.mkdtemp(prefix="tlsrpt-user-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


class Nobodys(Site):
    """A place whose database belongs to an ordinary user."""

    def __init__(self, folder: Path, sources: str, relay: int) -> None:
        super().__init__(folder, sources, relay)
        self.config.chmod(0o644)
        os.chown(self.state, NOBODY, NOBODY)
        self.state.chmod(0o700)
        self.is_root = False

    def words(self, *words: str) -> list[str]:
        """The command line: as that user, unless `is_root`."""
        if self.is_root:
            return super().words(*words)
        return [*AS_THE_USER, *super().words(*words)]


@pytest.mark.servers
def test_root_runs_the_daemon_of_another_user(home: Path, sink: Sink, port: int) -> None:
    """
    A daemon that root starts works as the owner of the database from then on, also where that
    user may not read the files of Python itself.
    """
    site = Nobodys(home, OFF + lmtp_source(port), sink.port)
    site.is_root = True
    with running(site) as daemon:
        raws = (failing(), _unreadable(), b"\x1b\r\n\r\nno report")
        answers = [answer(port, raw) for raw in raws]
        sink.wait()
        user = Path(f"/proc/{daemon.pid}/status").read_text().split("Uid:")[1].split()[:2]
        owners = {path.stat().st_uid for path in site.state.iterdir()}

        assert [TAKEN] * 3 == answers
        assert (["0", str(NOBODY)], {NOBODY}) == (user, owners)
        assert "Traceback" not in daemon.log, daemon.log


@pytest.mark.servers
@pytest.mark.timeout(240)
def test_root_and_the_daemons_user_work_beside_the_daemon(
    home: Path, sink: Sink, port: int
) -> None:
    """
    Whether root or the daemon's user calls a command, beside a daemon that runs as that user:
    it works, and no file of the database ends up in the wrong hands.
    """
    site = Nobodys(home, OFF + lmtp_source(port), sink.port)
    results: dict[bool, list[subprocess.CompletedProcess[str]]] = {}
    commands = COMMANDS[:2] + COMMANDS[3:4] + COMMANDS[8:10] + COMMANDS[-1:]
    with running(site) as daemon:
        assert answer(port, failing()) == answer(port, _unreadable()) == TAKEN
        sink.wait()
        with Load(port).on() as load:
            for is_root in (False, True):
                site.is_root = is_root
                results[is_root] = [site.command(*words) for words in commands]
            until(lambda: load.sent > 20, "some load")
        owners = {path.name: path.stat().st_uid for path in site.state.iterdir()}
        user = Path(f"/proc/{daemon.pid}/status").read_text().split("Uid:")[1].split()[:3]
    site.is_root = False
    with running(site):
        assert answer(port, clean(8)) == TAKEN

    assert [str(NOBODY)] * 3 == user
    for done in results.values():
        assert [] == [one.stderr for one in done if one.returncode]
    assert [] == load.refused
    assert {NOBODY} == set(owners.values()), owners
    modes = {stat.S_IMODE(path.stat().st_mode) for path in site.state.iterdir()}
    assert {0o600} == modes
    assert 2 + load.sent == site.count("reports WHERE status = 'counted'")


def test_a_daemon_starts_while_a_command_writes(tmp_path: Path, sink: Sink, port: int) -> None:
    """An import that has begun before the daemon goes on beside it; both store everything."""
    site = Site(tmp_path, OFF + lmtp_source(port), sink.port)
    folder = _files(tmp_path / "files", many(600))
    importing = site.start("import", "--json", str(folder))
    site.wait_for("reports", 1)

    with running(site):
        assert answer(port, clean(1, "late.example")) == TAKEN
        out, errors = importing.communicate(timeout=60)

    assert 0 == importing.returncode, errors
    assert {"stored": 600, "failed": 0}.items() <= json.loads(out).items()
    assert 601 == site.count("reports")


def test_a_lock_file_that_names_somebody_is_no_lock(tmp_path: Path, port: int) -> None:
    """
    A lock file left by a machine that lost power, with the number of a process that lives now:
    the daemon starts, for nobody holds it.
    """
    site = Site(tmp_path, OFF + lmtp_source(port))
    site.database.with_name("tlsrpt.db.lock").write_text(f"{os.getpid()}\n")

    with running(site) as daemon:
        status = site.command("status").stdout

    assert f"runs as process {daemon.pid}" in status
