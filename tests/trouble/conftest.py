"""Nothing here is about the disk, so the databases of these tests lie in memory."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder whose fsync costs nothing, where there is one."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="tlsrpt-trouble-", dir=MEMORY))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
