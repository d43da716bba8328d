"""A listener that runs in this process, a raw client for it, and what it delivers to."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tlsrpt_mailer.ports import Outcome, RawMail, Receipt
from tlsrpt_mailer.report.times import Span
from tlsrpt_mailer.sources.smtp import ListenerSource, Settings

NOW = 1_790_000_000
DEADLINE = 10.0

MAIL = b"Subject: a report\r\n\r\nhello\r\n"


class Store:
    """Stands where the core stands: takes batches, and answers what the test wants."""

    def __init__(self, outcome: Outcome = "stored", reason: str | None = None) -> None:
        self.receipt = Receipt(outcome, reason)
        self.batches: list[list[RawMail]] = []
        self.is_open = threading.Event()
        self.is_open.set()

    def deliver(self, mails: Sequence[RawMail]) -> list[Receipt]:
        self.batches.append(list(mails))
        assert self.is_open.wait(DEADLINE)
        return [self.receipt for _ in mails]

    @property
    def mails(self) -> list[RawMail]:
        return [mail for batch in self.batches for mail in batch]


class Health:
    """Remembers what a source said of itself."""

    def __init__(self) -> None:
        self.beats = 0
        self.said: list[tuple[str, str | None]] = []

    def beat(self, within: Span = 60) -> None:
        self.beats += 1

    def fine(self, detail: str = "") -> None:
        self.said.append(("fine", detail))

    def trouble(self, error: str, next_try: Span | None = None) -> None:
        self.said.append(("trouble", error))

    def warn(self, warning: str | None) -> None:
        self.said.append(("warn", warning))

    def backlog(self, mails: int) -> None:
        pass


class Running:
    """A source in its thread."""

    def __init__(self, source: ListenerSource, store: Store) -> None:
        self.source = source
        self.store = store
        self.health = Health()
        self._stop = threading.Event()
        self.error: BaseException | None = None
        self.start()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.source.run(self.store.deliver, self.health, self._stop)
        except RuntimeError as error:
            self.error = error

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def port(self) -> int:
        return self.source.ports[0]

    def stop(self) -> float:
        """Returns how many seconds it took."""
        start = time.monotonic()
        self._stop.set()
        self.source.close()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        return time.monotonic() - start


@contextlib.contextmanager
def listening(
    kind: Any = "lmtp",
    store: Store | None = None,
    *,
    is_local: Callable[[str], bool] | None = None,
    **settings: Any,
) -> Iterator[Running]:
    settings = {"listen": "127.0.0.1:0", "recipients": ("tlsrpt@example.com",)} | settings
    source = ListenerSource(kind, Settings(**settings), lambda: NOW, is_local=is_local)
    source.open()
    running = Running(source, store or Store())
    try:
        yield running
    finally:
        running.store.is_open.set()
        running.stop()


class Client:
    """Speaks raw SMTP or LMTP, byte by byte as the test wants it."""

    def __init__(self, where: int | str, *, source_address: str = "127.0.0.1") -> None:
        self.sock: socket.socket
        if isinstance(where, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(where)
        else:
            self.sock = socket.create_connection(
                ("127.0.0.1", where), source_address=(source_address, 0)
            )
        self.sock.settimeout(DEADLINE)
        self._buffer = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> str:
        """The next line; "" at the end of the connection."""
        while b"\n" not in self._buffer:
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                break
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode().rstrip("\r")

    def answer(self) -> str:
        """The next answer, all its lines."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def flood(self, data: bytes, times: int) -> None:
        """Send *data* again and again."""
        for _ in range(times):
            self.sock.send(data)

    def ask(self, command: str) -> str:
        self.send(command.encode() + b"\r\n")
        return self.answer()

    def rest(self) -> list[str]:
        """All lines until the other side hangs up."""
        lines = []
        while line := self.line():
            lines.append(line)
        return lines

    def greet(self, command: str = "LHLO test") -> "Client":
        assert self.answer().startswith("220")
        assert self.ask(command).startswith("250")
        return self

    def begin(self, *recipients: str, sender: str = "") -> list[str]:
        """MAIL and RCPT; the answers to RCPT."""
        assert self.ask(f"MAIL FROM:<{sender}>").startswith("250")
        return [self.ask(f"RCPT TO:<{recipient}>") for recipient in recipients]

    def data(self, raw: bytes) -> None:
        """DATA and the mail, dots stuffed, without waiting for the answer to it."""
        assert self.ask("DATA").startswith("354")
        stuffed = raw.replace(b"\r\n.", b"\r\n..")
        stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
        self.send(stuffed + b".\r\n")

    def deliver(self, raw: bytes = MAIL, *recipients: str) -> list[str]:
        """One mail over LMTP; an answer for each recipient."""
        recipients = recipients or ("tlsrpt@example.com",)
        assert [answer[:3] for answer in self.begin(*recipients)] == ["250"] * len(recipients)
        self.data(raw)
        return [self.answer() for _ in recipients]

    def secure(self, context: ssl.SSLContext, name: str = "mx.example.com") -> "Client":
        assert self.ask("STARTTLS").startswith("220")
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        return self
