"""What every test may ask for."""

from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

# A machine that is busy makes examples slowly; that says nothing of the program.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _logs_as_they_come() -> None:
    """What a test before this one configured says nothing here."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def corpus() -> Path | None:
    """The folder of real-world sample mails, where one lies beside the checkout; else None."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"
    return folder if folder.is_dir() else None


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their length: the content may hold the time (gzip), and workers must agree."""
    return f"{argname}{len(val)}" if isinstance(val, bytes) else None
