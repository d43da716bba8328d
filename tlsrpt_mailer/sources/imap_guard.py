"""Ends what would hang: the thread that watches over another one's conversation."""

import os
import threading
from contextlib import suppress

from tlsrpt_mailer.report.times import Span
from tlsrpt_mailer.sources.imap_session import Session

GRACE = 1.0
"""Seconds that a conversation has to end by itself once the program stops."""
GLANCE: Span = 15
"""How often the guard looks whether a command takes too long."""


class Guard:
    """
    Watches the session that it is given, from a thread of its own, until *stop* is set.

    At the stop it makes `wake` readable, which ends IDLE at once; what has not ended
    after a grace loses its connection. A command that trickles on past its limit
    loses it too.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._over = threading.Event()
        self._session: Session | None = None
        self._lock = threading.Lock()
        self.wake, self._bell = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="imap-guard", daemon=True)

    def __enter__(self) -> "Guard":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def watch(self, session: Session | None) -> None:
        """Watch over *session* from now on (None: over nothing)."""
        with self._lock:
            self._session = session

    def break_off(self) -> None:
        """Shut the connection under way, from any thread."""
        with self._lock:
            if self._session is not None:
                self._session.break_off()

    def _watch(self) -> None:
        while not self._stop.wait(GLANCE) and not self._over.is_set():
            with self._lock:
                late = self._session is not None and self._session.late
            if late:
                self.break_off()
        with suppress(OSError):
            os.write(self._bell, b".")
        if not self._over.wait(GRACE):
            self.break_off()
            self._over.wait()
        os.close(self._bell)
        os.close(self.wake)
