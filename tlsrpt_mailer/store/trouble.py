"""
What SQLite says, in the words and classes of this program.

In a transaction every `sqlite3.Error` is trouble of ours and so `Temporary`:
no mail is ever blamed for it. While opening, a file that is no database, or a
damaged one, is said plainly and left as it is.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tlsrpt_mailer.errors import (
    CannotWrite,
    Corrupt,
    NoSuch,
    Rejected,
    Temporary,
    TlsrptError,
)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class NoDatabase(NoSuch):
    """There is no database at *path*; a command may add where it looked for the configuration."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"no database at {path}\nThe daemon makes the database: systemctl status tlsrpt-mailer"
        )
        self.path = path


class NotAllowed(NoSuch):
    """The database may not be read by this user; a command may name itself after ``sudo``."""

    def __init__(self, path: Path, command: str = "...") -> None:
        super().__init__(f"you may not read {path}\nTry: sudo tlsrpt-mailer {command}")
        self.path = path


class Damaged(TlsrptError):
    """The file is there but is no database of this program; it was not changed."""


class OtherVersion(TlsrptError):
    """The tables were made by another version of this program."""


def denied(path: Path, error: OSError) -> TlsrptError:
    """The error for a file that could not be opened or made: may we not, or can nobody?"""
    may_look = os.access(path.parent, os.X_OK, effective_ids=True)
    if isinstance(error, PermissionError) and (os.path.lexists(path) or not may_look):
        return NotAllowed(path)
    if error.errno in FULL:
        return Temporary(f"cannot make {path}: {_room(path)}")
    return CannotWrite(f"cannot make {path}: {error.strerror}")


def _room(path: Path) -> str:
    """A disk may be full of files that are small."""
    return f"no space left; free some on the disk of {path.parent} (df {path.parent}; df -i)"


def _texts(path: Path) -> dict[int, str]:
    return {
        sqlite3.SQLITE_BUSY: f"{path} is locked by another program: look for a backup or an"
        f" sqlite3 shell that holds it (fuser {path})",
        sqlite3.SQLITE_LOCKED: f"{path} is locked within this program",
        sqlite3.SQLITE_FULL: f"no space left for {path}: free space on the disk of"
        f" {path.parent} (df {path.parent}; df -i)",
        sqlite3.SQLITE_IOERR: f"{path} cannot be read or written: look at the disk"
        f" (df {path.parent}; dmesg)",
        sqlite3.SQLITE_NOMEM: f"not enough memory to use {path}",
        sqlite3.SQLITE_CANTOPEN: f"{path} cannot be opened: look at the owner and mode of it and"
        f" of {path.parent}, at the limit of open files, and for room (df {path.parent}; df -i)",
        sqlite3.SQLITE_READONLY: f"{path} may not be written: look at the owner and mode of it"
        f" and of {path.parent}, and whether the disk is mounted read-only",
        sqlite3.SQLITE_CORRUPT: corrupt_text(path),
        sqlite3.SQLITE_NOTADB: corrupt_text(path),
    }


RESTORE = (
    "Stop the daemon, move the file away with its -wal and -shm, and restore a backup"
    " (docs/how-to/backup-and-upgrade.md)."
)


def corrupt_text(path: Path) -> str:
    """What to do about a database that turns out to be damaged while it is used."""
    # SQLite says the same of a block that the disk does not give back (EIO).
    return (
        f"{path} is damaged (corrupt), or cannot be read: mails wait where they are.\n"
        f"Look at the disk first (dmesg). {RESTORE}"
    )


def damaged_text(path: Path) -> str:
    """What to do about a file that SQLite cannot make sense of."""
    return (
        f"{path} is no SQLite database, or it is damaged (corrupt). Nothing was changed in it.\n"
        f"{RESTORE}"
    )


def replaced_text(path: Path) -> str:
    """What to do when the database was taken away from under a program that runs."""
    return (
        f"{path} or its -wal was moved, deleted or replaced while this program had it open;"
        " mails wait where they are.\n"
        "Put the right file in its place, then: systemctl restart tlsrpt-mailer"
    )


def code_of(error: sqlite3.Error) -> int:
    """The primary result code (https://www.sqlite.org/rescode.html), 0 where there is none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def in_words(error: sqlite3.Error, path: Path) -> str:
    """What happened and what a person does next, with SQLite's own words at the end."""
    code = code_of(error)
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(path):
        # That is what SQLite says when there is no room for its -shm.
        code = sqlite3.SQLITE_FULL
    text = _texts(path).get(code)
    if text is None:
        return f"the database {path} refused to go on; please report this: {error}"
    name = getattr(error, "sqlite_errorname", "")
    return f"{text} [{name or error}]"


def _is_full(path: Path) -> bool:
    """Whether the disk has no room at all, or none for a further file."""
    with suppress(OSError):
        disk = os.statvfs(path.parent)
        return not disk.f_bavail or (disk.f_files > 0 and not disk.f_favail)
    return False


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """
    Raise Temporary, in words, in place of any `sqlite3.Error`.

    Rejected (a kind of it) where neither disk nor lock is the trouble, but what
    was to be written: a constraint, a number too large.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = code_of(error)
        kind = Corrupt if code in _CORRUPT else Temporary if code in _texts(path) else Rejected
        raise kind(in_words(error, path)) from error


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """The same while a database is opened, where a damaged file is no temporary trouble."""
    try:
        yield
    except sqlite3.Error as error:
        if code_of(error) in _CORRUPT:
            name = getattr(error, "sqlite_errorname", "")
            raise Damaged(f"{damaged_text(path)} [{name or error}]") from error
        raise Temporary(in_words(error, path)) from error
