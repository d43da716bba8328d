"""A relay, and a free port, for each test."""

from collections.abc import Iterator

import pytest

from tests.e2e.sink import Sink, relay
from tests.ports import free_port
from tests.servers.dovecot import Dovecot
from tests.unmeasured import unmeasured

MEASURED = frozenset(
    f"tests.e2e.test_{name}"
    for name in ("answers", "channels", "delivery", "holder", "reload", "stop", "trouble", "whose")
)
"""Modules that reach what nothing within a test's own process does."""


@pytest.fixture(scope="module", autouse=True)
def _measured_where_it_shows(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.module.__name__ in MEASURED:
        yield
        return
    with unmeasured():
        yield


@pytest.fixture
def sink() -> Iterator[Sink]:
    with relay() as it:
        yield it


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """A mail server; each test takes a user of its own."""
    server = Dovecot(separator="/")
    server.start()
    yield server
    server.remove()
