"""
A command of tlsrpt-mailer in children, each of which dies by SIGKILL at another step.

A step is a statement that SQLite begins, those within a VACUUM among them, or a file that gets
another name or loses it. Run as ``python -m tests.kill.dying FOLDER COUNT WORD...``: the place
FOLDER/whole is copied for each child, which dies there, and copied once more to be completed.
``PLACE`` in a word is that copy.
"""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from tests.kill.harness import seed
from tlsrpt_mailer import __main__
from tlsrpt_mailer.cli.main import main as _loaded  # noqa: F401  once, and not in each child

NAMES = frozenset({"os.link", "os.remove", "os.rename"})
"""What the interpreter calls it when a name is given or taken (PEP 578)."""

_connect = sqlite3.connect


class Steps:
    """Counts them, and ends the process when it would take one too many."""

    def __init__(self) -> None:
        self.left: int | None = None
        """How many there are; None: no end of them."""
        self.taken = 0

    def take(self) -> None:
        """One more."""
        if self.taken == self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.taken += 1

    def watch(self) -> None:
        """Count from now on, in this process and its children."""

        def connect(*args: Any, **options: Any) -> sqlite3.Connection:
            conn = _connect(*args, **options)
            conn.set_trace_callback(lambda _: self.take())
            return conn

        sqlite3.connect = connect
        sys.addaudithook(lambda event, _: self.take() if event in NAMES else None)


def main() -> None:
    """Print a line for each child: the step, and the exit codes of both; None where it died."""
    folder, count, words = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    steps = Steps()
    steps.watch()
    _copy(folder / "whole", folder / "undisturbed")
    code, whole = _child(folder / "undisturbed", words, steps)
    print("undisturbed", code, whole, flush=True)  # noqa: T201
    for last in _chosen(whole, count):
        killed, done = folder / f"{last}.killed", folder / f"{last}.done"
        _copy(folder / "whole", killed)
        died, _ = _child(killed, words, steps, last)
        _copy(killed, done)
        again, _ = _child(done, words, steps)
        print(last, died, again, flush=True)  # noqa: T201


def _copy(place: Path, to: Path) -> None:
    """All of it; a file with two names has both."""
    subprocess.run(["cp", "-a", place, to], check=True)


def _chosen(whole: int, count: int) -> Sequence[int]:
    """*count* steps, spread over all of them."""
    random, count = Random(seed()), min(count, whole)
    return [random.randrange(n * whole // count, (n + 1) * whole // count) for n in range(count)]


def _child(
    place: Path, words: Sequence[str], steps: Steps, left: int | None = None
) -> tuple[int, int]:
    """The exit code (less than 0: a signal), and how many steps it took, if it came so far."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        steps.left, steps.taken = left, 0
        _run(["-c", f"{place}/config.toml", *words], place, steps, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status), int(said or 0)


def _run(words: Sequence[str], place: Path, steps: Steps, writing: int) -> NoReturn:
    """The command, in a process of its own."""
    with (place / "said").open("a") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    code = __main__.run([word.replace("PLACE", str(place)) for word in words])
    sys.stdout.flush()
    os.write(writing, str(steps.taken).encode())
    os._exit(code)


if __name__ == "__main__":
    main()
