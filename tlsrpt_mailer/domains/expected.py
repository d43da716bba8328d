"""What the records and servers of a domain should be like, as far as the configuration tells."""

from collections.abc import Callable

import msgspec

from tlsrpt_mailer.domains.addresses import Addresses
from tlsrpt_mailer.domains.uri import addresses_of
from tlsrpt_mailer.report.times import DAY, Span, Time


def nobody(_host: str) -> bool:
    """No MX host is known to be ours."""
    return False


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What `examine` holds a look against."""

    now: Time
    rua: tuple[str, ...] = ()
    """The URIs that TLSRPT records should name; empty where the configuration names none."""
    addresses: Addresses = Addresses(())
    """Our addresses, for records that lead to us in another way than by `rua`."""
    expires_within: Span = 14 * DAY
    """So long before its end a certificate is told."""
    is_mx_only: bool = False
    """Whether the domain is nothing but an MX host: only its TLSRPT record is looked at."""
    is_others: bool = False
    """Of one that is only an MX host: whether nothing says that it is ours."""
    is_our_mx: Callable[[str], bool] = nobody
    """Whether we run an MX host, whatever its name looks like."""

    @property
    def ours(self) -> Addresses:
        """All our addresses."""
        if self.addresses:
            return self.addresses
        return Addresses(one for uri in self.rua for one in addresses_of(uri))
