"""
Notices by HTTP: one POST of JSON each, signed if there is a secret.

What goes over the wire stands in docs/reference/webhook.md.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Annotated

import msgspec

from tlsrpt_mailer.channels import http, payload
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.errors import Refused
from tlsrpt_mailer.ports import Notice, Sent
from tlsrpt_mailer.report.times import MINUTE, Span


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    ``[[channel]]`` of kind "webhook".

    Raises:
        ValueError: No address, or more than one, or one that is none.
    """

    url: str | None = None
    url_file: str | None = None
    """Where the address is itself a secret."""
    url_env: str | None = None
    url_command: tuple[str, ...] = ()
    secret_file: str | None = None
    """Signs each request."""
    secret_env: str | None = None
    secret_command: tuple[str, ...] = ()
    ca_file: str | None = None
    """Trust the certificates in this PEM file, and no others."""
    timeout: Annotated[Span, msgspec.Meta(ge=1, le=2 * MINUTE)] = http.SECONDS
    """For the whole request."""

    def __post_init__(self) -> None:
        """Exactly one way to the address."""
        check_url(self.url, (self.url_file, self.url_env, self.url_command))


def check_url(url: str | None, elsewhere: tuple[object, ...]) -> None:
    """Raise ValueError where there is not exactly one of *url* and the places *elsewhere*."""
    given = [one for one in (url, *elsewhere) if one]
    if not given:
        raise ValueError("url is missing (or url_file, url_env, url_command)")
    if len(given) > 1:
        raise ValueError("say url once")
    if url is not None:
        try:
            http.place(url)
        except Refused as error:
            raise ValueError(str(error)) from None


class WebhookNotifier:
    """`ports.Notifier` by HTTP."""

    def __init__(
        self, settings: Settings, here: Here, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._url = here.secret(settings, "url")
        self._secret = here.secret(settings, "secret")
        self._clock = clock

    def notify(self, notice: Notice, remote_ref: str | None) -> Sent:
        """See `ports.Notifier.notify`."""
        body = payload.encode(notice, remote_ref)
        answer = http.request(
            self._settings.url or (self._url() if self._url else ""),
            body,
            self._headers(notice, body),
            ca_file=self._settings.ca_file,
            seconds=self._settings.timeout,
        )
        return Sent(answer.said, _ref(answer))

    def _headers(self, notice: Notice, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": http.shown(notice.id),
            "X-TLSRPT-Event": http.shown(notice.event),
        }
        if self._secret is not None:
            stamp = str(int(self._clock()))
            signed = hmac.new(self._secret().encode(), f"{stamp}.".encode() + body, hashlib.sha256)
            headers["X-TLSRPT-Timestamp"] = stamp
            headers["X-TLSRPT-Signature"] = f"sha256={signed.hexdigest()}"
        return headers


class _Reply(msgspec.Struct):
    """What we look for in the answer."""

    ref: str | int | None = None


def _ref(answer: http.Answer) -> str | None:
    """The name that the other side gave: "ref" of a JSON object, else Location."""
    ref = answer.json(_Reply).ref
    found = answer.headers.get("location") if ref is None else str(ref)
    return http.shown(found) if found else None
