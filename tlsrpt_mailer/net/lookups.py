"""DNS as checks of domains ask it: many names, at a pace, each once; and what DNSSEC proves."""

import math
import time
from collections.abc import Callable, Sequence

import dns.exception
import dns.message
import dns.name

from tlsrpt_mailer.domains.seen import Answer, RecordType
from tlsrpt_mailer.net.exchange import QUEUE, Exchange, Failed, Found, question, read
from tlsrpt_mailer.net.nameservers import NO_NAME, SYSTEM, endpoints, is_loopback
from tlsrpt_mailer.net.pace import Pace
from tlsrpt_mailer.net.remembered import Remembered

RATE = 200.0
"""Questions a second: ten thousand domains take some minutes."""
MOST = 4_000
"""Answers that are remembered."""
LARGE = 8_192
"""Characters; longer answers are not remembered: strangers may publish as much as they like."""
LONGEST = 300.0
"""Seconds: shared by one round of looks; a look that is made again is to see anew."""
SHORTEST = 5.0
TROUBLE = 30.0
"""Seconds for which a name without an answer is not asked for again."""
SILENT = 15.0
"""Seconds for which nobody is asked, once no name server answers anything."""
VALIDATES = 600.0
"""Seconds for which is remembered whether the name servers validate."""
ASKING, ASIDE, PROBE = 0.7, 0.2, 0.1
"""The shares of the time of one question: to ask, to ask without validation, and to find out
whether anybody answers at all."""

_ROOT: tuple[str, str] = (".", "SOA")


class Lookups:
    """
    Asks DNS; thread-safe, and never raises.

    The AD bit is believed where nobody can have set it on the way, and where the
    server sets it for the root as well: else it does not validate.

    Args:
        nameservers: Addresses, or ``address:port`` (``[v6]:port``); none: the system's.
        timeout: The most seconds that one question may take, beside its turn.
        trust_ad: Believe the AD bit of name servers that are not on this host.
        rate: Questions a second over all threads; ``math.inf``: no limit.
        clock: Seconds that never go back, for the pace and for what is remembered.
        rest: Waits for so many seconds, for the pace.
        most: So many answers are remembered.
        system: Where the system's name servers stand; read again when none of them answers.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        timeout: float = 5.0,
        *,
        trust_ad: bool = False,
        rate: float = RATE,
        clock: Callable[[], float] = time.monotonic,
        rest: Callable[[float], object] = time.sleep,
        most: int = MOST,
        system: str = SYSTEM,
    ) -> None:
        self._nameservers = tuple(nameservers)
        self._system = system
        self._timeout = timeout
        self._trust_ad = trust_ad
        self._clock = clock
        self._known: Remembered[tuple[str, str], Found] = Remembered(clock, most)
        self._exchange = Exchange(endpoints(nameservers, system), Pace(rate, clock, rest))
        self._silent_until = -math.inf

    @property
    def sent(self) -> int:
        """How many questions were sent so far, each try counted."""
        return self._exchange.sent

    @property
    def remembered(self) -> int:
        """How many answers are kept."""
        return len(self._known)

    @property
    def servers(self) -> tuple[tuple[str, int], ...]:
        """Address and port of whom we ask, the best first."""
        return self._exchange.servers

    @property
    def is_near(self) -> bool:
        """Whether nobody can have set the AD bit on the way from our name servers to here."""
        return self._trust_ad or all(is_loopback(one) for one, _ in self._exchange.servers)

    def ask(self, name: str, kind: RecordType) -> Answer:
        """What DNS says of *name*; the same question is under way only once."""
        found = self._find((name.lower().removesuffix(".") or ".", kind))
        is_answer = found.is_authenticated is not None
        is_believed = is_answer and self.is_near and self.validates()
        return found.answer(found.is_authenticated if is_believed else None)

    def validates(self) -> bool | None:
        """Whether our name servers validate, by what they say of the root; None: nobody knows."""
        root = self._find(_ROOT)
        return root.is_authenticated

    def silence(self) -> str | None:
        """Why no name server says even who serves the root, asked just now; None where one does."""
        failed = self._failure(question(".", "NS"), ASKING)
        return None if failed is None else str(failed)

    def forget(self) -> None:
        """Ask anew for everything."""
        self._known.forget()
        self._silent_until = -math.inf

    def _find(self, key: tuple[str, str]) -> Found:
        # Whoever looks for it may have to wait for its turn, and to ask about the root first.
        found = self._known.get(key, lambda: self._look(*key), QUEUE + 2 * self._timeout)
        return found or Found("trouble", error="no answer in time")

    def _look(self, name: str, kind: str) -> tuple[Found, float]:
        """Ask, and for how many seconds the answer holds."""
        if self._is_silent:
            return Found("trouble", error="no name server answers", is_ours=True), 0.0
        try:
            reply = self._exchange.ask(question(name, kind), ASKING * self._timeout)
            found, seconds = read(reply, name, kind)
        except (*NO_NAME, dns.name.BadEscape):
            return Found("absent"), SHORTEST
        except Failed as failed:
            return self._trouble(name, kind, failed), TROUBLE
        except (dns.exception.DNSException, UnicodeError) as error:
            return Found("trouble", error=f"nothing to go by ({type(error).__name__})"), TROUBLE
        if sum(map(len, found.values)) > LARGE:
            return found, 0.0
        longest = VALIDATES if (name, kind) == _ROOT else LONGEST
        return found, min(max(seconds, SHORTEST), longest)

    def _trouble(self, name: str, kind: str, failed: Failed) -> Found:
        if failed.is_silence:
            self._note_silence()
        is_bogus = False
        if failed.is_servfail and (name, kind) != _ROOT and self.validates():
            is_bogus = self._failure(question(name, kind, checked=False), ASIDE) is None
        return Found("trouble", error=str(failed), is_bogus=is_bogus, is_ours=self._is_silent)

    @property
    def _is_silent(self) -> bool:
        return self._clock() < self._silent_until

    def _note_silence(self) -> None:
        """Find out who does not answer: those of one name, or all; then wait for nobody."""
        failed = self._failure(question(".", "NS"), PROBE)
        if failed is None or not failed.is_silence:
            return
        self._silent_until = self._clock() + SILENT
        if not self._nameservers:
            # The host may have moved to another network since.
            self._exchange.servers = tuple(endpoints((), self._system))

    def _failure(self, asked: dns.message.QueryMessage, share: float) -> Failed | None:
        try:
            limit = share * self._timeout
            self._exchange.ask(asked, limit, queue=limit)
        except Failed as failed:
            return failed
        return None
