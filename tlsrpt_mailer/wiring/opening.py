"""How the program is opened: as the lock's holder, beside it, or to make the database."""

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from importlib import import_module
from pathlib import Path

from tlsrpt_mailer.config import Config, database
from tlsrpt_mailer.errors import ConfigError, Temporary
from tlsrpt_mailer.failures.model import Verdict
from tlsrpt_mailer.flows.clock import Timekeeper, Uptime
from tlsrpt_mailer.flows.judging import Reads, judge_histories
from tlsrpt_mailer.report.times import HOUR, Time, iso
from tlsrpt_mailer.store import skew
from tlsrpt_mailer.store.lock import become_owner, hold, leaves_root
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store
from tlsrpt_mailer.store.trouble import NoDatabase, OtherVersion
from tlsrpt_mailer.wiring.app import App, clock_of_machine, uptime_of_machine
from tlsrpt_mailer.wiring.checking import Checking
from tlsrpt_mailer.wiring.kinds import SOURCES
from tlsrpt_mailer.wiring.parts import organisational, standing
from tlsrpt_mailer.wiring.ways import heavy


def open_app(
    config: Config,
    *,
    holder: bool,
    now: Time | None = None,
    force: bool = False,
    make: bool = False,
    clock: Callable[[], Time] | None = None,
    uptime: Callable[[], Uptime] | None = None,
) -> App:
    """
    Open the store and build the program around it.

    Args:
        holder: Take the lock, make the database and bring its tables up to date; for `run`
            and `once`.
        now: The time to work at (``--now``); None for the clock of the machine.
        force: Let *now* lie more than an hour before what the store has seen.
        make: Make the database, if nobody holds it, and let go of the lock again; for `import`.
        clock: What tells the time in place of the machine, where *now* does not.
        uptime: What such a clock is held against; without it, it is believed.

    Raises:
        Temporary: Another process holds the lock, or the database is in trouble.
        NoSuch: There is no database, or this user may not read it.
        ConfigError: The settings cannot be used, or *now* goes back too far.
    """
    path = database(config)
    if holder:
        # The database's owner may not be able to read where Python lies; root is, now.
        for one in config.source:
            import_module(SOURCES[one.kind].module)
        for name in heavy(config):
            # An extra that is not installed is said later, in words.
            with suppress(ImportError):
                import_module(name)
        if os.geteuid() == 0:
            import_module("apscheduler.triggers.interval")
            organisational("example.com")  # reads the list of public suffixes
        if leaves_root(path):
            Checking.load()
    become_owner(path)
    if make and not holder:
        _make(path)
    if clock is None and now is None:
        uptime = uptime or uptime_of_machine
    clock = (clock or clock_of_machine) if now is None else partial(_fixed, now)
    with ExitStack() as undo:
        lock = hold(path) if holder else None
        if lock is not None:
            undo.callback(lock.release)
        store = open_store(path, create=holder, clock=clock)
        undo.callback(store.close)
        if now is not None and not force:
            _must_go_forward(store, now)
        keeper = None if uptime is None else _keeper(store, clock, uptime)
        app = App(config, store, keeper.now if keeper else clock, lock, keeper)
        undo.pop_all()
        return app


def _make(path: Path) -> None:
    """Make the database or migrate it, unless a daemon does so: it holds the lock."""
    # Who only looks keeps no daemon from starting: a busy pipe looks once for each mail.
    with suppress(NoDatabase, OtherVersion):
        open_store(path, create=False).close()
        return
    try:
        lock = hold(path)
    except Temporary:
        return
    try:
        open_store(path, create=True).close()
    finally:
        lock.release()


def _keeper(
    store: SqliteStore, clock: Callable[[], Time], uptime: Callable[[], Uptime]
) -> Timekeeper:
    settle = partial(skew.settle, store.writer)
    keeper = Timekeeper(store.state, clock, uptime, store.state.newest, settle)
    store.use_clock(keeper.now)
    return keeper


def _must_go_forward(store: SqliteStore, now: Time) -> None:
    newest = store.state.newest()
    if newest is not None and now < newest - HOUR:
        raise ConfigError(
            f"--now {iso(now)} is before {iso(newest)}, which this database has seen.\n"
            "Say --force if you mean it."
        )


def judge_now(config: Config, reads: Reads, now: Time) -> list[Verdict]:
    """What the judge says at *now*, written nowhere: for commands that only show."""
    return judge_histories(reads, standing(config), now)


def _fixed(now: Time) -> Time:
    return now
