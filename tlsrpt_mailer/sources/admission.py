"""Who gets a connection to a listener, and who has to make room when it is full."""

import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec
import structlog

from tlsrpt_mailer.report.times import MINUTE
from tlsrpt_mailer.sources.recipients import Recipients

log = structlog.get_logger()

PATIENCE = 30.0
"""How long a connection may bring no mail while others wait for its place, in seconds."""

SAID_EVERY = float(MINUTE)
"""A flood is a line a minute in the log, not one a connection."""


class Admission(msgspec.Struct, frozen=True):
    """Whom a listener takes in, and what for."""

    recipients: Recipients
    takes_postmaster: bool
    max_connections: int
    max_per_peer: int
    is_local: Callable[[str], bool]


class Guest(Protocol):
    """A connection, as it is counted."""

    is_waiting: bool
    """Its mail is being stored."""
    since: float
    """When it came, or brought its last mail."""

    def dismiss(self, text: str) -> None:
        """Say *text* (after ``421``) and hang up."""


G = TypeVar("G", bound=Guest)


class Door(Generic[G]):
    """Counts connections in and out; all in the loop's thread, *clock* is the loop's."""

    def __init__(self, admission: Admission, clock: Callable[[], float]) -> None:
        self._admission = admission
        self._clock = clock
        self.inside: dict[G, str] = {}
        """With the peer that each counts for; those that were turned away are not among them."""
        self._peers: Counter[str] = Counter()
        self._strangers: set[str] = set()
        self._said: dict[str, float] = {}
        self._unsaid: Counter[str] = Counter()

    def refusal(self, address: str | None) -> str | None:
        """
        Why nobody from *address* (None: a unix socket) may come in, as text after ``421``.

        None where one may; room is made for it then, where there was none.
        """
        admission = self._admission
        peer = peer_of(address)
        if self._is_stranger(address) and self._peers[peer] >= admission.max_per_peer:
            return self._refuse(peer, "max_connections_per_peer", " from your address")
        if len(self.inside) >= admission.max_connections and not self._make_room(peer):
            return self._refuse(peer, "max_connections")
        return None

    def enter(self, guest: G, address: str | None) -> None:
        """Count *guest* in."""
        peer = self.inside[guest] = peer_of(address)
        self._peers[peer] += 1
        if self._is_stranger(address):
            self._strangers.add(peer)

    def leave(self, guest: G) -> None:
        """It is gone; once more does nothing."""
        peer = self.inside.pop(guest, None)
        if peer is None:
            return
        self._peers[peer] -= 1
        if not self._peers[peer]:
            del self._peers[peer]
            self._strangers.discard(peer)

    def _is_stranger(self, address: str | None) -> bool:
        return address is not None and not self._admission.is_local(address)

    def _refuse(self, peer: str, reason: str, whence: str = "") -> str:
        self._tell(peer, reason)
        return f"4.7.0 Too many connections{whence}, come again later"

    def _make_room(self, newcomer: str) -> bool:
        """
        Let go of a connection for a newcomer's sake, where that is just.

        The first to go belong to the stranger with the most, if that leaves it with no
        fewer than the newcomer; then whoever has brought nothing for long. A mail that
        is being stored is waited for.
        """
        guest = self._greediest(self._peers[newcomer] + 2) or self._idlest()
        if guest is None:
            return False
        self._tell(self.inside[guest], "room_for_others")
        guest.dismiss("4.7.0 Others wait, come again later")
        self.leave(guest)
        return True

    def _greediest(self, least: int) -> G | None:
        counted = [
            (-self._peers[peer], guest.since, guest)
            for guest, peer in self.inside.items()
            if not guest.is_waiting and peer in self._strangers and self._peers[peer] >= least
        ]
        return min(counted, key=lambda one: one[:2])[2] if counted else None

    def _idlest(self) -> G | None:
        before = self._clock() - PATIENCE
        idle = [one for one in self.inside if not one.is_waiting and one.since <= before]
        return min(idle, key=lambda one: one.since, default=None)

    def _tell(self, peer: str, reason: str) -> None:
        self._unsaid[reason] += 1
        now = self._clock()
        if now - self._said.get(reason, now - SAID_EVERY) >= SAID_EVERY:
            self._said[reason] = now
            times = self._unsaid.pop(reason)
            log.warning("connection.refused", peer=peer, reason=reason, times=times)


def is_loopback(address: str) -> bool:
    """Whether *address* is of this machine alone (``127.0.0.0/8``, ``::1``)."""
    parsed = _parsed(address)
    return parsed is not None and parsed.is_loopback


def peer_of(address: str | None) -> str:
    """What counts as one peer: an IPv4 address, the /64 of an IPv6 address, or ``unix``."""
    if address is None:
        return "unix"
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed or address)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
