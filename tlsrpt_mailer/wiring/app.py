"""
`App`: the program without its threads, over an open store.

The daemon, `once` and the commands that write all work through it.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import structlog

from tlsrpt_mailer.config import Config, database, host_name
from tlsrpt_mailer.errors import ConfigError, Temporary
from tlsrpt_mailer.flows import integrity
from tlsrpt_mailer.flows.beginnings import watch_beginnings
from tlsrpt_mailer.flows.clock import Timekeeper, Uptime
from tlsrpt_mailer.flows.compose import compose
from tlsrpt_mailer.flows.deliver import Handed, SendResult
from tlsrpt_mailer.flows.digest import send_digests
from tlsrpt_mailer.flows.directly import Routes
from tlsrpt_mailer.flows.health import HOLD_BACK, SourceState
from tlsrpt_mailer.flows.ingest import Ingest
from tlsrpt_mailer.flows.ingest import Settings as IngestSettings
from tlsrpt_mailer.flows.pending import verify_pending
from tlsrpt_mailer.flows.ping import unwell
from tlsrpt_mailer.flows.relay import RelaySettings, watch_relay
from tlsrpt_mailer.flows.review import review
from tlsrpt_mailer.flows.watch import watch
from tlsrpt_mailer.flows.watch_held import watch_held
from tlsrpt_mailer.flows.watch_program import watch_program
from tlsrpt_mailer.flows.watch_sources import watch_sources
from tlsrpt_mailer.intake.model import MailContent
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.ports import Letter, RawMail, Receipt
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time
from tlsrpt_mailer.store import retention
from tlsrpt_mailer.store.digesting import open_digest_reader
from tlsrpt_mailer.store.eviction import evict
from tlsrpt_mailer.store.lock import HolderLock
from tlsrpt_mailer.store.sqlite import SqliteStore
from tlsrpt_mailer.wiring.kinds import sources
from tlsrpt_mailer.wiring.outside import Outside
from tlsrpt_mailer.wiring.parts import (
    answers,
    audience,
    digest_plan,
    held_settings,
    organisational,
    standing,
)
from tlsrpt_mailer.wiring.trusting import trust
from tlsrpt_mailer.wiring.ways import Ways, pinger, relay_name
from tlsrpt_mailer.wiring.whose import Whose

if TYPE_CHECKING:
    from tlsrpt_mailer.net.resolver import Resolver

log = structlog.get_logger()

WORKER = "worker"
"""The fact that says who did the work last: `run`, the daemon, or `once`."""

IMPORT = "import"
"""The fact that says when an import that is under way began, and when it last stored something:
two times of the machine's clock."""
WATCHED = "watched"
"""The fact that says since when silence has been watched for, and when it was last."""
SLEPT: Span = 26 * HOUR
"""After so long without a look, the program itself was away: it blames no intake."""
SLOW_SECONDS = 0.1
"""A look for what is due that takes no longer may be had at every tick."""
MOST_TURNS = 100
"""How often `once` has held mails read again."""
IMPORT_ALIVE: Span = MINUTE
"""After so long without a word an import is over, or was killed."""


class App:
    """The program without its threads, over an open store."""

    def __init__(
        self,
        config: Config,
        store: SqliteStore,
        clock: Callable[[], Time],
        lock: HolderLock | None = None,
        keeper: Timekeeper | None = None,
    ) -> None:
        self.store = store
        self._keeper = keeper
        self.clock = clock
        self._lock = lock
        self._host = host_name()
        self._rests_until: Time = 0
        self._handed = Handed()
        self._evicted = 0
        self._evicted_said: Time = 0
        self._integrity = integrity.Integrity(
            partial(retention.check, store.path),
            partial(store.state.save_fact, integrity.FACT),
            time.monotonic,
        )
        self.apply(config)

    def apply(self, config: Config) -> None:
        """Work by *config* from now on; sources are the daemon's business."""
        self.config = config
        self._standing = standing(config)
        self._resolver: Resolver | None = None
        self._whose = Whose(config, self.store, self.deliver, lambda: self.resolver)
        settings = IngestSettings(
            read=_read,
            organisational=organisational,
            standing=self._standing,
            answers=answers(config, self._host),
            trust=trust(
                config, self.store.keys, lambda: self.resolver, self._whose.ownership, self.clock
            ),
        )
        self._ingest = Ingest(self.store, settings, self.clock)
        self._audience = audience(config, self._host)
        self._ways = Ways(config, self.store, self._handed)
        self.outside = Outside(config, self.store, self._whose, self._standing, self.clock)
        self._pinger = pinger(config)

    def check(self, config: Config) -> None:
        """Raise ConfigError where *config* cannot be worked by; changes nothing."""
        if database(config) != self.store.path:
            raise ConfigError("storage.path has changed: that needs a restart")
        sources(App(config, self.store, self.clock))

    def deliver(self, mails: Sequence[RawMail]) -> list[Receipt]:
        """`ports.Deliver`."""
        return self._ingest.deliver(mails)

    @property
    def resolver(self) -> "Resolver":
        """Who asks DNS, by ``[dns]``; built when it is asked for first."""
        if self._resolver is None:
            from tlsrpt_mailer.net.resolver import Resolver  # noqa: PLC0415 - heavy

            dns = self.config.dns
            self._resolver = Resolver(dns.nameservers, dns.timeout, zone_of=organisational)
        return self._resolver

    @property
    def find_out_every(self) -> Span:
        """How long until the next `find_out_whose`."""
        return self._whose.every

    def find_out_whose(self, now: Time) -> int:
        """Adopt domains whose records send reports here, and read again what is ours by now."""
        return self._whose.find_out(now)

    def find_out_all(self) -> None:
        """As `find_out_whose`, until nothing is left to read again: for `once`."""
        for _ in range(MOST_TURNS):
            if not self.find_out_whose(self.clock()) and not self._whose.has_more:
                return

    def verify_pending(self, now: Time) -> int:
        """Verify again the mails whose key could not be asked for; returns how many that was."""
        if not self.store.pending.due(now, 1):
            return 0
        self.resolver.forget_trouble()
        known = self._standing.shipped | self._standing.configured
        return verify_pending(
            self.store.pending, self.deliver, now, organisational=organisational, known=known
        )

    def review(self, now: Time) -> int:
        """Judge what is open again; returns the number of domains."""
        return review(self.store, self._standing, now)

    def compose(self, now: Time, *, close_groups: bool = False) -> list[Letter]:
        """Freeze the mails that are due."""
        return compose(self.store, self._audience, now, close_groups=close_groups)

    def compose_in_turn(self, now: Time) -> list[Letter]:
        """
        As `compose`, for every tick: with thousands of open failures a look takes long, so after
        one that found nothing there is a rest of ten times its length.
        """
        if now < self._rests_until <= now + MINUTE:
            return []
        began = time.monotonic()
        letters = self.compose(now)
        took = time.monotonic() - began
        self._rests_until = now if letters or took < SLOW_SECONDS else now + math.ceil(10 * took)
        return letters

    def watch(self, now: Time) -> list[Letter]:
        """Freeze the mails about reports that stopped, or come again."""
        since, last = (int(word) for word in (self.store.state.fact(WATCHED) or "0 0").split())
        if not since or now - last > SLEPT or last > now:
            since = now
        letters = watch(self.store.watching, self._audience, now, awake_since=since)
        self.store.state.save_fact(WATCHED, f"{since} {now}")
        return letters

    def watch_sources(self, now: Time) -> list[Letter]:
        """Freeze the mails about sources that do not work, or work again."""
        return watch_sources(self.store.watching, self._audience, now)

    def watch_held(self, now: Time) -> list[Letter]:
        """Freeze the mails about reports that are held."""
        settings = held_settings(self._standing, self.config, self._host)
        return watch_held(self.store.aside, self.store.watching, self._audience, settings, now)

    def routes(self) -> Routes:
        """The ways out that need no database."""
        return self._ways.routes(self._audience, self.config.alerts.fallback)

    def watch_program(self, now: Time) -> list[Letter]:
        """Freeze the mails about parts of the program that are in trouble, or work again."""
        store, fallback = self.store, self.config.alerts.fallback
        return watch_program(
            store.parts,
            store.watching,
            self._audience,
            now,
            clock_doubt=self.clock_doubt,
            fallback=fallback,
            lost=self.outside.lost(now),
        )

    def watch_beginnings(self, now: Time) -> list[Letter]:
        """Freeze the mails that say that reports have begun to come in."""
        return watch_beginnings(self.store.watching, self._audience, now)

    def digest(self, now: Time) -> list[Letter]:
        """Freeze the digests of the last moment of their schedule, once."""
        return send_digests(
            self.store,
            self.store.state,
            partial(open_digest_reader, self.store.path),
            self._audience,
            digest_plan(self.config),
            now,
        )

    @property
    def lanes(self) -> list[str]:
        """`Ways.lanes`."""
        return self._ways.lanes

    def send_due(
        self,
        now: Time,
        stop: Event | None = None,
        beat: Callable[[], None] = lambda: None,
        *,
        lane: str | None = None,
    ) -> SendResult:
        """Hand over what is due: in one lane, or in all of them one after the other."""
        self.look_at_clock()
        may_give_up = self.clock_doubt is None
        return self._ways.send_due(now, stop, beat, lane=lane, may_give_up=may_give_up)

    def watch_relay(self, now: Time) -> list[Letter]:
        """Tell the operator by `alerts.fallback` that the relay is in trouble, and no more."""
        settings = RelaySettings(
            fallback=self.config.alerts.fallback, relay=relay_name(self.config), host=self._host
        )
        cut_off = self._ways.is_relay_cut_off
        return watch_relay(self.store.relay_notes, settings, now, is_cut_off=cut_off)

    def ping(
        self,
        states: Sequence[SourceState],
        hung: Sequence[str] = (),
        store_trouble: Sequence[str] = (),
    ) -> bool:
        """Fetch ``[health] ping_url`` if all is well and it is time; whether that was done."""
        if self._pinger is None:
            return False
        note = self.store.relay_notes.note()
        troubles = unwell(
            states,
            self.store.state.job_errors(),
            hung=hung,
            store_trouble=store_trouble,
            is_relay_in_trouble=note is not None and note.ended_at is None,
        )
        return self._pinger.ping(troubles, self.clock())

    def look_at_clock(self) -> None:
        """Hold the clock against what it said before; raises Temporary (`Timekeeper.look`)."""
        if self._keeper is not None:
            self._keeper.look()

    @property
    def clock_doubt(self) -> Span | None:
        """By how much the clock is ahead (less than none: behind) where it is in doubt."""
        return None if self._keeper is None else self._keeper.doubt

    @property
    def is_clock_settled(self) -> bool:
        """Whether what follows from time alone may be told."""
        return self._keeper is None or self._keeper.is_settled

    def prune(self, now: Time, *, force: bool = False) -> retention.Pruned:
        """Keep to the retention of ``[storage]``; nothing goes while the clock is in doubt."""
        if self.clock_doubt is not None and not force:
            return retention.Pruned()
        storage = self.config.storage
        keep = retention.Keep(
            reports=storage.keep,
            raw=storage.keep_raw,
            ignored=storage.keep_ignored,
            untrusted_bytes=storage.max_untrusted_mb * 1024 * 1024,
            known=self._standing.shipped | self._standing.configured,
        )
        pruned = retention.prune(self.store.writer, now, keep)
        self._say_evicted(pruned.evicted, now)
        return pruned

    def make_room(self, now: Time) -> None:
        """Drop mail that nobody vouches for, where there is more than may be."""
        limit = self.config.storage.max_untrusted_mb * 1024 * 1024
        known = self._standing.shipped | self._standing.configured
        self._say_evicted(evict(self.store.writer, limit, known=known), now)

    def _say_evicted(self, mails: int, now: Time) -> None:
        """Say it at once, then once a day at most, with all that went since."""
        self._evicted += mails
        if self._evicted and not self._evicted_said <= now < self._evicted_said + DAY:
            most = self.config.storage.max_untrusted_mb
            log.warning("store.evicted", mails=self._evicted, max_untrusted_mb=most)
            self._evicted, self._evicted_said = 0, now

    def look_for_damage(self, now: Time) -> None:
        """Read the whole database for damage, and keep what was found; raises if there is any."""
        self._integrity.look(now)

    def job_runs(self) -> Mapping[str, Time]:
        """When each job ran last."""
        return self.store.state.job_runs()

    def job_errors(self) -> Mapping[str, str]:
        """The jobs whose last run failed, with the error."""
        return self.store.state.job_errors()

    def save_job_run(self, name: str, now: Time, error: str | None) -> None:
        """Note that a job ran."""
        self.store.state.save_job_run(name, now, error)

    def save_source(self, state: SourceState) -> None:
        """Write down how a source is doing, for `status`."""
        self.store.state.save_source(
            state.name,
            state=state.state,
            since=state.since,
            detail=state.detail,
            error=state.error,
            tries=state.tries,
            next_try=state.next_try,
            warning=state.warning,
            backlog=state.backlog,
        )

    def save_worker(self, name: str) -> None:
        """Note who does the work, so that `status` can tell a dead daemon from a cron job."""
        self.store.state.save_fact(WORKER, name)

    @contextmanager
    def import_under_way(self) -> Iterator[Callable[[], None]]:
        """Tell a daemon that its alerts had better wait; yields what says that it goes on."""
        began = clock_of_machine()

        def note(text: str) -> None:
            # A locked database defers mails, and says so; this is only a courtesy.
            with suppress(Temporary):
                self.store.state.save_fact(IMPORT, text)

        yield lambda: note(f"{began} {clock_of_machine()}")
        note("0 0")

    def is_importing(self) -> bool:
        """
        Whether an import is at work, and has been for less than `HOLD_BACK`; or held mails are
        read again.

        What one file of an old mailbox says may be over with the next one.
        """
        if self._whose.is_busy(self.clock()):
            return True
        began, last = (int(word) for word in (self.store.state.fact(IMPORT) or "0 0").split())
        now = clock_of_machine()
        return 0 <= now - last < IMPORT_ALIVE and 0 <= now - began < HOLD_BACK

    def forget_sources(self, names: Collection[str]) -> None:
        """Drop the health of sources that are configured no more."""
        self.store.state.keep_sources(names)

    def close(self, timeout: float = -1) -> bool:
        """Close the store and let go of the lock; False if a transaction is still under way."""
        closed = self.store.close(timeout)
        if closed and self._lock is not None:
            self._lock.release()
        return closed


def _read(raw: bytes, file_name: str | None) -> MailContent:
    return read(raw, file_name=file_name)


def uptime_of_machine() -> Uptime:
    """How long this host runs, its sleep included."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return Uptime(boot, time.clock_gettime(time.CLOCK_BOOTTIME))
    return Uptime("", time.monotonic())


def clock_of_machine() -> Time:
    """The time of this host."""
    return int(time.time())
