"""TXT records from DNS, with time-outs, and remembered for a while."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
import structlog

from tlsrpt_mailer.net.nameservers import NO_NAME, SYSTEM, configured, is_lame
from tlsrpt_mailer.trust.model import KeyAnswer

MOST = 1_000
"""Names that are remembered."""
LONGEST = 3_600.0
SHORTEST = 60.0
TROUBLE = 30.0
"""Seconds for which a name without an answer is not asked for again; after a time-out, neither
are its neighbours: whoever signs with names that nobody answers for cannot make mails wait."""
SILENT = 15.0
"""Seconds for which nobody is asked, once no name server answers anything."""
PROBE = 0.5
"""Seconds in which a name server that is there says something about the root."""
_ABSENT = (dns.resolver.NXDOMAIN, *NO_NAME)

T = TypeVar("T")
ONE_SERVER = 1.0
"""Seconds after which the next server is asked, or the same one again."""
FORGOTTEN = 3
"""So many domains of one organisation without an answer: none of its others is asked for."""
IN_A_ROW = 3
"""So many look-ups without an answer are trouble; a single one may be a lame domain."""

log = structlog.get_logger()


class Resolver:
    """
    Asks for TXT records; thread-safe.

    Args:
        nameservers: Addresses, or ``address:port`` (``[v6]:port``); none: the system's.
        timeout: The most seconds that one question may take.
        clock: Seconds that never go back.
        system: Where the system's name servers stand; read again when none of them answers.
        zone_of: A name to the organisational domain that it belongs to.

    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        timeout: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
        zone_of: Callable[[str], str | None] = lambda name: name,
        system: str = SYSTEM,
    ) -> None:
        self._nameservers = nameservers
        self._system = system
        self._timeout = timeout
        self._resolver = self._configured()
        self._clock = clock
        self._zone_of = zone_of
        self._known: OrderedDict[str, tuple[float, KeyAnswer]] = OrderedDict()
        self._slow: OrderedDict[str, float] = OrderedDict()
        """Until when the names of a domain are not asked for."""
        self._answered: OrderedDict[str, None] = OrderedDict()
        """Domains that were answered for: others of their organisation do not stop them."""
        self._silent_until = -math.inf
        self._failed = 0
        self._lock = threading.Lock()

    def _configured(self) -> dns.resolver.Resolver:
        made = configured(self._nameservers, self._system)
        made.timeout = min(self._timeout, 2 * ONE_SERVER / max(2, len(made.nameservers)))
        return made

    def txt(self, name: str, within: float | None = None) -> KeyAnswer:
        """What stands at *name*, asked for *within* seconds at most. Never raises."""
        now = self._clock()
        with self._lock:
            until, answer = self._known.get(name, (0.0, None))
            slow = self._who_is_slow(name, now)
            is_silent = now < self._silent_until
        if answer is not None and now < until:
            return answer
        if slow or is_silent:
            whose = f"of {slow} " if slow else ""
            return KeyAnswer("trouble", error=f"the name servers {whose}do not answer")
        limit = self._timeout if within is None else min(within, self._timeout)
        if limit <= 0:
            return KeyAnswer("trouble", error="no time was left to ask")
        answer, seconds = self._ask(name, limit)
        with self._lock:
            self._say(name, answer)
            self._known[name] = (self._clock() + seconds, answer)
            _shorten(self._known, name)
        return answer

    def _say(self, name: str, answer: KeyAnswer) -> None:
        """Log that DNS is in trouble once it has been so in a row, and when it is over."""
        if answer.kind != "trouble":
            if self._failed >= IN_A_ROW:
                log.info("dns.recovered", failed=self._failed)
            self._failed = 0
            return
        self._failed += 1
        if self._failed == IN_A_ROW:
            log.warning("dns.trouble", name=name, error=answer.error)
        if self._failed >= IN_A_ROW and not self._nameservers:
            # The host may have moved to another network since.
            self._resolver = self._configured()

    def forget_trouble(self) -> None:
        """Ask anew for what had no answer."""
        with self._lock:
            self._silent_until = -math.inf
            self._slow.clear()
            for name in [name for name, (_, old) in self._known.items() if old.kind == "trouble"]:
                del self._known[name]

    def _who_is_slow(self, name: str, now: float) -> str | None:
        """
        Whose name servers are not asked for *name* now; None where they are.

        Those of its own domain; or of its organisation, once several domains of that had no
        answer: a single one may be a subdomain that was forgotten, and anybody can sign with it.
        """
        domain = domain_of(name)
        if now < self._slow.get(domain, now):
            return domain
        whose = self._zone_of(domain) or domain
        if domain == whose or domain in self._answered:
            return None
        below = sum(now < until and one.endswith(f".{whose}") for one, until in self._slow.items())
        return whose if below >= FORGOTTEN else None

    def _ask(self, name: str, limit: float) -> tuple[KeyAnswer, float]:
        # dnspython rests between its questions, also past the end of its lifetime.
        asking, probe = 0.7 * limit, min(PROBE, 0.15 * limit)
        try:
            found = self._resolver.resolve(
                dns.name.from_text(name), "TXT", lifetime=asking, search=False
            )
        except dns.resolver.NoAnswer as answer:
            if is_lame(answer.response()):  # type: ignore[no-untyped-call]  # dnspython's
                return KeyAnswer("trouble", error="the name server does not answer for it"), TROUBLE
            return KeyAnswer("absent"), SHORTEST
        except _ABSENT:
            return KeyAnswer("absent"), SHORTEST
        except dns.exception.Timeout as error:
            self._note_silence(name, probe)
            return KeyAnswer("trouble", error=_said(error)), TROUBLE
        except (dns.exception.DNSException, OSError) as error:
            return KeyAnswer("trouble", error=_said(error)), TROUBLE
        self._prefer(found)
        with self._lock:
            self._answered[domain_of(name)] = None
            _shorten(self._answered, domain_of(name))
        texts = tuple(b"".join(record.strings) for record in found.rrset or ())
        seconds = found.rrset.ttl if found.rrset is not None else 0
        return KeyAnswer("found", texts), min(max(float(seconds), SHORTEST), LONGEST)

    def _note_silence(self, name: str, seconds: float) -> None:
        """Find out who does not answer: those of *name*, or all."""
        is_there = True
        try:
            self._resolver.resolve(dns.name.root, "NS", lifetime=seconds, search=False)
        except dns.exception.Timeout:
            is_there = False
        except (dns.exception.DNSException, OSError):
            pass  # Any answer will do, a refusal as well.
        with self._lock:
            if is_there:
                self._slow[domain_of(name)] = self._clock() + TROUBLE
                _shorten(self._slow, domain_of(name))
            else:
                self._silent_until = self._clock() + SILENT

    def _prefer(self, found: dns.resolver.Answer) -> None:
        """Ask the server that answered first from now on: the one before it may be dead."""
        servers = self._resolver.nameservers
        for index, server in enumerate(servers):
            address = (
                (server.address, server.port)
                if isinstance(server, dns.nameserver.Do53Nameserver)
                else (server, self._resolver.port)
            )
            if index and address == (found.nameserver, found.port):
                self._resolver.nameservers = [
                    server,
                    *(one for one in servers if one is not server),
                ]
                return


def domain_of(name: str) -> str:
    """What follows the last label with an underscore: ``sel._domainkey.example.com``."""
    labels = name.split(".")
    last = max((at for at, label in enumerate(labels) if label.startswith("_")), default=-1)
    return ".".join(labels[last + 1 :]) or name


def _said(error: Exception) -> str:
    """*error* in few words, the same each time: people see it, and reports are counted by it."""
    if isinstance(error, dns.exception.Timeout):
        return "no answer in time"
    if isinstance(error, dns.resolver.NoNameservers):
        # Each is a name server, whether by TCP, its port, what went wrong, and an answer.
        answers = (str(one[3]) for one in error.kwargs.get("errors", ()) if one[3])
        return ", ".join(dict.fromkeys(answers)) or "no name server answers"
    return str(error) or type(error).__name__


def _shorten(known: OrderedDict[str, T], newest: str) -> None:
    known.move_to_end(newest)
    while len(known) > MOST:
        known.popitem(last=False)
