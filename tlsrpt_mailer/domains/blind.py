"""Of what a look could tell nothing, so that it neither goes on nor ends by it. Pure."""

from collections.abc import Sequence

from tlsrpt_mailer.domains.drift import Known, history
from tlsrpt_mailer.domains.seen import HostSeen, Seen
from tlsrpt_mailer.report.times import Time

TROUBLE = "-trouble"
"""How the codes of findings end that DNS did not answer."""
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
    if code.endswith(TROUBLE):
        return seen.is_cut_off
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


# ------------------------------------------------------------------ looks before


def last_sight(known: Sequence[Known], code: str, mx: str | None, last_at: Time) -> Time | None:
    """
    The last look that could tell whether the finding of that *code*, at that *mx*, was there.

    None where none could: one that did not connect to the MX host has not seen it well.

    Args:
        known: What the looks before have seen of the domain.
        last_at: The last of them.
    """
    if code.endswith(TROUBLE):
        return last_at
    if code.startswith("mta-sts-"):
        return _sight_of_sts(known, code)
    if mx is None:
        return _newest(known, "tlsrpt" if code.startswith("tlsrpt-") else "mx")
    # Each look asks for the TLSA records of each MX host, and notes it where there are none.
    in_dns = _newest(known, "tlsa", mx)
    if code == "dane-mismatch":
        return _first(in_dns, _certificate(known, mx))
    if code.startswith(("dane-", "tlsrpt-")) or code in _OF_DNS:
        return in_dns
    return _certificate(known, mx)


def _sight_of_sts(known: Sequence[Known], code: str) -> Time | None:
    announced = history(known, "sts")
    if code in _OF_THE_RECORD or code.startswith("mta-sts-record-"):
        return _newest(known, "sts")
    if announced and not announced[0].value:
        # Without a record nobody asks for the policy, so nothing is wrong with it.
        return announced[0].last_at
    policy = _newest(known, "policy")
    return _first(policy, _newest(known, "mx")) if code == "mta-sts-uncovered-mx" else policy


def _newest(known: Sequence[Known], kind: str, about: str = "") -> Time | None:
    rows = history(known, kind, about)
    return rows[0].last_at if rows else None


def _certificate(known: Sequence[Known], mx: str) -> Time | None:
    """When any address of the MX host showed one last."""
    return max(
        (
            row.last_at
            for row in known
            if row.kind == "certificate" and row.about.partition(" ")[0] == mx
        ),
        default=None,
    )


def _first(one: Time | None, other: Time | None) -> Time | None:
    """When both were seen; None where one never was."""
    return None if one is None or other is None else min(one, other)
