"""What is wrong with the MX hosts of a domain, in DNS and as they show themselves on port 25."""

from collections.abc import Callable, Iterator

import msgspec

from tlsrpt_mailer.domains.drift import values
from tlsrpt_mailer.domains.examining.dane import asked
from tlsrpt_mailer.domains.examining.look import Look, found, is_null_mx, is_proven, mx_name
from tlsrpt_mailer.domains.finding import Finding, Weight
from tlsrpt_mailer.domains.seen import Certificate, HostSeen, Shown
from tlsrpt_mailer.report.hosts import is_ip, is_strict_host
from tlsrpt_mailer.report.times import iso

OLD_TLS = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"})
"""RFC 8996 wants them gone, and senders drop them."""
_NAMES = 5
_MOST_ADDRESSES = 10


def findings(look: Look) -> Iterator[Finding]:
    """What DNS says first, then what the probe found."""
    mx = look.seen.mx
    if mx.kind == "trouble" and not mx.is_bogus:
        yield found("mx-trouble", "notice", error=mx.error)
    elif is_null_mx(mx.values):
        yield found("mx-missing", "note", form="null")
    elif mx.kind == "absent":
        yield _no_mx(look)
    else:
        yield from _no_names(look)
    for host in look.seen.hosts:
        if mx.kind == "found":
            yield from _in_dns(look, host)
        yield from _shown(look, host)


def _no_mx(look: Look) -> Finding:
    if look.takes_mail:
        return found("mx-missing", "note", form="address")
    had = (row for row in look.history("mx") if row.value and not is_null_mx(values(row)))
    last = next(had, None)
    if last is None:
        return found("mx-missing", "note", form="nothing")
    listed = ", ".join(values(last)[:_NAMES])
    return found("mx-missing", "critical", form="gone", was=listed, seen=iso(last.last_at))


def _no_names(look: Look) -> Iterator[Finding]:
    """What stands in MX records and can be no host, so that no look at it is possible."""
    names = [name for name in map(mx_name, look.seen.mx.values) if not is_strict_host(name)]
    if not names:
        return
    form = "address" if any(map(is_ip, names)) else ""
    yield found(
        "mx-no-host",
        "notice" if look.seen.hosts else "warning",
        form="null" if "." in names else form,
        names=", ".join(names[:_NAMES]),
    )


def _in_dns(look: Look, host: HostSeen) -> Iterator[Finding]:
    there, name = host.addresses, host.host
    if there.kind == "absent":
        yield _no_address(look, name)
    elif there.kind == "trouble" and not there.is_bogus:
        yield found("mx-trouble", "notice", name, error=there.error)
    if there.alias is not None:
        yield found("mx-alias", "notice", name, alias=there.alias)


def _no_address(look: Look, name: str) -> Finding:
    """Critical where senders find no way in at all."""
    hosts = {one.host: one.addresses.kind for one in look.seen.hosts}
    is_stuck = {*map(mx_name, look.seen.mx.values)} <= hosts.keys() and set(hosts.values()) == {
        "absent"
    }
    there = [host for host, kind in hosts.items() if kind == "found"]
    runs = look.runs(name)
    return found(
        "mx-no-address",
        "critical" if is_stuck else "warning",
        name,
        form="hosted" if runs else "",
        others=", ".join(there[:_NAMES]),
        stuck=look.seen.domain if is_stuck else "",
        hosted=runs,
        tell=look.whom(name),
    )


# ----------------------------------------------------------------------- probe


class _Case(msgspec.Struct, frozen=True):
    """One finding that the probe can make."""

    code: str
    holds: Callable[[Look, Shown], bool]
    weight: Callable[[Look, HostSeen, list[Shown]], Weight]
    facts: Callable[[Shown], dict[str, str]]
    is_well: Callable[[Look, Shown], bool]
    """Of an address where it does not hold: whether it is named as one that is in order."""


def _shown(look: Look, host: HostSeen) -> Iterator[Finding]:
    for case in _CASES:
        where = [one for one in host.shown if case.holds(look, one)]
        if not where:
            continue
        others = [one.ip for one in host.shown if one not in where and case.is_well(look, one)]
        yield found(
            case.code,
            case.weight(look, host, where),
            host.host,
            addresses=", ".join(one.ip for one in where[:_MOST_ADDRESSES]),
            others=", ".join(others[:_MOST_ADDRESSES]),
            mode=look.mode,
            dane=_by_dane(look, host, where),
            at=iso(max(one.at for one in where)),
            hosted=look.runs(host.host),
            tell=look.whom(host.host),
            **case.facts(_worst(where)),
        )


def _by_dane(look: Look, host: HostSeen, where: list[Shown]) -> str:
    """What senders that do DANE make of it, the worst of all addresses; "" where none do."""
    there = [asked(look, host, one) if one.chain else "refused" for one in where]
    worst = next((one for one in ("refused", "mismatch", "chain", "key") if one in there), "")
    return worst if is_proven(host) else ""


def _worst(where: list[Shown]) -> Shown:
    """The one whose certificate ends first; what else there is differs little."""
    return min(where, key=lambda one: one.chain[0].not_after if one.chain else one.at)


def _fixed(weight: Weight) -> Callable[[Look, HostSeen, list[Shown]], Weight]:
    return lambda _look, _host, _where: weight


def _without_tls(look: Look, host: HostSeen, _where: list[Shown]) -> Weight:
    # RFC 7672, 2.2: with TLSA records, usable or not, no mail goes without TLS.
    return "critical" if is_proven(host) else look.by_mode


def _not_valid(look: Look, host: HostSeen, where: list[Shown]) -> Weight:
    """
    What a certificate weighs whose date or name is wrong.

    Senders that do DANE ask for neither with TLSA 3 x x, and for both with 2 x x (RFC 7672, 3.1.1
    and 3.1.2); where no record fits they refuse it for that, which is a finding of its own.
    """
    by_dane = {asked(look, host, one) for one in where}
    if "refused" in by_dane:
        return "critical"
    return "note" if look.mode == "none" and by_dane == {"key"} else look.by_mode


def _not_trusted(look: Look, host: HostSeen, where: list[Shown]) -> Weight:
    """As `_not_valid`, but with DANE nobody asks for a root that is known to all."""
    by_dane = {asked(look, host, one) for one in where}
    unasked = look.mode == "none" and "nothing" not in by_dane
    return "note" if unasked else look.by_mode


def _soon(look: Look, host: HostSeen, where: list[Shown]) -> Weight:
    """A certificate that will expire, which nobody minds where nobody looks at its date."""
    by_dane = {asked(look, host, one) for one in where}
    return "note" if look.mode == "none" and by_dane == {"key"} else "warning"


def _own(shown: Shown) -> Certificate | None:
    return shown.chain[0] if shown.chain else None


def _expired(look: Look, shown: Shown) -> bool:
    own = _own(shown)
    return own is not None and own.not_after <= look.expected.now


def _not_yet(look: Look, shown: Shown) -> bool:
    own = _own(shown)
    return own is not None and own.not_before > look.expected.now


def _ends_soon(look: Look, shown: Shown) -> bool:
    own, now = _own(shown), look.expected.now
    return own is not None and now < own.not_after <= now + look.expected.expires_within


def _said(shown: Shown) -> dict[str, str]:
    return {"error": shown.error}


def _no_answer_said(shown: Shown) -> dict[str, str]:
    return {"error": shown.error, "form": shown.kind}


def _certificate(shown: Shown) -> dict[str, str]:
    own = shown.chain[0]
    return {
        "not_before": iso(own.not_before),
        "not_after": iso(own.not_after),
        "names": ", ".join(own.names[:_NAMES]) or own.subject,
        "issuer": own.issuer,
        "distrust": shown.distrust,
        "form": "self-signed" if own.is_self_signed else "",
    }


_NO_ANSWER = frozenset({"refused", "unreachable", "timeout"})


def _speaks_tls(_look: Look, shown: Shown) -> bool:
    return shown.kind == "tls"


def _lasts(look: Look, shown: Shown) -> bool:
    own = _own(shown)
    return own is not None and own.not_after > look.expected.now


def _answers(_look: Look, shown: Shown) -> bool:
    return shown.kind not in _NO_ANSWER


def _no_starttls(_look: Look, shown: Shown) -> bool:
    return shown.kind == "no-starttls"


def _no_handshake(_look: Look, shown: Shown) -> bool:
    return shown.kind == "handshake"


def _other_name(_look: Look, shown: Shown) -> bool:
    return bool(shown.chain) and shown.names_fit is False


def _untrusted(_look: Look, shown: Shown) -> bool:
    return bool(shown.chain) and shown.is_trusted is False


def _old_tls(_look: Look, shown: Shown) -> bool:
    return shown.protocol in OLD_TLS


def _no_answer(_look: Look, shown: Shown) -> bool:
    return shown.kind in _NO_ANSWER


def _version(shown: Shown) -> dict[str, str]:
    return {"protocol": shown.protocol or ""}


_CASES = (
    _Case("mx-no-starttls", _no_starttls, _without_tls, _said, _speaks_tls),
    _Case("mx-tls-handshake", _no_handshake, _without_tls, _said, _speaks_tls),
    _Case("mx-certificate-expired", _expired, _not_valid, _certificate, _speaks_tls),
    _Case("mx-certificate-not-yet-valid", _not_yet, _not_valid, _certificate, _speaks_tls),
    _Case("mx-certificate-expiring", _ends_soon, _soon, _certificate, _lasts),
    _Case("mx-certificate-name", _other_name, _not_valid, _certificate, _speaks_tls),
    _Case("mx-certificate-untrusted", _untrusted, _not_trusted, _certificate, _speaks_tls),
    _Case("mx-old-tls", _old_tls, _fixed("warning"), _version, _speaks_tls),
    _Case("mx-unreachable", _no_answer, _fixed("notice"), _no_answer_said, _answers),
)
