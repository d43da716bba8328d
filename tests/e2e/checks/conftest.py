"""One land for all tests of this folder: each has domains of its own in it."""

from collections.abc import Iterator

import pytest

from tests.cli.conftest import place
from tests.servers.land import Land, land

__all__ = ["place"]

OF_ALL = """
@ MX 10 mx
mx A 127.0.0.99
one MX 10 mx
two MX 10 mx
xn--bcher-kva MX 10 mx
"""
"""Where reports go: each of them takes mail."""


@pytest.fixture(scope="package")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    """Zones in which nothing is wrong yet; a module that changes one has it for itself."""
    zones = {"example": OF_ALL, "com": "", "example.com": "@ MX 10 mx\nmx A 127.0.0.99\n"}
    zones |= dict.fromkeys(("slips.example", "sts.example", "tlsa.example", "bogus.example"), "")
    with land(tmp_path_factory.mktemp("ground"), zones, unsigned="slips.example") as it:
        yield it
