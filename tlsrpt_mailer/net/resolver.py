"""TXT records from DNS, with time-outs, and remembered for a while."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from tlsrpt_mailer.trust.model import KeyAnswer

MOST = 1_000
"""Names that are remembered."""
LONGEST = 3_600.0
SHORTEST = 60.0
TROUBLE = 30.0
"""Seconds for which a name without an answer is not asked for again."""
PORT = 53


class Resolver:
    """
    Asks for TXT records; thread-safe.

    Args:
        nameservers: Addresses, or ``address:port`` (``[v6]:port``); none: the system's.
        timeout: The most seconds that one question may take.
        clock: Seconds that never go back.

    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        timeout: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = dns.resolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(*address_of(text)) for text in nameservers
            ]
        self._timeout = timeout
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, KeyAnswer]] = OrderedDict()
        self._lock = threading.Lock()

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        """What stands at *name*, asked for *within* seconds at most. Never raises."""
        now = self._clock()
        with self._lock:
            until, answer = self._known.get(name, (0.0, None))
        if answer is not None and now < until:
            return answer
        limit = self._timeout if within is None else min(within, self._timeout)
        if limit <= 0:
            return KeyAnswer("trouble", error="no time was left to ask")
        answer, seconds = self._ask(name, limit)
        with self._lock:
            self._known[name] = (self._clock() + seconds, answer)
            self._known.move_to_end(name)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        return answer

    def _ask(self, name: str, limit: float) -> tuple[KeyAnswer, float]:
        try:
            found = self._resolver.resolve(
                dns.name.from_text(name), "TXT", lifetime=limit, search=False
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return KeyAnswer("absent"), SHORTEST
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel):
            return KeyAnswer("absent"), SHORTEST
        except (dns.exception.DNSException, OSError) as error:
            return KeyAnswer("trouble", error=str(error) or type(error).__name__), TROUBLE
        texts = tuple(b"".join(record.strings) for record in found.rrset or ())
        seconds = found.rrset.ttl if found.rrset is not None else 0
        return KeyAnswer("found", texts), min(max(float(seconds), SHORTEST), LONGEST)


def address_of(text: str) -> tuple[str, int]:
    """``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1``, ``[2001:db8::1]:5353``."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return address, int(port.removeprefix(":") or PORT)
    address, colon, port = text.partition(":")
    return (address, int(port)) if colon and ":" not in port else (text, PORT)
