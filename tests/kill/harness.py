"""Feed, kill, start again, and compare in the end what is there with what has to be."""

import os
import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from threading import Event

import msgspec

from tests.e2e.daemon import AT_ONCE, Daemon, Site, running
from tests.e2e.sink import relay
from tests.e2e.waiting import until
from tests.kill import checks
from tests.kill.cargo import Cargo
from tests.kill.moments import WAITING, Scene, kill_at
from tests.kill.setting import Setting
from tests.kill.ways import way

ALERTS = f"{AT_ONCE}\nmax_per_hour = 10000"
TO_THE_END = 180.0
"""Seconds that the last daemon has for what is left."""


COLUMNS = (
    *("source", "mails", "kills", "handed over again", "alerts", "alert copies"),
    *("lost", "twice", "seed"),
)


class Outcome(msgspec.Struct, frozen=True):
    """What a run has shown; a row of the table in docs/explanation/delivery-guarantees.md."""

    source: str
    mails: int
    kills: int
    again: int
    """Mails that the source brought more than once."""
    alerts: int
    copies: int
    """Alerts that came to the relay once more, with the same bytes."""
    lost: int
    twice: int
    seed: int
    wrong: tuple[str, ...]
    """Everything that is not as promised, in words; empty."""

    def row(self) -> str:
        """As a row of the table."""
        cells = (
            *(self.source, f"{self.mails:,}", self.kills, self.again, self.alerts, self.copies),
            *(self.lost, self.twice, self.seed),
        )
        return f"| {' | '.join(map(str, cells))} |"


def seed() -> int:
    """$TLSRPT_SEED, else another one each time."""
    return int(os.environ.get("TLSRPT_SEED") or secrets.randbelow(1_000_000))


def run(
    name: str, folder: Path, *, mails: int, kills: int, seed: int, setting: Setting | None = None
) -> Outcome:
    """Kill the daemon *kills* times while *mails* mails come in by the way of that name."""
    print(f"{name}: TLSRPT_SEED={seed}", flush=True)  # noqa: T201
    random = Random(f"{seed} {name}")
    sites: list[Site] = []
    setting = setting or Setting()
    load = setting.cargo(mails)
    with relay() as sink, way(name, folder, lambda: sites[0]) as source:
        site = Site(folder, source.source, sink.port, f"{ALERTS}\n{setting.config}")
        sites.append(site)
        scene = Scene(site, source, sink, share=max(1, mails // (kills + 1)))
        _kill_all(scene, load, kills, random, setting)
        with running(site, **source.environment) as daemon:
            _to_the_end(scene, load, daemon, setting)
        return _outcome(name, scene, load, kills, seed)


def _kill_all(scene: Scene, load: Cargo, kills: int, random: Random, setting: Setting) -> None:
    """A daemon after the other, each fed its share; the last share comes before the end."""
    waiting = [mail.raw for mail in load.mails]
    with ThreadPoolExecutor(1) as feeder:
        for number in range(kills):
            setting.before(scene.site, number, kills)
            daemon = Daemon(scene.site, **scene.way.environment)
            share, waiting = waiting[: scene.share], waiting[scene.share :]
            feeding = feeder.submit(scene.way.feed, share)
            kind = random.choice(setting.kinds(number, kills))
            kill_at(kind, scene, daemon, random)
            feeding.result()
        scene.way.feed(waiting)


def _to_the_end(scene: Scene, load: Cargo, daemon: Daemon, setting: Setting) -> None:
    """Wait until everything is in, and everybody was told."""
    site, different, pause = scene.site, len(load.hashes), Event()

    def is_over() -> bool:
        daemon.notified.read()  # or it waits for whoever should
        pause.wait(0.1)
        setting.nudge(site)
        return (
            scene.way.is_over(load)
            and site.count("mails") >= different
            and site.count("told") >= len(load.failing)
            and site.count("letters WHERE state = 'waiting'") == 0
            and site.count(WAITING) == 0
        )

    with suppress(AssertionError):  # what is missing then, the comparison says better
        until(is_over, "everything in, and everybody told", TO_THE_END)


def _outcome(name: str, scene: Scene, load: Cargo, kills: int, seed: int) -> Outcome:
    site, sink = scene.site, scene.sink
    wrong = [*checks.stored(scene, load), *checks.told(site, sink, load), *scene.way.wrong(load)]
    windows = Counter(dict(site.select("SELECT domain, count(*) FROM windows GROUP BY domain")))
    counted = checks.counted(site)
    there = {sha for (sha,) in site.select("SELECT sha256 FROM mails")}
    (seen,) = site.select("SELECT sum(seen) FROM mails")[0]
    told = checks.by_message_id(sink)
    return Outcome(
        source=name,
        mails=len(load.mails),
        kills=kills,
        again=seen - len(load.mails),
        alerts=len(told),
        copies=sum(len(raws) - 1 for raws in told.values()),
        lost=len(load.hashes.keys() - there) + len(load.counted.keys() - counted.keys()),
        twice=sum(many > 1 for many in (counted | windows).values()),
        seed=seed,
        wrong=tuple(wrong),
    )
