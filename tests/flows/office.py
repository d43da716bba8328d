"""A world in which people answer alerts."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests import mails
from tests.flows.world import NOW, STANDING, World, organisational
from tlsrpt_mailer.alerts.directory import Directory, DomainBlock, Owner
from tlsrpt_mailer.alerts.model import Context
from tlsrpt_mailer.alerts.route import owns
from tlsrpt_mailer.flows.ingest import Ingest
from tlsrpt_mailer.flows.ingest import Settings as IngestSettings
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.flows.replies import Answers, Settings
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.ports import FailureRecord, Letter, Receipt, Told
from tlsrpt_mailer.report.times import DAY

ANA = "ana@example.com"
KIM = "kim@shop.example"
TOKEN = "abcdefghijklmnopqrstuvwxy2"
OTHER = "zzzzzzzzzzzzzzzzzzzzzzzzz7"
ADDRESS = "tlsrpt@example.com"
RETAIL = "retail"

DIRECTORY = Directory(
    Owner(name="default", addresses=(ANA,), is_default=True, answer_from=("boss@example.com",)),
    [Owner(name="shop", addresses=(KIM,), escalate_to=("head@shop.example",))],
    [
        DomainBlock(
            match=("shop.example", "*.shop.example"),
            owners=(Owner(name="shop", addresses=(KIM,), answer_from=("@desk.shop.example",)),),
            group=RETAIL,
        )
    ],
)
CONTEXT = Context(
    now=0,
    host="mail.example.com",
    version="0.3",
    recipient="",
    sender="tlsrpt-mailer@mail.example.com",
)


def may(address: str, record: FailureRecord) -> bool:
    """By the directory, as the program does it."""
    identity = record.verdict.identity
    return owns(address, identity.domain, identity.result_type, identity.mx, DIRECTORY)


class Office(World):
    """Reports fail, alerts are told, people answer."""

    def __init__(
        self, folder: Path, *, reply_to: str | None = ADDRESS, busy_seconds: float = 0.05
    ) -> None:
        super().__init__(folder, busy_seconds=busy_seconds)
        self.standing = Standing(STANDING.shipped, group_of=DIRECTORY.group_of)
        self.ingest = Ingest(
            self.store,
            IngestSettings(
                read=lambda raw, name: read(raw, file_name=name),
                organisational=organisational,
                standing=self.standing,
                answers=Answers(Settings(DIRECTORY, may, self.standing, CONTEXT, reply_to)),
            ),
            self.clock,
        )

    def report(
        self, domain: str, before: int = 1, *, mx: str = "mx1.example.com", clean: bool = False
    ) -> None:
        """A report about the day that lies *before* days back comes in, failing or clean."""
        day = datetime.fromtimestamp(self.now - before * DAY, UTC).strftime("%Y-%m-%d")
        details = () if clean else (mails.detail(mx=mx),)
        (receipt,) = self.take(mails.mail(mails.report(domain, day, details=details)))
        assert "stored" == receipt.outcome

    def end(self, domain: str) -> None:
        """Clean days come in until it is over, at the time of the last one."""
        for _ in range(4):
            self.now += DAY
            self.report(domain, clean=True)
        assert self.state(domain) == "resolved"

    def tell(
        self,
        *failures: int,
        token: str = TOKEN,
        recipient: str = ANA,
        more: tuple[int, ...] = (),
    ) -> None:
        """An alert about these goes out, with a token; *more* are named without news."""
        told = tuple(
            Told(failure=one, recipient=recipient, incident=1, event="new", at=self.now)
            for one in failures
        )
        letter = Letter(
            f"<tlsrpt.{token}@mail.example.com>",
            recipient,
            "CRITICAL example.com: certificate expired [tlsrpt 1]",
            "new",
            b"alert",
            told,
            token=token,
            failures=more,
        )
        with self.store.compose() as txn:
            txn.save_letters([letter], self.now)
        self.sent()

    def answer(self, text: str, **fields: Any) -> Receipt:
        """A person's answer comes in."""
        (receipt,) = self.take(reply(text, **fields))
        return receipt

    def sent(self) -> list[EmailMessage]:
        """The letters that wait for the relay; they wait no longer."""
        found = []
        for outgoing in self.store.outbox.due(self.now):
            parsed = message_from_bytes(outgoing.letter.raw, policy=policy.default)
            parsed["X-Recipient"] = outgoing.letter.recipient
            parsed["X-Event"] = outgoing.letter.event
            self.store.outbox.sent(outgoing.id, self.now, "250 ok")
            found.append(parsed)
        return found

    def number(self, domain: str) -> int:
        """Of its only failure."""
        ((number,),) = self.rows("SELECT id FROM failures WHERE domain = ?", domain)
        return int(number)  # type: ignore[call-overload]

    def state(self, domain: str) -> str:
        """Of its only failure."""
        ((state,),) = self.rows("SELECT state FROM failures WHERE domain = ?", domain)
        return str(state)

    def acts(self) -> list[tuple[object, ...]]:
        """What was said: failure, kind, who, until, note, assignee."""
        return self.rows(
            "SELECT failure_id, kind, who, until, note, assignee FROM acts ORDER BY id"
        )

    def outcomes(self) -> list[str]:
        """What became of the answers, in order."""
        return [
            str(row[0]) for row in self.rows("SELECT outcome FROM answers ORDER BY at, outcome")
        ]


def reply(
    text: str,
    *headers: str,
    sender: str = ANA,
    token: str = TOKEN,
    message_id: str | None = None,
) -> bytes:
    """An answer as a mail program writes it."""
    lines = [
        *headers,
        f"From: {sender}",
        f"To: TLS reports <tlsrpt+ack-{token}@example.com>",
        "Subject: Re: CRITICAL example.com: certificate expired",
        f"Message-ID: {message_id or f'<{abs(hash((text, sender, headers)))}@example.com>'}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text,
        "",
        "> ack          I have it. Quiet until it is over or gets worse.",
        "",
    ]
    return "\r\n".join(lines).encode()


def text_of(mail: EmailMessage) -> str:
    """The plain text."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


__all__ = ["ADDRESS", "ANA", "KIM", "NOW", "OTHER", "RETAIL", "TOKEN", "Office", "reply", "text_of"]
