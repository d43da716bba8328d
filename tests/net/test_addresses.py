"""Which addresses lead out of our own network."""

import pytest

from tlsrpt_mailer.net.addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.99.1.2", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "100.64.0.1", "169.254.169.254", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd12::1", "ff02::1",
        "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "::127.0.0.1", "64:ff9b:1::a00:1", "mx.example.com", "", "127.1", "fe80::1%eth0",
    ],
)  # fmt: skip
def test_what_only_we_can_reach_is_not_public(address: str):
    """
    Nor what is no address of a host at all: strangers' records may name any of these, also
    an address of IPv4 dressed up as one of IPv6.
    """
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2a00:1450:4001::1a", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_what_everybody_can_reach_is_public(address: str):
    """Those are looked at."""
    assert is_public(address)
