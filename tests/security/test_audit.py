"""The audit of dependencies knows what the program depends on, and when it knows nothing."""

import pytest

from tests import audit


def test_all_that_is_pulled_in_is_looked_at() -> None:
    """Direct and indirect dependencies, extras of dependencies too, but no tool of the tests."""
    packages = audit.needed()

    assert {"dkimpy", "pynacl", "dnspython", "markupsafe", "aiosmtpd", "apprise"} <= set(packages)
    assert not {"pytest", "ruff", "hypothesis", "trustme"} & set(packages)


def test_no_data_is_not_taken_for_no_holes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service that calls a release with known holes sound is said to be left out."""
    monkeypatch.setattr(audit, "holes", lambda *_: {})

    assert audit.main() == 0
    assert capsys.readouterr().out.startswith("left out: dependency audit (no data")


def test_holes_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A package with a known hole is named with its version, and the step fails."""
    monkeypatch.setattr(audit, "needed", lambda: {"jinja2": "2.4.1"})
    monkeypatch.setattr(audit, "holes", lambda *_: {"jinja2": ["PYSEC-1"]})

    assert audit.main() == 1
    assert "jinja2 2.4.1: PYSEC-1\n" in capsys.readouterr().out
