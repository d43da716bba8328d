"""One limit of time over a whole conversation, however slowly the other side speaks."""

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType


class Deadline:
    """
    Ends a conversation after so many seconds.

    Used as a context: it then also cuts the connections that it `watch`es, for
    libraries that only know a time-out for each read.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds
        self._watched: list[socket.socket] = []
        self._cut = threading.Event()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self._cut.is_set() or time.monotonic() >= self._at

    def left(self, most: float | None = None) -> float:
        """
        How many seconds are left, *most* of them: a time-out for what comes next.

        Raises:
            TimeoutError: None are.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if most is None else min(left, most)

    def connect(self, address: str, port: int, within: float | None = None) -> socket.socket:
        """
        Connect by TCP and watch the connection; reads and writes on it have the same time-out.

        Raises:
            OSError: Nobody is there, or (TimeoutError) says so *within* so many seconds.
        """
        made = socket.create_connection((address, port), self.left(within))
        self.watch(made)
        made.settimeout(max(0.01, self._at - time.monotonic()))
        return made

    def watch(self, connection: socket.socket) -> None:
        """Cut *connection* at the end, even when it is wrapped in TLS meanwhile."""
        # A copy of the descriptor: `ssl` takes the socket's own away from it.
        copy = connection.dup()
        self._watched.append(copy)
        if self._cut.is_set():
            _shut(copy)

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        # Never while the timer may use them: their numbers could be somebody else's by then.
        self._timer.join()
        for copy in self._watched:
            copy.close()

    def _end(self) -> None:
        self._cut.set()
        for copy in tuple(self._watched):
            _shut(copy)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
