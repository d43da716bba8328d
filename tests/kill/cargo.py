"""What is fed while the daemon is killed, and what has to be in the database in the end."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cached_property
from typing import Literal

import msgspec

from tests import mails
from tests.e2e.stories import day

Kind = Literal["report", "bad", "letter"]

SESSIONS = 3433
REVISED = 5000
FAILED = 1893
EVERY = 20
"""One of each kind among so many mails; every tenth is about a failure."""


class Mail(msgspec.Struct, frozen=True):
    """One mail, and what has to become of it."""

    raw: bytes
    kind: Kind
    """A report is taken, a bad one quarantined, and a letter is none of ours."""

    @property
    def sha256(self) -> bytes:
        """What the store knows it by."""
        return hashlib.sha256(self.raw).digest()


class Cargo(msgspec.Struct, frozen=True, dict=True):
    """All mails of a run, in the order in which they are fed."""

    mails: tuple[Mail, ...]
    counted: Mapping[str, tuple[int, int]]
    """Each domain with the sessions of its one report that counts: successful, failed."""
    superseded: int
    failing: frozenset[str]
    held: Mapping[str, str] = {}
    """Each domain with why its one report is held."""
    foreign: frozenset[str] = frozenset()
    """Domains that are not ours, in reports that count for one of ours."""
    trust: str = "unchecked"
    """Of all reports that count."""

    @cached_property
    def hashes(self) -> Counter[bytes]:
        """Each mail as the store knows it, with how often it is fed."""
        return Counter(mail.sha256 for mail in self.mails)

    def of(self, *kinds: Kind) -> list[bytes]:
        """The mails of these kinds, as they are fed."""
        return [mail.raw for mail in self.mails if mail.kind in kinds]

    @cached_property
    def letters(self) -> int:
        """How many are letters of people."""
        return len(self.of("letter"))


def cargo(count: int) -> Cargo:
    """*count* mails: reports, copies, revisions, unreadable ones and letters of people."""
    made: list[Mail] = []
    counted: dict[str, tuple[int, int]] = {}
    failing: set[str] = set()
    superseded = 0
    for number in range(count):
        domain, before = f"d{number}.example", f"d{number - 1}.example"
        match number % EVERY:
            case 0 | 10:
                made.append(_report(domain, number, fails=True))
                counted[domain] = (SESSIONS, FAILED)
                failing.add(domain)
            case 3:  # the very same mail once more
                made.append(made[-1])
            case 5:  # the same report in another mail
                made.append(_report(before, number - 1, message_id=f"<again{number}@google.com>"))
            case 7:
                letter = mails.letter(subject=f"Lunch {number}")
                made.append(Mail(letter.replace(b"\n", b"\r\n"), "letter"))
            case 13:
                broken = mails.mail(f'{{"policies": [{number}'.encode(), newline="\r\n")
                made.append(Mail(broken, "bad"))
            case 17:  # the sender counted anew
                made.append(_report(before, number - 1, successful=REVISED))
                counted[before] = (REVISED, 0)
                superseded += 1
            case _:
                made.append(_report(domain, number))
                counted[domain] = (SESSIONS, 0)
    return Cargo(tuple(made), counted, superseded, frozenset(failing))


def _report(
    domain: str,
    number: int,
    *,
    fails: bool = False,
    successful: int = SESSIONS,
    message_id: str | None = None,
) -> Mail:
    """Google's report about one day of a domain; a revision is dated later."""
    row = mails.detail(mx=f"mx{number}.example.net", failed=FAILED)
    on = day(1 + number % 3)
    body = mails.report(domain, on, successful=successful, details=(row,) if fails else ())
    at = "10" if successful == SESSIONS else "11"
    raw = mails.mail(
        body, date=f"{written(on)} {at}:00:00 +0000", message_id=message_id, newline="\r\n"
    )
    return Mail(raw, "report")


def written(on: str) -> str:
    """The day after *on*, as a Date header has it."""
    return (date.fromisoformat(on) + timedelta(days=1)).strftime("%d %b %Y")
