"""What was found lately, and who is finding it just now: asked for by many, found by one."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _UnderWay(Generic[V]):
    """One search."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.value: V | None = None


class Remembered(Generic[K, V]):
    """
    Values by their key, each for a time of its own; thread-safe.

    Args:
        clock: Seconds that never go back.
        most: So many are kept; those that were not asked for the longest go first.
    """

    def __init__(self, clock: Callable[[], float], most: int) -> None:
        self._clock = clock
        self._most = most
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._under_way: dict[K, _UnderWay[V]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._known)

    def get(self, key: K, find: Callable[[], tuple[V, float]], within: float) -> V | None:
        """
        The value at *key*: one that is kept, that another thread is finding, or from *find*.

        Args:
            key: Whose value.
            find: Finds it, and says for how many seconds it holds; 0: only for those who wait.
            within: How long another thread may take to find it.

        Returns:
            None where another thread does not find it in time.
        """
        with self._lock:
            kept = self._kept(key)
            other = self._under_way.get(key)
            mine = _UnderWay[V]()
            if kept is None and other is None:
                self._under_way[key] = mine
        if kept is not None:
            return kept[0]
        if other is not None:
            other.over.wait(within)
            return other.value
        try:
            mine.value, seconds = find()
            self._keep(key, mine.value, seconds)
            return mine.value
        finally:
            with self._lock:
                del self._under_way[key]
            mine.over.set()

    def forget(self) -> None:
        """Keep nothing of what was found so far."""
        with self._lock:
            self._known.clear()

    def _kept(self, key: K) -> tuple[V] | None:
        until, *value = self._known.get(key, (0.0,))
        if not value or self._clock() >= until:
            return None
        self._known.move_to_end(key)
        return (value[0],)

    def _keep(self, key: K, value: V, seconds: float) -> None:
        if seconds <= 0:
            return
        with self._lock:
            self._known[key] = (self._clock() + seconds, value)
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
