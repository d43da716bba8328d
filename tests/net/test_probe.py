"""What MX hosts show on port 25: a real Postfix with many certificates."""

import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import trustme
from cryptography import x509

from tests.e2e.waiting import until
from tests.ports import own_address
from tests.servers.certificates import issued, self_signed, without_dates
from tests.servers.postfix import Postfix, listener, postfix
from tlsrpt_mailer.domains.seen import Shown
from tlsrpt_mailer.errors import ConfigError
from tlsrpt_mailer.net.certificates import key_info
from tlsrpt_mailer.net.probe import Probe, control

pytestmark = pytest.mark.servers

MX = "mx1.example.com"
NOW = 1_800_000_000
BEGAN, ENDED = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 4, 1, tzinfo=UTC)


class House(msgspec.Struct):
    """A Postfix that listens on many addresses, each with a certificate of its own."""

    server: Postfix
    ca: trustme.CA
    ca_file: str
    folder: Path
    addresses: dict[str, str]

    def show(self, name: str, host: str = MX) -> Shown:
        return Probe("probe.example.org", ca_file=self.ca_file).show(
            host, self.addresses[name], NOW
        )


def chains(ca: trustme.CA) -> dict[str, bytes]:
    """Key and chain by the name of what is the matter with them."""
    middle = ca.create_child_ca()
    whole = middle.issue_cert(MX)
    lonely = middle.issue_cert(MX)
    usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])  # type: ignore[attr-defined]
    names = x509.SubjectAlternativeName([x509.DNSName(MX)])
    past = ca.issue_cert(MX, not_before=BEGAN, not_after=ENDED)
    bad_names = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\xff\xff")
    bad_usage = x509.UnrecognizedExtension(x509.ExtendedKeyUsage.oid, b"\xff\xff")
    bad_feature = x509.UnrecognizedExtension(x509.TLSFeature.oid, b"\xff\xff")
    odd_middle = without_dates(middle.cert_pem.bytes())
    return {
        "good": whole.private_key_and_cert_chain_pem.bytes(),
        "no intermediate": lonely.private_key_pem.bytes() + lonely.cert_chain_pems[0].bytes(),
        "expired": past.private_key_and_cert_chain_pem.bytes(),
        "wildcard": ca.issue_cert("*.example.com").private_key_and_cert_chain_pem.bytes(),
        "wrong name": ca.issue_cert("www.example.com").private_key_and_cert_chain_pem.bytes(),
        "only a common name": issued(ca, MX),
        "for clients": issued(ca, MX, usage, names),
        "self-signed": self_signed(MX),
        "noise for names": issued(ca, MX, bad_names),
        "noise for its use": issued(ca, MX, bad_usage, names),
        "noise elsewhere": issued(ca, MX, bad_feature, names),
        "noise behind it": lonely.private_key_pem.bytes()
        + lonely.cert_chain_pems[0].bytes()
        + odd_middle,
        "noise alone": _noise(whole),
        "stranger": trustme.CA().issue_cert(MX).private_key_and_cert_chain_pem.bytes(),
    }


def _noise(leaf: trustme.LeafCert) -> bytes:
    return leaf.private_key_pem.bytes() + without_dates(leaf.cert_chain_pems[0].bytes())


OPTIONS = {
    "only TLS 1.2": {"smtpd_tls_protocols": "TLSv1.2"},
    "only TLS 1.3": {"smtpd_tls_protocols": ">=TLSv1.3"},
    "anonymous ciphers first": {
        "smtpd_tls_protocols": "TLSv1.2",
        "tls_medium_cipherlist": "aNULL:HIGH",
        "tls_preempt_cipherlist": "yes",
    },
    "no STARTTLS": {"smtpd_tls_security_level": "none"},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("chains")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    lines, addresses = "", {}
    kinds = chains(ca)
    for name in (*kinds, *OPTIONS):
        pem = folder / f"{name.replace(' ', '-')}.pem"
        pem.write_bytes(kinds.get(name, kinds["good"]))
        addresses[name] = own_address()
        lines += listener(addresses[name], pem, **OPTIONS.get(name, {}))
    with postfix(master=lines) as server:
        yield House(server, ca, str(folder / "ca.pem"), folder, addresses)


def test_a_good_host_shows_its_chain(house: House):
    """The chain in the order in which it is sent, its own certificate first, and what it says."""
    shown = house.show("good")
    own, middle = shown.chain

    assert ("tls", "TLSv1.3", "") == (shown.kind, shown.protocol, shown.error)
    assert (True, "", True) == (shown.is_trusted, shown.distrust, shown.names_fit)
    assert (NOW, house.addresses["good"]) == (shown.at, shown.ip)
    assert (MX,) == own.names
    assert own.issuer == middle.subject != own.subject
    assert own.not_before < time.time() < own.not_after
    assert [False, False] == [own.is_self_signed, middle.is_self_signed]


def test_digests_are_those_of_openssl(house: House):
    """What is compared with TLSA records is what `openssl` computes for them."""
    own = house.show("good").chain[0]
    pem = str(house.folder / "good.pem")
    whole = openssl(f"x509 -in {pem} -outform DER")
    key = openssl("pkey -pubin -outform DER", openssl(f"x509 -in {pem} -noout -pubkey"))

    assert hashlib.sha256(whole).hexdigest() == own.cert_sha256
    assert hashlib.sha512(whole).hexdigest() == own.cert_sha512
    assert hashlib.sha256(key).hexdigest() == own.key_sha256
    assert hashlib.sha512(key).hexdigest() == own.key_sha512


def openssl(words: str, given: bytes = b"") -> bytes:
    return subprocess.check_output(
        ["openssl", *words.split()], input=given, stderr=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    "key", ["rsa:2048", "rsa-pss", "ed25519", "ec -pkeyopt ec_paramgen_curve:P-384"]
)
@pytest.mark.parametrize("version", [1, 3])
def test_the_key_of_any_kind_byte_for_byte(tmp_path: Path, key: str, version: int):
    """Also where a library would write it anew in another way."""
    secret = tmp_path / "key.pem"
    der = openssl(f"req -x509 -subj /CN=x -nodes -keyout {secret} -outform DER -newkey {key}")
    if version == 1:
        asked = openssl(f"req -new -subj /CN=x -key {secret}")
        der = openssl(f"x509 -req -outform DER -signkey {secret}", asked)
    public = openssl("x509 -inform DER -noout -pubkey", der)
    certificate = x509.load_der_x509_certificate(der)

    assert f"v{version}" == certificate.version.name
    assert openssl("pkey -pubin -outform DER", public) == key_info(certificate)


@pytest.mark.parametrize(
    ("name", "distrust"),
    [
        ("no intermediate", "unable to get local issuer certificate"),
        ("self-signed", "self-signed certificate"),
        ("stranger", "unable to get local issuer certificate"),
        ("for clients", "unsuitable purpose"),
    ],
)
def test_a_chain_that_leads_to_no_root(house: House, name: str, distrust: str):
    """It says why, in OpenSSL's words; TLS is seen all the same, with the names it is for."""
    shown = house.show(name)

    assert ("tls", False, distrust) == (shown.kind, shown.is_trusted, shown.distrust)
    assert (True, 1) == (shown.names_fit, len(shown.chain))
    assert (name == "self-signed") == shown.chain[0].is_self_signed


def test_an_expired_certificate_is_told_by_its_dates_alone(house: House):
    """Whose it is, is another question than when it ends."""
    shown = house.show("expired")

    assert ("tls", True, True) == (shown.kind, shown.is_trusted, shown.names_fit)
    assert (BEGAN.timestamp(), ENDED.timestamp()) == (
        shown.chain[0].not_before,
        shown.chain[0].not_after,
    )


@pytest.mark.parametrize(
    ("name", "host", "fits"),
    [
        ("good", "mx2.example.com", False),
        ("good", "MX1.example.com", True),
        ("wildcard", MX, True),
        ("wildcard", "example.com", False),
        ("wildcard", "a.mx1.example.com", False),
        ("wrong name", MX, False),
        ("only a common name", MX, False),
        ("good", "192.0.2.1", False),
        ("good", "not a host", False),
    ],
)
def test_whom_a_certificate_is_made_out_to(house: House, name: str, host: str, fits: bool):
    """Names in subjectAltName, a wildcard for one label, and no common name (RFC 6125)."""
    shown = house.show(name, host)

    assert ("tls", fits) == (shown.kind, shown.names_fit)


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("only TLS 1.2", "TLSv1.2"),
        ("only TLS 1.3", "TLSv1.3"),
        ("anonymous ciphers first", "TLSv1.2"),
    ],
)
def test_what_is_agreed_on(house: House, name: str, protocol: str):
    """The version, and a certificate also where the server would do without."""
    shown = house.show(name)

    assert ("tls", protocol, True) == (shown.kind, shown.protocol, shown.is_trusted)


def test_certificates_that_are_not_as_they_should_be(house: House):
    """What cannot be read of them is left out, and believed in nothing; the rest is told."""
    names, use = house.show("noise for names"), house.show("noise for its use")
    other = house.show("noise elsewhere")
    behind, alone = house.show("noise behind it"), house.show("noise alone")

    assert ("tls", (), False) == (names.kind, names.chain[0].names, names.names_fit)
    assert ("tls", False, True) == (use.kind, use.is_trusted, bool(use.distrust))
    assert ("tls", True) == (other.kind, other.is_trusted)
    assert ("tls", 1, True) == (behind.kind, len(behind.chain), behind.names_fit)
    assert ("tls", (), None) == (alone.kind, alone.chain, alone.is_trusted)
    assert "its certificate cannot be read" == alone.error


def test_a_host_without_starttls(house: House):
    """It says so, and nothing of certificates."""
    shown = house.show("no STARTTLS")

    assert "no-starttls" == shown.kind
    assert "EHLO is answered without STARTTLS" == shown.error
    assert ((), None, None) == (shown.chain, shown.is_trusted, shown.names_fit)


def test_a_probe_says_goodbye_and_begins_no_mail(house: House):
    """
    The log of the host has three commands and no complaint: postmasters ask who it was that
    hung up in the middle.
    """
    house.show("good")
    house.show("no STARTTLS")

    until(lambda: house.server.log.count("disconnect from") >= 3, "both are logged")
    ends = set(re.findall(r"disconnect from \S+ (.*)", house.server.log))
    ours = {"ehlo=1 starttls=1 quit=1 commands=3", "ehlo=1 quit=1 commands=2"}
    assert ends == ours | {"quit=1 commands=1"}  # the last one saw whether it was up
    assert "lost connection" not in house.server.log
    assert "SSL_accept error" not in house.server.log


def test_the_system_decides_whom_to_trust_where_no_file_does(house: House):
    """A CA of a test is none of the system's."""
    shown = Probe("probe.example.org").show(MX, house.addresses["good"], NOW)

    assert ("tls", False) == (shown.kind, shown.is_trusted)


def test_the_systems_roots_are_used(house: House, monkeypatch: pytest.MonkeyPatch):
    """With this CA among them (SSL_CERT_FILE), the chain is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", house.ca_file)

    assert Probe("probe.example.org").show(MX, house.addresses["good"], NOW).is_trusted


def test_settings_that_cannot_work_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A file without certificates, and the extra that is not installed: what to do about it."""
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"bad\.pem: no certificates in PEM"):
        Probe("probe.example.org", ca_file=str(bad))
    monkeypatch.setitem(sys.modules, "OpenSSL", None)
    for module in ("handshake", "certificates"):
        monkeypatch.delitem(sys.modules, f"tlsrpt_mailer.net.{module}")
        monkeypatch.delattr(f"tlsrpt_mailer.net.{module}")
    with pytest.raises(ConfigError, match=r"pip install 'tlsrpt-mailer\[probe\]'"):
        Probe("probe.example.org")


# ------------------------------------------------------------------------ the control probe


def test_one_host_that_lets_us_connect_is_enough(house: House):
    """Then port 25 can be reached from here, whatever the others do."""
    places = [("a.example", own_address()), ("b.example", house.addresses["good"])]

    assert control(places) is None


def test_why_nobody_can_be_reached():
    """Each host and what became of it, in one line for a finding."""
    here = own_address()

    assert f"a.example ({here}): Connection refused" == control([("a.example", here)])
    assert "no host to try it with" == control([])
    assert "a.example (x y): " in str(control([("a.example", "x y")]))
