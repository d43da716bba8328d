"""Daemons to attack, one of each kind for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.attack.victim import Victim, victim
from tests.unmeasured import children_unmeasured

__all__ = ["children_unmeasured"]

Request = pytest.FixtureRequest
Factory = pytest.TempPathFactory


@pytest.fixture(scope="module", params=["smtp-tcp", "lmtp-tcp", "lmtp-unix"])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Victim]:
    kind, _, socket = request.param.partition("-")
    with victim(tmp_path_factory.mktemp("v"), kind, socket) as it:
        yield it
