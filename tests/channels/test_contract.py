"""What every kind of channel keeps, whatever is at its other side."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.channels.notices import hostile, notice
from tests.channels.rigs import RIGS, SECRET, Rig
from tests.place import config_in
from tlsrpt_mailer.config.model import ChannelKeys
from tlsrpt_mailer.errors import Refused, Temporary
from tlsrpt_mailer.ports import Notifier
from tlsrpt_mailer.wiring.kinds import CHANNELS
from tlsrpt_mailer.wiring.ways import notifier

PATIENCE = 15


@pytest.fixture(params=sorted(CHANNELS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(kind: str, tmp_path: Path) -> Iterator[Rig]:
    with RIGS[kind](tmp_path) as made:
        yield made


def channel(kind: str, keys: str, folder: Path) -> Notifier:
    """A channel as a configuration with these *keys* makes it."""
    config = config_in(folder, f'[[channel]]\nkind = "{kind}"\nname = "ops"\n{keys}\n')
    return notifier(config.channel[0], config)


def test_every_kind_is_tried_here():
    """A new kind brings its other side, one line in `RIGS`."""
    assert set(CHANNELS) == set(RIGS)


def test_its_keys_are_strict_and_its_own(kind: str):
    """Unknown keys are refused, and none takes the name of a key that all channels have."""
    settings = CHANNELS[kind].settings

    assert settings.__struct_config__.forbid_unknown_fields
    assert settings.__struct_config__.frozen
    assert set() == set(settings.__struct_encode_fields__) & {
        "kind",
        *ChannelKeys.__struct_encode_fields__,
    }


def test_a_notice_arrives(kind: str, rig: Rig, tmp_path: Path):
    """What the other side gets names the domain, and its answer is one printable line."""
    sent = channel(kind, rig.keys, tmp_path).notify(notice(), None)

    (came,) = rig.got()
    assert "example.com" in came
    assert sent.answer.isascii()
    assert sent.answer.isprintable()


def test_a_follow_up_and_an_end_arrive(kind: str, rig: Rig, tmp_path: Path):
    """What is told of the same cause later goes the same way, with the name it was given."""
    way = channel(kind, rig.keys, tmp_path)
    ref = way.notify(notice(), None).remote_ref

    way.notify(notice(id="<2@x>", event="resolved", is_open=False, open_failures=()), ref or "x 1")

    assert 2 == len(rig.got())


def test_trouble_that_may_pass_is_temporary(kind: str, rig: Rig, tmp_path: Path):
    """The notice waits, and is taken when the other side is well again."""
    way = channel(kind, rig.keys, tmp_path)
    rig.say("later")
    with pytest.raises(Temporary):
        way.notify(notice(), None)
    rig.say("taken")

    assert way.notify(notice(), None).answer


def test_a_refusal_is_final_where_there_is_one(kind: str, rig: Rig, tmp_path: Path):
    """It is said, and not repeated for five days."""
    rig.say("never")

    with pytest.raises(Refused if rig.knows_never else Temporary):
        channel(kind, rig.keys, tmp_path).notify(notice(), None)


def test_nobody_there_is_temporary(kind: str, rig: Rig, tmp_path: Path):
    """A service that is down gets its notices later; `alerts show` says what was wrong."""
    with pytest.raises(Temporary) as caught:
        channel(kind, rig.unreachable, tmp_path).notify(notice(), None)

    assert str(caught.value)


def test_a_hanging_service_is_left_in_time(kind: str, rig: Rig, tmp_path: Path):
    """The thread of the channel comes back, whatever the other side does."""
    rig.say("hang")
    began = time.monotonic()

    with pytest.raises(Temporary):
        channel(kind, rig.keys, tmp_path).notify(notice(), None)

    assert time.monotonic() - began < PATIENCE


def test_hostile_words_of_a_report_harm_nothing(kind: str, rig: Rig, tmp_path: Path):
    """Whatever a report names, the notice goes out or is refused; nothing else happens."""
    channel(kind, rig.keys, tmp_path).notify(hostile(), "a\nb")

    (came,) = rig.got()
    assert "\x00" not in came
    assert "\nX: 1" not in came.partition("\r\n\r\n")[0]


def test_no_secret_shows(kind: str, rig: Rig, tmp_path: Path):
    """Neither the channel, its settings nor its errors print what a file holds."""
    way = channel(kind, rig.keys, tmp_path)
    rig.say("never")
    with pytest.raises((Refused, Temporary)) as caught:
        way.notify(notice(), None)

    shown = f"{way!r} {config_of(kind, rig, tmp_path)!r} {caught.value}"
    assert "json://" not in shown
    assert SECRET not in shown


def config_of(kind: str, rig: Rig, folder: Path) -> msgspec.Struct:
    """The settings as the configuration has them."""
    text = f'[[channel]]\nkind = "{kind}"\n{rig.keys}\n'
    return config_in(folder, text).channel[0].settings
