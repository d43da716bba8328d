"""So many turns a second and no more, over all threads."""

import math
import threading
from collections.abc import Callable


class Pace:
    """
    Deals out turns evenly; thread-safe.

    Args:
        rate: Turns a second; ``math.inf``: as many as are wanted.
        clock: Seconds that never go back.
        rest: Waits for so many seconds.
    """

    def __init__(
        self, rate: float, clock: Callable[[], float], rest: Callable[[float], object]
    ) -> None:
        self._each = 1 / rate
        self._clock = clock
        self._rest = rest
        self._next = -math.inf
        self._lock = threading.Lock()

    def turn(self, within: float) -> bool:
        """Wait for a turn; False, at once, where there is none *within* so many seconds."""
        with self._lock:
            now = self._clock()
            at = max(self._next, now)
            if at - now > within:
                return False
            self._next = at + self._each
        if at > now:
            self._rest(at - now)
        return True
