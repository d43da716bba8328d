"""
Failures as alerts of Prometheus' Alertmanager: one alert a failure.

Grouping is Alertmanager's own business (`group_by: [result_type, mx]` makes one
notification of a cause), and so is who answered (its silences). It forgets what is not
said again, so open failures are posted every few minutes; `endsAt` lies `keep` ahead.
"""

import base64
import time
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec

from tlsrpt_mailer.alerts.words import name, of, safe, token
from tlsrpt_mailer.channels import http
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.channels.webhook import check_url
from tlsrpt_mailer.ports import Notice, NoticeFailure, Sent
from tlsrpt_mailer.report.times import DAY, MINUTE, Span, Time, iso

AT_ONCE = 200
"""Alerts in one request."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    ``[[channel]]`` of kind "alertmanager".

    Raises:
        ValueError: No address, or more than one, or half a login.
    """

    url: str | None = None
    """Without /api/v2: ``http://127.0.0.1:9093``."""
    url_file: str | None = None
    url_env: str | None = None
    url_command: tuple[str, ...] = ()
    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    password_command: tuple[str, ...] = ()
    ca_file: str | None = None
    """Trust the certificates in this PEM file, and no others."""
    keep: Annotated[Span, msgspec.Meta(ge=10 * MINUTE, le=7 * DAY)] = 15 * MINUTE
    """How long an alert stands when it is not posted again; longer than from one `once` to the
    next."""
    timeout: Annotated[Span, msgspec.Meta(ge=1, le=2 * MINUTE)] = http.SECONDS
    """For each request."""

    def __post_init__(self) -> None:
        """Exactly one way to the address, and a whole login or none."""
        check_url(self.url, (self.url_file, self.url_env, self.url_command))
        password = self.password_file or self.password_env or self.password_command
        if bool(password) != bool(self.username):
            raise ValueError("username and a password (password_file ...) go together")


class AlertmanagerNotifier:
    """`ports.Notifier` and `ports.Keeper` by Alertmanager's API, version 2."""

    def __init__(
        self, settings: Settings, here: Here, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._here = here
        self._url = here.secret(settings, "url")
        self._password = here.secret(settings, "password")
        self._clock = clock

    def notify(self, notice: Notice, _remote_ref: str | None) -> Sent:
        """See `ports.Notifier.notify`. What is told and not open any more ends now."""
        now = int(self._clock())
        still_open = {one.failure for one in notice.open_failures}
        over = [one for one in notice.failures if one.failure not in still_open]
        alerts = [self._alert(one, now, now) for one in over]
        alerts += [self._alert(one, now, None) for one in notice.open_failures]
        if not alerts:
            return Sent("no failure in it, so nothing for Alertmanager")
        return Sent(self._post(alerts))

    def refresh(self, failures: Sequence[NoticeFailure]) -> None:
        """See `ports.Keeper.refresh`."""
        now = int(self._clock())
        self._post([self._alert(one, now, None) for one in failures])

    def _post(self, alerts: Sequence[dict[str, object]]) -> str:
        answer = ""
        url = self._settings.url or (self._url() if self._url else "")
        for at in range(0, len(alerts), AT_ONCE):
            answer = http.request(
                f"{url.rstrip('/')}/api/v2/alerts",
                msgspec.json.encode(alerts[at : at + AT_ONCE]),
                self._headers(),
                ca_file=self._settings.ca_file,
                seconds=self._settings.timeout,
            ).said
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self._password is not None:
            login = f"{self._settings.username}:{self._password()}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
        return headers

    def _alert(self, one: NoticeFailure, now: Time, ended: Time | None) -> dict[str, object]:
        until = now + self._settings.keep if ended is None else ended
        labels = {
            "alertname": "TLSRPT",
            "instance": token(self._here.host),
            "failure": str(one.failure),
            "policy_domain": token(one.policy_domain),
            "policy_type": token(one.policy_type),
            "result_type": token(one.result_type),
            "severity": token(one.severity),
        }
        if one.mx is not None:
            labels["mx"] = token(one.mx)
        return {
            "labels": labels,
            "annotations": _annotations(one),
            "startsAt": iso(min(one.first_seen, until)),
            "endsAt": iso(until),
        }


def _annotations(one: NoticeFailure) -> dict[str, str]:
    at = f" at {name(one.mx)}" if one.mx is not None else ""
    return {
        "summary": f"{safe(one.result_type, 80)}{at}, mail for {name(one.policy_domain)}",
        "description": f"{of(one.failed_sessions, one.sessions)} sessions failed;"
        f" last seen at {iso(one.last_seen)}.",
        "command": f"tlsrpt-mailer failures show {one.failure}",
    }
