"""A real HTTP server on loopback that answers as it is told to, with or without TLS."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec


class Asked(msgspec.Struct):
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Site:
    """What came, and what to answer."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.code = 200
        self.headers: dict[str, str] = {}
        self.body = b"ok"
        self.trickle = False
        self.over = threading.Event()

    def handler(site) -> type[BaseHTTPRequestHandler]:  # noqa: N805  `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                site.asked.append(Asked(self.command, self.path, headers, self.rfile.read(length)))
                if site.trickle:
                    self._trickle()
                    return
                self.send_response(site.code)
                for name, value in site.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(site.body)))
                self.end_headers()
                self.wfile.write(site.body)

            do_GET = do_POST  # noqa: N815  http.server's name

            def _trickle(self) -> None:
                self.wfile.write(b"HTTP/1.0 200 OK\r\n")
                while not site.over.wait(0.05):
                    self.wfile.write(b"X-More: 1\r\n")

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        return Handler


@contextmanager
def site(context: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A server of its own; with *context* it speaks TLS."""
    made = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), made.handler())
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # peers may hang up
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    made.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def closed_port() -> int:
    """A port of loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
