"""Which channel is handed a copy of a mail about silence or about the program itself."""

import msgspec
import pytest

from tests.flows.world import NOW, World
from tlsrpt_mailer.alerts.directory import Directory, Owner
from tlsrpt_mailer.alerts.model import Context, Settings
from tlsrpt_mailer.alerts.route import ChannelRule
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.copies import copies
from tlsrpt_mailer.flows.watch_sources import watch_sources
from tlsrpt_mailer.ports import Letter, Notice
from tlsrpt_mailer.report.times import HOUR

ANA = "ana@a.test"


def audience(*rules: ChannelRule) -> Audience:
    return Audience(
        directory=Directory(
            Owner(name="alerts.to", addresses=("post@example.com",), is_default=True),
            [Owner(name="shop", addresses=(ANA,))],
        ),
        settings=Settings(now=0),
        context=Context(
            now=0, host="mail.example.com", version="0", recipient="", sender="t@example.com"
        ),
        names={},
        channels=rules,
        operator=("root@example.com",),
    )


def letter(event: str, to: str, subject: str = "SILENT shop.example") -> Letter:
    return Letter(f"<{event}.{to}>", to, subject, event, b"Subject: x\r\n\r\nIt is so.\r\n")


@pytest.mark.parametrize(
    ("rule", "event", "to", "expected"),
    [
        ({}, "operator", "root@example.com", True),
        ({}, "silent", ANA, True),
        ({}, "digest", ANA, False),
        ({"events": frozenset({"operator"})}, "operator", "root@example.com", True),
        ({"events": frozenset({"operator"})}, "silent", ANA, False),
        ({"events": frozenset({"new"})}, "operator", "root@example.com", False),
        ({"owners": frozenset({"shop"})}, "operator", "root@example.com", False),
        ({"groups": frozenset({"retail"})}, "operator", "root@example.com", False),
        (
            {"owners": frozenset({"shop"}), "events": frozenset({"operator"})},
            "operator",
            "root@example.com",
            True,
        ),
        ({"owners": frozenset({"shop"})}, "silent", ANA, True),
        ({"owners": frozenset({ANA})}, "silent", ANA, True),
        ({"owners": frozenset({"shop"})}, "silent", "kim@k.test", False),
        ({"groups": frozenset({"retail"})}, "silent", ANA, False),
    ],
)
def test_a_channel_gets_what_it_wants_and_may_see(
    rule: dict[str, frozenset[str]], event: str, to: str, expected: bool
) -> None:
    """A tenant's channel hears nothing of other tenants, nor of the program unless it asks."""
    people = audience(ChannelRule(name="ops", **rule))  # type: ignore[arg-type]

    found = copies([letter(event, to)], people, NOW)

    assert expected is bool(found)


def test_the_same_words_come_once() -> None:
    """Two owners are mailed; the channel of both is told once, in the mail's words."""
    people = audience(ChannelRule(name="ops"))

    (found,) = copies([letter("silent", ANA), letter("silent", "kim@k.test")], people, NOW)

    one = msgspec.json.decode(found.raw, type=Notice)
    assert ("channel:ops", "silent", "SILENT shop.example", "It is so.\n") == (
        found.recipient,
        one.event,
        one.title,
        one.text,
    )


def test_a_source_in_trouble_is_told_by_mail_and_channel(world: World) -> None:
    """Written together, and each delivered by its own way."""
    world.store.state.save_source("imap:x", state="trouble", since=NOW, error="no login")
    people = audience(ChannelRule(name="ops", events=frozenset({"operator"})))

    watch_sources(world.store.watching, people, NOW + HOUR)

    assert ["channel:ops", "root@example.com"] == sorted(
        str(to) for (to,) in world.rows("SELECT recipient FROM letters")
    )
