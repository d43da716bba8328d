"""A real Postfix on both sides: it hands reports over, and it is the relay that takes alerts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mails
from tests.e2e.daemon import RECIPIENT, Site, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import failing, many
from tests.e2e.waiting import until
from tests.servers.postfix import Postfix, postfix

pytestmark = pytest.mark.servers

OWNER = "postmaster@example.com"
MAILS = 300


@pytest.fixture
def mta(sink: Sink, port: int) -> Iterator[Postfix]:
    """Delivers reports to *port* by LMTP, and mail for the owner to *sink*."""
    maps = (
        f"transport_maps = inline:{{ {{ {RECIPIENT} = lmtp:inet:127.0.0.1:{port} }},\n"
        f"  {{ {OWNER} = smtp:[127.0.0.1]:{sink.port} }} }}\n"
        f"local_recipient_maps = inline:{{ {{ {RECIPIENT} = x }}, {{ {OWNER} = x }} }}\n"
    )
    with postfix(maps) as server:
        yield server


def test_from_one_postfix_and_back_to_it(
    tmp_path: Path, sink: Sink, port: int, mta: Postfix
) -> None:
    """
    A report that reaches Postfix by SMTP comes back to it as an alert, and from there to the
    owner's mailbox, with all headers that filters need; nothing stays in its queue.
    """
    site = Site(tmp_path, lmtp_source(port), mta.port)
    with running(site):
        mta.send(failing(), RECIPIENT)
        (alert,) = sink.wait()
        until(lambda: mta.queued() == [], "an empty queue")

    assert alert["Subject"].startswith("CRITICAL example.com: certificate expired")
    assert alert["X-TLSRPT-Mailer"].startswith("event=new; failure=1; domain=example.com;")
    assert alert["Auto-Submitted"] == "auto-generated"
    assert sink.recipients == [[OWNER]]
    assert "status=bounced" not in mta.log


def test_a_stopped_daemon_loses_nothing(
    tmp_path: Path, sink: Sink, port: int, mta: Postfix
) -> None:
    """
    While the daemon is down Postfix keeps the reports, and bounces none; they come in when
    it is up again.
    """
    mta.send(failing(), RECIPIENT)
    until(lambda: mta.deferred("refused"), "a deferred report")

    with running(Site(tmp_path, lmtp_source(port), mta.port)):
        mta.flush()

        sink.wait()
    assert "status=bounced" not in mta.log


def test_a_wrong_transport_delays_and_does_not_bounce(
    tmp_path: Path, sink: Sink, port: int, mta: Postfix
) -> None:
    """
    A transport map that sends a person's mail here too: the mail waits in Postfix's queue,
    with a reason that names the mistake, and is not returned to its author.
    """
    source = lmtp_source(port).replace(RECIPIENT, "other@example.com")
    with running(Site(tmp_path, source, mta.port)):
        mta.send(mails.letter(), RECIPIENT)

        # A busy machine may defer it for another reason first, so it is tried until we answer.
        until(lambda: _tried_again(mta, r"status=deferred .*450 "), "a letter deferred with 450")
    assert "status=bounced" not in mta.log


def test_killed_while_postfix_delivers(tmp_path: Path, sink: Sink, port: int, mta: Postfix) -> None:
    """
    The daemon is killed while Postfix hands reports over on many connections at once; after
    the restart Postfix delivers the rest, and each report counts once.
    """
    site = Site(tmp_path, lmtp_source(port), mta.port)
    with running(site) as daemon:
        for raw in many(MAILS):
            mta.send(raw, RECIPIENT)
            if daemon.process.poll() is None and site.count("mails") >= MAILS // 3:
                daemon.kill()
    assert site.count("mails") < MAILS

    with running(site):
        # A mail that was on its way when the daemon was killed may be deferred after a flush.
        until(lambda: _come(site, mta), f"{MAILS} mails")

    assert site.count("reports WHERE status = 'counted'") == MAILS
    assert "status=bounced" not in mta.log


def _tried_again(mta: Postfix, answer: str) -> bool:
    """Whether *answer* stands in the log; where not, what waits is tried again."""
    if re.search(answer, mta.log):
        return True
    mta.flush()
    return False


def _come(site: Site, mta: Postfix) -> bool:
    """Whether all mails are here; what waits is tried again."""
    mta.flush()
    return site.count("mails") >= MAILS
