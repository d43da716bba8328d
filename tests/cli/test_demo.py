"""`demo`: the first thing that anybody tries."""

import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import Place


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo makes its folder: other demos may run beside this one."""
    made = tmp_path / "temporary"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


def test_the_demo_shows_the_alert_and_leaves_nothing(place: Place, folder: Path) -> None:
    """A newcomer sees the mail that would wake somebody; no folder and no process stay."""
    result = place.bare("demo")

    assert 0 == result.code, result.err
    assert "Subject: CRITICAL 2 domains: certificate expired on mx1.example.com" in result.out
    assert "Nothing is open." in result.out
    assert "1 cause on 2 domains." in result.out
    assert [] == list(folder.iterdir())


def test_the_demo_can_leave_its_folder(place: Place) -> None:
    """With --keep the database is there to be looked at, and the output says where."""
    result = place.bare("demo", "--keep")

    kept = Path(result.out.rpartition("left there: ")[2].split("\n")[0])
    assert (kept / "tlsrpt.db").is_file()
