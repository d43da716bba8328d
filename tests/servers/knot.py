"""
A real authoritative DNS server (Debian's knot) with a root of its own, signed or not.

It listens on port 53 of an address of its own, as the delegations from its root
demand: so a resolver finds its way from the root down, and validates on it.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.e2e.waiting import until
from tests.ports import own_address
from tests.servers.program import Program, said

KNOTD, KNOTC, KEYMGR = "/usr/sbin/knotd", "/usr/sbin/knotc", "/usr/sbin/keymgr"
ROOT = "."
TTL = 300
WRONG = "9" * 64
"""The digest in a DS record that fits no key."""


class Knot(Program):
    """
    One server.

    Args:
        folder: Everything of it lies there, in a folder of its own.
        zones: By the name of a zone its records, in the form of a zone file, names relative to
            the zone; SOA, NS and delegations are added. The root is always there.
        signed: Zones with DNSSEC; the root always has it.
        bogus: Signed zones whose parent names a key that they do not have.
    """

    def __init__(
        self,
        folder: Path,
        zones: Mapping[str, str],
        *,
        signed: Collection[str] = (),
        bogus: Collection[str] = (),
    ) -> None:
        super().__init__(folder)
        self.address = own_address()
        self._records = {ROOT: "", **zones}
        self._signed = {ROOT, *signed, *bogus}
        self._bogus = set(bogus)
        self._servers: dict[str, str] = {}
        self._serial = 1
        self._config = self.folder / "knot.conf"
        self._config.write_text(self._configuration())
        self._ds: dict[str, str] = {}
        for zone in sorted(self._signed):
            self._keymgr(zone, "generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes")
            lines = self._keymgr(zone, "ds").splitlines()
            self._ds[zone] = next(line.partition(" DS ")[2] for line in lines if " 13 2 " in line)
        for zone in self._records:
            self._write(zone)

    @property
    def anchor(self) -> str:
        """The trust anchor, for a resolver."""
        return f". {TTL} IN DS {self._ds[ROOT]}\n"

    @property
    def hints(self) -> str:
        """Where the root is, for a resolver."""
        return f". 3600000 IN NS ns.root.\nns.root. 3600000 IN A {self.address}\n"

    def start(self) -> None:
        self._run(KNOTD, "-c", str(self._config))
        until(
            lambda: all(self._serves(zone, self.address) for zone in self._records),
            "knot serves its zones",
        )

    def change(self, zone: str, records: str) -> None:
        """From now on *zone* has these records."""
        self._records[zone] = records
        self._serial += 1
        self._write(zone)
        self._knotc("zone-reload", zone)

    def sign(self, zone: str, *, rightly: bool) -> None:
        """Whether the parent of a signed *zone* names its key, or one that it does not have."""
        (self._bogus.discard if rightly else self._bogus.add)(zone)
        parent = self._parent(zone)
        assert parent is not None
        self._serial += 1
        self._write(parent)
        self._knotc("zone-reload", parent)

    def move(self, zone: str, server: str) -> None:
        """The one name server of *zone* has this name, as its parent says too; it leads here."""
        parent = self._parent(zone)
        assert parent is not None
        self._servers[zone] = server
        self._serial += 1
        for one in (zone, parent):
            self._write(one)
            self._knotc("zone-reload", one)

    @property
    def asked(self) -> int:
        """How many questions came to it so far."""
        stats = self._knotc("stats", "mod-stats.server-operation")
        return int(re.search(r"\[query\] = (\d+)", stats)[1])

    def records(self, zone: str) -> str:
        """As they were given."""
        return self._records[zone]

    # ---------------------------------------------------------------- what stands in its files

    def _configuration(self) -> str:
        zones = "".join(
            f'  - domain: "{zone}"\n    file: "{self._file(zone)}"\n'
            f"    dnssec-signing: {'on' if zone in self._signed else 'off'}\n"
            for zone in self._records
        )
        return f"""
server:
    rundir: "{self.folder}"
    listen: {self.address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
control:
    listen: "{self.folder}/knot.sock"
log:
  - target: stdout
    any: info
database:
    storage: "{self.folder}"
    timer-db-max-size: 4M
    kasp-db-max-size: 16M
    journal-db-max-size: 64M
policy:
  - id: by-hand
    manual: on
    single-type-signing: on
    algorithm: ecdsap256sha256
template:
  - id: default
    global-module: mod-stats
    storage: "{self.folder}"
    dnssec-policy: by-hand
    zonefile-load: difference-no-serial
    zonefile-sync: -1
    journal-content: all
zone:
{zones}"""

    def _file(self, zone: str) -> Path:
        return self.folder / f"{'root' if zone == ROOT else zone}.zone"

    def _write(self, zone: str) -> None:
        dot = "" if zone == ROOT else f"{zone}."
        lines = [
            f"$ORIGIN {dot or ROOT}",
            f"$TTL {TTL}",
            f"@ IN SOA ns.root. host.root. {self._serial} 3600 600 86400 60",
            f"@ IN NS {self._servers.get(zone, 'ns.root')}.",
            *([f"ns.root. IN A {self.address}"] if zone == ROOT else []),
            *(self._delegation(one) for one in self._records if self._parent(one) == zone),
            self._records[zone],
        ]
        self._file(zone).write_text("\n".join(lines) + "\n")

    def _delegation(self, zone: str) -> str:
        lines = f"{zone}. IN NS {self._servers.get(zone, 'ns.root')}.\n"
        if zone in self._signed:
            tag, algorithm, kind, digest = self._ds[zone].split(" ", 3)
            digest = WRONG if zone in self._bogus else digest
            lines += f"{zone}. IN DS {tag} {algorithm} {kind} {digest}\n"
        return lines

    def _parent(self, zone: str) -> str | None:
        if zone == ROOT:
            return None
        above = [one for one in self._records if one != ROOT and zone.endswith(f".{one}")]
        return max(above, key=len, default=ROOT)

    # ---------------------------------------------------------------- its programs

    def _knotc(self, *words: str) -> str:
        return said(KNOTC, "-c", str(self._config), "-b", *words)

    def _keymgr(self, zone: str, *words: str) -> str:
        return said(KEYMGR, "-c", str(self._config), zone, *words)


def knot(
    folder: Path,
    zones: Mapping[str, str],
    *,
    signed: Collection[str] = (),
    bogus: Collection[str] = (),
) -> Knot:
    """For a ``with``: see `Knot`."""
    return Knot(folder, zones, signed=signed, bogus=bogus)
