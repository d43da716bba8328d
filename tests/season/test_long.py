"""The same for 200 domains and a year; ``tests/run --long``."""

import pytest

from tests.season.conftest import Season
from tests.season.test_season import (
    test_a_failure_is_told_again_only_when_it_got_worse,
    test_every_incident_ends_once_and_after_real_evidence,
    test_every_incident_is_told_once_to_whoever_mends_it,
    test_everybody_sees_only_what_is_theirs,
    test_news_comes_with_the_first_report_that_carries_evidence,
    test_nothing_is_told_that_is_not_broken,
    test_who_said_fixed_is_told_that_it_is_not,
)
from tests.season.world import world

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(7200),
]

__all__ = [
    "test_a_failure_is_told_again_only_when_it_got_worse",
    "test_every_incident_ends_once_and_after_real_evidence",
    "test_every_incident_is_told_once_to_whoever_mends_it",
    "test_everybody_sees_only_what_is_theirs",
    "test_news_comes_with_the_first_report_that_carries_evidence",
    "test_nothing_is_told_that_is_not_broken",
    "test_who_said_fixed_is_told_that_it_is_not",
]


@pytest.fixture(scope="session")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """Two hundred domains, a year, as the daemon saw them."""
    return Season(tmp_path_factory, world(owners=20, days=365))
