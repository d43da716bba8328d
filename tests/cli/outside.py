"""The world outside, as commands that look at it find it in the tests of this folder."""

from tests.cli.conftest import Place
from tests.ports import own_address
from tests.servers.land import Land, txt

RUA = "mailto:tlsrpt@example.com"
RIGHT = f"v=TLSRPTv1; rua={RUA}"
POLICY = "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: 604800\n"
MX = own_address()
"""Where mail for example.com goes; nobody listens there but in tests that start a server."""

ZONES = {
    "com": "",
    "example.com": "",
    "example": f"""
mx A {own_address()}
gap MX 10 mx
slip MX 10 mx
{txt("_smtp._tls.slip", f"v=TSLRPTv1; rua={RUA}")}
stranger MX 10 mx
{txt("_smtp._tls.stranger", "v=TLSRPTv1; rua=mailto:tls@stranger.example")}
service MX 10 mx
{txt("_smtp._tls.service", "v=TLSRPTv1; rua=https://reports.service.example/v1")}
two MX 10 mx
{txt("_smtp._tls.two", "v=TLSRPTv1; rua=mailto:a@stranger.example")}
{txt("_smtp._tls.two", "v=TLSRPTv1; rua=mailto:b@stranger.example")}
second MX 10 mx
{txt("_smtp._tls.second", RIGHT)}
{txt("_smtp._tls.second", "v=TLSRPTv1 ; rua=mailto:b@stranger.example")}
hostile MX 10 mx
{txt("_smtp._tls.hostile", chr(27) + "[31mv=TLSRPTv1; rua=" + chr(7) + "; $(reboot)")}
parked MX 0 .
*.many MX 0 .
aliased MX 10 mx
_smtp._tls.aliased CNAME _smtp._tls.stranger
""",
    "bogus.example": txt("_smtp._tls", RIGHT),
}


def settle(land: Land) -> None:
    """example.com is as it should be, with a policy; bogus.example is signed with another key."""
    land.policies.serve("example.com", POLICY)
    land.root.sign("bogus.example", rightly=False)
    land.change(
        "example.com",
        f"@ MX 10 mx1\nmx1 A {MX}\nmta-sts A {land.policies.address}\n"
        + "\n".join([txt("_smtp._tls", RIGHT), txt("_mta-sts", "v=STSv1; id=20261014;")]),
    )


def sees(place: Place, land: Land, more: str = "", checks: str = f'rua = ["{RUA}"]') -> None:
    """The configuration of a place from where *land* is seen."""
    place.configure(land.settings(checks) + more)
