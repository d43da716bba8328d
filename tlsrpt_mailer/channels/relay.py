"""
Notices by mail, through a relay of their own: the second route for ``alerts.fallback``.

The keys are those of ``[alerts.smtp]``, and `to`.
"""

import hashlib
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from tlsrpt_mailer.alerts.words import safe, token
from tlsrpt_mailer.channels.email import EmailChannel
from tlsrpt_mailer.channels.email import Settings as MailSettings
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.errors import Refused
from tlsrpt_mailer.ports import Letter, Notice, Sent


class Settings(MailSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    ``[[channel]]`` of kind "email".

    Raises:
        ValueError: Nobody to send to, or what `email.Settings` says.
    """

    to: tuple[str, ...]
    """Who gets each notice, in a mail of his own."""

    def __post_init__(self) -> None:
        """Somebody, and what the relay needs."""
        if not self.to:
            raise ValueError("to names nobody")
        super().__post_init__()


class RelayNotifier:
    """`ports.Notifier` by SMTP."""

    def __init__(self, settings: Settings, here: Here) -> None:
        self._to = settings.to
        self._here = here
        self._relay = EmailChannel(
            settings, here.secret(settings, "password"), here.sender, f"channel {here.name}"
        )
        self._done: dict[str, frozenset[str]] = {}
        """Who has a notice already of which somebody else could not be reached."""

    def notify(self, notice: Notice, _remote_ref: str | None) -> Sent:
        """See `ports.Notifier.notify`. A refusal of one address stops no other."""
        done = self._done.get(notice.id, frozenset())
        answers, refused = [], []
        for address in self._to:
            if address in done:
                continue
            try:
                answers.append(self._relay.send(self._letter(notice, address)))
            except Refused as error:
                refused.append(str(error))
            done = self._done[notice.id] = done | {address}
        self._done.pop(notice.id, None)
        if refused and not answers:
            raise Refused("; ".join(refused))
        return Sent("; ".join(answers + refused))

    def _letter(self, notice: Notice, address: str) -> Letter:
        domain = token(self._here.sender.rpartition("@")[2]) or "localhost"
        mail = EmailMessage(policy=SMTP)
        mail["From"] = f"TLS reports <{self._here.sender}>"
        mail["To"] = address
        mail["Date"] = format_datetime(datetime.fromtimestamp(notice.at, UTC))
        mail["Subject"] = safe(notice.title)
        mail["Message-ID"] = f"<tlsrpt.notice.{_digest(notice.id)}@{domain}>"
        # Every notice of a cause hangs below one name, so that they make a thread.
        mail["References"] = f"<tlsrpt.cause.{_digest(notice.key)}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-TLSRPT-Mailer"] = f"event={token(notice.event)}; severity={token(notice.severity)}"
        mail.set_content(notice.text)
        return Letter(mail["Message-ID"], address, notice.title, notice.event, mail.as_bytes())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
