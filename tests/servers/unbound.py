"""A real resolver (Debian's unbound) that validates DNSSEC, before the root of a `Knot`."""

from pathlib import Path

from tests.e2e.waiting import until
from tests.ports import free_port
from tests.servers.knot import Knot
from tests.servers.program import Program, said

UNBOUND, CONTROL = "/usr/sbin/unbound", "/usr/sbin/unbound-control"


class Unbound(Program):
    """One resolver, on a port of loopback; it remembers answers only until `forget`."""

    def __init__(self, folder: Path, root: Knot, *, validates: bool = True, more: str = "") -> None:
        super().__init__(folder)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        """As ``[dns] nameservers`` has it."""
        (self.folder / "hints").write_text(root.hints)
        (self.folder / "anchor").write_text(root.anchor)
        self._config = self.folder / "unbound.conf"
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
        self._run(UNBOUND, "-d", "-c", str(self._config))
        until(self._answers, "unbound knows the root")

    def forget(self) -> None:
        """Ask the authoritative server anew for everything."""
        self._control("reload")
        until(self._answers, "unbound knows the root again")

    def count(self, what: str) -> int:
        """One of its statistics since the last `forget`, such as ``total.num.queries``."""
        lines = self._control("stats_noreset").splitlines()
        return next(int(line.partition("=")[2]) for line in lines if line.startswith(f"{what}="))

    def _control(self, *words: str) -> str:
        return said(CONTROL, "-c", str(self._config), *words)

    def _answers(self) -> bool:
        return self._serves(".", "127.0.0.1", self.port)


def unbound(folder: Path, root: Knot, *, validates: bool = True, more: str = "") -> Unbound:
    """For a ``with``: *more* is added to its ``server:`` clause."""
    return Unbound(folder, root, validates=validates, more=more)
