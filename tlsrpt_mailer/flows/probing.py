"""What MX hosts show on port 25, each address once in a while for all domains that use it."""

from collections.abc import Sequence
from itertools import zip_longest
from threading import Lock

from tlsrpt_mailer.domains.seen import RecordType, Shown
from tlsrpt_mailer.ports import Scout
from tlsrpt_mailer.report.times import MINUTE, Span, Time

MOST_ADDRESSES = 4
"""Addresses of one MX host that are looked at."""
WELL: Span = 55 * MINUTE
"""What an address showed is good for so long where nothing was wrong with it."""
ILL: Span = 10 * MINUTE
"""And so long where something was, or nobody could be reached: the next look is to see anew."""
NOBODY = frozenset({"unreachable", "timeout"})
"""What may be the fault of the way from here."""


class Prober:
    """
    `looking.Probe` that remembers; thread-safe, one for all looks.

    Args:
        scout: Who connects.
        control: MX hosts of others, which take mail from everybody.
    """

    def __init__(self, scout: Scout, control: Sequence[str]) -> None:
        self._scout = scout
        self._control = control
        self._now: Time = 0
        self._known: dict[tuple[str, str], Shown] = {}
        self._locks: dict[str, Lock] = {}
        self._guard = Lock()
        self._ways: dict[RecordType, tuple[Time, str | None]] = {}
        """Over IPv4 and over IPv6: when it was tried, and why it leads nowhere."""
        self.blocked: str | None = None
        """Why port 25 cannot be reached from here; None while nothing says so. A host that has
        no way out over IPv6 alone, as many have none, lacks nothing worth telling."""

    def begin(self, now: Time) -> None:
        """The looks of a round begin: what is too old by *now* is seen anew."""
        with self._guard:
            self._now = now
            self._known = {key: one for key, one in self._known.items() if _is_fresh(one, now)}
            self._locks = {host: self._locks[host] for host, _ in self._known}
            self._ways = {kind: way for kind, way in self._ways.items() if now < way[0] + WELL}
            if self.blocked is not None:
                # While hosts answer nobody asks: the end of it would not be seen.
                self.blocked = self._way("A")

    def __call__(self, host: str, addresses: Sequence[str]) -> tuple[Shown, ...]:
        """What these addresses show; those that may be out of reach only from here left out."""
        with self._guard:
            lock = self._locks.setdefault(host, Lock())
        with lock:
            found = [self._one(host, ip) for ip in _some(addresses)]
        return tuple(one for one in found if one.kind not in NOBODY or not self._is_blocked(one.ip))

    def _one(self, host: str, ip: str) -> Shown:
        known = self._known.get((host, ip))
        if known is None:
            known = self._known[host, ip] = self._scout.show(host, ip)
        return known

    def _is_blocked(self, ip: str) -> bool:
        """Before anything is said of an address that does not answer: does any of its family?"""
        with self._guard:
            why = self._way("AAAA" if ":" in ip else "A")
            if why is not None:
                self.blocked = self._way("A")
            return why is not None

    def _way(self, kind: RecordType) -> str | None:
        """Why nobody can be reached over IPv4 or IPv6; None where somebody can."""
        if kind not in self._ways:
            self._ways[kind] = self._now, self._scout.control(self._control, kind)
        return self._ways[kind][1]


def _some(addresses: Sequence[str]) -> list[str]:
    """`MOST_ADDRESSES` of them, of both families where there are both."""
    by_family = ([ip for ip in addresses if (":" in ip) is is_v6] for is_v6 in (False, True))
    in_turn = (ip for pair in zip_longest(*by_family) for ip in pair if ip is not None)
    return list(in_turn)[:MOST_ADDRESSES]


def _is_fresh(one: Shown, now: Time) -> bool:
    is_well = one.kind == "tls" and one.is_trusted is not False and one.names_fit is not False
    return one.at <= now < one.at + (WELL if is_well else ILL)
