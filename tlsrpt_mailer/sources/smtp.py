"""
Mail straight from an MTA: SMTP and LMTP, over TCP, a unix socket or one from systemd.

An asyncio loop in a thread of its own speaks with the connections; the source's
thread delivers what they bring, many mails in one batch. Nothing else in this
program knows asyncio.
"""

import logging
import socket
import threading
from collections.abc import Callable
from time import monotonic

import structlog

from tlsrpt_mailer.ports import Deliver, Health, RawMail, Receipt
from tlsrpt_mailer.report.times import MINUTE, Span, Time
from tlsrpt_mailer.sources.admission import Admission, is_loopback
from tlsrpt_mailer.sources.batching import Batcher, Waiting
from tlsrpt_mailer.sources.certificate import Certificate
from tlsrpt_mailer.sources.listen import Access, Bound, bind, parse_listen
from tlsrpt_mailer.sources.reception import (
    GOODBYE,
    Incoming,
    Kind,
    Reception,
)
from tlsrpt_mailer.sources.recipients import Recipients
from tlsrpt_mailer.sources.smtp_house import Rules
from tlsrpt_mailer.sources.smtp_settings import Settings

__all__ = ["ListenerSource", "Settings"]

log = structlog.get_logger()

TICK = 0.2
"""How often the source's thread looks whether it has to stop, in seconds."""

DELIVERY: Span = 2 * MINUTE
"""How long one batch may take before the watchdog counts the source as hung."""


class ListenerSource:
    """
    A listener for SMTP or LMTP; implements `ports.Source`.

    Args:
        clock: Seconds since 1970 UTC, for when a mail was taken.
        is_local: Whether a peer's address is this machine's own, where no limit a peer holds.
    """

    def __init__(
        self,
        kind: Kind,
        settings: Settings,
        clock: Callable[[], Time],
        *,
        is_local: Callable[[str], bool] | None = None,
    ) -> None:
        self._kind = kind
        self._settings = settings
        self._clock = clock
        self._is_local = is_loopback if is_local is None else is_local
        self._certificate = (
            None
            if settings.tls_cert is None or settings.tls_key is None
            else Certificate(settings.tls_cert, settings.tls_key)
        )
        self._bound: Bound | None = None
        self._batcher = Batcher()
        self._closed = threading.Event()
        self.reception: Reception | None = None
        """The connections, while it runs."""

    @property
    def name(self) -> str:
        """Such as ``lmtp:127.0.0.1:8825``."""
        return f"{self._kind}:{self._settings.listen}"

    @property
    def ports(self) -> list[int]:
        """The TCP ports on which it listens now."""
        names = [sock.getsockname() for sock in self.sockets]
        return [name[1] for name in names if isinstance(name, tuple)]

    @property
    def is_listening(self) -> bool:
        """Whether connections are taken."""
        return bool(self.sockets)

    @property
    def sockets(self) -> list[socket.socket]:
        """Those that are open."""
        sockets = () if self._bound is None else self._bound.sockets
        return [sock for sock in sockets if sock.fileno() >= 0]

    def open(self) -> None:
        """Bind, and read the certificate. Raises ConfigError or CannotWrite."""
        # aiosmtpd logs every command; what happens to a mail is logged by us, once.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)
        if self._certificate is not None:
            self._certificate.load()
        self._bind()

    def run(self, deliver: Deliver, health: Health, stop: threading.Event) -> None:
        """Serve until *stop*; the batch that is being delivered then is still answered."""
        bound = self._bound or self._bind()
        batcher = self._batcher
        reception = self.reception = self._reception_for(batcher, health)
        if self._closed.is_set():
            return
        loop = threading.Thread(
            target=reception.serve, args=(bound.sockets,), name=f"{self.name} loop", daemon=True
        )
        loop.start()
        addresses = ", ".join(self._settings.recipients)
        health.fine(f"{self._settings.listen} listens; recipients: {addresses}")
        log.info("listener.started", source=self.name)
        try:
            while not stop.is_set() and not self._closed.is_set():
                if not loop.is_alive():
                    raise RuntimeError(f"{self.name}: the loop has ended")
                if reception.is_alive():
                    health.beat(DELIVERY)
                batcher.deliver_next(deliver, TICK)
        finally:
            self._finish(reception, batcher, loop)

    def drain(self, deliver: Deliver, health: Health) -> None:
        """Nothing waits in a listener: senders keep their mail and come again."""
        del deliver, health

    def close(self) -> None:
        """Take no more connections; those there are get the answers that are under way."""
        self._closed.set()
        self._batcher.wake()
        if self.reception is not None:
            self.reception.finish()
        else:
            self._close_sockets()

    def _bind(self) -> Bound:
        settings = self._settings
        access = Access(settings.owner, settings.group, int(settings.mode, 8))
        self._bound = bind(parse_listen(settings.listen), access)
        return self._bound

    def _close_sockets(self) -> None:
        bound, self._bound = self._bound, None
        if bound is not None:
            bound.close()

    def _finish(self, reception: Reception, batcher: Batcher, loop: threading.Thread) -> None:
        """Turn away what still waits, and end the loop."""
        reception.finish()
        until = monotonic() + GOODBYE
        while loop.is_alive() and monotonic() < until:
            batcher.refuse_rest("shutting down")
            loop.join(TICK / 4)
        reception.abort()
        loop.join(TICK)
        self.reception = None
        self._close_sockets()

    def _reception_for(self, batcher: Batcher, health: Health) -> Reception:
        settings = self._settings

        def receive(
            incoming: Incoming, settle: Callable[[Receipt], None], is_wanted: Callable[[], bool]
        ) -> None:
            mail = RawMail(
                incoming.raw,
                self.name,
                self._clock(),
                keep_ignored=True,
                forward_to=settings.postmaster_to if incoming.for_postmaster else None,
                forward_ignored_to=settings.forward_ignored_to,
                sender=incoming.sender,
                recipients=incoming.recipients,
            )
            batcher.put(Waiting(mail, settle, is_wanted))

        rules = Rules(
            settings.hostname or socket.gethostname(),
            settings.max_size,
            settings.timeout,
            settings.max_commands,
            settings.max_errors,
        )
        admission = Admission(
            Recipients(settings.recipients),
            settings.postmaster_to is not None,
            settings.max_connections,
            settings.max_connections_per_peer,
            self._is_local,
        )
        return Reception(self._kind, rules, admission, receive, self._certificate, health)
