"""What is wrong with the TLSA records of MX hosts, and with the DNSSEC below them (RFC 7672)."""

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from tlsrpt_mailer.domains import dane, drift, sts
from tlsrpt_mailer.domains.examining.look import Look, found, is_proven
from tlsrpt_mailer.domains.finding import Finding, Weight
from tlsrpt_mailer.domains.flaw import said
from tlsrpt_mailer.domains.seen import HostSeen, Shown
from tlsrpt_mailer.report.times import iso

Asked: TypeAlias = Literal["nothing", "key", "chain", "mismatch", "refused"]
"""
``nothing``: DANE does not count. ``key``: that a TLSA 3 x x record fits, as one does. ``chain``:
dates and names as well, by a record 2 x x, and they are in order. ``refused``: they are not.
``mismatch``: no record fits, which is refused too, whatever dates and names are (`dane-mismatch`).
"""
_LISTED = 5
"""Records and names that a finding quotes."""


def findings(look: Look) -> Iterator[Finding]:
    """Of the domain as a whole, then of each MX host."""
    hosts = look.seen.hosts
    if look.seen.mx.is_bogus:
        yield found("dane-bogus", "critical", what="MX", error=look.seen.mx.error)
    yield from _of_all(look)
    if look.seen.mx.secure is False and any(is_proven(host) for host in hosts):
        yield found("dane-mx-insecure", "notice", hosts=_names(filter(is_proven, hosts)))
    for host in hosts:
        yield from _of_host(look, host)


def _names(hosts: Iterable[HostSeen]) -> str:
    return ", ".join(host.host for host in hosts)


def _of_all(look: Look) -> Iterator[Finding]:
    signed = [host for host in look.seen.hosts if host.tlsa.kind == "found"]
    bare = [host for host in look.seen.hosts if host.tlsa.kind == "absent"]
    if signed and bare:
        yield found("dane-partial", "notice", hosts=_names(signed), others=_names(bare))
    unknown = [host for host in signed if host.tlsa.secure is None]
    if unknown:
        yield found("dane-unknown", "note", hosts=_names(unknown))


def _of_host(look: Look, host: HostSeen) -> Iterator[Finding]:
    broken = [
        (what, answer.error)
        for what, answer in (("address", host.addresses), ("TLSA", host.tlsa))
        if answer.is_bogus
    ]
    if broken:
        what = " and ".join(one for one, _ in broken)
        yield found("dane-bogus", "critical", host.host, what=what, error=broken[0][1])
    elif host.tlsa.kind == "trouble" and host.addresses.secure is not False:
        weight: Weight = "warning" if host.addresses.secure else "notice"
        yield found("dane-trouble", weight, host.host, error=host.tlsa.error)
    elif host.tlsa.kind == "absent":
        yield from _gone(look, host)
    elif host.tlsa.kind == "found":
        yield from _records(look, host)


def _gone(look: Look, host: HostSeen) -> Iterator[Finding]:
    rows = [row for row in look.history("tlsa", host.host) if row.value]
    if rows:
        was = drift.values(rows[0])[:_LISTED]
        lines = "\n".join(f"{dane.PLACE}{host.host}. IN TLSA {value}" for value in was)
        until = iso(rows[0].last_at)
        yield found("dane-gone", "warning", host.host, line=lines, seen_right_until=until)


def _records(look: Look, host: HostSeen) -> Iterator[Finding]:
    if host.tlsa.secure is False or host.addresses.secure is False:
        what = "TLSA" if host.tlsa.secure is False else "address"
        yield found("dane-insecure", "notice", host.host, what=what)
        return
    usable = dane.usable(host.tlsa.values)
    if not usable and is_proven(host):
        flaws = [flaw for value in host.tlsa.values if (flaw := dane.flaw_of(value)) is not None]
        line = _lines(host.host, [one for one in host.shown if one.chain])
        yield found("dane-unusable", "warning", host.host, wrong=said(flaws), line=line)
    wrong = [one for one in host.shown if one.chain and _names_none(usable, one)]
    if usable and wrong:
        yield found(
            "dane-mismatch",
            "critical" if is_proven(host) else "warning",
            host.host,
            addresses=", ".join(one.ip for one in wrong),
            tlsa=" | ".join(one.text for one in usable[:_LISTED]),
            line=_lines(host.host, wrong),
            form="" if is_proven(host) else "unknown",
            hosted=look.runs(host.host),
            tell=look.whom(host.host),
        )


def _names_none(usable: tuple[dane.Tlsa, ...], shown: Shown) -> bool:
    """Whether no record names anything that an address showed; dates and names are `hosts`'."""
    if any(dane.matching(one, shown.chain) is not None for one in usable):
        return False
    return dane.fits(usable, shown, names_fit=True, now=shown.chain[0].not_before) is False


def _lines(host: str, shown: list[Shown]) -> str:
    keys = dict.fromkeys(one.chain[0].key_sha256 for one in shown)
    return "\n".join(dane.tlsa_line(host, key) for key in keys)


def asked(look: Look, host: HostSeen, shown: Shown) -> Asked:
    """What senders that do DANE ask of the certificate that an address showed."""
    usable = dane.usable(host.tlsa.values)
    if not is_proven(host) or not usable or not shown.chain:
        return "nothing"
    # RFC 7672, 3.2.2: a certificate may name the domain in place of the MX host.
    fit = bool(shown.names_fit) or sts.covers(shown.chain[0].names, look.seen.domain)
    if dane.fits(usable, shown, names_fit=fit, now=look.expected.now) is False:
        return "mismatch" if _names_none(usable, shown) else "refused"
    by_key = any(
        one.usage == dane.EE and dane.matching(one, shown.chain) is not None for one in usable
    )
    return "key" if by_key else "chain"
