"""The loop that speaks with SMTP and LMTP connections, in a thread of its own."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
import structlog

from tlsrpt_mailer.ports import Health, Receipt
from tlsrpt_mailer.report.times import MINUTE, Span
from tlsrpt_mailer.sources.admission import Admission, Door
from tlsrpt_mailer.sources.certificate import Certificate
from tlsrpt_mailer.sources.listen import BACKLOG
from tlsrpt_mailer.sources.memory import Memory
from tlsrpt_mailer.sources.smtp_house import LINGER, Rules
from tlsrpt_mailer.sources.smtp_protocol import Connection, LmtpConnection

log = structlog.get_logger()

Kind: TypeAlias = Literal["lmtp", "smtp"]


class Incoming(msgspec.Struct, frozen=True):
    """One mail with its envelope."""

    raw: bytes
    sender: str | None
    """``<>`` for none."""
    recipients: tuple[str, ...]
    for_postmaster: bool


Receive: TypeAlias = Callable[[Incoming, Callable[[Receipt], None], Callable[[], bool]], None]
"""Called with a mail, what to call with its receipt, and what says whether anybody waits for
that still (both from any thread)."""

ANSWER_WITHIN: Span = 5 * MINUTE
"""RFC 5321, 4.5.3.2.6: senders wait ten minutes for the answer to a mail."""

HELD_MAILS = 2
"""How many mails of the greatest size may be in memory at once, all connections together."""

GOODBYE = 0.9
"""How long connections have to end after a stop, in seconds."""


class Reception:
    """All connections of one listener. `serve`, then from any thread `finish` and `abort`."""

    def __init__(
        self,
        kind: Kind,
        rules: Rules,
        admission: Admission,
        receive: Receive,
        certificate: Certificate | None,
        health: Health,
    ) -> None:
        self.rules = rules
        self._kind = kind
        self._admission = admission
        self._receive = receive
        self._certificate = certificate
        self._health = health
        self._loop = asyncio.new_event_loop()
        self._leaving = asyncio.Event()
        self._door: Door[Connection] = Door(admission, self._loop.time)
        self.memory = Memory(HELD_MAILS * rules.max_size)
        self._heard = self._loop.time()

    # ------------------------------------------------------------ from any thread

    def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Run the loop until all connections have ended after `finish`, or `abort`."""
        try:
            self._loop.set_exception_handler(_log_trouble)
            self._loop.run_until_complete(self._serve(sockets))
        except Exception:
            # The source's thread finds the loop ended, and begins anew.
            log.exception("listener.failed")
        finally:
            self._loop.close()

    def finish(self) -> None:
        """Take no more connections, and let go of those there are."""
        self._call(self._leaving.set)

    def abort(self) -> None:
        """End all connections at once."""
        self._call(self._abort)

    def is_alive(self) -> bool:
        """Whether the loop did something in the last half minute."""
        self._call(self._hear)
        return self._loop.time() - self._heard < MINUTE / 2

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._door.inside)

    @property
    def waiting(self) -> int:
        """How many mails wait for their receipt."""
        return sum(connection.is_waiting for connection in list(self._door.inside))

    def _call(self, function: Callable[..., None], *args: object) -> None:
        # A loop that is closed has nothing left to do.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *args)

    # ----------------------------------------------------------------- in the loop

    async def _serve(self, sockets: Sequence[socket.socket]) -> None:
        servers = [
            await self._loop.create_server(self._doorman, sock=sock, backlog=BACKLOG)
            for sock in sockets
        ]
        await self._leaving.wait()
        for server in servers:
            server.close()
        until = self._loop.time() + GOODBYE
        while self._door.inside and self._loop.time() < until:
            for connection in list(self._door.inside):
                if not connection.is_waiting:
                    connection.dismiss("4.3.2 Shutting down, come again later")
            await asyncio.sleep(0.01)
        self._abort()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=GOODBYE / 4)

    def _doorman(self) -> "_Doorman":
        return _Doorman(self._welcome)

    def _welcome(self, transport: asyncio.Transport) -> None:
        """Turn a new connection away, or begin to serve it."""
        address = _address(transport)
        refusal = (
            "4.3.2 Shutting down, come again later"
            if self._leaving.is_set()
            else self._door.refusal(address)
        )
        if refusal is not None:
            transport.write(f"421 {refusal}\r\n".encode("ascii"))
            transport.close()
            self._loop.call_later(LINGER, transport.abort)
            return
        with contextlib.ExitStack() as undo:
            undo.callback(transport.abort)
            connection = self._connection()
            self._door.enter(connection, address)
            undo.callback(self._door.leave, connection)
            transport.set_protocol(connection)
            connection.connection_made(transport)
            undo.pop_all()

    def _connection(self) -> Connection:
        connection = LmtpConnection if self._kind == "lmtp" else Connection
        return connection(self, self._loop)

    def _hear(self) -> None:
        self._heard = self._loop.time()

    def _abort(self) -> None:
        self._leaving.set()
        for connection in list(self._door.inside):
            connection.abort()

    # ---------------------------------------------------- asked by the connections

    def leave(self, connection: Connection) -> None:
        """Count it out; see `House.leave`."""
        self._door.leave(connection)

    def tls(self) -> ssl.SSLContext | None:
        """The context for the next connection."""
        if self._certificate is None:
            return None
        return self._certificate.context(self._health.warn)

    def recipient(self, address: str) -> str | None:
        """See `House.recipient`."""
        admission = self._admission
        if admission.recipients.match(address):
            return None
        if admission.takes_postmaster and admission.recipients.is_postmaster(address):
            return None
        if self._kind == "smtp":
            return "550 5.1.1 No such address here"
        # A transport map that routes too much must delay mail, not bounce it.
        return "450 4.1.1 Not among the recipients of this listener"

    async def take(
        self, raw: bytes, sender: str | None, recipients: list[str], done: Callable[[], None]
    ) -> Receipt:
        """Deliver, and wait for the receipt; see `House.take`."""
        future: asyncio.Future[Receipt] = self._loop.create_future()
        admission = self._admission
        for_postmaster = admission.takes_postmaster and any(
            admission.recipients.is_postmaster(address) for address in recipients
        )
        incoming = Incoming(raw, sender, tuple(recipients), for_postmaster)
        self._receive(
            incoming,
            lambda receipt: self._call(_settle, future, receipt, done),
            lambda: not future.cancelled(),
        )
        try:
            return await asyncio.wait_for(future, ANSWER_WITHIN)
        except TimeoutError:
            return Receipt("failed", "storing it takes too long")

    def answer(self, receipt: Receipt) -> str:
        """The receipt as an answer; on SMTP without what went wrong, for strangers read it."""
        if receipt.outcome == "failed":
            reason = f": {receipt.reason}" if receipt.reason and self._kind == "lmtp" else ""
            return f"451 4.3.0 Not stored, try again later{reason[:200]}"
        return f"250 2.0.0 {ANSWERS[receipt.outcome]}"


ANSWERS = {
    "stored": "Report stored",
    "superseded": "Report stored, a newer revision is known",
    "duplicate": "Report known already",
    "held": "Report held",
    "quarantined": "Unreadable report kept",
    "ignored": "No TLS report, mail kept",
}


class _Doorman(asyncio.Protocol):
    """
    Who meets a connection first.

    What serves one takes a millisecond to make, so it is made only for those that may
    come in: a flood would keep the loop busy with making them.
    """

    def __init__(self, welcome: Callable[[asyncio.Transport], None]) -> None:
        self._welcome = welcome

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._welcome(transport)


def _address(transport: asyncio.Transport) -> str | None:
    """The peer's IP address; None on a unix socket."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else None


def _settle(future: "asyncio.Future[Receipt]", receipt: Receipt, done: Callable[[], None]) -> None:
    done()
    if not future.done():
        future.set_result(receipt)


def _log_trouble(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    del loop
    log.error("listener.trouble", what=context["message"], exc_info=context.get("exception"))
