"""Which mail addresses are ours."""

from collections.abc import Iterable

from tlsrpt_mailer.report.hosts import normalise_host


class Addresses:
    """
    Our own mail addresses, as far as the configuration tells.

    ``@example.com`` stands for all of a domain. Neither case nor a ``+detail``
    counts: RFC 5321, 2.4 allows for local parts that differ by case alone,
    nobody uses them.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        self._all = frozenset(_normal(one) for one in addresses)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._all)

    def match(self, address: str) -> bool:
        """Whether *address* is one of them."""
        normal = _normal(address)
        return normal in self._all or "@" + normal.rpartition("@")[2] in self._all


def _normal(address: str) -> str:
    local, _, domain = address.strip().rpartition("@")
    local = local.partition("+")[0].lower() if local not in {"", "*"} else ""
    return f"{local}@{normalise_host(domain) or domain.lower()}"
