"""Whose word each report of a mail is, and whether it counts; outside any transaction."""

import time
from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TypeAlias

import msgspec

from tlsrpt_mailer.domains.ours import Ownership
from tlsrpt_mailer.errors import BadReport
from tlsrpt_mailer.intake.model import FoundReport, MailContent
from tlsrpt_mailer.ports import HeldFor, NewReport, RawMail, Trusted
from tlsrpt_mailer.report.marks import history, unverified
from tlsrpt_mailer.report.model import Policy
from tlsrpt_mailer.report.times import Time
from tlsrpt_mailer.trust.message import author, message
from tlsrpt_mailer.trust.model import Verdict
from tlsrpt_mailer.trust.place import Place, no_proof
from tlsrpt_mailer.trust.reporter import signing_reporter

MAIL_SECONDS = 3.0
"""How long one mail waits for DNS, with all that are within it."""
BATCH_SECONDS = 15.0
"""How long all mails of a mailbox that are read together wait; the rest is verified later."""
MOST_MESSAGES = 10
"""Mails within one mail of which the signatures are looked at."""

Mode: TypeAlias = Literal["require", "mark", "off"]
Organisational = Callable[[str], str | None]

BARE = "a bare file carries no signature"
NOT_OURS = "about domains that are not ours"
NOT_YET_OURS = "about domains that nobody knows to be ours yet"


class Verify(Protocol):
    """Whether the reporting domain signed a mail."""

    def __call__(self, raw: bytes, taken_at: Time, forwarded: bool, within: float, /) -> Verdict:
        """Say so *within* seconds; a *forwarded* one lay in another mail. Never raises."""


def _cannot(_raw: bytes, _taken_at: Time, _forwarded: bool, _within: float) -> Verdict:
    return Verdict("pending", "there is nobody to verify it")


def _ours(_policy: Policy) -> Ownership:
    return "ours"


class Trust(msgspec.Struct, frozen=True):
    """What is believed."""

    dkim: Mode = "off"
    """``off``: everything, whoever wrote it and whomever it is about."""
    verify: Verify = _cannot
    is_ours: Callable[[Policy], Ownership] = _ours
    trusted_before: Mapping[str, Time] = {}
    """By source: mails that it took before are the operator's word."""
    timer: Callable[[], float] = time.monotonic
    reporters: frozenset[str] = frozenset()
    """Whom the operator believes, from whatever address they write."""


class Opinion(msgspec.Struct, frozen=True):
    """Whose word a report is."""

    trust: Trusted
    reason: str | None = None
    domain: str | None = None
    """d=, verified or claimed."""
    author: str | None = None
    """The local part in From, of what was verified."""
    place: Place = Place()
    """Where in that the report stands."""


class Standing(msgspec.Struct, frozen=True):
    """What follows from it for one report."""

    held_for: HeldFor | None = None
    foreign: frozenset[int] = frozenset()
    """Positions of policies that are not ours."""
    proposed: frozenset[str] = frozenset()
    """Domains of which it is not known whether they are ours."""


class Patience:
    """How long mails that were offered together may still wait for DNS."""

    def __init__(self, timer: Callable[[], float], seconds: float) -> None:
        self._timer = timer
        self._until = timer() + seconds

    def for_one(self) -> Callable[[], float]:
        """What tells how long one more mail may wait, as its time goes by."""
        until = min(self._until, self._timer() + MAIL_SECONDS)
        return lambda: until - self._timer()


def opinions(
    mail: RawMail, content: MailContent, trust: Trust, patience: Patience
) -> list[Opinion]:
    """
    Whose word each report in *content* is, in order. Never raises.

    A report within a forwarded mail stands on the signature of that mail alone: who
    forwarded it can have written it himself.
    """
    if trust.dkim == "off":
        return [Opinion("unchecked")] * len(content.reports)
    if mail.trusted:
        return [Opinion("operator", "somebody here vouches for it")] * len(content.reports)
    if mail.taken_at < trust.trusted_before.get(mail.source, mail.taken_at):
        return [Opinion("operator", "it was there before trust_before")] * len(content.reports)
    left = patience.for_one()
    known: dict[int, Verdict] = {}
    found: list[Opinion] = []
    for one in content.reports:
        place = id(one.message)
        if place not in known:
            known[place] = (
                Verdict("unsigned", "too many mails are within the mail")
                if len(known) >= MOST_MESSAGES
                else _verdict(mail, one, content, trust, left())
            )
        found.append(_opinion(mail, one, known[place]))
    return found


def _verdict(
    mail: RawMail, found: FoundReport, content: MailContent, trust: Trust, within: float
) -> Verdict:
    if found.message is None and content.is_file:
        return Verdict("unsigned", BARE)
    forwarded = found.message is not None
    return trust.verify(found.message or mail.raw, mail.taken_at, forwarded, within)


def _opinion(mail: RawMail, found: FoundReport, said: Verdict) -> Opinion:
    """What follows from the verdict on its mail for one report in it."""
    if said.word != "pass":
        return Opinion(said.word, said.reason, said.domain)
    try:
        signed = message(found.message or mail.raw)
    except BadReport:  # pragma: no cover - what passed has a header
        return Opinion("fail", said.reason, said.domain)
    who = author(signed)
    local = None if who is None else who[0]
    place = Place(found.media_type, found.depth)
    if why := no_proof(signed, local, place, covers_type=said.covers_type):
        return Opinion("fail", why, said.domain)
    return Opinion("pass", said.reason, said.domain, local, place)


def standing_of(opinion: Opinion, policies: tuple[Policy, ...], trust: Trust) -> Standing:
    """Whether a report with these policies counts, and which of them."""
    if trust.dkim == "off":
        return Standing()
    if opinion.trust == "pending":
        return Standing("pending")
    if trust.dkim == "require" and opinion.trust in ("unsigned", "third-party", "fail"):
        return Standing("signature")
    owners = [trust.is_ours(policy) for policy in policies]
    if opinion.trust == "operator":
        # Where no domain is configured, whoever brings a report means that it is theirs.
        owners = ["ours" if one == "proposed" else one for one in owners]
    foreign = frozenset(place for place, one in enumerate(owners) if one != "ours")
    proposed = frozenset(
        policy.policy_domain
        for policy, one in zip(policies, owners, strict=True)
        if one == "proposed"
    )
    if len(foreign) < len(policies) or not policies:
        return Standing(None, foreign, proposed)
    return Standing("proposed" if proposed else "foreign", foreign, proposed)


def why_held(new: NewReport) -> str | None:
    """In words for a person; may hold names out of the mail."""
    if new.held_for == "foreign":
        return NOT_OURS
    return NOT_YET_OURS if new.held_for == "proposed" else new.trust_reason


def reporter(
    opinion: Opinion,
    claimed: str,
    *,
    counts: bool,
    organisational: Organisational,
    listed: frozenset[str] = frozenset(),
) -> str:
    """
    The name that a report counts under.

    Args:
        opinion: Whose word it is.
        claimed: Who it says it is.
        counts: Whether it is not held for its signature; a held one is shown as what it claims.
        organisational: A host name to its organisational domain, None where there is none.
        listed: Reporters whom the operator believes, from whatever address they write.

    """
    if opinion.domain is not None and opinion.trust == "pass":
        return signing_reporter(
            opinion.domain, opinion.author, opinion.place, organisational, listed
        )
    if opinion.domain is not None and opinion.trust == "history":
        return history(organisational(opinion.domain) or opinion.domain)
    if not counts or opinion.trust in ("unchecked", "operator"):
        return claimed
    return unverified(claimed)
