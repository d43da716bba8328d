"""Somebody elsewhere hears that all is well, and only then."""

import pytest
from structlog.testing import capture_logs

from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.flows.health import SourceState
from tlsrpt_mailer.flows.ping import EVERY, Pinger, unwell

NOW = 1_791_979_200
FINE = SourceState("imap:x", "ok")


@pytest.mark.parametrize(
    ("state", "given", "said"),
    [
        (FINE, {}, []),
        (SourceState("imap:x", "trouble", error="no login"), {}, ["imap:x: no login"]),
        (SourceState("imap:x", "starting"), {}, ["imap:x: starting"]),
        (FINE, {"job_errors": {"prune": "a bug"}}, ["job prune: a bug"]),
        (FINE, {"hung": ["post mail"]}, ["post mail hangs"]),
        (FINE, {"store_trouble": ["disk full"]}, ["disk full"]),
        (FINE, {"is_relay_in_trouble": True}, ["the relay takes no mails"]),
    ],
)
def test_one_part_in_trouble_makes_the_round_unhealthy(
    state: SourceState, given: dict[str, object], said: list[str]
) -> None:
    """A source, a job, a hanging thread, the database or the relay: each alone is enough."""
    arguments = {"job_errors": {}, **given}

    assert said == unwell([FINE, state], **arguments)  # type: ignore[arg-type]


def test_it_is_fetched_at_most_once_a_minute_while_all_is_well() -> None:
    """Trouble keeps it out, so that the service elsewhere raises the alarm."""
    fetched = []
    pinger = Pinger(lambda: fetched.append(1))

    turns = [
        pinger.ping(troubles, NOW + after)
        for troubles, after in (([], 0), ([], 10), (["x"], EVERY), ([], EVERY + 1), ([], 0))
    ]

    assert [True, False, False, True, True] == turns
    assert 3 == len(fetched)


def test_trouble_with_the_fetch_is_logged_once() -> None:
    """A service that is down for a day is one line, and one when it is back."""
    errors: list[Exception | None] = [Temporary("down"), Refused("404"), ConfigError("x"), None]

    def fetch() -> None:
        error = errors.pop(0)
        if error:
            raise error

    pinger = Pinger(fetch)
    with capture_logs() as logs:
        turns = [pinger.ping([], NOW + EVERY * turn) for turn in range(4)]

    assert [False, False, False, True] == turns
    assert ["health.not_pinged", "health.pinged_again"] == [entry["event"] for entry in logs]
