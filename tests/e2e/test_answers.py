"""Alerts that are answered by mail, with a real Postfix and a real Dovecot between."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.answers import OWNER, answer, reply_to
from tests.e2e.daemon import (
    AT_ONCE,
    RECIPIENT,
    Daemon,
    Site,
    deliver,
    imap_source,
    lmtp_source,
    running,
)
from tests.e2e.sink import Sink, text_of
from tests.e2e.stories import failing
from tests.e2e.waiting import until
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix, postfix

MEASURED = True

pytestmark = pytest.mark.servers

ANSWERED = f'{AT_ONCE}\nreply_to = "{RECIPIENT}"'


@pytest.fixture
def mta(sink: Sink, port: int) -> Iterator[Postfix]:
    """
    As docs/how-to/answer-alerts.md sets Postfix up: with recipient_delimiter, the maps of the
    bare address hold for answers as well. Mail for the owner goes to *sink*.
    """
    maps = (
        f"transport_maps = inline:{{ {{ {RECIPIENT} = lmtp:inet:127.0.0.1:{port} }},\n"
        f"  {{ {OWNER} = smtp:[127.0.0.1]:{sink.port} }} }}\n"
        f"local_recipient_maps = inline:{{ {{ {RECIPIENT} = x }}, {{ {OWNER} = x }} }}\n"
    )
    with postfix(maps) as server:
        yield server


def _state(site: Site) -> str:
    return str(site.json("failures")[0]["state"])


def test_a_reply_goes_the_whole_way_and_is_answered(
    tmp_path: Path, sink: Sink, port: int, mta: Postfix
) -> None:
    """
    The alert's Reply-To leads back through Postfix and LMTP: the failure is acknowledged, its
    owner gets one mail that says so, and that one leaves with a null sender. An HTML reply
    works as well, and so does the same token again.
    """
    site = Site(tmp_path, lmtp_source(port), mta.port, ANSWERED)
    with running(site):
        mta.send(failing(), RECIPIENT)
        (alert,) = sink.wait(1)
        assert reply_to(alert).startswith("tlsrpt+ack-")
        mta.send(answer(alert, "ack: renewing now"), reply_to(alert), sender=OWNER)
        noted = sink.wait(2)[1]
        acknowledged = _state(site)
        html = answer(alert, "<p>fixed</p>", name="two", kind="html")
        mta.send(html, reply_to(alert), sender=OWNER)
        fixed = sink.wait(3)[2]

        assert ("acknowledged", "fixed?") == (acknowledged, _state(site))
        assert [] == mta.queued()
    assert "auto-replied" == noted["Auto-Submitted"]
    assert "<one@client.example>" == noted["In-Reply-To"]
    assert f"Noted: {OWNER} acknowledged 1 (example.com)" in text_of(noted)
    assert 'Note kept: "renewing now"' in text_of(noted)
    assert "said that this is mended: 1 (example.com)" in text_of(fixed)
    assert 2 == mta.log.count("from=<>")
    assert [OWNER, OWNER] == [entry["who"] for entry in site.json("audit")]


def test_nothing_but_its_reader_acts_on_an_alert(
    tmp_path: Path, sink: Sink, port: int, mta: Postfix
) -> None:
    """
    An autoresponder, a bounce, a mail by a list, a stranger: all have the token, none changes
    anything. Of the stranger the owner hears; the others are not answered at all.
    """
    site = Site(tmp_path, lmtp_source(port), mta.port, ANSWERED)
    with running(site):
        mta.send(failing(), RECIPIENT)
        (alert,) = sink.wait(1)
        to = reply_to(alert)
        mta.send(answer(alert, "ack", "Auto-Submitted: auto-replied", name="a"), to, sender=OWNER)
        mta.send(answer(alert, "ack", name="b"), to, sender="")
        mta.send(answer(alert, "ack", "Precedence: list", name="c"), to, sender=OWNER)
        mta.send(answer(alert, "ack", sender="eve@evil.example", name="d"), to, sender=OWNER)
        site.wait_for("answers", 4)
        told = sink.wait(2)[1]
        state = _state(site)

    assert "new" == state
    assert 0 == site.count("acts")
    assert ["passed-over"] * 3 + ["refused"] == sorted(
        outcome for (outcome,) in site.select("SELECT outcome FROM answers")
    )
    assert "eve@evil.example answered a mail that went to you" in text_of(told)
    assert [[OWNER]] * 2 == sink.recipients


def test_a_daemon_that_is_killed_acts_once(
    tmp_path: Path, sink: Sink, port: int, mta: Postfix
) -> None:
    """
    Killed as soon as the answer is in the database, before Postfix or the owner have heard of
    it: Postfix hands it over again, it acts no second time, and the owner still gets the mail.
    """
    site = Site(tmp_path, lmtp_source(port), mta.port, ANSWERED)
    with running(site) as daemon:
        mta.send(failing(), RECIPIENT)
        (alert,) = sink.wait(1)
        mta.send(answer(alert, "ack"), reply_to(alert), sender=OWNER)
        site.wait_for("answers", 1)
        daemon.kill()
    with running(site) as daemon:
        until(lambda: _is_empty(mta), "Postfix's queue is empty")
        sink.wait(2)
        _settled(site, daemon)

    assert 1 == site.count("acts")
    assert 1 == site.count("letters WHERE event = 'answer'")
    assert 2 == len({mail["Message-ID"] for mail in sink.mails})


def test_a_reply_in_a_mailbox(tmp_path: Path, sink: Sink, dovecot: Dovecot) -> None:
    """
    Where reports are read by IMAP, answers are read from the same mailbox; they stay there. A
    copy of the same mail acts no second time, what is not understood says so.
    """
    source = imap_source(dovecot.port, "answers")
    site = Site(tmp_path, source, sink.port, ANSWERED)
    with running(site, PASSWORD=PASSWORD) as daemon:
        dovecot.put("answers", [failing()])
        (alert,) = sink.wait(1)
        mine = answer(alert, "mute 7d")
        dovecot.put("answers", [mine, b"Received: by a copy\r\n" + mine])
        muted = sink.wait(2)[1]
        dovecot.put("answers", [answer(alert, "akc, on it", name="two")])
        unclear = sink.wait(3)[2]
        _settled(site, daemon)

    assert 4 == len(dovecot.bodies("answers"))
    assert 3 == len(sink.taken)
    assert [("mute",)] == site.select("SELECT kind FROM acts")
    assert "muted 1 (example.com)" in text_of(muted)
    assert '"akc, on it"' in text_of(unclear)


def test_no_address_is_printed_that_nobody_reads(tmp_path: Path, sink: Sink, port: int) -> None:
    """Without reply_to, or where no source takes it, alerts say how to answer by command."""
    alerts = f'{AT_ONCE}\nreply_to = "other@example.org"'
    site = Site(tmp_path, lmtp_source(port), sink.port, alerts)
    with running(site):
        deliver(port, [failing()])
        (alert,) = sink.wait(1)

    assert alert["Reply-To"] is None
    assert "tlsrpt-mailer failures ack 1" in text_of(alert)


def _is_empty(mta: Postfix) -> bool:
    """Whether nothing waits; what does is tried again."""
    mta.flush()
    return not mta.queued()


def _settled(site: Site, daemon: Daemon) -> None:
    """Return when nothing waits for the relay."""
    until(lambda: site.count("letters WHERE state = 'waiting'") == 0, "nothing waits")
    assert daemon.process.poll() is None
