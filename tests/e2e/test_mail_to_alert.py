"""A report comes in, an alert goes out: every way in, with the daemon as a process."""

import subprocess
from pathlib import Path

import pytest

from tests import mails
from tests.e2e.daemon import (
    AT_ONCE,
    Site,
    deliver,
    free_port,
    imap_source,
    lmtp_source,
    running,
)
from tests.e2e.sink import Sink, text_of
from tests.e2e.stories import clean, failing, many
from tests.servers.dovecot import PASSWORD, Dovecot

ALERT = "certificate-expired"


def _maildir(folder: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True)
    return folder


def _maildir_source(folder: Path) -> str:
    return f'[[source]]\nkind = "maildir"\npath = "{folder}"\npoll = "1s"\n'


def test_a_report_by_lmtp_becomes_an_alert(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    A report of a failure that Postfix hands over is stored before it is answered, and the
    owner has a mail about it seconds later: whom it is for, what broke, what filters need.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        deliver(port, [failing()])

        assert site.count("reports") == 1
        (alert,) = sink.wait()
        print(f"ready after {daemon.seconds_to_ready:.2f} s")  # noqa: T201
    assert alert["To"] == "postmaster@example.com"
    assert sink.recipients == [["postmaster@example.com"]]
    assert alert["Subject"].startswith("CRITICAL example.com: certificate expired")
    assert "event=new" in alert["X-TLSRPT-Mailer"]
    assert f"result={ALERT}; mx=mx1.example.com; severity=critical" in alert["X-TLSRPT-Mailer"]
    assert "1,893 of 5,326" in text_of(alert)


def test_a_report_in_a_maildir_becomes_an_alert(tmp_path: Path, sink: Sink) -> None:
    """A report that a delivery agent puts into a Maildir is taken, and then lies in cur/."""
    folder = _maildir(tmp_path / "box")
    site = Site(tmp_path, _maildir_source(folder), sink.port)
    with running(site):
        (folder / "tmp/1.a.host").write_bytes(failing())
        (folder / "tmp/1.a.host").rename(folder / "new/1.a.host")

        sink.wait()
    assert [path.name.partition(":")[0] for path in (folder / "cur").iterdir()] == ["1.a.host"]
    assert list((folder / "new").iterdir()) == []


def test_a_report_through_a_pipe_beside_the_daemon_becomes_an_alert(
    tmp_path: Path, sink: Sink
) -> None:
    """
    What a Sieve script or a Postfix pipe hands to `import -` is stored while the daemon
    runs, and the daemon mails the alert.
    """
    site = Site(tmp_path, "", sink.port)
    with running(site):
        done = subprocess.run(
            site.words("import", "-"),
            input=failing(),
            env=site.environment(),
            capture_output=True,
            check=False,
            timeout=60,
        )

        assert done.returncode == 0, done.stderr
        sink.wait()


@pytest.mark.servers
def test_a_report_in_a_mailbox_becomes_an_alert(
    tmp_path: Path, sink: Sink, dovecot: Dovecot
) -> None:
    """
    A report that comes into an IMAP mailbox while the daemon waits in IDLE is alerted
    within seconds, and the mailbox is left as it was.
    """
    site = Site(tmp_path, imap_source(dovecot.port, "ana"), sink.port)
    dovecot.put("ana", [mails.letter()])
    with running(site, PASSWORD=PASSWORD) as daemon:
        site.wait_for("mails", 1)
        daemon.wait_for_status("all well")
        dovecot.put("ana", [failing()])

        sink.wait()
    assert dovecot.flags("ana") == [(), ()]


def test_several_sources_in_one_daemon(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    Sources of every kind work side by side: a report that comes by two of them counts
    once, and the alert goes out once.
    """
    folder = _maildir(tmp_path / "box")
    other = free_port()
    smtp = (
        f'[[source]]\nkind = "smtp"\nlisten = "127.0.0.1:{other}"\nrecipients = ["@example.com"]\n'
    )
    site = Site(tmp_path, lmtp_source(port) + smtp + _maildir_source(folder), sink.port)
    with running(site) as daemon:
        daemon.wait_for_status("3 sources, all well")
        deliver(port, [failing(), clean(2)])
        (folder / "new/1.a.host").write_bytes(failing())
        (folder / "new/2.a.host").write_bytes(clean(3))
        site.wait_for("reports", 3)
        sink.wait()
        daemon.stop()

    assert [alert["Subject"].partition(":")[0] for alert in sink.mails] == ["CRITICAL example.com"]
    assert site.count("reports WHERE status = 'counted'") == 3


def test_what_is_no_report_raises_no_alert(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    A person's letter, a DMARC report and a bounce that come to the report address are
    kept, not lost; nobody is alerted; a report behind them still is.
    """
    site = Site(tmp_path, lmtp_source(port), sink.port)
    with running(site) as daemon:
        deliver(port, [mails.letter(), mails.dmarc_mail(), mails.bounce(), failing()])
        sink.wait()
        daemon.stop()

    assert site.count("kept WHERE kind = 'ignored'") == 3
    assert len(sink.taken) == 1


def test_one_cause_is_one_mail(tmp_path: Path, sink: Sink, port: int) -> None:
    """
    Twelve domains that fail at the same MX for the same reason are one mail, which
    names them.
    """
    reports = [failing(1, f"d{n}.example", "mx1.example.net") for n in range(12)]
    site = Site(tmp_path, lmtp_source(port), sink.port, alerts='group_wait = "3s"')
    with running(site) as daemon:
        deliver(port, reports)
        (alert,) = sink.wait()
        daemon.stop()

    assert len(sink.taken) == 1
    assert "12 domains" in alert["Subject"]
    assert "d11.example" in text_of(alert)


def test_without_a_recipient_the_alert_is_in_the_log(tmp_path: Path, port: int) -> None:
    """Where nobody is configured to be told, the alert stands in the log of the daemon."""
    site = Site(tmp_path, lmtp_source(port))
    with running(site) as daemon:
        deliver(port, [failing()])

        daemon.wait_for_log("certificate expired on mx1.example.com")


def test_the_size_of_the_daemon(tmp_path: Path, sink: Sink, port: int) -> None:
    """Printed, for whoever plans a small host: memory when idle, and after a thousand mails."""
    site = Site(tmp_path, lmtp_source(port), sink.port, alerts=f"{AT_ONCE}\nmax_per_hour = 10000")
    with running(site) as daemon:
        idle = _memory(daemon.pid)
        deliver(port, many(1000))
        site.wait_for("reports", 1000)
        print(f"resident: {idle} kB idle, {_memory(daemon.pid)} kB after 1,000 mails")  # noqa: T201

    assert idle > 0


def _memory(pid: int) -> int:
    """Resident memory in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
