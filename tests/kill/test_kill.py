"""`kill -9` at random instants, on every kind of source: nothing lost, nothing twice."""

from pathlib import Path

import pytest

from tests.kill import harness
from tests.kill.believing import believing
from tests.kill.ways import NAMES, SERVERS

MAILS = 2000
FEW = 400
"""Five kills among so many lie closer together than two hundred among all."""
PIPED = 200
FEW_PIPED = 20
"""A process for each mail is slow."""

WAYS = [pytest.param(name, marks=pytest.mark.servers if name in SERVERS else ()) for name in NAMES]


def _check(name: str, folder: Path, *, mails: int, kills: int) -> None:
    outcome = harness.run(name, folder, mails=mails, kills=kills, seed=harness.seed())

    print(outcome.row())  # noqa: T201
    assert ((), 0, 0) == (outcome.wrong, outcome.lost, outcome.twice)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", WAYS)
def test_a_few_kills(tmp_path: Path, name: str) -> None:
    """
    The daemon is killed five times while four hundred mails come in: each report is stored
    once, each failure is told under one Message-ID, and no mail is gone that is not stored.
    """
    _check(name, tmp_path, mails=FEW_PIPED if name == "pipe" else FEW, kills=5)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", WAYS)
def test_many_kills(tmp_path: Path, name: str) -> None:
    """As above with two hundred kills, so that hardly any instant is left out."""
    _check(name, tmp_path, mails=PIPED if name == "pipe" else MAILS, kills=200)


def _check_believing(name: str, folder: Path, *, mails: int, kills: int) -> None:
    with believing(folder) as setting:
        outcome = harness.run(
            name, folder, mails=mails, kills=kills, seed=harness.seed(), setting=setting
        )

    print(outcome.row())  # noqa: T201
    assert ((), 0, 0) == (outcome.wrong, outcome.lost, outcome.twice)


@pytest.mark.servers
@pytest.mark.timeout(400)
def test_what_is_signed_counts_once_and_only_that(tmp_path: Path) -> None:
    """
    Signatures are required, and the name server of one reporter is away at first: each signed
    report is counted once, also if it had to wait for its key; what nobody signed, or what is
    about others, is held once and never told; nothing waits in the end.
    """
    _check_believing("lmtp", tmp_path, mails=FEW, kills=5)


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.timeout(3600)
def test_many_kills_while_signatures_are_verified(tmp_path: Path) -> None:
    """As above on a mailbox whose mails are moved, with two hundred kills."""
    _check_believing("imap-move", tmp_path, mails=MAILS, kills=200)
