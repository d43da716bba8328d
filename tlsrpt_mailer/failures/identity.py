"""
Which rows are the same failure, and which failures have one cause.

The rules are explained in docs/explanation/what-counts-as-new.md.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from tlsrpt_mailer.failures.model import Cause, Identity, Sighting, Window
from tlsrpt_mailer.failures.windows import (
    FOLDED,
    GENERIC,
    KNOWN_TYPES,
    MOST_NAMES,
    OTHER,
    STRANGERS,
    folded,
)
from tlsrpt_mailer.report.result_types import POLICY_TYPES

Key: TypeAlias = tuple[str, str, str | None]
"""(policy type, result type, MX): an identity within one domain."""


class Folding(msgspec.Struct, frozen=True):
    """The names that are past the limits in what some reporters say of a domain."""

    policy_types: frozenset[str] = frozenset()
    result_types: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    name: str = OTHER
    """What they are called."""

    def __bool__(self) -> bool:
        """Whether anything folds at all."""
        return bool(self.policy_types or self.result_types or self.hosts)


class Foldings(msgspec.Struct, frozen=True):
    """What folds in one domain; who is not known takes no name from those who are."""

    known: Folding
    strangers: Folding

    def of(self, *, known: bool) -> Folding:
        """What folds in the windows of one reporter, *known* or not."""
        return self.known if known else self.strangers


def key_of(identity: Identity) -> Key:
    """The identity without its domain."""
    return identity.policy_type, identity.result_type, identity.mx


def folding(windows: Iterable[Window], known: Collection[str]) -> Foldings:
    """
    What folds in a domain: the names beyond the first 50 of a kind.

    The names of *known* reporters come first, then those of strangers. Of either,
    first is what the earliest window names, then the alphabet, so the order of
    arrival plays no part. A stranger can name a thousand hosts of last year: no
    row of a known reporter changes its name by it.
    """
    believed, others = _Names(), _Names()
    for window in windows:
        names = believed if window.reporter in known else others
        for row in window.sightings:
            names.add(window.start, row)
    return Foldings(
        Folding(
            _late(believed.policy_types),
            _late(believed.result_types),
            _late(believed.hosts),
        ),
        Folding(
            _pushed(others.policy_types, believed.policy_types),
            _pushed(others.result_types, believed.result_types),
            _pushed(others.hosts, believed.hosts),
            STRANGERS,
        ),
    )


def rows_of(window: Window, fold: Folding) -> Sequence[Sighting]:
    """
    The window's rows under their final identities, each once.

    A generic row without an MX joins the specific one beside it. It leaves a
    row of 0 sessions behind: the window neither fails by that identity nor is
    it clean of it.
    """
    rows = window.sightings
    if len(rows) < 2 and not fold:
        return rows
    if fold:
        rows = _refold(rows, fold)
    return _joined(rows) if len(rows) > 1 else rows


def cause_of(identity: Identity, siblings: Iterable[Identity]) -> Cause:
    """
    What the failure has in common with those of other domains.

    Args:
        identity: The failure.
        siblings: The failures of its domain that were open while it was; only their MX
            and result type matter.
    """
    mx = identity.mx
    if mx is None:
        hosts = {
            sibling.mx
            for sibling in siblings
            if sibling.result_type == identity.result_type and sibling.mx is not None
        }
        mx = hosts.pop() if len(hosts) == 1 else None
    # "other" is no host: two domains that fold have nothing in common.
    if mx is None or mx in FOLDED:
        return Cause(identity.result_type, None, identity.domain)
    return Cause(identity.result_type, mx, None)


class _Names:
    """The names that can fold, by the first start of a window that has them."""

    __slots__ = ("hosts", "policy_types", "result_types")

    def __init__(self) -> None:
        self.policy_types: dict[str, int] = {}
        self.result_types: dict[str, int] = {}
        self.hosts: dict[str, int] = {}

    def add(self, start: int, row: Sighting) -> None:
        if row.mx is not None:
            self.hosts[row.mx] = min(start, self.hosts.get(row.mx, start))
        if row.result_type not in KNOWN_TYPES:
            first = self.result_types.get(row.result_type, start)
            self.result_types[row.result_type] = min(start, first)
        if row.policy_type not in POLICY_TYPES:
            first = self.policy_types.get(row.policy_type, start)
            self.policy_types[row.policy_type] = min(start, first)


def _late(names: Mapping[str, int]) -> frozenset[str]:
    return folded(_ranked(names)) if len(names) > MOST_NAMES else frozenset()


def _pushed(names: Mapping[str, int], believed: Mapping[str, int]) -> frozenset[str]:
    """Those of strangers' *names* for which known reporters' leave no room."""
    kept = believed.keys() - {OTHER} - _late(believed)
    own = [name for name in _ranked(names) if name not in kept]
    return frozenset(own[MOST_NAMES - len(kept) :]) | (names.keys() & {OTHER})


def _ranked(names: Mapping[str, int]) -> list[str]:
    return sorted(names.keys() - {OTHER}, key=lambda name: (names[name], name))


def _refold(rows: Iterable[Sighting], fold: Folding) -> tuple[Sighting, ...]:
    merged: dict[Key, Sighting] = {}
    for row in rows:
        key = (
            fold.name if row.policy_type in fold.policy_types else row.policy_type,
            fold.name if row.result_type in fold.result_types else row.result_type,
            fold.name if row.mx in fold.hosts else row.mx,
        )
        merged[key] = _plus(merged.get(key), key, row)
    return tuple(merged.values())


def _plus(total: Sighting | None, key: Key, row: Sighting) -> Sighting:
    if total is None:
        return Sighting(*key, row.sessions, row.reasons)
    reasons = tuple(sorted({*total.reasons, *row.reasons}))
    return Sighting(*key, total.sessions + row.sessions, reasons)


def _joined(rows: Sequence[Sighting]) -> Sequence[Sighting]:
    generic = [row for row in rows if _is_generic(row)]
    if not generic:
        return rows
    final = {(row.policy_type, row.result_type, row.mx): row for row in rows}
    for row in generic:
        specific = [
            other for other in rows if other.mx is not None and other.policy_type == row.policy_type
        ]
        if specific:
            best = min(specific, key=_most_first)
            key = (best.policy_type, best.result_type, best.mx)
            final[key] = _plus(final[key], key, row)
            final[(row.policy_type, row.result_type, None)] = Sighting(
                row.policy_type, row.result_type, None, 0
            )
    return tuple(final.values())


def _is_generic(row: Sighting) -> bool:
    # Microsoft sends MX_HOSTS_MISMATCH without a host beside VALIDATION_FAILURE
    # with one, about the same sessions.
    return row.mx is None and row.result_type in GENERIC


def _most_first(row: Sighting) -> tuple[int, str, str]:
    return -row.sessions, row.result_type, row.mx or ""
