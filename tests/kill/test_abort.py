"""A mail that ends the process that reads it, on every kind of source."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests import mails
from tests.e2e.daemon import Daemon, Site
from tests.e2e.sink import Sink, relay
from tests.e2e.waiting import PATIENCE, until
from tests.kill import checks
from tests.kill.aborting import MARK
from tests.kill.cargo import Cargo, Mail, cargo
from tests.kill.harness import ALERTS
from tests.kill.moments import Scene
from tests.kill.ways import NAMES, SERVERS, Pipe, Way, way

TIMES = 3
"""How often a mail may end the process before nobody reads it any more."""

WAYS = [pytest.param(name, marks=pytest.mark.servers if name in SERVERS else ()) for name in NAMES]


class _Site(Site):
    """A folder whose processes end when they read the mark."""

    def words(self, *words: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "tests.kill.aborting", "-c", str(self.config), *words]


def _load() -> Cargo:
    """Ten mails as ever, and in their midst one that nobody survives."""
    load = cargo(10)
    deadly = mails.mail(mails.report("deadly.example"), headers=[MARK.decode()], newline="\r\n")
    fed = [*load.mails[:5], Mail(deadly, "bad"), *load.mails[5:]]
    return msgspec.structs.replace(load, mails=tuple(fed))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", WAYS)
def test_it_is_put_aside_after_three_times(tmp_path: Path, name: str) -> None:
    """
    A mail that ends the process, and does so three times, is put aside unread; all others
    are stored once and told once, and the source is acted upon as for any mail.
    """
    load, sites = _load(), list[Site]()
    with relay() as sink, way(name, tmp_path, lambda: sites[0]) as source:
        site = _Site(tmp_path, source.source, sink.port, ALERTS)
        sites.append(site)
        source.feed([mail.raw for mail in load.mails])

        deaths = _lives(site, sink, source, load)

        assert deaths == TIMES
        scene = Scene(site, source, sink, share=0)
        assert [] == checks.stored(scene, load) + checks.told(site, sink, load)
        assert [] == source.wrong(load)
    ((reason,),) = site.select("SELECT reason FROM mails WHERE reason LIKE '%ended%'")
    assert reason == f"reading it ended the program {TIMES} times"


def _lives(site: Site, sink: Sink, source: Way, load: Cargo) -> int:
    """Start daemons until one survives and all is done; returns how many processes died."""

    def is_over() -> bool:
        # The relay has an alert before the daemon has noted that it does.
        return (
            source.is_over(load)
            and len(checks.by_message_id(sink)) == len(load.failing)
            and site.count("letters WHERE state = 'waiting'") == 0
        )

    deaths = 0
    while _died(Daemon(site, **source.environment), is_over):
        deaths += 1
    return deaths + (source.deaths if isinstance(source, Pipe) else 0)


def _died(daemon: Daemon, is_over: Callable[[], bool]) -> bool:
    """Whether a daemon was ended by a mail, and not by us since all was done."""
    process = daemon.process
    try:
        until(lambda: process.poll() is not None or is_over(), "its end, or all in", 4 * PATIENCE)
        assert process.returncode in (None, -signal.SIGABRT), daemon.log
        return process.returncode is not None
    finally:
        daemon.kill()
        daemon.notified.close()
