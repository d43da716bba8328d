"""What every test may ask for."""

import os
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.order import Spreading, turn

# A machine that is busy makes examples slowly; that says nothing of the program.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _logs_as_they_come() -> None:
    """
    What a test before this one configured says nothing here.

    A traceback is a plain one: with colours and all locals one takes most of a second.
    """
    structlog.reset_defaults()
    *others, _ = structlog.get_config()["processors"]
    traceback = structlog.dev.plain_traceback
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=traceback)
    structlog.configure(processors=[*others, plain])


@pytest.fixture(scope="session")
def corpus() -> Path | None:
    """The folder of real-world sample mails, where one lies beside the checkout; else None."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"
    return folder if folder.is_dir() else None


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their length: the content may hold the time (gzip), and workers must agree."""
    return f"{argname}{len(val)}" if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, where several workers share the tests."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Spreading:
    """Keep together what shares dear fixtures, however the tests are spread."""
    return Spreading(config, log)
