"""
Mails a second over LMTP: our listener, with a core that returns at once, and
aiosmtpd alone, with a handler that throws mails away. Run it by hand:

    python -m tests.bench.lmtp

Both servers run in this process, the clients in another one. The ratio has to
be at least one half (the commit comes on top, once for all that wait).
"""

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from aiosmtpd.lmtp import LMTP

from tests import mails
from tests.sources.listeners import listening

MAILS = 4000
CONNECTIONS = 20
ROUNDS = 3


class Sink:
    """Throws mails away."""

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
        del server, session, envelope
        return "250 OK"


@contextlib.contextmanager
def bare() -> Iterator[int]:
    """The port of aiosmtpd alone."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: LMTP(Sink(), loop=loop, hostname="x"), "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    port: int = server.sockets[0].getsockname()[1]
    thread.start()
    yield port
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@contextlib.contextmanager
def ours() -> Iterator[int]:
    """The port of our listener."""
    with listening() as lmtp:
        yield lmtp.port


async def _converse(port: int, count: int) -> None:
    raw = mails.mail(mails.report()).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b"LHLO x\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    for _ in range(count):
        writer.write(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<tlsrpt@example.com>\r\nDATA\r\n")
        for _ in range(3):
            await reader.readline()
        writer.write(raw + b".\r\n")
        assert (await reader.readline()).startswith(b"250")
    writer.close()


async def _clients(port: int) -> None:
    each = MAILS // CONNECTIONS
    await asyncio.gather(*(_converse(port, each) for _ in range(CONNECTIONS)))


def rate(port: int) -> float:
    """Mails a second, sent by a process of their own."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "tests.bench.lmtp", str(port)], check=True)
    return MAILS / (time.perf_counter() - start)


def main() -> None:
    """Print both rates and their ratio, the best of some rounds."""
    theirs = own = 0.0
    for _ in range(ROUNDS):
        with bare() as port:
            theirs = max(theirs, rate(port))
        with ours() as port:
            own = max(own, rate(port))
    sys.stdout.write(
        f"aiosmtpd alone {theirs:.0f}/s, our listener {own:.0f}/s, ratio {own / theirs:.2f}\n"
    )
    sys.exit(own < theirs / 2)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_clients(int(sys.argv[1])))
    else:
        main()
