"""
HTTP as channels need it: one request with a deadline, and what its answer means.

No redirect is followed: a signed notice goes where it was meant to go, or nowhere.
A proxy is used where the environment names one (https_proxy, no_proxy).
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import msgspec

from tlsrpt_mailer import __version__
from tlsrpt_mailer.errors import Refused
from tlsrpt_mailer.report.times import Span

SECONDS: Span = 10
"""How long a whole request may take."""
SHOWN_CHARS = 300


T = TypeVar("T", bound=msgspec.Struct)


class Asked(msgspec.Struct, frozen=True):
    """One request."""

    url: str
    method: str
    body: bytes | None
    headers: Mapping[str, str]


class Answer(msgspec.Struct, frozen=True):
    """What the server said; a code from 200 to 299."""

    code: int
    reason: str
    headers: Mapping[str, str]
    """With names in lower case."""
    body: bytes

    def json(self, kind: type[T]) -> T:
        """The body as a *kind*, a struct with defaults; an empty one where it is something else."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return kind()

    @property
    def said(self) -> str:
        """The first line, for people."""
        return shown(f"{self.code} {self.reason}")


def request(
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    method: Literal["GET", "POST"] = "POST",
    ca_file: str | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """
    Send one request and read the answer.

    Raises:
        Temporary: No connection, no trust, too slow, or 408, 425, 429, 5yz. With
            *retry_in* where the server said Retry-After.
        Refused: Any other answer that is not 2yz, or *url* is no http or https address.
    """
    # Heavy: a program without such a channel does not load it.
    from tlsrpt_mailer.channels.fetching import fetch  # noqa: PLC0415

    asked = Asked(
        url, method, body, {"User-Agent": f"tlsrpt-mailer/{__version__}", **(headers or {})}
    )
    return fetch(asked, place(url), ca_file, seconds)


def place(url: str) -> str:
    """
    The server of *url*, for messages: the rest of it may be a secret.

    Raises:
        Refused: It is no http or https address.
    """
    with suppress(ValueError):
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
        if parts.scheme in ("http", "https") and parts.hostname and plain:
            port = f":{parts.port}" if parts.port else ""
            return f"{parts.scheme}://{parts.hostname}{port}"
    raise Refused("the url is no https:// (or http://) address without a user and password in it")


def shown(text: str) -> str:
    """*text* of a server in one line, cut."""
    return " ".join(re.sub(r"[^\x20-\x7e]+", " ", text).split())[:SHOWN_CHARS]
