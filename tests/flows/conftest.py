"""A world for each test, or a post that verifies signatures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.post import Make, Post
from tests.flows.watching import Watch
from tests.flows.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Post] = []

    def one(dkim: str = "require", **more: object) -> Post:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Post(folder, dkim, **more))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for post in made:
        post.store.close()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Looks at domains, connects to no MX host."""
    made = Watch(tmp_path)
    yield made
    made.world.store.close()


@pytest.fixture
def probing(tmp_path: Path) -> Iterator[Watch]:
    """Looks at domains and connects to their MX hosts."""
    made = Watch(tmp_path, probe=True)
    yield made
    made.world.store.close()
