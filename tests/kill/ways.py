"""The ways by which mails reach the daemon, each as its other side would drive it."""

import os
import signal
import smtplib
import subprocess
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from types import MappingProxyType
from typing import Literal

from tests.e2e.daemon import RECIPIENT, SENDER, Site, imap_source
from tests.e2e.waiting import PATIENCE
from tests.kill.cargo import Cargo
from tests.ports import free_port
from tests.servers.dovecot import PASSWORD, Dovecot

PAUSE = 0.05
USER = "kill"


class Way(ABC):
    """One kind of source, and who feeds it."""

    source = ""
    """Its ``[[source]]`` block."""
    environment: Mapping[str, str] = MappingProxyType({})
    keeps_letters = False
    """Mail that is no report stays at the source; where that cannot be, the database keeps it."""

    @abstractmethod
    def feed(self, mails: Sequence[bytes]) -> None:
        """Bring these on their way, whether the daemon lives or not."""

    @abstractmethod
    def acknowledged(self) -> int:
        """How many mails the daemon has let go of so far; only ever grows."""

    @abstractmethod
    def is_over(self, cargo: Cargo) -> bool:
        """Whether everything has been acted upon at the source."""

    def wrong(self, cargo: Cargo) -> list[str]:
        """What is not at the source as it has to be in the end."""
        return []

    def kill(self) -> None:  # noqa: B027  most have nothing
        """End what else reads mails, at the same instant as the daemon."""

    @abstractmethod
    def close(self) -> None:
        """Stop feeding."""


# ------------------------------------------------------------------------- LMTP, SMTP


class Mta(Way):
    """Several connections that hand a mail over until it is answered with 250."""

    CONNECTIONS = 4
    keeps_letters = True

    def __init__(self, kind: Literal["lmtp", "smtp"]) -> None:
        self._port = free_port()
        self.source = (
            f'[[source]]\nkind = "{kind}"\nlisten = "127.0.0.1:{self._port}"\n'
            f'recipients = ["{RECIPIENT}"]\n'
        )
        self._speak: Callable[..., smtplib.SMTP] = smtplib.LMTP if kind == "lmtp" else smtplib.SMTP
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._answered = 0
        self._lock = Lock()
        self._over = Event()
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(self.CONNECTIONS)]
        for thread in self._threads:
            thread.start()

    def feed(self, mails: Sequence[bytes]) -> None:
        """Into the queue."""
        for raw in mails:
            self._queue.put(raw)

    def acknowledged(self) -> int:
        """How many were answered with 250."""
        return self._answered

    def is_over(self, cargo: Cargo) -> bool:
        """Whether each mail was."""
        return self._answered == len(cargo.mails)

    def close(self) -> None:
        """Hang up."""
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(OSError, smtplib.SMTPException, Empty):
                self._session(self._queue.get(timeout=PAUSE))
            self._over.wait(PAUSE)

    def _session(self, mail: bytes) -> None:
        """One connection for as long as there are mails; one that is not taken comes again."""
        try:
            with self._speak("127.0.0.1", self._port, timeout=PATIENCE) as client:
                while True:
                    client.sendmail(SENDER, RECIPIENT, mail)
                    with self._lock:
                        self._answered += 1
                    mail = b""
                    mail = self._queue.get(timeout=PAUSE)
        finally:
            if mail:
                self._queue.put(mail)


# ------------------------------------------------------------------------------- IMAP


class Imap(Way):
    """A mailbox at a real Dovecot, with another client that puts mails into it."""

    environment = MappingProxyType({"PASSWORD": PASSWORD})

    def __init__(self, after: Literal["keep", "move", "delete"], site: Callable[[], Site]) -> None:
        self._after = after
        self._site = site
        self._server = Dovecot(separator="/")
        self._server.start()
        more = f'after = "{after}"\n' + ('delete_after = "0d"\n' if after == "delete" else "")
        self.source = imap_source(self._server.port, USER, more)
        self._fed = 0
        self._server.put(USER, [])
        self._inbox = self._server.folder / "mail" / USER

    def feed(self, mails: Sequence[bytes]) -> None:
        """By APPEND."""
        self._fed += len(mails)
        self._server.put(USER, mails)

    def acknowledged(self) -> int:
        """How many have left the folder; with keep, how far the daemon has come in it."""
        if self._after == "keep":
            rows = self._site().select("SELECT coalesce(max(uid), 0) FROM positions")
            return int(rows[0][0]) if rows else 0
        there = 0
        for folder in ("new", "cur"):
            with suppress(FileNotFoundError):
                there += len(os.listdir(self._inbox / folder))  # noqa: PTH208  names are enough
        return self._fed - there

    def is_over(self, cargo: Cargo) -> bool:
        """Whether only what stays is there; with keep, whether all was looked at."""
        stays = 0 if self._after == "keep" else cargo.letters
        return self.acknowledged() == len(cargo.mails) - stays

    def wrong(self, cargo: Cargo) -> list[str]:
        """Each folder has to hold its mails, each as often as it was put there."""
        folders = {
            "keep": {"INBOX": cargo.of("report", "bad", "letter")},
            "move": {
                "INBOX": cargo.of("letter"),
                "TLSRPT/Done": cargo.of("report"),
                "TLSRPT/Failed": cargo.of("bad"),
            },
            "delete": {"INBOX": cargo.of("letter"), "TLSRPT/Failed": cargo.of("bad")},
        }[self._after]
        found = []
        for folder, wanted in folders.items():
            there = Counter(self._server.bodies(USER, folder))
            for what, some in (
                ("not in", Counter(wanted) - there),
                ("too many in", there - Counter(wanted)),
            ):
                if some:
                    found.append(f"{some.total()} mails {what} {folder}")
        return found

    def close(self) -> None:
        """End the server."""
        self._server.remove()


# ---------------------------------------------------------------------------- Maildir


class Maildir(Way):
    """A folder into which an MDA delivers: written in tmp, then renamed into new."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("tmp", "new", "cur"):
            (folder / name).mkdir(parents=True)
        self.source = f'[[source]]\nkind = "maildir"\npath = "{folder}"\npoll = "1s"\n'
        self._count = 0

    def feed(self, mails: Sequence[bytes]) -> None:
        """As maildir(5) says."""
        for raw in mails:
            self._count += 1
            name = f"{int(time.time())}.M{self._count:06}.host"
            (self._folder / "tmp" / name).write_bytes(raw)
            (self._folder / "tmp" / name).rename(self._folder / "new" / name)

    def acknowledged(self) -> int:
        """How many lie in cur."""
        return len(os.listdir(self._folder / "cur"))  # noqa: PTH208  names are enough

    def is_over(self, cargo: Cargo) -> bool:
        """Whether all do."""
        return self.acknowledged() == len(cargo.mails)

    def close(self) -> None:
        """Nothing is left running."""

    def wrong(self, cargo: Cargo) -> list[str]:
        """All mails lie in cur, as often as they were delivered, and nowhere else."""
        there = Counter(file.read_bytes() for file in (self._folder / "cur").iterdir())
        same = there == Counter(mail.raw for mail in cargo.mails)
        left = [*(self._folder / "new").iterdir(), *(self._folder / "tmp").iterdir()]
        return ([] if same else ["cur does not hold each mail once"]) + (
            [f"{len(left)} mails are left in new and tmp"] if left else []
        )


# ------------------------------------------------------------------------------- pipe


class Pipe(Way):
    """`import -` as a process for each mail; anything but 0 has it brought again."""

    keeps_letters = True

    def __init__(self, site: Callable[[], Site]) -> None:
        self._site = site
        self._queue: deque[bytes] = deque()
        self._answered = 0
        self._child: subprocess.Popen[bytes] | None = None
        self.deaths = 0
        """How many ended by themselves, and badly."""
        self._over = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def feed(self, mails: Sequence[bytes]) -> None:
        """Into the queue."""
        self._queue.extend(mails)

    def acknowledged(self) -> int:
        """How many processes ended with 0."""
        return self._answered

    def is_over(self, cargo: Cargo) -> bool:
        """Whether one did for each mail."""
        return self._answered == len(cargo.mails)

    def kill(self) -> None:
        """The one that runs now, if one does."""
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """Start no further one."""
        self._over.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._over.is_set():
            if not self._queue:
                self._over.wait(PAUSE)
                continue
            if self._import(self._queue[0]) == 0:
                self._queue.popleft()
                self._answered += 1

    def _import(self, raw: bytes) -> int:
        site = self._site()
        with subprocess.Popen(
            site.words("import", "-"),
            env=site.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            self._child = child
            with suppress(BrokenPipeError):
                child.communicate(raw)
            self.deaths += child.returncode == -signal.SIGABRT
            return child.returncode


# ----------------------------------------------------------------------------- choose

NAMES = ("imap-keep", "imap-move", "imap-delete", "lmtp", "smtp", "maildir", "pipe")
SERVERS = ("imap-keep", "imap-move", "imap-delete")
"""Those that need a real server."""


@contextmanager
def way(name: str, folder: Path, site: Callable[[], Site]) -> Iterator[Way]:
    """The way of that name, ended in the end; *site* is asked once it is known."""
    made: Way
    match name:
        case "imap-keep":
            made = Imap("keep", site)
        case "imap-move":
            made = Imap("move", site)
        case "imap-delete":
            made = Imap("delete", site)
        case "lmtp":
            made = Mta("lmtp")
        case "smtp":
            made = Mta("smtp")
        case "maildir":
            made = Maildir(folder / "Maildir")
        case _:
            made = Pipe(site)
    try:
        yield made
    finally:
        made.close()
