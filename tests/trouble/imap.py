"""A mailbox of reports, a source that reads it into a database, and a server that fails."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.mails import detail, mail, report
from tests.place import config_in
from tests.servers.dovecot import PASSWORD
from tests.sources.fake_imap import FakeImap, Reply
from tests.sources.imap_parts import QUICK
from tlsrpt_mailer import wiring
from tlsrpt_mailer.flows.health import Beats, SourceHealth
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.sources.imap import ImapSource, Pace, Settings

CUT = b"\0cut"
"""At the end of a reply: hang up once it is sent."""


def reports(count: int) -> list[bytes]:
    """Mails that are one report each, of different domains."""
    return [
        mail(
            report(f"d{number}.example", details=(detail(mx=f"mx.d{number}.example"),)),
            newline="\r\n",
        )
        for number in range(count)
    ]


class Server(FakeImap):
    """A fake that also moves, and can hang up in the middle of an answer."""

    def __init__(self, mails: dict[int, bytes]) -> None:
        super().__init__(mails)
        self.moved: list[int] = []

    def _send(self, connection: socket.socket, reply: Reply) -> bool:
        if reply is not None and reply.endswith(CUT):
            connection.sendall(reply.removesuffix(CUT))
            connection.shutdown(socket.SHUT_RDWR)
            return False
        return super()._send(connection, reply)

    def move(self, line: str) -> None:
        """What UID MOVE does."""
        named = line.split("UID MOVE ")[1].split(" ", maxsplit=1)[0]
        for part in named.split(","):
            low, _, high = part.partition(":")
            for uid in range(int(low), int(high or low) + 1):
                if self.mails.pop(uid, None) is not None:
                    self.moved.append(uid)

    def _uid(self, command: str) -> bytes:
        if command.startswith("UID MOVE"):
            self.move(command)
            return b""
        return super()._uid(command)


class Box:
    """The source and its database."""

    def __init__(self, folder: Path, port: int, user: str = "u", **settings: Any) -> None:
        self.app = wiring.open_app(config_in(folder, '[trust]\ndkim = "off"\n'), holder=True)
        self.health = SourceHealth("imap:box", Beats(time.monotonic), self.app.clock)
        self.password = PASSWORD
        self.options: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": port,
            "username": user,
            "security": "none",
            "password_env": "X",
            "timeout": 1,
            "poll": 0.1,
            "after": "move",
            **settings,
        }

    @contextmanager
    def running(self, pace: Pace = QUICK) -> Iterator[None]:
        """Runs in a thread; the stop must end it within two seconds."""
        stop = threading.Event()
        source = ImapSource(
            Settings(**self.options),
            lambda: self.password,
            self.app.store.positions,
            self.app.clock,
            Limits(),
            pace,
        )
        source.open()
        thread = threading.Thread(
            target=source.run, args=(self.app.deliver, self.health, stop), daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            stop.set()
            began = time.monotonic()
            thread.join(10)
            took = time.monotonic() - began
        assert not thread.is_alive()
        assert took < 2, f"the stop took {took:.2f} s"

    def stored(self) -> list[str]:
        """The domains of the reports in the database, each as often as it counts."""
        with self.app.store.writer.reading() as conn:
            rows = conn.execute("SELECT domain FROM windows ORDER BY domain").fetchall()
        return [row[0] for row in rows]

    @property
    def trouble(self) -> str:
        """What is wrong now, "" for nothing."""
        state = self.health.state
        return (state.error or "") if state.state == "trouble" else ""

    @property
    def warning(self) -> str:
        return self.health.state.warning or ""

    def close(self) -> None:
        self.app.close()


def domains(count: int) -> list[str]:
    """Of `reports`."""
    return sorted(f"d{number}.example" for number in range(count))
