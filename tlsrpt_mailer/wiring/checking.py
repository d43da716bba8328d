"""Looks at domains and test reports, for one configuration: who asks, and what should be there."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tlsrpt_mailer.config import Config, host_name, secret
from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.examine import Expected
from tlsrpt_mailer.domains.ours import Ours
from tlsrpt_mailer.errors import ConfigError, installs
from tlsrpt_mailer.flows.canary import EVERY
from tlsrpt_mailer.flows.canary import Settings as CanarySettings
from tlsrpt_mailer.flows.checking import Checker, Looker
from tlsrpt_mailer.flows.checking import Settings as CheckSettings
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.ports import Checks, Due, Past, Store
from tlsrpt_mailer.report.times import DAY, Span, Time
from tlsrpt_mailer.wiring.kinds import addresses_of
from tlsrpt_mailer.wiring.parts import named_domains, organisational, our_addresses, ours

if TYPE_CHECKING:
    from tlsrpt_mailer.net.lookups import Lookups

SPANS: dict[str, Span] = {"daily": DAY, "weekly": 7 * DAY}
MAILTO = "mailto:"

LATE = (
    "tlsrpt_mailer.net.lookups",
    "tlsrpt_mailer.net.scout",
    "tlsrpt_mailer.net.delivery",
    "tlsrpt_mailer.net.certificates",
    "tlsrpt_mailer.net.handshake",
    "dkim",
    "nacl.signing",
)
"""What goes to the network, and what signs, loads only when somebody does."""
PROBE = ("OpenSSL", "service_identity")
"""The packages of the extra "probe"."""

PastOf = Callable[[Collection[str]], Mapping[str, Past]]


def _need_probe(where: str) -> None:
    """Raises ConfigError where the extra is not installed."""
    for name in PROBE:
        if find_spec(name) is None:
            raise ConfigError(f"{where}looking at certificates needs {name}: {installs('probe')}")


def _nothing_known(_domains: Collection[str]) -> Mapping[str, Past]:
    return {}


class Checking:
    """
    Everything that goes to the network for a configuration; built when it is asked for first.

    A reload makes a new one.

    Raises:
        ConfigError: ``checks.probe`` is set, and what it needs is not installed.
    """

    def __init__(self, config: Config) -> None:
        if config.checks.probe:
            _need_probe("checks.probe: ")
        self._config = config
        self._host = host_name()
        self.every: Span | None = SPANS.get(config.checks.schedule)
        """How often domains are looked at; None: only when somebody asks."""
        self.canary_every: Span | None = EVERY.get(config.canary.schedule)

    @staticmethod
    def load() -> None:
        """Load now what is loaded late: root may read it, and who comes after may not."""
        for name in LATE:
            # An extra that is not installed is said where it is asked for.
            with suppress(ImportError):
                import_module(name)

    @cached_property
    def lookups(self) -> "Lookups":
        """DNS for looks at domains."""
        from tlsrpt_mailer.net.lookups import Lookups  # noqa: PLC0415 - heavy

        dns = self._config.dns
        return Lookups(
            dns.nameservers,
            dns.timeout,
            trust_ad=dns.trust_ad,
            rate=self._config.checks.queries_per_second,
        )

    def looker(self, past: PastOf = _nothing_known, *, is_probing: bool | None = None) -> Looker:
        """
        Who looks at domains.

        Args:
            past: What is known of domains.
            is_probing: Connect to MX hosts, whatever ``checks.probe`` says.

        Raises:
            ConfigError: The CA file cannot be used, or what the probe needs is not installed.
        """
        from tlsrpt_mailer.net.scout import NetScout  # noqa: PLC0415 - heavy

        settings = self._settings(is_probing=is_probing)
        if settings.is_probing:
            _need_probe("")
        ca_file = self._config.checks.ca_file
        helo = self._host if settings.is_probing else None
        # Strangers' domains may lead to no network of ours; what makes itself ours is never
        # connected to, but for who asks for it by name.
        try:
            public = NetScout(
                self.lookups,
                ca_file=ca_file,
                only_public=True,
                helo=helo if settings.probes_all else None,
            )
            named = NetScout(self.lookups, ca_file=ca_file, helo=helo)
        except ConfigError as error:
            where = "checks.ca_file: " if str(error).startswith(f"{ca_file}:") else ""
            raise ConfigError(f"{where}{error}") from error
        return Looker(past, named, public, settings)

    def checker(
        self, store: Store, checks: Checks, standing: Standing, *, is_probing: bool | None = None
    ) -> Checker:
        """Who keeps what looks find; as `looker`."""
        looker = self.looker(checks.past, is_probing=is_probing)
        settings = self._settings(is_probing=is_probing)
        return Checker(store, checks, looker, standing, settings)

    def _settings(self, *, is_probing: bool | None) -> CheckSettings:
        return CheckSettings(
            expected=self._expected,
            is_named=self._ours.names,
            every=self.every or DAY,
            is_probing=self._config.checks.probe if is_probing is None else is_probing,
            probes_all=bool(is_probing),
            control=self._config.checks.control,
            host=self._host,
        )

    def _expected(self, due: Due, now: Time) -> Expected:
        return Expected(
            addresses=self.addresses,
            rua=self.rua,
            now=now,
            expires_within=self._config.checks.expires_within,
            is_mx_only=due.is_host,
            is_others=due.is_host and not self._ours.owns_host(due.domain),
            is_our_mx=self._ours.runs,
        )

    @cached_property
    def addresses(self) -> Addresses:
        """Ours, as records may name them."""
        return Addresses(our_addresses(self._config))

    @cached_property
    def rua(self) -> tuple[str, ...]:
        """What records should name: ``checks.rua``, else the first address of a source."""
        named = self._config.checks.rua
        taken = (one for one in our_addresses(self._config) if not one.startswith("@"))
        return named or tuple(f"{MAILTO}{one}" for one in list(taken)[:1])

    @cached_property
    def _ours(self) -> Ours:
        return ours(self._config)

    def canary(self) -> CanarySettings:
        """What test reports are made of, and where they go."""
        config = self._config
        sender = config.canary.sender or config.alerts.sender or f"tlsrpt-mailer@{self._host}"
        key = secret(config.canary, "key", beside=config.file)
        return CanarySettings(
            sender=sender,
            selector=config.canary.selector,
            addresses=canary_addresses(config, self._host),
            key=lambda: None if key is None else key().encode(),
        )

    def move(self, raw: bytes, sender: str, recipient: str) -> str:
        """`ports.Mover`: by way of the recipient's MX."""
        from tlsrpt_mailer.net.delivery import Way, deliver  # noqa: PLC0415 - heavy

        return deliver(raw, sender, recipient, self.lookups.ask, Way(self._host))


def canary_addresses(config: Config, host: str) -> tuple[str, ...]:
    """
    Our own addresses that reports go to, each once; never a vendor's, who would take a test for
    a report of ours.

    Of ``checks.rua`` those that a source says to take, or at a domain near ours; without any,
    those of the sources. What else comes into a mailbox nobody here knows.
    """
    named = [uri.removeprefix(MAILTO) for uri in config.checks.rua if uri.startswith(MAILTO)]
    sources = [one for each in config.source for one in addresses_of(each)]
    domains = [one.rpartition("@")[2] for one in sources]
    taken = Addresses(sources)
    near = {organisational(name) for name in (host, *domains, *named_domains(config))} - {None}
    ours_ = [
        one for one in named if taken.match(one) or organisational(one.rpartition("@")[2]) in near
    ]
    return tuple(dict.fromkeys(ours_ or [one for one in sources if not one.startswith("@")]))
