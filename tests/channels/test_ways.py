"""All ways out of one program: the second route when the relay is not there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.channels.relay import relay
from tests.channels.server import Site, closed_port, site
from tests.mails import mail, report
from tests.place import app_in, config_in
from tlsrpt_mailer import wiring
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.flows.deliver import SendResult
from tlsrpt_mailer.ports import Letter, RawMail
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Time
from tlsrpt_mailer.wiring.ways import heavy

NOW: Time = 1_791_979_200
ALERTS = """
[alerts]
to = ["ana@example.com"]
operator = ["root@example.com"]
group_wait = "0s"
fallback = ["second"]
[alerts.smtp]
port = {port}
"""
HOOK = '[[channel]]\nkind = "webhook"\nname = "second"\nurl = "{url}"\n'


@pytest.fixture
def other() -> Iterator[Site]:
    with site() as made:
        yield made


def events(other: Site) -> list[str]:
    return [json.loads(asked.body)["event"] for asked in other.asked]


def round_at(app: wiring.App, now: Time) -> SendResult:
    """What the daemon does every few seconds, as far as it sends."""
    sent = app.send_due(now)
    app.watch_relay(now)
    return sent + app.send_due(now)


def test_the_operator_hears_that_the_relay_is_gone_and_back(tmp_path: Path, other: Site) -> None:
    """
    Nobody listens at the relay: after the second try a webhook has the news and the mail to
    the operator; when the relay is there, one line says so, and the mails go out.
    """
    port = closed_port()
    text = ALERTS.format(port=port) + HOOK.format(url=other.url) + 'events = ["new"]\n'
    with app_in(tmp_path, text, now=NOW) as app:
        letters = [
            Letter("<1@x>", "ana@example.com", "CRITICAL", "new", b"Subject: x\r\n\r\nalert\r\n"),
            Letter("<2@x>", "root@example.com", "OPERATOR", "operator", b"\r\nthe source\r\n"),
        ]
        with app.store.compose() as txn:
            txn.save_letters(letters, NOW)
        first = round_at(app, NOW)
        second = round_at(app, NOW + MINUTE)
        told = [json.loads(asked.body) for asked in other.asked]
        assert (2, 0) == (first.deferred, first.sent)
        assert (2, 2) == (second.deferred, second.sent)
        assert "does not take them" in told[0]["title"]
        assert "Connection refused" in told[0]["text"]
        assert "the source\n" == told[1]["text"]

        app.apply(config_in(tmp_path, text))
        with relay() as back:
            back_text = text.replace(f"port = {port}", f"port = {back.port}")
            app.apply(config_in(tmp_path, back_text))
            last = round_at(app, NOW + HOUR)

        assert (3, 2) == (last.sent, len(back.envelopes))
        assert "flow again" in json.loads(other.asked[-1].body)["title"]


def test_a_relay_that_says_later_is_not_cut_off(tmp_path: Path, other: Site) -> None:
    """Greylisting for a minute is no trouble; a quarter of an hour of it is."""
    with relay() as busy:
        busy.say["rcpt"] = "451 4.7.1 later"
        text = ALERTS.format(port=busy.port) + HOOK.format(url=other.url)
        with app_in(tmp_path, text, now=NOW) as app:
            with app.store.compose() as txn:
                txn.save_letters([Letter("<1@x>", "ana@example.com", "x", "new", b"x")], NOW)
            for minutes in (0, 1, 3):
                round_at(app, NOW + minutes * MINUTE)
            early = len(other.asked)
            round_at(app, NOW + 15 * MINUTE)

    assert (0, 1) == (early, len(other.asked))


def test_an_alert_goes_to_mail_and_channel(tmp_path: Path, other: Site) -> None:
    """From a report to both, in one round."""
    with relay() as taking:
        text = ALERTS.format(port=taking.port) + HOOK.format(url=other.url)
        with app_in(tmp_path, text, now=NOW) as app:
            app.deliver([RawMail(mail(report()), "test", NOW)])
            app.compose(NOW)
            assert SendResult(sent=2) == app.send_due(NOW)

    assert (["new"], 1) == (events(other), len(taking.envelopes))


def test_what_waits_for_a_channel_that_is_gone_is_kept_for_five_days(
    tmp_path: Path, other: Site
) -> None:
    """A slip in a name loses nothing: once the channel is back it gets its notices."""
    text = ALERTS.format(port=closed_port()).replace('"second"', "") + HOOK.format(url=other.url)
    without = ALERTS.format(port=1).replace('"second"', "")
    with app_in(tmp_path, text, now=NOW) as app:
        app.deliver([RawMail(mail(report()), "test", NOW)])
        app.compose(NOW)
        app.apply(config_in(tmp_path, without))
        lanes, gone = app.lanes, app.send_due(NOW, lane="mail")
        app.apply(config_in(tmp_path, text))
        back = app.send_due(NOW + HOUR)

        assert (["mail"], 2, 1) == (lanes, gone.deferred, back.sent)
        assert ["new"] == events(other)


def test_what_waits_for_a_channel_that_never_comes_back_is_given_up(tmp_path: Path) -> None:
    """After five days, like anything else."""
    text = ALERTS.format(port=1).replace('"second"', "")
    with app_in(tmp_path, text, now=NOW) as app:
        with app.store.compose() as txn:
            txn.save_letters([Letter("<1@x>", "channel:gone", "x", "new", b"{}")], NOW)

        assert SendResult(deferred=1) == app.send_due(NOW)
        assert SendResult(failed=1) == app.send_due(NOW + 5 * DAY)


def test_an_alertmanager_is_told_again_by_the_daemon_s_round(tmp_path: Path, other: Site) -> None:
    """Open failures are posted anew after some minutes, with nothing new to tell."""
    text = ALERTS.format(port=1).replace('"second"', "")
    text += f'[[channel]]\nkind = "alertmanager"\nurl = "{other.url}"\n'
    with app_in(tmp_path, text, now=NOW) as app:
        app.deliver([RawMail(mail(report()), "test", NOW)])
        app.compose(NOW)
        app.send_due(NOW, lane="channel:alertmanager")
        before = len(other.asked)
        app.send_due(NOW + 10, lane="channel:alertmanager")
        app.send_due(NOW + 5 * MINUTE, lane="channel:alertmanager")

    # The notice, the first refresh behind it, and one after five minutes.
    assert (2, 3) == (before, len(other.asked))
    assert [1, 1, 1] == [len(json.loads(asked.body)) for asked in other.asked]


def test_a_channel_that_cannot_be_built_is_refused_before_anything_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload with an apprise that is not installed keeps what runs."""
    monkeypatch.setattr("tlsrpt_mailer.channels.apprise.find_spec", lambda _: None)
    wrong = config_in(tmp_path, '[[channel]]\nkind = "apprise"\nurl_env = "X"\n')
    with app_in(tmp_path) as app, pytest.raises(ConfigError, match="pip install"):
        app.check(wrong)


@pytest.mark.parametrize("by_file", [True, False])
def test_the_ping_s_address_may_be_a_secret(tmp_path: Path, other: Site, by_file: bool) -> None:
    """Some services know the caller by the address alone; so it may stand in a file."""
    place = tmp_path / "ping-url"
    place.write_text(f"{other.url}/secret\n")
    key = f'ping_url_file = "{place}"' if by_file else f'ping_url = "{other.url}/secret"'
    with app_in(tmp_path, f"[health]\n{key}\n", now=NOW) as app:
        done: list[Any] = [app.ping([]), app.ping([]), app.ping([], hung=["tick"])]

    assert [True, False, False] == done
    assert ["/secret"] == [asked.path for asked in other.asked]


def test_without_an_address_nothing_is_fetched(tmp_path: Path) -> None:
    """The default tells nobody anything."""
    with app_in(tmp_path, now=NOW) as app:
        assert not app.ping([])


def test_only_what_is_used_is_loaded_and_that_at_the_start(tmp_path: Path) -> None:
    """
    A program without channels pays nothing for them; one that gives up root loads what they
    need before it does so, as it may not read Python's own files afterwards.
    """
    text = '[[channel]]\nkind = "apprise"\nurl_env = "X"\n' + HOOK.format(url="http://127.0.0.1")
    fetching = "tlsrpt_mailer.channels.fetching"

    assert set() == heavy(config_in(tmp_path))
    assert {"apprise", fetching} == heavy(config_in(tmp_path, text))
    assert {fetching} == heavy(config_in(tmp_path, '[health]\nping_url = "http://127.0.0.1"\n'))


def test_a_second_relay_is_a_second_route(tmp_path: Path) -> None:
    """As docs/how-to/fallback.md has it: the news comes as a mail, by the relay that is there."""
    with relay() as second:
        text = ALERTS.format(port=closed_port()) + (
            f'[[channel]]\nkind = "email"\nname = "second"\nport = {second.port}\n'
            'to = ["oncall@example.net"]\nevents = ["operator"]\n'
        )
        with app_in(tmp_path, text, now=NOW) as app:
            app.deliver([RawMail(mail(report()), "test", NOW)])
            app.compose(NOW)
            for minutes in (0, 1, 2):
                round_at(app, NOW + minutes * MINUTE)

    (envelope,) = second.envelopes
    assert ["oncall@example.net"] == envelope.rcpt_tos
    assert "Subject: OPERATOR mails wait: 127.0.0.1:" in bytes(envelope.content or b"").decode()
