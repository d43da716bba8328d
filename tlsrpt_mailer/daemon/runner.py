"""One source in its thread."""

import time
from threading import Event, Thread

import structlog

from tlsrpt_mailer import wiring
from tlsrpt_mailer.flows.health import Beats, SourceHealth
from tlsrpt_mailer.ports import Source

log = structlog.get_logger()

CRASH_WAIT_SECONDS = 10


class Runner:
    """One source in its own thread, started again if it should ever raise."""

    def __init__(self, source: Source, app: wiring.App, beats: Beats) -> None:
        self.source = source
        self.health = SourceHealth(source.name, beats, app.clock)
        self._app = app
        self._beats = beats
        self._stop = Event()
        self._thread = Thread(target=self._run, name=source.name, daemon=True)

    def start(self) -> None:
        """Begin to take mails."""
        self._beats.beat(self.source.name, 60)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Shut its sockets; `join` waits for the thread."""
        self._stop.set()
        self.source.close()

    def join(self, deadline: float) -> bool:
        """Wait until the thread has ended or *deadline* (monotonic) is past; whether it ended."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        with structlog.contextvars.bound_contextvars(thread=self.source.name):
            while not self._stop.is_set():
                try:
                    self.source.run(self._app.deliver, self.health, self._stop)
                except Exception as error:
                    # The edge: an error of ours in one source stops no other one.
                    said = f"internal error: {error}"
                    if self.health.state.error != said:
                        log.exception("source.crashed")
                    self.health.trouble(said, CRASH_WAIT_SECONDS)
                    self.health.beat(CRASH_WAIT_SECONDS + 60)
                    self._stop.wait(CRASH_WAIT_SECONDS)
        self._beats.forget(self.source.name)
