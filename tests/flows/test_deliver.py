"""Delivery of frozen mails: once each, for five days, never under another Message-ID."""

from threading import Event

import pytest

from tests.flows.world import NOW, World
from tlsrpt_mailer.errors import Refused, Temporary
from tlsrpt_mailer.flows.deliver import Handed, SendResult, next_try, send_due
from tlsrpt_mailer.ports import Letter
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE
from tlsrpt_mailer.store.outbox import SqliteOutbox


class Relay:
    """A relay that answers what it is told to; what it took is in `taken`."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.taken: list[Letter] = []

    def send(self, letter: Letter) -> str:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.taken.append(letter)
        return "250 taken"


def write(world: World, *names: str) -> None:
    letters = [
        Letter(f"<{name}@mail.example.com>", "ana@example.com", name, "new", name.encode())
        for name in names
    ]
    with world.store.compose() as txn:
        txn.save_letters(letters, NOW)


def test_a_mail_is_handed_over_once(world: World) -> None:
    """What the relay took is not offered to it again."""
    relay = Relay()
    write(world, "one")

    results = [send_due(world.store.outbox, lambda _: relay, NOW) for _ in range(2)]

    assert [SendResult(sent=1), SendResult()] == results
    assert [b"one"] == [letter.raw for letter in relay.taken]


def test_a_deferred_mail_comes_again_with_the_same_bytes(world: World) -> None:
    """A 4xx today is a delivery later, under one Message-ID."""
    relay = Relay(Temporary("451 later"))
    write(world, "one")

    first = send_due(world.store.outbox, lambda _: relay, NOW)
    at_once = send_due(world.store.outbox, lambda _: relay, NOW + 1)
    later = send_due(world.store.outbox, lambda _: relay, NOW + MINUTE)

    assert (SendResult(deferred=1), SendResult(), SendResult(sent=1)) == (first, at_once, later)
    assert ["<one@mail.example.com>"] == [letter.message_id for letter in relay.taken]


def test_what_cannot_be_noted_is_not_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the relay gets each mail once, not once every two seconds."""
    relay, handed = Relay(), Handed()
    write(world, "one")
    with monkeypatch.context() as full:
        full.setattr(SqliteOutbox, "sent", _no_room)
        for _ in range(3):
            with pytest.raises(Temporary):
                send_due(world.store.outbox, lambda _: relay, NOW, handed=handed)

    results = [send_due(world.store.outbox, lambda _: relay, NOW, handed=handed) for _ in range(2)]

    assert [SendResult(sent=1), SendResult()] == results
    assert 1 == len(relay.taken)
    assert [("sent", "250 taken")] == world.rows("SELECT state, answer FROM letters")


def _no_room(*_: object) -> None:
    raise Temporary("the disk is full")


def test_one_deferred_mail_holds_up_no_other(world: World) -> None:
    """The mail behind a deferred one still goes out."""
    relay = Relay(Temporary("451 later"), None)
    write(world, "one", "two")

    result = send_due(world.store.outbox, lambda _: relay, NOW)

    assert SendResult(sent=1, deferred=1) == result


@pytest.mark.parametrize(
    ("error", "after", "failed"),
    [
        (Refused("550 unknown"), 0, True),
        (Temporary("451 later"), 5 * DAY - 1, False),
        (Temporary("451 later"), 5 * DAY, True),
    ],
)
def test_a_mail_is_given_up_when_refused_or_after_five_days(
    world: World, error: Exception, after: int, failed: bool
) -> None:
    """A 5xx is final at once, a 4xx after five days and not before."""
    write(world, "one")

    result = send_due(world.store.outbox, lambda _: Relay(error), NOW + after)

    assert SendResult(failed=1) if failed else SendResult(deferred=1) == result
    assert [("failed" if failed else "waiting",)] == world.rows("SELECT state FROM letters")


def test_a_stop_leaves_the_rest_for_the_next_start(world: World) -> None:
    """When the program ends, what was not sent waits."""
    stop = Event()
    stop.set()
    write(world, "one")

    assert SendResult() == send_due(world.store.outbox, lambda _: Relay(), NOW, stop)
    assert [("waiting",)] == world.rows("SELECT state FROM letters")


def test_tries_come_slower_but_at_least_each_hour() -> None:
    """A relay that is down is asked after 1, 2, 4 … minutes, then hourly."""
    waits = [next_try(attempts, 0) for attempts in (1, 2, 3, 6, 7, 100)]

    assert [MINUTE, 2 * MINUTE, 4 * MINUTE, 32 * MINUTE, HOUR, HOUR] == waits
