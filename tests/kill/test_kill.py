"""`kill -9` at random instants, on every kind of source: nothing lost, nothing twice."""

from pathlib import Path

import pytest

from tests.kill import harness
from tests.kill.ways import NAMES, SERVERS

MAILS = 2000
PIPED = 40
"""A process for each mail is slow."""

WAYS = [pytest.param(name, marks=pytest.mark.servers if name in SERVERS else ()) for name in NAMES]


@pytest.mark.parametrize("name", WAYS)
def test_a_few_kills(tmp_path: Path, name: str) -> None:
    """
    The daemon is killed five times while two thousand mails come in: each report is stored
    once, each failure is told under one Message-ID, and no mail is gone that is not stored.
    """
    mails = PIPED if name == "pipe" else MAILS

    outcome = harness.run(name, tmp_path, mails=mails, kills=5, seed=harness.seed())

    print(outcome.row())  # noqa: T201
    assert ((), 0, 0) == (outcome.wrong, outcome.lost, outcome.twice)
