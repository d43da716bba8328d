"""
One conversation with an IMAP server: the only place that knows imapclient.

Every way in which it can fail comes out as `Unreachable` (this connection is
over) or `Declined` (the server said NO; the connection goes on).
"""

import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TypeAlias

import msgspec
from imapclient import DELETED, SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from tlsrpt_mailer.errors import TlsrptError, Unreachable
from tlsrpt_mailer.report.times import MINUTE, Span, Time
from tlsrpt_mailer.sources.imap_batches import Listed
from tlsrpt_mailer.sources.imap_failing import Declined, all_unreachable, failures
from tlsrpt_mailer.sources.imap_folders import Grammar, no_such_folder, server_name
from tlsrpt_mailer.sources.imap_login import log_in
from tlsrpt_mailer.sources.imap_settings import Settings

LONGEST: Span = 15 * MINUTE
"""How long one command may take while bytes still trickle; the guard ends it then."""
LITERAL = 32 * 1024 * 1024
"""No mail that is asked for is larger than half of this; its size was asked for before."""
RANGE = 1_000
PAGE = 600
"""How many UIDs one command names at most: RFC 7162, 4 asks for lines below 8,192 bytes."""
CROWDED = 50_000
"""From so many mails on, a search never spans more than 65,536 UIDs: imaplib reads no
line over 1,000,000 bytes."""

Secret: TypeAlias = Callable[[], str]


class Selected(msgspec.Struct, frozen=True):
    """The folder as it was when it was selected."""

    uidvalidity: int
    uidnext: int | None
    """None from servers that do not say (RFC 3501 makes it optional)."""
    exists: int


class Message(msgspec.Struct, frozen=True):
    """One mail, fetched."""

    uid: int
    raw: bytes
    internal_date: Time | None
    """When the server took it; None where it does not say."""


class Session:
    """A logged-in connection. One thread talks; `break_off` and `late` are for others."""

    def __init__(self, settings: Settings, client: IMAPClient) -> None:
        self._host = settings.host
        self._timeout = settings.timeout
        self._client = client
        self._broken = False
        self._until: float | None = None
        # A second handle on the same connection: shutting it down ends a read in
        # another thread, whatever imaplib and ssl hold at that moment.
        self._breaker = socket.socket(fileno=os.dup(client.socket().fileno()))

    @classmethod
    def open(cls, settings: Settings, secret: Secret, context: ssl.SSLContext) -> "Session":
        """
        Connect and log in.

        Raises:
            Unreachable: No connection, no trusted certificate, or the login was refused.
        """
        word = secret()
        with all_unreachable(settings.host, settings.timeout):
            client = IMAPClient(
                settings.host,
                port=settings.at_port,
                ssl=settings.security == "tls",
                ssl_context=context,
                timeout=settings.timeout,
            )
            client._imap.read = _limited(client._imap.read)
            session = cls(settings, client)
            try:
                client.normalise_times = False
                log_in(client, settings, word, context)
            except BaseException:
                session._broken = True
                session.close()
                raise
        return session

    # -------------------------------------------------------------- from any thread

    def break_off(self) -> None:
        """Shut the connection, at once: a read in another thread ends with an error."""
        with suppress(OSError):
            self._breaker.shutdown(socket.SHUT_RDWR)

    @property
    def late(self) -> bool:
        """Has the command under way taken longer than any may?"""
        until = self._until
        return until is not None and time.monotonic() > until

    # -------------------------------------------------------------- folders

    def can(self, capability: str) -> bool:
        """Does the server offer this, now that we are logged in?"""
        with self._talking():
            return bool(self._client.has_capability(capability))

    def select(self, folder: str, *, readonly: bool) -> Selected:
        """
        Open *folder* (afresh, if it is open already); *readonly* by EXAMINE.

        Raises:
            Unreachable: It cannot be opened; the text lists the folders that exist.
        """
        try:
            with self._talking():
                answer = self._client.select_folder(folder, readonly=readonly)
        except Declined as refusal:
            existing = self.folders()
            if folder not in existing and folder.upper() != "INBOX":
                raise Unreachable(no_such_folder(self._host, folder, existing)) from None
            raise Unreachable(f'{self._host}: folder "{folder}": {refusal}') from None
        validity = answer.get(b"UIDVALIDITY")
        if not validity:
            raise Unreachable(f"{self._host} gives no UIDVALIDITY (RFC 3501, 2.3.1.1)")
        return Selected(validity, answer.get(b"UIDNEXT"), answer.get(b"EXISTS", 0))

    def folders(self) -> list[str]:
        """The names of all folders that can be opened."""
        with self._talking():
            listed = self._client.list_folders()
        shut = {rb"\noselect", rb"\nonexistent"}
        return [name for flags, _, name in listed if not shut & {flag.lower() for flag in flags}]

    def make_folder(self, wanted: str) -> str:
        """
        The folder *wanted* as the server writes it, created where it is missing.

        Raises:
            Declined: The server does not create it.
        """
        existing = self.folders()
        name = server_name(wanted, self._grammar(), existing)
        if name not in existing:
            with self._talking():
                self._client.create_folder(name)
            with suppress(Declined), self._talking():
                self._client.subscribe_folder(name)
        return name

    def _grammar(self) -> Grammar:
        with self._talking():
            if self._client.has_capability("NAMESPACE"):
                personal = self._client.namespace().personal
                if personal:
                    prefix, separator = personal[0]
                    return Grammar(separator or None, prefix)
            listed = self._client.list_folders("", "")
            separator = listed[0][1] if listed else None
            return Grammar(separator.decode() if separator else None)

    # -------------------------------------------------------------- mails

    def pages(self, first: int, selected: Selected, small: int) -> Iterator[list[Listed]]:
        """
        All mails from UID *first* on, in order, a thousand at a time.

        One answer for a whole mailbox would pass imaplib's limit for a line and ours
        for memory, so this walks over ranges of UIDs, wider ones where few mails lie.

        Args:
            small: Mails up to so many bytes are listed as having this size.
        """
        if selected.uidnext is None:
            # "n:*" always holds the last mail, even if its UID is below n.
            found = [uid for uid in self._search("UID", f"{first}:*") if uid >= first]
            yield from self._listed(found, small)
            return
        widest = 2**16 if selected.exists > CROWDED else 2**32
        width = RANGE
        while first < selected.uidnext:
            last = min(first + width, selected.uidnext) - 1
            found = self._search("UID", f"{first}:{last}")
            yield from self._listed(found, small)
            width = min(width * 4, widest) if len(found) < RANGE // 4 else RANGE
            first = last + 1

    def _search(self, *criteria: str | int) -> list[int]:
        with self._talking():
            return sorted(self._client.search(list(criteria)))

    def _listed(self, uids: Sequence[int], small: int) -> Iterator[list[Listed]]:
        """
        Reports are small: asking for the sizes of the few that are not is half the work.
        """
        for start in range(0, len(uids), RANGE):
            part = uids[start : start + RANGE]
            large = set(self._search("UID", f"{part[0]}:{part[-1]}", "LARGER", small))
            sizes = {mail.uid: mail for mail in self.sizes(sorted(large | {part[0]}))}
            known = sizes.get(part[0])
            before = known.number if known else start + 1
            yield [
                Listed(uid, sizes[uid].size if uid in sizes else small, before + index)
                for index, uid in enumerate(part)
                if uid not in large or uid in sizes
            ]

    def sizes(self, uids: Collection[int]) -> list[Listed]:
        """The sizes of those of *uids* that exist, by UID."""
        found = []
        named = sorted(uids)
        for start in range(0, len(named), PAGE):
            with self._talking():
                answer = self._client.fetch(named[start : start + PAGE], [b"RFC822.SIZE"])
            # A FETCH that nobody asked for (flags changed elsewhere) carries no size.
            found += [
                Listed(uid, parts[b"RFC822.SIZE"], parts[b"SEQ"])
                for uid, parts in answer.items()
                if b"RFC822.SIZE" in parts
            ]
        return sorted(found, key=lambda mail: mail.uid)

    def fetch(self, uids: Sequence[int]) -> list[Message]:
        """
        The mails, unread flags untouched, in the order of *uids*; absent ones are left out.

        Raises:
            Declined: The server refuses; one mail of the lot may be at fault.
        """
        with self._talking():
            answer = self._client.fetch(uids, [b"BODY.PEEK[]", b"INTERNALDATE"])
        found = []
        for uid in uids:
            raw = answer.get(uid, {}).get(b"BODY[]")
            if isinstance(raw, bytes):
                found.append(Message(uid, raw, _seconds(answer[uid].get(b"INTERNALDATE"))))
        return found

    def flag_seen(self, uids: Sequence[int]) -> None:
        r"""Set ``\Seen``. Raises Declined."""
        with self._talking():
            self._client.add_flags(uids, SEEN, silent=True)

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move to *folder* (as the server writes it). Raises Declined."""
        with self._talking():
            if self._client.has_capability("MOVE"):
                self._client.move(uids, folder)
                return
            self._client.copy(uids, folder)
        self.delete(uids)

    def delete(self, uids: Sequence[int]) -> None:
        r"""
        Delete these mails and no others. Raises Declined.

        Without UIDPLUS (RFC 4315) they are only marked ``\Deleted``: a plain EXPUNGE
        would take along what somebody else has marked.
        """
        with self._talking():
            self._client.add_flags(uids, DELETED, silent=True)
            if self._client.has_capability("UIDPLUS"):
                self._client.uid_expunge(uids)

    # -------------------------------------------------------------- waiting

    def noop(self) -> None:
        """Keep the connection from being closed as idle."""
        with self._talking():
            self._client.noop()

    def idle(self, seconds: float, wake: int) -> bool:
        """
        Wait until the server says something, *wake* (a file descriptor) can be read, or
        *seconds* are over. True when mails may have come.

        A hint that comes in one packet with the server's "+ idling" lies in a buffer
        already and is seen only when IDLE ends. So a NOOP asks first, and callers keep
        the first wait short.
        """
        with self._talking():
            _, responses = self._client.noop()
        if _has_news(responses):
            return True
        try:
            with self._talking():
                self._client.idle()
        except Declined as refusal:  # anything but "+" comes out so: imaplib is lost then
            self._broken = True
            raise Unreachable(f"{self._host} answers IDLE with {refusal}") from refusal
        poller = select.poll()
        poller.register(self._client.socket().fileno(), select.POLLIN)
        poller.register(wake, select.POLLIN)
        poller.poll(seconds * 1000)
        with self._talking():
            _, responses = self._client.idle_done()
        return _has_news(responses)

    def close(self) -> None:
        """Log out if the server still answers, and close the connection."""
        if not self._broken:
            with suppress(TlsrptError), self._talking():
                self._client.logout()
        with suppress(OSError, IMAPClientError, ValueError):
            self._client.shutdown()
        self._breaker.close()

    @contextmanager
    def _talking(self) -> Iterator[None]:
        self._until = time.monotonic() + LONGEST
        try:
            with failures(self._host, self._timeout):
                yield
        except Unreachable:
            self._broken = True
            raise
        finally:
            self._until = None


def _limited(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """*read* as imaplib reads a literal, for those that any mail may need."""

    def limited(size: int) -> bytes:
        if size > LITERAL:
            raise IMAPClientAbortError(f"it announces {size} bytes at once")
        return read(size)

    return limited


def _has_news(responses: Sequence[tuple[object, ...]]) -> bool:
    return any(len(response) > 1 and response[1] == b"EXISTS" for response in responses)


def _seconds(date: object) -> Time | None:
    try:
        return max(0, int(date.timestamp())) if isinstance(date, datetime) else None
    except (OverflowError, ValueError):
        return None
