"""
One SMTP or LMTP connection, on aiosmtpd.

What differs from aiosmtpd 1.4.6, and why: LMTP answers once for each accepted
recipient (RFC 2033, 4.2); data is read in chunks, with any length of line, and
in bounded memory; only CR LF . CR LF ends it, so that nothing can be smuggled
past a relay that thinks otherwise; commands, errors and time are counted, for
one command and for all together; a peer that does not read its answers is cut
off, and so is one that speaks HTTP; AUTH is never offered; trouble of ours is
451, never 500, which would be a bounce.
"""

import asyncio
import collections
import functools
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, AnyStr

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, syntax

from tlsrpt_mailer.report.times import Span
from tlsrpt_mailer.sources.addresses import parse_path
from tlsrpt_mailer.sources.data import Collector, TooBusy, TooMuch
from tlsrpt_mailer.sources.smtp_house import LINGER, Hooks, House, on_the_wire

log = structlog.get_logger()

COMMAND_BYTES = 4096
"""RFC 5321, 4.5.3.1.4 wants 512; SMTPUTF8 and long VERP senders need more."""

CHUNK = 64 * 1024
HANDSHAKE: Span = 30

TURN = 8
"""After how many commands it is the turn of another connection."""

SESSION = 6
"""How many times the time-out a connection may last without a mail being taken."""

NOT_SMTP = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
"""First words of HTTP: a web page can make a browser send us its body as commands."""

HOOKS = Hooks()


class Connection(SMTP):
    """An SMTP connection."""

    command_size_limit = COMMAND_BYTES
    line_length_limit = CHUNK
    ident = "ESMTP"

    def __init__(self, house: House, loop: asyncio.AbstractEventLoop) -> None:
        self.house = house
        self.is_secured = False
        self.is_waiting = False
        """Between the end of a mail and its receipt."""
        self.since = loop.time()
        """When it came, or brought its last mail."""
        self._is_handshaking = False
        self._commands = 0
        self._errors = 0
        self._linger: asyncio.TimerHandle | None = None
        super().__init__(
            HOOKS,
            data_size_limit=house.rules.max_size,
            enable_SMTPUTF8=True,
            hostname=house.rules.hostname,
            ident=f"{self.ident} tlsrpt-mailer",
            tls_context=house.tls(),
            timeout=house.rules.timeout,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=loop,
        )
        # aiosmtpd keeps these on the class: each new connection clears those of all others.
        self.command_size_limits = collections.defaultdict(lambda: COMMAND_BYTES)
        self._smtp_methods = {
            name: self._counted(method)
            for name, method in self._smtp_methods.items()
            if name not in {"AUTH", "EXPN", "HELP"}
        } | dict.fromkeys(NOT_SMTP, self._refuse_http)

    # ---------------------------------------------------------- beginning and end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve; `House.leave` is called however it ends."""
        super().connection_made(transport)
        if self._handler_coroutine is not None:
            self._handler_coroutine.add_done_callback(self._left)

    def connection_lost(self, error: Exception | None) -> None:
        """The peer is gone."""
        if self._linger is not None:
            self._linger.cancel()
        super().connection_lost(error)

    def dismiss(self, text: str) -> None:
        """Say *text* (after ``421``) and hang up, whatever the connection is doing."""
        transport = self.transport
        if not isinstance(transport, asyncio.WriteTransport):
            return
        if self._is_handshaking:
            transport.abort()
            return
        if not transport.is_closing():
            transport.write(f"421 {text}\r\n".encode("ascii"))
            transport.close()
        if self._linger is None:
            self._linger = self.loop.call_later(LINGER, transport.abort)

    def abort(self) -> None:
        """End it now."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def _handle_client(self) -> None:
        try:
            await super()._handle_client()
        except OSError:
            log.debug("connection.lost")

    def _left(self, task: "asyncio.Task[None]") -> None:
        """The conversation is over; see that the connection is as well."""
        if not task.cancelled() and task.exception() is not None:
            log.error("connection.failed", exc_info=task.exception())
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        self.house.leave(self)
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.close()
            if self._linger is None:
                self._linger = self.loop.call_later(LINGER, self.transport.abort)

    def _reset_timeout(self, duration: float | None = None) -> None:
        timeout = self.house.rules.timeout
        left = self.since + SESSION * timeout - self.loop.time()
        super()._reset_timeout(max(min(duration or timeout, left), 0.01))

    def _timeout_cb(self) -> None:
        self.dismiss("4.4.2 Too slow, goodbye")

    # ------------------------------------------------------------------- answers

    async def push(self, status: AnyStr) -> None:
        """Answer; with too many errors since the last mail, hang up."""
        text = status if isinstance(status, str) else str(status, "latin-1")
        await self._say(text)
        if text.startswith("5"):
            self._errors += 1
            if self._errors > self.house.rules.max_errors:
                self._hang_up("4.7.0 Too many errors, goodbye")

    async def _say(self, text: str) -> None:
        is_extended = self.session is not None and self.session.extended_smtp
        self._writer.write(on_the_wire(text, is_extended=is_extended))
        await self._writer.drain()

    def _hang_up(self, text: str) -> None:
        self.dismiss(text)
        raise ConnectionResetError(text)

    def _counted(
        self, method: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        """*method*, counting how often commands come without a mail."""

        @functools.wraps(method)
        async def count(arg: Any) -> None:
            self._commands += 1
            if self._commands > self.house.rules.max_commands:
                self._hang_up("4.7.0 Too many commands without a mail, goodbye")
            if self._commands % TURN == 0:
                # Commands that are there already are read without a pause: let others speak.
                await asyncio.sleep(0)
            await method(arg)

        return count

    # ------------------------------------------------------------------ commands

    async def _refuse_http(self, arg: str | None) -> None:
        del arg
        self._hang_up("4.7.0 This is no web server, goodbye")

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        return parse_path(arg)

    def _getparams(self, params: Sequence[str]) -> dict[str, str | bool] | None:
        # "SIZE=\u00b2" passes isdigit(), and int() raises.
        return super()._getparams(params) if all(map(str.isascii, params)) else None

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Begin TLS; what came in the clear after the command is thrown away (RFC 3207, 6)."""
        if arg:
            await self.push("501 Syntax: STARTTLS")
        elif self.is_secured:
            await self.push("503 TLS is on already")
        elif self.tls_context is None:
            await self.push("454 TLS not available")
        else:
            await self._say("220 2.0.0 Ready to start TLS")
            await self._start_tls(self.tls_context)

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        # aiosmtpd's own way leaves `transport` None during the handshake, so that a
        # peer that hangs or fails in it is never let go.
        if not isinstance(self.transport, asyncio.Transport):
            raise ConnectionResetError("gone before the handshake")
        self.transport.pause_reading()
        self._reader._buffer.clear()  # type: ignore[attr-defined]  # as aiosmtpd does
        self._is_handshaking = True
        try:
            secured = await self.loop.start_tls(
                self.transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=min(HANDSHAKE, self.house.rules.timeout),
                ssl_shutdown_timeout=LINGER,
            )
        except OSError as error:
            log.info("connection.handshake_failed", error=str(error))
            raise ConnectionResetError(str(error)) from error
        finally:
            self._is_handshaking = False
        if secured is None:
            raise ConnectionResetError("gone during the handshake")
        self._secure(secured)

    def _secure(self, transport: asyncio.Transport) -> None:
        """Go on over TLS, with nothing remembered from before (RFC 3207, 4.2)."""
        peer = self.session.peer if self.session is not None else None
        self.transport = self._transport = transport
        self._reader._transport = transport  # type: ignore[attr-defined]  # as aiosmtpd does
        self._writer._transport = transport  # type: ignore[attr-defined]
        self._over_ssl = self.is_secured = True
        self.envelope = self._create_envelope()
        self.session = self._create_session()
        self.session.peer = peer
        self.session.ssl = {"cipher": transport.get_extra_info("cipher")}

    @syntax("DATA")
    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Take one mail; the answer comes after the commit."""
        if await self.check_helo_needed():
            return
        envelope = self.envelope
        recipients = [] if envelope is None else envelope.rcpt_tos
        if arg:
            await self.push("501 Syntax: DATA")
            return
        if not recipients:
            await self.push("503 5.5.1 Need RCPT first")
            return
        await self._say("354 End data with <CR><LF>.<CR><LF>")
        answer = await self._take_data(None if envelope is None else envelope.mail_from, recipients)
        self.envelope = self._create_envelope()
        if answer.startswith("2"):
            self._commands = self._errors = 0
            self.since = self.loop.time()
        self._reset_timeout()
        await self._answer_data(answer, recipients)

    async def _answer_data(self, answer: str, recipients: list[str]) -> None:
        del recipients  # RFC 5321, 4.1.1.4: one answer for all
        await self.push(answer)

    async def _take_data(self, sender: str | None, recipients: list[str]) -> str:
        collector = Collector(self.house.rules.max_size, self.house.memory)
        is_handed_over = False
        try:
            raw = await self._read_data(collector)
            # The wait for the commit is ours, not the peer's: it is limited by `take`.
            if self._timeout_handle is not None:
                self._timeout_handle.cancel()
            self.is_waiting = is_handed_over = True
            # A peer that hangs up now leaves its mail behind, and that takes memory still.
            receipt = await self.house.take(raw, sender, recipients, collector.close)
            return self.house.answer(receipt)
        except TooMuch as error:
            if error.is_hopeless:
                self._hang_up("4.3.4 Far too much mail data, goodbye")
            return f"552 5.3.4 Mail is larger than {self.house.rules.max_size} bytes"
        except TooBusy:
            return "452 4.3.1 Too much mail at once, try again later"
        except OSError:
            raise
        except Exception:
            # Half-read data must not be taken for commands.
            log.exception("connection.failed")
            self._hang_up("4.3.0 Internal error, try again later")
            raise
        finally:
            self.is_waiting = False
            if not is_handed_over:
                collector.close()

    async def _read_data(self, collector: Collector) -> bytes:
        """
        All up to the lone dot, without it and without the dots that were stuffed.

        The peer has the time-out to begin with and a second more for each KiB that it sends.
        """
        until = self.loop.time() + self.house.rules.timeout
        rest: bytes | None = None
        while rest is None:
            chunk = await self._reader.read(CHUNK)
            if not chunk:
                raise ConnectionResetError("gone during DATA")
            rest = collector.feed(chunk)
            self._reset_timeout(max(until + collector.received / 1024 - self.loop.time(), 0.01))
        self._reader._buffer[:0] = rest  # type: ignore[attr-defined]  # pipelined commands
        return collector.content()


class LmtpConnection(Connection, LMTP):
    """An LMTP connection (RFC 2033): LHLO, and an answer for each recipient."""

    ident = "LMTP"

    async def check_helo_needed(self, helo: str = "LHLO") -> bool:
        """The greeting has to come first."""
        return await super().check_helo_needed("LHLO" if helo else helo)

    async def _answer_data(self, answer: str, recipients: list[str]) -> None:
        for recipient in recipients[:-1]:
            await self._say(_for_recipient(answer, recipient))
        await self.push(_for_recipient(answer, recipients[-1]))


def _for_recipient(answer: str, recipient: str) -> str:
    code, enhanced, text = answer.split(" ", 2)
    return f"{code} {enhanced} <{recipient}> {text}"
