"""The relay is the trouble: the operator hears of it by other ways, and of its end."""

import msgspec
from structlog.testing import capture_logs

from tests.flows.world import NOW, World
from tlsrpt_mailer.flows.relay import PATIENCE, RelaySettings, watch_relay
from tlsrpt_mailer.ports import Letter, Notice
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE

SETTINGS = RelaySettings(
    fallback=("sms", "chat"), relay="mail.example.com:25", host="mon.example.com"
)
MAIL = b"Subject: x\r\nX-TLSRPT-Mailer: event=%s\r\n\r\nThe intake is off.\r\nLook.\r\n"


def write(world: World, name: str, *, event: str = "new", at: int = NOW, raw: bytes = b"x") -> int:
    """A mail waits; its number."""
    letter = Letter(f"<{name}@x>", "ana@example.com", name, event, raw)
    with world.store.compose() as txn:
        txn.save_letters([letter], at)
    ((number,),) = world.rows("SELECT max(id) FROM letters")
    return int(str(number))


def defer(world: World, number: int, at: int, said: str = "451 later") -> None:
    world.store.outbox.retry(number, at, said, at + HOUR)


def watch(world: World, at: int, *, cut_off: bool = False) -> list[Letter]:
    return watch_relay(world.store.relay_notes, SETTINGS, at, is_cut_off=cut_off)


def notices(letters: list[Letter]) -> list[Notice]:
    return [msgspec.json.decode(letter.raw, type=Notice) for letter in letters]


def test_mails_that_wait_a_quarter_of_an_hour_are_told_by_each_other_way(world: World) -> None:
    """Once, with what the relay says, how much waits and since when."""
    defer(world, write(world, "one"), NOW + MINUTE)

    early = watch(world, NOW + PATIENCE - 1)
    with capture_logs() as logs:
        due = watch(world, NOW + PATIENCE)
    again = watch(world, NOW + PATIENCE + MINUTE)

    assert ([], []) == (early, again)
    assert ["channel:sms", "channel:chat"] == [letter.recipient for letter in due]
    first = notices(due)[0]
    assert ("operator", True) == (first.event, first.is_open)
    assert "OPERATOR mails wait: mail.example.com:25 does not take them" == first.title
    assert "1 mail of tlsrpt-mailer on mon.example.com cannot be handed over." in first.text
    assert "    451 later\n" in first.text
    assert all(len(line) <= 78 for line in first.text.splitlines())
    assert ["relay.trouble"] == [entry["event"] for entry in logs]
    assert 2 == len(world.rows("SELECT 1 FROM letters WHERE recipient LIKE 'channel:%'"))


def test_a_relay_that_is_not_there_is_told_at_the_second_try(world: World) -> None:
    """One refused connection is a relay that is being started anew; two are trouble."""
    number = write(world, "one")
    defer(world, number, NOW, "Connection refused")
    once = watch(world, NOW + 1, cut_off=True)
    defer(world, number, NOW + MINUTE, "Connection refused")

    twice = watch(world, NOW + MINUTE + 1, cut_off=True)

    assert ([], 2) == (once, len(twice))


def test_a_mail_that_was_not_tried_yet_is_no_trouble(world: World) -> None:
    """A program that was off for a day has its mails to send, and that is all."""
    write(world, "one")

    assert [] == watch(world, NOW + DAY)


def test_a_notice_that_waits_is_no_trouble_of_the_relay(world: World) -> None:
    """Channels have their own lines in `status`."""
    with world.store.compose() as txn:
        txn.save_letters([Letter("<1@x>", "channel:chat", "x", "new", b"{}")], NOW)
    defer(world, 1, NOW)

    assert [] == watch(world, NOW + DAY)


def test_it_is_said_again_each_day(world: World) -> None:
    """A relay that is down for days is one notice a day, with the figures of that day."""
    number = write(world, "one")
    defer(world, number, NOW)
    watch(world, NOW + PATIENCE)
    defer(world, number, NOW + HOUR, "452 disk full")

    before, after = watch(world, NOW + PATIENCE + DAY - 1), watch(world, NOW + PATIENCE + DAY)

    assert ([], 2) == (before, len(after))
    assert "still wait" in notices(after)[0].title
    assert "452 disk full" in notices(after)[0].text
    assert 2 == len({letter.message_id for letter in after + watch_again(world)})


def watch_again(world: World) -> list[Letter]:
    """The notice of the day after."""
    return watch(world, NOW + PATIENCE + 2 * DAY)


def test_the_end_is_told_once(world: World) -> None:
    """When the last mail that waited is taken; and trouble after that is news again."""
    number = write(world, "one")
    defer(world, number, NOW)
    watch(world, NOW + PATIENCE)
    world.store.outbox.sent(number, NOW + HOUR, "250 ok")
    with capture_logs() as logs:
        end, silent = watch(world, NOW + HOUR), watch(world, NOW + 2 * HOUR)
    defer(world, write(world, "two", at=NOW + DAY), NOW + DAY)

    anew = watch(world, NOW + DAY + PATIENCE)

    assert (2, [], 2) == (len(end), silent, len(anew))
    assert (False, "OPERATOR mails flow again: mail.example.com:25 takes them") == (
        notices(end)[0].is_open,
        notices(end)[0].title,
    )
    assert all(len(line) <= 78 for line in notices(end)[0].text.splitlines())
    assert ["relay.recovered"] == [entry["event"] for entry in logs]


def test_mails_that_were_given_up_are_no_end(world: World) -> None:
    """Nothing waits any more, but nothing went out either."""
    number = write(world, "one")
    defer(world, number, NOW)
    watch(world, NOW + PATIENCE)
    world.store.outbox.give_up(number, NOW + 5 * DAY, "451 (for five days)")

    assert [] == watch(world, NOW + 5 * DAY)


def test_trouble_that_grows_smaller_is_not_over(world: World) -> None:
    """One mail went out, another was deferred just now: it is told when nothing waits."""
    first = write(world, "one")
    defer(world, first, NOW)
    watch(world, NOW + PATIENCE)
    world.store.outbox.sent(first, NOW + HOUR, "250 ok")
    defer(world, write(world, "two", at=NOW + HOUR), NOW + HOUR)

    assert [] == watch(world, NOW + HOUR + 1)


def test_mails_to_the_operator_take_the_second_route(world: World) -> None:
    """What waits for him, or says that our intake is off, comes as a notice; alerts do not."""
    operator = write(world, "source", event="operator", raw=MAIL % b"operator")
    intake = write(world, "intake", event="silent", raw=MAIL % b"silent; cause=intake")
    others = [
        write(world, "alert"),
        write(world, "silent", event="silent", raw=MAIL % b"silent; cause=reporter"),
    ]
    for number in (operator, intake, *others):
        defer(world, number, NOW)

    came = notices(watch(world, NOW + PATIENCE))

    assert ["<source@x>"] * 2 + ["<intake@x>"] * 2 == [one.id for one in came[2:]]
    assert "The intake is off.\nLook.\n" == came[2].text
    assert (NOW, "source", "operator") == (came[2].at, came[2].title, came[2].event)


def test_the_second_route_is_taken_once(world: World) -> None:
    """However often the relay is looked at, each mail is one notice a channel; new ones follow."""
    defer(world, write(world, "one", event="operator", raw=b"Subject: x\r\n\r\n"), NOW)
    watch(world, NOW + PATIENCE)
    watch(world, NOW + PATIENCE + MINUTE)
    before = world.count("letters")
    # Behind a relay that takes a minute to say nothing, it may not be tried for hours.
    write(world, "two", event="operator", raw=MAIL % b"x")
    watch(world, NOW + PATIENCE + 2 * MINUTE)

    # The mail, the notice of the trouble and the second route to two channels; then three more.
    assert (5, 8) == (before, world.count("letters"))


def test_a_mail_without_text_takes_it_too(world: World) -> None:
    """Whatever the bytes are, looking at them stops nothing."""
    raw = b"Content-Type: image/png\r\n\r\nx"
    defer(world, write(world, "one", event="operator", raw=raw), NOW)

    assert "" == notices(watch(world, NOW + PATIENCE))[2].text


def test_without_other_ways_it_is_noted_all_the_same(world: World) -> None:
    """The log and the health check know of it; nothing is written for nobody."""
    defer(world, write(world, "one"), NOW)
    settings = msgspec.structs.replace(SETTINGS, fallback=())

    letters = watch_relay(world.store.relay_notes, settings, NOW + PATIENCE, is_cut_off=False)
    note = world.store.relay_notes.note()

    assert [] == letters
    assert note is not None
    assert (NOW, None) == (note.since, note.ended_at)
