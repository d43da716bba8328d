"""
The long-running program: start, signals, readiness and watchdog, orderly stop.

One thread a source, two of apscheduler (the tick with its jobs, and the posting
of mails), and the main thread, which waits for signals. Killing any of it at any
moment loses nothing (docs/explanation/delivery-guarantees.md), so the stop is
short: sources get a good second, then the process leaves.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from threading import Event, Thread
from threading import enumerate as enumerate_threads
from types import FrameType

import msgspec
import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from tlsrpt_mailer import wiring
from tlsrpt_mailer.config.model import Config, SourceConfig
from tlsrpt_mailer.errors import Temporary, TlsrptError
from tlsrpt_mailer.flows.deliver import SendResult
from tlsrpt_mailer.flows.directly import StoreWatch
from tlsrpt_mailer.flows.health import Beats, SourceHealth, SourceState, holds_back
from tlsrpt_mailer.jobs import long_table, run_due, table
from tlsrpt_mailer.ports import Letter, Source
from tlsrpt_mailer.report.times import MINUTE, Span, Time

log = structlog.get_logger()

TICK_SECONDS = 2
STORE_SECONDS = 10
"""How often it is looked whether the operator has to hear of the database."""
PING_SECONDS = 10
"""How often it is looked whether `[health] ping_url` is due."""
LONG_SECONDS = 60
"""How often it is looked whether a job that takes long is due."""
FAR = timedelta(minutes=1)
"""No job is due so far ahead, unless the clock went back."""
STOP_SECONDS = 1.2
CRASH_WAIT_SECONDS = 10
POST_WITHIN: Span = 12 * MINUTE
"""How long one mail or notice may take: more than each way out allows itself."""
MOST_THREADS = 200
"""Of apscheduler, which makes them as they are needed; one a channel."""


class OnceResult(msgspec.Struct, frozen=True):
    """What one tick did."""

    letters: tuple[Letter, ...]
    sent: SendResult
    problems: tuple[str, ...]
    """Sources that could not be read, in words."""


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
    daemon = _Daemon(app, load)
    daemon.start()
    daemon.wait()
    daemon.stop()
    if daemon.lost:
        raise Temporary(f"sources were lost at a reload, start again: {daemon.lost}")


def once(config: Config, now: Time | None = None, *, force: bool = False) -> OnceResult:
    """Drain every source, judge, compose with all groups closed, and deliver once."""
    app = wiring.open_app(config, holder=True, now=now, force=force)
    beats = Beats(time.monotonic)
    problems: list[str] = []
    states: list[SourceState] = []
    try:
        app.look_at_clock()
        found = wiring.sources(app)
        app.forget_sources({source.name for source in found})
        app.save_worker("once")
        for source in found:
            health = SourceHealth(source.name, beats, app.clock)
            try:
                source.drain(app.deliver, health)
                health.fine(health.state.detail or "")
            except TlsrptError as error:
                health.trouble(str(error))
                problems.append(f"{source.name}: {error}")
            finally:
                source.close()
            app.save_source(health.state)
            states.append(health.state)
        app.find_out_all()
        app.review(app.clock())
        # What follows from a jump of the clock alone is for the next run to tell.
        settled = app.is_clock_settled
        letters = app.compose(app.clock(), close_groups=True) if settled else []
        sent = app.send_due(app.clock())
        run_due([*table(app), *long_table(app)], app, idle=settled)
        # What the jobs wrote: trouble of the relay goes out by other ways.
        sent += app.send_due(app.clock())
        app.ping(states)
        return OnceResult(tuple(letters), sent, tuple(problems))
    finally:
        app.close()


class _Every(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """
    So many seconds after the last run.

    Its own interval counts every run that was missed: 16 million of them in a clock that
    jumps ahead by a year.
    """

    def __init__(self, seconds: int) -> None:
        self._span = timedelta(seconds=seconds)

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """See `BaseTrigger`."""
        return now + self._span


class _Runner:
    """One source in its own thread, started again if it should ever raise."""

    def __init__(self, source: Source, app: wiring.App, beats: Beats) -> None:
        self.source = source
        self.health = SourceHealth(source.name, beats, app.clock)
        self._app = app
        self._beats = beats
        self._stop = Event()
        self._thread = Thread(target=self._run, name=source.name, daemon=True)

    def start(self) -> None:
        self._beats.beat(self.source.name, 60)
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stop.set()
        self.source.close()

    def join(self, deadline: float) -> bool:
        """Wait until the thread has ended or *deadline* (monotonic) is past; whether it ended."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        with structlog.contextvars.bound_contextvars(thread=self.source.name):
            while not self._stop.is_set():
                try:
                    self.source.run(self._app.deliver, self.health, self._stop)
                except Exception as error:
                    # The edge: an error of ours in one source stops no other one.
                    said = f"internal error: {error}"
                    if self.health.state.error != said:
                        log.exception("source.crashed")
                    self.health.trouble(said, CRASH_WAIT_SECONDS)
                    self.health.beat(CRASH_WAIT_SECONDS + 60)
                    self._stop.wait(CRASH_WAIT_SECONDS)
        self._beats.forget(self.source.name)


class _Daemon:
    def __init__(self, app: wiring.App, load: Callable[[], Config]) -> None:
        self._app = app
        self._load = load
        self._beats = Beats(time.monotonic)
        self._runners: list[_Runner] = []
        self._stop = Event()
        self._wake = Event()
        self._reload = Event()
        self._scheduler = _scheduler()
        self._status = ""
        self._refused = ""
        self._hung: list[str] = []
        self._store_trouble: dict[str, str] = {}
        self._store_watch = StoreWatch(time.monotonic)
        self.lost = ""
        """Why sources could neither be changed nor started again; the program ends for that."""

    def start(self) -> None:
        """Bind every listener, then say READY; what needs another server comes later."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_signal)
        for source in wiring.sources(self._app):
            source.open()
            self._runners.append(_Runner(source, self._app, self._beats))
        self._app.forget_sources({runner.source.name for runner in self._runners})
        self._app.save_worker("run")
        for runner in self._runners:
            runner.start()
        self._add_job("tick", self._tick, TICK_SECONDS)
        self._add_job("ping", self._ping, PING_SECONDS)
        self._add_job("store", self._tell_of_store, STORE_SECONDS)
        self._add_job("long", self._long, LONG_SECONDS)
        self._match_lanes()
        self._scheduler.start()
        log.info("daemon.started", sources=[runner.source.name for runner in self._runners])
        notify("READY=1")

    def wait(self) -> None:
        """Until SIGTERM or SIGINT; reload on SIGHUP."""
        while not self._stop.is_set():
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()
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
        deadline = time.monotonic() + STOP_SECONDS
        for runner in self._runners:
            runner.ask_to_stop()
        self._scheduler.shutdown(wait=False)
        left = [runner.source.name for runner in self._runners if not runner.join(deadline)]
        left += _others(deadline)
        log.info("daemon.stopped", left_behind=left)
        if not self._app.close(max(0.0, deadline - time.monotonic())) or left:
            # Safe: everything that was acknowledged is committed.
            os._exit(0)

    def _add_job(self, name: str, work: Callable[[], None], seconds: int) -> None:
        self._scheduler.add_job(
            work,
            _Every(seconds),
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
        self._wake.set()

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

    def _open(self, sources: list[Source]) -> list[_Runner]:
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
        return [_Runner(source, self._app, self._beats) for source in opened]

    def _run(self, runners: list[_Runner]) -> None:
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


def tick(app: wiring.App, states: list[SourceState], beats: Beats | None = None) -> None:
    """
    The work of every few seconds: jobs that are due, then the alerts, by the app's clock.

    Args:
        states: How the sources are doing; alerts wait while one works through a backlog.

    Raises:
        Temporary: The database cannot be used now; all of it is tried again at the next one.
    """
    idle = not holds_back(states, app.clock()) and not app.is_importing()
    idle = idle and app.is_clock_settled
    starting = any(state.state == "starting" for state in states)
    run_due(table(app), app, beats, idle=idle and not starting)
    now = app.clock()
    # A job may have begun to read held mails again.
    if idle and not app.is_importing():
        app.compose_in_turn(now)


def _others(deadline: float) -> list[str]:
    """
    Wait for the scheduler's threads until *deadline* (monotonic); those that are still busy.

    Python joins an executor's threads when it ends, daemonic ones as well, and
    one of these may wait for a relay for minutes.
    """
    busy = [one for one in enumerate_threads() if one.name.startswith("ThreadPoolExecutor")]
    for thread in busy:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread.name for thread in busy if thread.is_alive()]


def notify(message: str) -> None:
    """Tell systemd (sd_notify(3)); nothing where it did not start us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(1)
            sock.connect(name)
            sock.sendall(message.encode())
    except OSError as error:
        _unreachable(str(error))


@cache
def _unreachable(error: str) -> None:
    """Said once in a process: it is tried every few seconds."""
    log.warning("systemd.unreachable", error=error)


def _scheduler() -> BackgroundScheduler:
    """apscheduler, told not to drop a job that starts late and to log what raises."""
    # It warns every time a job is still at work when it would be due again. Posting to
    # a slow relay is; what hangs for good, the watchdog names.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = BackgroundScheduler(
        timezone=UTC,
        job_defaults={"misfire_grace_time": None},
        executors={"default": ThreadPoolExecutor(MOST_THREADS)},
    )
    scheduler.add_listener(_on_job_error, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    return scheduler


def _on_job_error(event: JobExecutionEvent) -> None:
    _log_crash(event.job_id, repr(event.exception), event.traceback)


@cache
def _log_crash(job: str, error: str, traceback: str) -> None:
    """Said once in a process: it is tried every few seconds."""
    log.error("job.failed", job=job, error=error, traceback=traceback)
