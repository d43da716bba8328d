"""Servers on port 25 that are not as they should be: a few lines of a test say what they do."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.servers.listening import Listening

Talk = Callable[["Peer"], None]


class Peer:
    """Who connected, as a test's server sees it."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self.connection = connection
        self.over = over
        """Set when the test is over: whoever does something for ever, ends then."""
        self.heard: list[str] = []
        self._reader = connection.makefile("rb")

    def say(self, *lines: str) -> None:
        self.connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self) -> str:
        """The next line; empty when the peer has gone."""
        line = self._reader.readline().decode().rstrip("\r\n")
        if line:
            self.heard.append(line)
        return line

    def until_starttls(self) -> None:
        """As a good server, to where TLS begins."""
        self.say("220 mx.example.com ESMTP")
        self.hear()
        self.say("250-mx.example.com", "250 STARTTLS")
        self.hear()
        self.say("220 go ahead")

    def close(self) -> None:
        self._reader.close()  # or the socket stays open for it
        self.connection.close()

    def wrap(self, context: ssl.SSLContext) -> None:
        self._reader.close()
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self._reader = self.connection.makefile("rb")


class Odd(Listening):
    """One server."""

    def __init__(self, talk: Talk, address: str | None) -> None:
        super().__init__(25, address)
        self.peers: list[Peer] = []
        self._says = talk

    @property
    def heard(self) -> list[str]:
        """What all peers said, line by line."""
        return [line for peer in self.peers for line in peer.heard]

    def _talk(self, connection: socket.socket) -> None:
        peer = Peer(connection, self._over)
        self.peers.append(peer)
        with suppress(OSError):
            self._says(peer)
        peer.close()


def odd(talk: Talk, *, address: str | None = None) -> Odd:
    """For a ``with``: one that listens on port 25 of an address of its own."""
    return Odd(talk, address)
