"""The words of trust: what is known of who wrote a mail."""

from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.times import Time

Word: TypeAlias = Literal["pass", "unsigned", "third-party", "fail", "pending", "history"]
"""
Whether the reporting domain signed (RFC 8460, 3).

``history``: old mail whose key has left DNS. ``pending``: DNS did not answer.
"""


class Verdict(msgspec.Struct, frozen=True):
    """Whether one mail is by whom it says it is."""

    word: Word
    reason: str
    """In words for a person; may hold names out of the mail."""
    domain: str | None = None
    """The signing domain (d=): verified for ``pass``, claimed for ``pending`` and ``history``."""
    covers_type: bool = False
    """Of ``pass``: whether Content-Type is among the fields that were signed."""


class KeyAnswer(msgspec.Struct, frozen=True):
    """What DNS said of the place where a key should be."""

    kind: Literal["found", "absent", "trouble"]
    texts: tuple[bytes, ...] = ()
    """Of ``found``: each TXT record, its strings put together."""
    error: str = ""
    """Of ``trouble``: what went wrong."""
    last_seen: Time | None = None
    """Of a kept key: when it was in DNS last; None where it is there now."""
