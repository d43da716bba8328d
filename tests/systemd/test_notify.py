"""What the daemon says to systemd (sd_notify(3)), and sockets it is handed (sd_listen_fds(3))."""

import re
import smtplib
import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.daemon import (
    RECIPIENT,
    SENDER,
    Daemon,
    Site,
    deliver,
    free_port,
    lmtp_source,
    running,
)
from tests.e2e.stories import clean
from tests.e2e.waiting import PATIENCE, until

CONFIG = 78


def _imap(port: int) -> str:
    return (
        f'[[source]]\nkind = "imap"\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
        'username = "tlsrpt@example.com"\npassword_env = "PASSWORD"\n'
    )


def test_ready_means_that_mail_is_taken(tmp_path: Path) -> None:
    """
    When systemd hears READY, the database is there and every listener takes mail: what is
    ordered after this unit needs no retry.
    """
    ports = [free_port(), free_port()]
    site = Site(tmp_path, "".join(map(lmtp_source, ports)))
    with running(site):
        assert site.count("facts") >= 0
        assert site.database.exists()
        for port in ports:
            deliver(port, [clean(1)])


def test_not_ready_when_a_listener_cannot_be_bound(tmp_path: Path) -> None:
    """
    A port that is taken by another program: the start fails and says so, and READY was
    never said.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        site = Site(tmp_path, lmtp_source(other.getsockname()[1]))
        daemon = Daemon(site)
        code = daemon.process.wait(PATIENCE)

    assert code == 73, "78 would keep systemd from starting it again"
    assert daemon.notified.count("READY=1") == 0
    assert "cannot listen" in daemon.log
    assert "Traceback" not in daemon.log
    daemon.notified.close()


def test_a_server_that_is_down_delays_no_start(tmp_path: Path) -> None:
    """An IMAP server that cannot be reached stands in STATUS, by name; the start succeeds."""
    nowhere = free_port()
    site = Site(tmp_path, _imap(nowhere))
    with running(site, PASSWORD="secret") as daemon:
        daemon.wait_for_status("imap:tlsrpt@example.com@127.0.0.1")

        assert "refused" in daemon.notified.status.lower()
        assert "secret" not in daemon.log


def test_all_well_is_said_too(tmp_path: Path, port: int) -> None:
    """
    STATUS says that nothing is in trouble, and that takes the place of an old trouble: here of a
    source that did not work, and that a reload has taken out.
    """
    site = Site(tmp_path, lmtp_source(port) + _imap(free_port()))
    with running(site, PASSWORD="secret") as daemon:
        daemon.wait_for_status("imap:tlsrpt@example.com@127.0.0.1")
        site.configure(lmtp_source(port))
        daemon.reload()
        daemon.wait_for_status("all well")

        assert daemon.notified.status == "1 source, all well"


def unit_seconds(key: str) -> int:
    """What the unit says, in minutes there."""
    unit = Path(__file__).resolve().parents[2] / "systemd/tlsrpt-mailer.service"
    (minutes,) = re.findall(rf"^{key}=(\d+)min$", unit.read_text(), re.MULTILINE)
    return int(minutes) * 60


def test_the_watchdog_is_fed(tmp_path: Path, port: int) -> None:
    """WATCHDOG comes again and again, well within the WatchdogSec of the unit."""
    with running(Site(tmp_path, lmtp_source(port))) as daemon:
        until(lambda: daemon.notified.count("WATCHDOG=1") >= 2, "two WATCHDOG=1")

    assert unit_seconds("WatchdogSec") >= 2 * PATIENCE, "until() is too patient for that"


def test_a_stop_and_a_reload_are_announced(tmp_path: Path, port: int) -> None:
    """RELOADING and then READY at SIGHUP; STOPPING at SIGTERM, the last that is said."""
    with running(Site(tmp_path, lmtp_source(port))) as daemon:
        daemon.reload()
        daemon.stop()
        said = [line for line in daemon.notified.read() if not line.startswith(("ST", "WATCH"))]

        assert said == ["READY=1", "RELOADING=1", "READY=1"]
        assert daemon.notified.count("STOPPING=1") == 1


def test_the_notify_socket_may_vanish(tmp_path: Path, port: int) -> None:
    """A systemd that is replaced under the daemon does no harm to it."""
    site = Site(tmp_path, lmtp_source(port))
    with running(site) as daemon:
        daemon.notified.path.unlink()
        daemon.wait_for_log("systemd.unreachable")

        deliver(port, [clean(1)])
        assert site.count("reports WHERE status = 'counted'") == 1
        assert daemon.stop()[0] == 0


def _activated(site: Site, names: str, *addresses: str) -> Daemon:
    """A daemon that systemd's own tool starts at the first connection, with these sockets."""
    listen = [f"--listen={address}" for address in addresses]
    environment = [f"--setenv={key}" for key in [*site.environment(), "NOTIFY_SOCKET"]]
    return Daemon(site, ["systemd-socket-activate", f"--fdname={names}", *listen, *environment])


def _until_listening(path: Path) -> None:
    until(path.exists, f"a socket at {path}")


@pytest.mark.servers
def test_sockets_from_systemd(tmp_path: Path, port: int) -> None:
    """
    Mail is taken on the sockets that systemd holds, TCP and unix, each by the source that
    names it; they were there before the daemon was, so its first mail waits in them.
    """
    unix = tmp_path / "lmtp.socket"
    site = Site(
        tmp_path,
        f'[[source]]\nkind = "lmtp"\nlisten = "systemd:lmtp"\nrecipients = ["{RECIPIENT}"]\n'
        f'[[source]]\nkind = "smtp"\nlisten = "systemd:smtp"\nrecipients = ["{RECIPIENT}"]\n',
    )
    daemon = _activated(site, "lmtp:smtp", str(unix), f"127.0.0.1:{port}")
    try:
        _until_listening(unix)
        with smtplib.LMTP(str(unix)) as client:
            client.sendmail(SENDER, RECIPIENT, clean(1))
        daemon.wait_until_ready()
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail(SENDER, RECIPIENT, clean(2))
        daemon.reload()
        with smtplib.LMTP(str(unix)) as client:
            client.sendmail(SENDER, RECIPIENT, clean(3))

        assert site.count("reports") == 3
        assert daemon.stop()[0] == 0
        assert unix.exists(), "the socket is systemd's, not ours to remove"
    finally:
        daemon.kill()
        daemon.notified.close()


@pytest.mark.servers
def test_a_socket_unit_that_is_missing_is_named(tmp_path: Path) -> None:
    """
    A source that wants a socket which systemd did not hand over: exit code 78, and the log
    names what was wanted and what there is.
    """
    unix = tmp_path / "lmtp.socket"
    source = f'[[source]]\nkind = "smtp"\nlisten = "systemd:smtp"\nrecipients = ["{RECIPIENT}"]\n'
    daemon = _activated(Site(tmp_path, source), "lmtp", str(unix))
    _until_listening(unix)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(unix))
        code = daemon.process.wait(PATIENCE)
    daemon.notified.close()

    assert code == CONFIG
    assert '"smtp"' in daemon.log
    assert "lmtp" in daemon.log


def test_a_socket_without_systemd_is_refused(tmp_path: Path) -> None:
    """`listen = "systemd"` in a daemon that no socket unit started: 78, and why."""
    source = f'[[source]]\nkind = "lmtp"\nlisten = "systemd"\nrecipients = ["{RECIPIENT}"]\n'

    done = Site(tmp_path, source).command("run")

    assert done.returncode == CONFIG
    assert "socket unit" in done.stderr
