"""
Where each domain stands: its record, MTA-STS, DANE, and whether reports come in. Pure.

The way that a domain goes: *no record*, *record broken*, *published*, *first
report*, *reporting*, *silent*.
"""

from collections.abc import Collection, Iterable
from typing import Literal, TypeAlias, cast

import msgspec

from tlsrpt_mailer.domains.finding import Finding
from tlsrpt_mailer.domains.seen import Seen
from tlsrpt_mailer.domains.sts import parse_policy, parse_sts
from tlsrpt_mailer.report.times import DAY, Span, Time

RecordState: TypeAlias = Literal["none", "unneeded", "broken", "elsewhere", "right"]
"""``unneeded``: there is none, and the domain takes no mail. ``elsewhere``: it is right, but sends
the reports to somebody else."""
StsState: TypeAlias = Literal["none", "broken", "off", "testing", "enforce"]
"""``off``: a policy of mode none."""
DaneState: TypeAlias = Literal["none", "unknown", "unsigned", "partial", "broken", "full"]
"""``unknown``: nobody has validated it."""
State: TypeAlias = Literal[
    "no-record",
    "record-broken",
    "silent",
    "published",
    "first-report",
    "reporting",
    "no-mail",
    "unknown",
]

WORST_FIRST: tuple[State, ...] = (
    "no-record",
    "record-broken",
    "silent",
    "unknown",
    "published",
    "first-report",
    "reporting",
    "no-mail",
)
GAPS: frozenset[State] = frozenset({"no-record", "record-broken", "silent"})
"""States of a domain that nobody learns anything of."""
FRESH: Span = 7 * DAY
"""So long after its first report a domain counts as just begun."""
QUIET: Span = 35 * DAY
"""After so long without any report it is silent, whatever its habits were."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a look comes down to; None where it could not tell."""

    record: RecordState | None = None
    sts: StsState | None = None
    sts_id: str | None = None
    dane: DaneState | None = None
    mx: tuple[str, ...] | None = None
    """The MX hosts, by preference."""


_NO_MAIL = "no-mail"
"""The form of what is missing at a domain that takes no mail."""
_NONE = frozenset({"tlsrpt-missing", "tlsrpt-gone", "tlsrpt-misplaced"})
_BROKEN = frozenset({"tlsrpt-invalid", "tlsrpt-several"})
_STS_NONE = frozenset({"mta-sts-missing", "mta-sts-gone"})
_STS_BROKEN = frozenset(
    {
        "mta-sts-record-invalid",
        "mta-sts-record-several",
        "mta-sts-policy-unreachable",
        "mta-sts-policy-status",
        "mta-sts-policy-certificate",
        "mta-sts-policy-invalid",
    }
)
_DANE_BROKEN = frozenset({"dane-bogus", "dane-unusable", "dane-mismatch"})


def summary(seen: Seen, findings: Iterable[Finding], *, is_host: bool = False) -> Summary:
    """
    What a look comes down to.

    Args:
        is_host: It was a look at an MX host: only at its TLSRPT record.
    """
    found = list(findings)
    own = {one.code for one in found if one.mx is None}
    record = _record(seen, [one for one in found if one.mx is None])
    if is_host:
        return Summary(record=record)
    return Summary(
        record=record,
        sts=_sts(seen, own),
        sts_id=parse_sts(seen.sts.values).id,
        dane=_dane(seen, {one.code for one in found}),
        mx=None if seen.mx.kind == "trouble" else tuple(one.host for one in seen.hosts),
    )


def _record(seen: Seen, found: Iterable[Finding]) -> RecordState | None:
    if seen.record.kind == "trouble":
        return None
    forms = {one.code: one.facts.get("form") for one in found}
    codes = forms.keys()
    states: tuple[tuple[RecordState, bool], ...] = (
        ("unneeded", forms.get("tlsrpt-missing") == _NO_MAIL),
        ("none", not _NONE.isdisjoint(codes)),
        ("broken", not _BROKEN.isdisjoint(codes)),
        ("elsewhere", "tlsrpt-elsewhere" in codes),
    )
    return next((state for state, holds in states if holds), "right")


def _sts(seen: Seen, codes: Collection[str]) -> StsState | None:
    if seen.sts.kind == "trouble":
        return None
    if not _STS_BROKEN.isdisjoint(codes):
        return "broken"
    if not _STS_NONE.isdisjoint(codes) or seen.page is None:
        return "none"
    mode = parse_policy(seen.page.text).mode
    return "off" if mode in {None, "none"} else cast("StsState", mode)


def _dane(seen: Seen, codes: Collection[str]) -> DaneState | None:
    if not _DANE_BROKEN.isdisjoint(codes):
        return "broken"
    answers = [one.tlsa for one in seen.hosts]
    if seen.mx.kind == "trouble" or any(one.kind == "trouble" for one in answers):
        return None
    found = [one for one in answers if one.kind == "found"]
    states: tuple[tuple[DaneState, bool], ...] = (
        ("none", not found),
        ("unknown", any(one.secure is None for one in found)),
        ("unsigned", not all(one.secure for one in found) or seen.mx.secure is False),
        ("partial", len(found) < len(answers)),
    )
    return next((state for state, holds in states if holds), "full")


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one domain beside its configuration."""

    record: RecordState | None = None
    """None: it was never looked up."""
    record_at: Time | None = None
    """Since when it is so, as far as looks tell."""
    first_report: Time | None = None
    """Start of the first window about it."""
    last_report: Time | None = None
    """End of the last one."""
    silent_since: Time | None = None
    """End of the last window before its regular reporters fell silent."""


class Standing(msgspec.Struct, frozen=True):
    """The state of a domain."""

    state: State
    since: Time | None
    """None: nobody knows."""
    why: str


def standing(heard: Heard, now: Time) -> Standing:
    """Where a domain stands at *now*, since when, and why."""
    if heard.record == "none":
        return Standing("no-record", heard.record_at, _no_record(heard))
    if heard.record == "unneeded":
        return Standing("no-mail", heard.record_at, "it takes no mail, so it needs no record")
    if heard.record in {"broken", "elsewhere"}:
        return Standing("record-broken", heard.record_at, _broken(heard))
    if heard.last_report is not None:
        return _reported(heard, heard.last_report, now)
    if heard.record is None:
        return Standing("unknown", None, "its record was not looked up, and no report came")
    return Standing("published", heard.record_at, "its record is right, and no report came yet")


def _reported(heard: Heard, last: Time, now: Time) -> Standing:
    """Of a domain that reports have spoken of, and whose record does not say why they stop."""
    if heard.silent_since is not None:
        return Standing("silent", heard.silent_since, "its regular reporters have stopped")
    if last <= now - QUIET:
        return Standing("silent", last, "no report for weeks")
    first = last if heard.first_report is None else heard.first_report
    if first > now - FRESH:
        return Standing("first-report", first, "its first reports have come")
    record = "its record is right" if heard.record else "its record was not looked up"
    return Standing("reporting", first, f"reports come in, {record}")


def _no_record(heard: Heard) -> str:
    if heard.last_report is None:
        return "it publishes no TLSRPT record"
    return "its TLSRPT record is gone"


def _broken(heard: Heard) -> str:
    if heard.record == "elsewhere":
        return "its record sends the reports to somebody else"
    return "senders ignore its record"
