"""Channels as the commands show them: status, alerts, once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels.server import Site, closed_port, site
from tests.cli.conftest import Place
from tests.place import config_in
from tlsrpt_mailer.cli import parts
from tlsrpt_mailer.cli.parts import Part
from tlsrpt_mailer.report.times import DAY, HOUR
from tlsrpt_mailer.store.rows import LaneRow

NOW = 1_792_000_000


@pytest.fixture
def other() -> Iterator[Site]:
    with site() as made:
        yield made


def hook(url: str) -> str:
    return f'[[channel]]\nkind = "webhook"\nname = "ops"\nurl = "{url}"\n'


def test_a_channel_can_be_tried(place: Place, other: Site):
    """What the other side answers is printed; the test says that it is one."""
    place.configure(hook(other.url))

    result = place("alerts", "test", "--channel", "ops")

    assert (0, "ops: 200 OK\n") == (result.code, result.out)
    assert "test" == json.loads(other.asked[0].body)["event"]


def test_a_channel_that_does_not_take_it_is_69(place: Place, other: Site):
    """With what the other side said, for whoever sets it up."""
    other.code = 403
    place.configure(hook(other.url))

    result = place("alerts", "test", "--channel", "ops")

    assert 69 == result.code
    assert "ops: " in result.err
    assert "says 403 Forbidden: ok" in result.err


def test_a_name_that_is_no_channel_is_78(place: Place):
    """The names that there are stand beside it."""
    place.configure(hook("http://127.0.0.1:1"))

    result = place("alerts", "test", "--channel", "opps")

    assert 78 == result.code
    assert "no channel opps is configured; channels: ops" in result.err


def test_a_notice_is_listed_shown_and_sent_again(full: Place, other: Site):
    """As a mail is: its words as text, its JSON raw, and once more by resend."""
    full.configure(hook(other.url))
    full("once")

    rows = full("alerts", "--json").json
    (number, *_) = [row["id"] for row in rows if row["recipient"] == "channel:ops"]
    shown = full("alerts", "show", str(number))
    raw = full("alerts", "show", str(number), "--raw").json
    as_json = full("alerts", "show", str(number), "--json").json
    before = len(other.asked)
    again = full("alerts", "resend", str(number))
    full("once")

    assert "To: channel:ops" in shown.out
    assert raw["text"].splitlines()[0] in shown.out
    assert raw["text"] == as_json["text"]
    assert (0, before + 1) == (again.code, len(other.asked))
    assert other.asked[before].body == next(
        asked.body for asked in other.asked if json.loads(asked.body)["id"] == raw["id"]
    )


def test_status_has_a_line_a_channel(full: Place, other: Site):
    """A channel that takes its notices is ok; one that does not is named, with the answer."""
    down = f"http://127.0.0.1:{closed_port()}"
    full.configure(hook(other.url) + hook(down).replace('"ops"', '"down"'))
    full("once")

    lines = full("status").out

    assert "ok    channel       ops (webhook): today" in lines
    assert "warn  channel       down (webhook): does not take notices" in lines
    assert "Connection refused" in lines


ROW = LaneRow("ops", waiting=3, sent_today=2, last_sent=NOW - HOUR)


@pytest.mark.parametrize(
    ("row", "level", "what"),
    [
        (None, "ok", "ops (webhook): today 0 sent, 0 waiting"),
        (ROW, "ok", "ops (webhook): today 2 sent, 3 waiting; the last was taken"),
        (
            LaneRow("ops", 3, 2, NOW, tried=7, since=NOW - HOUR, answer="x"),
            "warn",
            "does not take notices",
        ),
        (
            LaneRow("ops", 3, 2, NOW, tried=7, since=NOW - HOUR - 1, answer="x"),
            "FAIL",
            "does not take notices",
        ),
        (
            LaneRow("ops", 0, 2, NOW - DAY, failed=7, failed_at=NOW - HOUR, failed_answer="404"),
            "FAIL",
            "given up",
        ),
        (
            LaneRow("ops", 0, 2, NOW, failed=7, failed_at=NOW - HOUR, failed_answer="404"),
            "ok",
            "ops (webhook): today 2 sent",
        ),
        (
            LaneRow("ops", 0, 2, None, failed=7, failed_at=NOW - 8 * DAY, failed_answer="404"),
            "ok",
            "given up",
        ),
    ],
)
def test_a_channel_that_takes_nothing_is_a_fail(
    row: LaneRow | None, level: str, what: str, tmp_path: Path
):
    """After an hour of waiting, or when its last notice was given up in the last week."""
    config = config_in(tmp_path, hook("https://hook.example"))

    (part,) = parts.channels([row] if row else [], config, NOW)

    assert level == part.level
    assert what in part.what


def test_notices_for_a_channel_that_is_gone_are_a_warning(tmp_path: Path):
    """A slip in a name shows; a channel that was taken out on purpose is no failure."""
    rows = [LaneRow("old", waiting=2, sent_today=0, last_sent=None), LaneRow("gone", 0, 0, None)]

    assert [
        Part("warn", "channel", "old: 2 notices wait, but no such channel is configured")
    ] == parts.channels(rows, config_in(tmp_path), NOW)


def test_config_check_names_a_channel_that_cannot_be_built(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    """An extra that is not installed is found before the reload, with what to type."""
    monkeypatch.setattr("tlsrpt_mailer.channels.apprise.find_spec", lambda _: None)
    monkeypatch.setenv("APPRISE", "json://127.0.0.1")
    place.configure('[[channel]]\nkind = "apprise"\nurl_env = "APPRISE"\n')

    result = place("config", "check")

    assert 78 == result.code
    assert "channel[0]: channel apprise: " in result.err
    assert "pip install 'tlsrpt-mailer[apprise]'" in result.err


def test_once_says_elsewhere_that_all_is_well(full: Place, other: Site):
    """From cron too; a round with a source in trouble does not."""
    health = f'[health]\nping_url = "{other.url}/ping"\n'
    full.configure(health)
    full("once")
    well = [asked.path for asked in other.asked]
    broken = f'[[source]]\nkind = "maildir"\npath = "{full.folder / "none"}"\n'
    full.configure(health + broken)
    full("once")

    assert ["/ping"] == well == [asked.path for asked in other.asked]
