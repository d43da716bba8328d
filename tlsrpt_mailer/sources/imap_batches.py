"""Which mails are read in one go. Pure."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

BATCH_BYTES = 8 * 1024 * 1024
BATCH_MAILS = 200
SMALL = BATCH_BYTES // BATCH_MAILS
"""Mails up to this size never make a batch too large, so their sizes need not be known."""
NAMED = 5
"""How many UIDs a warning names."""


class Listed(msgspec.Struct, frozen=True):
    """One mail of the folder, not fetched yet."""

    uid: int
    size: int
    number: int
    """Its message sequence number: how many mails come up to it."""


class Batch(msgspec.Struct, frozen=True):
    """Mails to read in one go, and those in between that are too large to be read."""

    read: tuple[Listed, ...]
    large: tuple[Listed, ...]

    @property
    def last(self) -> Listed:
        """The mail with the greatest UID."""
        return max(self.read[-1:] + self.large[-1:], key=lambda mail: mail.uid)


def batches(mails: Iterable[Listed], mail_limit: int) -> Iterator[Batch]:
    """Cut *mails* (by UID) into batches of at most 200 mails or 8 MiB; one mail may be larger."""
    read: list[Listed] = []
    large: list[Listed] = []
    size = 0
    for mail in mails:
        if mail.size > mail_limit:
            large.append(mail)
            continue
        if read and (len(read) == BATCH_MAILS or size + mail.size > BATCH_BYTES):
            yield Batch(tuple(read), tuple(large))
            read, large, size = [], [], 0
        read.append(mail)
        size += mail.size
    if read or large:
        yield Batch(tuple(read), tuple(large))


def mails(count: int) -> str:
    """``1 mail`` or ``7 mails``."""
    return "1 mail" if count == 1 else f"{count:,} mails"


def named(uids: Sequence[int]) -> str:
    """How many, and the first of them by UID: ``2 mails (UID 7, 9) are``."""
    first = ", ".join(str(uid) for uid in sorted(uids)[:NAMED])
    more = ", ..." if len(uids) > NAMED else ""
    return f"{mails(len(uids))} (UID {first}{more}) {'is' if len(uids) == 1 else 'are'}"
