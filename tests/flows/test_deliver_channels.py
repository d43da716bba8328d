"""Notices on their way to channels: a lane each, in order within a cause."""

from threading import Event

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.channels.notices import failure, notice
from tests.flows.world import NOW, World
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary
from tlsrpt_mailer.flows.deliver import SendResult, send_due
from tlsrpt_mailer.ports import BY_MAIL, CHANNEL, Letter, Notice, Sent
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE

OPS, CHAT = f"{CHANNEL}ops", f"{CHANNEL}chat"


class Other:
    """The other side of a channel; answers what it is told to."""

    def __init__(self, *answers: Exception | str | None) -> None:
        self.answers = list(answers)
        self.tried: list[str] = []
        self.taken: list[tuple[str, str | None]] = []

    def notify(self, one: Notice, remote_ref: str | None) -> Sent:
        self.tried.append(one.id)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        self.taken.append((one.id, remote_ref))
        return Sent("ok", answer)


class Relay:
    """A relay that takes everything."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def send(self, letter: Letter) -> str:
        self.taken.append(letter.subject)
        return "250 taken"


def write(world: World, *names: str, to: str = OPS, key: str | None = "cause") -> None:
    """Freeze a notice of each name (or a mail, if *to* is an address)."""
    raws = [msgspec.json.encode(notice(id=name, key=key or "")) for name in names]
    letters = [
        Letter(f"<{name}@x>", to, name, "new", raw, key=key)
        for name, raw in zip(names, raws, strict=True)
    ]
    with world.store.compose() as txn:
        txn.save_letters(letters, NOW)


def send(world: World, other: Other, now: int = NOW, lane: str | None = OPS) -> SendResult:
    return send_due(world.store.outbox, lambda _: Relay(), now, notifier=lambda _: other, lane=lane)


def test_notices_of_a_cause_arrive_in_order(world: World) -> None:
    """The end of a failure never overtakes its beginning, however often that is tried."""
    other = Other(Temporary("busy"))
    write(world, "new", "resolved")
    write(world, "elsewhere", key="another")

    first = send(world, other)
    later = send(world, other, NOW + MINUTE)

    assert (SendResult(sent=1, deferred=1), SendResult(sent=2)) == (first, later)
    assert ["elsewhere", "new", "resolved"] == [name for name, _ in other.taken]


def test_the_name_of_a_cause_goes_along_with_what_follows(world: World) -> None:
    """The thread or ticket that the first notice brought is handed to the next ones."""
    other = Other("T-7", None, "T-8")
    write(world, "new", "worsened", "resolved", "regressed")

    send(world, other)

    assert [
        ("new", None),
        ("worsened", "T-7"),
        ("resolved", "T-7"),
        ("regressed", "T-8"),
    ] == other.taken


def test_a_name_is_the_channel_s_own(world: World) -> None:
    """A second channel does not get the ticket of the first, and a cause not that of another."""
    ops, chat = Other("T-7"), Other()
    write(world, "new")
    send(world, ops)
    write(world, "next", to=CHAT)
    write(world, "other", key="another")

    send(world, chat, lane=CHAT)
    send(world, ops)

    assert [("next", None)] == chat.taken
    assert ("other", None) == ops.taken[-1]


def test_a_secret_that_cannot_be_read_defers(world: World) -> None:
    """A file that is not there yet is for the operator to mend: nothing is lost."""
    write(world, "new")

    assert SendResult(deferred=1) == send(world, Other(ConfigError("url_file: gone")))
    assert [("url_file: gone",)] == world.rows("SELECT answer FROM letters")


def test_a_bug_in_a_channel_defers(world: World) -> None:
    """A library that raises what nobody expected costs a line in the log, not the channel."""
    write(world, "new")
    with capture_logs() as logs:
        result = send(world, Other(ValueError("a bug")))

    assert SendResult(deferred=1) == result
    assert "channel.crashed" in {entry["event"] for entry in logs}
    assert [("internal error: ValueError: a bug",)] == world.rows("SELECT answer FROM letters")


def test_a_refused_notice_lets_the_next_one_through(world: World) -> None:
    """What never goes out holds up nothing behind it."""
    other = Other(Refused("400 no"))
    write(world, "new", "resolved")

    assert SendResult(sent=1, failed=1) == send(world, other)


def test_lanes_know_nothing_of_each_other(world: World) -> None:
    """Each call works its own lane: mails, or one channel."""
    other = Other()
    write(world, "to-ops")
    write(world, "to-chat", to=CHAT)
    write(world, "mail", to="ana@example.com", key=None)

    mails = send(world, other, lane=BY_MAIL)
    ops = send(world, other, lane=OPS)

    assert (SendResult(sent=1), SendResult(sent=1)) == (mails, ops)
    assert [("to-ops", None)] == other.taken
    assert [CHAT] == world.store.outbox.lanes()


def test_the_other_side_may_ask_for_time(world: World) -> None:
    """Retry-After is kept to, up to an hour; without it tries come slower by themselves."""
    other = Other(
        Temporary("429", retry_in=90), Temporary("429", retry_in=9_999_999), Temporary("503")
    )
    write(world, "new")
    waits = []
    now = NOW
    for _ in range(3):
        send(world, other, now)
        ((next_try,),) = world.rows("SELECT next_try FROM letters")
        waits.append(int(str(next_try)) - now)
        now = int(str(next_try))

    assert [90, HOUR, 4 * MINUTE] == waits


@pytest.mark.parametrize(("is_cut_off", "after"), [(True, 0), (False, 0), (True, 5 * DAY)])
def test_it_is_known_whether_anybody_was_there(world: World, is_cut_off: bool, after: int) -> None:
    """A relay that does not answer is told from one that says "later"."""
    write(world, "new")

    result = send(world, Other(Temporary("x", is_cut_off=is_cut_off)), NOW + after)

    assert is_cut_off is result.is_cut_off
    assert 1 == result.deferred + result.failed


def test_without_a_channel_of_that_name_notices_wait(world: World) -> None:
    """A slip in the configuration loses nothing; after five days they are given up."""
    write(world, "new")

    now = send_due(world.store.outbox, lambda _: Relay(), NOW)
    late = send_due(world.store.outbox, lambda _: Relay(), NOW + 5 * DAY)

    assert (SendResult(deferred=1), SendResult(failed=1)) == (now, late)


def test_a_notice_of_another_version_is_given_up(world: World) -> None:
    """What cannot be read any more stops nothing behind it, and is said."""
    with world.store.compose() as txn:
        txn.save_letters([Letter("<1@x>", OPS, "x", "new", b'{"id": 7}', key="cause")], NOW)
    write(world, "next")

    assert SendResult(sent=1, failed=1) == send(world, Other())


def test_a_stop_comes_between_two_notices(world: World) -> None:
    """What was not tried waits for the next start."""
    stop = Event()
    other = Other()
    write(world, "one", "two")

    result = send_due(
        world.store.outbox,
        lambda _: Relay(),
        NOW,
        stop,
        stop.set,
        notifier=lambda _: other,
        lane=OPS,
    )

    assert (SendResult(sent=1), ["one"]) == (result, other.tried)


def test_all_that_is_due_goes_out_in_one_call(world: World) -> None:
    """`once` leaves nothing behind, however much there is."""
    other = Other()
    write(world, *(f"n{number}" for number in range(120)), key=None)
    write(world, "a", "b", "c")

    assert 123 == send(world, other).sent


def test_results_add_up() -> None:
    """What several lanes did is one line for `once`."""
    assert SendResult(3, 5, 7, True) == SendResult(1, 2, 3) + SendResult(2, 3, 4, True)


def test_a_failure_in_a_notice_is_what_was_written() -> None:
    """JSON there and back changes nothing."""
    one = notice(failures=(failure(), failure(18, mx=None)))

    assert one == msgspec.json.decode(msgspec.json.encode(one), type=Notice)
