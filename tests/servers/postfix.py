"""A real Postfix in a throw-away folder: Debian's master.cf as shipped, chroot and all."""

import json
import re
import shutil
import smtplib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.e2e.waiting import until
from tests.ports import free_port

SHIPPED = Path("/usr/share/postfix")
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.com
mydestination = example.com, localhost
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
recipient_delimiter = +
smtpd_relay_restrictions = permit_mynetworks, reject
biff = no
minimal_backoff_time = 300s
smtp_tls_security_level = may
"""


class Postfix:
    """One instance, with *main* added to main.cf and *master* to master.cf."""

    def __init__(self, main: str = "", master: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tlsrpt-postfix-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.config = self.folder / "etc"
        self.config.mkdir()
        (self.folder / "queue").mkdir()
        (self.folder / "data").mkdir()
        shutil.chown(self.folder / "data", "postfix")
        shutil.copy(SHIPPED / "dynamicmaps.cf", self.config)
        shutil.copy("/etc/postfix/postfix-files", self.config)
        services = (SHIPPED / "master.cf.dist").read_text()
        services, count = re.subn(
            r"^smtp      inet ", f"127.0.0.1:{self.port} inet ", services, flags=re.MULTILINE
        )
        assert count == 1
        (self.config / "master.cf").write_text(f"{services}\n{master}\n")
        (self.config / "main.cf").write_text(MAIN.format(folder=self.folder) + main)

    @property
    def queue(self) -> Path:
        """The queue directory, which is also what its clients are chrooted into."""
        return self.folder / "queue"

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def start(self) -> None:
        self._command("postfix", "start")
        until(self._answers, f"Postfix answers; its log: {self.log}")

    def reload(self) -> None:
        """Read settings and certificates anew."""
        self._command("postfix", "reload")

    def pause(self) -> None:
        """At once: `abort`, for `stop` waits for deliveries; `start` goes on."""
        self._command("postfix", "abort")

    def stop(self) -> None:
        """For good."""
        with suppress(AssertionError):  # it may be paused
            self.pause()
        shutil.rmtree(self.folder)

    def send(self, raw: bytes, *recipients: str, sender: str = "reports@sender.example") -> None:
        """Hand it a mail by SMTP."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            refused = client.sendmail(sender, recipients, raw)
        assert not refused

    def queued(self) -> list[dict[str, Any]]:
        """What waits, as `postqueue -j` says it."""
        lines = self._command("postqueue", "-j").splitlines()
        return [json.loads(line) for line in lines]

    def deferred(self, words: str) -> bool:
        """Whether a mail waits because of something with *words* in it."""
        return any(
            words in recipient.get("delay_reason", "")
            for mail in self.queued()
            for recipient in mail["recipients"]
        )

    def flush(self) -> None:
        """Try again now."""
        self._command("postqueue", "-f")

    def _answers(self) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5):
                return True
        except OSError:
            return False

    def _command(self, name: str, *arguments: str) -> str:
        command: Sequence[str] = ("/usr/sbin/" + name, "-c", str(self.config), *arguments)
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{self.log}"
        return done.stdout


def listener(address: str, chain: Path | None = None, **options: str) -> str:
    """
    A line of master.cf: smtpd on port 25 of *address* too, with settings of its own.

    Args:
        address: One of loopback, by `tests.ports.own_address`.
        chain: Key and certificates (PEM), in the order in which they are shown; None: no STARTTLS.
        options: More settings, such as ``smtpd_tls_protocols=">=TLSv1.3"``.
    """
    level = "may" if chain else "none"
    settings = {"smtpd_tls_security_level": level, "smtpd_tls_chain_files": str(chain or "")}
    words = "".join(f" -o {name}={value}" for name, value in (settings | options).items())
    return f"{address}:25 inet n - y - - smtpd{words}\n"


@contextmanager
def postfix(main: str = "", master: str = "") -> Iterator[Postfix]:
    """A Postfix that runs."""
    server = Postfix(main, master)
    try:
        server.start()
        yield server
    finally:
        server.stop()
