"""Test reports to our own addresses, and what has become of them."""

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from tlsrpt_mailer.report.times import Time


class SentCanary(msgspec.Struct, frozen=True, kw_only=True):
    """One test report."""

    token: str
    address: str
    sent_at: Time
    answer: str | None = None
    """What the MX said, or why it could not be sent."""
    came_at: Time | None = None
    source: str | None = None
    """Where it came in."""
    signature: str | None = None
    """What was made of its signature: ``pass``, or in words why not."""


class Canaries(Protocol):
    """What sending test reports reads and writes; each call is its own transaction."""

    def save(self, one: SentCanary) -> None:
        """Remember that it was sent; one that came back meanwhile stays so."""

    def last(self, addresses: Collection[str]) -> Mapping[str, SentCanary]:
        """The last one to each of these."""

    def unanswered(self, addresses: Collection[str]) -> Mapping[str, SentCanary]:
        """Of those to which one was sent since the last that came back: the first such."""

    def came(self) -> SentCanary | None:
        """The last one to any address that came back."""

    def key(self) -> bytes | None:
        """The key that they are signed with, once one was made."""

    def save_key(self, key: bytes) -> None:
        """Keep it."""


class Mover(Protocol):
    """Who carries a mail to the MX of its recipient, as a sender would."""

    def __call__(self, raw: bytes, sender: str, recipient: str) -> str:
        """Hand it over; returns what the MX answered. Raises Temporary or Refused."""
