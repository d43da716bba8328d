"""One look at a domain: what is asked of DNS, of the policy's host and of MX hosts, in order."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from tlsrpt_mailer.domains.record import PLACE, parse_record, wrong_places
from tlsrpt_mailer.domains.seen import Answer, HostSeen, Page, RecordType, Seen, Shown
from tlsrpt_mailer.ports import Scout
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.times import DAY, MINUTE, Span, Time

MOST_HOSTS = 20
"""MX hosts of one domain that are looked at."""
MOST_NAMES = 50
"""Names of MX hosts that one domain may have had within `NAMES_WITHIN`: a zone that makes up new
ones for every question would have each of them looked at, and kept."""
NAMES_WITHIN: Span = 30 * DAY
MOST_RUA = 5
"""Domains that a record sends reports to, of which it is asked whether they take mail."""
PROBING: Span = 4 * MINUTE
"""After so long with the MX hosts of one domain the others are left for the next look: hosts that
let everybody wait would hold up the looks at all other domains."""
STS_PLACE = "_mta-sts."
TLSA_PLACE = "_25._tcp."

Ask = Callable[[str, RecordType], Answer]
"""`Scout.ask`."""
Probe = Callable[[str, Sequence[str]], tuple[Shown, ...]]
"""What these addresses of an MX host show; () where nobody looks."""

ABSENT = Answer("absent")


def no_probe(_host: str, _addresses: Sequence[str]) -> tuple[Shown, ...]:
    """Nobody looks."""
    return ()


def at_most(
    probe: Probe, span: Span = PROBING, clock: Callable[[], float] = time.monotonic
) -> Probe:
    """As *probe*, but it begins with no host any more once *span* is over."""
    until = clock() + span

    def limited(host: str, addresses: Sequence[str]) -> tuple[Shown, ...]:
        return probe(host, addresses) if clock() < until else ()

    return limited


def look_at_host(host: str, scout: Scout, now: Time) -> Seen:
    """A look at an MX host: only its TLSRPT record (RFC 8460, 3)."""
    return _with_record(
        Seen(domain=host, at=now, mx=ABSENT, ns=ABSENT, sts=ABSENT, record=ABSENT), scout
    )


def look_at(
    domain: str,
    scout: Scout,
    now: Time,
    probe: Probe = no_probe,
    had: Collection[str] = (),
) -> Seen:
    """
    A look at a domain, all of it.

    Args:
        domain: Its name.
        scout: Who asks.
        now: When it begins.
        probe: Who connects to MX hosts.
        had: The MX hosts that it has had lately.
    """
    mx = scout.ask(domain, "MX")
    hosts = _not_too_many(mx_hosts(domain, mx), had)
    sts = scout.ask(STS_PLACE + domain, "TXT")
    seen = Seen(
        domain=domain,
        at=now,
        mx=mx,
        ns=scout.ask(domain, "NS"),
        sts=sts,
        page=_page(domain, sts, scout),
        hosts=tuple(_host(name, scout, probe) for name in hosts),
        record=ABSENT,
        is_probing=probe is not no_probe,
    )
    return _with_record(seen, scout)


def mx_hosts(domain: str, mx: Answer) -> list[str]:
    """
    The MX hosts by preference; the domain itself where it has no MX (RFC 5321, 5.1).

    None for a null MX (RFC 7505), and while nobody knows.
    """
    if mx.kind == "trouble":
        return []
    if mx.kind == "absent":
        return [domain]
    found = sorted(_preference(value) for value in mx.values)
    return list(dict.fromkeys(host for _, host in found if is_strict_host(host)))[:MOST_HOSTS]


def _not_too_many(hosts: Iterable[str], had: Collection[str]) -> list[str]:
    """Those that it has had, and new ones while there are not `MOST_NAMES` of them all."""
    left = max(0, MOST_NAMES - len(had))
    new = [host for host in hosts if host not in had][:left]
    return [host for host in hosts if host in had or host in new]


def _preference(value: str) -> tuple[int, str]:
    number, _, host = value.partition(" ")
    return (int(number) if number.isdecimal() else 0), host


def _with_record(seen: Seen, scout: Scout) -> Seen:
    """The part of a look that is about the TLSRPT record."""
    domain = seen.domain
    answer = scout.ask(PLACE + domain, "TXT")
    found = parse_record(text.encode() for text in answer.values)
    is_there = found.text is not None or answer.kind == "trouble"
    return msgspec.structs.replace(
        seen,
        record=answer,
        elsewhere=() if is_there else tuple(elsewhere(domain, scout.ask)),
        rua_hosts=tuple(_rua_hosts(found.addresses, scout)),
    )


def elsewhere(domain: str, ask: Ask) -> Iterator[tuple[str, str]]:
    """Name and text of TLSRPT records that stand where nobody looks for one."""
    for name in wrong_places(domain):
        for text in ask(name, "TXT").values:
            if "tlsrpt" in text.lower().replace(" ", ""):
                yield name, text


def _rua_hosts(addresses: Iterable[str], scout: Scout) -> Iterator[tuple[str, Answer]]:
    domains = dict.fromkeys(address.rpartition("@")[2] for address in addresses)
    for domain in list(domains)[:MOST_RUA]:
        if is_strict_host(domain):
            mx = scout.ask(domain, "MX")
            yield domain, addresses_of(domain, scout) if mx.kind == "absent" else mx


def _page(domain: str, sts: Answer, scout: Scout) -> Page | None:
    """Nobody fetches a policy that no record announces (RFC 8461, 3.1)."""
    is_announced = any(text.startswith("v=STSv1") for text in sts.values)
    return scout.page(domain) if is_announced else None


def _host(host: str, scout: Scout, probe: Probe) -> HostSeen:
    addresses = addresses_of(host, scout)
    tlsa = scout.ask(TLSA_PLACE + host, "TLSA")
    return HostSeen(
        host=host,
        addresses=addresses,
        tlsa=tlsa,
        record=scout.ask(PLACE + host, "TXT") if tlsa.kind == "found" else None,
        shown=probe(host, addresses.values),
    )


def addresses_of(host: str, scout: Scout) -> Answer:
    """A and AAAA together."""
    both = [scout.ask(host, "A"), scout.ask(host, "AAAA")]
    values = tuple(value for one in both for value in one.values)
    found = [one for one in both if one.kind == "found"]
    if found:
        alias = next((one.alias for one in found if one.alias), None)
        secure = None if None in {one.secure for one in found} else all(one.secure for one in found)
        return Answer("found", values, secure, alias=alias)
    return next((one for one in both if one.kind == "trouble"), both[0])
