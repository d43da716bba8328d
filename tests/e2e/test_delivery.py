"""Alerts on their way to a relay that does not always take them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.e2e.daemon import Site, deliver, lmtp_source, running
from tests.e2e.sink import Sink, parsed
from tests.e2e.stories import failing
from tests.e2e.waiting import until

MEASURED = True

DEFERRED = "451 4.7.1 come back later"
MESSAGE_ID = re.compile(r"<[^<>@\s]+@[^<>@\s]+>")


def _later(**by: float) -> str:
    """Now and a while, as --now wants it."""
    return (datetime.now(UTC) + timedelta(**by)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_relay_that_defers_gets_the_same_mail_again(
    tmp_path: Path, sink: Sink, port: int
) -> None:
    """
    A relay that says "later" gets the very same bytes again after a restart, with the same
    Message-ID; the owner has one mail.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    sink.answer = lambda: DEFERRED
    with running(site) as daemon:
        deliver(port, [failing()])
        daemon.wait_for_log("alert.deferred")
        daemon.stop()
    first = list(sink.tried)
    sink.answer = lambda: "250 2.0.0 taken"

    again = site.command("--now", _later(minutes=2), "once")

    assert again.returncode == 0, again.stderr
    assert first[0] == sink.taken[0]
    assert len(sink.taken) == 1
    assert MESSAGE_ID.fullmatch(parsed(sink.taken[0])["Message-ID"])


def test_nothing_is_sent_again_once_it_was_taken(tmp_path: Path, sink: Sink, port: int) -> None:
    """A restart, the same report once more, and an older one of it bring no second mail."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        deliver(port, [failing()])
        sink.wait()
        daemon.wait_for_log("alert.sent")
        daemon.stop()
    with running(site) as daemon:
        deliver(port, [failing(), failing(2)])
        daemon.stop()

    again = site.command("--now", _later(hours=2), "once")

    assert again.returncode == 0, again.stderr
    assert len(sink.tried) == 1


def test_an_alert_survives_the_death_of_the_daemon(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    An alert that was composed, but not yet taken by the relay when the daemon was killed,
    goes out after the next start, as the same mail.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    sink.answer = lambda: None
    with running(site) as daemon:
        deliver(port, [failing()])
        until(sink.asked.is_set, "the relay was asked")
        daemon.kill()
    sink.answer = lambda: "250 2.0.0 taken"

    with running(site):
        sink.wait()

    assert {parsed(raw)["Message-ID"] for raw in sink.tried} == {sink.mails[0]["Message-ID"]}
    assert len(sink.taken) == 1


def test_a_relay_that_refuses_is_named(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    A relay that refuses the mail for good is not asked again: the refusal is an error in
    the log, and `alerts` shows what the relay said.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    sink.answer = lambda: "550 5.1.1 User unknown"
    with running(site) as daemon:
        deliver(port, [failing()])
        daemon.wait_for_log("alert.refused")
        daemon.stop()

    (alert,) = site.json("alerts", "list")
    assert alert["state"] == "failed"
    assert "User unknown" in alert["answer"]


def test_a_relay_that_is_down_delays_no_report(tmp_path: Path, port: int) -> None:
    """Reports are stored and answered while no relay can be reached; the alert waits."""
    site = Site(tmp_path, lmtp_source(port), 1)
    with running(site) as daemon:
        deliver(port, [failing(), failing(2)])
        daemon.wait_for_log("alert.deferred")

        assert site.count("reports") == 2
    assert site.count("letters WHERE state = 'waiting'") == 1
