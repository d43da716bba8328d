"""
Look at our domains, again and again: DNS, MTA-STS, DANE, and what their MX hosts show.

What a look finds is written in one transaction with what follows from it for
the findings. A domain whose turn has come waits for nobody; what is found the
first time, or mended, is looked at again within minutes.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import msgspec
import structlog

from tlsrpt_mailer.domains.blind import is_blind, last_sight
from tlsrpt_mailer.domains.drift import merge
from tlsrpt_mailer.domains.examine import Expected, examine
from tlsrpt_mailer.domains.finding import TOLD, Finding
from tlsrpt_mailer.domains.hosted import hosted
from tlsrpt_mailer.domains.inventory import summary
from tlsrpt_mailer.domains.seen import Seen
from tlsrpt_mailer.errors import Rejected, Unreachable
from tlsrpt_mailer.failures.findings import CONFIRMED, Found, take_look
from tlsrpt_mailer.failures.model import SEVERITIES, Severity, Spell
from tlsrpt_mailer.failures.probed import BLOCKED
from tlsrpt_mailer.flows.judging import Standing, judge_domains
from tlsrpt_mailer.flows.looking import NAMES_WITHIN, at_most, look_at, look_at_host, no_probe
from tlsrpt_mailer.flows.probing import Prober
from tlsrpt_mailer.ports import Checks, Due, Look, Past, Scout, Store
from tlsrpt_mailer.report.times import DAY, HOUR, MINUTE, Span, Time

log = structlog.get_logger()

BATCH = 64
"""Domains whose looks are written in one transaction."""
WORKERS = 32
"""Domains that are looked at side by side: nearly all of it is waiting for answers."""
RECORD = "tlsrpt-"
"""How the codes of findings about TLSRPT records begin."""
SPREAD = 8
"""An eighth of the time between two looks at a domain is left to chance, so that ten thousand
domains that were entered together do not stay together."""
NO_ANSWER = (
    "DNS does not answer here ({}), so nothing is said of domains;"
    " is the resolver of this host, or [dns] nameservers, right?"
)
SURE: Span = 15 * MINUTE
"""When a look that found something new is made again."""
WATCHED: Span = HOUR
"""How often what is told and open is looked at, so that its end is known soon."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What decides how domains are looked at."""

    expected: Callable[[Due, Time], Expected]
    """What should stand there."""
    is_named: Callable[[str], bool]
    """Whether the configuration names the domain: then it may lead to private addresses."""
    every: Span = DAY
    is_probing: bool = False
    probes_all: bool = False
    """Also the MX hosts of domains that the configuration does not name, at public addresses."""
    control: tuple[str, ...] = ()
    """MX hosts of others that tell whether port 25 can be reached from here."""
    host: str = ""
    """This host's name: what is said of the way from here is said of it."""


class Looker:
    """
    Looks at domains, side by side; writes nothing.

    Args:
        past: What is known of domains.
        scout: Who asks; for domains that the configuration names.
        public: The same, but it goes to no private address: for all others.
        settings: What decides how.
    """

    def __init__(
        self,
        past: Callable[[Collection[str]], Mapping[str, Past]],
        scout: Scout,
        public: Scout,
        settings: Settings,
    ) -> None:
        self._past = past
        self._scout = scout
        self._public = public
        self._settings = settings
        self._prober = Prober(scout, settings.control)
        self._public_prober = Prober(public, settings.control)

    @property
    def blocked(self) -> str | None:
        """Why port 25 cannot be reached from here; None while nothing says so."""
        return self._prober.blocked or self._public_prober.blocked

    def unanswered(self, looks: Collection[Look]) -> str | None:
        """
        Why none of these looks got any answer from DNS, where that is not for their domains' sake.

        Nothing may be said of domains then.
        """
        if not looks or not all(_is_blank(one) for one in looks):
            return None
        return self._scout.silence(self._settings.control)

    def look(self, due: Sequence[Due], now: Time) -> list[Look]:
        """Look at these at *now*; one whose look failed, by an error of ours, is left out."""
        self._prober.begin(now)
        self._public_prober.begin(now)
        past = self._past([one.domain for one in due])
        with ThreadPoolExecutor(min(WORKERS, len(due) or 1)) as pool:
            found = list(pool.map(partial(self._one, past=past, now=now), due))
        return [one for one in found if one is not None]

    def _one(self, due: Due, *, past: Mapping[str, Past], now: Time) -> Look | None:
        try:
            before = past.get(due.domain, Past())
            return self._judged(due, self._seen(due, before, now), before, now)
        except Exception as error:
            log.error("domain.look_failed", domain=due.domain, exc_info=error)
            return None

    def _seen(self, due: Due, past: Past, now: Time) -> Seen:
        is_named = self._settings.is_named(due.domain)
        scout = self._scout if is_named else self._public
        if due.is_host:
            return look_at_host(due.domain, scout, now)
        prober = self._prober if is_named else self._public_prober
        probes = self._settings.is_probing and (is_named or self._settings.probes_all)
        probe = at_most(prober) if probes else no_probe
        return look_at(due.domain, scout, now, probe, _hosts_of(past, now - NAMES_WITHIN))

    def _judged(self, due: Due, seen: Seen, past: Past, now: Time) -> Look:
        expected = self._settings.expected(due, now)
        findings = tuple(examine(seen, expected, past.known))
        hosts = tuple(_hosts(seen, expected))
        spells = take_look(
            past.spells,
            [_found(one) for one in findings if _is_told(one, hosts)],
            now,
            past.at,
            partial(is_blind, seen),
        )
        return Look(
            seen=seen,
            is_host=due.is_host,
            findings=findings,
            known=tuple(merge(past.known, seen)),
            spells=tuple(_since_sight(one, past) for one in spells),
            summary=summary(seen, findings, is_host=due.is_host),
            next_at=_next(due.domain, seen, spells, self._settings.every, now),
            hosts=hosts,
        )


class Checker:
    """Has the domains of ours looked at when their turn comes, and writes what was found."""

    def __init__(
        self, store: Store, checks: Checks, looker: Looker, standing: Standing, settings: Settings
    ) -> None:
        self._store = store
        self._checks = checks
        self._standing = standing
        self._settings = settings
        self.looker = looker

    def run(
        self,
        clock: Callable[[], Time],
        stop: Event | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> int:
        """
        Look at all that is due.

        Returns:
            How many domains that were.

        Raises:
            Temporary: The database cannot be used now.
            Unreachable: DNS answers nothing here; the domains stay due.
        """
        done = 0
        while not (stop is not None and stop.is_set()):
            now = clock()
            due = self._checks.due(now, BATCH)
            if not due:
                break
            looks = self.looker.look(due, now)
            if (why := self.looker.unanswered(looks)) is not None:
                raise Unreachable(NO_ANSWER.format(why))
            self._save(looks, now)
            lost = {one.domain for one in due} - {one.seen.domain for one in looks}
            self._checks.postpone(lost, now + DAY)
            done += len(due)
            beat()
        if done:
            log.debug("domains.checked", domains=done)
        return done

    def _save(self, looks: Sequence[Look], now: Time) -> None:
        """As `save`; one that the database refuses keeps no other one from being written."""
        try:
            self.save(looks, now)
        except Rejected:
            for one in looks:
                try:
                    self.save([one], now)
                except Rejected as error:
                    domain = one.seen.domain
                    log.error("domain.look_failed", domain=domain, error=str(error))
                    self._checks.postpone([domain], now + DAY)

    def save(self, looks: Sequence[Look], now: Time) -> None:
        """Write these looks, and what follows for the findings. Raises Temporary."""
        host, blocked = self._settings.host, self._blocked(now)
        with self._store.write() as txn:
            txn.save_looks(looks)
            txn.save_spells(host, blocked)
            touched = {one.seen.domain for one in looks if one.spells}
            touched |= {host} if blocked else set()
            # What a host shows decides on the severity of what senders report there.
            touched |= set(txn.open_among(sorted(_probed(looks))))
            judge_domains(txn, sorted(touched), self._standing, now)

    def _blocked(self, now: Time) -> list[Spell]:
        """What is to be said of the way from here to port 25."""
        if not self._settings.is_probing:
            return []
        host, why = self._settings.host, self.looker.blocked
        past = self._checks.past([host])[host].spells
        found = [] if why is None else [Found(BLOCKED, None, "notice", {"error": why})]
        last = [one for one in past if one.code == BLOCKED]
        return take_look(last, found, now, None, _sees_all)


def _is_blank(look: Look) -> bool:
    """Whether DNS told nothing at all."""
    seen = look.seen
    asked = (seen.record,) if look.is_host else (seen.record, seen.mx, seen.ns, seen.sts)
    return all(one.kind == "trouble" for one in asked)


def _hosts_of(past: Past, since: Time) -> set[str]:
    """The MX hosts that a domain has had since then."""
    found = {one.about for one in past.known if one.kind == "tlsa" and one.last_at > since}
    return found | {one.mx for one in past.spells if one.mx is not None and one.last_at > since}


def _probed(looks: Iterable[Look]) -> set[str]:
    """The domains of which any MX host showed itself."""
    return {one.seen.domain for one in looks if any(host.shown for host in one.seen.hosts)}


def _hosts(seen: Seen, expected: Expected) -> Iterator[str]:
    for one in seen.hosts:
        is_theirs = hosted(one.host) is not None and not expected.is_our_mx(one.host)
        if one.tlsa.kind == "found" and not is_theirs:
            yield one.host


def _is_told(one: Finding, hosts: Collection[str]) -> bool:
    """A host's own record is the host's matter, who has looks of its own; not each domain's."""
    return one.weight in TOLD and not (one.code.startswith(RECORD) and one.mx in hosts)


def _since_sight(spell: Spell, past: Past) -> Spell:
    """With the last look before it that could see it, in place of the last look."""
    if spell.clean_at is None or spell.clean_at != past.at:
        return spell
    ended = (one.ended_at for one in past.spells if (one.code, one.mx) == (spell.code, spell.mx))
    seen = (last_sight(past.known, spell.code, spell.mx, past.at), *ended)
    clean = max((at for at in seen if at is not None), default=None)
    return msgspec.structs.replace(spell, clean_at=clean)


def _next(domain: str, seen: Seen, spells: Collection[Spell], every: Span, now: Time) -> Time:
    """When a domain is looked at again."""
    open_ = [one for one in spells if one.ended_at is None]
    if any(one.looks < CONFIRMED for one in open_):
        return now + SURE
    if seen.record.kind == "trouble" or any(_is_loud(one.severity) for one in open_):
        return now + WATCHED
    chance = int.from_bytes(hashlib.sha256(f"{domain} {now // DAY}".encode()).digest()[:4])
    return now + every - chance % max(1, every // SPREAD)


def _sees_all(_code: str, _mx: str | None) -> bool:
    return False


def _found(finding: Finding) -> Found:
    weight = next(one for one in SEVERITIES if one == finding.weight)
    return Found(finding.code, finding.mx, weight, finding.facts)


def _is_loud(severity: Severity) -> bool:
    return severity in {"critical", "warning"}
