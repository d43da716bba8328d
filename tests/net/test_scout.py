"""All that a check looks at, by one scout; and that nothing of it is loaded before it is wanted."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trustme

from tests.ports import free_port, own_address
from tests.servers.knot import Knot, knot
from tests.servers.policyhost import POLICY, policy_host
from tests.servers.postfix import listener, postfix
from tests.servers.unbound import unbound
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.net.lookups import Lookups
from tlsrpt_mailer.net.scout import NetScout
from tlsrpt_mailer.ports.checking import Scout

NOW = 1_800_000_000


class Land(msgspec.Struct):
    """A domain with a signed zone, a policy and an MX host."""

    dns: str
    root: Knot
    ca_file: str
    mx: str

    def scout(self, **options: object) -> NetScout:
        options = {"helo": "probe.example.org", "ca_file": self.ca_file, **options}
        return NetScout(Lookups([self.dns]), clock=lambda: NOW, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    folder, mx = tmp_path_factory.mktemp("land"), own_address()
    with policy_host(folder) as policies:
        policies.serve("example.com")
        pem = folder / "mx.pem"
        leaf: trustme.LeafCert = policies.ca.issue_cert("mx1.example.com")
        leaf.private_key_and_cert_chain_pem.write_to_path(str(pem))
        zone = f"@ MX 10 mx1\nmx1 A {mx}\nmta-sts A {policies.address}\ndead A {own_address()}\n"
        with (
            knot(
                folder,
                {"com": "", "example.com": zone, "bogus.com": "mx1 A 192.0.2.1\n"},
                signed=["com", "example.com"],
                bogus=["bogus.com"],
            ) as root,
            unbound(folder, root) as resolver,
            postfix(master=listener(mx, pem)),
        ):
            yield Land(resolver.address, root, str(policies.ca_file), mx)


@pytest.mark.servers
def test_one_look_at_a_domain(land: Land):
    """Its MX with proof, its policy by that DNS, and what the MX host shows."""
    scout: Scout = land.scout()
    mx = scout.ask("example.com", "MX")
    page = scout.page("example.com")
    shown = scout.show("mx1.example.com", land.mx)

    assert (("10 mx1.example.com",), True) == (mx.values, mx.secure)
    assert ("found", POLICY) == (page.kind, page.text)
    assert ("tls", NOW, True, True) == (shown.kind, shown.at, shown.is_trusted, shown.names_fit)


@pytest.mark.servers
def test_without_a_name_no_mx_host_is_looked_at(land: Land):
    """A probe is only for those who want it."""
    shown = land.scout(helo=None).show("mx1.example.com", land.mx)

    assert ("unreachable", "MX hosts are not looked at") == (shown.kind, shown.error)


@pytest.mark.servers
def test_a_scout_for_domains_of_strangers_stays_outside(land: Land):
    """Neither policy host nor MX host may lead into our own network."""
    scout = land.scout(only_public=True)

    assert "no public address" in scout.page("example.com").error
    assert "no public address" in scout.show("mx1.example.com", land.mx).error


@pytest.mark.servers
def test_the_control_probe_finds_the_hosts_itself(land: Land):
    """One that answers is enough; else it says of each why not."""
    scout = land.scout()

    assert scout.control(["nx.example.com", "dead.example.com", "mx1.example.com"], "A") is None
    said = scout.control(["nx.example.com", "dead.example.com"], "A")
    assert said
    assert said.startswith("nx.example.com has no address; dead.example.com (127.")
    assert said.endswith("): Connection refused")
    assert "no host to try it with" == scout.control([], "A")


@pytest.mark.servers
def test_dns_is_silent_only_where_nobody_can_be_asked_for(land: Land):
    """
    A resolver that is not there, or that reaches none of the hosts of others: then a domain
    without an answer may be well. A name that does not exist is an answer.
    """
    scout = land.scout()
    dead = NetScout(Lookups([f"127.0.0.1:{free_port()}"], timeout=1.0), ca_file=land.ca_file)

    assert scout.silence([]) is None
    assert scout.silence(["mx1.bogus.com", "nx.example.com"]) is None
    assert "SERVFAIL" == scout.silence(["mx1.bogus.com"])
    assert dead.silence(["mx1.example.com"])


def test_settings_that_cannot_work_are_told_at_once(tmp_path: Path):
    """Not at the first look."""
    with pytest.raises(ConfigError, match="No such file"):
        NetScout(Lookups(["127.0.0.1"]), ca_file=str(tmp_path / "none.pem"))


def test_commands_that_look_at_nothing_load_nothing_of_it():
    """DNS, HTTPS and OpenSSL cost memory and start-up time only where they are used."""
    code = "import sys, tlsrpt_mailer.cli.main; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()

    assert "tlsrpt_mailer.cli.main" in loaded
    assert not {"dns", "urllib3", "OpenSSL", "cryptography", "ssl", "smtplib"} & set(loaded)
