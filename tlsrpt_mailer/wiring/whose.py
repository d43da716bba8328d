"""Whose domains are, for one configuration: what it names, and what is found out beside it."""

import math
import time
from collections.abc import Callable

from tlsrpt_mailer.config import Config
from tlsrpt_mailer.domains.ours import Addresses, Ownership
from tlsrpt_mailer.flows.adopting import Findings, Lookup, Reclaimer, adopt, nothing_to_compare
from tlsrpt_mailer.flows.health import HOLD_BACK
from tlsrpt_mailer.ports import Deliver
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import MINUTE, Span, Time
from tlsrpt_mailer.store.sqlite import SqliteStore
from tlsrpt_mailer.wiring.parts import organisational, our_addresses, ours

SOON: Span = 5
"""Between two looks while there is something to find out."""
HEEDED = 0.1
"""Seconds for which it is not asked again whether another process has written."""
ADDRESSES = "addresses"
"""The fact that says which addresses of ours the records were last compared with."""


class Whose:
    """
    A reload makes a new one.

    Args:
        config: What is in force.
        store: Where what was found out is kept.
        deliver: Takes held mails that are read again.
        resolver: Who asks DNS; called only when there is something to ask.
    """

    def __init__(
        self, config: Config, store: SqliteStore, deliver: Deliver, resolver: Callable[[], Lookup]
    ) -> None:
        self._store = store
        self._resolver = resolver
        self._addresses = our_addresses(config)
        self._findings = Findings(store.adoptions)
        self._version = -1
        self._heeded = -math.inf
        self._is_checked = config.trust.dkim != "off"
        self.ours = ours(config, self._findings.of)
        self._reclaimer = Reclaimer(store.adoptions, deliver, self.ours)
        self._is_new = True
        self._is_asked = False
        self._busy_since: Time | None = None

    @property
    def every(self) -> Span:
        """How long until the next look: none at a start and after a reload."""
        if self._is_new:
            return 0
        return SOON if self._is_asked else MINUTE

    def is_busy(self, now: Time) -> bool:
        """Whether held mails are being read again, and have been for less than `HOLD_BACK`."""
        return self._busy_since is not None and 0 <= now - self._busy_since < HOLD_BACK

    def ownership(self, policy: Policy) -> Ownership:
        """Whose *policy* is; what nobody knows is found out soon."""
        self._heed()
        found = self.ours.ownership(policy)
        if found == "proposed":
            self._is_asked = True
        return found

    def find_out(self, now: Time) -> int:
        """
        Look up the records that are due, and read again what is ours by now.

        Returns:
            How many held mails were read again.

        """
        self._is_new = self._is_asked = False
        if not self._is_checked:
            return 0
        self._heeded = -math.inf
        self._heed()
        adopted: list[str] = []
        if not self.ours.is_configured:
            self._look_again(now)
            adopted = self._adopt(now)
        done = self._reclaimer.reclaim(adopted)
        if not self.has_more:
            self._busy_since = None
        elif done and self._busy_since is None:
            self._busy_since = now
        self._is_asked = self._is_asked or self.has_more
        return done

    def _heed(self) -> None:
        """Where another process has written, somebody may have said whose a domain is."""
        now = time.monotonic()
        if now < self._heeded + HEEDED:
            return
        self._heeded = now
        version = self._store.data_version()
        if version != self._version:
            self._findings.forget()
            self._version = version

    @property
    def has_more(self) -> bool:
        """Whether one turn was not enough for all that is held."""
        return self._reclaimer.has_more

    def _adopt(self, now: Time) -> list[str]:
        adoptions = self._store.adoptions
        if not adoptions.due(now, 1):
            return []
        if not self._addresses:
            nothing_to_compare(adoptions, now)
            return []
        found = adopt(
            adoptions,
            self._resolver(),
            Addresses(self._addresses),
            now,
            organisational=organisational,
        )
        if found:
            self._findings.forget()
        return found

    def _look_again(self, now: Time) -> None:
        """With new addresses of ours, no domain waits for its day."""
        known = "\n".join(sorted(self._addresses))
        if self._store.state.fact(ADDRESSES) != known:
            self._store.adoptions.look_again(now)
            self._store.state.save_fact(ADDRESSES, known)
