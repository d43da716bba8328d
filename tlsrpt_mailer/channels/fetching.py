"""
How one request is made: `urllib`, under a deadline over all of it.

Taken apart from `http` because it is loaded only where a request is made.
"""

import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from tlsrpt_mailer.channels.http import SHOWN_CHARS, Answer, Asked, shown
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.report.times import Span

MOST_BYTES = 64 * 1024
"""How much of an answer is read."""
LATER = frozenset({408, 425, 429})
"""Codes under 500 that may change (RFC 9110, 8470, 6585)."""


def fetch(asked: Asked, where: str, ca_file: str | None, seconds: float) -> Answer:
    """See `http.request`; *where* names the server in messages."""
    request = urllib.request.Request(  # noqa: S310  see http.place
        asked.url, data=asked.body, headers=dict(asked.headers), method=asked.method
    )
    with _deadline(where, seconds) as note, _trouble(where, seconds):
        opener = urllib.request.build_opener(
            _Http(note), _Https(note, _context(ca_file)), _Stay(), _proxies(asked.url)
        )
        with opener.open(request, timeout=seconds) as got:
            return Answer(
                got.status,
                str(got.reason or ""),
                {name.lower(): value for name, value in got.headers.items()},
                got.read(MOST_BYTES),
            )


def _proxies(url: str) -> urllib.request.ProxyHandler:
    """Those of the environment, but never for this very host."""
    host = urlsplit(url).hostname or ""
    is_here = host in ("localhost", "::1") or host.startswith("127.")
    return urllib.request.ProxyHandler({} if is_here else None)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing: 3yz is an answer like any other."""

    def redirect_request(self, *_: Any) -> None:
        return None


Note: TypeAlias = Callable[[socket.socket], None]


class _Plain(HTTPConnection):
    def __init__(self, host: str, *, note: Note, **options: Any) -> None:
        super().__init__(host, **options)
        self._note = note

    def connect(self) -> None:
        super().connect()
        self._note(self.sock)


class _Tls(HTTPSConnection):
    def __init__(self, host: str, *, note: Note, tls: ssl.SSLContext, **options: Any) -> None:
        super().__init__(host, context=tls, **options)
        self._note = note
        self._tls = tls

    def connect(self) -> None:
        HTTPConnection.connect(self)
        name = getattr(self, "_tunnel_host", None) or self.host  # behind a proxy
        self.sock = self._tls.wrap_socket(
            self.sock, server_hostname=name, do_handshake_on_connect=False
        )
        # Noted before the handshake: that can be dragged out as well.
        self._note(self.sock)
        self.sock.do_handshake()


class _Http(urllib.request.HTTPHandler):
    def __init__(self, note: Note) -> None:
        super().__init__()
        self._note = note

    def http_open(self, req: urllib.request.Request) -> Any:  # as the base class has it
        return self.do_open(partial(_Plain, note=self._note), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, note: Note, tls: ssl.SSLContext) -> None:
        super().__init__(context=tls)
        self._note = note
        self._tls = tls

    def https_open(self, req: urllib.request.Request) -> Any:  # as the base class has it
        return self.do_open(partial(_Tls, note=self._note, tls=self._tls), req)


@contextmanager
def _deadline(where: str, seconds: float) -> Iterator[Note]:
    """Each read has a time-out; this ends a server that sends a byte now and then."""
    made: list[socket.socket] = []
    over = threading.Event()

    def end() -> None:
        over.set()
        for one in made:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield made.append
    except (Temporary, Refused):
        if not over.is_set():
            raise
    finally:
        timer.cancel()
    # Not only after an error: a connection cut within the headers looks like a whole answer.
    if over.is_set():
        raise Temporary(f"{where} did not answer within {seconds:g} s", is_cut_off=True)


@contextmanager
def _trouble(where: str, seconds: float) -> Iterator[None]:
    """Everything that is not an answer of 2yz, as Temporary or Refused."""
    try:
        yield
    except urllib.error.HTTPError as answer:
        with answer:
            _not_taken(where, answer)
    except urllib.error.URLError as error:
        cause = error.reason if isinstance(error.reason, OSError) else error
        raise Temporary(_said(where, seconds, cause), is_cut_off=True) from error
    except (OSError, HTTPException, ValueError) as error:
        raise Temporary(_said(where, seconds, error), is_cut_off=True) from error


def _not_taken(where: str, answer: urllib.error.HTTPError) -> None:
    text = f"{where} says {answer.code} {shown(str(answer.reason or ''))}".rstrip()
    said = shown(_body(answer))
    text += f": {said}" if said else ""
    if answer.code in LATER or answer.code >= 500:
        raise Temporary(text, retry_in=retry_after(answer.headers))
    if 300 <= answer.code < 400:
        raise Refused(f"{text} (redirects are not followed)")
    raise Refused(text)


def _body(answer: urllib.error.HTTPError) -> str:
    with suppress(OSError, HTTPException, ValueError):
        return answer.read(SHOWN_CHARS * 4).decode("utf-8", "replace")
    return ""


def retry_after(headers: Message) -> Span | None:
    """The seconds of Retry-After (RFC 9110, 10.2.3): a number, or a date beside Date."""
    given = (headers.get("Retry-After") or "").strip()
    if given.isascii() and given.isdigit():
        return int(given[:9])
    with suppress(ValueError, TypeError, OverflowError):
        until = parsedate_to_datetime(given)
        sent = parsedate_to_datetime(headers.get("Date") or "")
        return max(0, int((until - sent).total_seconds()))
    return None


def _said(where: str, seconds: float, error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or error
        return f"the certificate of {where} is not trusted: {why} (ca_file names a CA of your own)"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer within {seconds:g} s"
    if isinstance(error, OSError):
        return shown(f"{where}: {error.strerror or error}")
    return shown(f"{where}: {error or type(error).__name__}")


def _context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"ca_file: {ca_file}: {error.strerror or error}") from error
