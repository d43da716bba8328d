"""A real Dovecot in a throw-away folder, on loopback ports of its own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import imapclient

from tests.ports import free_port

PASSWORD = "correct_horse"
BINARY = "/usr/sbin/dovecot"
UID = 65_534
"""The mail user: nobody."""


def _members(group: int) -> list[str]:
    """The processes of a group that still run (zombies wait for their parent only)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == group and state != "Z":
                found.append(stat.parent.name)
    return found


class Dovecot:
    """One server; every user name is let in with `PASSWORD`."""

    def __init__(
        self,
        *,
        capability: str = "",
        separator: str = "",
        prefix: str = "",
        certificate: Path | None = None,
        key: Path | None = None,
        starttls_only: bool = False,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tlsrpt-dovecot-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.tls_port = free_port() if certificate else 0
        (self.folder / "mail").mkdir(mode=0o700)
        os.chown(self.folder / "mail", UID, UID)
        self._write(capability, separator, prefix, certificate, key, starttls_only)

    def _write(
        self,
        capability: str,
        separator: str,
        prefix: str,
        certificate: Path | None,
        key: Path | None,
        starttls_only: bool,
    ) -> None:
        tls = f"ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}" if certificate else "ssl=no"
        (self.folder / "dovecot.conf").write_text(f"""
base_dir = {self.folder}/run
log_path = {self.folder}/log
protocols = imap
listen = 127.0.0.1
{tls}
disable_plaintext_auth = {"yes" if starttls_only else "no"}
auth_mechanisms = plain login
auth_failure_delay = 0
{f"imap_capability = {capability}" if capability else ""}
mail_location = maildir:{self.folder}/mail/%u
mail_fsync = never
mailbox_idle_check_interval = 1s
verbose_proctitle = yes
first_valid_uid = 1
login_trusted_networks =
mail_max_userip_connections = 50
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  {f"separator = {separator}" if separator else ""}
}}
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={UID} gid={UID} home={self.folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = {self.tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
""")

    def start(self) -> None:
        subprocess.run([BINARY, "-c", self.folder / "dovecot.conf"], check=True)
        deadline = time.monotonic() + 15
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as probe:
                    assert probe.recv(4).startswith(b"* OK")
                    return
            except OSError:
                assert time.monotonic() < deadline, self.log()
                threading.Event().wait(0.01)

    def stop(self) -> None:
        """Ends the server and all its connections, at once: its own stop takes seconds."""
        pid_file = self.folder / "run" / "master.pid"
        if not pid_file.exists():
            return
        group = int(pid_file.read_text())
        pid_file.unlink()
        os.killpg(group, signal.SIGKILL)  # the master leads a group of its own
        deadline = time.monotonic() + 15
        while _members(group):
            assert time.monotonic() < deadline, self.log()
            threading.Event().wait(0.01)

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else "no log"

    # ---------------------------------------------------------- a mailbox's other client

    @contextmanager
    def client(self, user: str) -> Iterator[imapclient.IMAPClient]:
        with imapclient.IMAPClient("127.0.0.1", self.port, ssl=False, timeout=20) as client:
            client.login(user, PASSWORD)
            yield client

    def put(self, user: str, mails: Sequence[bytes], folder: str = "INBOX") -> None:
        with self.client(user) as client:
            for mail in mails:
                client.append(folder, mail)

    def bodies(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """What lies in a folder, in order."""
        with self.client(user) as client:
            client.select_folder(folder, readonly=True)
            found = client.fetch(client.search(), ["BODY.PEEK[]"])
            return [found[uid][b"BODY[]"] for uid in sorted(found)]

    def flags(self, user: str, folder: str = "INBOX") -> list[tuple[bytes, ...]]:
        with self.client(user) as client:
            client.select_folder(folder, readonly=True)
            found = client.fetch(client.search(), ["FLAGS"])
            return [
                tuple(f for f in found[uid][b"FLAGS"] if f != rb"\Recent") for uid in sorted(found)
            ]

    def folders(self, user: str) -> list[str]:
        with self.client(user) as client:
            return sorted(name for _, _, name in client.list_folders())
