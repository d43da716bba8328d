"""SIGTERM from any state: exit code 0, within two seconds, and nothing lost."""

import smtplib
import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.daemon import RECIPIENT, SENDER, STOP_SECONDS, Site, deliver, lmtp_source, running
from tests.e2e.sink import Sink
from tests.e2e.stories import failing, many
from tests.e2e.waiting import PATIENCE, until


def test_from_idle(tmp_path: Path, sink: Sink, port: int) -> None:
    """A daemon that waits for mail stops at once, and says so to systemd first."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        code, seconds = daemon.stop()

        assert code == 0
        assert seconds <= STOP_SECONDS
        assert daemon.notified.count("STOPPING=1") == 1


def test_from_the_middle_of_a_drain(tmp_path: Path, sink: Sink) -> None:
    """
    A daemon in the middle of three thousand mails stops within two seconds; the next start
    takes the rest, and every report counts once.
    """
    box = tmp_path / "box"
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    for number, raw in enumerate(many(3000)):
        (box / f"new/{number}.a.host").write_bytes(raw)
    source = f'[[source]]\nkind = "maildir"\npath = "{box}"\npoll = "1s"\n'
    site = Site(tmp_path, source, sink.port)
    with running(site) as daemon:
        site.wait_for("reports", 1)
        code, seconds = daemon.stop()
    stored = site.count("reports")

    assert code == 0
    assert seconds <= STOP_SECONDS
    assert stored < 3000, "it was over before it could be stopped"
    with running(site):
        site.wait_for("reports", 3000)
    assert site.count("reports WHERE status = 'counted'") == 3000


def test_with_open_connections(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    Connections that are idle, and one in the middle of a mail, hold nothing up; the mail
    that was not finished is not stored.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with (
        running(site) as daemon,
        socket.create_connection(("127.0.0.1", port), PATIENCE) as silent,
        smtplib.LMTP("127.0.0.1", port, timeout=PATIENCE) as busy,
    ):
        assert silent.recv(3) == b"220"
        busy.ehlo()
        busy.mail(SENDER)
        busy.rcpt(RECIPIENT)
        assert busy.docmd("DATA")[0] == 354
        busy.send(failing()[:500])

        code, seconds = daemon.stop()
        busy.close()

    assert code == 0
    assert seconds <= STOP_SECONDS
    assert site.count("mails") == 0


@pytest.mark.parametrize("greeting", [b"", b"* OK ready\r\n"])
def test_with_an_imap_server_that_hangs(tmp_path: Path, sink: Sink, greeting: bytes) -> None:
    """A server that says nothing, or nothing after its greeting, holds nothing up."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        imap = (
            '[[source]]\nkind = "imap"\nhost = "127.0.0.1"\nsecurity = "none"\n'
            f'port = {server.getsockname()[1]}\nusername = "a"\npassword_env = "PASSWORD"\n'
        )
        site = Site(tmp_path, imap, sink.port)
        with running(site, PASSWORD="secret") as daemon:
            server.settimeout(PATIENCE)
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)
                if greeting:
                    assert connection.recv(100)

                code, seconds = daemon.stop()

    assert code == 0
    assert seconds <= STOP_SECONDS


def test_with_a_relay_that_hangs(tmp_path: Path, sink: Sink, port: int) -> None:
    """A relay that takes a mail and does not answer holds nothing up; the mail stays due."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    sink.answer = lambda: None
    with running(site) as daemon:
        deliver(port, [failing()])
        until(sink.asked.is_set, "the relay was asked")

        code, seconds = daemon.stop()

    assert code == 0
    assert seconds <= STOP_SECONDS
    assert site.count("letters WHERE state = 'waiting'") == 1


def test_twice(tmp_path: Path, sink: Sink, port: int) -> None:
    """A second SIGTERM, as an impatient operator sends it, changes nothing."""
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        daemon.process.terminate()
        code, _ = daemon.stop()

    assert code == 0


def test_from_the_middle_of_looks_at_domains(tmp_path: Path, sink: Sink, port: int) -> None:
    """Name servers that never answer hold nobody up: what is asked is given up."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as mute:
        mute.bind(("127.0.0.1", 0))
        names = ", ".join(f'"d{number}.example"' for number in range(200))
        checks = (
            f'[dns]\nnameservers = ["127.0.0.1:{mute.getsockname()[1]}"]\n'
            f'[checks]\nschedule = "daily"\n[[domains]]\nmatch = [{names}]\n'
        )
        site = Site(tmp_path, f"{lmtp_source(port)}{checks}", sink.port)
        with running(site) as daemon:
            mute.settimeout(PATIENCE)
            mute.recv(512)
            code, seconds = daemon.stop()

    assert code == 0
    assert seconds <= STOP_SECONDS
