"""
The daemon and its commands as processes, in a folder of their own.

The tests play systemd: they read what the daemon says to its NOTIFY_SOCKET.
"""

import json
import os
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from tests.e2e.waiting import PATIENCE, until
from tests.place import asking_nobody
from tests.ports import free_port

SENDER = "noreply-smtp-tls-reporting@google.com"
RECIPIENT = "tlsrpt@example.com"
AT_ONCE = 'group_wait = "0s"'
STOP_SECONDS = 2.0
"""How long a stop may take, whatever goes on."""

OURS = ("TLSRPT_", "NOTIFY_", "WATCHDOG_", "LISTEN_", "JOURNAL_", "STATE_", "CREDENTIALS_")
"""Environment that would change where the program looks, or whom it tells."""


class Notified:
    """What a daemon has said to systemd (sd_notify(3))."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def read(self) -> list[str]:
        """All so far, oldest first."""
        while True:
            try:
                self.said += self._socket.recv(65_536).decode().split("\n")
            except BlockingIOError:
                return self.said

    def count(self, message: str) -> int:
        """How often *message* was said."""
        return self.read().count(message)

    @property
    def status(self) -> str:
        """The last STATUS."""
        said = [line for line in self.read() if line.startswith("STATUS=")]
        return said[-1].removeprefix("STATUS=") if said else ""


class Site:
    """
    A folder with a configuration, a database and processes that work on them.

    Args:
        sources: The ``[[source]]`` blocks, as TOML.
        relay: The port of the relay; None: nobody is told, alerts go to the log.
        alerts: The other keys of ``[alerts]``, as TOML.
    """

    def __init__(
        self, folder: Path, sources: str = "", relay: int | None = None, alerts: str = AT_ONCE
    ) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.state = folder / "state"
        self.database = self.state / "tlsrpt.db"
        self.log = folder / "daemon.log"
        self.state.mkdir(exist_ok=True)
        self.configure(sources, relay, alerts)

    def configure(self, sources: str, relay: int | None = None, alerts: str = AT_ONCE) -> None:
        """Write the configuration."""
        told = (
            ""
            if relay is None
            else 'to = ["postmaster@example.com"]\nfrom = "tlsrpt-mailer@mail.example.com"\n'
        )
        post = "" if relay is None else f'[alerts.smtp]\nhost = "127.0.0.1"\nport = {relay}\n'
        # Whether signatures are believed is a matter of its own; a test of it says [trust] itself.
        trust = "" if "[trust]" in sources + alerts else '[trust]\ndkim = "off"\n'
        self.config.write_text(
            asking_nobody(
                f'[storage]\npath = "{self.database}"\n{sources}\n[alerts]\n{told}{alerts}\n{post}'
                f"{trust}"
            )
        )

    def environment(self, **more: str) -> dict[str, str]:
        """The tests' own environment, without what would lead the program elsewhere."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        return kept | {"PYTHONUNBUFFERED": "1"} | more

    def command(self, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self.words(*words),
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            **options,
        )

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a command; the test waits for it."""
        return subprocess.Popen(
            self.words(*words),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, *words: str) -> Any:
        """What a command prints with --json."""
        done = self.command(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def words(self, *words: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "tlsrpt_mailer", "-c", str(self.config), *words]

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database, read beside whoever writes to it; [] while there is none."""
        try:
            link = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        except sqlite3.OperationalError:
            return []
        with closing(link):
            try:
                return link.execute(query).fetchall()
            except sqlite3.OperationalError:
                return []

    def count(self, table: str) -> int:
        """How many rows *table* has; a WHERE may follow its name."""
        rows = self.select(f"SELECT count(*) FROM {table}")
        return int(rows[0][0]) if rows else 0

    def wait_for(self, table: str, count: int) -> None:
        """Return when *table* has *count* rows."""
        until(lambda: self.count(table) >= count, f"{count} rows in {table}")


class Daemon:
    """A running `tlsrpt-mailer run`; use it by `running`."""

    def __init__(self, site: Site, prefix: Sequence[str] = (), **environment: str) -> None:
        self.site = site
        path = site.folder / f"notify.{os.getpid()}.{free_port()}"
        self.notified = Notified(path)
        path.chmod(0o777)
        started = monotonic()
        with site.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, *site.words("run")],
                env=site.environment(NOTIFY_SOCKET=str(path), **environment),
                stdout=log,
                stderr=log,
            )
        self._started = started
        self.seconds_to_ready: float | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """All that it and its predecessors in this folder have logged."""
        return self.site.log.read_text()

    def wait_until_ready(self) -> None:
        """Return when it has said READY=1."""

        def ready() -> bool:
            assert self.process.poll() is None, f"it ended:\n{self.log}"
            return self.notified.count("READY=1") > 0

        until(ready, "READY=1")
        self.seconds_to_ready = monotonic() - self._started

    def wait_for_log(self, text: str, times: int = 1) -> None:
        """Return when *text* stands in the log *times* times."""
        until(lambda: self.log.count(text) >= times, f"{text!r} in the log:\n{self.log}")

    def wait_for_status(self, text: str) -> None:
        """Return when systemd would show *text*."""
        until(lambda: text in self.notified.status, f"{text!r} in {self.notified.status!r}")

    def reload(self) -> None:
        """SIGHUP, and wait until it is ready again."""
        before = self.notified.count("READY=1")
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.notified.count("READY=1") > before, "READY=1 after SIGHUP")

    def stop(self) -> tuple[int, float]:
        """SIGTERM; returns the exit code, and how many seconds it took."""
        # The time is the daemon's own: what the other worker does meanwhile is not measured.
        with suppress(OSError):
            for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
                os.setpriority(os.PRIO_PROCESS, int(thread.name), -10)
        begun = monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        return code, monotonic() - begun

    def kill(self) -> None:
        """SIGKILL, as when the machine fails."""
        self.process.kill()
        self.process.wait(PATIENCE)


@contextmanager
def running(site: Site, prefix: Sequence[str] = (), **environment: str) -> Iterator[Daemon]:
    """A daemon that is ready; ended in the end, if the test has not done so."""
    daemon = Daemon(site, prefix, **environment)
    try:
        daemon.wait_until_ready()
        yield daemon
    finally:
        if daemon.process.poll() is None:
            daemon.process.terminate()
            try:
                daemon.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                daemon.kill()
        daemon.notified.close()


def lmtp_source(port: int) -> str:
    """A ``[[source]]`` that listens there."""
    return f'[[source]]\nkind = "lmtp"\nlisten = "127.0.0.1:{port}"\nrecipients = ["{RECIPIENT}"]\n'


def imap_source(port: int, user: str, more: str = "") -> str:
    """A ``[[source]]`` that reads a mailbox on this host, with the password in $PASSWORD."""
    return (
        f'[[source]]\nkind = "imap"\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
        f'username = "{user}"\npassword_env = "PASSWORD"\npoll = "10s"\n{more}'
    )


def deliver(port: int, mails: Sequence[bytes]) -> None:
    """Hand mails over by LMTP, one connection for all of them, as Postfix does."""
    with smtplib.LMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        for raw in mails:
            client.sendmail(SENDER, RECIPIENT, raw)
