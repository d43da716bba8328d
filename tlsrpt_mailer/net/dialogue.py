"""What an SMTP server says, line by line, with a limit on each of them (RFC 5321, 4.2)."""

import re
import socket
import time
from contextlib import suppress

import msgspec

LINE_BYTES = 1_000
"""RFC 5321, 4.5.3.1.5 allows for 512."""
LINES = 100
"""Of one reply."""
PARTING = 2.0
"""Seconds for the answer to QUIT."""
PARTING_BYTES = 64 * 1024
SHOWN_CHARS = 300

_REPLY = re.compile(rb"([2-5][0-9]{2})(-| |$)(.*)", re.DOTALL)


class Broken(Exception):
    """The conversation cannot go on; the text says why, in few words."""


class Reply(msgspec.Struct, frozen=True):
    """What was said to one command."""

    code: int
    lines: tuple[str, ...]
    """Without the code."""

    @property
    def shown(self) -> str:
        """Code and text in one line, cut."""
        return shown(f"{self.code} {' '.join(self.lines)}")

    def offers(self, keyword: str) -> bool:
        """Whether a reply to EHLO names an extension (RFC 5321, 4.1.1.1)."""
        return any(line.split(" ")[0].upper() == keyword for line in self.lines[1:])


class Dialogue:
    """SMTP over a connection, which has a time-out."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def ask(self, command: str) -> Reply:
        """
        Send *command* and wait for the reply.

        Raises:
            Broken: It hangs up, or says what is no reply.
            OSError: The connection broke.
        """
        self._connection.sendall(command.encode("ascii", "replace") + b"\r\n")
        return self.reply()

    def reply(self) -> Reply:
        """
        The next reply.

        Raises:
            Broken: It hangs up, or says what is no reply.
            OSError: The connection broke.
        """
        lines = []
        for _ in range(LINES):
            line = self._line()
            match = _REPLY.match(line)
            if match is None:
                raise Broken(shown(f"that is no SMTP: {line.decode('utf-8', 'replace')}"))
            lines.append(match[3].decode("utf-8", "replace"))
            if match[2] != b"-":
                return Reply(int(match[1]), tuple(lines))
        raise Broken(f"a reply of more than {LINES} lines")

    def forget(self) -> None:
        """Leave what was said in the clear behind (RFC 3207, 4.2: nobody knows who said it)."""
        self._buffer = b""

    def quit(self) -> None:
        """Say goodbye; whether it is answered does not matter."""
        with suppress(OSError):
            self._connection.sendall(b"QUIT\r\n")
            drain(self._connection)

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > LINE_BYTES:
                raise Broken(f"a line of more than {LINE_BYTES} bytes")
            more = self._connection.recv(4096)
            if not more:
                raise Broken("it hung up" if self._buffer else "it hung up without a word")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        if len(line) > LINE_BYTES:
            raise Broken(f"a line of more than {LINE_BYTES} bytes")
        return line.removesuffix(b"\r")


def drain(connection: socket.socket) -> None:
    """
    Take what is still said, until it hangs up; not for long.

    A connection that is closed with something unread is reset, which logs of mail
    servers report as an error.

    Raises:
        OSError: The connection broke.
    """
    end, taken = time.monotonic() + PARTING, 0
    while (left := end - time.monotonic()) > 0 and taken < PARTING_BYTES:
        connection.settimeout(left)
        more = connection.recv(4096)
        if not more:
            return
        taken += len(more)


def shown(text: str) -> str:
    """What a server says, in one line, cut."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * SHOWN_CHARS])
    return " ".join(printable.split())[:SHOWN_CHARS]
