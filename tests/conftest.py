"""What every test may ask for."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpus() -> Path | None:
    """The folder of real-world sample mails, where one lies beside the checkout; else None."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"
    return folder if folder.is_dir() else None
