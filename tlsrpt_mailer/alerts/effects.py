"""What a failure does to mail, as far as its report can tell."""

from collections.abc import Collection, Container, Iterable
from typing import Literal, TypeAlias

import msgspec

from tlsrpt_mailer.alerts import commands, found, words
from tlsrpt_mailer.alerts.catalogue import Effect, Entry, entry, reason
from tlsrpt_mailer.alerts.model import Evidence, Item
from tlsrpt_mailer.report.hosts import is_strict_host
from tlsrpt_mailer.report.times import DAY, HOUR, Time

Held: TypeAlias = Literal["refused", "waits", "unclear", "arrives", "unprotected", "untouched"]
"""refused: senders that follow the policy; waits: one sender with a rule of its own; unclear: the
mode is not known; arrives: delivered all the same; unprotected: delivered without MTA-STS;
untouched: a finding that is about something else than delivery."""

SILENT_CLASSES = frozenset({"generic", "unclassified"})
"""Reason classes that explain nothing."""


def held(item: Item) -> Held:
    """Whether the failure holds mail up (docs/explanation/what-counts-as-new.md, severity)."""
    if item.is_finding:
        return "refused" if item.severity == "critical" else "untouched"
    one = entry(item.result_type)
    if one.is_about_policy:
        return "unprotected"
    if one.type == "dane-required":
        return "waits"
    if item.policy_type == "tlsa":
        return "refused"
    if item.policy_type != "sts" or item.mode in {"testing", "none"}:
        return "arrives"
    return "refused" if item.mode == "enforce" else "unclear"


def policy(item: Item) -> str:
    """The policy in force, in a word of seven letters at most."""
    if item.is_finding:
        return "-"
    if item.policy_type == "tlsa":
        return "DANE"
    if item.policy_type != "sts":
        return "none"
    return item.mode if item.mode in {"enforce", "testing", "none"} else "unknown"


def rows(item: Item) -> list[tuple[str, str]]:
    """(policy in words, what it does to mail): the row in force, or all that may be."""
    one = entry(item.result_type)
    found = [(key, one.effect[key]) for key in _keys(item) if key in one.effect]
    return [(_WORDS[key], text) for key, text in found]


_WORDS: dict[Effect, str] = {
    "enforce": "MTA-STS enforce",
    "testing": "MTA-STS testing",
    "sts": "MTA-STS",
    "dane": "DANE",
    "none": "no policy",
}


def _keys(item: Item) -> tuple[Effect, ...]:
    modes: dict[str, tuple[Effect, ...]] = {
        "DANE": ("dane",),
        "none": ("none",),
        "enforce": ("enforce", "sts"),
        "testing": ("testing", "sts"),
        "unknown": ("enforce", "testing", "sts"),
    }
    return modes[policy(item)]


def classes(item: Item) -> list[str]:
    """The reason classes that say something, of the incident and of the windows at hand."""
    seen = [*item.reasons, *(kind for row in item.evidence for _, kind in row.reasons)]
    return [kind for kind in dict.fromkeys(seen) if kind not in SILENT_CLASSES and reason(kind)]


def told(item: Item) -> found.Told:
    """A finding in words."""
    return found.told(item.result_type, item.domain, item.mx, item.facts, item.last_seen)


def is_theirs(item: Item) -> bool:
    """Whether a provider alone can mend it: it is about what the MX host shows."""
    one = entry(item.result_type)
    return bool(item.run_by) and (one.family == "negotiation" or one.type == "tlsa-invalid")


def brief(item: Item) -> str:
    """How to mend it, in a line."""
    if item.is_finding:
        return told(item).brief
    if is_theirs(item):
        return f"tell {item.tell}"
    names = commands.names(item.domain, item.mx, None)
    return names.fill(entry(item.result_type).brief)


def short(item: Item) -> str:
    """The failure in a few words; a general one by its reason, where that is one and clear."""
    if item.is_finding:
        return told(item).short
    one = entry(item.result_type)
    return _by_reason(item, one, "short") or (one.short if one.is_known else _unknown(item))


def because(item: Item) -> str:
    """The second line of a mail on a report, without its full stop."""
    one = entry(item.result_type)
    if one.type == "validation-failure" and len(found := classes(item)) > 1:
        shorts = [known.short for kind in found if (known := reason(kind)) and known.short]
        return f"TLS or the policy check fails there: {words.listed(shorts)}" if shorts else _FAILS
    return _by_reason(item, one, "because") or one.because


_FAILS = "TLS or the policy check fails there, for several reasons"


def _unknown(item: Item) -> str:
    return f'unknown result type "{words.safe(item.result_type, 40)}"'


def _by_reason(item: Item, one: Entry, field: Literal["short", "because"]) -> str:
    found = classes(item)
    known = reason(found[0]) if len(found) == 1 and one.type == "validation-failure" else None
    return getattr(known, field) if known else ""


def phrase(item: Item) -> str:
    """The failure and where: ``certificate expired on mx1.example.com``."""
    if item.is_finding:
        return told(item).phrase
    place = entry(item.result_type).place
    return f"{short(item)} {place} {words.name(item.mx)}" if item.mx and place else short(item)


# ---------------------------------------------------------------------- figures


class Figure(msgspec.Struct, frozen=True):
    """One reporter's count of one range, over all domains of a mail."""

    reporter: str
    start: Time
    end: Time
    received: Time
    failed: int
    sessions: int
    domains: int
    others: tuple[str, ...] = ()
    """Further reporters that see it."""


def failing(item: Item) -> list[Evidence]:
    """The windows at hand that have the failure, newest first."""
    return [row for row in item.evidence if row.failed]


def figure(items: Iterable[Item]) -> Figure | None:
    """
    The count to put into the third line: of the windows about the newest day, the worst.

    A stranger may write any number: where somebody known sees it, only that counts.

    Shares are one reporter's, never pooled; sessions of one domain are not added across policy
    types, since one session may stand under two.
    """
    windows: dict[tuple[str, Time, Time], dict[str, Evidence]] = {}
    for item in items:
        for row in failing(item):
            if row.is_strangers:
                continue
            domains = windows.setdefault((row.reporter, row.start, row.end), {})
            if item.domain not in domains or domains[item.domain].failed < row.failed:
                domains[item.domain] = row
    if not windows:
        return None
    newest = max(end for _, _, end in windows) - DAY - 12 * HOUR
    totals = [_total(key, domains) for key, domains in windows.items() if key[2] > newest]
    best = max(totals, key=lambda one: (one.failed, one.end, one.reporter))
    others = dict.fromkeys(key[0] for key in windows if key[0] != best.reporter)
    return msgspec.structs.replace(best, others=tuple(others))


def _total(key: tuple[str, Time, Time], domains: dict[str, Evidence]) -> Figure:
    return Figure(
        reporter=key[0],
        start=key[1],
        end=key[2],
        received=max(row.received for row in domains.values()),
        failed=sum(row.failed for row in domains.values()),
        sessions=sum(row.sessions for row in domains.values()),
        domains=len(domains),
    )


def policy_hosts(item: Item) -> list[str]:
    """The MX patterns of the newest policy that a report quotes; of one that fails, first."""
    for row in (*failing(item), *item.evidence):
        quoted = [line.partition(":") for line in row.policy_string]
        hosts = row.mx_host or tuple(
            value.strip() for key, _, value in quoted if key.strip() == "mx"
        )
        if hosts:
            return [host.lower().rstrip(".") for host in hosts]
    return []


def way_out(item: Item, failing_mx: Iterable[str]) -> str:
    """
    The line that lets somebody sleep on: whether another MX may take the mail.

    Claims no more than reports tell: that nobody reports failures there, and how much got through
    all the same.
    """
    hosts = policy_hosts(item)
    today = item.view.mx if item.view is not None and "mx" not in item.view.dark else ()
    good = _good(hosts, {item.mx, *failing_mx}, today)
    is_sts = item.policy_type == "sts"
    if is_sts and item.mx is not None and hosts and not _is_listed(item.mx, hosts):
        return _unlisted(item, good)
    if item.mx is None or not hosts or not all(is_strict_host(host) for host in hosts):
        return "Where no other MX will do, mail waits and is returned in the end."
    if good:
        return f"No failures are reported for {words.listed(good)}: mail should still get in there."
    if len(today) == 1:
        only = "This is the only MX"
    else:
        only = "The policy names no other MX" if len(hosts) == 1 else "Every MX of the policy fails"
    if through := _through(item):
        return f"{only}, but {through}: not all mail waits."
    return f"{only}: mail waits, and is returned in 1 to 5 days."


def _is_listed(mx: str, patterns: Iterable[str]) -> bool:
    """Whether an ``mx:`` line lets mail go there (RFC 8461, 4.1: a wildcard is one label)."""
    return not {mx, f"*.{mx.partition('.')[2]}"}.isdisjoint(patterns)


def _good(hosts: Iterable[str], bad: Container[str | None], today: Collection[str]) -> list[str]:
    """The MX hosts that the policy names in full, that are there, and that nobody complains of."""
    return [
        host
        for host in hosts
        if is_strict_host(host) and host not in bad and (not today or host in today)
    ]


def _unlisted(item: Item, good: Iterable[str]) -> str:
    """That the policy does not list the MX, which is why senders pass it over; and what of mail."""
    start = f"The policy that the sender holds does not list {words.name(item.mx)}"
    if others := words.listed(good):
        return f"{start}; no failures are reported for {others}: mail should still get in there."
    if through := _through(item):
        return f"{start}; {through} all the same."
    return f"{start}; where no MX that it lists will do, mail waits, and is returned in the end."


def _through(item: Item) -> str:
    """``400 of 520 sessions worked``, of the newest failing window; "" where none did."""
    found = figure([item])
    if found is None or found.failed >= found.sessions:
        return ""
    worked = words.number(found.sessions - found.failed)
    return f"{worked} of {words.number(found.sessions)} sessions worked"
