"""A small disk that can be filled, and emptied again."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.waiting import PATIENCE, until

CHUNK = 65_536


@contextmanager
def until_full() -> Iterator[None]:
    """Do what is within until the disk is full; any other trouble is raised."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


class Disk:
    """A file system of its own at *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no byte free, for root neither."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (CHUNK, 4096, 1):
                with until_full():
                    while file.write(b"x" * size):
                        pass

    def spare(self, size: int) -> None:
        """Make room for *size* bytes after `fill`."""
        os.truncate(self._ballast, self._ballast.stat().st_size - size)

    def fill_inodes(self) -> None:
        """Leave no further file possible."""
        self._ballast.mkdir(exist_ok=True)
        number = len(list(self._ballast.iterdir()))
        with until_full():
            while True:
                (self._ballast / str(number)).touch()
                number += 1

    def empty(self) -> None:
        """Take away what `fill` or `fill_inodes` put there."""
        if self._ballast.is_dir():
            for path in self._ballast.iterdir():
                path.unlink()
            self._ballast.rmdir()
        else:
            self._ballast.unlink(missing_ok=True)

    @property
    def names(self) -> set[str]:
        """What lies there, but for the ballast."""
        return {path.name for path in self.folder.iterdir()} - {"ballast"}


@contextmanager
def small_disk(folder: Path, options: str = "size=4m") -> Iterator[Disk]:
    """A tmpfs mounted at *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder, as on a disk that the kernel has mounted read-only after an error."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


_FAILING = ("-e", "trace=pread64", "-e", "inject=pread64:error=EIO")
"""What SQLite reads with, and what the kernel says when a disk does not give a block back."""


def reading_fails(database: Path) -> list[str]:
    """The words before a command of which each read of *database* shall fail."""
    return ["strace", "-f", "-o", os.devnull, "-P", str(database), *_FAILING]


@contextmanager
def reads_that_fail(pid: int, database: Path) -> Iterator[None]:
    """Within, each read of *database* by that process fails with EIO."""
    words = [*reading_fails(database), "-P", f"{database}-wal", "-p", str(pid)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as tracer:
        until(lambda: _is_traced(pid), "the process is traced")
        try:
            yield
        finally:
            tracer.terminate()
            tracer.wait(PATIENCE)


def _is_traced(pid: int) -> bool:
    """Whether somebody does so in each of its threads."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return not any("TracerPid:\t0" in (thread / "status").read_text() for thread in threads)
