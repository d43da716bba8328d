"""
Ten thousand domains looked at, with real DNS servers. Run it by hand, as root:

    python -m tests.bench.inventory [--domains 10000] [--rate 200]

One zone of knot has them all, unbound stands before it, and every twentieth has a policy on
a real web server. `check` without names looks at all of them, and writes down what it finds:
within minutes at the pace that the configuration has by itself, and with fewer than six
questions a domain. Then the same again, by a resolver that knows nothing any more.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.e2e.daemon import Site
from tests.servers.land import Land, land, txt

ZONE = "bench.example"
HOSTS = 50
"""MX hosts that share the domains."""
POLICIES = 20
"""Every so manieth has an MTA-STS policy."""
GAPS = 10
"""Every so manieth has no record."""
QUESTIONS = 6.0
MINUTES = 6.0


class Took(msgspec.Struct, frozen=True):
    """What one round took."""

    seconds: float
    asked: int
    """Questions that came to the resolver."""
    forwarded: int
    """Those that it put to the authoritative server."""


def names(count: int) -> list[str]:
    """The domains."""
    return [f"d{at:05}.{ZONE}" for at in range(count)]


def zone(domains: Sequence[str], address: str) -> str:
    """All records of all of them."""
    lines = [f"mx{at} A 192.0.2.{at + 1}" for at in range(HOSTS)]
    for at, domain in enumerate(domains):
        label = domain.partition(".")[0]
        lines.append(f"{label} MX 10 mx{at % HOSTS}")
        if at % GAPS:
            lines.append(txt(f"_smtp._tls.{label}", "v=TLSRPTv1; rua=mailto:tlsrpt@example.com"))
        if at % POLICIES == 1:
            lines.append(txt(f"_mta-sts.{label}", "v=STSv1; id=20261014;"))
            lines.append(f"mta-sts.{label} A {address}")
    return "\n".join(lines) + "\n"


def serve(ground: Land, domains: Sequence[str]) -> None:
    """The zone, and the policies."""
    for at, domain in enumerate(domains):
        if at % POLICIES == 1:
            text = f"version: STSv1\nmode: testing\nmx: mx{at % HOSTS}.{ZONE}\nmax_age: 604800\n"
            ground.policies.serve(domain, text)
    ground.change(ZONE, zone(domains, ground.policies.address))


def look(site: Site, ground: Land, domains: int) -> Took:
    """All of ours, once."""
    ground.resolver.forget()
    before = ground.resolver.count("total.num.queries"), ground.root.asked
    start = time.perf_counter()
    done = subprocess.run(
        site.words("check", "--json"),
        env=site.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - start
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == domains
    assert all(one["record_state"] for one in found), "some could not be looked up"
    after = ground.resolver.count("total.num.queries"), ground.root.asked
    return Took(took, after[0] - before[0], after[1] - before[1])


def main() -> None:
    """Print how long it took, and how much was asked."""
    words = argparse.ArgumentParser()
    words.add_argument("--domains", type=int, default=10_000)
    words.add_argument("--rate", type=int, default=200)
    given = words.parse_args()
    domains = names(given.domains)
    zones = {"example": "", ZONE: "", "com": "", "example.com": "@ MX 10 mx\nmx A 192.0.2.1\n"}
    with tempfile.TemporaryDirectory() as name, land(Path(name), zones) as ground:
        folder = Path(name) / "site"
        folder.mkdir()
        serve(ground, domains)
        (folder / "domains.txt").write_text("\n".join(domains) + "\n")
        site = Site(folder)
        settings = ground.settings('schedule = "off"\nrua = ["mailto:tlsrpt@example.com"]')
        site.configure(f'{settings}[[domains]]\nfile = "domains.txt"\n')
        config = site.config.read_text().replace(
            "queries_per_second = 100000", f"queries_per_second = {given.rate}"
        )
        site.config.write_text(config)
        assert site.command("once").returncode == 0
        missed = False
        for turn in ("first", "second"):
            took = look(site, ground, given.domains)
            each = took.asked / given.domains
            sys.stdout.write(
                f"{turn} look at {given.domains:,} domains: {took.seconds:.0f} s,"
                f" {took.asked:,} questions to the resolver ({each:.1f} a domain),"
                f" {took.forwarded:,} from it to the authoritative server\n"
            )
            missed |= took.seconds > MINUTES * 60 or each > QUESTIONS
    sys.exit(missed)


if __name__ == "__main__":
    main()
