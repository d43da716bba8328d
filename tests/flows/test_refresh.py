"""Channels whose other side forgets are told again what is open."""

from collections.abc import Sequence

from structlog.testing import capture_logs

from tests.flows.world import NOW, World
from tests.store.build import verdict_of
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.failures.model import Verdict
from tlsrpt_mailer.flows.refresh import EVERY, Refresher
from tlsrpt_mailer.ports import Letter, NoticeFailure, Told

LANE = "channel:prom"


class Other:
    """What was said; raises what it is told to."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.said: list[list[str]] = []

    def __call__(self, failures: Sequence[NoticeFailure]) -> None:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.said.append([one.policy_domain for one in failures])


def tell(world: World, *verdicts: Verdict, event: str = "new", to: str = LANE) -> None:
    """These failures exist, and the channel was told of them."""
    with world.store.write() as txn:
        txn.save_verdicts(verdicts, NOW)
    names = [verdict.identity.domain for verdict in verdicts]
    told = tuple(
        Told(failure=int(str(number)), recipient=to, incident=1, event=event, at=NOW)
        for name in names
        for ((number),) in world.rows("SELECT id FROM failures WHERE domain = ?", name)
    )
    with world.store.compose() as txn:
        txn.save_letters([Letter(f"<{names}@x>", to, "x", event, b"{}", told=told)], NOW)


def test_all_that_it_was_told_of_and_that_is_open_is_said_again(world: World) -> None:
    """Not what is over or muted, and not what another was told of."""
    tell(world, verdict_of("open.example"), verdict_of("muted.example", state="muted"))
    tell(world, verdict_of("quiet.example", is_quiet=True))
    tell(world, verdict_of("over.example"), event="resolved")
    tell(world, verdict_of("theirs.example"), to="ana@example.com")
    other = Other()

    assert Refresher(world.store.outbox, LANE, other).refresh(NOW)
    assert [["open.example"]] == other.said


def test_it_is_said_every_few_minutes(world: World) -> None:
    """Often enough for what forgets in a quarter of an hour, also after a clock was set back."""
    tell(world, verdict_of())
    refresher = Refresher(world.store.outbox, LANE, Other())

    turns = [refresher.refresh(NOW + s) for s in (0, 2, EVERY - 1, EVERY, EVERY + 2, 0)]

    assert [True, False, False, True, False, True] == turns


def test_nothing_open_needs_nothing_said(world: World) -> None:
    """No request is made for an empty list."""
    other = Other()

    assert Refresher(world.store.outbox, LANE, other).refresh(NOW)
    assert [] == other.said


def test_trouble_is_logged_once_and_tried_again(world: World) -> None:
    """An Alertmanager that is down for an hour is one line in the log."""
    tell(world, verdict_of())
    other = Other(Temporary("down"), Refused("400"), None, ConfigError("down"))
    refresher = Refresher(world.store.outbox, LANE, other)
    with capture_logs() as logs:
        turns = [refresher.refresh(NOW + EVERY * turn) for turn in range(4)]

    assert [False, False, True, False] == turns
    assert [
        ("channel.not_refreshed", "down"),
        ("channel.refreshed_again", None),
        ("channel.not_refreshed", "down"),
    ] == [(entry["event"], entry.get("error")) for entry in logs]
