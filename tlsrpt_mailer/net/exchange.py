"""One question to DNS, over all servers and tries, under one deadline; and what came of it."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, cast

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdata
import dns.rdtypes.ANY.TLSA
import dns.rrset
import msgspec

from tlsrpt_mailer.domains.seen import Answer, Kind
from tlsrpt_mailer.net.nameservers import is_lame
from tlsrpt_mailer.net.pace import Pace

EACH = 1.0
"""Seconds after which the next server is asked, or the same one again."""
QUEUE = 60.0
"""The most seconds that a question waits for its first turn."""
PAYLOAD = 1232
"""Bytes of an answer by UDP: what no network has to cut in pieces (DNS flag day 2020)."""

SERVFAIL = dns.rcode.to_text(dns.rcode.SERVFAIL)

# A hash of the wrong length is something to be told. dnspython takes the whole answer for
# garbage from 2.9 on, the right records in it as well, and waits for a better one.
dns.rdtypes.ANY.TLSA.TLSA._cert_length_by_mtype = {}

Server: TypeAlias = tuple[str, int]
"""Address and port."""


class Failed(Exception):
    """No server gave an answer; the text says what they gave instead, in few words."""

    def __init__(self, said: Sequence[str] = ()) -> None:
        super().__init__(", ".join(dict.fromkeys(said)) or "no answer in time")
        self.is_silence = not said
        """Nobody said anything."""
        self.is_servfail = SERVFAIL in said
        """What a server that validates says of names that it finds no proof for."""


class Found(msgspec.Struct, frozen=True):
    """What DNS said of a name."""

    kind: Kind
    values: tuple[str, ...] = ()
    alias: str | None = None
    error: str = ""
    is_authenticated: bool | None = None
    """The AD bit (RFC 4035, 3.2.3), whoever set it; None: there was no answer."""
    is_bogus: bool = False
    is_ours: bool = False
    """Nobody answers anything."""

    def answer(self, secure: bool | None) -> Answer:
        """The same for those above; *secure*: what to believe of it."""
        return Answer(
            self.kind, self.values, secure, self.error, self.is_bogus, self.alias, self.is_ours
        )


def question(name: str, kind: str, *, checked: bool = True) -> dns.message.QueryMessage:
    """
    Ask for records and for their signatures to be looked at (DO, RFC 4035, 3.2.1).

    Args:
        name: Without a dot at the end.
        kind: Such as ``TXT``.
        checked: Whether the server is to look; else it answers what it gets (CD).

    Raises:
        dns.exception.DNSException: It is no name.
    """
    made = dns.message.make_query(name, kind, use_edns=0, want_dnssec=True, payload=PAYLOAD)
    if not checked:
        made.flags |= dns.flags.CD
    return made


class Exchange:
    """
    Sends questions and waits for answers; thread-safe.

    Args:
        servers: Whom to ask, the best first.
        pace: When another question may be sent.
    """

    def __init__(self, servers: Sequence[Server], pace: Pace) -> None:
        self.servers = tuple(servers)
        self.sent = 0
        """Questions, each try counted."""
        self._pace = pace
        self._lock = threading.Lock()

    def ask(
        self, asked: dns.message.QueryMessage, within: float, *, queue: float | None = None
    ) -> dns.message.QueryMessage:
        """
        The first answer that says anything of the name, found or not.

        Args:
            asked: The question.
            within: Seconds for all tries, from the first turn on.
            queue: The most seconds until that; None: `QUEUE`.

        Raises:
            Failed: There was none in time.
        """
        said: list[str] = []
        if not self._pace.turn(QUEUE if queue is None else queue):
            raise Failed(["too many questions wait"])
        deadline = time.monotonic() + within
        for again, server in enumerate(self._tries(said)):
            if again and not self._pace.turn(deadline - time.monotonic()):
                break
            try:
                reply = self._sent(asked, server, deadline)
            except dns.exception.Timeout:
                continue
            except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
                said.append(_said(error))
                continue
            wrong = _wrong(reply)
            if wrong is None:
                self._prefer(server)
                return reply
            said.append(wrong)
        raise Failed(said)

    def _tries(self, said: Sequence[str]) -> Iterator[Server]:
        """Each server, and again, without end, those that said nothing at all."""
        left = list(self.servers)
        while left:
            for server in tuple(left):
                before = len(said)
                yield server
                if len(said) > before:
                    left.remove(server)

    def _sent(
        self, asked: dns.message.QueryMessage, server: Server, deadline: float
    ) -> dns.message.QueryMessage:
        address, port = server
        try:
            reply = dns.query.udp(
                asked,
                address,
                self._counted(min(EACH, deadline - time.monotonic())),
                port,
                ignore_unexpected=True,
                ignore_errors=True,
                raise_on_truncation=True,
            )
        except dns.message.Truncated:
            if not self._pace.turn(deadline - time.monotonic()):
                raise dns.exception.Timeout from None
            left = self._counted(deadline - time.monotonic())
            reply = dns.query.tcp(asked, address, left, port)
        return cast("dns.message.QueryMessage", reply)  # dnspython held it against the question

    def _counted(self, seconds: float) -> float:
        """One more is sent, with *seconds* to wait for its answer."""
        with self._lock:
            self.sent += 1
        return max(0.0, seconds)

    def _prefer(self, server: Server) -> None:
        """Ask the one that answered first from now on: the one before it may be dead."""
        if server != self.servers[0]:
            self.servers = (server, *(one for one in self.servers if one != server))


def read(reply: dns.message.QueryMessage, name: str, kind: str) -> tuple[Found, float]:
    """
    What *reply* says of *name*, and for how many seconds it holds.

    Raises:
        dns.exception.DNSException: It contradicts itself.
    """
    chain = reply.resolve_chaining()
    is_authenticated = bool(reply.flags & dns.flags.AD)
    target = _name(str(chain.canonical_name))
    alias = target if chain.cnames and target != name else None
    seconds = float(chain.minimum_ttl)
    if chain.answer is None:
        return Found("absent", (), alias, "", is_authenticated), seconds
    return Found("found", _values(chain.answer, kind), alias, "", is_authenticated), seconds


def _wrong(reply: dns.message.QueryMessage) -> str | None:
    """Why *reply* is no answer; None where it is."""
    if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return dns.rcode.to_text(reply.rcode())
    if reply.rcode() == dns.rcode.NOERROR and not reply.answer and is_lame(reply):
        return "the name server does not answer for it"
    return None


def _values(records: dns.rrset.RRset, kind: str) -> tuple[str, ...]:
    return tuple(sorted({_value(record, kind) for record in records}))


def _value(record: dns.rdata.Rdata, kind: str) -> str:
    """One record as `domains.seen.Answer` has it."""
    one: Any = record  # each kind has attributes of its own
    if kind == "TXT":
        return b"".join(one.strings).decode("utf-8", "replace")
    if kind == "MX":
        return f"{one.preference} {_name(str(one.exchange))}"
    if kind == "NS":
        return _name(str(one.target))
    if kind == "TLSA":
        return f"{one.usage} {one.selector} {one.mtype} {one.cert.hex()}"
    return str(record)


def _name(text: str) -> str:
    """As `domains.seen` has names; the root is a dot."""
    return text.lower().removesuffix(".") or "."


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"no DNS message ({type(error).__name__})"
