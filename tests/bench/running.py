"""
The daemon as a process: start, memory, stop. Run it by hand:

    python -m tests.bench.running [--mails 100000]

Start of `run` to READY within 0.5 s, 50 MiB when idle, at most 120 MiB and flat while
a mailbox of 100,000 mails is imported and while as many come by LMTP, stop within 2 s.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.storing import small_mails
from tests.e2e.daemon import Site, deliver, lmtp_source, running
from tests.e2e.waiting import until
from tests.ports import free_port

START, STOP = 0.5, 2.0
IDLE_MIB, BUSY_MIB = 50.0, 120.0
ROUNDS = 5
CONNECTIONS = 8
SETTLED = 6.0


def mib(pid: int) -> float:
    """The resident memory of a process."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE") / 1024 / 1024


def watched(pid: int, work: Callable[[], None]) -> list[float]:
    """The memory of a process while *work* goes on, ten times a second."""
    thread = threading.Thread(target=work)
    thread.start()
    seen = []
    while thread.is_alive():
        seen.append(mib(pid))
        thread.join(0.1)
    return seen


def told(what: str, seen: list[float]) -> float:
    """Print the memory of each quarter of the way; returns the most."""
    quarter = max(1, len(seen) // 4)
    steps = [max(seen[at : at + quarter]) for at in range(0, len(seen), quarter)][:4]
    sys.stdout.write(f"{what}: MiB by quarters {' '.join(f'{step:.0f}' for step in steps)}\n")
    return max(seen)


def starts_and_stops(site: Site) -> tuple[float, float, float]:
    """The best start, the memory when idle, and the worst stop."""
    start, idle, stop = float("inf"), 0.0, 0.0
    for _ in range(ROUNDS):
        with running(site) as daemon:
            assert daemon.seconds_to_ready is not None
            start = min(start, daemon.seconds_to_ready)
            # The first ticks import what they need.
            threading.Event().wait(SETTLED)
            idle = max(idle, mib(daemon.pid))
            stop = max(stop, daemon.stop()[1])
    return start, idle, stop


def by_lmtp(site: Site, port: int, mails: list[bytes]) -> tuple[float, float]:
    """The most memory while these mails come in, and how long the stop took in the middle."""
    each = -(-len(mails) // CONNECTIONS)

    def send() -> None:
        lots = [mails[at : at + each] for at in range(0, len(mails), each)]
        threads = [threading.Thread(target=deliver, args=(port, lot)) for lot in lots]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with running(site) as daemon:
        seen = watched(daemon.pid, send)
        until(lambda: site.count("mails") >= len(mails), "all mails")
        most = told(f"{len(mails)} mails by LMTP", seen)
        return most, daemon.stop()[1]


def by_import(site: Site, mails: list[bytes]) -> float:
    """The most memory of `import` over one mbox of these mails."""
    mbox = site.folder / "big.mbox"
    with mbox.open("wb") as file:
        for raw in mails:
            file.write(b"From x Wed Oct 14 09:00:00 2026\n" + raw + b"\n")
    process = subprocess.Popen(
        site.words("import", "--json", str(mbox)),
        env=site.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    start = time.perf_counter()
    seen = watched(process.pid, lambda: assert_done(process))
    took = time.perf_counter() - start
    sys.stdout.write(f"{len(mails) / took:.0f} mails/s imported\n")
    return told(f"{len(mails)} mails by import", seen)


def assert_done(process: "subprocess.Popen[bytes]") -> None:
    """Wait for an import that has to go well."""
    assert process.wait() == 0


def main() -> None:
    """Print each figure beside its budget."""
    words = argparse.ArgumentParser()
    words.add_argument("--mails", type=int, default=100_000)
    count: int = words.parse_args().mails
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        port = free_port()
        site = Site(Path(one), lmtp_source(port))
        start, idle, stop = starts_and_stops(site)
        sys.stdout.write(f"start {start:.2f} s, idle {idle:.0f} MiB, stop {stop:.2f} s\n")
        mails = small_mails(count)
        busy, late_stop = by_lmtp(site, port, mails)
        sys.stdout.write(f"stop after it {late_stop:.2f} s\n")
        busy = max(busy, by_import(Site(Path(other)), mails))
    missed = start > START or idle > IDLE_MIB or busy > BUSY_MIB or max(stop, late_stop) > STOP
    sys.exit(missed)


if __name__ == "__main__":
    main()
