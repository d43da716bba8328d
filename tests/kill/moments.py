"""
The instants at which the daemon is killed.

Most are drawn so that they fall where it would hurt: right after a commit, while a
mail is read, after the source was acted upon, in the middle of an alert's DATA. Who
waits in vain kills all the same, at a moment that nobody chose.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from random import Random
from threading import Event
from time import monotonic

import msgspec

from tests.e2e.daemon import Daemon, Site
from tests.e2e.sink import TAKEN, Sink
from tests.kill.ways import Way

TURN = 0.001
STARTING = 0.8
"""Seconds: a daemon is ready before that, so that a kill by then falls into its start."""

TICK = 2.0
"""Seconds until a daemon that has just started writes its first alerts."""

WAITING = "kept WHERE next_try IS NOT NULL"
DELIVERY = ("data", "answered")
ALERTS = ("composed", *DELIVERY)
VERIFIED = ("asked", "believed")
"""A mail that waits for a key is read again: there still is none, or there is one."""
KINDS = ("start", "start", "any", "committed", "reading", "writing", "acknowledged", *ALERTS)
"""Each place is as likely as any other; a start may be cut off at many."""


class Scene(msgspec.Struct, frozen=True):
    """What a killer may look at."""

    site: Site
    way: Way
    sink: Sink
    share: int
    """How many mails are fed between two kills."""


def kill_at(kind: str, scene: Scene, daemon: Daemon, random: Random) -> None:
    """Wait for an instant of this kind, then SIGKILL; the process is gone afterwards."""
    if kind == "start":
        _pass(daemon, random.uniform(0.0, STARTING))
        _kill(scene, daemon)
        return
    with suppress(AssertionError):
        daemon.wait_until_ready()
    patience = random.uniform(0.05, 0.6)
    if kind in (*ALERTS, *VERIFIED):
        patience += TICK
    if kind in DELIVERY:
        _kill_in_delivery(kind, scene, daemon, random, patience)
    else:
        _wait(_condition(kind, scene, random), patience)
    _kill(scene, daemon)


def _condition(kind: str, scene: Scene, random: Random) -> Callable[[], bool]:
    """What has to be seen first."""
    site, some = scene.site, random.randint(1, max(1, scene.share))
    match kind:
        case "committed":
            stored = site.count("mails")
            return lambda: site.count("mails") >= stored + some
        case "reading":
            return lambda: site.count("taking") > 0
        case "writing":
            log, times = _Changes(site), random.randint(1, 40)
            return lambda: log.count() >= times
        case "acknowledged":
            before = scene.way.acknowledged()
            return lambda: scene.way.acknowledged() >= before + some
        case "composed":
            letters = site.count("letters")
            return lambda: site.count("letters") > letters
        case _:
            return _verified(kind, scene, random)


def _verified(kind: str, scene: Scene, random: Random) -> Callable[[], bool]:
    """What has to be seen of the mails that wait for a key."""
    site = scene.site
    waits, tried = site.count(WAITING), _tries(site)
    match kind:
        case "asked":
            some = random.randint(1, max(1, waits))
            return lambda: _tries(site) >= tried + some
        case "believed":
            left = random.randint(0, max(0, waits - 1))
            return lambda: site.count(WAITING) <= left
        case _:
            return lambda: False


def _tries(site: Site) -> int:
    """How often mails that wait for a key were read again."""
    rows = site.select("SELECT coalesce(sum(tries), 0) FROM kept")
    return int(rows[0][0]) if rows else 0


class _Changes:
    """How often the write-ahead log was seen to have changed: whatever writes, writes there."""

    def __init__(self, site: Site) -> None:
        self._path = f"{site.database}-wal"
        self._seen = self._look()
        self._count = 0

    def _look(self) -> tuple[int, int]:
        with suppress(FileNotFoundError):
            about = os.stat(self._path)  # noqa: PTH116  a thousand times a second
            return about.st_size, about.st_mtime_ns
        return 0, 0

    def count(self) -> int:
        now = self._look()
        self._count += now != self._seen
        self._seen = now
        return self._count


def _kill_in_delivery(
    kind: str, scene: Scene, daemon: Daemon, random: Random, patience: float
) -> None:
    """Kill while the relay holds a mail that it has not answered, or has answered just now."""
    left = random.randint(1, 1 + min(2, scene.share // 50))  # few come with a small share
    delay = 0.0 if kind == "data" else random.uniform(0.0, 0.003)
    # A relay that loses its client in the middle of a mail may have it or not.
    said = random.choice((TAKEN, "451 4.3.0 lost")) if kind == "data" else TAKEN

    def answer() -> str:
        nonlocal left
        left -= 1
        if left == 0 and kind == "data":
            os.kill(daemon.pid, signal.SIGKILL)
            return said
        if left == 0:
            asyncio.get_running_loop().call_later(delay, os.kill, daemon.pid, signal.SIGKILL)
        return TAKEN

    scene.sink.answer = answer
    try:
        _pass(daemon, patience)
    finally:
        scene.sink.answer = lambda: TAKEN


def _wait(condition: Callable[[], bool], patience: float) -> None:
    deadline = monotonic() + patience
    pause = Event()
    while monotonic() < deadline and not condition():
        pause.wait(TURN)


def _pass(daemon: Daemon, seconds: float) -> None:
    """Until it has ended, or so long."""
    with suppress(subprocess.TimeoutExpired):
        daemon.process.wait(seconds)


def _kill(scene: Scene, daemon: Daemon) -> None:
    daemon.process.kill()
    scene.way.kill()
    daemon.process.wait()
    daemon.notified.close()
