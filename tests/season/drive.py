"""
Play a season: mails into a Maildir, hour by hour, and the program at work on it.

As the daemon (its `tick`, with a clock that the season sets) or by `once`; alerts
leave by SMTP either way, and what comes to that relay is all that is judged.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import coverage
import msgspec
import structlog

from tests.e2e.sink import Sink, relay
from tests.season.incidents import Incident, day
from tests.season.people import People, plan
from tests.season.reports import Post
from tests.season.told import Mail, mails_of
from tests.season.truth import Case
from tests.season.world import START, World, config_text
from tlsrpt_mailer import daemon, wiring
from tlsrpt_mailer.config import Config, parse
from tlsrpt_mailer.flows.health import Beats, SourceHealth
from tlsrpt_mailer.ports import RawMail
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time
from tlsrpt_mailer.store.queries import open_queries

BATCH = 2000
HOURS = (6, 18)
"""When the program is at work on any day: 08:00 and 20:00 in its time zone."""
SOON: Span = HOUR
"""It is also at work at the full hour after a report that begins or ends something."""
CHECK: Time = day(64, 6)
"""Up to here, `once` is compared with the daemon; with ``--long``, to the end."""
AFTER: Span = 4 * DAY
"""How long the program goes on after the last day."""

Name = tuple[str, str, str, str | None]
"""Of a failure: domain, policy type, result type, MX."""
State = tuple[str, str, int, int | None]
"""Of a failure: state, severity, incident, resolved_at."""


class Played(msgspec.Struct, frozen=True):
    """What came of a season."""

    mails: list[Mail]
    """As they reached the relay, in order."""
    states: Mapping[Name, State]
    """By identity, at the end."""
    early: Mapping[Name, State] = {}
    """The same after the round at `CHECK`."""


class Maildir:
    """Where the reports arrive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        for name in ("new", "cur", "tmp"):
            (folder / name).mkdir(parents=True)

    def put(self, raw: bytes, arrival: Time) -> None:
        """Let a mail arrive at its time."""
        self._count += 1
        path = self._folder / "new" / f"{self._count:08}.season"
        path.write_bytes(raw)
        os.utime(path, (arrival, arrival))


class Clock:
    """What the season sets."""

    def __init__(self, now: Time) -> None:
        self.now = now

    def __call__(self) -> Time:
        return self.now


Work = Callable[[Time], None]
Worker = Callable[[Config], Iterator[Work]]


def rounds(world: World, cases: Iterable[Case]) -> list[Time]:
    """
    When the program is at work.

    A daemon is at work all the time, but nothing happens between two reports: twice a day is
    enough, and once more as soon as a report has come that begins or ends something.
    """
    days = range(START, last_round(world), DAY)
    moments = {at for case in cases for at in (case.first, case.over) if at is not None}
    return sorted(
        {day + hour * HOUR for day in days for hour in HOURS}
        | {at + -at % SOON for at in moments if at <= last_round(world)}
    )


def last_round(world: World) -> Time:
    """When the program is at work for the last time."""
    return world.end + AFTER


def play(
    folder: Path,
    world: World,
    incidents: Sequence[Incident],
    posts: Sequence[Post],
    worker: Worker,
    rounds: Sequence[Time],
) -> Played:
    """
    Let *posts* arrive in this order, and *worker* work at each of *rounds*.
    """
    with relay() as sink, quiet():
        config = _config(world, folder, sink)
        early: dict[Name, State] = {}
        maildir, people = Maildir(folder / "mail"), People(incidents, sink)
        with contextmanager(worker)(config) as work:
            left = list(reversed(posts))
            for now in rounds:
                while left and left[-1].arrival <= now:
                    post = left.pop()
                    maildir.put(post.raw, post.arrival)
                for at, raw in people.answers(now):
                    maildir.put(raw, at)
                for words in people.plans(now):
                    command(folder, *words)
                work(now)
                if now == CHECK:
                    early = states(folder)
        return Played(mails_of(sink.taken), states(folder), early)


def play_at_the_end(
    folder: Path, world: World, incidents: Sequence[Incident], posts: Sequence[Post], now: Time
) -> Played:
    """Take all *posts* in at once, in this order, and judge; nobody is told."""
    with relay() as sink, quiet():
        config = _config(world, folder, sink)
        app = wiring.open_app(config, holder=True, now=now)
        try:
            for planned in filter(None, (one.planned for one in incidents)):
                command(folder, *plan(planned))
            for first in range(0, len(posts), BATCH):
                mails = [
                    RawMail(post.raw, "season", post.arrival)
                    for post in posts[first : first + BATCH]
                ]
                assert {"failed"}.isdisjoint(one.outcome for one in app.deliver(mails))
            app.review(now)
        finally:
            app.close()
    return Played([], states(folder))


def as_daemon(config: Config) -> Iterator[Work]:
    """The daemon's work, at the times of the season: what came, and once it has waited."""
    clock = Clock(START)
    app = wiring.open_app(config, holder=True, clock=clock)
    source = wiring.sources(app)[0]
    health = SourceHealth(source.name, Beats(lambda: 0.0), clock)

    def work(now: Time) -> None:
        clock.now = now
        source.drain(app.deliver, health)
        app.save_source(health.state)
        clock.now = now + app.config.alerts.group_wait + MINUTE
        daemon.tick(app, [health.state])
        app.send_due(clock.now)

    try:
        yield work
    finally:
        app.close()


def by_once(config: Config) -> Iterator[Work]:
    """`once`, as cron would start it."""

    def work(now: Time) -> None:
        daemon.once(config, now)

    yield work


@contextmanager
def quiet() -> Iterator[None]:
    """
    Log nothing of twenty thousand mails, and do not trace which lines they run: that takes as
    long again, and other tests reach each of them.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    stopped: list[coverage.Coverage] = []
    # A worker of pytest-xdist has two: one as any process that a test starts, one of pytest-cov.
    while (tracer := coverage.Coverage.current()) is not None:
        tracer.stop()
        stopped.append(tracer)
    try:
        yield
    finally:
        for tracer in reversed(stopped):
            tracer.start()
        structlog.reset_defaults()


def command(folder: Path, *words: str) -> str:
    """Run the real command on the season's database."""
    done = subprocess.run(
        [sys.executable, "-m", "tlsrpt_mailer", "-c", folder / "config.toml", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def states(folder: Path) -> dict[Name, State]:
    """How each failure stands in the database."""
    with open_queries(folder / "tlsrpt.db") as reader:
        return {
            (one.domain, one.policy_type, one.result_type, one.mx): (
                verdict.state,
                verdict.severity,
                verdict.incident,
                verdict.resolved_at,
            )
            for record in reader.failures(open_only=False).rows
            for verdict in [record.verdict]
            for one in [verdict.identity]
        }


def _config(world: World, folder: Path, sink: Sink) -> Config:
    text = config_text(world, folder, sink.port)
    (folder / "config.toml").write_text(text)
    return parse(text, wiring.KINDS, name="config.toml")
