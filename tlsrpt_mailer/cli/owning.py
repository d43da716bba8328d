"""Whose is what, as `config check` prints it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from tlsrpt_mailer import wiring
from tlsrpt_mailer.alerts import words
from tlsrpt_mailer.alerts.directory import Directory, Owner
from tlsrpt_mailer.alerts.route import charge
from tlsrpt_mailer.cli.narrowing import know_group
from tlsrpt_mailer.config import Config
from tlsrpt_mailer.ports import FailureRecord
from tlsrpt_mailer.report.patterns import Names, below

Form: TypeAlias = dict[str, Any]  # a JSON object

EACH = 40
"""Up to so many domains stand there one by one; past that they are counted by owner."""
NOTES = 10
_NAMED = 3


class Owning(msgspec.Struct, frozen=True):
    """What the blocks say of the domains that are known."""

    directory: Directory
    blocks: dict[str, list[int]]
    """Each known domain with the numbers of all ``[[domains]]`` that match it, the first first."""
    idle: tuple[tuple[int, str], ...]
    """Patterns (with the number of their block) that no stored domain fits; none where nothing
    is stored yet."""


def owning(config: Config, stored: Sequence[str]) -> Owning:
    """
    Look up every domain that is in the store or stands in the configuration.

    Args:
        stored: The domains that reports speak of.
    """
    directory = wiring.directory(config)
    names = Names(block.match for block in directory.domains)
    patterns = [
        (number, pattern)
        for number, block in enumerate(directory.domains)
        for pattern in block.match
    ]
    plain = {pattern for _, pattern in patterns if not pattern.startswith("*")}
    met = {pattern for domain in stored for pattern in below(domain)}
    return Owning(
        directory,
        {domain: names.all(domain) for domain in sorted(plain.union(stored))},
        tuple(
            (number, pattern)
            for number, pattern in patterns
            if stored and pattern.startswith("*.") and pattern not in met
        ),
    )


def form(found: Owning) -> list[Form]:
    """Every domain, for JSON."""
    return [
        {
            "domain": domain,
            "owners": [owner.name for owner in found.directory.owners_of(domain)],
            "addresses": list(_addresses(found.directory.owners_of(domain))),
            "is_nobodys": found.directory.is_nobodys(domain),
            "group": found.directory.group_of(domain),
            "blocks": [f"domains[{at}]" for at in places],
        }
        for domain, places in found.blocks.items()
    ]


def whose_lines(config: Config, strangers: Sequence[str]) -> Iterator[str]:
    """
    Which domains count.

    Args:
        config: What is checked.
        strangers: Those of the database that no ``[[domains]]`` names and that are not adopted.
    """
    if config.trust.dkim == "off":
        return
    if not wiring.ours(config).is_configured:
        named = words.listed(wiring.our_addresses(config), _NAMED)
        if named:
            yield from _entry("ours", f"domains whose TLSRPT record sends reports to {named}")
    elif strangers:
        named = words.listed([words.name(one) for one in strangers], _NAMED)
        count = words.plural(len(strangers), "domain")
        yield from _entry(
            "note",
            f"in no [[domains]]: {count}, so new reports on them are held: {named}."
            " What to add: tlsrpt-mailer domains adopt",
        )


def lines(found: Owning) -> Iterator[str]:
    """Who is told, a line a domain or, where there are many, a line an owner."""
    directory = found.directory
    if not directory.domains:
        return
    if len(found.blocks) <= EACH:
        for domain in found.blocks:
            owners = directory.owners_of(domain)
            whose = _people(owners) if not directory.is_nobodys(domain) else "nobody's"
            group = directory.group_of(domain)
            behind = f" (group {words.safe(group, 40)})" if group else ""
            yield from _entry("domain", f"{words.name(domain)}: {whose}{behind}")
        return
    mine: defaultdict[str, list[str]] = defaultdict(list)
    for domain in found.blocks:
        if not directory.is_nobodys(domain):
            mine[_people(directory.owners_of(domain))].append(domain)
    for whose, domains in sorted(mine.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        named = words.listed([words.name(domain) for domain in domains], _NAMED)
        yield from _entry("owner", f"{whose}: {words.plural(len(domains), 'domain')}: {named}")


def _people(owners: Sequence[Owner]) -> str:
    return "; ".join(
        owner.name
        if owner.addresses == (owner.name,)
        else f"{words.safe(owner.name, 40)} ({', '.join(owner.addresses)})"
        for owner in owners
    )


def mx_lines(directory: Directory) -> Iterator[str]:
    """Who runs which MX hosts."""
    for block in directory.mx:
        yield from _entry("mx", f"{words.listed(block.match, _NAMED)}: {_people(block.owners)}")


def notes(found: Owning) -> Iterator[str]:
    """What an operator may not have meant."""
    directory = found.directory
    if not directory.domains:
        return
    nobodys = [words.name(one) for one in found.blocks if directory.is_nobodys(one)]
    if nobodys:
        named = words.listed(nobodys, _NAMED)
        addresses = directory.default.addresses
        logged = addresses == (wiring.LOG_RECIPIENT,)
        told = "they go to the log" if logged else f"{', '.join(addresses)} is told"
        count = words.plural(len(nobodys), "domain")
        yield from _entry("note", f"nobody's: {count}, so {told}: {named}")
    yield from _some([*_matched_twice(found.blocks), *_repeated(directory)])
    yield from _some(
        f'domains[{number}].match: "{pattern}" fits no domain in the database'
        for number, pattern in found.idle
    )
    yield from _some(
        f"owner[{number}]: {words.safe(owner.name, 40)} owns nothing"
        for number, owner in _idle_owners(directory)
    )


def _some(notes: Iterable[str]) -> Iterator[str]:
    """The first of these; a slip in a pattern may have thousands."""
    found = list(notes)
    for note in found[:NOTES]:
        yield from _entry("note", note)
    if len(found) > NOTES:
        more = len(found) - NOTES
        yield from _entry("note", f"... and {words.number(more)} more of this kind")


def _matched_twice(blocks: Mapping[str, Sequence[int]]) -> Iterator[str]:
    met: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for domain, places in blocks.items():
        for other in places[1:]:
            met[places[0], other].append(domain)
    for (first, other), domains in sorted(met.items()):
        named = words.listed([words.name(one) for one in domains], _NAMED)
        both = f"domains[{first}] and domains[{other}]"
        yield f"in {both}, of which the first holds: {named}"


def _repeated(directory: Directory) -> Iterator[str]:
    """Patterns that two blocks have, of which the later one never counts."""
    first: dict[str, int] = {}
    for number, block in enumerate(directory.domains):
        for pattern in block.match:
            before = first.setdefault(pattern, number)
            if before != number and pattern.startswith("*"):
                yield f'domains[{number}].match: "{pattern}" is also in domains[{before}]'


def _idle_owners(directory: Directory) -> Iterator[tuple[int, Owner]]:
    used = {
        owner.name
        for domain_block in directory.domains
        for owner in domain_block.owners + domain_block.policy_host_owners
    }
    used |= {owner.name for mx_block in directory.mx for owner in mx_block.owners}
    for number, owner in enumerate(directory.owners):
        if owner.name not in used:
            yield number, owner


# ------------------------------------------------------------------ of failures


def told_of(directory: Directory, record: FailureRecord) -> list[str]:
    """The addresses of those who are to mend a failure."""
    identity, mx = record.verdict.identity, record.verdict.cause.mx
    found = charge(identity.domain, identity.result_type, mx or identity.mx, directory)
    return list(_addresses(found.mending))


def in_group(directory: Directory, group: str | None) -> Callable[[FailureRecord], bool]:
    """
    Whether a failure's domain is in *group*; None is any.

    Raises:
        NoSuch: No domain is in that group.
    """
    if group is None:
        return lambda _: True
    know_group(directory, group)
    return lambda record: directory.group_of(record.verdict.identity.domain) == group


def nobodys(directory: Directory, records: Iterable[FailureRecord]) -> list[str]:
    """What stands below a page of open failures on domains without an owner."""
    if not directory.domains:
        return []
    domains = dict.fromkeys(record.verdict.identity.domain for record in records)
    found = [words.name(domain) for domain in domains if directory.is_nobodys(domain)]
    return words.wrap(f"Nobody's: {words.listed(found, _NAMED)}.", "  ", "") if found else []


def _addresses(owners: Sequence[Owner]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for owner in owners for address in owner.addresses))


def _entry(label: str, text: str) -> list[str]:
    return words.wrap(text, " " * 12, f"  {label:<10}")
