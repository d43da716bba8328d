"""Looks at example.com, as far as a test cares."""

from typing import Any

from tlsrpt_mailer.domains.seen import Answer, HostSeen, Seen
from tlsrpt_mailer.report.times import Time

AT: Time = 1_795_435_200
RIGHT = "v=TLSRPTv1; rua=mailto:tlsrpt@example.com"


def answer(*values: str, secure: bool | None = None) -> Answer:
    return Answer("found", values, secure)


def host(name: str = "mx1.example.com", **fields: Any) -> HostSeen:
    """An MX host with an address and nothing else."""
    made = {"addresses": answer("192.0.2.1"), "tlsa": Answer("absent")}
    return HostSeen(host=name, **{**made, **fields})


def seen(domain: str = "example.com", **fields: Any) -> Seen:
    """A domain with a right record and one MX host, without MTA-STS and DANE."""
    made = {
        "at": AT,
        "mx": answer("10 mx1.example.com"),
        "ns": answer("ns1.example.net"),
        "record": answer(RIGHT),
        "sts": Answer("absent"),
        "hosts": (host(),),
    }
    return Seen(domain=domain, **{**made, **fields})
