"""Fetch mails so that one which the server does not hand out holds up none of the others."""

from collections.abc import Sequence

import msgspec

from tlsrpt_mailer.errors import Unreachable
from tlsrpt_mailer.sources.imap_failing import Declined
from tlsrpt_mailer.sources.imap_session import Message, Session

BREAKS = 3
"""A mail whose fetch ended the connection so often is not asked for again in this process."""


class Memory(msgspec.Struct):
    """What a source remembers from one look to the next, while the process lives."""

    breaks: dict[tuple[int, int], int] = msgspec.field(default_factory=dict)
    """By UIDVALIDITY and UID: how often a fetch of this mail ended the connection."""
    not_moved: str = ""
    """Why mails could not be moved at the last look; said once."""


class Fetcher:
    """Fetches over one session."""

    def __init__(self, session: Session, memory: Memory) -> None:
        self._session = session
        self._memory = memory
        self.uidvalidity = 0
        self.said = ""
        """Why the server declined a fetch, last."""

    def fetch(self, uids: Sequence[int]) -> tuple[list[Message], list[int]]:
        """
        Fetch, one by one where the lot fails.

        Returns:
            The mails, and the UIDs that the server has but does not hand out. Mails that
            are gone meanwhile are in neither.
        """
        suspects = [uid for uid in uids if (self.uidvalidity, uid) in self._memory.breaks]
        trusted = [uid for uid in uids if (self.uidvalidity, uid) not in self._memory.breaks]
        got = self._fetch_lot(trusted)
        missing = set(trusted) - {message.uid for message in got}
        if missing:
            suspects += [mail.uid for mail in self._session.sizes(missing)]
        withheld = []
        for uid in suspects:
            single = [] if self.breaks_off(uid) else self._fetch_lot([uid])
            if single:
                self._memory.breaks.pop((self.uidvalidity, uid), None)
                got += single
            elif self._session.sizes([uid]):
                withheld.append(uid)
        return sorted(got, key=lambda message: message.uid), withheld

    def _fetch_lot(self, uids: Sequence[int]) -> list[Message]:
        if not uids:
            return []
        try:
            return self._session.fetch(uids)
        except Declined as refusal:
            self.said = str(refusal)
            return []
        except Unreachable:
            # A server may die of a mail that its index knows and its disk does not
            # have; asked for singly, the others still come.
            for uid in uids:
                key = (self.uidvalidity, uid)
                self._memory.breaks[key] = self._memory.breaks.get(key, 0) + 1
            raise

    def breaks_off(self, uid: int) -> bool:
        """Has fetching *uid* ended the connection so often that it is not asked for again?"""
        return self._memory.breaks.get((self.uidvalidity, uid), 0) >= BREAKS
