"""The second relay, and apprise."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.channels.notices import hostile, notice
from tests.channels.relay import Relay, relay
from tests.channels.server import site
from tests.place import config_in
from tlsrpt_mailer.channels import apprise
from tlsrpt_mailer.channels.apprise import AppriseNotifier
from tlsrpt_mailer.channels.here import Here
from tlsrpt_mailer.channels.relay import RelayNotifier, Settings
from tlsrpt_mailer.errors import ConfigError, Refused, Temporary

HERE = Here(name="second", host="mail.example.com", sender="tlsrpt@mail.example.com")
BOTH = ("ana@example.com", "ben@example.com")


def second(other: Relay, to: tuple[str, ...] = BOTH, **more: Any) -> RelayNotifier:
    return RelayNotifier(Settings(port=other.port, to=to, timeout=5, **more), HERE)


def mails(other: Relay) -> list[tuple[str, str]]:
    """Recipient and text of what came."""
    return [(one.rcpt_tos[0], bytes(one.content or b"").decode()) for one in other.envelopes]


def test_each_address_gets_a_mail_of_his_own():
    """One recipient a mail, the words of the notice, and headers that filters know."""
    with relay() as other:
        sent = second(other).notify(notice(), None)

    assert list(BOTH) == [to for to, _ in mails(other)]
    text = mails(other)[0][1]
    for wanted in (
        "Subject: CRITICAL example.com: certificate expired on mx1.example.com\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "X-TLSRPT-Mailer: event=new; severity=critical\r\n",
        "\r\n\r\nSenders refuse to deliver mail for example.com to mx1.example.com.\r\n",
    ):
        assert wanted in text
    assert 2 == sent.answer.count("250")


def test_a_cause_is_one_thread():
    """What follows refers to what the first mail refers to."""
    with relay() as other:
        way = second(other, BOTH[:1])
        way.notify(notice(), None)
        way.notify(notice(id="<2@x>", event="resolved"), None)

    threads = {
        line
        for _, text in mails(other)
        for line in text.splitlines()
        if line.startswith("References:")
    }
    assert 1 == len(threads)


def test_nobody_is_told_twice_when_another_address_is_deferred():
    """The second try goes to those who have nothing yet."""
    with relay() as other:
        way = second(other)
        answers = iter(["250 ok", "451 later", "250 ok"])
        other.on_data = lambda: next(answers)
        with pytest.raises(Temporary):
            way.notify(notice(), None)
        way.notify(notice(), None)

    assert ["ana@example.com", "ben@example.com", "ben@example.com"] == [
        to for to, _ in mails(other)
    ]


def test_one_refused_address_stops_no_other():
    """The answer names the refusal; only when nobody is left it is one."""
    with relay() as other:
        answers = iter(["550 unknown", "250 ok", "550 unknown"])
        other.on_data = lambda: next(answers)
        sent = second(other).notify(notice(), None)
        with pytest.raises(Refused, match="550 unknown"):
            second(other, BOTH[:1]).notify(notice(id="<2@x>"), None)

    assert "250 ok" in sent.answer
    assert "550 unknown" in sent.answer


def test_a_hostile_title_makes_no_header():
    """The title is one line of ASCII in the mail, whatever it was."""
    with relay() as other:
        second(other, BOTH[:1]).notify(hostile(), None)

    head = mails(other)[0][1].partition("\r\n\r\n")[0]
    assert "\r\nX: 1" not in head
    assert head.isascii()


def test_somebody_must_be_named():
    """A second relay without recipients is a slip, found at the start."""
    with pytest.raises(ValueError, match="nobody"):
        Settings(to=())
    with pytest.raises(ValueError, match="needs a username"):
        Settings(to=BOTH, password_env="X")


def test_trouble_names_the_channel_and_not_the_other_relay():
    """What to change is under [[channel]], not under [alerts.smtp]."""
    with relay() as other, pytest.raises(Temporary, match=r"channel second\.security"):
        second(other, security="starttls").notify(notice(), None)


# -------------------------------------------------------------------- apprise


def by_apprise(folder: Path, url: str) -> AppriseNotifier:
    (folder / "url").write_text(url + "\n")
    here = Here(name="chat", host="mail.example.com", sender="a@b.example", beside=folder / "c")
    return AppriseNotifier(apprise.Settings(url_file="url"), here)


def test_apprise_carries_title_and_text(tmp_path: Path):
    """A service of apprise on loopback gets both, and what kind of news it is."""
    with site() as other:
        way = by_apprise(tmp_path, other.url.replace("http", "json"))
        way.notify(notice(), None)
        way.notify(notice(is_open=False), None)

    bodies = [asked.body.decode() for asked in other.asked]
    assert all("certificate expired on mx1.example.com" in body for body in bodies)
    assert ["failure", "success"] == [
        kind for body in bodies for kind in ("failure", "success") if f'"{kind}"' in body
    ]


def test_an_address_that_apprise_does_not_know_is_refused(tmp_path: Path):
    """Said once, without the address in it: it is a secret."""
    with pytest.raises(Refused, match="does not understand") as caught:
        by_apprise(tmp_path, "nonsense://token").notify(notice(), None)

    assert "token" not in str(caught.value)


def test_an_address_that_is_gone_is_named(tmp_path: Path):
    """For the operator to mend."""
    way = by_apprise(tmp_path, "json://127.0.0.1:1")
    (tmp_path / "url").unlink()

    with pytest.raises(ConfigError, match="url_file"):
        way.notify(notice(), None)


def test_without_the_extra_the_line_to_install_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The configuration is refused at the start, with what to type."""
    monkeypatch.setattr(apprise, "find_spec", lambda _: None)

    with pytest.raises(
        ConfigError, match=r"channel chat: .*pip install 'tlsrpt-mailer\[apprise\]'"
    ):
        by_apprise(tmp_path, "json://127.0.0.1:1")


def test_one_address_a_channel(tmp_path: Path):
    """Several would mean telling some of them twice when one is down."""
    text = '[[channel]]\nkind = "apprise"\nurl_file = "a"\nurl_env = "B"\n'
    with pytest.raises(ConfigError, match="is there already"):
        config_in(tmp_path, text)
    with pytest.raises(ConfigError, match="say url_file"):
        config_in(tmp_path, '[[channel]]\nkind = "apprise"\n')


def test_apprise_is_not_loaded_before_it_is_used():
    """A program without such a channel pays nothing for it."""
    spec = importlib.util.find_spec("tlsrpt_mailer.channels.apprise")

    assert spec is not None
    assert "import apprise" not in Path(spec.origin or "").read_text().split("class ")[0]
