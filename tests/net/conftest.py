"""DNS as the tests of this folder have it: a signed root, and a resolver that validates."""

from collections.abc import Iterator

import pytest

from tests.servers.knot import Knot, knot
from tests.servers.unbound import Unbound, unbound

BIG = " ".join(f'"{"x" * 250}"' for _ in range(60))
EXAMPLE = f"""
@ NS ns2
@ MX 10 MX1
@ MX 5 mx2.Example.COM.
@ TXT "one " "string" "; two"
@ TXT "caf\\233"
mx1 A 127.0.0.1
mx1 A 127.0.0.2
mx1 AAAA 2001:DB8::1
_25._tcp.mx1 TLSA 3 1 1 ( 00AABBCCDDEEFF112233445566778899
                          00AABBCCDDEEFF112233445566778899 )
_25._tcp.mx1 TLSA 2 0 0 3082
_25._tcp.odd TLSA 3 1 1 ABCD
_25._tcp.odd TLSA 3 1 2 00AABBCC
_25._tcp.odd TLSA 9 9 9 00
null MX 0 .
www CNAME mx1
chain CNAME www
nowhere CNAME gone
circle CNAME elcric
elcric CNAME circle
big TXT {BIG}
short 1 TXT "for a second"
long 864000 TXT "for ten days"
"""
ZONES = {
    "example": EXAMPLE,
    "plain.example": "@ TXT plain\n@ MX 10 mx\n",
    "bogus.example": "@ TXT bogus\n@ MX 10 mx\n",
}


@pytest.fixture(scope="package")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knot]:
    """`ZONES`: one signed, one not, one with a key that its parent does not know."""
    folder = tmp_path_factory.mktemp("dns")
    with knot(folder, ZONES, signed=["example"], bogus=["bogus.example"]) as server:
        yield server


@pytest.fixture(scope="package")
def resolver(root: Knot) -> Iterator[Unbound]:
    """It validates."""
    with unbound(root.folder.parent, root) as server:
        yield server
