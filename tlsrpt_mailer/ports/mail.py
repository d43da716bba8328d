"""Mails as sources take them, and what became of each."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.report.times import Time

Outcome: TypeAlias = Literal[
    "stored", "superseded", "duplicate", "held", "quarantined", "ignored", "failed"
]
"""``failed`` is temporary trouble of ours: the source keeps the mail and offers it again."""


class RawMail(msgspec.Struct, frozen=True):
    """One mail (or bare report file) as a source took it."""

    raw: bytes
    source: str
    """The source's name, such as ``imap:tlsrpt@imap.example.com``."""
    taken_at: Time
    """IMAP's INTERNALDATE, the moment of arrival, or a file's import."""
    file_name: str | None = None
    """Only for bare report files: content alone decides what it is."""
    keep_ignored: bool = False
    """True where the source cannot leave a mail that is no report (SMTP, LMTP, pipe):
    its raw bytes then go to ``ignored`` (or are forwarded) before it is acknowledged."""
    forward_to: str | None = None
    """Hand this mail on to this address, whatever it is (mail for the postmaster)."""
    forward_ignored_to: str | None = None
    """Hand it on to this address if it is no report, in place of keeping it."""
    again: bool = False
    """Read it anew though it lies in quarantine or is held: an operator asked for that, or its
    key may be in reach by now."""
    trusted: bool = False
    """By whom it is stands on the operator's word: a file that was imported, a held report that
    was released as it is."""
    sender: str | None = None
    """The envelope's sender, where the source knows it: ``<>`` for none."""
    recipients: tuple[str, ...] = ()
    """The envelope's recipients, likewise."""


class Receipt(msgspec.Struct, frozen=True):
    """What became of one mail. Final once returned: it is committed (or `failed`)."""

    outcome: Outcome
    reason: str | None = None
    reports: tuple[Outcome, ...] = ()
    """One outcome a report found, in order; empty for a mail without one."""


Deliver: TypeAlias = Callable[[Sequence[RawMail]], list[Receipt]]
"""Take mails into the store; one receipt a mail, in order, after the commit. Never raises
for trouble with a mail or with the store: such mails get a `failed` receipt."""
