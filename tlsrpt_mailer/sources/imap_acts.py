"""What becomes of mails in the mailbox once they are stored."""

from collections.abc import Sequence

from tlsrpt_mailer.sources.imap_failing import Declined
from tlsrpt_mailer.sources.imap_session import Session
from tlsrpt_mailer.sources.imap_settings import Settings


class Acts:
    """Flags, moves or deletes over one session, making the folders when first needed."""

    def __init__(self, settings: Settings, session: Session) -> None:
        self._settings = settings
        self._session = session
        self._folders: dict[str, str] = {}
        self.gone = 0
        """How many mails have left the folder by this."""
        self.left_marked = False
        r"""Mails are marked ``\Deleted`` and stay, as the server has no UIDPLUS (RFC 4315)."""

    def act(self, done: Sequence[int], unreadable: Sequence[int]) -> None:
        """
        Do what is configured. A report that nobody can read is never deleted.

        Raises:
            Declined: The server refuses; the mails (or some of them) are where they were.
        """
        match self._settings.after:
            case "keep":
                pass
            case "seen":
                if both := sorted([*done, *unreadable]):
                    self._session.flag_seen(both)
            case "move":
                self._move(done, self._settings.done_folder)
                self._move(unreadable, self._settings.failed_folder)
            case "delete":
                if done:
                    self._session.delete(done)
                    self._count(done)
                self._move(unreadable, self._settings.failed_folder)

    def _move(self, uids: Sequence[int], wanted: str) -> None:
        if not uids:
            return
        fresh = wanted not in self._folders
        folder = self._folder(wanted)
        try:
            self._session.move(uids, folder)
        except Declined:
            if fresh:
                raise
            del self._folders[wanted]  # somebody may have deleted it since
            self._session.move(uids, self._folder(wanted))
        self._count(uids, moved=True)

    def _folder(self, wanted: str) -> str:
        if wanted not in self._folders:
            self._folders[wanted] = self._session.make_folder(wanted)
        return self._folders[wanted]

    def _count(self, uids: Sequence[int], *, moved: bool = False) -> None:
        expunged = self._session.can("UIDPLUS") or (moved and self._session.can("MOVE"))
        self.left_marked = self.left_marked or not expunged
        self.gone += len(uids) if expunged else 0
