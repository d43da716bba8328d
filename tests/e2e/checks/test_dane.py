"""TLSA records and certificates of a real Postfix: found wrong, mended by what is printed, well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Place
from tests.domains.records import OURS, RIGHT
from tests.mails import Json
from tests.ports import own_address
from tests.servers.land import Land, txt
from tests.servers.postfix import listener, postfix

pytestmark = pytest.mark.servers

DOMAIN = "tlsa.example"
MX = f"mx1.{DOMAIN}"
OLD = f"_25._tcp.mx1 TLSA 3 1 1 {'ab' * 32}"
"""Of the key before the last."""


class Mx:
    """An MX host: the addresses where a Postfix listens, and the certificate that it shows."""

    def __init__(self, address: str, chain: Path) -> None:
        self.address = address
        self.chain = chain


@pytest.fixture(scope="module")
def mx(ground: Land, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mx]:
    address, chain = own_address(), tmp_path_factory.mktemp("mx") / "mx.pem"
    leaf = ground.policies.ca.issue_cert(MX)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(chain))
    with postfix(master=listener(address, chain)):
        yield Mx(address, chain)


@pytest.fixture
def checked(place: Place, ground: Land) -> Place:
    settings = ground.settings(f'rua = ["{OURS}"]\nprobe = true')
    place.configure(f'{settings}[[domains]]\nmatch = ["{DOMAIN}"]\n')
    return place


def _publish(ground: Land, mx: Mx, *lines: str) -> None:
    base = (f"@ MX 10 mx1\nmx1 A {mx.address}", txt("_smtp._tls", RIGHT))
    ground.change(DOMAIN, "\n".join((*base, txt("_smtp._tls.mx1", RIGHT), *lines)) + "\n")


def _found(place: Place, code: int) -> tuple[str, list[Json]]:
    """The state of DANE, and what a check finds, notes left out."""
    result = place("check", "--json", DOMAIN, now=None)
    assert code == result.code, result.out + result.err
    (one,) = result.json
    return one["dane"], [each for each in one["findings"] if each["severity"] != "note"]


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ((OLD,), "dane-mismatch"),
        ((f"_25._tcp.mx1 TLSA 1 1 1 {'ab' * 32}",), "dane-unusable"),
        ((f"_25._tcp.mx1 TLSA 3 1 1 {'ab' * 20}",), "dane-unusable"),
        ((f"_25._tcp.mx1 TLSA 3 1 2 {'ab' * 64}", OLD), "dane-mismatch"),
    ],
)
def test_a_record_that_fits_no_certificate_is_mended_by_the_line_that_is_printed(
    checked: Place, ground: Land, mx: Mx, records: tuple[str, ...], code: str
) -> None:
    """Mail is refused by senders that do DANE, or unprotected; the line names the key of now."""
    _publish(ground, mx, *records)

    state, (one,) = _found(checked, 1)
    assert ("broken", code, MX) == (state, one["code"], one["mx"])
    assert ("critical" if code == "dane-mismatch" else "warning") == one["severity"]
    _publish(ground, mx, *one["lines"])

    assert ("full", []) == _found(checked, 0)


def test_a_record_for_the_key_that_comes_next_does_no_harm(
    checked: Place, ground: Land, mx: Mx
) -> None:
    """Old and new stand side by side while a key is rolled over."""
    _publish(ground, mx, OLD)
    (one,) = _found(checked, 1)[1]
    _publish(ground, mx, OLD, *one["lines"])

    assert ("full", []) == _found(checked, 0)


def test_an_mx_host_with_tlsa_wants_a_record_of_its_own(
    checked: Place, ground: Land, mx: Mx
) -> None:
    """Senders that do DANE report to what the MX host names, not the mail domain (RFC 8460, 3)."""
    _publish(ground, mx, OLD)
    (tlsa,) = _found(checked, 1)[1]
    zone = f"{ground.root.records(DOMAIN)}\n{tlsa['facts']['line']}\n"
    right = txt("_smtp._tls.mx1", RIGHT)
    ground.change(DOMAIN, zone.replace(right, ""))

    (one,) = _found(checked, 1)[1]
    assert ("tlsrpt-missing", MX, "gap") == (one["code"], one["mx"], one["severity"])
    assert f"_smtp._tls.{MX}. IN TXT" in one["facts"]["line"]
    ground.change(DOMAIN, zone.replace(right, "\n".join(one["lines"])))

    assert ("full", []) == _found(checked, 0)


def test_a_zone_that_is_not_signed_has_no_dane(checked: Place, ground: Land, mx: Mx) -> None:
    """The same records count for nothing: the DNSSEC of the zone is what is missing."""
    _publish(ground, mx, OLD)
    (one,) = _found(checked, 1)[1]
    lines = "\n".join(one["lines"]).replace(DOMAIN, "slips.example")
    zone = ground.root.records(DOMAIN).replace(OLD, lines)
    ground.change("slips.example", zone)
    settings = ground.settings(f'rua = ["{OURS}"]')
    checked.configure(f'{settings}[[domains]]\nmatch = ["slips.example"]\n')

    result = checked("check", "--json", "slips.example", now=None)

    assert (1, "unsigned") == (result.code, result.json[0]["dane"])
    assert "dane-insecure" in [each["code"] for each in result.json[0]["findings"]]
