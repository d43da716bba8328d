"""A relay, and a free port, for each test."""

from collections.abc import Iterator

import pytest

from tests.e2e.sink import Sink, relay
from tests.ports import free_port
from tests.servers.dovecot import Dovecot
from tests.unmeasured import children_unmeasured

__all__ = ["children_unmeasured"]


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
