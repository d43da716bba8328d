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

import msgspec
import structlog

from tlsrpt_mailer.alerts import silence as words
from tlsrpt_mailer.alerts.model import Context, Rendered
from tlsrpt_mailer.failures.silence import Pair, Silence, silences
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.observing import SOONEST, Observed, observe
from tlsrpt_mailer.ports import Announced, Letter, SilentPair, Watching
from tlsrpt_mailer.report.times import DAY, Span, Time

log = structlog.get_logger()

QUIETLY: Span = 14 * DAY
"""Domains that fall silent so soon after a mail about their reporter get no mail more."""
GATHER: Span = 3 * DAY
"""How long a mail about reports that come again waits for the other domains."""
AWAKE: Span = DAY
"""How long we must have been watching before our own intake is suspected."""
KINDS = ("silent-reporter", "silent-domain", "intake")


class _Key(msgspec.Struct, frozen=True):
    kind: str
    key: str
    recipient: str


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
    one = _Round(watching, audience, observed, now)
    one.resume()
    awake = awake_since is None or now - awake_since >= AWAKE
    for found in one.found():
        if found.which == "reporter":
            one.reporter(found)
        elif found.which == "domain":
            one.domain(found)
        elif awake:
            one.intake(found)
    watching.announce(one.changed, one.letters, now)
    for letter in one.letters:
        log.info(
            "silence.told",
            recipient=letter.recipient,
            subject=letter.subject,
            message_id=letter.message_id,
        )
    return one.letters


class _Round:
    """What one look at the silence changes."""

    def __init__(
        self, watching: Watching, audience: Audience, observed: Observed, now: Time
    ) -> None:
        self.letters: list[Letter] = []
        self._audience = audience
        self._observed = observed
        self._now = now
        self._rows = {_key(row): row for row in watching.announced(KINDS)}
        self._changed: dict[_Key, Announced] = {}
        self._sources = watching.sources()
        self._alive: dict[str, Counter[str]] = {}

    @property
    def changed(self) -> list[Announced]:
        """The rows to write."""
        return list(self._changed.values())

    def found(self) -> list[Silence]:
        """Who is silent, domains that were told as such kept apart."""
        on = [row for row in self._rows.values() if row.ended_at is None]
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
            self._now,
            gaps=observed.gaps,
            last_receipt=observed.last_receipt,
            others_report=observed.others_report,
            apart=frozenset(apart),
            joined=frozenset(joined),
        )

    # ---------------------------------------------------------------- the end

    def resume(self) -> None:
        """Look for what was announced and is over."""
        for key in sorted(self._rows, key=_by_name):
            row = self._rows[key]
            if row.ended_at is not None:
                continue
            if key.kind == "intake":
                self._resume_intake(row)
            else:
                self._resume_pairs(row)

    def _resume_intake(self, row: Announced) -> None:
        came = self._observed.last_receipt
        if came is None or came <= row.since:
            return
        self._end(row, row.pairs)
        if row.told_at is not None:
            context = self._context(row.recipient)
            self._send(words.intake_again(row.since, came, context), row.recipient, "operator")

    def _resume_pairs(self, row: Announced) -> None:
        pairs = tuple(self._noted(one) for one in row.pairs)
        back = [one for one in pairs if one.back is not None]
        left = tuple(one for one in pairs if one.back is None)
        if not back:
            return
        if row.kind == "silent-domain":
            self._hand_over(row, left)
            self._end(row, pairs)
            self._tell_resumed(row, back, tuple(self._name(one.reporter) for one in left))
            return
        waits = left and (
            row.told_at is None or min(one.back or 0 for one in back) > self._now - GATHER
        )
        if waits:
            if pairs != row.pairs:
                self._put(msgspec.structs.replace(row, pairs=pairs))
            return
        if left:
            since = min(one.since for one in left)
            self._put(msgspec.structs.replace(row, since=since, pairs=left))
        else:
            self._end(row, pairs)
        self._tell_resumed(row, back, tuple(one.domain for one in left))

    def _hand_over(self, row: Announced, left: Sequence[SilentPair]) -> None:
        """Reporters that stay silent while others speak of the domain again: known already."""
        for one in left:
            key = _Key("silent-reporter", one.reporter, row.recipient)
            there = self._rows.get(key)
            if there is None or there.ended_at is not None:
                there = Announced(
                    kind="silent-reporter",
                    key=one.reporter,
                    recipient=row.recipient,
                    since=one.since,
                    told_at=row.told_at,
                )
            pairs = (*(old for old in there.pairs if old.domain != one.domain), one)
            self._put(msgspec.structs.replace(there, pairs=pairs))

    def _noted(self, one: SilentPair) -> SilentPair:
        end = self._observed.last_end.get((one.domain, one.reporter), one.since)
        if one.back is None and end > one.since:
            return msgspec.structs.replace(one, back=self._now)
        return one

    def _tell_resumed(
        self, row: Announced, back: Sequence[SilentPair], still: tuple[str, ...]
    ) -> None:
        if row.told_at is None:
            return
        name = self._name(row.key) if row.kind == "silent-reporter" else None
        domains = tuple(dict.fromkeys(one.domain for one in back))
        view = words.Resumed(
            reporter=name,
            domains=domains,
            still=still,
            since=max(one.since for one in back),
        )
        rendered = words.resumed(view, self._context(row.recipient), row.key)
        self._send(rendered, row.recipient, "silent")

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
        row = self._rows.get(_Key("silent-reporter", found.key, recipient))
        if row is not None and row.ended_at is not None:
            row = None
        known = row.pairs if row is not None else ()
        silent = {one.domain for one in known if one.back is None}
        fresh = [pair for pair in pairs if pair.domain not in silent]
        if not fresh:
            return
        anew = {pair.domain for pair in fresh}
        kept = [one for one in known if one.domain not in anew]
        told_at = row.told_at if row is not None else None
        rested = told_at is None or told_at <= self._now - QUIETLY
        mails = rested and self._is_news(found) and any(pair.is_half for pair in fresh)
        self._put(
            Announced(
                kind="silent-reporter",
                key=found.key,
                recipient=recipient,
                since=row.since if row is not None else min(pair.end for pair in fresh),
                told_at=self._now if mails else told_at,
                pairs=(*kept, *map(_silent, fresh)),
            )
        )
        if mails:
            shown = fresh if told_at is not None else pairs
            self._tell_reporter(found.key, recipient, shown)

    def _tell_reporter(self, reporter: str, recipient: str, pairs: Sequence[Pair]) -> None:
        view = words.SilentReporter(
            reporter=self._name(reporter),
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
            last_receipt=self._observed.last_receipt,
        )
        rendered = words.reporter(view, self._context(recipient), reporter)
        self._send(rendered, recipient, "silent")

    def domain(self, found: Silence) -> None:
        """All reporters of a domain stopped: its owners hear of it."""
        for recipient in self._owners(found.key):
            row = self._rows.get(_Key("silent-domain", found.key, recipient))
            if row is not None and row.ended_at is None:
                continue
            news = self._is_news(found)
            self._put(
                Announced(
                    kind="silent-domain",
                    key=found.key,
                    recipient=recipient,
                    since=max(pair.end for pair in found.pairs),
                    told_at=self._now if news else None,
                    pairs=tuple(map(_silent, found.pairs)),
                )
            )
            if news:
                newest = sorted(found.pairs, key=_newest_first)
                view = words.SilentEverywhere(
                    domain=found.key,
                    reporters=tuple((self._name(pair.reporter), pair.end) for pair in newest),
                    last_receipt=self._observed.last_receipt,
                )
                self._send(words.domain(view, self._context(recipient)), recipient, "silent")

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
        for recipient in self._audience.operator:
            row = self._rows.get(_Key("intake", "", recipient))
            if row is None or row.ended_at is not None:
                self._put(
                    Announced(
                        kind="intake",
                        key="",
                        recipient=recipient,
                        since=since,
                        told_at=self._now,
                    )
                )
                self._send(words.intake(view, self._context(recipient)), recipient, "operator")

    # ------------------------------------------------------------------- parts

    def _is_news(self, found: Silence) -> bool:
        """Whether it fell silent while we looked; an old archive ends without a mail."""
        return self._observed.began is not None and found.at >= self._observed.began

    def _owners(self, domain: str) -> tuple[str, ...]:
        owners = self._audience.directory.owners_of(domain)
        return tuple(dict.fromkeys(address for owner in owners for address in owner.addresses))

    def _others(self, pair: Pair) -> tuple[str, ...]:
        """Who has reported on the domain since, by the names that people know."""
        ends = self._ends[pair.domain]
        return tuple(sorted(self._name(other) for other, end in ends if end > pair.end))

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
                if other == reporter and end > self._now - SOONEST
                for owner in self._owners(domain)
            )
        return self._alive[reporter][recipient]

    def _name(self, reporter: str) -> str:
        return self._audience.names.get(reporter) or reporter

    def _context(self, recipient: str) -> Context:
        return context_for(self._audience, recipient, self._now)

    def _put(self, row: Announced) -> None:
        self._rows[_key(row)] = self._changed[_key(row)] = row

    def _end(self, row: Announced, pairs: tuple[SilentPair, ...]) -> None:
        told = self._now if row.told_at is not None else None
        self._put(msgspec.structs.replace(row, ended_at=self._now, end_told_at=told, pairs=pairs))

    def _send(self, rendered: Rendered, recipient: str, event: str) -> None:
        self.letters.append(letter_of(rendered, recipient, event))


def context_for(audience: Audience, recipient: str, now: Time) -> Context:
    """Where a mail to *recipient* that is about no failure is written."""
    return msgspec.structs.replace(
        audience.context,
        now=now,
        recipient=recipient,
        tls_required_no=audience.tls_required_no == "always",
    )


def letter_of(rendered: Rendered, recipient: str, event: str) -> Letter:
    """A mail that tells of no failure."""
    return Letter(rendered.message_id, recipient, rendered.subject, event, rendered.raw)


def _key(row: Announced) -> _Key:
    return _Key(row.kind, row.key, row.recipient)


def _silent(pair: Pair) -> SilentPair:
    return SilentPair(pair.domain, pair.reporter, pair.end)


def _newest_first(pair: Pair) -> tuple[Time, str]:
    return -pair.end, pair.reporter


def _by_name(key: _Key) -> tuple[str, str, str]:
    return key.kind, key.key, key.recipient
