"""A real DNS server (Debian's nsd) on a loopback port, with the records a test gives it."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.ports import free_port


def _zones(records: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """The records by the top-level domain they are in; ``example`` is always there."""
    zones: dict[str, dict[str, bytes]] = {"example": {}}
    for name, text in records.items():
        zones.setdefault(name.rpartition(".")[2], {})[name] = text
    return zones


def _zone(zone: str, records: Mapping[str, bytes]) -> str:
    lines = [
        "$TTL 300",
        f"@ IN SOA ns.{zone}. host.{zone}. 1 3600 600 86400 60",
        f"@ IN NS ns.{zone}.",
        f"ns.{zone}. IN A 127.0.0.1",
    ]
    for name, text in records.items():
        strings = " ".join(f'"{text[at : at + 200].decode()}"' for at in range(0, len(text), 200))
        lines.append(f"{name}. IN TXT {strings}".replace(";", "\\;"))
    return "\n".join(lines) + "\n"


def write_config(
    folder: Path, records: Mapping[str, bytes], port: int, seen_as: str | None = None
) -> None:
    """Write nsd.conf and its zones; nsd sees the *folder* under the name *seen_as*."""
    place = seen_as or folder
    zones = ""
    for zone, own in _zones(records).items():
        (folder / f"{zone}.zone").write_text(_zone(zone, own))
        zones += f'zone:\n  name: "{zone}"\n  zonefile: "{zone}.zone"\n'
    (folder / "nsd.conf").write_text(
        f'server:\n  ip-address: 127.0.0.1@{port}\n  username: ""\n  chroot: ""\n'
        f'  zonesdir: "{place}"\n  pidfile: ""\n  database: ""\n  server-count: 1\n'
        f'  zonelistfile: "{place}/zones"\n  xfrdfile: "{place}/xfrd"\n  xfrdir: "{place}"\n'
        f'  logfile: "{place}/log"\nremote-control:\n  control-enable: no\n{zones}'
    )


@contextmanager
def nsd(folder: Path, records: Mapping[str, bytes], port: int | None = None) -> Iterator[str]:
    """Serve these TXT records, of whatever names; yields ``address:port``."""
    port = port or free_port()
    write_config(folder, records, port)
    program = shutil.which("nsd") or "/usr/sbin/nsd"
    child = subprocess.Popen([program, "-d", "-c", str(folder / "nsd.conf")])
    try:
        question = dns.message.make_query("example.", "SOA")
        for _ in range(100):
            with suppress(dns.exception.Timeout, OSError):
                dns.query.udp(question, "127.0.0.1", 0.1, port)
                break
        yield f"127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(5)
