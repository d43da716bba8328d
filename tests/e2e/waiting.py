"""Wait for a condition, with a deadline."""

from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds. Only a test that is about to fail waits so long."""


def until(condition: Callable[[], T], what: str, within: float = PATIENCE) -> T:
    """
    What *condition* returns, as soon as that is true.

    Raises:
        AssertionError: It was not within *within* seconds; the text names *what*.
    """
    deadline = monotonic() + within
    pause = Event()
    while not (found := condition()):
        assert monotonic() < deadline, f"not within {within:.0f} s: {what}"
        pause.wait(0.02)
    return found
