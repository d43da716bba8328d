"""SIGHUP: the new configuration if it is right, else the old one."""

import smtplib
from pathlib import Path

import pytest

from tests.e2e.daemon import Site, deliver, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import clean, failing
from tests.ports import free_port

MEASURED = True


def test_a_wrong_configuration_changes_nothing(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    A typing error in the configuration stops nothing: the log names it, and mail is taken
    and told as before.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        site.config.write_text(site.config.read_text().replace("recipients", "recipient"))
        daemon.reload()
        deliver(port, [failing()])

        sink.wait()
        daemon.wait_for_log("config.refused")
        assert "source[0].recipient" in daemon.log


def test_a_source_that_cannot_be_had_leaves_the_old_ones(
    tmp_path: Path, sink: Sink, port: int
) -> None:
    """
    A new listener on a port that is taken is refused as a whole: the listener that it was
    to replace works again.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        site.configure(lmtp_source(sink.port), sink.port)
        daemon.reload()
        daemon.wait_for_log("config.refused")

        deliver(port, [clean(1)])
        assert site.count("reports") == 1


def test_sources_come_and_go(tmp_path: Path, sink: Sink, port: int) -> None:
    """A reload opens the listeners that are new and closes those that are gone."""
    other = free_port()
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        site.configure(lmtp_source(other), sink.port)
        daemon.reload()

        deliver(other, [clean(1)])
        with pytest.raises(OSError, match="refused"):
            smtplib.LMTP("127.0.0.1", port)
        assert daemon.process.poll() is None


def test_recipients_of_a_source_change(tmp_path: Path, sink: Sink, port: int) -> None:
    """The same listener takes mail for another address after a reload."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        text = site.config.read_text()
        site.config.write_text(text.replace('["tlsrpt@example.com"]', '["reports@example.com"]'))
        daemon.reload()

        with smtplib.LMTP("127.0.0.1", port) as client:
            client.ehlo()
            client.mail("a@example.net")
            assert client.rcpt("tlsrpt@example.com")[0] == 450
            assert client.rcpt("reports@example.com")[0] == 250


def test_who_is_told_changes(tmp_path: Path, sink: Sink, port: int) -> None:
    """Alerts go to the address that the configuration names since the reload."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        text = site.config.read_text()
        site.config.write_text(text.replace("postmaster@example.com", "ana@example.com"))
        daemon.reload()
        deliver(port, [failing()])

        sink.wait()
        assert sink.recipients == [["ana@example.com"]]


def test_a_database_elsewhere_needs_a_restart(tmp_path: Path, sink: Sink, port: int) -> None:
    """A reload does not move the daemon to another database; it says that a restart does."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        elsewhere = str(tmp_path / "elsewhere.db")
        site.config.write_text(site.config.read_text().replace(str(site.database), elsewhere))
        daemon.reload()
        daemon.wait_for_log("restart")

        deliver(port, [clean(1)])
        assert site.count("reports") == 1
        assert not Path(elsewhere).exists()
