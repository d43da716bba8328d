"""The keys that the fuzzers' seeds are signed with; a new RSA key in each process."""

from functools import cache

from tests.trust.signing import ed25519_key, rsa_key

DOMAIN = "sender.example"
SELECTORS = ("sel", "ed", "own")
"""Of an RSA key, an Ed25519 key, and of the record that the fuzzer writes."""


@cache
def public_keys() -> dict[str, tuple[bytes, ...]]:
    """What DNS would say."""
    return {
        f"sel._domainkey.{DOMAIN}": (f"v=DKIM1; k=rsa; p={rsa_key()[1]}".encode(),),
        f"ed._domainkey.{DOMAIN}": (f"v=DKIM1; k=ed25519; p={ed25519_key()[1]}".encode(),),
    }
