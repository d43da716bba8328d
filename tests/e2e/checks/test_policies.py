"""
Mistakes in MTA-STS, in real zones and on a real web server, and their mends there.

What the check prints is published as it stands: the record in the zone, the file on
the server. A second look then finds nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from tests.cli.conftest import Place
from tests.domains.records import OURS, RIGHT
from tests.mails import Json
from tests.servers.land import Land, txt
from tests.servers.policyhost import Site

pytestmark = pytest.mark.servers

ZONE = "sts.example"
FILE = "version: STSv1\nmode: {mode}\n{mx}max_age: 604800\n"
STS = "v=STSv1; id=20261014;"


class Slip(NamedTuple):
    code: str
    file: str = FILE
    """With the mode, and with a line for each MX host."""
    sts: tuple[str, ...] = (STS,)
    mode: str = "enforce"
    mx: tuple[str, ...] = ("mx1",)
    """The hosts to which mail goes; the file of the form names only the first."""


RECORDS = [
    Slip("mta-sts-record-several", sts=(STS, "v=STSv1; id=2;")),
    Slip("mta-sts-record-invalid", sts=("v=STSv1; id=2026-10-14;",)),
    Slip("mta-sts-record-invalid", sts=("v=STSv1;",)),
    Slip("mta-sts-record-invalid", sts=(f"v=STSv1; id={'1' * 33};",)),
    Slip("mta-sts-record-invalid", sts=("v=STS1; id=1;",)),
    Slip("mta-sts-record-invalid", sts=("V=STSv1; id=1;",)),
    Slip("mta-sts-record-invalid", sts=(r"v=STSv1\; id=1\;",)),
    Slip("mta-sts-record-invalid", sts=(RIGHT,)),
    Slip("mta-sts-record-risky", sts=("v=STSv1 ; id=20261014",)),
    Slip("mta-sts-record-risky", sts=(STS, "v=STSv1 ; id=2;")),
]
FILES = [
    Slip("mta-sts-policy-invalid", ""),
    Slip("mta-sts-policy-invalid", "<!doctype html><title>Welcome to nginx!</title>"),
    Slip("mta-sts-policy-invalid", f"\ufeff{FILE}"),
    Slip("mta-sts-policy-invalid", FILE.replace("version: STSv1\n", "")),
    Slip("mta-sts-policy-invalid", FILE.replace("STSv1", "STSv2")),
    Slip("mta-sts-policy-invalid", FILE.replace("mode:", "Mode:")),
    Slip("mta-sts-policy-invalid", FILE.replace("{mode}", "enforced")),
    Slip("mta-sts-policy-invalid", FILE.replace("max_age", "max-age")),
    Slip("mta-sts-policy-invalid", FILE.replace("604800", "1 week")),
    Slip("mta-sts-policy-invalid", FILE.replace("604800", "31557601")),
    Slip("mta-sts-policy-invalid", FILE.replace("{mx}", "")),
    Slip("mta-sts-policy-invalid", FILE.replace("{mx}", "mx: *\n")),
    Slip("mta-sts-policy-invalid", FILE.replace("{mx}", "mx: 192.0.2.1, mx1\n")),
    Slip("mta-sts-policy-invalid", FILE.replace("\n", "; ")),
    Slip("mta-sts-policy-risky", f"{FILE}\n\n"),
    Slip("mta-sts-policy-risky", f"{FILE}max_age: 1\n"),
]
HOSTS = [
    Slip("mta-sts-uncovered-mx", mx=("mx1", "mx2")),
    Slip("mta-sts-uncovered-mx", mode="testing", mx=("mx1", "backup.away")),
    Slip("mta-sts-max-age-short", FILE.replace("604800", "3600")),
]
SITES: list[tuple[str, dict[str, object]]] = [
    ("mta-sts-policy-status", {"status": "404 Not Found"}),
    ("mta-sts-policy-status", {"status": "503 Service Unavailable"}),
    (
        "mta-sts-policy-status",
        {"status": "301 Moved", "headers": {"Location": "https://a.example"}},
    ),
    ("mta-sts-policy-certificate", {"certificate": "expired"}),
    ("mta-sts-policy-certificate", {"certificate": "wrong-name"}),
    ("mta-sts-policy-certificate", {"certificate": "self-signed"}),
    ("mta-sts-policy-certificate", {"certificate": "common-name"}),
    ("mta-sts-policy-media-type", {"media_type": "text/html"}),
    ("mta-sts-policy-media-type", {"media_type": None}),
    ("mta-sts-policy-invalid", {"body": b"version: STSv1\n" * 5000}),
    ("mta-sts-policy-unreachable", {"raw": lambda tls, _over: tls.close()}),
]
"""What is wrong with how the file is served; nothing can be printed that mends it."""


class Domains:
    """Those of the slips, published and served; what a check proposes replaces what is wrong."""

    def __init__(self, ground: Land, slips: Iterable[Slip]) -> None:
        self._ground = ground
        self.slips = {f"d{at}.{ZONE}": one for at, one in enumerate(slips)}
        self.records = {
            domain: "\n".join(txt(f"_mta-sts.{domain}.", text) for text in one.sts)
            for domain, one in self.slips.items()
        }
        self.files = {
            domain: one.file.format(mode=one.mode, mx=f"mx: mx1.{domain}\n")
            for domain, one in self.slips.items()
        }
        self.publish()

    def publish(self) -> None:
        lines = []
        for domain, one in self.slips.items():
            lines += [f"{domain}. MX {10 * at} {host}.{domain}." for at, host in enumerate(one.mx)]
            lines += [f"{host}.{domain}. A 192.0.2.1" for host in one.mx]
            lines += [f"mta-sts.{domain}. A {self._ground.policies.address}"]
            lines += [txt(f"_smtp._tls.{domain}.", RIGHT), self.records[domain]]
            self._ground.policies.serve(domain, self.files[domain])
        self._ground.change(ZONE, "\n".join(lines) + "\n")

    def site(self, domain: str) -> Site:
        return self._ground.policies.sites[f"mta-sts.{domain}"]

    def mend(self, domain: str, found: Json) -> None:
        """Do what the finding says, with its lines as they are."""
        facts: Mapping[str, str] = found["facts"]
        line, file = facts.get("line", ""), self.files[domain]
        if "sts_line" in facts:
            self.records[domain] = facts["sts_line"]
        if line.startswith("max_age:"):
            file = "".join(
                f"{line}\n" if "max_age" in one else one for one in file.splitlines(True)
            )
        elif line.startswith("mx:"):
            file = file.replace("max_age", f"{line}\nmax_age")
        elif line:
            file = line
        self.files[domain] = file

    def found(self, place: Place, code: int) -> dict[str, list[Json]]:
        """What a check finds of each, notes left out."""
        result = place("check", "--json", *self.slips, now=None)
        assert code == result.code, result.err
        return {
            one["domain"]: [each for each in one["findings"] if each["severity"] != "note"]
            for one in result.json
        }


@pytest.fixture
def checked(place: Place, ground: Land) -> Place:
    settings = ground.settings(f'rua = ["{OURS}"]')
    place.configure(f'{settings}[[domains]]\nmatch = ["*.{ZONE}"]\n')
    return place


@pytest.mark.parametrize("slips", [RECORDS, FILES, HOSTS], ids=["records", "files", "hosts"])
def test_every_mistake_is_found_and_its_mend_passes(
    checked: Place, ground: Land, slips: list[Slip]
) -> None:
    """
    Each record and file is published, found wrong as the table has it, and well once what
    the check prints stands in its place.
    """
    domains = Domains(ground, slips)

    found = domains.found(checked, 1)
    assert {domain: [one.code] for domain, one in domains.slips.items()} == {
        domain: [one["code"] for one in some] for domain, some in found.items()
    }
    for domain, (one,) in found.items():
        domains.mend(domain, one)
    domains.publish()

    assert {domain: [] for domain in found} == domains.found(checked, 0)


def test_a_file_that_is_served_wrongly_is_none_to_senders(checked: Place, ground: Land) -> None:
    """Status, redirects, certificates, media types, size: said as what they are, until mended."""
    domains = Domains(ground, [Slip(code) for code, _ in SITES])
    for domain, (_, wrong) in zip(domains.slips, SITES, strict=True):
        for key, value in wrong.items():
            setattr(domains.site(domain), key, value)

    found = domains.found(checked, 1)
    assert [[code] for code, _ in SITES] == [
        [one["code"] for one in some] for some in found.values()
    ]
    domains.publish()

    assert {domain: [] for domain in found} == domains.found(checked, 0)


def test_a_policy_host_without_an_address_is_named(checked: Place, ground: Land) -> None:
    """The record announces a policy, and DNS does not lead to it."""
    domains = Domains(ground, [Slip("mta-sts-policy-unreachable")])
    zone = ground.root.records(ZONE)
    ground.change(ZONE, zone.replace("\nmta-sts.", "\nmta-st."))

    ((one,),) = domains.found(checked, 1).values()
    assert ("mta-sts-policy-unreachable", "dns") == (one["code"], one["facts"]["form"])
    ground.change(ZONE, zone)

    assert {f"d0.{ZONE}": []} == domains.found(checked, 0)


def test_who_has_no_policy_is_shown_a_first_one(checked: Place, ground: Land) -> None:
    """It is a note, with a file and a record; both as they are make mode testing."""
    domains = Domains(ground, [Slip("mta-sts-missing", sts=())])

    looked = checked("check", "--json", f"d0.{ZONE}", now=None)
    (one,) = (each for each in looked.json[0]["findings"] if each["code"] == "mta-sts-missing")
    assert (0, "none", "note") == (looked.code, looked.json[0]["mta_sts"], one["severity"])
    domains.mend(f"d0.{ZONE}", one)
    domains.publish()

    looked = checked("check", "--json", f"d0.{ZONE}", now=None)
    assert (0, "testing") == (looked.code, looked.json[0]["mta_sts"])
    assert ["mta-sts-testing"] == [each["code"] for each in looked.json[0]["findings"]]


def test_a_policy_that_changed_alone_wants_a_new_id(checked: Place, ground: Land) -> None:
    """
    Seen in mode testing, then in mode enforce with the old id: senders that remember the old
    one do not look again. The record that is printed has another id.
    """
    domain = f"d0.{ZONE}"
    settings = ground.settings(f'rua = ["{OURS}"]')
    checked.configure(f'{settings}[[domains]]\nmatch = ["{domain}"]\n')
    domains = Domains(ground, [Slip("mta-sts-id-unchanged", mode="testing")])
    checked("once", now=None)
    assert (0, "testing") == _look(checked, domain, 0)
    domains.files[domain] = domains.files[domain].replace("testing", "enforce")
    domains.publish()

    result = checked("check", "--json", domain, now=_later(1))
    (one,) = (each for each in result.json[0]["findings"] if each["severity"] != "note")
    assert (1, "mta-sts-id-unchanged") == (result.code, one["code"])
    domains.mend(domain, one)
    domains.publish()

    assert (0, "enforce") == _look(checked, domain, 2)


def _later(minutes: int) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _look(place: Place, domain: str, minutes: int) -> tuple[int, str]:
    """The exit code, and the mode, some minutes from now."""
    result = place("check", "--json", domain, now=_later(minutes))
    return result.code, result.json[0]["mta_sts"]
