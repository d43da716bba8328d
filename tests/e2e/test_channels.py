"""Channels beside the mails: as a running daemon, with real servers at the other side."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.channels.server import Site as Web
from tests.channels.server import site as web
from tests.e2e.daemon import Site, deliver, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import clean, failing
from tests.e2e.waiting import until

MEASURED = True

AT_ONCE = 'group_wait = "0s"\nresolve_wait = "0s"'


def hook(other: Web, name: str, more: str = "") -> str:
    return f'[[channel]]\nkind = "webhook"\nname = "{name}"\nurl = "{other.url}"\n{more}'


def bodies(other: Web) -> list[dict[str, Any]]:
    return [json.loads(asked.body) for asked in other.asked]


@pytest.fixture
def others() -> Iterator[tuple[Web, Web]]:
    with ExitStack() as stack:
        yield stack.enter_context(web()), stack.enter_context(web())


def test_a_hanging_channel_holds_up_neither_mails_nor_another(
    tmp_path: Path, sink: Sink, port: int, others: tuple[Web, Web]
) -> None:
    """
    One webhook takes the connection and says nothing for a minute: the mail and the other
    webhook have the alert within seconds, and the daemon stops in time all the same.
    """
    hanging, fine = others
    hanging.trickle = True
    channels = hook(hanging, "slow", 'timeout = "2m"\n') + hook(fine, "fine")
    site = Site(tmp_path, lmtp_source(port) + channels, sink.port, AT_ONCE)
    with running(site) as daemon:
        deliver(port, [failing()])

        sink.wait()
        until(lambda: fine.asked, "a notice")
        until(lambda: hanging.asked, "a notice that hangs")
        code, seconds = daemon.stop()

    (came,) = bodies(fine)
    assert ("new", True, "example.com") == (
        came["event"],
        came["is_open"],
        came["failures"][0]["policy_domain"],
    )
    assert 0 == code
    assert seconds < 5


def test_an_incident_is_one_ticket(
    tmp_path: Path, sink: Sink, port: int, others: tuple[Web, Web]
) -> None:
    """The end of a failure carries the name that its beginning brought back, and closes it."""
    other, _ = others
    other.body = b'{"ref": "T-7"}'
    site = Site(tmp_path, lmtp_source(port) + hook(other, "tickets"), sink.port, AT_ONCE)
    with running(site):
        deliver(port, [failing(3)])
        until(lambda: len(other.asked) == 1, "the beginning")
        deliver(port, [clean(2), clean(1)])
        until(lambda: len(other.asked) == 2, "the end")

    begin, end = bodies(other)
    assert ("new", None, True) == (begin["event"], begin["remote_ref"], begin["is_open"])
    assert ("resolved", "T-7", False) == (end["event"], end["remote_ref"], end["is_open"])
    assert begin["key"] == end["key"]
    assert [] == end["open_failures"]


def test_channels_come_and_go_with_a_reload(
    tmp_path: Path, sink: Sink, port: int, others: tuple[Web, Web]
) -> None:
    """A new channel hears of what breaks from then on; one that is gone hears nothing more."""
    old, new = others
    site = Site(tmp_path, lmtp_source(port) + hook(old, "old"), sink.port, AT_ONCE)
    with running(site) as daemon:
        deliver(port, [failing()])
        until(lambda: old.asked, "the first notice")
        site.configure(lmtp_source(port) + hook(new, "new"), sink.port, AT_ONCE)
        daemon.reload()
        deliver(port, [failing(1, "two.example", "mx.two.example")])

        until(
            lambda: any("two.example" in asked.body.decode() for asked in new.asked), "the second"
        )

    assert 1 == len(old.asked)


def test_a_channel_that_cannot_be_built_leaves_the_old_configuration(
    tmp_path: Path, sink: Sink, port: int
) -> None:
    """A slip in a channel is named in the log; what runs goes on."""
    site = Site(tmp_path, lmtp_source(port), sink.port, AT_ONCE)
    with running(site) as daemon:
        site.configure(lmtp_source(port) + '[[channel]]\nkind = "webhook"\n', sink.port, AT_ONCE)
        daemon.reload()
        daemon.wait_for_log("url is missing")
        deliver(port, [failing()])

        sink.wait()


def test_somebody_elsewhere_hears_that_all_is_well(
    tmp_path: Path, sink: Sink, port: int, others: tuple[Web, Web]
) -> None:
    """A healthy daemon fetches ping_url within seconds of its start."""
    other, _ = others
    health = f'[health]\nping_url = "{other.url}/ping"\n'
    site = Site(tmp_path, lmtp_source(port) + health, sink.port, AT_ONCE)
    with running(site):
        until(lambda: other.asked, "a ping")

    assert ("GET", "/ping") == (other.asked[0].method, other.asked[0].path)
