"""An IMAP server that misbehaves on purpose: it hangs, hangs up, withholds, lies."""

import base64
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Reply = bytes | None
"""What to send; None: hang up."""
HANG = b""
LOGGED_IN = b"IMAP4rev1 UIDPLUS MOVE"


class FakeImap:
    """Holds mails by UID; `on` overrides the answer to a command by its first words."""

    def __init__(self, mails: dict[int, bytes] | None = None) -> None:
        self.mails = mails or {}
        self.greeting: Reply = b"* OK ready\r\n"
        self.offers = b"IMAP4rev1 AUTH=PLAIN"
        self.after_login = LOGGED_IN
        self.uidnext = True
        self.objection: bytes | None = None
        """What a token is refused with."""
        self.on: dict[str, Callable[[str], Reply]] = {}
        self.heard: list[str] = []
        self.connections = 0
        self.port = 0
        self._idle = ""
        self._logged_in = False

    def talk(self, connection: socket.socket) -> None:
        self.connections += 1
        self._logged_in = False
        if not self._send(connection, self.greeting):
            return
        for raw in connection.makefile("rb"):
            line = raw.decode().rstrip()
            self.heard.append(line)
            if not self._send(connection, self._answer(line)):
                return

    def _send(self, connection: socket.socket, reply: Reply) -> bool:
        if reply is None:
            connection.shutdown(socket.SHUT_RDWR)
            return False
        connection.sendall(reply)
        return True

    def _answer(self, line: str) -> Reply:
        tag, _, command = line.partition(" ")
        for start, answer in self.on.items():
            if command.startswith(start) or (start and line.startswith(start)):
                reply = answer(line)
                return reply.replace(b"TAG", tag.encode()) if reply else reply
        if not command:  # the second line of AUTHENTICATE, or DONE
            tag = self._idle
            if self.objection and line:
                return b"+ " + base64.b64encode(self.objection) + b"\r\n"
            if self.objection:
                return f"{tag} NO AUTHENTICATE failed.\r\n".encode()
        body = self._standard(tag, command or line)
        return body if body.startswith(b"+") else body + f"{tag} OK done\r\n".encode()

    def _standard(self, tag: str, command: str) -> bytes:
        offers = self.after_login if self._logged_in else self.offers
        word = command.split(" ", maxsplit=1)[0]
        if word in ("AUTHENTICATE", "IDLE"):
            self._idle = tag
            return b"+ \r\n"
        fixed = {
            "CAPABILITY": b"* CAPABILITY " + offers + b"\r\n",
            "LOGOUT": b"* BYE\r\n",
            "LIST": b'* LIST () "/" INBOX\r\n',
        }
        if word in fixed:
            return fixed[word]
        if word in ("SELECT", "EXAMINE"):
            return self._selected()
        if word == "UID":
            return self._uid(command)
        if word not in ("NOOP", "DONE", "CREATE", "SUBSCRIBE"):
            self._logged_in = True  # LOGIN, or the answer to AUTHENTICATE
        return b""

    def _selected(self) -> bytes:
        next_uid = f"* OK [UIDNEXT {max(self.mails, default=0) + 1}] \r\n" if self.uidnext else ""
        return (
            f"* {len(self.mails)} EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Seen)\r\n"
            f"* OK [UIDVALIDITY 7] \r\n{next_uid}"
        ).encode()

    def _uid(self, command: str) -> bytes:
        _, word, rest = command.split(" ", 2)
        if word == "SEARCH":
            return self._search(rest)
        if word != "FETCH":
            return b""
        found = b""
        for uid in (int(one) for one in rest.split(" ")[0].split(",")):
            if uid not in self.mails:
                continue
            number = sorted(self.mails).index(uid) + 1
            raw = self.mails[uid]
            if "RFC822.SIZE" in rest:
                found += f"* {number} FETCH (UID {uid} RFC822.SIZE {len(raw)})\r\n".encode()
            else:
                head = f"* {number} FETCH (UID {uid} BODY[] {{{len(raw)}}}\r\n".encode()
                found += head + raw + b")\r\n"
        return found

    def _search(self, criteria: str) -> bytes:
        low, high = re.findall(r"(\d+):(\d+|\*)", criteria)[0]
        last = max(self.mails, default=0)
        top = last if high == "*" else int(high)
        bottom = min(int(low), top) if high == "*" else int(low)
        larger = re.findall(r"LARGER (\d+)", criteria)
        found = [
            uid
            for uid in sorted(self.mails)
            if bottom <= uid <= top and (not larger or len(self.mails[uid]) > int(larger[0]))
        ]
        return ("* SEARCH " + " ".join(str(uid) for uid in found)).rstrip().encode() + b"\r\n"


@contextmanager
def fake_imap(fake: FakeImap) -> Iterator[FakeImap]:
    listener = socket.create_server(("127.0.0.1", 0))
    fake.port = listener.getsockname()[1]
    open_ones: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with suppress(OSError):
            fake.talk(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield fake
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_ones:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
