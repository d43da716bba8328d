"""
Files for `import`: mails, mailboxes, Maildirs, reports, archives of these, and standard input.

What a file is, its content says. Nothing is written to disk, nothing is moved,
and a file that cannot be read stops nothing behind it.
"""

import gzip
import io
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Protocol, cast

import msgspec

from tlsrpt_mailer.intake.model import Limits
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.sources.mbox import is_mbox, split_mbox, without_from_line

STDIN = "-"
PIPE = "pipe"

ZIP_DEPTH = 2
ZIP_MEMBERS = 100_000

# RFC 5322 would allow {"x" as the name of a field as well.
_HEADER = re.compile(rb"[A-Za-z0-9][\w.-]*[ \t]*:")
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP_MAGIC = b"\x1f\x8b"
_HEAD = 4096

# What zipfile, gzip and their kin raise for bytes that are damaged, encrypted or
# packed in a way that Python does not know.
_DAMAGED = (
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
)


class _Stream(Protocol):
    """What files, gzip and members of archives (`zipfile.ZipExtFile`) have in common."""

    def peek(self, size: int, /) -> bytes: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def readline(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def seekable(self) -> bool: ...
    def tell(self) -> int: ...


class Item(msgspec.Struct, frozen=True):
    """One mail or report file, or what was wrong with it; never both."""

    path: str
    """Where it lies; a member of an archive as ``reports.zip/google.json``."""
    done: int
    """How many bytes of all that `total_bytes` counts are behind us, this one included."""
    mail: RawMail | None = None
    problem: str | None = None
    """Why it is not taken."""


def total_bytes(paths: Sequence[str]) -> int:
    """How much there is to read, for a progress bar; standard input counts nothing."""
    return sum(_size(file) for path in paths if path != STDIN for file in _walk(Path(path)))


def read_paths(
    paths: Sequence[str], *, now: Time, limits: Limits, stdin: IO[bytes] | None = None
) -> Iterator[Item]:
    """
    All mails and reports under *paths*, folders with all they hold, in the order of their names.

    Args:
        paths: Files and folders, and ``-`` for standard input.
        now: What `RawMail.taken_at` says: an import is taken when it is imported.
        limits: Mails larger than `mail_bytes` are not read.
        stdin: What ``-`` stands for: one mail, as a pipe hands it over.
    """
    reader = _Reader(now, limits.mail_bytes)
    for path in paths:
        if path == STDIN:
            yield reader.pipe(stdin)
            continue
        for file in _walk(Path(path)):
            yield from reader.file(file)


class _Reader:
    """Reads files one after the other, and knows how far it is."""

    def __init__(self, now: Time, limit: int) -> None:
        self._now = now
        self._limit = limit
        self._behind = 0
        self._file: io.BufferedReader | None = None

    def pipe(self, stdin: IO[bytes] | None) -> Item:
        """The one mail on standard input; kept if it is no report, for nobody else has it."""
        try:
            raw = b"" if stdin is None else stdin.read(self._limit + 1)
        except OSError as error:
            return self._problem(STDIN, f"standard input: {error.strerror or error}")
        if not raw.strip():
            return self._problem(STDIN, "standard input is empty")
        if len(raw) > self._limit:
            return self._problem(STDIN, f"larger than {self._limit} bytes")
        raw = without_from_line(raw)
        mail = RawMail(raw, PIPE, self._now, keep_ignored=True)
        return Item(STDIN, self._done(), mail)

    def file(self, path: Path) -> Iterator[Item]:
        """All that one file holds."""
        try:
            with path.open("rb") as file:
                self._file = file
                yield from self._stream(file, str(path), f"file:{path}")
        except _DAMAGED as error:
            yield self._problem(str(path), f"damaged: {error}")
        except OSError as error:
            yield self._problem(str(path), error.strerror or str(error))
        finally:
            self._file = None
            self._behind += _size(path)

    def _stream(self, stream: _Stream, path: str, source: str, depth: int = 0) -> Iterator[Item]:
        """What *stream* holds, by its first bytes."""
        head = stream.peek(_HEAD)
        if head.startswith(_ZIP_MAGIC) and depth < ZIP_DEPTH:
            yield from self._zip(stream, path, source, depth + 1)
        elif head.startswith(_GZIP_MAGIC) and _is_packed_mail(head):
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield from self._stream(unpacked, path, source, ZIP_DEPTH)
        elif is_mbox(head):
            yield from self._mbox(stream, path, source)
        else:
            yield self._single(stream, path, source, is_mail=_HEADER.match(head) is not None)

    def _single(self, stream: _Stream, path: str, source: str, *, is_mail: bool) -> Item:
        raw = stream.read(self._limit + 1)
        if len(raw) > self._limit:
            return self._problem(path, f"larger than {self._limit} bytes")
        if not raw:
            return self._problem(path, "empty")
        name = None if is_mail else path.rpartition("/")[2]
        mail = RawMail(without_from_line(raw), source, self._now, file_name=name)
        return Item(path, self._done(), mail)

    def _mbox(self, stream: _Stream, path: str, source: str) -> Iterator[Item]:
        for part in split_mbox(stream, self._limit):
            if part.raw is None:
                yield self._problem(
                    f"{path}, mail {part.number}", f"larger than {self._limit} bytes"
                )
            else:
                mail = RawMail(part.raw, source, self._now)
                yield Item(f"{path}, mail {part.number}", self._done(), mail)

    def _zip(self, stream: _Stream, path: str, source: str, depth: int) -> Iterator[Item]:
        """Every member, each on its own: a damaged one stops none of the others."""
        file: io.BytesIO | _Stream = stream
        if depth > 1 or not stream.seekable():
            data = stream.read(self._limit + 1)
            if len(data) > self._limit:
                yield self._problem(path, f"larger than {self._limit} bytes")
                return
            file = io.BytesIO(data)
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if _is_wanted(member)]
            for member in members[:ZIP_MEMBERS]:
                inside = f"{path}/{member.filename}"
                try:
                    with archive.open(member) as opened:
                        yield from self._stream(cast("_Stream", opened), inside, source, depth)
                except _DAMAGED as error:
                    yield self._problem(inside, f"damaged: {error}")
        if len(members) > ZIP_MEMBERS:
            yield self._problem(path, f"has over {ZIP_MEMBERS} members, the rest is not read")

    def _problem(self, path: str, problem: str) -> Item:
        return Item(path, self._done(), problem=problem)

    def _done(self) -> int:
        """How far it is; a pipe knows no position."""
        if self._file is None or self._file.closed or not self._file.seekable():
            return self._behind
        return self._behind + self._file.tell()


def _is_packed_mail(head: bytes) -> bool:
    """Whether gzip holds a mail or a mailbox; a report is unpacked where its limits are kept."""
    try:
        unpacked = zlib.decompressobj(31).decompress(head, _HEAD)
    except zlib.error:
        return False
    return is_mbox(unpacked) or _HEADER.match(unpacked) is not None


def _is_wanted(member: zipfile.ZipInfo) -> bool:
    # macOS puts a folder of attributes beside what was packed.
    is_attributes = member.filename.startswith("__MACOSX/")
    return not member.is_dir() and not is_attributes


def _walk(path: Path) -> Iterator[Path]:
    """*path* itself, or all files below it that may be mails, sorted; no loops by links."""
    if not path.is_dir():
        yield path
        return
    for folder, below, names in os.walk(path):
        here = Path(folder)
        if _is_maildir(here):
            # tmp holds what is being delivered; beside it lie indexes, not mails.
            below[:] = [name for name in below if name != "tmp"]
            names = []  # noqa: PLW2901 - os.walk gives a list that is ours
        else:
            below[:] = [
                name for name in below if not name.startswith(".") or _is_maildir(here / name)
            ]
        below.sort()
        for name in sorted(names):
            file = here / name
            if not name.startswith(".") and file.is_file():
                yield file


def _is_maildir(folder: Path) -> bool:
    return (folder / "new").is_dir() and (folder / "cur").is_dir()


def _size(file: Path) -> int:
    try:
        about = file.stat()
    except OSError:
        return 0
    return about.st_size if stat.S_ISREG(about.st_mode) else 0
