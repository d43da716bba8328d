"""What a mail costs beyond a small one, measured in processes of their own."""

import os
import subprocess
import sys
import tempfile

import msgspec

from tests import mails
from tests.hostile.mails import HOSTILE, MOST

MIB = 64.0
SECONDS = 1.0


class Cost(msgspec.Struct, frozen=True):
    """What one child needed."""

    outcome: str
    cpu: float
    kib: int


def child(raw: bytes, mode: str) -> Cost:
    """
    Take *raw* in a process of its own.

    A shell stands between: what getrusage calls the most memory of a process begins with that of
    the one that started it.
    """
    with tempfile.TemporaryFile() as given:
        given.write(raw)
        given.seek(0)
        done = subprocess.run(
            [
                "/bin/sh",
                "-c",
                '"$@"; exit $?',
                "sh",
                sys.executable,
                "-m",
                "tests.hostile.child",
                mode,
            ],
            stdin=given,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            env=_untraced(),
        )
    if done.returncode:
        raise AssertionError(done.stderr[-4_000:])
    return msgspec.json.decode(done.stdout, type=Cost)


def _untraced() -> dict[str, str]:
    """The environment without what makes coverage follow a child: that takes time and memory."""
    names = ("COV", "_COV")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(names)}
    return kept | {"PYTHONHASHSEED": "0"}


def small(mode: str) -> Cost:
    """What a plain report costs: the most memory and the least time of three."""
    costs = [child(mails.mail(mails.report()), mode) for _ in range(3)]
    return Cost("stored", min(one.cpu for one in costs), max(one.kib for one in costs))


def main() -> None:
    """Print what each hostile mail costs: ``python -m tests.hostile.costs [MODE [NAME...]]``."""
    mode, *names = sys.argv[1:] or ["off"]
    least = small(mode)
    sys.stdout.write(f"{least.cpu:6.2f} s {least.kib / 1024:6.1f} MiB  a plain report\n")
    for name, make in HOSTILE.items():
        if names and name not in names:
            continue
        cost = child(make()[:MOST], mode)
        seconds, mebibytes = cost.cpu - least.cpu, (cost.kib - least.kib) / 1024
        bad = "TOO MUCH: " if seconds > SECONDS or mebibytes > MIB else ""
        sys.stdout.write(f"{seconds:6.2f} s {mebibytes:6.1f} MiB {cost.outcome:<11} {bad}{name}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
