"""What servers of the tests' own have in common: a port, and a thread for each peer."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.ports import own_address

PATIENCE = 30
"""Seconds that a peer may be silent."""


class Listening:
    """
    One server; it runs as a context.

    Args:
        port: Where it listens.
        address: One of loopback, of either family; None: its own.
    """

    def __init__(self, port: int, address: str | None = None) -> None:
        self.address = address or own_address()
        self._over = threading.Event()
        """Set at the end: whoever does something for ever, ends then."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._listening = socket.create_server((self.address, port), family=family, backlog=100)
        self._threads: list[threading.Thread] = []

    def _talk(self, connection: socket.socket) -> None:
        """With one peer, until it has gone."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._run(self._serve, self._listening.accept()[0])

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with connection, suppress(OSError, EOFError):
            self._talk(connection)
