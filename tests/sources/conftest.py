"""A Dovecot for the tests of the IMAP source."""

import itertools
from collections.abc import Iterator

import pytest

from tests.servers.dovecot import Dovecot
from tests.sources.imap_parts import Rig

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def user() -> str:
    """A mailbox that nobody has used."""
    return f"user{next(_numbers)}"


@pytest.fixture
def rig(dovecot: Dovecot, user: str) -> Rig:
    return Rig(dovecot.port, user)
