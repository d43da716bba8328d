"""What wakes the main thread: a signal, whichever thread of the process it came to."""

import select
import signal
import socket
from contextlib import suppress


class Wake:
    """
    An event that a signal sets by itself; for the main thread.

    Python runs its handlers in the main thread alone, and a signal that the kernel gives to
    another thread interrupts no wait there: a stop would take as long as the wait.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def on_signals(self) -> None:
        """Have every signal that has a handler set it."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def wait(self, seconds: float) -> None:
        """Until it is set, but not longer; it is not set any more then."""
        select.select([self._reader], [], [], seconds)
        with suppress(BlockingIOError):
            while self._reader.recv(4_096):
                pass

    def close(self) -> None:
        """Leave the signals alone."""
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()
