"""`kill -9` at random instants, on every kind of source: nothing lost, nothing twice."""

from pathlib import Path

import pytest

from tests.kill import harness
from tests.kill.ways import NAMES, SERVERS

MAILS = 2000
PIPED = 200
FEW_PIPED = 20
"""A process for each mail is slow."""

WAYS = [pytest.param(name, marks=pytest.mark.servers if name in SERVERS else ()) for name in NAMES]


def _check(name: str, folder: Path, *, mails: int, kills: int) -> None:
    outcome = harness.run(name, folder, mails=mails, kills=kills, seed=harness.seed())

    print(outcome.row())  # noqa: T201
    assert ((), 0, 0) == (outcome.wrong, outcome.lost, outcome.twice)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", WAYS)
def test_a_few_kills(tmp_path: Path, name: str) -> None:
    """
    The daemon is killed five times while two thousand mails come in: each report is stored
    once, each failure is told under one Message-ID, and no mail is gone that is not stored.
    """
    _check(name, tmp_path, mails=FEW_PIPED if name == "pipe" else MAILS, kills=5)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", WAYS)
def test_many_kills(tmp_path: Path, name: str) -> None:
    """As above with two hundred kills, so that hardly any instant is left out."""
    _check(name, tmp_path, mails=PIPED if name == "pipe" else MAILS, kills=200)
