"""
Tell the operator when signatures do not verify any more, and why that may be.

Whoever writes to a mailbox can make reports that are held, so a stranger's rubbish is
no news: told is what most reports of known reporters have in common, or all of a day.
Once, until a signature verifies again, and once a week at most. Mails that wait for DNS
are another matter (`flows.watch_program`).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
import structlog

from tlsrpt_mailer.alerts import held as words
from tlsrpt_mailer.alerts import waiting as waiting_words
from tlsrpt_mailer.alerts.held import Held, HeldCause, HeldOf
from tlsrpt_mailer.alerts.waiting import WaitingDomain
from tlsrpt_mailer.flows.announcing import Announcements, Key
from tlsrpt_mailer.flows.compose import Audience
from tlsrpt_mailer.flows.copies import copies
from tlsrpt_mailer.flows.judging import Standing
from tlsrpt_mailer.ports import Announced, Letter, PutAside, Unbelieved, Watching
from tlsrpt_mailer.report.times import DAY, HOUR, Span, Time

log = structlog.get_logger()

KINDS = ("held", "waiting")
LOOKS_BACK: Span = DAY
GATHER: Span = HOUR
"""How long the first one waits for others to be compared with."""
AGAIN: Span = 7 * DAY
ENOUGH = 3
SAMPLE = 20
"""How many mails are looked at for who vouches for them."""
BELIEVABLE = frozenset({"gateway", "reporter", "mixed"})
"""Where the verdict of an MTA that saw the mail before may help."""


class HeldSettings(msgspec.Struct, frozen=True):
    """What watching held reports needs beside the store."""

    standing: Standing
    organisational: Callable[[str], str | None]
    vouching: Callable[[bytes], str | None]
    """The id of the topmost Authentication-Results of a mail, if it says that the author's domain
    signed."""
    is_own: Callable[[str], bool]
    """Whether such an id is of a host near ours: any other may be a stranger's, who would have
    himself believed."""


def watch_held(
    aside: PutAside, watching: Watching, audience: Audience, settings: HeldSettings, now: Time
) -> list[Letter]:
    """
    Compose what is due about held reports; returns the mails.

    Raises:
        Temporary: The database cannot be used now; nothing was composed.
    """
    rows = watching.announced(KINDS)
    said = Announcements(rows, audience, now)
    last = {(row.kind, row.recipient): row.told_at or 0 for row in rows}
    _signatures(aside, said, last, settings)
    _owners(aside, said, last, settings)
    watching.announce(said.changed, [*said.letters, *copies(said.letters, audience, now)], now)
    for letter in said.letters:
        log.info(
            "held.told",
            recipient=letter.recipient,
            subject=letter.subject,
            message_id=letter.message_id,
        )
    return said.letters


# ------------------------------------------------------------------ signatures


def _signatures(
    aside: PutAside,
    said: Announcements,
    last: Mapping[tuple[str, str], Time],
    settings: HeldSettings,
) -> None:
    now = said.now
    told = [row for row in said.on() if row.kind == "held"]
    unbelieved = aside.unbelieved(now - LOOKS_BACK)
    if not unbelieved and not told:
        return
    believed = aside.believed(now - LOOKS_BACK)
    odd = _odd(unbelieved, _named(unbelieved, aside, settings), believed)
    for row in told:
        # It is over once a signature verified since; what fails after that is told anew.
        if not odd and aside.believed(row.told_at or row.since):
            said.put(msgspec.structs.replace(row, ended_at=now))
    if not odd or now - min(one.stored_at for one in odd) < GATHER:
        return
    found: Held | None = None
    for recipient in said.audience.operator:
        key = Key("held", "", recipient)
        if said.row(key) is not None or now - last.get(("held", recipient), 0) < AGAIN:
            continue
        found = found or _diagnosis(odd, believed, aside, said, settings)
        said.put(
            Announced(kind="held", key="", recipient=recipient, since=found.since, told_at=now)
        )
        said.send(words.held(found, said.context(recipient)), recipient, "operator")


def _named(
    unbelieved: Sequence[Unbelieved], aside: PutAside, settings: HeldSettings
) -> list[Unbelieved]:
    """Those by known reporters, as far as the mail and its signature say."""
    signers = {
        one.signed_by: settings.organisational(one.signed_by) or one.signed_by
        for one in unbelieved
        if one.signed_by
    }
    names = {one.reporter for one in unbelieved} | set(signers.values())
    unsure = names - settings.standing.shipped - settings.standing.configured
    established = aside.established(unsure) if unsure else frozenset()
    known = settings.standing.known(names, established)
    return [
        one
        for one in unbelieved
        if one.reporter in known and (not one.signed_by or signers[one.signed_by] in known)
    ]


def _odd(
    unbelieved: Sequence[Unbelieved], named: Sequence[Unbelieved], believed: Mapping[str, int]
) -> list[Unbelieved]:
    """
    What is no stranger's rubbish.

    All of a day; else what is said to be by known reporters, most of whose reports
    do not verify. Where a reporter's signatures do, what lacks one is not by it.
    """
    if not believed:
        return list(unbelieved)
    likely = [one for one in named if one.reporter not in believed or one.trust == "fail"]
    counts = Counter(one.reporter for one in likely)
    found = [one for one in likely if counts[one.reporter] > believed.get(one.reporter, 0)]
    return found if len(found) >= ENOUGH else []


# ------------------------------------------------------------------- diagnosis


def _diagnosis(
    odd: Sequence[Unbelieved],
    believed: Mapping[str, int],
    aside: PutAside,
    said: Announcements,
    settings: HeldSettings,
) -> Held:
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in odd:
        reasons[one.reporter][one.reason or "it did not verify"] += 1
    kinds = {_kind(one) for one in odd}
    cause = _cause(kinds, reasons, believed)
    server = _voucher(odd, aside, settings) if cause in BELIEVABLE else None
    may_name = server is not None and words.is_proposable(server) and settings.is_own(server)
    return Held(
        cause=cause,
        held=len(odd),
        total=len(odd) + sum(believed.get(name, 0) for name in reasons),
        since=min(one.taken_at for one in odd),
        reporters=tuple(
            HeldOf(
                name=said.name(name),
                held=counts.total(),
                reason=min(counts, key=lambda text: (-counts[text], text)),
            )
            for name, counts in sorted(reasons.items(), key=_most_first)
        ),
        only_body=kinds == {"body"},
        vouched_by=server if may_name else None,
        is_vouched=server is not None,
    )


def _most_first(pair: tuple[str, Counter[str]]) -> tuple[int, str]:
    return -pair[1].total(), pair[0]


def _kind(one: Unbelieved) -> str:
    """Why it is not believed, in one word."""
    if one.trust != "fail":
        return one.trust
    reason = one.reason or ""
    if reason.startswith("body hash"):
        return "body"
    return "key" if reason.startswith("there is no key") else "signature"


def _cause(
    kinds: Collection[str], reporters: Collection[str], believed: Mapping[str, int]
) -> HeldCause:
    if set(kinds) == {"key"} and (len(reporters) > 1 or not believed):
        return "resolver"
    if len(reporters) == 1 and set(believed) - set(reporters):
        return "reporter"
    if set(kinds) <= {"body", "signature"}:
        return "gateway"
    alone: dict[frozenset[str], HeldCause] = {
        frozenset({"third-party"}): "forwarder",
        frozenset({"unsigned"}): "unsigned",
    }
    return alone.get(frozenset(kinds), "mixed")


def _voucher(odd: Sequence[Unbelieved], aside: PutAside, settings: HeldSettings) -> str | None:
    """Who says of all of them that the reporter signed; None where nobody does, or several do."""
    failed = [one for one in odd if one.trust == "fail"]
    raws = [aside.raw(mail) for mail in dict.fromkeys(one.mail for one in failed[:SAMPLE])]
    ids = {settings.vouching(raw) for raw in raws if raw is not None}
    return ids.pop() if len(ids) == 1 else None


# ---------------------------------------------------------------- whose are they?


def _owners(
    aside: PutAside,
    said: Announcements,
    last: Mapping[tuple[str, str], Time],
    settings: HeldSettings,
) -> None:
    """Domains that known reporters speak of, and that nobody has said are ours."""
    pairs = aside.waiting()
    names = {pair.reporter for pair in pairs}
    unsure = names - settings.standing.shipped - settings.standing.configured
    established = aside.established(unsure) if unsure else frozenset()
    known = settings.standing.known(names, established)
    counts: Counter[str] = Counter()
    for pair in pairs:
        if pair.reporter in known:
            counts[pair.domain] += pair.reports
    if not counts:
        return
    now = said.now
    for recipient in said.audience.operator:
        row = said.row(Key("waiting", "", recipient))
        fresh = set(counts) - set(row.domains if row is not None else ())
        if not fresh or now - last.get(("waiting", recipient), 0) < AGAIN:
            continue
        since = row.since if row is not None else now
        named = tuple(sorted(counts))
        said.put(
            Announced(
                kind="waiting",
                key="",
                recipient=recipient,
                since=since,
                told_at=now,
                domains=named,
            )
        )
        views = [WaitingDomain(domain=name, reports=counts[name]) for name in named]
        said.send(waiting_words.waiting(views, said.context(recipient)), recipient, "operator")
