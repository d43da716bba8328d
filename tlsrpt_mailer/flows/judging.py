"""Judge domains inside a transaction: read what is known of them, write what follows."""

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase

import msgspec

from tlsrpt_mailer.failures.findings import identity_of, judge_findings
from tlsrpt_mailer.failures.judge import judge
from tlsrpt_mailer.failures.model import HumanAct, Identity, Quiet, Verdict
from tlsrpt_mailer.failures.probed import told_once, with_probe
from tlsrpt_mailer.failures.standing import known
from tlsrpt_mailer.ports import History, Maintenance, Txn
from tlsrpt_mailer.report.times import Time


def _no_group(_domain: str) -> str | None:
    return None


class Standing(msgspec.Struct, frozen=True):
    """Reporters that are known from the start."""

    shipped: frozenset[str]
    configured: frozenset[str] = frozenset()
    group_of: Callable[[str], str | None] = _no_group
    """A policy domain to the group that it is in, for maintenance by group."""

    def from_the_start(self, reporter: str) -> bool:
        """Whether *reporter* has standing whatever it has reported."""
        return known(reporter, self.shipped, self.configured, ())

    def known(self, reporters: Collection[str], established: Collection[str]) -> frozenset[str]:
        """Those of *reporters* that have standing (docs/explanation/what-counts-as-new.md)."""
        return frozenset(
            name for name in reporters if known(name, self.shipped, self.configured, established)
        )


class Reads(msgspec.Struct, frozen=True):
    """What judging reads, already read: for commands that write nothing."""

    histories: Sequence[History]
    established: frozenset[str]
    maintenance: Sequence[Maintenance] = ()


def judge_domains(
    txn: Txn, domains: Collection[str], standing: Standing, now: Time
) -> list[Verdict]:
    """Judge these domains at *now* and save the verdicts; the domains' windows are read whole."""
    if not domains:
        return []
    histories = txn.histories(domains)
    unsure = _reporters(histories) - standing.shipped - standing.configured
    established = txn.established(unsure) if unsure else frozenset()
    reads = Reads(histories, established, txn.maintenance())
    verdicts = judge_histories(reads, standing, now)
    txn.save_verdicts(verdicts, now)
    return verdicts


def judge_histories(reads: Reads, standing: Standing, now: Time) -> list[Verdict]:
    """The verdicts on every failure of these domains at *now*."""
    verdicts: list[Verdict] = []
    for history in reads.histories:
        names = {window.reporter for window in history.windows}
        believed = standing.known(names, reads.established)
        quiet = {history.domain: quiet_of(history, reads.maintenance, standing.group_of)}
        acts = acts_of(history)
        reported = with_probe(
            judge(history.windows, acts, believed, now, quiet), history.spells, history.shown
        )
        looked = quiet[history.domain]
        found = judge_findings(history.domain, history.spells, acts, now, looked)
        verdicts += [*reported, *told_once(found, reported)]
    return verdicts


def quiet_of(
    history: History,
    maintenance: Sequence[Maintenance],
    group_of: Callable[[str], str | None] = _no_group,
) -> list[Quiet]:
    """Which of *maintenance* touches the domain, a pattern of MX hosts by each host it means."""
    if not maintenance:
        return []
    domain, group = history.domain, group_of(history.domain)
    hosts = {row.mx for window in history.windows for row in window.sightings if row.mx}
    hosts |= {spell.mx for spell in history.spells if spell.mx}
    found: list[Quiet] = []
    for one in maintenance:
        if one.kind == "mx":
            named = sorted(host for host in hosts if fnmatchcase(host, one.value))
            found += [Quiet(one.number, one.start, one.end, host) for host in named]
        elif (one.value == group) if one.kind == "group" else fnmatchcase(domain, one.value):
            found.append(Quiet(one.number, one.start, one.end))
    return found


def acts_of(history: History) -> dict[Identity, tuple[HumanAct, ...]]:
    """The acts of a history by what they are about, not by number."""
    numbers = {
        Identity(domain, policy_type, result_type, mx or None): number
        for (domain, policy_type, result_type, mx), number in history.numbers.items()
    }
    numbers |= {
        identity_of(history.domain, code, mx or None): number
        for (code, mx), number in history.found.items()
    }
    return {
        identity: history.acts[number]
        for identity, number in numbers.items()
        if number in history.acts
    }


def _reporters(histories: Sequence[History]) -> frozenset[str]:
    return frozenset(window.reporter for history in histories for window in history.windows)
