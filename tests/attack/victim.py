"""A daemon to attack, an honest sender, and what the attack costs the daemon."""

import itertools
import smtplib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import trustme

from tests.e2e.daemon import RECIPIENT, SENDER, Daemon, Site, running
from tests.e2e.stories import clean
from tests.e2e.waiting import until
from tests.ports import free_port
from tests.sources.listeners import Client

HONEST = "127.0.0.77"
"""Where the honest sender comes from; attackers come from elsewhere."""

MAX_SIZE = 1_048_576
CONNECTIONS = 20
TIMEOUT = 2

_numbers = itertools.count(1)

SOURCE = """
[[source]]
kind = "{kind}"
listen = "{listen}"
recipients = ["{recipient}"]
hostname = "mx.example.com"
max_size = "1MB"
max_connections = {connections}
timeout = "{timeout}s"
"""


class Usage(NamedTuple):
    """What a process has of the machine."""

    rss: int
    """In KiB."""
    threads: int
    sockets: int


class Victim:
    """
    A real daemon with one listener.

    Args:
        kind: ``lmtp`` or ``smtp``.
        where: A TCP port of loopback, or the path of a unix socket.
    """

    def __init__(self, kind: str, where: int | str, daemon: Daemon, site: Site) -> None:
        self.kind = kind
        self.where = where
        self.daemon = daemon
        self.site = site
        self.hello = "LHLO attacker" if kind == "lmtp" else "EHLO attacker"
        self._refused = 0

    def connect(self, source_address: str = "127.0.0.1") -> Client:
        """A raw connection, before its greeting."""
        return Client(self.where, source_address=source_address)

    def greeted(self, source_address: str = "127.0.0.1") -> Client:
        """A raw connection that has said hello."""
        return self.connect(source_address).greet(self.hello)

    def in_tls(self, source_address: str = "127.0.0.1") -> Client:
        """A raw connection that may begin the handshake."""
        client = self.greeted(source_address)
        assert client.ask("STARTTLS").startswith("220")
        return client

    def in_data(self, source_address: str = "127.0.0.1") -> Client:
        """A raw connection in the middle of a mail."""
        client = self.greeted(source_address)
        assert [answer[:3] for answer in client.begin(RECIPIENT)] == ["250"]
        assert client.ask("DATA").startswith("354")
        return client

    def honest(self) -> int:
        """
        A sender with a report, who comes again as senders do, gets it in.

        Returns:
            How often it was told to come again.

        Raises:
            AssertionError: It was not taken, or is not stored.
        """
        domain = f"honest{next(_numbers)}.example"
        self._refused = 0
        until(lambda: self._sent(clean(1, domain)), "the honest sender's report is taken")
        stored = self.site.count(f"windows WHERE domain = '{domain}'")
        assert stored == 1, f"{stored} windows of {domain} are stored"
        return self._refused

    def _sent(self, raw: bytes) -> bool:
        try:
            with self._client() as client:
                client.sendmail(SENDER, RECIPIENT, raw)
        except (smtplib.SMTPException, OSError) as error:
            if getattr(error, "smtp_code", 421) not in {-1, 421, 452}:
                raise
            self._refused += 1
            return False
        return True

    def _client(self) -> smtplib.SMTP:
        if isinstance(self.where, str):
            return smtplib.LMTP(self.where)
        kind = smtplib.LMTP if self.kind == "lmtp" else smtplib.SMTP
        return kind("127.0.0.1", self.where, source_address=(HONEST, 0))

    def usage(self) -> Usage:
        """Of the daemon, now."""
        proc = Path(f"/proc/{self.daemon.pid}")
        about = dict(
            line.split(":", 1) for line in (proc / "status").read_text().splitlines() if ":" in line
        )
        sockets = sum(_is_socket(path) for path in (proc / "fd").iterdir())
        return Usage(int(about["VmRSS"].split()[0]), int(about["Threads"]), sockets)

    @contextmanager
    def bounded(self, megabytes: int = 24) -> Iterator[None]:
        """What goes on inside costs few megabytes and no thread or socket that stays."""
        before = self.usage()
        log = len(self.daemon.log)
        most = [before.rss]
        with _watched(lambda: most.append(self.usage().rss)):
            yield
        assert self.daemon.process.poll() is None, "the daemon has ended"
        until(lambda: self.usage().sockets <= before.sockets, "all connections are gone")
        after = self.usage()
        assert max(most) - before.rss <= megabytes * 1024, (before, max(most))
        assert after.threads <= before.threads + 4  # jobs have threads of their own
        said = self.daemon.log[log:]
        assert "connection.failed" not in said, said
        assert "listener." not in said, said
        assert said.count("connection.refused") <= 4, said


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except FileNotFoundError:
        return False


@contextmanager
def _watched(look: Callable[[], None]) -> Iterator[None]:
    """Call *look* again and again meanwhile."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(0.02):
            look()

    watcher = threading.Thread(target=run)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


@contextmanager
def victim(folder: Path, kind: str, socket: str) -> Iterator[Victim]:
    """A daemon with one listener; *socket* is ``tcp`` or ``unix``."""
    where: int | str = free_port() if socket == "tcp" else str(folder / "socket")
    listen = where if isinstance(where, str) else f"127.0.0.1:{where}"
    source = SOURCE.format(
        kind=kind, listen=listen, recipient=RECIPIENT, connections=CONNECTIONS, timeout=TIMEOUT
    )
    site = Site(folder, source + certificate(folder))
    with running(site) as daemon:
        it = Victim(kind, where, daemon, site)
        # What is loaded at the first mail is no cost of an attack.
        it.honest()
        yield it


def certificate(folder: Path) -> str:
    """A certificate of our own, and the keys of a listener that name it."""
    cert = trustme.CA().issue_cert("mx.example.com")
    (folder / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in cert.cert_chain_pems))
    (folder / "key.pem").write_bytes(cert.private_key_pem.bytes())
    return f'tls_cert = "{folder}/chain.pem"\ntls_key = "{folder}/key.pem"\n'


class Dripping:
    """Sends its bytes one by one, forever, until it is told to end or cut off."""

    def __init__(self, client: Client, data: bytes, pause: float = 0.1) -> None:
        self._end = threading.Event()
        self._client = client
        self._data = itertools.cycle(data)
        self._pause = pause
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with suppress(OSError):
            while not self._end.wait(self._pause):
                self._client.sock.send(bytes([next(self._data)]))

    @property
    def is_sending(self) -> bool:
        """Whether it has not been cut off yet."""
        return self._thread.is_alive()

    def __enter__(self) -> "Dripping":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        self._thread.join()


@contextmanager
def crowd(count: int, make: Callable[[str], Client]) -> Iterator[list[Client]]:
    """*count* clients, each from an address of its own."""
    with ExitStack() as stack:
        yield [stack.enter_context(make(f"127.1.0.{number + 1}")) for number in range(count)]
