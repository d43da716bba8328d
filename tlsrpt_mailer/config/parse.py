"""From the text of the configuration to `Config`, with all its problems at once."""

import tomllib
from typing import Any

import msgspec

from tlsrpt_mailer.config.decode import BAD, LATER, joined, nearest, one_of, quoted, struct
from tlsrpt_mailer.config.model import Alerts, Config, Kinds, Log, SourceConfig, Storage, Trust
from tlsrpt_mailer.errors import ConfigError

TABLES = ("storage", "source", "trust", "alerts", "log")


def parse(text: str, kinds: Kinds, *, name: str) -> Config:
    """
    Check the configuration *text* and return what it says.

    Args:
        name: How problems call the file, such as ``config.toml``.

    Raises:
        ConfigError: Lists every problem, and last how many they are.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise refusal([f"{name}: {error}"], name) from None
    reading = _Reading(kinds)
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

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self.problems: list[str] = []

    def config(self, document: dict[str, Any]) -> Config | None:
        self._unknown_tables(document)
        storage = self._table(Storage, document, "storage")
        sources = self._sources(document.get("source", []))
        trust = self._table(Trust, document, "trust")
        alerts, mail = self._alerts(document.get("alerts", {}))
        log = self._table(Log, document, "log")
        if self.problems:
            return None
        return Config(
            storage=storage, source=sources, trust=trust, alerts=alerts, log=log, mail=mail
        )

    def _problem(self, path: str, text: str) -> None:
        self.problems.append(f"{path}: {text}")

    def _table(self, settings: type[msgspec.Struct], document: dict[str, Any], name: str) -> Any:
        return struct(settings, document.get(name, {}), name, self._problem)

    def _unknown_tables(self, document: dict[str, Any]) -> None:
        for key in document:
            if key in TABLES:
                continue
            meant = nearest(key, TABLES)
            if key in LATER[""]:
                self._problem(key, "not in this version yet, take it out")
            elif meant:
                self._problem(key, f'unknown table, did you mean "{meant}"?')
            else:
                self._problem(key, "unknown table; there are: " + ", ".join(TABLES))

    def _alerts(self, table: object) -> tuple[Any, Any]:
        smtp = table.get("smtp", {}) if isinstance(table, dict) else {}
        alerts = struct(Alerts, table, "alerts", self._problem, also=["smtp"])
        mail = struct(self._kinds.mail, smtp, "alerts.smtp", self._problem)
        if isinstance(table, dict):
            self._addresses(table)
        return alerts, mail

    def _addresses(self, table: dict[str, Any]) -> None:
        """As it was written: what else is wrong with the table hides no address."""
        given = {"alerts.from": table.get("from")}
        for key in ("to", "operator"):
            addresses = table.get(key)
            for number, address in enumerate(addresses if isinstance(addresses, list) else ()):
                given[f"alerts.{key}[{number}]"] = address
        for where, text in given.items():
            if isinstance(text, str) and text.isprintable() and not is_address(text):
                self._problem(where, f"{quoted(text)} is not a mail address")

    def _sources(self, tables: object) -> tuple[SourceConfig, ...]:
        if not isinstance(tables, list):
            self._problem("source", "is written [[source]], in double brackets")
            return ()
        found: list[SourceConfig] = []
        for number, table in enumerate(tables):
            path = f"source[{number}]"
            source = self._source(table, path)
            if source in found:
                self._problem(path, f"says the same as source[{found.index(source)}]")
            elif source is not None:
                found.append(source)
        return tuple(found)

    def _source(self, table: object, path: str) -> SourceConfig | None:
        known = sorted(self._kinds.sources)
        if not isinstance(table, dict):
            self._problem(path, f"must be a table, not {quoted(table)}")
            return None
        kind = table.get("kind")
        if kind is None:
            self._problem(joined(path, "kind"), f"is missing; it must be {one_of(known)}")
            return None
        if not isinstance(kind, str) or kind not in known:
            self._problem(joined(path, "kind"), f"must be {one_of(known)}, not {quoted(kind)}")
            return None
        settings = struct(self._kinds.sources[kind], table, path, self._problem, also=["kind"])
        return None if settings is BAD else SourceConfig(kind, settings)


def is_address(text: str) -> bool:
    """
    Whether *text* is a mail address that an envelope and a header can hold.

    Deliberately narrow: no quoted local parts, no display name, ASCII only.
    """
    local, at, host = text.rpartition("@")
    return bool(
        at
        and local
        and host
        and len(text) <= 254
        and text.isascii()
        and text.isprintable()
        and not set(text) & set(' "(),:;<>[\\]')
        and "@" not in local
        and not host.startswith((".", "-"))
        and ".." not in host
    )
