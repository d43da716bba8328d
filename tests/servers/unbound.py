"""A real resolver (Debian's unbound) that validates DNSSEC, before the root of a `Knot`."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

from tests.e2e.waiting import until
from tests.ports import free_port
from tests.servers.knot import Knot

UNBOUND, CONTROL = "/usr/sbin/unbound", "/usr/sbin/unbound-control"


class Unbound:
    """One resolver, on a port of loopback; it remembers answers only until `forget`."""

    def __init__(self, folder: Path, root: Knot, *, validates: bool = True, more: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        """As ``[dns] nameservers`` has it."""
        (folder / "hints").write_text(root.hints)
        (folder / "anchor").write_text(root.anchor)
        self._config = folder / "unbound.conf"
        self._config.write_text(self._configuration("validator iterator", validates, more))

    def _configuration(self, modules: str, validates: bool, more: str) -> str:
        return f"""
server:
    interface: 127.0.0.1
    port: {self.port}
    directory: "{self.folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    do-ip6: no
    num-threads: 1
    do-not-query-localhost: no
    access-control: 127.0.0.0/8 allow
    root-hints: "{self.folder}/hints"
    trust-anchor-file: "{self.folder}/anchor"
    trust-anchor-signaling: no
    root-key-sentinel: no
    module-config: "{modules if validates else "iterator"}"
    val-bogus-ttl: 0
    {more}
remote-control:
    control-enable: yes
    control-interface: "{self.folder}/control.sock"
    control-use-cert: no
"""

    def start(self) -> None:
        self._child = subprocess.Popen(
            [UNBOUND, "-d", "-c", str(self._config)],
            stdout=(self.folder / "unbound.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        until(self._answers, "unbound knows the root")

    def stop(self) -> None:
        self._child.kill()
        self._child.wait(10)

    def forget(self) -> None:
        """Ask the authoritative server anew for everything."""
        self._control("reload")
        until(self._answers, "unbound knows the root again")

    def count(self, what: str) -> int:
        """One of its statistics since the last `forget`, such as ``total.num.queries``."""
        lines = self._control("stats_noreset").splitlines()
        return next(int(line.partition("=")[2]) for line in lines if line.startswith(f"{what}="))

    def _control(self, *words: str) -> str:
        command = [CONTROL, "-c", str(self._config), *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _answers(self) -> bool:
        assert self._child.poll() is None, (self.folder / "unbound.log").read_text()
        try:
            reply = dns.query.udp(
                dns.message.make_query(".", "SOA"), "127.0.0.1", 0.1, self.port, ignore_errors=True
            )
        except (dns.exception.Timeout, OSError):
            return False
        return bool(reply.rcode() == dns.rcode.NOERROR and reply.answer)


@contextmanager
def unbound(
    folder: Path, root: Knot, *, validates: bool = True, more: str = ""
) -> Iterator[Unbound]:
    """An unbound that runs; *more* is added to its ``server:`` clause."""
    place = folder / "unbound"
    place.mkdir()
    server = Unbound(place, root, validates=validates, more=more)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(place)
