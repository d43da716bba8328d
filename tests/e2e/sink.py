"""A relay that the tests own: it takes, defers, refuses or hangs, and remembers."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Event, Thread
from typing import Any

from aiosmtpd.smtp import SMTP

from tests.e2e.waiting import PATIENCE, until

TAKEN = "250 2.0.0 taken"


class Sink:
    """
    What came to the relay; use it by `relay`.

    `answer` is asked for each mail before it counts as taken: it returns the reply
    line, or None to never answer at all.
    """

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[bytes] = []
        self.tried: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.answer: Callable[[], str | None] = lambda: TAKEN
        self.asked = Event()

    async def receive(self, envelope: Any) -> str:
        """What aiosmtpd brings; the answer to it."""
        raw = bytes(envelope.content)
        self.tried.append(raw)
        reply = self.answer()
        self.asked.set()
        if reply is None:
            await asyncio.Event().wait()
        if reply is not None and reply.startswith("2"):
            self.taken.append(raw)
            self.recipients.append(list(envelope.rcpt_tos))
        return reply or ""

    def wait(self, count: int = 1, within: float = PATIENCE) -> list[EmailMessage]:
        """The mails, as soon as *count* have been taken."""
        until(lambda: len(self.taken) >= count, f"{count} mails at the relay", within)
        return self.mails

    @property
    def mails(self) -> list[EmailMessage]:
        """What was taken, in order."""
        return [parsed(raw) for raw in self.taken]


class _Handler:
    """aiosmtpd looks at every attribute of its handler each time that somebody connects."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, _server: SMTP, _session: object, envelope: Any
    ) -> str:
        """What aiosmtpd calls with each mail."""
        return await self._sink.receive(envelope)


def parsed(raw: bytes) -> EmailMessage:
    """*raw* as a mail with decoded headers."""
    return message_from_bytes(raw, policy=policy.default)


def text_of(mail: EmailMessage) -> str:
    """Its plain text."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@contextmanager
def relay() -> Iterator[Sink]:
    """A relay on a free loopback port."""
    sink = Sink()
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(_Handler(sink), hostname="relay.example"), "127.0.0.1", 0)
    )
    sink.port = server.sockets[0].getsockname()[1]
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
