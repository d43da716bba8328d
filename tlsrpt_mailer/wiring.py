"""
The registries (one line a kind), and the only place that builds adapters from settings.

`App` is the program without its threads: the daemon, `once` and the commands
that write all work through it.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from email.utils import parseaddr
from functools import cache, lru_cache, partial
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Any, Literal

import msgspec

from tlsrpt_mailer import __version__
from tlsrpt_mailer.alerts.model import Context
from tlsrpt_mailer.alerts.model import Settings as PlanSettings
from tlsrpt_mailer.channels.email import EmailChannel
from tlsrpt_mailer.channels.email import Settings as MailSettings
from tlsrpt_mailer.channels.log import LogChannel
from tlsrpt_mailer.config import Config, Kinds, SourceConfig, database, host_name, secret
from tlsrpt_mailer.errors import ConfigError, Temporary
from tlsrpt_mailer.failures.model import Verdict
from tlsrpt_mailer.flows.compose import Audience, compose
from tlsrpt_mailer.flows.deliver import SendResult, send_due
from tlsrpt_mailer.flows.health import HOLD_BACK, SourceState
from tlsrpt_mailer.flows.ingest import Ingest
from tlsrpt_mailer.flows.ingest import Settings as IngestSettings
from tlsrpt_mailer.flows.judging import Reads, Standing, judge_histories
from tlsrpt_mailer.flows.review import review
from tlsrpt_mailer.intake.model import Limits, MailContent
from tlsrpt_mailer.intake.read import read
from tlsrpt_mailer.ports import Channel, Letter, RawMail, Receipt, Source
from tlsrpt_mailer.report.dialects import KNOWN_REPORTERS
from tlsrpt_mailer.report.times import HOUR, MINUTE, Span, Time, iso
from tlsrpt_mailer.sources.imap_settings import Settings as ImapSettings
from tlsrpt_mailer.sources.maildir import MaildirSource
from tlsrpt_mailer.sources.maildir import Settings as MaildirSettings
from tlsrpt_mailer.sources.smtp_settings import Settings as ListenerSettings
from tlsrpt_mailer.store import retention
from tlsrpt_mailer.store.lock import HolderLock, become_owner, hold
from tlsrpt_mailer.store.sqlite import SqliteStore, open_store

LOG_RECIPIENT = "log"
"""Who is told where no address is configured: the log, and the terminal."""


class SourceKind(msgspec.Struct, frozen=True):
    """How sources of one kind are made from their settings."""

    settings: type[msgspec.Struct]
    module: str
    """What is imported only where such a source is built: IMAP and SMTP libraries are heavy."""
    build: Callable[[Any, "App"], Source]
    name: Callable[[Any], str]


@cache
def _suffixes() -> Callable[[str], str | None]:
    """The public suffix list that ships with its library; loaded at the first report."""
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - heavy, and only for reports

    private: Callable[[str], str | None] = PublicSuffixList().privatesuffix
    return private


@lru_cache(maxsize=4096)
def organisational(name: str) -> str | None:
    """A host name to its organisational domain; None where there is none."""
    return _suffixes()(name)


def standing(config: Config) -> Standing:
    """Which reporters are known from the start."""
    return Standing(frozenset(KNOWN_REPORTERS), frozenset(config.trust.reporters))


def _imap(settings: ImapSettings, app: "App") -> Source:
    from tlsrpt_mailer.sources.imap import ImapSource  # noqa: PLC0415 - heavy

    word = "token" if settings.auth == "xoauth2" else "password"
    place = secret(settings, word, beside=app.config.file)
    if place is None:
        raise ConfigError(f"source {settings.name}: no {word} is configured")
    return ImapSource(settings, place, app.store.positions, app.clock, Limits())


def _listener(kind: Literal["lmtp", "smtp"], settings: ListenerSettings, app: "App") -> Source:
    from tlsrpt_mailer.sources.smtp import ListenerSource  # noqa: PLC0415 - heavy

    return ListenerSource(kind, settings, app.clock)


def _maildir(settings: MaildirSettings, app: "App") -> Source:
    return MaildirSource(settings, app.clock, Limits())


WORKER = "worker"
"""The fact that says who did the work last: `run`, the daemon, or `once`."""

IMPORT = "import"
"""The fact that says when an import that is under way began, and when it last stored something:
two times of the machine's clock."""
IMPORT_ALIVE: Span = MINUTE
"""After so long without a word an import is over, or was killed."""

_IN = "tlsrpt_mailer.sources"
SOURCES: Mapping[str, SourceKind] = {
    "imap": SourceKind(ImapSettings, f"{_IN}.imap", _imap, lambda one: str(one.name)),
    "lmtp": SourceKind(
        ListenerSettings,
        f"{_IN}.smtp",
        partial(_listener, "lmtp"),
        lambda one: f"lmtp:{one.listen}",
    ),
    "smtp": SourceKind(
        ListenerSettings,
        f"{_IN}.smtp",
        partial(_listener, "smtp"),
        lambda one: f"smtp:{one.listen}",
    ),
    "maildir": SourceKind(
        MaildirSettings, f"{_IN}.maildir", _maildir, lambda one: f"maildir:{one.path}"
    ),
}
"""Every kind of ``[[source]]``."""

KINDS = Kinds(sources={name: kind.settings for name, kind in SOURCES.items()}, mail=MailSettings)


def source(one: SourceConfig, app: "App") -> Source:
    """Build a source; raises ConfigError where its settings cannot be used."""
    return SOURCES[one.kind].build(one.settings, app)


def source_name(one: SourceConfig) -> str:
    """The name that a source of these settings has, without building it."""
    return SOURCES[one.kind].name(one.settings)


def sources(app: "App") -> list[Source]:
    """All sources of the configuration; raises ConfigError where two have one name."""
    built = [source(one, app) for one in app.config.source]
    names = [one.name for one in built]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(*(f"source: {name} is configured twice" for name in twice))
    return built


class App:
    """The program without its threads, over an open store."""

    def __init__(
        self,
        config: Config,
        store: SqliteStore,
        clock: Callable[[], Time],
        lock: HolderLock | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self._lock = lock
        self._host = host_name()
        self.apply(config)

    def apply(self, config: Config) -> None:
        """Work by *config* from now on; sources are the daemon's business."""
        self.config = config
        self._standing = standing(config)
        settings = IngestSettings(
            read=_read, organisational=organisational, standing=self._standing
        )
        self._ingest = Ingest(self.store, settings, self.clock)
        self._audience = audience(config, self._host)
        self._mail = mail_channel(config)

    def check(self, config: Config) -> None:
        """Raise ConfigError where *config* cannot be worked by; changes nothing."""
        if database(config) != self.store.path:
            raise ConfigError("storage.path has changed: that needs a restart")
        sources(App(config, self.store, self.clock))

    def deliver(self, mails: Sequence[RawMail]) -> list[Receipt]:
        """`ports.Deliver`."""
        return self._ingest.deliver(mails)

    def review(self, now: Time) -> int:
        """Judge what is open again; returns the number of domains."""
        return review(self.store, self._standing, now)

    def compose(self, now: Time, *, close_groups: bool = False) -> list[Letter]:
        """Freeze the mails that are due."""
        return compose(self.store, self._audience, now, close_groups=close_groups)

    def send_due(
        self,
        now: Time,
        stop: Event | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> SendResult:
        """Hand over the mails that are due."""
        return send_due(self.store.outbox, self._channel, now, stop, beat)

    def prune(self, now: Time) -> retention.Pruned:
        """Keep to the retention of ``[storage]``."""
        storage = self.config.storage
        keep = retention.Keep(
            reports=storage.keep,
            raw=storage.keep_raw,
            ignored=storage.keep_ignored,
            untrusted_bytes=storage.max_untrusted_mb * 1024 * 1024,
        )
        return retention.prune(self.store.writer, now, keep)

    def job_runs(self) -> Mapping[str, Time]:
        """When each job ran last."""
        return self.store.state.job_runs()

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
        began = _clock()

        def note(text: str) -> None:
            # A locked database defers mails, and says so; this is only a courtesy.
            with suppress(Temporary):
                self.store.state.save_fact(IMPORT, text)

        yield lambda: note(f"{began} {_clock()}")
        note("0 0")

    def is_importing(self) -> bool:
        """
        Whether an import is at work, and has been for less than `HOLD_BACK`.

        What one file of an old mailbox says may be over with the next one.
        """
        began, last = (int(word) for word in (self.store.state.fact(IMPORT) or "0 0").split())
        now = _clock()
        return now - last < IMPORT_ALIVE and now - began < HOLD_BACK

    def forget_sources(self, names: Collection[str]) -> None:
        """Drop the health of sources that are configured no more."""
        self.store.state.keep_sources(names)

    def close(self, timeout: float = -1) -> bool:
        """Close the store and let go of the lock; False if a transaction is still under way."""
        closed = self.store.close(timeout)
        if closed and self._lock is not None:
            self._lock.release()
        return closed

    def _channel(self, recipient: str) -> Channel:
        return LogChannel() if recipient == LOG_RECIPIENT else self._mail


def audience(config: Config, host: str) -> Audience:
    """``[alerts]`` as composing wants it."""
    alerts = config.alerts
    return Audience(
        recipients=alerts.to or (LOG_RECIPIENT,),
        settings=PlanSettings(
            now=0,
            group_wait=alerts.group_wait,
            group_interval=alerts.group_interval,
            resolve_wait=alerts.resolve_wait,
            max_per_hour=alerts.max_per_hour,
            max_age=alerts.max_age,
            min_severity=alerts.min_severity,
        ),
        context=context(config, host),
        names=KNOWN_REPORTERS,
        tls_required_no=alerts.tls_required_no,
    )


def context(config: Config, host: str) -> Context:
    """Where alert mails are written; the recipient is filled in later."""
    alerts = config.alerts
    return Context(
        now=0,
        host=host,
        version=__version__,
        recipient="",
        sender=alerts.sender or f"tlsrpt-mailer@{host}",
        subject=alerts.subject,
        auto_submitted=alerts.auto_submitted,
        max_per_hour=alerts.max_per_hour,
        group_interval=alerts.group_interval,
    )


def mail_channel(config: Config) -> EmailChannel:
    """The relay of ``[alerts.smtp]``."""
    settings = config.mail
    if not isinstance(settings, MailSettings):
        raise TypeError(settings)
    sender = parseaddr(config.alerts.sender or f"tlsrpt-mailer@{host_name()}")[1]
    return EmailChannel(settings, secret(settings, beside=config.file), sender)


def open_app(
    config: Config,
    *,
    holder: bool,
    now: Time | None = None,
    force: bool = False,
    make: bool = False,
) -> App:
    """
    Open the store and build the program around it.

    Args:
        holder: Take the lock, make the database and bring its tables up to date; for `run`
            and `once`.
        now: The time to work at (``--now``); None for the clock of the machine.
        force: Let *now* lie more than an hour before what the store has seen.
        make: Make the database, if nobody holds it, and let go of the lock again; for `import`.

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
    become_owner(path)
    if make and not holder:
        _make(path)
    clock = _clock if now is None else partial(_fixed, now)
    with ExitStack() as undo:
        lock = hold(path) if holder else None
        if lock is not None:
            undo.callback(lock.release)
        store = open_store(path, create=holder, clock=clock)
        undo.callback(store.close)
        if now is not None and not force:
            _must_go_forward(store, now)
        app = App(config, store, clock, lock)
        undo.pop_all()
        return app


def _make(path: Path) -> None:
    """Make the database or migrate it, unless a daemon does so: it holds the lock."""
    try:
        lock = hold(path)
    except Temporary:
        return
    try:
        open_store(path, create=True).close()
    finally:
        lock.release()


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


def _read(raw: bytes, file_name: str | None) -> MailContent:
    return read(raw, file_name=file_name)


def _clock() -> Time:
    return int(time.time())


def _fixed(now: Time) -> Time:
    return now
