"""Of what a look could tell nothing, so that it neither goes on nor ends by it. Pure."""

from tlsrpt_mailer.domains.seen import HostSeen, Seen

_OF_THE_PAGE = frozenset(
    {
        "mta-sts-policy-unreachable",
        "mta-sts-policy-status",
        "mta-sts-policy-certificate",
    }
)
"""What a policy that was not had is a finding of itself."""
_OF_THE_RECORD = frozenset({"mta-sts-missing", "mta-sts-gone"})
_OF_DNS = frozenset({"mx-missing", "mx-no-address", "mx-alias"})


def is_blind(seen: Seen, code: str, mx: str | None) -> bool:
    """Whether *seen* could not tell if the finding of that *code*, at that *mx*, is there."""
    if code.endswith("-trouble"):
        return False
    if code.startswith("tlsrpt-"):
        return _of_tlsrpt(seen, code, mx)
    if code.startswith("mta-sts-"):
        return _of_sts(seen, code)
    if mx is None:
        return _any_trouble(seen) if code.startswith("dane-") else seen.mx.kind == "trouble"
    host = _host(seen, mx)
    if host is None:
        # It is no MX host any more, if anybody knows.
        return seen.mx.kind == "trouble"
    return _of_host(host, code)


def _of_tlsrpt(seen: Seen, code: str, mx: str | None) -> bool:
    if mx is not None:
        host = _host(seen, mx)
        if host is None:
            return seen.mx.kind == "trouble"
        return host.tlsa.kind == "trouble" or (
            host.record is not None and host.record.kind == "trouble"
        )
    if code == "tlsrpt-rua-unreachable" and any(one.kind == "trouble" for _, one in seen.rua_hosts):
        return True
    return seen.record.kind == "trouble"


def _of_sts(seen: Seen, code: str) -> bool:
    if seen.sts.kind == "trouble":
        return True
    is_of_record = code in _OF_THE_RECORD or code.startswith("mta-sts-record-")
    if is_of_record or code in _OF_THE_PAGE or seen.page is None:
        return False
    if code == "mta-sts-uncovered-mx" and seen.mx.kind == "trouble":
        return True
    return seen.page.kind != "found"


def _of_host(host: HostSeen, code: str) -> bool:
    if code == "dane-mismatch":
        return host.tlsa.kind == "trouble" or not any(one.kind == "tls" for one in host.shown)
    if code.startswith("dane-"):
        return host.tlsa.kind == "trouble" and not host.tlsa.is_bogus
    if code in _OF_DNS:
        return host.addresses.kind == "trouble"
    return not host.shown


def _any_trouble(seen: Seen) -> bool:
    answers = (seen.mx, *(one.tlsa for one in seen.hosts))
    return any(one.kind == "trouble" and not one.is_bogus for one in answers)


def _host(seen: Seen, name: str) -> HostSeen | None:
    return next((one for one in seen.hosts if one.host == name), None)
