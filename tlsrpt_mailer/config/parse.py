"""From the text of the configuration to `Config`, with all its problems at once."""

import tomllib
from typing import Any

import msgspec

from tlsrpt_mailer.config import meaning
from tlsrpt_mailer.config.channels import Channels, kind_of
from tlsrpt_mailer.config.decode import BAD, nearest, struct
from tlsrpt_mailer.config.meaning import Read
from tlsrpt_mailer.config.model import (
    Alerts,
    Canary,
    Checks,
    Config,
    Digest,
    Dns,
    DomainsConfig,
    Health,
    Kinds,
    Log,
    MxConfig,
    OwnerConfig,
    SourceConfig,
    Storage,
    Trust,
)
from tlsrpt_mailer.config.names import normal_pattern
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.report.hosts import normalise_host

TABLES = (
    "storage",
    "source",
    "trust",
    "dns",
    "checks",
    "canary",
    "owner",
    "domains",
    "mx",
    "alerts",
    "channel",
    "digest",
    "health",
    "log",
)


def _no_files(name: str) -> str:
    raise ConfigError(f"{name} cannot be read here")


def parse(text: str, kinds: Kinds, *, name: str, read: Read = _no_files) -> Config:
    """
    Check the configuration *text* and return what it says.

    Args:
        name: How problems call the file, such as ``config.toml``.
        read: The text of a file that the configuration names; may raise ConfigError.

    Raises:
        ConfigError: Lists every problem, and last how many they are.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise refusal([f"{name}: {error}"], name) from None
    reading = _Reading(kinds, read)
    config = reading.config(document)
    if reading.problems or config is None:
        raise refusal([f"{name}: {problem}" for problem in reading.problems], name)
    return config


def defaults(kinds: Kinds) -> Config:
    """The configuration that holds where there is no file."""
    return parse("", kinds, name="the defaults")


def refusal(problems: list[str], name: str) -> ConfigError:
    """The error that lists *problems*, and says last how many they are."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigError(*problems, f"{name}: {count}, nothing started")


class _Reading:
    """One pass over a document, gathering problems."""

    def __init__(self, kinds: Kinds, read: Read) -> None:
        self._kinds = kinds
        self._read = read
        self.problems: list[str] = []

    def config(self, document: dict[str, Any]) -> Config | None:
        self._unknown_tables(document)
        storage = self._table(Storage, document, "storage")
        sources = self._sources(document)
        trust = self._table(Trust, document, "trust")
        dns = self._table(Dns, document, "dns")
        checks = self._table(Checks, document, "checks")
        canary = self._table(Canary, document, "canary")
        owners = self._structs(OwnerConfig, document, "owner")
        domains = self._structs(DomainsConfig, document, "domains")
        mx = self._structs(MxConfig, document, "mx")
        alerts, mail = self._alerts(document.get("alerts", {}))
        channels = Channels(self._kinds, self._list(document, "channel"), self._problem)
        digest = self._table(Digest, document, "digest")
        health = self._table(Health, document, "health")
        log = self._table(Log, document, "log")
        meaning.check(document, self._problem, channels.names)
        listed = tuple(
            meaning.listed(table, path, self._read, self._problem)
            for path, table in meaning.tables(document, "domains")
        )
        if self.problems:
            return None
        return Config(
            storage=storage,
            source=sources,
            trust=_lower(trust),
            dns=dns,
            checks=checks,
            canary=canary,
            owner=owners,
            domains=tuple(_normal(block) for block in domains),
            listed=listed,
            mx=tuple(_normal(block) for block in mx),
            alerts=alerts,
            mail=mail,
            channel=channels.found,
            digest=digest,
            health=health,
            log=log,
        )

    def _problem(self, path: str, text: str) -> None:
        self.problems.append(f"{path}: {text}")

    def _table(self, settings: type[msgspec.Struct], document: dict[str, Any], name: str) -> Any:
        return struct(settings, document.get(name, {}), name, self._problem)

    def _structs(
        self, settings: type[msgspec.Struct], document: dict[str, Any], name: str
    ) -> tuple[Any, ...]:
        return tuple(
            struct(settings, table, path, self._problem)
            for path, table in self._list(document, name)
        )

    def _list(self, document: dict[str, Any], name: str) -> list[tuple[str, object]]:
        """What stands in the tables of that name, with the path of each."""
        found = document.get(name, [])
        if not isinstance(found, list):
            self._problem(name, f"is written [[{name}]], in double brackets")
            return []
        return [(f"{name}[{number}]", table) for number, table in enumerate(found)]

    def _unknown_tables(self, document: dict[str, Any]) -> None:
        for key in document:
            if key in TABLES:
                continue
            meant = nearest(key, TABLES)
            if meant:
                self._problem(key, f'unknown table, did you mean "{meant}"?')
            else:
                self._problem(key, "unknown table; there are: " + ", ".join(TABLES))

    def _alerts(self, table: object) -> tuple[Any, Any]:
        smtp = table.get("smtp", {}) if isinstance(table, dict) else {}
        alerts = struct(Alerts, table, "alerts", self._problem, also=["smtp"])
        mail = struct(self._kinds.mail, smtp, "alerts.smtp", self._problem)
        return alerts, mail

    def _sources(self, document: dict[str, Any]) -> tuple[SourceConfig, ...]:
        found: dict[SourceConfig, str] = {}
        for path, table in self._list(document, "source"):
            kind = kind_of(table, path, self._kinds.sources, self._problem)
            if kind is None:
                continue
            settings = struct(self._kinds.sources[kind], table, path, self._problem, also=["kind"])
            source = SourceConfig(kind, settings)
            if source in found:
                self._problem(path, f"says the same as {found[source]}")
            elif settings is not BAD:
                found[source] = path
        return tuple(found)


def _lower(trust: Trust) -> Trust:
    """*trust* with its names as they are looked up."""
    return msgspec.structs.replace(
        trust,
        authserv_ids=tuple(name.lower().rstrip(".") for name in trust.authserv_ids),
        reporters=tuple(normalise_host(name) or name for name in trust.reporters),
    )


def _normal(block: Any) -> Any:  # a DomainsConfig or MxConfig
    """*block* with its names as they are looked up."""
    keys = ("match", "mx") if isinstance(block, DomainsConfig) else ("match",)
    normal = {
        key: tuple(normal_pattern(text) or text for text in getattr(block, key)) for key in keys
    }
    return msgspec.structs.replace(block, **normal)
