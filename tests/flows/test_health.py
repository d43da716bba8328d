"""Source health and the watchdog's knowledge of threads."""

from tlsrpt_mailer.flows.health import HOLD_BACK, Beats, SourceHealth, holds_back
from tlsrpt_mailer.report.times import Time


class Clock:
    def __init__(self) -> None:
        self.now: Time = 1000

    def __call__(self) -> Time:
        return self.now


def made() -> tuple[SourceHealth, Beats, Clock]:
    clock = Clock()
    beats = Beats(clock)
    return SourceHealth("imap:box", beats, clock), beats, clock


def test_a_thread_that_says_nothing_within_its_limit_is_hung() -> None:
    """The watchdog is fed only while every thread keeps what it promised."""
    health, beats, clock = made()
    health.beat(30)
    clock.now += 30
    fine = beats.hung()
    clock.now += 1

    assert ([], ["imap:box"]) == (fine, beats.hung())


def test_a_thread_that_ended_is_not_hung() -> None:
    """A source that was stopped by a reload does not stop the watchdog."""
    health, beats, clock = made()
    health.beat(30)
    beats.forget("imap:box")
    clock.now += 100

    assert [] == beats.hung()


def test_trouble_keeps_its_beginning_and_counts_tries() -> None:
    """`status` says since when a source is in trouble, and how often it was tried."""
    health, _, clock = made()
    health.trouble("NO login", 5)
    clock.now += 60
    health.trouble("NO login", 10)

    state = health.state
    assert ("trouble", 1000, 2, 1070) == (state.state, state.since, state.tries, state.next_try)


def test_recovery_clears_the_trouble() -> None:
    """A source that works again shows no old error."""
    health, _, clock = made()
    health.trouble("gone")
    clock.now += 60
    health.fine("logged in")
    clock.now += 60
    health.fine("logged in")

    state = health.state
    assert ("ok", 1060, None, 0) == (state.state, state.since, state.error, state.tries)


def test_only_a_change_is_written() -> None:
    """An idle daemon does not write the same health again and again."""
    health, _, _ = made()
    first = health.changed()
    health.fine("a")
    second = health.changed()
    health.fine("a")

    assert first is not None
    assert second is not None
    assert health.changed() is None


def test_a_warning_comes_and_goes() -> None:
    """A mailbox that grew too large is a warning until it is mended."""
    health, _, _ = made()
    health.warn("50,000 mails")
    health.warn("50,000 mails")
    warned = health.state.warning
    health.warn(None)

    assert ("50,000 mails", None) == (warned, health.state.warning)


def test_alerts_wait_for_a_drain_but_not_forever() -> None:
    """A mailbox in the middle of a drain holds alerts back, an hour at most."""
    health, _, clock = made()
    idle = holds_back([health.state], clock.now)
    health.backlog(500)
    clock.now += 60
    health.backlog(300)
    busy = holds_back([health.state], clock.now)
    late = holds_back([health.state], 1000 + HOLD_BACK)
    health.backlog(0)

    assert (False, True, False, False) == (
        idle,
        busy,
        late,
        holds_back([health.state], clock.now),
    )
