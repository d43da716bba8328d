"""A relay of our own that fails at the step that a test names, and notes what reached it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

HANG = "hang"
CLOSE = "close"
GARBAGE = "\x00\xff\x1b[31m garbage"
TAKEN = "250 2.0.0 taken"
STANDARD = {
    "connect": "220 relay.example",
    "EHLO": "250-relay.example\r\n250 8BITMIME",
    "HELO": "250 relay.example",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go",
    "dot": TAKEN,
    "RSET": "250 ok",
    "QUIT": "221 bye",
}


class Relay:
    """Answers by `on` (a step to a reply, `HANG` or `CLOSE`), else as a relay does."""

    def __init__(self) -> None:
        self.on: dict[str, str] = {}
        self.by_recipient: dict[str, str] = {}
        """What RCPT is answered for this one."""
        self.close_after: int | None = None
        """Hang up on whoever comes after so many mails."""
        self.taken: list[tuple[str, bytes]] = []
        """(recipient, mail) of those that were answered 250."""
        self.whole: list[tuple[str, bytes]] = []
        """All that came with their last dot, answered or not."""
        self.connections = 0
        self.port = 0
        self._over = threading.Event()

    def step(self, connection: socket.socket, step: str, reply: str | None = None) -> bool:
        """Answer *step*; False where the conversation ends with that."""
        reply = self.on.get(step, reply or STANDARD.get(step, "500 what?"))
        if reply == HANG:
            self._over.wait(30)
            return False
        if reply == CLOSE:
            connection.shutdown(socket.SHUT_RDWR)
            return False
        connection.sendall(reply.encode("latin-1") + b"\r\n")
        return True

    def talk(self, connection: socket.socket) -> None:
        self.connections += 1
        if self.close_after is not None and len(self.taken) >= self.close_after:
            connection.sendall(b"421 4.7.0 too many mails\r\n")
            return
        lines = connection.makefile("rb")
        recipient, goes_on = "", self.step(connection, "connect")
        while goes_on and (line := lines.readline()):
            step = line.split(b" ", 1)[0].strip().decode("ascii", "replace").upper()
            if step == "RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
                goes_on = self.step(connection, step, self.by_recipient.get(recipient))
            else:
                goes_on = self.step(connection, step)
            if goes_on and step == "DATA" and self.on.get(step, "354").startswith("354"):
                goes_on = self._mail(connection, lines, recipient)

    def _mail(self, connection: socket.socket, lines: IO[bytes], recipient: str) -> bool:
        if self.on.get("in DATA"):
            lines.readline()
            self.step(connection, "in DATA")
            return False
        self.whole.append((recipient, _body(lines)))
        if self.on.get("dot", TAKEN).startswith("2"):
            self.taken.append(self.whole[-1])
        return self.step(connection, "dot")

    def stop(self) -> None:
        self._over.set()


def _body(lines: IO[bytes]) -> bytes:
    found = []
    for line in lines:
        if line == b".\r\n":
            break
        found.append(line.removeprefix(b"."))
    return b"".join(found)


@contextmanager
def failing_relay() -> Iterator[Relay]:
    """One on a free port of loopback."""
    one = Relay()
    listener = socket.create_server(("127.0.0.1", 0))
    one.port = listener.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            one.talk(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield one
    finally:
        one.stop()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
