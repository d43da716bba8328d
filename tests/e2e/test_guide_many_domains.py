"""
docs/how-to/bring-domains-under-tls-rpt.md, done: 500 domains, from no record to no gap.

Every command of the page is run as it stands there, in its order, with its own configuration,
against zones of a real DNS server, beside a real daemon that takes reports on port 25.
"""

import json
import os
import re
import smtplib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import mails
from tests.e2e.daemon import Daemon, Site, running
from tests.e2e.stories import day
from tests.e2e.waiting import until
from tests.ports import own_address
from tests.servers.knot import Knot, knot
from tests.servers.unbound import Unbound, unbound
from tests.trust.signing import rsa_key, sign
from tlsrpt_mailer.domains.record import txt_line

pytestmark = pytest.mark.servers

PAGE = (Path(__file__).parents[2] / "docs/how-to/bring-domains-under-tls-rpt.md").read_text()
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.S)
OURS = "v=TLSRPTv1; rua=mailto:tlsrpt@example.com"
THEIRS = "v=TLSRPTv1; rua=mailto:in@vendor.example"
TLSA = "3 1 1 " + "ab" * 32
COUNT = 500
PARKED, BARE = range(451, 476), range(476, 478)
"""With the null MX; with neither MX nor address."""
SPECIAL = {
    481: f'_smtp._tls TXT "{THEIRS}"',
    482: '_smtp._tls TXT "v=TSLRPTv1; rua=mailto:in@vendor.example"',
    483: f'smtp._tls TXT "{THEIRS}"',
    484: f'_smtp._tls TXT "{THEIRS}"\n_smtp._tls TXT "{OURS}"',
    485: f'_smtp._tls.brand-485.example TXT "{THEIRS}"',
    490: f'_smtp._tls TXT "{OURS}"',
}
"""What stands below some domains in the beginning: another's, misspelt, at wrong names, twice; at
the last one what should."""


def blocks(*kinds: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(PAGE) if kind in kinds]


def typed() -> list[str]:
    """The commands of the page, in their order."""
    lines = "".join(blocks("console", "sh")).splitlines()
    return [line.removeprefix("# ") for line in lines]


def command(part: str) -> str:
    """The one command of the page that has *part* in it."""
    (found,) = [line for line in typed() if part in line]
    return found


def name(number: int) -> str:
    return f"brand-{number:03}"


def records(number: int) -> Iterator[str]:
    """What stands in DNS for one domain, in the beginning."""
    if number in PARKED:
        yield f"{name(number)} MX 0 ."
    elif number in BARE:
        yield f'{name(number)} TXT "v=spf1 -all"'
    elif number > 440:
        yield f"{name(number)} MX 10 mx.hoster.net."
    elif number > 400:
        yield f"{name(number)} MX 10 mail.protonmail.ch."
    elif number > 300:
        yield f"{name(number)} MX 10 {name(number)}-example.mail.protection.outlook.com."
    else:
        yield f"{name(number)} MX 10 mx1.mail.example."
    for line in SPECIAL.get(number, "").splitlines():
        place, _, rest = line.partition(" ")
        yield f"{place}.{name(number)} {rest}"


BEGINNING = "\n".join(
    [
        "mx1.mail A 127.0.0.1",
        f"_25._tcp.mx1.mail TLSA {TLSA}",
        *(line for number in range(1, COUNT + 1) for line in records(number)),
    ]
)
HOSTED = {
    "outlook.com": "*.mail.protection A 192.0.2.4\n",
    "protonmail.ch": f"mail A 192.0.2.5\n_25._tcp.mail TLSA {TLSA}\n",
    "hoster.net": f"mx A 192.0.2.6\n_25._tcp.mx TLSA {TLSA}\n",
    "vendor.example": "@ MX 10 mx\nmx A 192.0.2.7\n",
    "sender.net": txt_line("sel._domainkey.sender.net", f"v=DKIM1; p={rsa_key()[1]}") + "\n",
}


def absolute(line: str, zone: str) -> str:
    """The name that a line of a zone is about."""
    owner = line.partition(" ")[0]
    return owner.removesuffix(".") if owner.endswith(".") else f"{owner}.{zone}"


class Guide:
    """A host on which somebody follows the page."""

    def __init__(self, folder: Path, dns: Knot, resolver: Unbound, mx: str) -> None:
        self.dns, self.resolver, self.mx = dns, resolver, mx
        self.site = Site(folder, self._source)
        self.typed: list[str] = []
        self._programs = folder / "bin"
        self._programs.mkdir()
        program = self._programs / "tlsrpt-mailer"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tlsrpt_mailer "$@"\n')
        program.chmod(0o755)

    @property
    def _source(self) -> str:
        return (
            f'[[source]]\nkind = "smtp"\nlisten = "{self.mx}:25"\n'
            'recipients = ["tlsrpt@example.com"]\n'
            # A busy machine is no reason to believe that DNS does not answer.
            f'[dns]\nnameservers = ["{self.resolver.address}"]\ntimeout = "30s"\n'
            '[trust]\ndkim = "require"\nreporters = ["sender.net"]\n'
        )

    def configure(self) -> None:
        """What the page says, with a list of 500; it asks the DNS of a test faster than others'."""
        first = blocks("toml")[0].replace(
            "[checks]\n", '[checks]\nschedule = "daily"\nqueries_per_second = 2000\n'
        )
        assert 'file = "domains.txt"' in first
        names = [f"{name(number)}.example\n" for number in range(1, COUNT + 1)]
        (self.site.folder / "domains.txt").write_text("# domains.txt\n" + "".join(names))
        self.site.configure(self._source + first, None, 'from = "tlsrpt@example.com"')

    def types(self, command: str, code: int = 0, *, config: Path | None = None) -> str:
        """Type the next command of the page; returns what it prints, in single blanks."""
        assert typed()[len(self.typed)] == command
        self.typed.append(command)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.site.folder,
            env=self.site.environment(
                PATH=f"{self._programs}:{os.environ['PATH']}",
                TLSRPT_MAILER_CONFIG=str(config or self.site.config),
            ),
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert code == done.returncode, done.stdout[-2_000:] + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    @contextmanager
    def runs(self) -> Iterator[Daemon]:
        """
        The daemon, in place of `systemctl reload`; goes on when it has looked at every domain.

        It starts here: a reload finds new domains as well, but within a minute.
        """
        assert typed()[len(self.typed)] == "systemctl reload tlsrpt-mailer"
        self.typed.append("systemctl reload tlsrpt-mailer")
        with running(self.site) as daemon:
            until(
                lambda: self.site.count("looks WHERE at IS NOT NULL") == COUNT + 2, "all looks", 90
            )
            yield daemon

    def publish(self, *lines: str) -> None:
        """Put lines into the zones that they belong to, in place of what stands at these names."""
        taken = {line.split(". ")[0] for line in lines}
        for zone in ("example", "example.com"):
            here = self.dns.records(zone).splitlines()
            kept = [line for line in here if absolute(line, zone) not in taken]
            more = [line for line in lines if line.split(". ")[0].endswith(f".{zone}")]
            self.dns.change(zone, "\n".join([*kept, *more]) + "\n")
        self.resolver.forget()

    def lines(self, file: str) -> dict[str, str]:
        """The lines of a file, by the name of the record."""
        return {line.split(". ")[0]: line for line in self.read(file).splitlines()}

    def read(self, file: str) -> str:
        return (self.site.folder / file).read_text()


@contextmanager
def followed(folder: Path) -> Iterator[Guide]:
    mx = own_address()
    home = f'@ MX 10 mx\nmx A {mx}\ntlsrpt TXT "{OURS}"\n'
    zones = {"example.com": home, "example": BEGINNING, **HOSTED}
    signed = ["example", "protonmail.ch", "hoster.net"]
    with knot(folder, zones, signed=signed) as dns, unbound(folder, dns) as resolver:
        guide = Guide(folder, dns, resolver, mx)
        guide.configure()
        assert "mail-team" in guide.types("tlsrpt-mailer config check")
        with guide.runs():
            yield guide


@pytest.mark.timeout(300)
def test_five_hundred_domains_from_no_record_to_no_gap(tmp_path: Path) -> None:
    """
    Who follows the page ends with a record at each domain that takes mail, and with exit code 0
    of `domains gaps`; whoever got reports before still gets them. All that the page has to be
    typed was typed.
    """
    with followed(tmp_path) as guide:
        see_where_each_stands(guide)
        publish_the_records(guide)
        see_that_nothing_is_missing(guide)
        see_whether_a_report_gets_through(guide)
        go_on(guide)

    assert typed() == guide.typed


def see_where_each_stands(guide: Guide) -> None:
    assert "50 of 502 domains" in guide.types("tlsrpt-mailer domains")
    assert "brands 473 0.2 % 0 % 0 % 0 %" in guide.types("tlsrpt-mailer domains coverage")
    gaps = guide.types("tlsrpt-mailer domains gaps", 1)
    assert "50 of 473 gaps" in gaps
    assert "What to publish: tlsrpt-mailer record --all-gaps" in gaps
    assert "no record" in guide.types("tlsrpt-mailer domains show brand-001.example")
    assert "gap no TLSRPT record" in guide.types("tlsrpt-mailer check brand-001.example", 1)
    codes = {row["result_type"] for row in guide.site.json("failures")}
    assert {"tlsrpt-elsewhere", "tlsrpt-invalid", "tlsrpt-misplaced", "tlsrpt-several"} == codes


def publish_the_records(guide: Guide) -> None:
    """Zone lines for one half and what was wrong, aliases for the other."""
    said = guide.types("tlsrpt-mailer record --all-gaps > records.zone")
    zone = guide.lines("records.zone")
    assert COUNT - 27 - 1 + 1 == len(zone)
    assert f'_smtp._tls.brand-001.example. IN TXT "{OURS}"' == zone["_smtp._tls.brand-001.example"]
    assert f"_smtp._tls.brand-481.example has this now: {THEIRS}" in said
    for number in (481, 482, 483, 484, 485):
        (line,) = [one for key, one in zone.items() if name(number) in key]
        assert ("in@vendor.example" in line, "tlsrpt@example.com" in line) == (True, True), line
    guide.types(command("jq -c"))
    made = [json.loads(line) for line in guide.read("records.json").splitlines()]
    assert [*zone] == [one["name"] for one in made]
    assert {
        "name": f"_smtp._tls.{name(1)}.example",
        "type": "TXT",
        "ttl": 3600,
        "content": OURS,
    } == (made[[one["name"] for one in made].index(f"_smtp._tls.{name(1)}.example")])
    guide.types(command("--json > records.json"))
    guide.types(command("aliases.zone"))
    aliases = guide.lines("aliases.zone")
    assert [key for key, line in zone.items() if "vendor" not in line] == [*aliases]

    by_alias = {f"_smtp._tls.{name(number)}.example" for number in range(251, 451)}
    guide.publish(*(aliases[key] if key in by_alias else line for key, line in zone.items()))


def see_that_nothing_is_missing(guide: Guide) -> None:
    guide.types("tlsrpt-mailer check --json > check.json")
    looks = json.loads(guide.read("check.json"))
    # mx.hoster.net is for others to publish.
    assert {"right": 474, "unneeded": 27, "none": 1} == Counter(
        one["record_state"] for one in looks
    )
    assert "No gaps." == guide.types("tlsrpt-mailer domains gaps")
    assert "" == guide.types(command("jq -r '.[].findings[]"))

    guide.types("tlsrpt-mailer domains gaps --group brands")
    parked = guide.site.command("domains", "--state", "no-mail").stdout
    assert (25, 2) == (
        parked.count(" no mail ") - 2,
        parked.count("it has neither an MX record nor an address: is the name right?"),
    )
    elsewhere = guide.site.folder / "elsewhere.toml"
    (guide.site.folder / "ten.txt").write_text(
        "".join(f"{name(n)}.example\n" for n in range(1, 11))
    )
    text = guide.site.config.read_text().replace("domains.txt", "ten.txt")
    elsewhere.write_text(text.replace(str(guide.site.database), str(guide.site.folder / "none")))
    guide.publish("_smtp._tls.brand-007.example. IN A 192.0.2.1")
    guide.types("tlsrpt-mailer check --json > check.json", 1, config=elsewhere)
    (one,) = [
        look for look in json.loads(guide.read("check.json")) if look["record_state"] == "none"
    ]
    assert "brand-007.example" == one["domain"]
    assert not (guide.site.folder / "none").exists()


def see_whether_a_report_gets_through(guide: Guide) -> None:
    guide.publish(guide.types("tlsrpt-mailer canary key"))
    said = guide.types("tlsrpt-mailer canary send --wait 5m")
    assert f"taken by mx.example.com ({guide.mx})" in said
    assert f"by smtp:{guide.mx}:25 signature: pass" in said
    assert "pass" in guide.types("tlsrpt-mailer canary")
    assert 0 == guide.site.count("reports")


def go_on(guide: Guide) -> None:
    """Reports come in; the domains that they are about report, and are ready or not."""
    with smtplib.SMTP(guide.mx, 25, timeout=30) as smtp:
        for back in (1, 2):
            row = mails.detail(mx="mx1.mail.example", failed=30)
            for number, details in ((1, ()), (2, (row,))):
                made = mails.report(f"{name(number)}.example", day(back), details=details)
                raw = mails.mail(made, sender="tlsrpt@sender.net", submitter=None, newline="\r\n")
                smtp.sendmail("", "tlsrpt@example.com", sign(raw, domain="sender.net"))
    assert 4 == guide.site.count("reports WHERE status = 'counted'")

    said = guide.types("tlsrpt-mailer domains readiness")
    assert f"{name(1)}.example enforce ready" in said
    assert f"{name(2)}.example enforce not ready" in said
    assert "next: mend TLS at mx1.mail.example first" in said
    states = {one["domain"]: one["state"] for one in guide.site.json("domains")}
    assert ("first-report", "published") == (
        states[f"{name(1)}.example"],
        states[f"{name(3)}.example"],
    )
