"""What people were told: read from the mails that reached the relay, and from nothing else."""

from collections.abc import Sequence
from email.utils import parsedate_to_datetime

import msgspec

from tests.e2e.sink import parsed
from tlsrpt_mailer.report.times import Time

Key = tuple[str, str, str]
"""Of a failure: domain, result type, MX (empty for none)."""
FAILURE_EVENTS = ("new", "worsened", "not-fixed", "regressed", "resolved")


class Telling(msgspec.Struct, frozen=True):
    """One line of X-TLSRPT-Mailer about one failure."""

    key: Key
    event: str
    severity: str


class Mail(msgspec.Struct, frozen=True):
    """One mail as somebody got it."""

    at: Time
    recipient: str
    subject: str
    event: str
    """Of its first line for filters; empty where it has none."""
    tellings: tuple[Telling, ...]
    text: str
    message_id: str

    @property
    def kind(self) -> str:
        """What sort of mail it is; what it tells, it tells by its lines for filters."""
        if "still open" in self.subject.lower():
            return "reminder"
        return "maintenance" if "after maintenance" in self.subject else self.event or "other"

    @property
    def is_alert(self) -> bool:
        """Whether it says that something began, got worse, or is over."""
        return self.kind in FAILURE_EVENTS or self.kind == "maintenance"


def mails_of(taken: Sequence[bytes]) -> list[Mail]:
    """The mails that a relay took, in order."""
    return [mail_of(raw) for raw in taken]


def mail_of(raw: bytes) -> Mail:
    """One mail, with what it says to filters."""
    mail = parsed(raw)
    facts = [_facts(str(line)) for line in mail.get_all("X-TLSRPT-Mailer", [])]
    body = mail.get_body(("plain",))
    return Mail(
        at=int(parsedate_to_datetime(str(mail["Date"])).timestamp()),
        recipient=str(mail["To"]),
        subject=" ".join(str(mail["Subject"]).split()),
        event=facts[0].get("event", "") if facts else "",
        tellings=tuple(
            Telling((one["domain"], one["result"], one["mx"]), one["event"], one["severity"])
            for one in facts
            if "failure" in one
        ),
        text="" if body is None else str(body.get_content()),
        message_id=str(mail["Message-ID"]),
    )


def _facts(line: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in line.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}
