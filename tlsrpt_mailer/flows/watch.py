"""
Tell who should know when reports stop, and when they come again.

What is silent is computed from who has reported (`failures.silence`); what was
said of it is kept in ``notices``, a row a subject and recipient. A reporter's
silence gets a mail of its own only where half of what is known of a domain came
through it; else the digest lists it, from the same rows.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property

import structlog

from tlsrpt_mailer.alerts import silence as words
from tlsrpt_mailer.failures.silence import Pair, Silence, silences
from tlsrpt_mailer.flows.announcing import Announcements, Key
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.copies import copies
from tlsrpt_mailer.flows.observing import SOONEST, Observed, observe
from tlsrpt_mailer.flows.resuming import resume
from tlsrpt_mailer.ports import Announced, Letter, SilentPair, Watching
from tlsrpt_mailer.report.times import DAY, Span, Time

log = structlog.get_logger()

QUIETLY: Span = 14 * DAY
"""Domains that fall silent so soon after a mail about their reporter get no mail more."""
AWAKE: Span = DAY
"""How long we must have been watching before our own intake is suspected."""
KINDS = ("silent-reporter", "silent-domain", "intake")


def watch(
    watching: Watching, audience: Audience, now: Time, *, awake_since: Time | None = None
) -> list[Letter]:
    """
    Compose what is due about silence and its end; returns the mails.

    Args:
        awake_since: Since when this has been called again and again; None: always. Who has
            slept himself blames no intake.

    Raises:
        Temporary: The database cannot be used now; nothing was composed.
    """
    observed = observe(watching, now)
    said = Announcements(watching.announced(KINDS), audience, now)
    resume(said, observed)
    one = _Round(watching, said, observed)
    awake = awake_since is None or now - awake_since >= AWAKE
    for found in one.found():
        if found.which == "reporter":
            one.reporter(found)
        elif found.which == "domain":
            one.domain(found)
        elif awake:
            one.intake(found)
    copied = copies(said.letters, audience, now)
    watching.announce(said.changed, [*said.letters, *copied], now)
    for letter in said.letters:
        log.info(
            "silence.told",
            recipient=letter.recipient,
            subject=letter.subject,
            message_id=letter.message_id,
        )
    return said.letters


class _Round:
    """What one look at the silence changes."""

    def __init__(self, watching: Watching, said: Announcements, observed: Observed) -> None:
        self._watching = watching
        self._said = said
        self._observed = observed
        self._sources = watching.sources()
        self._alive: dict[str, Counter[str]] = {}

    def found(self) -> list[Silence]:
        """Who is silent, domains that were told as such kept apart."""
        on = self._said.on()
        apart = (row.key for row in on if row.kind == "silent-domain")
        joined = (
            (one.domain, one.reporter)
            for row in on
            if row.kind == "silent-reporter"
            for one in row.pairs
            if one.back is None
        )
        observed = self._observed
        return silences(
            observed.pairs,
            self._said.now,
            gaps=observed.gaps,
            last_receipt=observed.last_receipt,
            others_report=observed.others_report,
            apart=frozenset(apart),
            joined=frozenset(joined),
        )

    # ------------------------------------------------------------ the beginning

    def reporter(self, found: Silence) -> None:
        """One reporter stopped: a row an owner, and a mail where half was known through it."""
        owned: defaultdict[str, list[Pair]] = defaultdict(list)
        for pair in found.pairs:
            for recipient in self._owners(pair.domain):
                owned[recipient].append(pair)
        for recipient in sorted(owned):
            self._reporter_of(found, recipient, owned[recipient])

    def _reporter_of(self, found: Silence, recipient: str, pairs: Sequence[Pair]) -> None:
        row = self._said.row(Key("silent-reporter", found.key, recipient))
        known = row.pairs if row is not None else ()
        silent = {one.domain for one in known if one.back is None}
        fresh = [pair for pair in pairs if pair.domain not in silent]
        if not fresh:
            return
        anew = {pair.domain for pair in fresh}
        kept = [one for one in known if one.domain not in anew]
        told_at = row.told_at if row is not None else None
        rested = told_at is None or told_at <= self._said.now - QUIETLY
        mails = rested and self._is_news(found) and any(pair.is_half for pair in fresh)
        self._said.put(
            Announced(
                kind="silent-reporter",
                key=found.key,
                recipient=recipient,
                since=row.since if row is not None else min(pair.end for pair in fresh),
                told_at=self._said.now if mails else told_at,
                pairs=(*kept, *map(_silent, fresh)),
            )
        )
        if mails:
            shown = fresh if told_at is not None else pairs
            self._tell_reporter(found.key, recipient, shown)

    def _tell_reporter(self, reporter: str, recipient: str, pairs: Sequence[Pair]) -> None:
        view = words.SilentReporter(
            reporter=self._said.name(reporter),
            domains=words.busiest(
                words.SilentDomain(
                    domain=pair.domain,
                    last=pair.end,
                    days=pair.days,
                    sessions=pair.sessions,
                    others=self._others(pair),
                )
                for pair in pairs
            ),
            elsewhere=self._elsewhere(reporter, recipient),
            ours=self._ours([pair.domain for pair in pairs]),
        )
        rendered = words.reporter(view, self._said.context(recipient), reporter)
        self._said.send(rendered, recipient, "silent")

    def domain(self, found: Silence) -> None:
        """All reporters of a domain stopped: its owners hear of it."""
        for recipient in self._owners(found.key):
            if self._said.row(Key("silent-domain", found.key, recipient)) is not None:
                continue
            news = self._is_news(found) and not self._is_told(found.key)
            self._said.put(
                Announced(
                    kind="silent-domain",
                    key=found.key,
                    recipient=recipient,
                    since=max(pair.end for pair in found.pairs),
                    told_at=self._said.now if news else None,
                    pairs=tuple(map(_silent, found.pairs)),
                )
            )
            if news:
                newest = sorted(found.pairs, key=_newest_first)
                view = words.SilentEverywhere(
                    domain=found.key,
                    reporters=tuple((self._said.name(pair.reporter), pair.end) for pair in newest),
                    ours=self._ours([found.key]),
                )
                self._said.send(
                    words.domain(view, self._said.context(recipient)), recipient, "silent"
                )

    def intake(self, found: Silence) -> None:
        """Nothing comes in: the operator hears of it, unless a source has said why already."""
        if not self._is_news(found) or any(one.state == "trouble" for one in self._sources):
            return
        since = self._observed.last_receipt or max(pair.end for pair in found.pairs)
        view = words.SilentIntake(
            since=since,
            reporters=len({pair.reporter for pair in found.pairs}),
            domains=len({pair.domain for pair in found.pairs}),
            sources=tuple((one.name, one.state) for one in self._sources),
        )
        for recipient in self._said.audience.operator:
            if self._said.row(Key("intake", "", recipient)) is None:
                self._said.put(
                    Announced(
                        kind="intake",
                        key="",
                        recipient=recipient,
                        since=since,
                        told_at=self._said.now,
                    )
                )
                self._said.send(
                    words.intake(view, self._said.context(recipient)), recipient, "operator"
                )

    # ------------------------------------------------------------------- parts

    def _ours(self, domains: Sequence[str]) -> words.OurSide:
        """What is known of our own part in it."""
        canary = self._watching.canary()
        records = self._watching.looked_up(domains)
        came = None if canary is None else canary.came_at
        return words.OurSide(
            last_receipt=self._observed.last_receipt,
            canary_at=came,
            canary_took=0 if canary is None or came is None else max(0, came - canary.sent_at),
            records=tuple(
                (name, records[name].state, records[name].at) for name in domains if name in records
            ),
        )

    def _is_told(self, domain: str) -> bool:
        """Whether its owners know already that its record is not as it should be."""
        found = self._watching.looked_up([domain]).get(domain)
        return found is not None and found.is_told

    def _is_news(self, found: Silence) -> bool:
        """Whether it fell silent while we looked; an old archive ends without a mail."""
        return self._observed.began is not None and found.at >= self._observed.began

    def _owners(self, domain: str) -> tuple[str, ...]:
        owners = self._said.audience.directory.owners_of(domain)
        return tuple(dict.fromkeys(address for owner in owners for address in owner.addresses))

    def _others(self, pair: Pair) -> tuple[str, ...]:
        """Who has reported on the domain since, by the names that people know."""
        ends = self._ends[pair.domain]
        return tuple(sorted(self._said.name(other) for other, end in ends if end > pair.end))

    @cached_property
    def _ends(self) -> defaultdict[str, list[tuple[str, Time]]]:
        """Domain to each of its reporters, with the end of its last window."""
        found: defaultdict[str, list[tuple[str, Time]]] = defaultdict(list)
        for (domain, reporter), end in self._observed.last_end.items():
            found[domain].append((reporter, end))
        return found

    def _elsewhere(self, reporter: str, recipient: str) -> int:
        """On how many domains of the recipient's it reports still."""
        if reporter not in self._alive:
            self._alive[reporter] = Counter(
                owner
                for (domain, other), end in self._observed.last_end.items()
                if other == reporter and end > self._said.now - SOONEST
                for owner in self._owners(domain)
            )
        return self._alive[reporter][recipient]


def _silent(pair: Pair) -> SilentPair:
    return SilentPair(pair.domain, pair.reporter, pair.end)


def _newest_first(pair: Pair) -> tuple[Time, str]:
    return -pair.end, pair.reporter
