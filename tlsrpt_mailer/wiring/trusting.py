"""``[trust]`` and ``[dns]`` as taking mails in wants them."""

from collections.abc import Callable, Mapping

from tlsrpt_mailer.config import Config
from tlsrpt_mailer.config.units import moment_of
from tlsrpt_mailer.domains.ours import Ownership
from tlsrpt_mailer.flows.trusting import Trust
from tlsrpt_mailer.flows.verify import KeptKeys, Lookup, verify
from tlsrpt_mailer.flows.verify import Settings as VerifySettings
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.trust.model import KeyAnswer, Verdict
from tlsrpt_mailer.wiring.kinds import source_name
from tlsrpt_mailer.wiring.parts import organisational


class _Lazily:
    """A resolver that is built at the first question: most commands never ask one."""

    def __init__(self, resolver: Callable[[], Lookup]) -> None:
        self._resolver = resolver

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        """See `flows.verify.Lookup.txt`."""
        return self._resolver().txt(name, within)


def trust(
    config: Config,
    keys: KeptKeys,
    resolver: Callable[[], Lookup],
    is_ours: Callable[[Policy], Ownership],
    clock: Callable[[], Time],
) -> Trust:
    """What is believed, and whom to ask."""
    settings = VerifySettings(
        _Lazily(resolver), keys, organisational, frozenset(config.trust.authserv_ids)
    )

    def verified(raw: bytes, taken_at: Time, forwarded: bool, within: float) -> Verdict:
        return verify(raw, taken_at, clock(), settings, forwarded=forwarded, within=within)

    return Trust(
        dkim=config.trust.dkim,
        verify=verified,
        is_ours=is_ours,
        trusted_before=trusted_before(config),
        reporters=frozenset(config.trust.reporters),
    )


def trusted_before(config: Config) -> Mapping[str, Time]:
    """By source: the moment before which its mails are the operator's word."""
    found = {}
    for one in config.source:
        text = getattr(one.settings, "trust_before", None)
        moment = None if text is None else moment_of(text)
        if moment is not None:
            found[source_name(one)] = moment
    return found
