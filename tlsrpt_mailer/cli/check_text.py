"""What `check` prints: a few domains in full, of many what is wrong and where."""

from collections.abc import Iterator, Sequence

import msgspec

from tlsrpt_mailer.alerts import found as texts
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.found import Told
from tlsrpt_mailer.domains.finding import WEIGHTS, Finding
from tlsrpt_mailer.failures.probed import UNCOVERED
from tlsrpt_mailer.ports import Look

MOST_IN_FULL = 10
"""Of more domains than this only what is wrong is printed, and where."""
BAD = frozenset({"critical", "warning", "notice", "gap"})
NAMED = 3
"""So many domains are named with what is wrong at them."""
DARK = "not looked up in full: our name servers do not answer"
NOWHERE = "no such domain, or one without MX, NS and address records"
_LABELS = {"critical": "CRITICAL", "warning": "WARNING", "notice": "notice", "gap": "gap"}
_OF_THE_DOMAIN = frozenset({UNCOVERED})
"""Findings that name an MX host, and are mended at the domain."""


def is_nowhere(one: Look) -> bool:
    """
    Whether DNS has nothing at all where mail would look.

    An answer does not say whether the name is missing (NXDOMAIN) or only the record (NODATA).
    """
    seen = one.seen
    answers = [seen.mx, seen.ns, seen.record, seen.sts]
    answers += [answer for host in seen.hosts for answer in (host.addresses, host.tlsa)]
    return not one.is_host and all(answer.kind == "absent" for answer in answers)


def lines(found: Sequence[Look], *, notes: bool) -> Iterator[str]:
    """All that is printed of *found*; what is worth knowing and no more with *notes* only."""
    weights = BAD | {"note"} if notes else BAD
    if len(found) > MOST_IN_FULL:
        yield from _in_short(found, weights)
        return
    for one in found:
        yield from _in_full(one, weights)


# --------------------------------------------------------------------- in short


class _Place(msgspec.Struct):
    """Who has one finding: an MX host, or a domain itself."""

    name: str
    is_host: bool
    domains: list[str]
    """Those that were looked at, where it is a host."""

    @property
    def said(self) -> str:
        """The name, and of a host whose MX it is."""
        if not self.is_host or not self.domains:
            return words.name(self.name)
        of = words.name(self.domains[0])
        if len(self.domains) > 1:
            of = words.plural(len(self.domains), "domain")
        return f"{words.name(self.name)} (MX of {of})"


def _in_short(found: Sequence[Look], weights: frozenset[str]) -> Iterator[str]:
    """Of many: what is wrong, worst first, and where."""
    yield _count(found)
    for (rank, code), rows in _by_code(found, weights):
        places = _places(rows)
        first, each = rows[0]
        told = texts.told(code, first.seen.domain, each.mx, each.facts, 0, terminal=True)
        label = f"  {_LABELS.get(WEIGHTS[rank], 'note'):<8} {words.number(len(places)):>6}  "
        yield ""
        where = words.listed([place.said for place in places], NAMED)
        yield from words.wrap(f"{told.short}: {where}", " " * len(label), label)
        yield from words.wrap(f"mend: {told.brief}", " " * len(label), " " * len(label))
    nowhere = [words.name(one.seen.domain) for one in found if is_nowhere(one)]
    if nowhere:
        yield ""
        yield from words.wrap(f"{NOWHERE}: {words.listed(nowhere, NAMED)}", "  ", "  ")
    if any(is_bad(one) for one in found):
        yield ""
        yield "In full: tlsrpt-mailer check DOMAIN, or --json"


def _count(found: Sequence[Look]) -> str:
    """How many there are, and how many of them are well."""
    hosts, bad = sum(one.is_host for one in found), sum(map(is_bad, found))
    there = words.plural(len(found) - hosts, "domain")
    if hosts:
        there += f" and {words.plural(hosts, 'MX host')} with TLSA records"
    well = words.number(len(found) - bad)
    return f"{there}: {well} well, {words.number(bad)} with something to mend"


def is_bad(one: Look) -> bool:
    """Whether something is to be mended there."""
    return any(each.weight in BAD for each in one.findings)


_Rows = list[tuple[Look, Finding]]


def _by_code(found: Sequence[Look], weights: frozenset[str]) -> list[tuple[tuple[int, str], _Rows]]:
    """The findings by weight and code, the worst first, and of these the commonest."""
    by_code: dict[tuple[int, str], _Rows] = {}
    for one in found:
        for each in one.findings:
            if each.weight in weights:
                key = (WEIGHTS.index(each.weight), each.code)
                by_code.setdefault(key, []).append((one, each))
    return sorted(by_code.items(), key=lambda row: (row[0][0], -len(row[1])))


def _places(rows: _Rows) -> list[_Place]:
    """Each host and domain once, though the host is that of many domains."""
    found: dict[str, _Place] = {}
    for look, each in rows:
        domain = look.seen.domain
        is_hosts = each.mx is not None and each.code not in _OF_THE_DOMAIN
        name = each.mx if is_hosts and each.mx else domain
        place = found.setdefault(name, _Place(name, is_hosts or look.is_host, []))
        if is_hosts and domain != name and domain not in place.domains:
            place.domains.append(domain)
    return list(found.values())


# ---------------------------------------------------------------------- in full


def _in_full(one: Look, weights: frozenset[str]) -> Iterator[str]:
    name = words.name(one.seen.domain)
    yield f"{name}  {NOWHERE if is_nowhere(one) else _summary(one)}"
    told = [each for each in one.findings if each.weight in weights]
    if not (told or is_nowhere(one)):
        yield f"  {DARK if one.seen.is_cut_off else 'nothing to mend'}"
    for each in told:
        said = _told(one, each)
        yield ""
        yield f"  {_LABELS.get(each.weight, 'note')}  {said.phrase}"
        yield from texts.text(said, "  ")
    left = len(one.findings) - len(told)
    if left:
        if told:
            yield ""
        yield f"  {words.plural(left, 'note')}: tlsrpt-mailer check --notes {name}"
    yield ""


def _told(one: Look, each: Finding) -> Told:
    domain, now = one.seen.domain, one.seen.at
    return texts.told(each.code, domain, each.mx, each.facts, now, terminal=True)


def _hosts(mx: Sequence[str]) -> str:
    return words.listed(map(words.name, mx), 2) or "none"


def _summary(one: Look) -> str:
    found, unknown = one.summary, "not known"
    if one.is_host:
        return f"record {found.record or unknown}, looked at as an MX host"
    parts = (
        f"record {found.record or unknown}",
        f"MTA-STS {found.sts or unknown}",
        f"DANE {found.dane or unknown}",
        f"MX {unknown if found.mx is None else _hosts(found.mx)}",
    )
    return ", ".join(parts)
