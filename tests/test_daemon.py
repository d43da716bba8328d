"""What the daemon does on bad days, piece by piece; tests/e2e has it as a process."""

import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.place import app_in
from tlsrpt_mailer.daemon import runner as runner_module
from tlsrpt_mailer.daemon import service
from tlsrpt_mailer.daemon.runner import Runner
from tlsrpt_mailer.daemon.service import Daemon
from tlsrpt_mailer.errors import Temporary
from tlsrpt_mailer.flows.health import Beats
from tlsrpt_mailer.ports import Deliver, Health

LMTP = '[[source]]\nkind = "lmtp"\nlisten = "127.0.0.1:{}"\nrecipients = ["t@example.com"]\n'
PATIENCE = 20


class Crashing:
    """A source with a bug, the first time it runs."""

    name = "crashing:box"

    def __init__(self) -> None:
        self.runs = 0
        self.works = threading.Event()

    def open(self) -> None:
        """There is nothing to bind."""

    def run(self, deliver: Deliver, health: Health, stop: threading.Event) -> None:
        self.runs += 1
        if self.runs == 1:
            raise RuntimeError("a bug")
        self.works.set()
        stop.wait(PATIENCE)

    def drain(self, deliver: Deliver, health: Health) -> None:
        """It has nothing."""

    def close(self) -> None:
        """There is nothing to shut."""


def test_a_source_that_crashes_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in one source is logged and shown as trouble, and the source gets another chance."""
    monkeypatch.setattr(runner_module, "CRASH_WAIT_SECONDS", 0)
    source = Crashing()
    with app_in(tmp_path) as app, capture_logs() as logs:
        runner = Runner(source, app, Beats(lambda: 0.0))
        runner.start()
        works = source.works.wait(PATIENCE)
        runner.ask_to_stop()
        ended = runner.join(PATIENCE + 1e9)

    assert (True, True, 2) == (works, ended, source.runs)
    assert "source.crashed" in {entry["event"] for entry in logs}
    assert "internal error: a bug" == runner.health.state.error


def test_trouble_with_the_database_is_said_once(tmp_path: Path) -> None:
    """A disk that is full for hours is one error in the log, and one line when it is over."""
    with app_in(tmp_path) as app, capture_logs() as logs:
        running = Daemon(app, lambda: app.config)
        for _ in range(3):
            with running._store_permitting("tick"):
                raise Temporary("no space left")
        for _ in range(2):
            with running._store_permitting("tick"):
                pass

    assert ["store.trouble", "store.recovered"] == [entry["event"] for entry in logs]


def test_sources_that_cannot_come_back_end_the_program(tmp_path: Path) -> None:
    """
    A reload that can neither start the new sources nor the old ones must not leave a daemon
    that looks well and listens nowhere: it ends, and systemd starts it anew.
    """
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as other,
        app_in(tmp_path, LMTP.format(other.getsockname()[1])) as app,
    ):
        running = Daemon(app, lambda: app.config)
        running._bring_back(list(app.config.source))

    assert "Address already in use" in running.lost
    assert running._stop.is_set()


def test_a_hung_thread_starves_the_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog gets WATCHDOG=1 only while every thread keeps its word."""
    said: list[str] = []
    monkeypatch.setattr(service, "notify", said.append)
    with app_in(tmp_path) as app:
        running = Daemon(app, lambda: app.config)
        running._say([])
        running._beats.beat("imap:box", -1)
        running._say([])

    assert ["WATCHDOG=1", "STATUS=0 sources, all well"] == said


def test_a_daemon_carries_no_library_for_terminals():
    """Rich would be six MiB for nothing: structlog would load it for tracebacks of its own."""
    code = "import sys, tlsrpt_mailer.__main__, tlsrpt_mailer.cli.running; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()

    assert "structlog.dev" in loaded
    assert not {"rich", "pygments"} & set(loaded)


A_SIGNAL_ELSEWHERE = """
import signal, threading
from tlsrpt_mailer.daemon.waking import Wake

seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
wake = Wake()
wake.on_signals()
over = threading.Event()
other = threading.Thread(target=over.wait)
other.start()
threading.Timer(0.1, lambda: signal.pthread_kill(other.ident, signal.SIGUSR1)).start()
wake.wait(600)
wake.close()
over.set()
print(seen)
"""


def test_a_signal_that_another_thread_catches_wakes_the_main_one() -> None:
    """The kernel may give SIGTERM to any thread: a stop begins at once all the same."""
    done = subprocess.run(
        [sys.executable, "-c", A_SIGNAL_ELSEWHERE],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert ("[1]\n", "") == (done.stdout, done.stderr)
