"""
Reports from an IMAP mailbox.

A look at the folder every `poll`, and at once when the server hints at new mail
by IDLE. The connection is kept, and made anew for ever when it is lost.
"""

import random
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import msgspec
import structlog

from tlsrpt_mailer.errors import TlsrptError, Unreachable
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.ports import Deliver, Health, Positions
from tlsrpt_mailer.report.times import MINUTE, Time
from tlsrpt_mailer.sources.imap_batches import mails
from tlsrpt_mailer.sources.imap_failing import Declined, tls_context
from tlsrpt_mailer.sources.imap_fetching import Memory
from tlsrpt_mailer.sources.imap_guard import Guard
from tlsrpt_mailer.sources.imap_reading import PATIENCE, Look
from tlsrpt_mailer.sources.imap_session import Secret, Session
from tlsrpt_mailer.sources.imap_settings import Settings

__all__ = ["ImapSource", "Pace", "Settings"]

log = structlog.get_logger()


class Pace(msgspec.Struct, frozen=True):
    """How patient the source is, in seconds; only tests change it."""

    first_retry: float = 1.0
    longest_retry: float = 5 * MINUTE
    first_idle: float = 20.0
    """A hint that came while IDLE began is seen at the latest after this."""
    idle: float = 9 * MINUTE
    """Servers may log out after 30 minutes (RFC 2177), NATs forget after fewer."""
    steady: float = MINUTE
    """A connection that lasted so long is a good one: trouble after it starts anew."""


def retry_delay(tries: int, pace: Pace, chance: float) -> float:
    """
    Seconds until the next try after *tries* failures in a row: doubling, jittered.

    Args:
        chance: From 0 to 1; spreads many clients of one server that came back.
    """
    full = min(pace.longest_retry, pace.first_retry * 2.0 ** min(tries - 1, 30))
    return full * (0.5 + chance / 2)


class ImapSource:
    """One mailbox; implements `ports.Source`."""

    def __init__(
        self,
        settings: Settings,
        secret: Secret,
        positions: Positions,
        clock: Callable[[], Time],
        limits: Limits,
        pace: Pace = Pace(),  # noqa: B008  frozen
    ) -> None:
        """*secret* reads the password or token whenever a login needs it."""
        self._settings = settings
        self._secret = secret
        self._positions = positions
        self._clock = clock
        self._limits = limits
        self._pace = pace
        self._memory = Memory()
        self._guard: Guard | None = None
        self._context: ssl.SSLContext | None = None
        self._bug = ""

    @property
    def name(self) -> str:
        """``imap:USERNAME@HOST``, with ``/FOLDER`` behind it unless that is INBOX."""
        return self._settings.name

    def open(self) -> None:
        """Read the CA file. Raises ConfigError."""
        self._context = tls_context(self._settings.ca_file)

    def run(self, deliver: Deliver, health: Health, stop: threading.Event) -> None:
        """See `ports.Source.run`."""
        tries = 0
        with Guard(stop) as guard:
            self._guard = guard
            while not stop.is_set():
                since = time.monotonic()
                error = self._attempt(guard, deliver, health, stop)
                if stop.is_set():
                    break
                tries = 1 if time.monotonic() - since >= self._pace.steady else tries + 1
                delay = retry_delay(tries, self._pace, random.random())  # noqa: S311  jitter
                health.trouble(error, round(delay))
                health.beat(round(delay) + MINUTE)
                stop.wait(delay)

    def drain(self, deliver: Deliver, health: Health) -> None:
        """See `ports.Source.drain`."""
        over = threading.Event()
        try:
            with Guard(over) as guard:
                self._guard = guard
                health.beat(PATIENCE)
                session = self._connect(lambda: False)
                try:
                    guard.watch(session)
                    self._look(session, deliver, health, lambda: False)
                finally:
                    guard.watch(None)
                    session.close()
        except Declined as refusal:
            raise Unreachable(f"{self._settings.host}: {refusal}") from refusal
        finally:
            over.set()

    def close(self) -> None:
        """Shut the connection, at once, from any thread."""
        if self._guard is not None:
            self._guard.break_off()

    # -------------------------------------------------------------- inside

    def _attempt(
        self, guard: Guard, deliver: Deliver, health: Health, stop: threading.Event
    ) -> str:
        """Connect and work until something fails; returns what it was."""
        try:
            health.beat(PATIENCE)
            session = self._connect(stop.is_set)
            try:
                guard.watch(session)
                self._work(session, guard, deliver, health, stop)
            finally:
                guard.watch(None)
                session.close()
        except TlsrptError as error:
            return str(error)
        except Exception as error:  # the edge: no bug of ours may end the only reader of a mailbox
            said = f"a bug of ours: {type(error).__name__}: {error}"
            if said != self._bug:
                log.exception("source.failed", source=self.name)
            self._bug = said
            return said
        return "stopped"

    def _connect(self, stopped: Callable[[], bool]) -> Session:
        """
        Log in, in a thread that can be left behind.

        Looking up a name, a slow password command or a silent server cannot be
        interrupted; when the program stops, they are not waited for.
        """
        context = self._context or tls_context(self._settings.ca_file)
        coming: Future[Session] = Future()
        left_behind = threading.Event()

        def log_in() -> None:
            try:
                session = Session.open(self._settings, self._secret, context)
            except BaseException as error:  # noqa: BLE001  handed to the waiting thread
                coming.set_exception(error)
                return
            if left_behind.is_set():
                session.close()
            coming.set_result(session)

        threading.Thread(target=log_in, name="imap-login", daemon=True).start()
        while True:
            try:
                return coming.result(timeout=0.1)
            except TimeoutError:
                if coming.done():
                    raise
                if stopped():
                    left_behind.set()
                    raise Unreachable("stopped while connecting") from None

    def _look(
        self, session: Session, deliver: Deliver, health: Health, stopped: Callable[[], bool]
    ) -> None:
        look = Look(self.name, self._settings, self._positions, self._clock, self._memory, session)
        exists = look.run(deliver, health, self._limits.mail_bytes, stopped)
        health.fine(f"{self._settings.folder}, {mails(exists)}")

    def _work(
        self,
        session: Session,
        guard: Guard,
        deliver: Deliver,
        health: Health,
        stop: threading.Event,
    ) -> None:
        log.info("source.connected", source=self.name)
        while not stop.is_set():
            self._look(session, deliver, health, stop.is_set)
            self._wait(session, guard, health, stop)

    def _wait(self, session: Session, guard: Guard, health: Health, stop: threading.Event) -> None:
        """Wait for the next poll, for a hint, or for the stop."""
        idle = self._settings.idle and session.can("IDLE")
        until = time.monotonic() + self._settings.poll
        spell = self._pace.first_idle if idle else self._pace.idle
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            spell = min(left, spell)
            health.beat(round(spell) + PATIENCE)
            if not idle:
                stop.wait(spell)
                if not stop.is_set():
                    session.noop()
            elif session.idle(spell, guard.wake):
                return
            spell = self._pace.idle
