"""One season for all tests: the mails are made once, and each way to play it is played once."""

from random import Random

import pytest

from tests.order import made_once
from tests.season import drive, table
from tests.season.drive import Played, as_daemon, play
from tests.season.incidents import Incident, incidents
from tests.season.reports import Post
from tests.season.reports import season as posts_of
from tests.season.truth import Case, cases
from tests.season.world import World, world
from tlsrpt_mailer.report.times import Time


class Season:
    """The mails, the truth, and what the daemon made of them."""

    def __init__(self, factory: pytest.TempPathFactory, place: World) -> None:
        self.world = place
        self.incidents: list[Incident] = incidents(place)
        self.posts: list[Post] = posts_of(place, self.incidents)
        self.cases: list[Case] = cases(place, self.incidents, self.posts)
        self.rounds = drive.rounds(place, self.cases)
        self.played = self.play(factory, as_daemon)
        self.table = table.tables(place, self.cases, self.posts, self.played)
        print(self.table)  # noqa: T201

    def play(
        self, factory: pytest.TempPathFactory, worker: drive.Worker, until: Time | None = None
    ) -> Played:
        """The season in order, to its end or to that moment."""
        folder = factory.mktemp("season")
        rounds = [now for now in self.rounds if until is None or now <= until]
        return play(folder, self.world, self.incidents, self.posts, worker, rounds)


@pytest.fixture(scope="session")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """Sixty domains, 120 days, as the daemon saw them."""
    made_once(tmp_path_factory.getbasetemp(), "the season")
    return Season(tmp_path_factory, world())


@pytest.fixture(scope="session")
def by_once(season: Season, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The first half of it, by `once`."""
    return season.play(tmp_path_factory, drive.by_once, drive.CHECK)


@pytest.fixture(scope="session")
def shuffled(season: Season, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The same mails in a quite different order, taken in at the end."""
    posts = list(season.posts)
    Random(3).shuffle(posts)
    folder = tmp_path_factory.mktemp("shuffled")
    return drive.play_at_the_end(folder, season.world, season.incidents, posts, season.rounds[-1])
