"""What goes out by itself for one configuration: looks at our domains, and test reports."""

from collections.abc import Callable
from threading import Event

from tlsrpt_mailer.config import Config
from tlsrpt_mailer.flows.canary import lost as overdue
from tlsrpt_mailer.flows.canary import send_due
from tlsrpt_mailer.flows.checking import Checker
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.ports import SentCanary
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import HOUR, MINUTE, Span, Time
from tlsrpt_mailer.store.inventory import newest_window, refresh_volumes
from tlsrpt_mailer.store.sqlite import SqliteStore
from tlsrpt_mailer.wiring.checking import Checking
from tlsrpt_mailer.wiring.parts import named_domains
from tlsrpt_mailer.wiring.whose import Whose

MOST_UNNAMED = 1_000
"""Domains that no ``[[domains]]`` names and that are looked at: strangers may report on many."""

COUNTED_SOON: Span = 5 * MINUTE
"""How long sessions stay uncounted after reports came in."""


class Outside:
    """
    Has domains of ours looked at in their turn, and test reports sent; a reload makes a new one.

    Raises:
        ConfigError: As `Checking`.
    """

    def __init__(
        self,
        config: Config,
        store: SqliteStore,
        whose: Whose,
        standing: Standing,
        clock: Callable[[], Time],
    ) -> None:
        self._config = config
        self._store = store
        self._whose = whose
        self._standing = standing
        self._clock = clock
        self.checking = Checking(config)
        self._checker: Checker | None = None
        self._is_enrolled = False
        self._has_looked = False
        self._counted_up_to: int | None = None

    @property
    def enrol_every(self) -> Span:
        """How long until the next `enrol`: none at a start and after a reload."""
        return HOUR if self._is_enrolled else 0

    @property
    def check_every(self) -> Span:
        """How long until the next `check_domains`, likewise."""
        return MINUTE if self._has_looked else 0

    @property
    def count_every(self) -> Span:
        """How long until the next `count_volumes`: sooner where reports have come in since."""
        if self._counted_up_to is None:
            return 0
        is_behind = newest_window(self._store.writer) != self._counted_up_to
        return COUNTED_SOON if is_behind else HOUR

    def enrol(self, now: Time) -> int:
        """Have every domain of ours looked at from now on; returns how many are new."""
        names = {*named_domains(self._config), *self._reported()}
        new = self._store.checks.enrol(names, now)
        self._is_enrolled = True
        return new

    def _reported(self) -> list[str]:
        """Those that reports speak of, and that are ours as far as is known."""
        every = self._store.checks.reported()
        whose = self._whose.ours
        is_asked = self._config.trust.dkim != "off"
        found = [
            name
            for name in every
            if is_strict_host(name)
            and (not is_asked or whose.ownership(Policy("sts", name)) == "ours")
        ]
        if whose.is_configured:
            return [name for name in found if whose.names(name)]
        # Those that are looked at stay: a stranger's names would come first as he likes.
        there = {one.domain for one in self._store.checks.all()}
        return sorted(found, key=lambda name: (name not in there, name))[:MOST_UNNAMED]

    def check_domains(
        self, stop: Event | None = None, beat: Callable[[], None] = lambda: None
    ) -> int:
        """Look at the domains whose turn has come; returns how many that were."""
        self._has_looked = True
        # Who looks is heavy: not made before there is something to look at.
        if self.checking.every is None or not self._store.checks.due(self._clock(), 1):
            return 0
        return self.checker().run(self._clock, stop, beat)

    def checker(self, *, is_probing: bool | None = None) -> Checker:
        """Who looks at domains; *is_probing* as in `Checking.checker`."""
        if self._checker is None or is_probing is not None:
            self._checker = self.checking.checker(
                self._store, self._store.checks, self._standing, is_probing=is_probing
            )
        return self._checker

    def count_volumes(self, now: Time) -> int:
        """Add up the sessions of each domain anew, for the inventory."""
        # Read first: what comes in while they are added up is counted the next time.
        newest = newest_window(self._store.writer)
        count = refresh_volumes(self._store.path, self._store.writer, now)
        self._counted_up_to = newest
        return count

    def send_canaries(self, now: Time) -> int:
        """Send the test reports that are due; returns how many."""
        every = self.checking.canary_every
        if every is None:
            return 0
        settings = self.checking.canary()
        return len(send_due(self._store.canaries, self.checking.move, settings, every, now))

    def lost(self, now: Time) -> list[SentCanary]:
        """Test reports that should be back by now."""
        if self.checking.canary_every is None:
            return []
        addresses = self.checking.canary().addresses
        return overdue(self._store.canaries, addresses, self._config.canary.within, now)
