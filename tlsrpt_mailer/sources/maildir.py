"""
A Maildir: new mails are taken from ``new/`` and moved to ``cur/`` after the commit.

``tmp/`` is never touched: deliveries are under way there. A mail that is no
report is moved without the flag S, so that a person who shares the Maildir sees
it as unread.
"""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import structlog

from tlsrpt_mailer.config.units import NO_MOMENT, moment_of
from tlsrpt_mailer.errors import ConfigError, Unreachable
from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.ports import Deliver, Health, RawMail, Receipt
from tlsrpt_mailer.report.times import MINUTE, Span, Time

log = structlog.get_logger()

BATCH_MAILS = 200
BATCH_BYTES = 8 * 1024 * 1024
DELIVERY: Span = 2 * MINUTE


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a source of kind ``maildir``."""

    path: str
    """The folder that holds ``new``, ``cur`` and ``tmp``."""
    poll: Annotated[Span, msgspec.Meta(ge=1)] = 10
    """How often ``new`` is looked at."""
    trust_before: str | None = None
    """Mails taken before this moment are the operator's word, signed or not."""

    def __post_init__(self) -> None:
        """Raise ValueError for what types alone cannot say."""
        if not self.path.startswith("/"):
            raise ValueError(f'path: "{self.path}" must begin with "/"')
        if self.trust_before is not None and moment_of(self.trust_before) is None:
            raise ValueError(NO_MOMENT)


class _Letter(msgspec.Struct, frozen=True):
    name: str
    mail: RawMail


class MaildirSource:
    """Takes what is in ``new/``, again and again; implements `ports.Source`."""

    def __init__(self, settings: Settings, clock: Callable[[], Time], limits: Limits) -> None:
        self._folder = Path(settings.path)
        self._poll = settings.poll
        self._clock = clock
        self._limit = limits.mail_bytes
        self._closed = threading.Event()
        self._moving: dict[str, Receipt] = {}
        """Delivered, but not moved yet: ``cur`` could not be written."""
        self._left: set[str] = set()
        self._unmoved: set[str] = set()
        """Unreadable or too large, and said so."""

    @property
    def name(self) -> str:
        """Such as ``maildir:/var/mail/tlsrpt``."""
        return f"maildir:{self._folder}"

    def open(self) -> None:
        """Look whether the path can be a Maildir; it may come to be with the first mail."""
        if self._folder.exists() and not self._folder.is_dir():
            raise ConfigError(f"{self._folder} is no folder")

    def run(self, deliver: Deliver, health: Health, stop: threading.Event) -> None:
        """Look every `poll` seconds until *stop*."""
        while not stop.is_set() and not self._closed.is_set():
            try:
                self._round(deliver, health, lambda: stop.is_set() or self._closed.is_set())
            except OSError as error:
                health.trouble(_said(error), self._poll)
            health.beat(self._poll + MINUTE)
            stop.wait(self._poll)

    def drain(self, deliver: Deliver, health: Health) -> None:
        """Take what is there now. Raises Unreachable."""
        try:
            self._round(deliver, health, self._closed.is_set)
        except OSError as error:
            raise Unreachable(_said(error)) from error

    def close(self) -> None:
        """Take no further batch."""
        self._closed.set()

    def _round(self, deliver: Deliver, health: Health, is_over: Callable[[], bool]) -> None:
        """Once through all of ``new/``; what failed is left for the next round."""
        names = sorted(entry.name for entry in os.scandir(self._folder / "new"))
        self._forget_all_but(set(names))
        for name in list(self._moving):
            self._move(name)
        todo = [name for name in names if name not in self._moving]
        for batch in self._batches(todo):
            if is_over():
                return
            health.beat(DELIVERY)
            receipts = deliver([letter.mail for letter in batch])
            for letter, receipt in zip(batch, receipts, strict=True):
                if receipt.outcome != "failed":
                    self._moving[letter.name] = receipt
                    self._move(letter.name)
        health.backlog(0)
        health.warn(self._warning())
        health.fine()

    def _forget_all_but(self, names: set[str]) -> None:
        """Drop notes of mails that somebody else took away."""
        self._left &= names
        for name in self._moving.keys() - names:
            del self._moving[name]

    def _batches(self, names: list[str]) -> Iterator[list[_Letter]]:
        batch: list[_Letter] = []
        size = 0
        for name in names:
            letter = self._read(name)
            if letter is None:
                continue
            if batch and (len(batch) == BATCH_MAILS or size + len(letter.mail.raw) > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(letter)
            size += len(letter.mail.raw)
        if batch:
            yield batch

    def _read(self, name: str) -> _Letter | None:
        """One mail; None where it vanished, is no file, or is too large."""
        try:
            raw, arrived = self._content(self._folder / "new" / name)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._leave(name, error.strerror or str(error))
            return None
        self._left.discard(name)
        return _Letter(name, RawMail(raw, self.name, min(arrived, self._clock())))

    def _content(self, path: Path) -> tuple[bytes, Time]:
        """The bytes and when they came; raises OSError for what is no mail."""
        # Whoever may deliver here must not make us read another file, or wait for a pipe.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_size > self._limit:
            os.close(fd)
            is_large = stat.S_ISREG(about.st_mode)
            raise OSError(f"larger than {self._limit} bytes" if is_large else "not a file")
        with os.fdopen(fd, "rb") as file:
            return file.read(self._limit), int(about.st_mtime)

    def _leave(self, name: str, reason: str) -> None:
        """Say once why a mail stays where it is."""
        if name not in self._left:
            log.warning("mail.left", source=self.name, file=name, reason=reason)
        self._left.add(name)

    def _move(self, name: str) -> None:
        """A mail that was taken goes to ``cur/``, and is over then."""
        flags = "" if self._moving[name].outcome == "ignored" else "S"
        source = self._folder / "new" / name
        target = self._folder / "cur" / (name if ":2," in name else f"{name}:2,{flags}")
        try:
            if target.exists():
                raise FileExistsError(f"{target} is there already")
            source.rename(target)
        except OSError as error:
            # It may have been moved or deleted by a person's mail program: that is fine.
            if source.exists():
                if name not in self._unmoved:
                    log.warning("mail.not_moved", source=self.name, file=name, error=str(error))
                self._unmoved.add(name)
                return
        self._unmoved.discard(name)
        del self._moving[name]

    def _warning(self) -> str | None:
        if self._moving:
            return f"{len(self._moving)} mails are stored, but cannot be moved to cur"
        if self._left:
            return f"{len(self._left)} mails in new cannot be read or are too large"
        return None


def _said(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)
