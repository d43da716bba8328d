"""
Which tests share a worker of pytest-xdist, and which begin first.

``--dist loadgroup`` would do the first by marks, but groups nothing with pytest 9.2
(https://github.com/pytest-dev/pytest-xdist/issues/1386): a season would be played by each
worker. And it begins with whatever stands first, so that the longest test may run alone in the
end.
"""

import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "tests/season/test_long.py",
    "tests/season/test_season.py",
    "tests/systemd/test_machine.py",
)
"""Files whose tests share what is dear to make: they run on one worker, one after the other."""

BY_TARGET = "tests/attack/"
"""Files with a daemon for each kind of listener, which stands first in the brackets of an id."""
KINDS = ("smtp-tcp", "lmtp-tcp", "lmtp-unix")

FIRST = (
    *TOGETHER,
    "tests/kill/",
    "tests/bad_days/test_processes.py",
    "tests/bad_days/",
    "tests/e2e/",
    "tests/security/",
    "tests/hostile/test_costs.py",
)
"""Where the long ones are, the longest first: how ids begin."""


class Spreading(LoadScopeScheduling):
    """Test by test, but for `TOGETHER`; `FIRST` come first."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)


def scope(nodeid: str) -> str:
    """What *nodeid* runs on one worker with."""
    file = nodeid.partition("::")[0]
    if file in TOGETHER:
        return file
    kind = next((kind for kind in KINDS if f"[{kind}" in nodeid), None)
    return f"{file} {kind}" if kind and file.startswith(BY_TARGET) else nodeid


def turn(nodeid: str) -> int:
    """When *nodeid* is to begin: the least first."""
    return next((place for place, head in enumerate(FIRST) if nodeid.startswith(head)), len(FIRST))


def made_once(folder: Path, what: str) -> None:
    """
    Say that *what* is being made; raises AssertionError where another worker has made it.

    Args:
        folder: The worker's own for temporary files: beside it lie those of the others.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    try:
        (folder.parent / f"made {what}").touch(exist_ok=False)
    except FileExistsError:
        raise AssertionError(f"{what} is made by two workers: see tests/order.py") from None
