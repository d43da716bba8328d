"""`demo`: the first thing that anybody tries."""

import tempfile
from pathlib import Path

from tests.cli.conftest import Place


def test_the_demo_shows_the_alert_and_leaves_nothing(place: Place) -> None:
    """A newcomer sees the mail that would wake somebody; no folder and no process stay."""
    before = set(Path(tempfile.gettempdir()).glob("tlsrpt-demo-*"))

    result = place.bare("demo")

    assert 0 == result.code, result.err
    assert "Subject: CRITICAL 2 domains: certificate expired on mx1.example.com" in result.out
    assert "Nothing is open." in result.out
    assert "1 cause on 2 domains." in result.out
    assert before == set(Path(tempfile.gettempdir()).glob("tlsrpt-demo-*"))


def test_the_demo_can_leave_its_folder(place: Place) -> None:
    """With --keep the database is there to be looked at, and the output says where."""
    result = place.bare("demo", "--keep")

    folder = Path(result.out.rpartition("left there: ")[2].split("\n")[0])
    assert (folder / "tlsrpt.db").is_file()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
