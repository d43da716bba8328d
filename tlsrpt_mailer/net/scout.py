"""Who looks at what domains publish and show: implements `ports.checking.Scout`."""

import time
from collections.abc import Callable, Iterable

from tlsrpt_mailer.domains.seen import Answer, Page, RecordType, Shown
from tlsrpt_mailer.net import https, probe
from tlsrpt_mailer.net.addresses import NoAddress, addresses_of
from tlsrpt_mailer.net.lookups import Lookups

CONTROL_ADDRESSES = 2
"""Addresses of each host that the control probe tries."""


class NetScout:
    """
    Looks by DNS, HTTPS and, if that is wanted, SMTP; thread-safe, and no look ever raises.

    Args:
        lookups: Asks DNS.
        helo: How we name ourselves to MX hosts; None: they are not looked at.
        ca_file: Trust the certificates in this PEM file; None: those that the system trusts.
        only_public: Go to no address of a network of ours, nor to this host: for domains that
            strangers made ours.
        page_seconds: How long one policy may take.
        probe_seconds: How long one address of an MX host may take.
        clock: The time it is.

    Raises:
        ConfigError: *ca_file* cannot be used; or *helo* is given, and the extra "probe" is not
            installed.
    """

    def __init__(
        self,
        lookups: Lookups,
        *,
        helo: str | None = None,
        ca_file: str | None = None,
        only_public: bool = False,
        page_seconds: float = https.SECONDS,
        probe_seconds: float = probe.SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.lookups = lookups
        self._tls = https.context(ca_file)
        self._only_public = only_public
        self._page_seconds = page_seconds
        self._clock = clock
        self._probe = None if helo is None else probe.Probe(
            helo, ca_file=ca_file, seconds=probe_seconds, only_public=only_public
        )  # fmt: skip

    def ask(self, name: str, kind: RecordType) -> Answer:
        """One question to DNS."""
        return self.lookups.ask(name, kind)

    def page(self, domain: str) -> Page:
        """The MTA-STS policy of *domain*, fetched as a sender would (RFC 8461, 3.3)."""
        return https.fetch_policy(
            domain,
            self.ask,
            self._tls,
            seconds=self._page_seconds,
            only_public=self._only_public,
        )

    def show(self, host: str, ip: str) -> Shown:
        """STARTTLS on port 25 of one address of an MX host, and what it shows."""
        now = int(self._clock())
        if self._probe is None:
            return Shown(ip=ip, at=now, kind="unreachable", error="MX hosts are not looked at")
        return self._probe.show(host, ip, now)

    def silence(self, hosts: Iterable[str]) -> str | None:
        """
        Why our name servers answer nothing, asked just now; None where one does.

        Args:
            hosts: Of others. Where none of these can be asked for, whoever we ask reaches nobody.
        """
        why = self.lookups.silence()
        if why is not None:
            return why
        said = [self.ask(host, "A") for host in hosts]
        if said and all(one.kind == "trouble" for one in said):
            return said[0].error
        return None

    def control(
        self, hosts: Iterable[str], kind: RecordType, seconds: float = probe.CONTROL_SECONDS
    ) -> str | None:
        """
        Why port 25 of nobody can be reached from here; None where it can.

        Args:
            hosts: Some that take mail and are not ours; one that lets us connect is enough.
            kind: ``A``: over IPv4; ``AAAA``: over IPv6.
            seconds: For each address of each.
        """
        said = []
        for host in hosts:
            try:
                addresses = addresses_of(host, self.ask, CONTROL_ADDRESSES, (kind,))
            except NoAddress as error:
                said.append(str(error))
                continue
            why = probe.control(((host, ip) for ip in addresses), seconds=seconds)
            if why is None:
                return None
            said.append(why)
        return "; ".join(said) or "no host to try it with"
