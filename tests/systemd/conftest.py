"""A machine for all tests of a module; a free port."""

from collections.abc import Iterator

import pytest

from tests.order import made_once
from tests.ports import free_port
from tests.systemd.machine import Machine, machine
from tests.unmeasured import children_unmeasured

__all__ = ["children_unmeasured"]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which the program is installed, and not started yet."""
    made_once(tmp_path_factory.getbasetemp(), "the machine")
    with machine(tmp_path_factory.mktemp("machine")) as it:
        it.install()
        yield it


@pytest.fixture
def port() -> int:
    return free_port()
