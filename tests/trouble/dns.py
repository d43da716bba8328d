"""A DNS server of our own that answers by UDP and TCP as a test says, or not at all."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Reply = bytes | dns.message.Message | None
Answer = Callable[[dns.message.Message, str], Reply]
"""A question and ``udp`` or ``tcp``, to what is sent; None: nothing."""


class Server:
    """Where it listens, and what it was asked; `tcp` False: nobody is there."""

    def __init__(
        self, answer: Answer, *, family: int, tcp: bool, at: tuple[str, int] | None
    ) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []
        host, port = at or ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0)
        self._udp, self._tcp = _pair(host, port, family)
        self.port = self._udp.getsockname()[1]
        if not tcp:
            self._tcp.close()
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.drip = 0.0
        """Seconds between the bytes of an answer by TCP."""
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    def stop(self) -> None:
        self._over.set()
        self._udp.close()
        with suppress(OSError):
            self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()

    def _reply(self, raw: bytes, way: str) -> bytes | None:
        question = dns.message.from_wire(raw)
        self.asked.append((str(question.question[0].name), way))
        reply = self.answer(question, way)
        return reply.to_wire(max_size=65_535) if isinstance(reply, dns.message.Message) else reply

    def _serve_udp(self) -> None:
        with suppress(OSError):
            while not self._over.is_set():
                raw, peer = self._udp.recvfrom(4096)
                if (reply := self._reply(raw, "udp")) is not None:
                    self._udp.sendto(reply, peer)

    def _serve_tcp(self) -> None:
        with suppress(OSError):
            while not self._over.is_set():
                connection, _ = self._tcp.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, struct.error):
            stream = connection.makefile("rb")
            (size,) = struct.unpack("!H", stream.read(2))
            reply = self._reply(stream.read(size), "tcp")
            if reply is None:
                self._over.wait(30)
                return
            whole = struct.pack("!H", len(reply)) + reply
            if not self.drip:
                connection.sendall(whole)
                return
            for byte in whole:
                connection.sendall(bytes([byte]))
                self._over.wait(self.drip)


def _pair(host: str, port: int, family: int) -> tuple[socket.socket, socket.socket]:
    """Sockets for UDP and TCP on one free port."""
    while True:
        tcp = socket.create_server((host, port), family=family)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname()[:2])
        except OSError:
            tcp.close()
            udp.close()
        else:
            return udp, tcp


@contextmanager
def server(
    answer: Answer,
    *,
    family: int = socket.AF_INET,
    tcp: bool = True,
    at: tuple[str, int] | None = None,
) -> Iterator[Server]:
    """One that listens on a free port of loopback, or *at* this address and port."""
    one = Server(answer, family=family, tcp=tcp, at=at)
    one.start()
    try:
        yield one
    finally:
        one.stop()


def texts(
    question: dns.message.Message, *records: bytes, ttl: int = 300, name: str | None = None
) -> dns.message.Message:
    """The answer that has these TXT records."""
    reply = dns.message.make_response(question)
    reply.flags |= dns.flags.RA
    if records:
        owner = name or question.question[0].name
        found = [quoted(one) for one in records]
        reply.answer.append(dns.rrset.from_text_list(owner, ttl, "IN", "TXT", found))
    return reply


def quoted(text: bytes) -> str:
    """A TXT record as a zone file has it, in strings of 255 bytes at most."""
    return " ".join(f'"{text[at : at + 255].decode()}"' for at in range(0, len(text), 255))


def refused(rcode: str) -> Answer:
    """Says this to everything."""

    def answer(question: dns.message.Message, _way: str) -> dns.message.Message:
        reply = dns.message.make_response(question)
        reply.set_rcode(dns.rcode.from_text(rcode))
        return reply

    return answer


def truncated(question: dns.message.Message, way: str, *records: bytes) -> dns.message.Message:
    """By UDP only that there is more; all of it by TCP."""
    reply = texts(question, *(records if way == "tcp" else ()))
    if way == "udp":
        reply.flags |= dns.flags.TC
    return reply
