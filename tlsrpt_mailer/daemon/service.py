"""The daemon: start, signals, readiness and watchdog, reload, orderly stop."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from threading import Event
from types import FrameType

import structlog

from tlsrpt_mailer import wiring
from tlsrpt_mailer.config.model import Config, SourceConfig
from tlsrpt_mailer.daemon.runner import Runner
from tlsrpt_mailer.daemon.scheduling import FAR, Every, others, scheduler
from tlsrpt_mailer.daemon.systemd import notify
from tlsrpt_mailer.daemon.waking import Wake
from tlsrpt_mailer.daemon.work import tick
from tlsrpt_mailer.errors import Temporary, TlsrptError
from tlsrpt_mailer.flows.directly import StoreWatch
from tlsrpt_mailer.flows.health import Beats, SourceState
from tlsrpt_mailer.jobs import long_table, outside_table, run_due
from tlsrpt_mailer.ports import Source
from tlsrpt_mailer.report.times import MINUTE, Span

log = structlog.get_logger()

TICK_SECONDS = 2
STORE_SECONDS = 10
"""How often it is looked whether the operator has to hear of the database."""
PING_SECONDS = 10
"""How often it is looked whether `[health] ping_url` is due."""
LONG_SECONDS = 10
"""How often it is looked whether a job that takes long is due: soon after a disk has room again."""
OUTSIDE_SECONDS = 10
"""How often it is looked whether a domain is to be looked at."""
STOP_SECONDS = 1.2
POST_WITHIN: Span = 12 * MINUTE
"""How long one mail or notice may take: more than each way out allows itself."""


def run(config: Config, load: Callable[[], Config]) -> None:
    """
    Be the daemon until SIGTERM or SIGINT; SIGHUP reads the configuration again.

    Args:
        load: Reads the configuration file once more; raises ConfigError.

    Raises:
        Temporary: Another process holds the database's lock, or it cannot be opened now.
        ConfigError: A source's settings cannot be used.
        CannotWrite: A socket cannot be bound.
    """
    app = wiring.open_app(config, holder=True)
    daemon = Daemon(app, load)
    daemon.start()
    daemon.wait()
    daemon.stop()
    if daemon.lost:
        raise Temporary(f"sources were lost at a reload, start again: {daemon.lost}")


class Daemon:
    """The threads of the program, and the one that waits for signals."""

    def __init__(self, app: wiring.App, load: Callable[[], Config]) -> None:
        self._app = app
        self._load = load
        self._beats = Beats(time.monotonic)
        self._runners: list[Runner] = []
        self._stop = Event()
        self._wake = Wake()
        self._reload = Event()
        self._scheduler = scheduler()
        self._status = ""
        self._refused = ""
        self._hung: list[str] = []
        self._store_trouble: dict[str, str] = {}
        self._store_watch = StoreWatch(time.monotonic)
        self.lost = ""
        """Why sources could neither be changed nor started again; the program ends for that."""

    def start(self) -> None:
        """Bind every listener, then say READY; what needs another server comes later."""
        self._wake.on_signals()
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_signal)
        for source in wiring.sources(self._app):
            source.open()
            self._runners.append(Runner(source, self._app, self._beats))
        self._app.forget_sources({runner.source.name for runner in self._runners})
        self._app.save_worker("run")
        for runner in self._runners:
            runner.start()
        self._add_job("tick", self._tick, TICK_SECONDS)
        self._add_job("ping", self._ping, PING_SECONDS)
        self._add_job("store", self._tell_of_store, STORE_SECONDS)
        self._add_job("long", self._long, LONG_SECONDS)
        self._add_job("outside", self._outside, OUTSIDE_SECONDS)
        self._match_lanes()
        self._scheduler.start()
        log.info("daemon.started", sources=[runner.source.name for runner in self._runners])
        notify("READY=1")

    def wait(self) -> None:
        """Until SIGTERM or SIGINT; reload on SIGHUP."""
        while not self._stop.is_set():
            self._wake.wait(TICK_SECONDS)
            self._hurry()
            if self._reload.is_set() and not self._stop.is_set():
                self._reload.clear()
                self._do_reload()

    def _hurry(self) -> None:
        """Do not wait, as apscheduler would, until a clock that went back has caught up."""
        now = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            if job.next_run_time is not None and job.next_run_time > now + FAR:
                job.modify(next_run_time=now)

    def stop(self) -> None:
        """Shut sockets, give the threads a moment, leave: what is not committed comes again."""
        notify("STOPPING=1")
        self._wake.close()
        deadline = time.monotonic() + STOP_SECONDS
        for runner in self._runners:
            runner.ask_to_stop()
        self._scheduler.shutdown(wait=False)
        left = [runner.source.name for runner in self._runners if not runner.join(deadline)]
        left += others(deadline)
        log.info("daemon.stopped", left_behind=left)
        if not self._app.close(max(0.0, deadline - time.monotonic())) or left:
            # Safe: everything that was acknowledged is committed.
            os._exit(0)

    def _add_job(self, name: str, work: Callable[[], None], seconds: int) -> None:
        self._scheduler.add_job(
            work,
            Every(seconds),
            id=name,
            name=name,
            max_instances=1,
            coalesce=True,
            next_run_time=datetime.now(UTC),
        )

    def _match_lanes(self) -> None:
        """One job for the mails and one for each channel: none waits for another."""
        wanted = {f"post {lane}": lane for lane in self._app.lanes}
        there = {job.id for job in self._scheduler.get_jobs() if job.id.startswith("post ")}
        for name in there - wanted.keys():
            self._scheduler.remove_job(name)
        for name, lane in wanted.items():
            if name not in there:
                self._add_job(name, partial(self._post, name, lane), TICK_SECONDS)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload.set()
        else:
            self._stop.set()

    def _do_reload(self) -> None:
        """Take the new configuration if all of it is right, else keep what runs."""
        notify("RELOADING=1")
        try:
            config = self._load()
            self._change_sources(config)
        except TlsrptError as error:
            log.error("config.refused", error=str(error), keeping="the old configuration")
            self._refused = f"new configuration refused: {error}"
        else:
            self._refused = ""
            self._match_lanes()
            log.info("config.reloaded", sources=[runner.source.name for runner in self._runners])
        notify("READY=1")

    def _change_sources(self, config: Config) -> None:
        """Stop what changed, start what is new; if that fails, start the old ones again."""
        old_config = self._app.config
        gone = [one for one in old_config.source if one not in config.source]
        fresh = [one for one in config.source if one not in old_config.source]
        self._app.check(config)
        stopping = {wiring.source_name(one) for one in gone}
        leaving = [runner for runner in self._runners if runner.source.name in stopping]
        for runner in leaving:
            runner.ask_to_stop()
        for runner in leaving:
            runner.join(time.monotonic() + STOP_SECONDS)
        self._runners = [runner for runner in self._runners if runner not in leaving]
        self._app.apply(config)
        try:
            started = self._open([wiring.source(one, self._app) for one in fresh])
        except TlsrptError:
            self._app.apply(old_config)
            self._bring_back(gone)
            raise
        self._run(started)
        self._app.forget_sources({runner.source.name for runner in self._runners})

    def _bring_back(self, gone: list[SourceConfig]) -> None:
        """Start these again; where that fails too, a new start of the program is the way out."""
        try:
            self._run(self._open([wiring.source(one, self._app) for one in gone]))
        except TlsrptError as error:
            self.lost = str(error)
            log.critical("sources.lost", error=self.lost)
            self._stop.set()

    def _open(self, sources: list[Source]) -> list[Runner]:
        """Bind all of them, or none."""
        opened: list[Source] = []
        try:
            for source in sources:
                source.open()
                opened.append(source)
        except TlsrptError:
            for source in opened:
                source.close()
            raise
        return [Runner(source, self._app, self._beats) for source in opened]

    def _run(self, runners: list[Runner]) -> None:
        for runner in runners:
            runner.start()
        self._runners += runners

    def _tick(self) -> None:
        """Every few seconds: source health, jobs that are due, alerts, watchdog."""
        states = [runner.health.state for runner in self._runners]
        with self._store_permitting("tick"):
            self._app.look_at_clock()
            self._save_health()
            tick(self._app, states, self._beats)
        self._say(states)

    def _save_health(self) -> None:
        for runner in self._runners:
            changed = runner.health.changed()
            if changed is not None:
                self._app.save_source(changed)

    def _post(self, name: str, lane: str) -> None:
        """Hand over what is due in a lane; a slow relay or channel holds up nothing else."""
        with self._store_permitting(name):
            beat = partial(self._beats.beat, name, POST_WITHIN)
            self._app.send_due(self._app.clock(), self._stop, beat, lane=lane)
        self._beats.forget(name)

    def _long(self) -> None:
        """Jobs that would keep the tick, and with it the watchdog, waiting for minutes."""
        with self._store_permitting("long"):
            run_due(long_table(self._app), self._app, self._beats)

    def _outside(self) -> None:
        """Looks at domains and test reports: they wait for servers of others."""
        with self._store_permitting("outside"):
            jobs = outside_table(self._app, self._stop, self._beats)
            run_due(jobs, self._app, self._beats)

    def _tell_of_store(self) -> None:
        """Tell the operator of a database that cannot be used, by ways that need none."""
        error = next(iter(self._store_trouble.values()), None)
        self._store_watch.look(error, self._app.routes, self._app.clock())

    def _ping(self) -> None:
        """Say elsewhere that all is well, if it is."""
        states = [runner.health.state for runner in self._runners]
        with self._store_permitting("ping"):
            self._app.ping(states, self._beats.hung(), list(self._store_trouble.values()))

    @contextmanager
    def _store_permitting(self, work: str) -> Iterator[None]:
        """
        Let trouble with the database pass, said once: it is tried again at the next tick.

        A full disk is no reason for the watchdog to end a program that tells senders to wait.
        """
        try:
            yield
        except Temporary as error:
            if work not in self._store_trouble:
                log.error("store.trouble", work=work, error=str(error))
            self._store_trouble[work] = str(error)
        else:
            if self._store_trouble.pop(work, None) is not None:
                log.info("store.recovered", work=work)

    def _say(self, states: list[SourceState]) -> None:
        """Feed the watchdog while nothing is hung, and tell systemd what is in trouble."""
        hung = self._beats.hung()
        if hung and hung != self._hung:
            log.error("thread.hung", threads=hung)
        elif self._hung and not hung:
            log.info("thread.recovered", threads=self._hung)
        self._hung = hung
        if not hung:
            notify("WATCHDOG=1")
        troubles = [f"{state.name}: {state.error}" for state in states if state.state == "trouble"]
        status = (
            "; ".join(filter(None, [self._refused, *self._store_trouble.values(), *troubles]))
            or f"{len(states)} source{'' if len(states) == 1 else 's'}, all well"
        )
        if status != self._status:
            self._status = status
            notify("STATUS=" + " ".join(status.split())[:500])
