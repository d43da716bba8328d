"""Relays for the mail channel: a real aiosmtpd, and a script that speaks line by line."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Relay:
    """What came, and what to answer."""

    def __init__(self) -> None:
        self.port = 0
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.helo: list[str | None] = []
        self.users: list[str] = []
        self.hang = False
        self.on_data: Callable[[], str] = lambda: self.say["data"]
        self.say = {"mail": "250 2.1.0 OK", "rcpt": "250 2.1.5 OK", "data": "250 2.0.0 taken as 7"}

    async def handle_MAIL(  # noqa: N802  aiosmtpd's name
        self, _smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        self.encrypted.append(session.ssl is not None)
        self.helo.append(session.host_name)
        return self.say["mail"]

    async def handle_RCPT(  # noqa: N802
        self, _smtp: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.say["rcpt"].startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.say["rcpt"]

    async def handle_DATA(  # noqa: N802
        self, _smtp: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if self.hang:
            await asyncio.sleep(60)
        self.envelopes.append(envelope)
        return self.on_data()

    def authenticator(self, *args: Any) -> AuthResult:
        login: LoginPassword = args[-1]
        self.users.append(login.login.decode())
        return AuthResult(success=login.password == b"right", handled=False)


@contextmanager
def relay(
    context: ssl.SSLContext | None = None, *, tls: bool = False, **more: Any
) -> Iterator[Relay]:
    """An aiosmtpd; with *context* it offers STARTTLS, or with *tls* begins with TLS."""
    handler = Relay()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def protocol() -> SMTP:
        return SMTP(
            handler,
            hostname="relay.example",
            tls_context=None if tls else context,
            loop=loop,
            enable_SMTPUTF8=more.get("smtputf8", True),
            authenticator=handler.authenticator,
            auth_require_tls=False,
        )

    async def serve() -> asyncio.Server:
        return await loop.create_server(protocol, "127.0.0.1", 0, ssl=context if tls else None)

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(10)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


Talk = Callable[[socket.socket], None]


@contextmanager
def scripted(talk: Talk) -> Iterator[int]:
    """A server on loopback that treats each connection by *talk*; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            with suppress(OSError):
                talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for one in open_ones:
            one.close()
        thread.join(10)


def line_by_line(*replies: str | None) -> Talk:
    """Greets with the first reply, then answers each line by the next; None hangs up."""

    def talk(connection: socket.socket) -> None:
        lines = connection.makefile("rb")
        for index, reply in enumerate(replies):
            if index and not lines.readline():
                return
            if reply is None:
                connection.shutdown(socket.SHUT_RDWR)
                return
            connection.sendall(reply.encode() + b"\r\n")
            if reply.startswith("354"):
                while lines.readline() not in (b".\r\n", b""):
                    pass
                following = replies[index + 1 : index + 2]
                if following and following[0]:
                    connection.sendall(following[0].encode() + b"\r\n")
                connection.shutdown(socket.SHUT_RDWR)
                return

    return talk


class Certificates:
    """A CA of our own and a server of it, as files."""

    def __init__(self, folder: Path, *names: str) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert(*names)
        self.ca = folder / "ca.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        authority.cert_pem.write_to_path(str(self.ca))
        issued.private_key_pem.write_to_path(str(self.key))
        for index, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(str(self.certificate), append=index > 0)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context
