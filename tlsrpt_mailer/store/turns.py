"""Whose turn it is, so that who asks for most does not get all."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")


def in_turns(items: Iterable[T], *of: Callable[[T], Hashable]) -> list[T]:
    """
    The first of each, then the second of each, and so on; else the order stays.

    Args:
        items: Whose order counts within one of them, and between those of one turn.
        of: Whose one is: first the narrow sense, then the wider ones that share their turns.

    """
    found = list(items)
    for whose in of:
        found = _by_turn(found, whose)
    return found


def _by_turn(items: list[T], whose: Callable[[T], Hashable]) -> list[T]:
    counts: Counter[Hashable] = Counter()
    turns: list[tuple[int, T]] = []
    for one in items:
        counts[whose(one)] += 1
        turns.append((counts[whose(one)], one))
    return [one for _, one in sorted(turns, key=lambda pair: pair[0])]
