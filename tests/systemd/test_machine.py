"""The units under a real systemd: the daemon in its sandbox, as it runs on a mail host."""

import json
import os
import shlex
import smtplib
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests import mails
from tests.e2e.daemon import RECIPIENT, SENDER, STOP_SECONDS
from tests.e2e.stories import clean, day, failing
from tests.e2e.waiting import until
from tests.servers.nsd import write_config
from tests.systemd.machine import Machine
from tests.trust.signing import ed25519_key, rsa_key, sign
from tlsrpt_mailer.cli.stopped import TEXT

pytestmark = pytest.mark.servers

UNIT = "tlsrpt-mailer.service"
CONFIG = "/etc/tlsrpt-mailer/config.toml"
DATABASE = "/var/lib/tlsrpt-mailer/tlsrpt.db"
SOCKET = "/var/spool/postfix/private/tlsrpt-mailer"

OFF = '[trust]\ndkim = "off"\n'

GOOD = f"""
{OFF}
[[source]]
kind = "lmtp"
listen = "systemd:lmtp"
recipients = ["{RECIPIENT}"]

[[source]]
kind = "imap"
host = "127.0.0.1"
security = "none"
username = "{RECIPIENT}"
password_file = "imap-password"

[alerts]
group_wait = "0s"
"""


class UnixLmtp(smtplib.LMTP):
    """LMTP over a socket in the file system of the machine."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine

    def __enter__(self) -> "UnixLmtp":
        # By way of a descriptor: the path through /proc may be longer than a socket's may be.
        folder = os.open(self._machine.root / SOCKET.lstrip("/").rpartition("/")[0], os.O_PATH)
        self.connect(f"/proc/self/fd/{folder}/{SOCKET.rpartition('/')[2]}")
        os.close(folder)
        return self


def _deliver(host: Machine, *reports: bytes) -> None:
    with UnixLmtp(host) as client:
        for raw in reports:
            client.sendmail(SENDER, RECIPIENT, raw)


def _reports(host: Machine) -> int:
    done = host.run("/opt/tlsrpt-mailer/bin/tlsrpt-mailer", "reports", "--json")
    return done.stdout.count('"report_id"')


@pytest.fixture
def service(host: Machine) -> Iterator[Machine]:
    """The daemon, started with its LMTP socket and a credential, and stopped in the end."""
    host.write(CONFIG, GOOD)
    host.write("/etc/tlsrpt-mailer/imap-password", "secret\n")
    (host.root / "etc/tlsrpt-mailer/imap-password").chmod(0o600)
    host.write(
        f"/etc/systemd/system/{UNIT}.d/credentials.conf",
        "[Service]\nLoadCredential=imap-password:/etc/tlsrpt-mailer/imap-password\n",
    )
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "tlsrpt-mailer-lmtp.socket")
    host.run("systemctl", "start", UNIT)
    yield host
    host.run("systemctl", "stop", "tlsrpt-mailer-lmtp.socket", UNIT)
    host.run("rm", "-rf", f"/etc/systemd/system/{UNIT}.d")
    host.run("systemctl", "reset-failed", check=False)


def test_it_works_in_its_sandbox(service: Machine) -> None:
    """
    Under every restriction of the unit the daemon takes a report through the socket that
    systemd made for Postfix, stores it, and tells of the failure.
    """
    assert service.property(UNIT, "ActiveState") == "active"
    _deliver(service, clean(2), failing())

    until(lambda: "certificate expired on mx1.example.com" in service.journal(UNIT), "the alert")
    assert "Operation not permitted" not in service.journal(UNIT)
    assert "Traceback" not in service.journal(UNIT)


VERIFIED = f"""
[trust]
dkim = "require"

[dns]
nameservers = ["127.0.0.1:5353"]

[[domains]]
match = ["example.com"]

[[source]]
kind = "lmtp"
listen = "systemd:lmtp"
recipients = ["{RECIPIENT}"]
"""


def test_signatures_are_verified_in_the_sandbox(service: Machine) -> None:
    """
    What DNS and the two kinds of keys need is allowed: reports that are signed count, in
    RSA and in Ed25519, and one that is not is held.
    """
    (rsa, rsa_public), (ed, ed_public) = rsa_key(), ed25519_key()
    keys = {
        "sel._domainkey.rsa.example": f"v=DKIM1; p={rsa_public}".encode(),
        "sel._domainkey.ed.example": f"v=DKIM1; k=ed25519; p={ed_public}".encode(),
    }
    config = service.root / "run/nsd"
    config.mkdir(mode=0o755)
    write_config(config, keys, 5353, "/run/nsd")
    service.run("systemd-run", "--unit=names", "/usr/sbin/nsd", "-d", "-c", "/run/nsd/nsd.conf")
    service.write(CONFIG, VERIFIED)
    service.run("systemctl", "restart", UNIT)

    _deliver(
        service,
        sign(_of("rsa.example"), domain="rsa.example", key=rsa),
        sign(_of("ed.example"), domain="ed.example", key=ed),
        _of("none.example"),
    )

    done = service.run("/opt/tlsrpt-mailer/bin/tlsrpt-mailer", "reports", "--json")
    trust = {one["reporter"]: one["trust"] for one in json.loads(done.stdout)}
    expected = {"rsa.example": "pass", "ed.example": "pass", "none.example": "unsigned"}
    assert expected.items() <= trust.items(), service.journal(UNIT)
    assert "Operation not permitted" not in service.journal(UNIT)


def _of(reporter: str) -> bytes:
    """A report by that domain, not signed yet."""
    body = mails.report("example.com", day(1), organization=reporter, details=())
    return mails.mail(body, sender=f"tlsrpt@{reporter}", submitter=reporter, newline="\r\n")


def test_the_socket_is_postfix_s_alone(service: Machine) -> None:
    """Only Postfix may connect to the LMTP socket under its queue directory."""
    status = (service.root / SOCKET.lstrip("/")).stat()

    owner = service.run("id", "-u", "postfix").stdout.strip()
    assert (str(status.st_uid), status.st_mode & 0o777) == (owner, 0o600)


def test_only_the_daemon_s_user_reads_its_state(service: Machine) -> None:
    """Database and state folder belong to the daemon's user, and nobody else may look."""
    user = int(service.run("id", "-u", "tlsrpt-mailer").stdout)
    database = service.root / DATABASE.lstrip("/")

    assert (database.stat().st_uid, database.stat().st_mode & 0o077) == (user, 0)
    assert (database.parent.stat().st_uid, database.parent.stat().st_mode & 0o077) == (user, 0)


def test_a_secret_comes_by_credential(service: Machine) -> None:
    """
    A password that only root may read reaches the daemon by LoadCredential=, and is in no
    line of the journal: it gets as far as the IMAP server, which is not there.
    """
    until(lambda: "source.trouble" in service.journal(UNIT), "trouble with the IMAP server")

    assert "refused" in service.journal(UNIT)
    assert "imap-password" not in service.journal(UNIT)
    assert "secret" not in service.journal(UNIT)


def test_systemctl_status_names_the_trouble(service: Machine) -> None:
    """`systemctl status` shows in one line which source does not work, and why."""
    text = until(lambda: service.property(UNIT, "StatusText"), "a status")

    until(lambda: "imap:" in service.property(UNIT, "StatusText"), f"the IMAP source in {text}")
    named = service.property(UNIT, "StatusText")
    assert f"imap:{RECIPIENT}@127.0.0.1: " in named
    assert "Connection refused" in named
    assert "lmtp" not in named


def test_root_s_commands_leave_the_files_to_the_daemon(service: Machine) -> None:
    """
    What root does beside the daemon, which runs as another user, changes no file's owner:
    the daemon goes on, and a restart works.
    """
    program = "/opt/tlsrpt-mailer/bin/tlsrpt-mailer"
    service.write("/tmp/report.eml", clean(3, "other.example").decode())
    before = _reports(service)

    service.run(program, "import", "/tmp/report.eml")
    service.run(program, "failures")
    service.run(program, "prune")

    state = service.root / "var/lib/tlsrpt-mailer"
    user = int(service.run("id", "-u", "tlsrpt-mailer").stdout)
    assert {path.name: path.stat().st_uid for path in state.iterdir()} == {
        path.name: user for path in state.iterdir()
    }
    service.run("systemctl", "restart", UNIT)
    _deliver(service, clean(4, "other.example"))
    assert _reports(service) == before + 2


def test_root_may_be_first(host: Machine) -> None:
    """
    Root imports old reports before the daemon has ever run: the daemon finds them, and the
    files are its own.
    """
    host.run("rm", "-rf", "/var/lib/tlsrpt-mailer")
    host.write(CONFIG, GOOD.replace('"systemd:lmtp"', '"127.0.0.1:8825"'))
    host.write("/tmp/report.eml", clean(3, "first.example").decode())
    host.run("/opt/tlsrpt-mailer/bin/tlsrpt-mailer", "import", "/tmp/report.eml")

    host.run("systemctl", "start", UNIT)

    user = int(host.run("id", "-u", "tlsrpt-mailer").stdout)
    assert _reports(host) == 1
    assert (host.root / DATABASE.lstrip("/")).stat().st_uid == user
    host.run("systemctl", "stop", UNIT)


def test_a_reload_with_a_wrong_configuration_is_refused(service: Machine) -> None:
    """
    After a reload with a wrong configuration `systemctl status` names the mistake, and the
    same process goes on with the old one; a right one is taken later.
    """
    pid = service.property(UNIT, "MainPID")
    service.write(CONFIG, GOOD.replace("recipients", "recipient"))

    service.run("systemctl", "reload", UNIT)

    until(lambda: "source[0].recipient" in service.property(UNIT, "StatusText"), "the mistake")
    _deliver(service, clean(5, "reload.example"))
    service.write(CONFIG, GOOD)
    service.run("systemctl", "reload", UNIT)
    until(lambda: "refused:" not in service.property(UNIT, "StatusText"), "another status")
    assert service.property(UNIT, "MainPID") == pid
    _deliver(service, clean(6, "reload.example"))


def test_a_wrong_configuration_is_told_and_not_tried_again(service: Machine) -> None:
    """
    A start with a configuration that cannot be used fails with 78 at once; systemd does not
    try again, and starts the unit that tells the operator.
    """
    service.run("systemctl", "stop", "tlsrpt-mailer-lmtp.socket", UNIT)
    service.write(CONFIG, GOOD + "\n[nonsense]\n")

    failed = service.run("systemctl", "start", UNIT, check=False)

    assert failed.returncode != 0
    assert service.property(UNIT, "ExecMainStatus") == "78"
    assert service.property(UNIT, "NRestarts") == "0"
    until(
        lambda: service.property("tlsrpt-mailer-stopped.service", "ExecMainStartTimestamp"),
        "the unit that tells the operator",
    )
    service.write(CONFIG, GOOD)


TELLER = "tlsrpt-mailer-stopped.service"
LMTP = "tlsrpt-mailer-lmtp.socket"


@pytest.fixture
def teller(service: Machine) -> Iterator[Machine]:
    """The unit that mails the operator prints what systemd tells it, and mails nothing."""
    drop_in = f"/etc/systemd/system/{TELLER}.d/print.conf"
    service.write(drop_in, "[Service]\nExecStart=\nExecStart=/usr/bin/env\n")
    service.run("systemctl", "stop", LMTP, UNIT)
    service.run("systemctl", "reset-failed", check=False)
    service.run("journalctl", "--rotate", "--vacuum-time=1s")
    yield service
    service.run("rm", "-rf", f"/etc/systemd/system/{TELLER}.d")
    service.run("systemctl", "daemon-reload")


def test_a_damaged_database_ends_in_a_mail_and_not_in_a_loop(teller: Machine) -> None:
    """
    A daemon that finds its database damaged is started some times more, not for ever: then the
    operator is told, no byte was changed, and the socket refuses what could get lost. After a
    restore the commands of that mail bring everything back.
    """
    database = teller.root / DATABASE.lstrip("/")
    good, damaged = database.read_bytes(), b"a letter to my mother\n" * 1000
    database.write_bytes(damaged)
    tries = f"/etc/systemd/system/{UNIT}.d/tries.conf"
    teller.write(tries, "[Unit]\nStartLimitBurst=3\n[Service]\nRestartSec=100ms\n")
    teller.run("systemctl", "daemon-reload")
    teller.run("systemctl", "start", LMTP)

    teller.run("systemctl", "start", UNIT, check=False)

    until(lambda: "MONITOR_EXIT_STATUS=1\n" in teller.journal(TELLER), "the operator is told")
    until(lambda: teller.property(LMTP, "ActiveState") == "failed", "the socket is shut")
    assert teller.property(UNIT, "ActiveState") == "failed"
    assert teller.journal(UNIT).count("is damaged (corrupt). Nothing was changed in it") == 3
    assert teller.journal(TELLER).count("MONITOR_SERVICE_RESULT=exit-code\n") == 1
    assert database.read_bytes() == damaged
    with pytest.raises(OSError, match="refused"):
        _deliver(teller, clean(8, "damaged.example"))
    database.write_bytes(good)
    assert teller.run("systemctl", "restart", UNIT, check=False).returncode != 0
    for words in _commands_of_the_mail():
        teller.run(*words)
    before = _reports(teller)
    _deliver(teller, clean(8, "damaged.example"))
    assert _reports(teller) == before + 1


def _commands_of_the_mail() -> list[list[str]]:
    """What `alerts stopped` tells to type once it is mended, in order."""
    found = [shlex.split(line) for line in TEXT.splitlines() if "  systemctl " in line]
    assert len(found) == 3
    return found


def test_mail_that_waits_is_no_reason_to_tell_again_and_again(teller: Machine) -> None:
    """
    While the configuration is wrong, each mail at the socket starts the daemon once more, until
    systemd shuts the socket: the operator reads one mail or two, not twenty.
    """
    teller.write(CONFIG, GOOD + "\n[nonsense]\n")
    teller.write(f"/etc/systemd/system/{UNIT}.d/tries.conf", "[Unit]\nStartLimitBurst=5\n")
    teller.run("systemctl", "daemon-reload")
    teller.run("systemctl", "start", LMTP)

    with pytest.raises((OSError, smtplib.SMTPException)):
        _deliver(teller, clean(9, "waiting.example"))

    until(lambda: teller.property(LMTP, "ActiveState") == "failed", "the socket is shut")
    assert teller.journal(UNIT).count("config.toml: 1 problem, nothing started") == 5
    assert 1 <= teller.journal(TELLER).count("MONITOR_EXIT_STATUS=78\n") <= 2
    teller.write(CONFIG, GOOD)


def test_a_killed_daemon_comes_back(service: Machine) -> None:
    """
    After `kill -9` systemd starts the daemon again, and what it had acknowledged is there;
    mail that comes in between waits in the socket.
    """
    _deliver(service, clean(6, "killed.example"))
    before = _reports(service)
    pid = service.property(UNIT, "MainPID")

    service.run("systemctl", "kill", "-s", "KILL", UNIT)
    _deliver(service, clean(7, "killed.example"))

    assert _reports(service) == before + 1
    assert service.property(UNIT, "MainPID") != pid


def test_a_hung_daemon_is_started_again(service: Machine) -> None:
    """A daemon that stands still no longer feeds the watchdog, and is started again."""
    service.write(
        f"/etc/systemd/system/{UNIT}.d/watchdog.conf",
        "[Service]\nWatchdogSec=5s\nTimeoutAbortSec=1s\nRestartSec=100ms\n",
    )
    service.run("systemctl", "daemon-reload")
    service.run("systemctl", "restart", UNIT)
    pid = service.property(UNIT, "MainPID")

    service.run("systemctl", "kill", "-s", "STOP", UNIT)

    until(
        lambda: (
            service.property(UNIT, "MainPID") not in {"0", pid}
            and service.property(UNIT, "ActiveState") == "active"
        ),
        "another process",
    )
    assert "watchdog" in service.journal(UNIT).lower()
    service.run("rm", f"/etc/systemd/system/{UNIT}.d/watchdog.conf")
    service.run("systemctl", "daemon-reload")


def test_a_stop_is_quick_and_clean(service: Machine) -> None:
    """`systemctl stop` with a connection open takes two seconds at most and is no failure."""
    with UnixLmtp(service) as client:
        client.ehlo()
        begun = monotonic()
        service.run("systemctl", "stop", "tlsrpt-mailer-lmtp.socket", UNIT)
        seconds = monotonic() - begun
        client.close()

    assert seconds <= STOP_SECONDS
    assert service.property(UNIT, "Result") == "success"
    assert service.property(UNIT, "ExecMainStatus") == "0"


def test_the_smtp_socket_has_port_25(host: Machine) -> None:
    """The daemon takes mail on port 25 by its socket unit, with no right of its own to it."""
    smtp = f'[[source]]\nkind = "smtp"\nlisten = "systemd:smtp"\nrecipients = ["{RECIPIENT}"]\n'
    host.write(CONFIG, OFF + smtp)
    host.run("rm", "-rf", f"/etc/systemd/system/{UNIT}.d")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "start", "tlsrpt-mailer-smtp.socket", UNIT)

    said = host.run(
        "/opt/tlsrpt-mailer/bin/python",
        "-c",
        "import smtplib; c = smtplib.SMTP('127.0.0.1', 25); c.ehlo(); c.mail('');"
        f"print(c.rcpt('{RECIPIENT}')[0], c.rcpt('a@other.example')[0])",
    )

    assert said.stdout.split() == ["250", "550"]
    host.run("systemctl", "stop", "tlsrpt-mailer-smtp.socket", UNIT)


def test_a_maildir_with_the_drop_in_of_the_guide(host: Machine) -> None:
    """
    A Maildir of another user, in /home, is read and its mails are moved, with the drop-in
    that docs/how-to/maildir.md shows.
    """
    guide = Path(__file__).resolve().parents[2] / "docs/how-to/maildir.md"
    drop_in = guide.read_text().partition("```ini\n")[2].partition("```")[0]
    box = "/home/reports/Maildir"
    host.run("groupadd", "--system", "reports")
    host.run("useradd", "--system", "-g", "reports", "-m", "-d", "/home/reports", "reports")
    for name in ("new", "cur", "tmp"):
        host.run("install", "-d", "-o", "reports", "-g", "reports", "-m", "2770", f"{box}/{name}")
    host.run("chown", "reports:reports", box)
    host.run("chmod", "0750", "/home/reports", box)
    host.write(f"/etc/systemd/system/{UNIT}.d/maildir.conf", drop_in)
    host.write(CONFIG, OFF + f'[[source]]\nkind = "maildir"\npath = "{box}"\npoll = "1s"\n')
    host.write(f"{box}/new/1.a.host", mails.mail(mails.report()).decode())
    host.run("chown", "reports:reports", f"{box}/new/1.a.host")
    host.run("systemctl", "daemon-reload")

    host.run("systemctl", "start", UNIT)

    new = host.root / box.lstrip("/") / "new"
    until(lambda: not list(new.iterdir()), f"the mail moved: {host.journal(UNIT)}", 10)
    assert len(list((new.parent / "cur").iterdir())) == 1
    assert "mail.taken outcome=stored" in host.journal(UNIT)
    host.run("systemctl", "stop", UNIT)
    host.run("rm", "-rf", f"/etc/systemd/system/{UNIT}.d")


def test_it_needs_no_network_to_start(host: Machine) -> None:
    """The daemon is ready with nothing but loopback: what is out of reach is only trouble."""
    host.write("/etc/tlsrpt-mailer/imap-password", "secret\n")
    host.run("chown", "tlsrpt-mailer", "/etc/tlsrpt-mailer/imap-password")
    away = GOOD.replace('"127.0.0.1"', '"imap.example.com"').replace('security = "none"', "")
    host.write(CONFIG, away.replace('"systemd:lmtp"', '"127.0.0.1:8825"'))

    host.run("systemctl", "start", UNIT)

    assert host.property(UNIT, "ActiveState") == "active"
    host.run("systemctl", "stop", UNIT)
