"""Processes that tests start, and that measure no coverage."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PREFIXES = ("COV", "_COV")


@contextmanager
def unmeasured() -> Iterator[None]:
    """
    Within, processes that are started run as fast as they do elsewhere.

    To measure coverage takes them twice the time to start, and what they run, others measure; a
    process that is killed has nothing to show for it.
    """
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIXES)}
    try:
        yield
    finally:
        os.environ.update(taken)


@pytest.fixture(scope="module", autouse=True)
def children_unmeasured(request: pytest.FixtureRequest) -> Iterator[None]:
    """
    For all tests of a module; to be imported by the `conftest` of a folder.

    A module that says ``MEASURED = True`` reaches what nothing within a test's own process does.
    """
    if getattr(request.module, "MEASURED", False):
        yield
        return
    with unmeasured():
        yield
