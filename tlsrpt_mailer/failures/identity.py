"""
Which rows are the same failure, and which failures have one cause.

The rules are explained in docs/explanation/what-counts-as-new.md.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from tlsrpt_mailer.failures.model import Cause, Identity, Sighting, Window
from tlsrpt_mailer.failures.windows import (
    GENERIC,
    KNOWN_TYPES,
    MOST_NAMES,
    OTHER,
    folded,
)
from tlsrpt_mailer.report.result_types import POLICY_TYPES

Key: TypeAlias = tuple[str, str, str | None]
"""(policy type, result type, MX): an identity within one domain."""


class Folding(msgspec.Struct, frozen=True):
    """The names of one domain that are past the limits, and so are called `OTHER`."""

    policy_types: frozenset[str] = frozenset()
    result_types: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether anything folds at all."""
        return bool(self.policy_types or self.result_types or self.hosts)


def key_of(identity: Identity) -> Key:
    """The identity without its domain."""
    return identity.policy_type, identity.result_type, identity.mx


def folding(windows: Iterable[Window]) -> Folding:
    """
    What folds in a domain: the names beyond the first 50 of a kind.

    First is what the earliest window names, then the alphabet, so the order
    of arrival plays no part.
    """
    hosts: dict[str, int] = {}
    result_types: dict[str, int] = {}
    policy_types: dict[str, int] = {}
    for window in windows:
        start = window.start
        for row in window.sightings:
            if row.mx is not None:
                hosts[row.mx] = min(start, hosts.get(row.mx, start))
            if row.result_type not in KNOWN_TYPES:
                result_types[row.result_type] = min(start, result_types.get(row.result_type, start))
            if row.policy_type not in POLICY_TYPES:
                policy_types[row.policy_type] = min(start, policy_types.get(row.policy_type, start))
    return Folding(_late(policy_types), _late(result_types), _late(hosts))


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
    if mx is None or mx == OTHER:
        return Cause(identity.result_type, None, identity.domain)
    return Cause(identity.result_type, mx, None)


def _late(names: dict[str, int]) -> frozenset[str]:
    if len(names) <= MOST_NAMES:
        return frozenset()
    return folded(sorted(names.keys() - {OTHER}, key=lambda name: (names[name], name)))


def _refold(rows: Iterable[Sighting], fold: Folding) -> tuple[Sighting, ...]:
    merged: dict[Key, Sighting] = {}
    for row in rows:
        key = (
            OTHER if row.policy_type in fold.policy_types else row.policy_type,
            OTHER if row.result_type in fold.result_types else row.result_type,
            OTHER if row.mx in fold.hosts else row.mx,
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
