"""How the tests are spread over workers: what is dear is made once, and what takes long begins."""

from pathlib import Path

import pytest

from tests.order import FIRST, TOGETHER, made_once, scope, turn

ROOT = Path(__file__).parents[1]


def test_what_shares_a_dear_fixture_is_one_piece_of_work() -> None:
    """The season and the machine are on one worker each; daemons to attack by their kind."""
    season, machine = "tests/season/test_season.py", "tests/systemd/test_machine.py"
    smtp, unix = (f"tests/attack/test_tls.py::test_a[{kind}-1]" for kind in ("smtp-tcp", "lmtp-u"))

    assert {season} == {scope(f"{season}::test_a"), scope(f"{season}::test_b[x-1]")}
    assert machine == scope(f"{machine}::test_a")
    assert smtp != scope(smtp) == scope(smtp.replace("test_a", "test_b")) != scope(unix)
    assert "tests/e2e/test_stop.py::test_a[smtp-tcp]" == scope(
        "tests/e2e/test_stop.py::test_a[smtp-tcp]"
    )


def test_the_longest_begin_first() -> None:
    """Whatever is not named comes behind what is, in the order of the names."""
    ids = ["tests/alerts/test_a.py::test_a", *(f"{head}x" for head in reversed(FIRST))]

    assert [f"{head}x" for head in FIRST] == sorted(ids, key=turn)[:-1]


@pytest.mark.parametrize("name", sorted({*TOGETHER, *FIRST}))
def test_every_name_is_there(name: str) -> None:
    """A file that was moved does not fall out of the order in silence."""
    assert (ROOT / name).exists()


def test_a_second_worker_that_makes_the_same_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the spreading lost in an upgrade, the run would fail in place of taking an hour."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw7")
    made_once(tmp_path / "gw7", "the season")
    made_once(tmp_path / "gw7", "the machine")

    with pytest.raises(AssertionError, match="the season is made by two workers"):
        made_once(tmp_path / "gw8", "the season")


def test_alone_everything_may_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without workers there is nothing to spread."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    made_once(tmp_path / "one", "the season")
    made_once(tmp_path / "two", "the season")

    assert [] == [*tmp_path.iterdir()]


def test_no_mark_asks_for_what_is_not_done() -> None:
    """Who marks tests as a group of pytest-xdist's is told that `TOGETHER` is the way here."""
    mark = "xdist" + "_group"

    assert [] == [str(path) for path in (ROOT / "tests").rglob("*.py") if mark in path.read_text()]
