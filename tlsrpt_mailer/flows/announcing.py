"""What is said beside failures, and the rows that remember it."""

from collections.abc import Iterable

import msgspec

from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.ports import Announced, Letter, SilentPair
from tlsrpt_mailer.report.times import Time


class Key(msgspec.Struct, frozen=True, order=True):
    """Which row."""

    kind: str
    key: str
    recipient: str


class Announcements:
    """The rows as they are and change, and the mails that go with the changes."""

    def __init__(self, rows: Iterable[Announced], audience: Audience, now: Time) -> None:
        self.letters: list[Letter] = []
        self.audience = audience
        self.now = now
        self._rows = {key_of(row): row for row in rows}
        self._changed: dict[Key, Announced] = {}

    @property
    def changed(self) -> list[Announced]:
        """The rows to write."""
        return list(self._changed.values())

    def on(self) -> list[Announced]:
        """What holds, sorted by what it is."""
        return [self._rows[key] for key in sorted(self._rows) if self.row(key) is not None]

    def row(self, key: Key) -> Announced | None:
        """What holds; None where nothing does, or no longer."""
        found = self._rows.get(key)
        return found if found is not None and found.ended_at is None else None

    def put(self, row: Announced) -> None:
        """Write this row."""
        self._rows[key_of(row)] = self._changed[key_of(row)] = row

    def end(self, row: Announced, pairs: tuple[SilentPair, ...]) -> None:
        """It is over; who was told of it is told that, too."""
        told = self.now if row.told_at is not None else None
        self.put(msgspec.structs.replace(row, ended_at=self.now, end_told_at=told, pairs=pairs))

    def send(self, rendered: Rendered, recipient: str, event: str) -> None:
        """Freeze a mail."""
        self.letters.append(letter_of(rendered, recipient, event))

    def context(self, recipient: str) -> Context:
        """Where a mail to *recipient* is written."""
        return context_for(self.audience, recipient, self.now)

    def name(self, reporter: str) -> str:
        """As people know it: ``Google``."""
        return self.audience.names.get(reporter) or reporter


def context_for(audience: Audience, recipient: str, now: Time) -> Context:
    """Where a mail to *recipient* that is about no failure is written."""
    return msgspec.structs.replace(
        audience.context,
        now=now,
        recipient=recipient,
        tls_required_no=audience.tls_required_no == "always",
    )


def letter_of(rendered: Rendered, recipient: str, event: str) -> Letter:
    """A mail that tells of no failure."""
    return Letter(rendered.message_id, recipient, rendered.subject, event, rendered.raw)


def key_of(row: Announced) -> Key:
    """Which row it is."""
    return Key(row.kind, row.key, row.recipient)
