"""Looks at domains, as the tests of checks make them: one that is right, and what changes in it."""

from typing import Any

import msgspec

from tests.alerts.examples import at
from tests.domains.records import OURS, RIGHT
from tlsrpt_mailer.domains.drift import Known, merge
from tlsrpt_mailer.domains.examine import examine
from tlsrpt_mailer.domains.expected import Expected
from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.seen import Answer, Certificate, HostSeen, Page, Seen, Shown
from tlsrpt_mailer.domains.sts import policy_text
from tlsrpt_mailer.report.times import DAY, Time

DOMAIN, MX1, MX2 = "shop.example", "mx1.shop.example", "mx2.shop.example"
NOW = at("2026-10-14T11:43")
ABSENT = Answer("absent")
DEAD = Answer("trouble", error="timed out")
BOGUS = Answer("trouble", error="RRSIG has expired", is_bogus=True)
STS = "v=STSv1; id=20260101T000000;"
KEY, OTHER_KEY = "ab" * 32, "cd" * 32
IP, IP6 = "192.0.2.1", "2001:db8::1"
RUA = OURS


def answer(*values: str, **more: Any) -> Answer:
    return Answer("found", tuple(sorted(values)), **more)


def signed(*values: str, **more: Any) -> Answer:
    return answer(*values, secure=True, **more)


def policy(mode: Any = "enforce", *hosts: str, max_age: int = 7 * DAY) -> Page:
    return page(policy_text(mode, hosts or (MX1, MX2), max_age))


def page(text: str, media_type: str | None = "text/plain") -> Page:
    return Page(kind="found", status=200, media_type=media_type, text=text)


def certificate(**more: Any) -> Certificate:
    given = {
        "subject": f"CN={MX1}",
        "issuer": "CN=Test CA",
        "names": (MX1,),
        "not_before": NOW - 60 * DAY,
        "not_after": NOW + 30 * DAY,
        "cert_sha256": "01" * 32,
        "cert_sha512": "02" * 64,
        "key_sha256": KEY,
        "key_sha512": "03" * 64,
    }
    return Certificate(**{**given, **more})


def shown(ip: str = IP, *, chain: tuple[Certificate, ...] | None = None, **more: Any) -> Shown:
    given = {"protocol": "TLSv1.3", "is_trusted": True, "names_fit": True, "kind": "tls"}
    own = (certificate(),) if chain is None else chain
    return Shown(ip=ip, at=NOW, chain=own, **{**given, **more})


def silent(kind: Any, ip: str = IP, error: str = "") -> Shown:
    """An address with which there was no TLS."""
    return Shown(ip=ip, at=NOW, kind=kind, error=error)


def host(name: str = MX1, **more: Any) -> HostSeen:
    given = {"addresses": answer(IP), "tlsa": ABSENT}
    return HostSeen(host=name, **{**given, **more})


def seen(**more: Any) -> Seen:
    """A look at a domain with nothing to tell of it; *more* is what is otherwise."""
    given: dict[str, Any] = {
        "domain": DOMAIN,
        "at": NOW,
        "mx": answer(f"10 {MX1}", f"20 {MX2}"),
        "ns": answer("ns1.example.net", "ns2.example.net"),
        "record": answer(RIGHT),
        "sts": answer(STS),
        "page": policy(),
        "hosts": (host(), host(MX2)),
    }
    return Seen(**{**given, **more})


def without_sts(**more: Any) -> Seen:
    return seen(sts=ABSENT, page=None, **more)


def with_host(*hosts: HostSeen, **more: Any) -> Seen:
    return seen(
        mx=answer(*(f"10 {one.host}" for one in hosts)),
        hosts=hosts,
        **{"page": policy("enforce", *(one.host for one in hosts)), **more},
    )


def expected(**more: Any) -> Expected:
    return Expected(**{"now": NOW, "rua": (RUA,), **more})


def findings(look: Seen, *earlier: Seen, **more: Any) -> list[Finding]:
    """What is found at *look*, after these *earlier* ones."""
    return examine(look, expected(**more), remembered(*earlier))


def found(code: str, look: Seen, *earlier: Seen, mx: str | None = None, **more: Any) -> Finding:
    """The one finding of that code."""
    (one,) = [
        each
        for each in findings(look, *earlier, **more)
        if each.code == code and mx in {None, each.mx}
    ]
    return one


def codes(look: Seen, *earlier: Seen, **more: Any) -> list[str]:
    return [one.code for one in findings(look, *earlier, **more)]


def remembered(*looks: Seen) -> list[Known]:
    """What a store knows after *looks*."""
    known: dict[tuple[str, str, Time], Known] = {}
    for look in looks:
        for row in merge(known.values(), look):
            known[row.kind, row.about, row.first_at] = row
    return list(known.values())


def earlier(look: Seen, days: int = 1) -> Seen:
    """The same look, some days before."""
    return msgspec.structs.replace(look, at=NOW - days * DAY)
