"""People who act in the season: they answer alerts by mail, and plan maintenance."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parseaddr

from tests.e2e.sink import Sink, parsed
from tests.season.incidents import Incident, Planned
from tests.season.told import Mail, mail_of
from tlsrpt_mailer.report.times import DAY, Time, iso

PLAN_AHEAD = DAY


class People:
    """Read what came to the relay, and answer in time."""

    def __init__(self, incidents: Iterable[Incident], sink: Sink) -> None:
        self._sink = sink
        self._read = 0
        self._waiting = [one for one in incidents if one.answer is not None]
        self._planning = [one.planned for one in incidents if one.planned is not None]
        self._answers: list[tuple[Time, bytes]] = []

    def answers(self, now: Time) -> Iterator[tuple[Time, bytes]]:
        """The mails that people have written by *now*, each with its moment."""
        for raw in self._sink.taken[self._read :]:
            self._answers += self._answer(mail_of(raw), raw)
        self._read = len(self._sink.taken)
        due = [one for one in self._answers if one[0] <= now]
        self._answers = [one for one in self._answers if one[0] > now]
        yield from due

    def plans(self, now: Time) -> list[Sequence[str]]:
        """Commands for maintenance that begins within a day."""
        due = [one for one in self._planning if one.start - PLAN_AHEAD <= now]
        self._planning = [one for one in self._planning if one not in due]
        return [plan(one) for one in due]

    def _answer(self, mail: Mail, raw: bytes) -> Iterator[tuple[Time, bytes]]:
        keys = {one.key for one in mail.tellings if one.event == "new"}
        for incident in list(self._waiting):
            mine = {(name, incident.result, incident.mx or "") for name in incident.domains}
            if keys & mine and incident.answer is not None and mail.at >= incident.begin:
                self._waiting.remove(incident)
                at = mail.at + incident.answer.after
                yield at, _reply(raw, incident.answer.kind, at)


def plan(planned: Planned) -> Sequence[str]:
    """The command that enters a maintenance."""
    begin, end = iso(planned.start), iso(planned.end)
    kind = f"--{planned.kind}"
    return ("maintenance", "add", kind, planned.name, "--from", begin, "--until", end)


def _reply(raw: bytes, word: str, at: Time) -> bytes:
    mail = parsed(raw)
    to = parseaddr(str(mail["Reply-To"]))[1]
    quoted = "".join(f"> {line}\n" for line in mail_of(raw).text.splitlines()[:20])
    return (
        f"Return-Path: <{mail['To']}>\nFrom: Somebody <{mail['To']}>\nTo: {to}\n"
        f"Date: {format_datetime(datetime.fromtimestamp(at, UTC))}\n"
        f"Message-ID: <{at}.answer@example.net>\n"
        f"In-Reply-To: {mail['Message-ID']}\nSubject: Re: {mail['Subject']}\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
        f"{word}\n\nTLS reports wrote:\n{quoted}"
    ).encode()
