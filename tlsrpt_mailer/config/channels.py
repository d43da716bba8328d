"""The ``[[channel]]`` tables: what all have in common, and what their kind adds."""

import re
from collections.abc import Collection, Iterable

import msgspec

from tlsrpt_mailer.config.decode import (
    BAD,
    Problem,
    fields_of,
    joined,
    nearest,
    one_of,
    quoted,
    struct,
)
from tlsrpt_mailer.config.model import ChannelConfig, ChannelKeys, Kinds

COMMON = tuple(field.encode_name for field in fields_of(ChannelKeys))
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.ASCII | re.IGNORECASE)


class Channels:
    """The channels among *tables* (each with its path); problems are noted."""

    def __init__(
        self, kinds: Kinds, tables: Iterable[tuple[str, object]], problem: Problem
    ) -> None:
        self._kinds = kinds
        self._problem = problem
        self._paths: dict[str, str] = {}
        read = [self._channel(path, table) for path, table in tables]
        self.found = tuple(one for one in read if one is not None)

    @property
    def names(self) -> list[str]:
        """Of all channels, those with problems too."""
        return list(self._paths)

    def _channel(self, path: str, table: object) -> ChannelConfig | None:
        if not self._kinds.channels:
            self._problem(path, "this version knows no kind of channel, take it out")
            return None
        kind = kind_of(table, path, self._kinds.channels, self._problem)
        if kind is None or not isinstance(table, dict):
            return None
        name = self._name(path, kind, table.get("name"))
        shared = {key: given for key, given in table.items() if key in COMMON}
        own = {key: given for key, given in table.items() if key not in COMMON}
        keys = struct(ChannelKeys, shared, path, self._problem)
        settings = struct(
            self._kinds.channels[kind], own, path, self._problem, also=["kind", *COMMON]
        )
        if keys is BAD or settings is BAD:
            return None
        given = {**msgspec.structs.asdict(keys), "name": name}
        return ChannelConfig(kind=kind, settings=settings, **given)

    def _name(self, path: str, kind: str, given: object) -> str:
        """Its name, which is noted as taken."""
        if not isinstance(given, str):  # what is no text is somebody else's problem
            number = 1
            name = kind
            while name in self._paths:
                number += 1
                name = f"{kind}-{number}"
        else:
            name = given
            where = joined(path, "name")
            if not _NAME.fullmatch(name):
                self._problem(
                    where, f"{quoted(name)} is no name: letters, digits, dots and hyphens are"
                )
            elif name in self._paths:
                self._problem(where, f"{quoted(name)} is already {self._paths[name]}")
        self._paths.setdefault(name, path)
        return name


def kind_of(table: object, path: str, kinds: Collection[str], problem: Problem) -> str | None:
    """The `kind` that *table* says it is of; None once its problem is noted."""
    if not isinstance(table, dict):
        problem(path, f"must be a table, not {quoted(table)}")
        return None
    known, kind, where = sorted(kinds), table.get("kind"), joined(path, "kind")
    if kind is None:
        problem(where, f"is missing; it must be {one_of(known)}")
        return None
    if isinstance(kind, str) and kind in known:
        return kind
    meant = nearest(kind, known) if isinstance(kind, str) else None
    guess = f', did you mean "{meant}"?' if meant else ""
    problem(where, f"must be {one_of(known)}, not {quoted(kind)}{guess}")
    return None
