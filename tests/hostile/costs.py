"""What a mail costs beyond a small one, measured in processes of their own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import msgspec

from tests import mails
from tests.hostile.mails import HOSTILE, MOST
from tests.unmeasured import unmeasured

MIB = 64.0
SECONDS = 1.0


class Cost(msgspec.Struct, frozen=True):
    """What one child needed."""

    outcome: str
    cpu: float
    kib: int


class Children:
    """A process that forks one for each mail; use it by `children`."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed with the rest
        # A shell stands between: what getrusage calls the most memory of a process begins with
        # that of the one that started it.
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-m", "tests.hostile.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": "0"},
        )

    def cost(self, raw: bytes, mode: str) -> Cost:
        """Take *raw* in a process of its own."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.NamedTemporaryFile() as file:
            file.write(raw)
            file.flush()
            self._process.stdin.write(f"{mode} {file.name}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer.strip():
            self._said.seek(0)
            raise AssertionError(self._said.read()[-4_000:].decode())
        return msgspec.json.decode(answer, type=Cost)

    def small(self, mode: str) -> Cost:
        """What a plain report costs: the most memory and the least time of three."""
        costs = [self.cost(mails.mail(mails.report()), mode) for _ in range(3)]
        return Cost("stored", min(one.cpu for one in costs), max(one.kib for one in costs))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._said.close()


@contextmanager
def children() -> Iterator[Children]:
    """Ended in the end, and not measured: to follow them takes time and memory."""
    with unmeasured():
        it = Children()
    try:
        yield it
    finally:
        it.close()


def main() -> None:
    """Print what each hostile mail costs: ``python -m tests.hostile.costs [MODE [NAME...]]``."""
    mode, *names = sys.argv[1:] or ["off"]
    with children() as those:
        show(those, mode, names)


def show(those: Children, mode: str, names: Collection[str]) -> None:
    """A line for each mail, or each of those *names*."""
    least = those.small(mode)
    sys.stdout.write(f"{least.cpu:6.2f} s {least.kib / 1024:6.1f} MiB  a plain report\n")
    for name, make in HOSTILE.items():
        if names and name not in names:
            continue
        cost = those.cost(make()[:MOST], mode)
        seconds, mebibytes = cost.cpu - least.cpu, (cost.kib - least.kib) / 1024
        bad = "TOO MUCH: " if seconds > SECONDS or mebibytes > MIB else ""
        sys.stdout.write(f"{seconds:6.2f} s {mebibytes:6.1f} MiB {cost.outcome:<11} {bad}{name}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
